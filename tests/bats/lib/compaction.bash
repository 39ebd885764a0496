# Compactions as IoTDB makes them, of files of root.sg, region 1, partition 0. For bats files that
# load tsferry.bash.
V3=$DATA/tsfile/v3
V4=$DATA/tsfile/v4

dir_of() { echo "$DATADIR/$1/root.sg/1/0"; } # SPACE

# begin JOURNAL-SPACE JOURNAL TARGET-SPACE TARGET-NAME SOURCE...: the journal as IoTDB
# writes it, in pieces. A source is SPACE/NAME.
begin() {
	local journal target
	journal=$(dir_of "$1")/$2 target="target $3 root.sg 1 0 $4"
	shift 4
	mkdir -p "${journal%/*}"
	: >"$journal"
	for source in "$@"; do
		printf 'source %s root.sg 1 0 %s' "${source%%/*}" "${source#*/}.tsfile" >>"$journal"
		printf '\n' >>"$journal"
	done
	printf '%s\n' "$target" >>"$journal"
}
# product FILE SPACE NAME SUFFIX: written under its temporary name, then renamed.
product() {
	local to
	to=$(dir_of "$2")/$3
	mkdir -p "${to%/*}"
	cp "$1" "$to.$4"
	mv "$to.$4" "$to.tsfile"
	printf '\001\001' >"$to.tsfile.resource.temp"
	mv "$to.tsfile.resource.temp" "$to.tsfile.resource"
}
# end JOURNAL-SPACE JOURNAL SOURCE...
end() {
	local journal
	journal=$(dir_of "$1")/$2
	shift 2
	for source in "$@"; do
		rm -f "$(dir_of "${source%%/*}")/${source#*/}.tsfile"{,.resource,.mods,.mods2}
	done
	rm "$journal"
}
# compact FILE SPACE TARGET inner|cross SOURCE...
compact() {
	local file=$1 space=$2 target=$3 kind=$4
	shift 4
	begin "$space" "$target.$kind.$kind-compaction.log" "$space" "$target.$kind" "$@"
	seen "$target.$kind.$kind-compaction.log"
	product "$file" "$space" "$target" "$kind"
	end "$space" "$target.$kind.$kind-compaction.log" "$@"
}
# So that the look at the sources is not a matter of luck in a test.
seen() { wait_until 20 known_is "count(*) FROM compaction WHERE journal = '$1'" 1; }
known_is() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "SELECT $1")" = "$2" ]; }
derived() { known_is "count(*) FROM known WHERE is_derived AND v = ${1:-0} AND i = ${2:-0} AND c = ${3:-0}" 1; }
settled() { known_is 'count(*) FROM compaction' 0; }
sent_is() { progress_is p sent_entries "$1"; }
surveyed() { known_is 'count(*) FROM known WHERE row_sum IS NULL' 0; }

# syncd_stops N: as syncd_start, but it stops by itself (SIGSTOP) within the Nth link of a thread. A
# file takes three: the TsFile, and the two forms that its deletions may have.
syncd_stops() {
	daemon_start syncd strace -DD -f -q -b execve -o "$T/strace.out" -e trace=linkat \
		-e inject=linkat:signal=STOP:when="$1" "$(command -v syncd)" -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
}
has_stopped() { grep -qs 'stopped by SIGSTOP' "$T/strace.out"; }
syncd_goes_on() { kill -CONT "$(daemon_pid syncd)"; }
