# shellcheck shell=bash disable=SC2154
# Many files to durable: bulk, BULK_FILES (2000) of 1 MiB, and small, SMALL_FILES (100000)
# of 10 KiB; tsferry, rsync, rsync --fsync. durable_s: until the receiver has acknowledged
# the last entry, committed; applied_s: until the last file stands in the archive, synced.

# rsync_run LINE SOURCE OPTIONS...
rsync_run() {
	local line=$1 source=$2 t
	shift 2
	rm -rf "$W/rs" && mkdir "$W/rs"
	printf '%s\n' "use chroot=no" "[m]" "path=$W/rs" "read only=no" "uid=$(id -u)" "gid=$(id -g)" >"$W/rsyncd.conf"
	rsync --daemon --no-detach --port=18730 --address=127.0.0.1 --config="$W/rsyncd.conf" 2>/dev/null &
	local d=$!
	pids+=("$d")
	until (exec 3<>/dev/tcp/127.0.0.1/18730) 2>/dev/null; do sleep 0.02; done
	sync
	t=$(now)
	rsync "$@" "$source/" rsync://127.0.0.1:18730/m/
	echo "$line peer=rsync options='$*' wall_s=$(since "$t")"
	kill "$d"
	wait "$d" 2>/dev/null || true
	pids=()
	rm -rf "$W/rs"
}

# transfer LINE FILES SIZE
transfer() {
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	"$B/tests/bench/tsgen" -n "$2" -s "$3" "$W/data"
	mkdir -p "$W/plain"
	find "$W/data/sequence" -name '*.tsfile' -print0 | xargs -0 cp -l -t "$W/plain"
	echo "$1 files=$2 bytes=$(du -sb "$W/plain" | cut -f1)"
	tsferry "$1" "$W/data" "$2"
	rsync_run "$1" "$W/plain" -aW
	rsync_run "$1" "$W/plain" -aW --fsync
	rm -rf "$W/data" "$W/plain"
}

bench_bulk() { transfer bulk "${BULK_FILES:-2000}" 1M; }
bench_small() { transfer small "${SMALL_FILES:-100000}" 10K; }
