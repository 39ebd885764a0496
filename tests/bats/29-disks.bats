# Data directories as disks have them: several, on tiers, unmounted and back, and such that tell of
# nothing.
load lib/tsferry

setup() { pair_setup; }
teardown() {
	local m status=0
	pair_teardown || status=1
	for m in "$DATADIR" "$T/merged"; do
		if mountpoint -q "$m"; then umount -l "$m" || status=1; fi
	done
	return $status
}

V3=$DATA/tsfile/v3
known_is() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" 'SELECT count(*) FROM known')" = "$1" ]; }
# start_syncd COMMAND: within a user name space, behind COMMAND.
start_syncd() {
	daemon_start syncd unshare -Ur bash -c "$1; exec '$TSFERRY_BUILD/syncd/syncd' -c '$T/syncd.conf'"
	daemon_ready syncd "$SYNCD_SOCK"
}
begin() {
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
}

@test "a disk that is unmounted is waited for, and what it has when it is back arrives" {
	mkdir "$T/disk"
	mv "$DATADIR"/* "$T/disk/" 2>/dev/null || true
	mkdir -p "$T/disk/sequence" "$T/disk/unsequence"
	mount --bind "$T/disk" "$DATADIR" || skip "no mounts here"
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	umount -l "$DATADIR"
	wait_until 20 value_has /p/message "$DATADIR"
	value_is /p/status RUNNING
	known_is 1
	(DATADIR=$T/disk seal "$V3/tinyal.tsfile" root.sg 2-2-0-0)
	mount --bind "$T/disk" "$DATADIR"
	wait_until 20 value_is /p/message ''
	wait_until 20 archive_has root.sg 2-2-0-0
	# and its events are heard again
	edge_conf scan_interval 1h
	statement 'LOAD CONFIGURATION' >/dev/null
	statement 'WAIT PIPE p 30'
	seal "$V3/tiny.tsfile" root.new 3-3-0-0
	wait_until 20 archive_has root.new 3-3-0-0
	known_is 3
	[ -z "$(rows 'SHOW QUARANTINE')" ]
	value_is /p/gaps ''
}

@test "several data directories and tiers: one partition, in one order, new directories of each are heard" {
	mkdir -p "$EDGE"/{b,cold}/{sequence,unsequence}
	edge_conf data_dirs "$DATADIR,$EDGE/b;$EDGE/cold"
	edge_conf scan_interval 1h
	(DATADIR=$EDGE/b seal "$V3/tiny.tsfile" root.sg 2-2-0-0)
	seal "$V3/tinyal.tsfile" root.sg 1-1-0-0
	(DATADIR=$EDGE/cold seal "$V3/tiny.tsfile" root.sg 3-3-0-0 unsequence)
	pair_start
	statement 'WAIT PIPE p 30'
	[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT group_concat(v) FROM (SELECT v FROM known ORDER BY serial)')" = 1,2,3 ]
	for d in "$DATADIR" "$EDGE/b" "$EDGE/cold"; do
		(DATADIR=$d seal "$V3/tiny.tsfile" "root.of_${d##*/}" 5-5-0-0)
		wait_until 20 archive_has "root.of_${d##*/}" 5-5-0-0
	done
	value_is /p/message ''
}

@test "a directory without events: scan_interval finds files, and a new one takes effect at once" {
	recvd_start
	edge_conf scan_interval 1h
	start_syncd 'echo 0 >/proc/sys/user/max_inotify_watches'
	begin
	statement 'WAIT PIPE p 30'
	wait_until 20 value_has /p/message 'found by the scan every scan_interval only (raise it with sysctl'
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	edge_conf scan_interval 200ms
	statement 'LOAD CONFIGURATION' | grep -q scan_interval
	wait_until 10 archive_has root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	wait_until 10 archive_has root.sg 2-2-0-0
}

@test "on an overlay, which may tell of nothing, files are looked for every 10 s where nothing else is said" {
	mkdir -p "$T"/{lower,upper,work,merged}
	mount -t overlay -o "lowerdir=$T/lower,upperdir=$T/upper,workdir=$T/work" none "$T/merged" || skip "no overlays here"
	mkdir -p "$T/merged/sequence" "$T/merged/unsequence"
	DATADIR=$T/merged
	edge_conf data_dirs "$DATADIR"
	sed -i '/^scan_interval/d' "$T/syncd.conf"
	recvd_start
	start_syncd 'echo 0 >/proc/sys/user/max_inotify_watches'
	begin
	statement 'WAIT PIPE p 30'
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 30 archive_has root.sg 1-1-0-0 # 60 s elsewhere
	daemon_stop syncd
	daemon_stop recvd
}
