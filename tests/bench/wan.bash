# shellcheck shell=bash disable=SC2154
# Long thin ways, between two network namespaces with tests/bench/relay.c between them. Needs root
# and /dev/net/tun. Congestion control there is cubic, Debian's own, or reno where the
# kernel does not let a namespace have that; tsferry asks for BBR by itself.
#
#	first	one file of 10 KiB, 100 ms there and back: until durable there, and until the edge
#		knows it; WAN_SEALS (20)
#	thin	10 Mbit/s, 40 ms: real TsFiles (tests/data, or WAN_FILES=data directory), bytes on
#		the wire up
#	lossy	50 ms there and back, 1 % loss each way: WAN_MB (96) in files of 1 MiB
#	silence	a way that swallows everything from one moment on: until either end says so
#
# WAN chooses of these (all).

. tests/bench/peers.bash

way_up() { # RELAY OPTIONS...
	local ns
	way_pid=
	undo=(way_down)
	for ns in edge cloud; do
		ip netns add "way-$$-$ns"
		ip -n "way-$$-$ns" link set lo up
	done
	at_edge=(ip netns exec "way-$$-edge") at_cloud=(ip netns exec "way-$$-cloud") cloud_address=10.9.0.2
	congestion cubic reno
	coproc WAY { exec "$B/tests/bench/relay" "$@" "/run/netns/way-$$-edge" 10.9.0.1 "/run/netns/way-$$-cloud" 10.9.0.2; }
	way_pid=$WAY_PID
	read -r said <&"${WAY[0]}" && [ "$said" = ready ]
}
way_down() {
	undo=()
	[ -z "$way_pid" ] || { kill "$way_pid" && wait "$way_pid" || true; } 2>/dev/null
	ip netns del "way-$$-edge"
	ip netns del "way-$$-cloud"
}
# congestion NAME...: of what does not ask for its own, the first that the kernel lets a namespace
# have; sets `algorithm`.
congestion() {
	for algorithm in "$@"; do
		! "${at_edge[@]}" sysctl -qw "net.ipv4.tcp_congestion_control=$algorithm" 2>/dev/null ||
			! "${at_cloud[@]}" sysctl -qw "net.ipv4.tcp_congestion_control=$algorithm" 2>/dev/null || return 0
	done
	algorithm=$("${at_edge[@]}" sysctl -n net.ipv4.tcp_congestion_control)
}
# way WORDS: tells the relay; sets `said`.
way() {
	echo "$*" >&"${WAY[1]}"
	read -r said <&"${WAY[0]}"
}
went_up() {
	way count
	said=${said#a_to_b=}
	echo "${said%% *}"
}
running() { # DATA_DIR
	pair_up "$1"
	pctl 'START PIPE p' >/dev/null
	until is_online; do sleep 0.05; done
}
is_online() { [[ $(pctl cat /p/link) == online* ]]; }
of_rtt() { ratio "$1" "$((rtt_ms * 1000))"; } # US
p50_of() { sed 's/.*p50_us=\([0-9]*\).*/\1/' <<<"$1"; }

# rsync_times N: a file each, to the daemon; the middle one, in microseconds.
rsync_times() {
	local i t
	for ((i = 0; i < $1; i++)); do
		mkdir -p "$W/one" && cp "$template" "$W/one/$i.tsfile"
		t=$(date +%s%N)
		"${at_edge[@]}" rsync -a "$W/one/$i.tsfile" "$rsync_to"
		echo $((($(date +%s%N) - t) / 1000))
	done | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}

wan_first() {
	local rtt_ms=100 template dir=$W/data/sequence/root.lat/1/0 us n=${WAN_SEALS:-20} view
	mkdir -p "$dir" "$W/data/unsequence" "$W/template"
	"$B/tests/bench/tsgen" -d root.template -n 1 -s 10K "$W/template"
	template=$(find "$W/template" -name '*.tsfile')
	way_up -d $((rtt_ms / 2))
	for view in "there $W/recvd.sock /server/senders/edge-1/p/durable" "known $W/syncd.sock /p/progress:durable_serial"; do
		mkdir -p "$dir"
		running "$W/data"
		# shellcheck disable=SC2086
		set -- $view
		us=$("$B/tests/bench/seal_latency" -c "$2" "$3" "$template" "$dir" "$n")
		echo "wan line=first rtt_ms=$rtt_ms peer=tsferry durable=$1 rtts=$(of_rtt "$(p50_of "$us")") $us"
		pair_down "$W/data"
		rm -rf "$W/data/sequence/root.lat"
	done
	rsyncd_up "$W/rs"
	us=$(rsync_times 5)
	echo "wan line=first rtt_ms=$rtt_ms peer=rsync rtts=$(of_rtt "$us") p50_us=$us"
	rm -rf "$W/data" && mkdir -p "$W/data" "$W/st-from" "$W/st-to"
	lsyncd_up "$W/data"
	lsyncd_started
	us=$("$B/tests/bench/seal_latency" -f "$W/rs" "$template" "$W/data" 5)
	echo "wan line=first rtt_ms=$rtt_ms peer=lsyncd rtts=$(of_rtt "$(p50_of "$us")") $us"
	lsyncd_down
	rsyncd_down
	! has_syncthing || {
		syncthing_up "$W/st-from" "$W/st-to"
		us=$("$B/tests/bench/seal_latency" -f "$W/st-to" "$template" "$W/st-from" 5)
		echo "wan line=first rtt_ms=$rtt_ms peer=syncthing rtts=$(of_rtt "$(p50_of "$us")") $us"
		syncthing_down
	}
	way_down
	rm -rf "$W/data" "$W/rs" "$W/one" "$W/template" "$W/st-from" "$W/st-to"
}

# Sealed files of real servers as one data directory; their rest is not wanted.
real_files() {
	local from
	for from in ${WAN_FILES:-tests/data/datadir-0.13.4 tests/data/datadir-1.3.3 tests/data/datadir-2.0.2}; do
		(cd "$from" && find sequence unsequence -name '*.tsfile' -exec cp --parents -t "$W/data" {} + -exec sh -c '
			for f; do ! [ -e "$f.resource" ] || cp --parents -t "$0" "$f.resource"; done' "$W/data" {} +)
	done
	find "$W/data" -name '*.tsfile' | while read -r f; do [ -e "$f.resource" ] || printf '\1\1' >"$f.resource"; done
	mkdir -p "$W/plain"
	(cd "$W/data" && find . -name '*.tsfile' -exec cp --parents -t "$W/plain" {} +)
}

# thin_line PEER FILES_BYTES BEFORE T
thin_line() {
	local up=$(($(went_up) - $3))
	echo "wan line=thin rate_mbit=10 rtt_ms=40 peer=$1 bytes=$2 wire_bytes=$up of_bytes=$(ratio "$up" "$2" %.3f) wall_s=$4"
}

wan_thin() {
	local n bytes zstd before t options
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	real_files
	n=$(find "$W/plain" -type f | wc -l)
	bytes=$(find "$W/plain" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
	# what zstd makes of each file by itself, without a head, a digest or a packet around it
	zstd=$(find "$W/plain" -type f -exec sh -c 'for f; do zstd -q -3 --no-check -c "$f" | wc -c; done' sh {} + | awk '{ n += $1 } END { print n }')
	echo "wan line=thin what=files files=$n bytes=$bytes zstd_bytes=$zstd zstd_of_bytes=$(ratio "$zstd" "$bytes" %.3f)"
	way_up -d 20 -r 1250000
	before=$(went_up)
	pair_up "$W/data"
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	reaches durable_serial "$n"
	until [ "$(progress remaining_entries)" = 0 ]; do sleep 0.02; done # what followed again too
	thin_line tsferry "$bytes" "$before" "$(since "$t")"
	n=$((bytes - $(progress saved_bytes)))
	echo "wan line=thin what=payload payload_bytes=$n payload_of_bytes=$(ratio "$n" "$bytes" %.3f)"
	pair_down "$W/data"
	for options in -a -az; do
		rsyncd_up "$W/rs"
		before=$(went_up)
		t=$(now)
		"${at_edge[@]}" rsync "$options" "$W/plain/" "$rsync_to"
		thin_line "rsync options=$options" "$bytes" "$before" "$(since "$t")"
		rsyncd_down
	done
	way_down
	rm -rf "$W/data" "$W/plain" "$W/rs"
}

wan_lossy() {
	local n=${WAN_MB:-96} t s wish algorithm
	mkdir -p "$W/data/sequence" "$W/data/unsequence" "$W/plain"
	"$B/tests/bench/tsgen" -n "$n" -s 1M "$W/data"
	find "$W/data/sequence" -name '*.tsfile' -print0 | xargs -0 cp -l -t "$W/plain"
	way_up -d 25 -l 1
	pair_up "$W/data"
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	reaches durable_serial "$n"
	s=$(since "$t")
	echo "wan line=lossy rtt_ms=50 loss_percent=1 peer=tsferry mb=$n wall_s=$s mb_per_s=$(ratio "$n" "$s")"
	pair_down "$W/data"
	for wish in bbr "cubic reno"; do
		# shellcheck disable=SC2086
		congestion $wish
		rsyncd_up "$W/rs"
		t=$(now)
		[ "$algorithm" = bbr ] || n=$((n / 12)) # slow: a part shows its rate
		"${at_edge[@]}" rsync -aW --files-from=<(find "$W/plain" -name '*.tsfile' -printf '%f\n' | sed "${n}q") "$W/plain/" "$rsync_to"
		s=$(since "$t")
		echo "wan line=lossy rtt_ms=50 loss_percent=1 peer=rsync congestion=$algorithm mb=$n wall_s=$s mb_per_s=$(ratio "$n" "$s")"
		rsyncd_down
	done
	way_down
	rm -rf "$W/data" "$W/plain" "$W/rs"
}

wan_silence() {
	local t edge='' cloud=''
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	way_up -d 25
	running "$W/data"
	: >"$W/recvd.log"
	t=$(now)
	way loss 100
	while [ -z "$edge" ] || [ -z "$cloud" ]; do
		[ -n "$edge" ] || is_online || edge=$(since "$t")
		[ -n "$cloud" ] || ! grep -q 'closed\|gone' "$W/recvd.log" || cloud=$(since "$t")
		sleep 0.1
	done
	echo "wan line=silence edge_noticed_s=$edge cloud_noticed_s=$cloud"
	way loss 0
	pair_down "$W/data"
	way_down
	rm -rf "$W/data"
}

bench_wan() {
	local line
	if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ]; then
		echo "scripts/bench: wan needs root and /dev/net/tun (network namespaces with a TUN device in each); run it as root, or leave it out" >&2
		return 1
	fi
	for line in ${WAN:-first thin lossy silence}; do "wan_$line"; done
	at_edge=() at_cloud=() cloud_address=127.0.0.1
}
