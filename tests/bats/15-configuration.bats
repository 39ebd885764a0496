# Configuration: every key, its default, what a reload answers, what is refused and how.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

# in_force DAEMON: the doctor's listing of what is in force.
in_force() { "$TSFERRY_BUILD/$1/$1" -c "$T/$1.conf" -n | sed -E 's/^ +//' | grep -E '^[a-z_]+=' | sort; }

@test "every key has the default of the design" {
	sed -i '/^spool_min_free/d; /^scan_interval/d; /^sender_name/d' "$T/syncd.conf"
	sed -i '/^staging_min_free/d; /^pipe_server_port/d; /^bind/d; /^archive_dir/d' "$T/recvd.conf"
	diff - <(in_force syncd | grep -vE '^(state_dir|control_socket|data_dirs|sender_name|scan_interval)=') <<-'END'
		diff_max_bytes=0
		dropped_pipes_kept=10
		flush_interval=0
		inferred_deletes=hold
		iotdb_home=
		iotdb_password_file=
		iotdb_rpc=
		iotdb_user=
		iotdb_version=
		max_number_of_sync_file_retry=5
		max_pipes=1
		rate_limit=0
		spool_copy=no
		spool_dir=
		spool_max_bytes=25%
		spool_min_free=10%
		stop_after_disconnected=0
		time_zone=
		timestamp_precision=iotdb
		transport=tls
	END
	in_force syncd | grep -qxE 'scan_interval=(60s|1m|10s)'
	in_force recvd >"$T/recvd.keys"
	for line in bind= pipe_server_port=6670 'ip_white_list=0.0.0.0/0,::/0' loader=archive staging_max_bytes=0 \
		staging_min_free=10% retain_max_bytes=0 hold_deletes=none quarantine=hold transport=tls admit=first-use \
		"archive_dir=$CLOUD/state/archive"; do
		grep -qxF "$line" "$T/recvd.keys" || {
			echo "not in force: $line"
			cat "$T/recvd.keys"
			return 1
		}
	done
}

# answer KEY: the effect that LOAD CONFIGURATION names for a key.
answer() { rows 'LOAD CONFIGURATION' | awk -F'\t' -v k="$1" '$1 == k { print $2 " " $3 }'; }

@test "LOAD CONFIGURATION answers a row for each key that differs" {
	pair_start
	[ -z "$(rows 'LOAD CONFIGURATION')" ]
	while read -r conf key value effect; do
		conf_set "$T/$conf.conf" "$key" "$value"
		said=$(answer "$key")
		[ "$said" = "$value $effect" ] || {
			echo "$key=$value: $said"
			return 1
		}
	done <<-'END'
		syncd scan_interval 2s took effect
		syncd spool_max_bytes 30% took effect
		syncd spool_min_free 1% took effect
		syncd max_number_of_sync_file_retry 2147483647 took effect
		syncd rate_limit 10M took effect
		syncd max_pipes 2 took effect
		syncd stop_after_disconnected 1h took effect
		syncd dropped_pipes_kept 3 took effect
		syncd inferred_deletes ignore took effect
		syncd spool_copy yes needs a restart
		recvd ip_white_list 127.0.0.0/8,::1/128 took effect
		recvd staging_max_bytes 10G took effect
		recvd staging_min_free 1% took effect
		recvd hold_deletes database took effect
		recvd quarantine pass took effect
		recvd admit known took effect
		recvd pipe_server_port 6699 takes effect at the next START PIPESERVER
		recvd bind 127.0.0.2 takes effect at the next START PIPESERVER
		recvd loader /bin/true needs a restart
	END
	# What took effect is not told again; what waits for a restart is.
	[ "$(rows 'LOAD CONFIGURATION' | cut -f1 | sort | tr '\n' ' ')" = 'loader spool_copy ' ]
	[ "$(cat_value /p/status)" = RUNNING ]
}
cat_value() { value "$1"; }

@test "SIGHUP is LOAD CONFIGURATION, and says in the log what it did" {
	pair_start
	edge_conf rate_limit 5M
	cloud_conf admit known
	kill -HUP "$(daemon_pid syncd)" "$(daemon_pid recvd)"
	wait_until 10 grep -q 'rate_limit=5M took effect' "$T/syncd.log"
	wait_until 10 grep -q 'admit=known took effect' "$T/recvd.log"
	[ -z "$(rows 'LOAD CONFIGURATION')" ]
	edge_conf rate_limit many
	kill -HUP "$(daemon_pid syncd)"
	wait_until 10 grep -q 'the configuration stays as it is: .*syncd.conf:[0-9]*: rate_limit' "$T/syncd.log"
}

@test "a file with mistakes changes nothing, and every mistake is named with file and line" {
	pair_start
	edge_conf rate_limit 5M
	edge_conf colour red
	edge_conf max_number_of_sync_file_retry 2147483648
	run -1 statement 'LOAD CONFIGURATION'
	[[ $output == *"$T/syncd.conf:"*"colour"* ]]
	[[ $output == *"$T/syncd.conf:"*"max_number_of_sync_file_retry"*2147483647* ]]
	sed -i '/colour/d; /sync_file_retry/d' "$T/syncd.conf"
	[ "$(answer rate_limit)" = '5M took effect' ] # so it had not before
	cloud_conf hold_deletes all
	echo 'quarantine=pass' >>"$T/recvd.conf"
	echo 'quarantine=hold' >>"$T/recvd.conf"
	run -1 statement 'LOAD CONFIGURATION'
	[[ $output == *"$T/recvd.conf:"*"quarantine"* ]]
	sed -i '/quarantine/d' "$T/recvd.conf"
	[ "$(answer hold_deletes)" = 'all took effect' ]
}

@test "values out of range and of no form are refused at the start, with file and line" {
	while read -r conf key value; do
		cp "$T/$conf.conf" "$T/kept.conf"
		conf_set "$T/$conf.conf" "$key" "$value"
		line=$(grep -n "^$key=" "$T/$conf.conf" | cut -d: -f1)
		run -1 "$TSFERRY_BUILD/$conf/$conf" -c "$T/$conf.conf" -n
		[[ $output == *"$T/$conf.conf:"*"$key"* ]] || {
			echo "$key=$value: $output"
			return 1
		}
		[[ $output == *"$T/$conf.conf:$line: $key"* || $output == *"$T/$conf.conf: $key"* ]]
		mv "$T/kept.conf" "$T/$conf.conf"
	done <<-'END'
		syncd max_number_of_sync_file_retry -1
		syncd max_number_of_sync_file_retry 2147483648
		syncd max_number_of_sync_file_retry abc
		syncd max_pipes 0
		syncd scan_interval 10ms
		syncd scan_interval -5s
		syncd rate_limit -1
		syncd spool_copy maybe
		syncd inferred_deletes perhaps
		syncd transport ssl
		syncd timestamp_precision s
		syncd time_zone Mars/Olympus
		syncd spool_max_bytes 110%
		syncd spool_dir here
		syncd state_dir here
		recvd staging_min_free 1.5G
		recvd pipe_server_port 65536
		recvd pipe_server_port -1
		recvd admit all
		recvd quarantine drop
		recvd staging_max_bytes lots
	END
	conf_set "$T/syncd.conf" scan_interval 1s
	for n in 0 2147483647; do
		edge_conf max_number_of_sync_file_retry "$n"
		run -0 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf" -n
	done
}

@test "time_zone takes names, and offsets as IoTDB writes them" {
	zones=(+08:00 UTC+8)
	[ ! -e /usr/share/zoneinfo/Asia/Shanghai ] || zones+=(Asia/Shanghai)
	for zone in "${zones[@]}"; do
		edge_conf time_zone "$zone"
		pair_start
		statement 'DROP PIPE p' "CREATE PIPE p TO s FROM (select ** from root where time >= '2022-03-30 00:00:00')"
		[ "$(value /p/query)" = 'select ** from root where time >= 2022-03-30T00:00:00.000+08:00' ]
		statement 'DROP PIPE p' 'DROP PIPESINK s'
		daemon_stop syncd
		daemon_stop recvd
	done
}

@test "ip_white_list takes networks and addresses of both kinds, and nothing else" {
	recvd_start
	port=$(statement 'START PIPESERVER' >/dev/null; server_port)
	syncd_start
	statement "CREATE PIPESINK s AS IoTDB (port=$port)"
	while IFS='|' read -r list verdict; do
		cloud_conf ip_white_list "$list"
		said=$(statement 'LOAD CONFIGURATION') || true
		if [ "$verdict" = wrong ]; then
			[[ $said == *"Msg: 411: "*ip_white_list* ]] || {
				echo "$list was taken: $said"
				return 1
			}
			continue
		fi
		said=$(statement 'CREATE PIPE p TO s') && now=in || now=out
		statement 'DROP PIPE p' >/dev/null || true
		[ "$now" = "$verdict" ] || {
			echo "$list: $now: $said"
			return 1
		}
	done <<-'END'
		0.0.0.0/0|in
		192.168.0.0/16|out
		127.0.0.1|in
		|out
		127.0.0.1/32|in
		::/0|out
		127.0.0.2/8|in
		::ffff:127.0.0.1|in
		10.0.0.0/8, 127.0.0.0/8|in
		10.0.0.0/8,fe80::/10|out
		  127.0.0.1/32  |in
		0.0.0.0/0,::/0|in
		127.0.0.1/33|wrong
		localhost/32|wrong
		127.0.0.1/|wrong
		127.0.0|wrong
		10.0.0.0/8;127.0.0.1|wrong
	END
}

@test "a sender that the list no longer admits is disconnected with the reason" {
	pair_start
	wait_until 20 online p
	cloud_conf ip_white_list 10.0.0.0/8
	statement 'LOAD CONFIGURATION' | grep -q ip_white_list
	wait_until 10 value_has /p/message '127.0.0.1 is not in ip_white_list'
	wait_until 10 grep -q '127.0.0.1 (edge-1): closed: 127.0.0.1 is not in ip_white_list' "$T/recvd.log"
	value_is /p/status STOP
}
