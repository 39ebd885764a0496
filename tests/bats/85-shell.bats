# Every tool of a shell against every kind of file: one table, each cell is run.
load lib/tsferry

setup() {
	pair_setup
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30' >/dev/null
	statement 'STOP PIPE p' >/dev/null
	statement 'START PIPE nobody' >/dev/null 2>&1 || true
}
teardown() { pair_teardown; }

# One of each kind: a word, nothing, lines, one that grows, ours, joined. The
# rest is read by the first readers of the table only.
KINDS='p/status p/message p/limits p/events help last_error'
REST='p/sink/ip server/senders/edge-1/p/status p/query p/create_time p/sync_del_op p/gaps p/quarantine identity sinktypes log sinks/s/type sinks/s/attributes
	sinks/s/key server/status server/port server/ip_white_list server/quarantine server/senders/edge-1/key'
FIRST=9

# Each prints what the file $f holds, to the byte; $x is a file of its own.
READERS='cat "$f"
cp "$f" "$x" && cat "$x"
dd if="$f" bs=1 status=none
head -n 100000 "$f"
tail -c 1000000 "$f"
sed "" "$f"
printf "%s" "$(<"$f")" | sed -n p | awk 1
[ "$(wc -c <"$f")" = "$(stat -c %s "$want")" ] && cat "$want"
[ "$(stat -Lc %s "$f")" = "$(stat -c %s "$want")" ] && cat "$want"
cat <"$f"
head -c 1000000 "$f"
tail -n +1 "$f"
tail -c +1 "$f"
tail -n 100000 "$f"
tac "$f" | tac
cp --sparse=always "$f" "$x" && cat "$x"
cp -p "$f" "$x" && cat "$x"
install "$f" "$x" && cat "$x"
dd if="$f" bs=7 status=none
dd if="$f" bs=64K status=none
awk 1 "$f"
grep "" "$f" || [ ! -s "$want" ]
perl -pe "" "$f"
less "$f" | cat
tee <"$f"
xargs -d "\n" -I{} echo {} <"$f"
while IFS= read -r line; do printf "%s\n" "$line"; done <"$f"
mapfile a <"$f"; printf "%s" "${a[@]}"
exec 9<"$f"; cat <&9; exec 9<&-
tar -C "$PIPES" -chf - "$name" | tar -xOf -
rsync -L "$f" "$x" && cat "$x"
base64 "$f" | base64 -d
od -An -v -t x1 "$f" | xxd -r -p
[ ! -s "$f" ] || printf ",p\nq\n" | ed -s "$f"
vi -es -u NONE -i NONE -c "set noswapfile" -c "silent! w! $x" -c "qa!" "$f" </dev/null >/dev/null 2>&1; cat "$x"
python3 -c "import sys,os,shutil; p,x=sys.argv[1:]; shutil.copyfile(p,x); f=os.open(p,0); t=os.pread(f,os.fstat(f).st_size,0); assert t == open(p,\"rb\").read() == open(x,\"rb\").read(); os.write(1,t)" "$f" "$x"
split -b 10 "$f" "$x." && { cat "$x".* 2>/dev/null || true; }
sort "$f" | cmp - <(sort "$want") && cat "$want"
cmp "$f" "$want" && cat "$want"
diff "$f" "$want" && cat "$want"
[ "$(sha256sum <"$f")" = "$(sha256sum <"$want")" ] && cat "$want"
[ "$(wc -l "$f" | cut -d" " -f1)" = "$(wc -l <"$want")" ] && cat "$want"'

has() { command -v "$1" >/dev/null; }

# read_all READERS FILE...: each reader in a subshell of its own; 1 at the first cell that
# is wrong.
read_all() {
	local readers=$1 x=$T/copy want command status name f
	shift
	for name; do
		f=$PIPES/$name want=$T/want
		value "/${name/p\/sink/sinks\/s}" >"$want"
		while IFS= read -r command; do
			case $command in
			perl*) has perl || continue ;;
			od*) has xxd || continue ;;
			esac
			rm -f "$x"*
			(
				set -o pipefail
				eval "$command"
			) >"$T/got" 2>"$T/said" </dev/null && status=0 || status=$?
			if [ "$status" -ne 0 ] || ! cmp -s "$T/got" "$want"; then
				printf '%s\n  of %s: exit status %s\n' "$command" "$name" "$status"
				cat "$T/said"
				diff "$want" "$T/got" | head
				return 1
			fi
			echo . >>"$T/cells"
		done <<<"$readers"
	done
}

@test "every reader of the shell gets every file to the byte" {
	read_all "$READERS" $KINDS
	read_all "$(head -n "$FIRST" <<<"$READERS")" $REST
	echo "# $(wc -l <"$T/cells") cells" >&3
	[ "$(wc -l <"$T/cells")" -gt 380 ]
}

@test "tools that look, walk and copy trees are content" {
	find "$PIPES" -ls >/dev/null
	find "$PIPES" -type f -size +0 -newermt 2000-01-01 | grep -q p/status
	ls -lR "$PIPES" >/dev/null
	[ "$(find "$PIPES" -type d -not -perm 755 | wc -l)" = 0 ]
	[ "$(find "$PIPES" -type f -not -name ctl -not -perm 444 | wc -l)" = 0 ]
	[ "$(find "$PIPES" -name ctl -not -perm 666 | wc -l)" = 0 ]
	[ "$(find "$PIPES" -type f -printf '%i\n' | sort | uniq -d | wc -l)" = 0 ]
	[ "$(find "$PIPES" -printf '%i %P\n' | sort)" = "$(find "$PIPES" -printf '%i %P\n' | sort)" ]
	grep -r STOP "$PIPES/p" | grep -q 'status:STOP'
	grep . "$PIPES"/server/senders/*/*/status | grep -q STOP
	du -s "$PIPES" >/dev/null
	tar -C "$PIPES" -cf "$T/all.tar" .
	[ "$(tar -xOf "$T/all.tar" ./p/status)" = STOP ]
	rsync -a "$PIPES/" "$T/all/"
	[ "$(cat "$T/all/p/status")" = STOP ]
	[ "$(readlink "$T/all/p/sink")" = ../sinks/s ]
	cp -r "$PIPES" "$T/copied"
	diff -r "$T/copied/sinks" "$T/all/sinks"
	[ "$(stat -f -c %T "$PIPES")" = fuseblk ] || [ "$(stat -f -c %t "$PIPES")" = 65735546 ]
	[ "$(cd "$PIPES/p" && pwd -P)" = "$PIPES/p" ]
	[ "$(realpath "$PIPES/p/sink/ip")" = "$PIPES/sinks/s/ip" ]
	[ "$(stat -c %Y "$PIPES/p/status")" -le "$(date +%s)" ]
	before=$(stat -c %Y.%y "$PIPES/p/status")
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0
	wait_until 20 progress_is p remaining_entries 1 # something else has changed
	[ "$(stat -c %Y.%y "$PIPES/p/status")" = "$before" ]
	ctl 'START PIPE p'
	[ "$(stat -c %Y.%y "$PIPES/p/status")" != "$before" ]
}

@test "tools that follow wait and do not hang: tail -f, watch, inotifywait, read with a limit" {
	tail -f "$PIPES/p/status" >"$T/followed" 2>/dev/null 3>&- 4>&- &
	pid=$!
	wait_until 10 grep -qx STOP "$T/followed"
	kill "$pid"
	run -124 timeout 1 tail -F "$PIPES/p/message"
	TERM=xterm watch -n 0.2 -t cat "$PIPES/p/status" >"$T/watched" 2>&1 </dev/null 3>&- 4>&- &
	pid=$!
	wait_until 20 grep -q STOP "$T/watched"
	kill "$pid"
	if has inotifywait; then
		run -2 inotifywait -q -t 1 "$PIPES/p/status"
		inotifywait -q -t 20 -e close_write "$PIPES/ctl" >"$T/seen" 2>&1 3>&- 4>&- &
		pid=$!
		written() {
			ctl 'SHOW PIPES'
			[ -s "$T/seen" ]
		}
		wait_until 10 written
		wait "$pid"
	fi
	read -r -t 5 word <"$PIPES/p/status"
	[ "$word" = STOP ]
}

# Each writes the statement $s into $c, once.
WRITERS='echo "$s" >"$c"
echo "$s" >>"$c"
echo "$s;" >"$c"
printf "%s\n" "$s" >"$c"
printf "%s;" "$s" >"$c"
printf "%s" "$s" >"$c"
/bin/echo "$s" >"$c"
sh -c "echo \"\$s\" >\"\$c\""
echo "$s" | tee "$c" >/dev/null
echo "$s" | tee -a "$c" >/dev/null
echo "$s" | dd of="$c" bs=1 status=none
echo "$s" | dd of="$c" conv=notrunc status=none
echo "$s" >"$x"; cp "$x" "$c"
echo "$s" >"$x"; cat "$x" >"$c"
echo "$s" | cp /dev/stdin "$c"
exec 9>"$c"; echo "$s" >&9; exec 9>&-
exec 9<>"$c"; echo "$s" >&9; cat <&9 >/dev/null; exec 9<&-
{ printf "%s" "${s%% *}"; printf " %s\n" "${s#* }"; } >"$c"
cat >"$c" <<<"$s"
sed -n "w $c" <<<"$s"
awk -v c="$c" "{ print > c }" <<<"$s"
perl -e "open F, q(>), \$ENV{c}; print F \$ENV{s}; close F or die"
python3 -c "import os; open(os.environ[\"c\"], \"w\").write(os.environ[\"s\"])"
python3 -c "import os; open(os.environ[\"c\"], \"wb\", 0).write(os.environ[\"s\"].encode() + b\"\n\")"
python3 -c "import os; open(os.environ[\"c\"], \"a\").write(os.environ[\"s\"] + \"\n\")"
printf "%s\nw %s\nq\n" "0a
$s
." "$c" | ed -s
printf "i\n%s\n.\nw! %s\nq!\n" "$s" "$c" | vi -es -u NONE -i NONE
busybox sh -c "echo \"\$s\" >\"\$c\""
truncate -s 0 "$c"; echo "$s" >"$c"
> "$c"; echo "$s" >"$c"
socat -u - "OPEN:$c" <<<"$s"'


@test "every writer of the shell has its statement run, once" {
	x=$T/copy s='CREATE PIPESINK t AS IoTDB' cells=0
	run ctl 'START PIPE nobody'
	export s c x
	while IFS= read -r -d $'\x01' command; do
		set -- $command
		case $1 in perl | busybox | socat) has "$1" || continue ;; esac
		for c in "$PIPES/ctl" "$PIPES/p/ctl" "$PIPES/server/ctl"; do
			statement 'DROP PIPESINK t' >/dev/null || true
			run ctl 'START PIPE nobody'
			timeout 20 bash -c "$command" >"$T/said" 2>&1 </dev/null && status=0 || status=$?
			# What has no end of its own runs when the file is closed.
			wait_until 20 test -d "$PIPES/sinks/t" || status="not run"
			# A second time it would be refused.
			grep -qE 'nobody|^statement chmod' "$PIPES/last_error" || status="run twice, or something else was"
			[ "$status" = 0 ] || {
				printf '%s\n  into %s: %s\n' "$command" "$c" "$status"
				cat "$T/said" "$PIPES/last_error"
				return 1
			}
			cells=$((cells + 1))
		done
	done < <(awk '/^\$s$|^\."/ { printf "\n%s", $0; next } NR > 1 { printf "\001" } { printf "%s", $0 } END { printf "\001" }' <<<"$WRITERS")
	echo "# $cells cells" >&3
	[ "$cells" -gt 70 ]
}

@test "a here-document of ten statements is ten statements, and its answers are read back" {
	exec 9<>"$PIPES/ctl"
	cat >&9 2>"$T/said" <<-'END' && return 1
		-- ten of them
		SHOW PIPES
		SHOW PIPE p; SHOW PIPESINKS
		# a comment
		SHOW PIPESINK s
		START PIPE p

		STOP PIPE p;
		SHOW PIPESERVER
		NO_STATEMENT
		START PIPE p
	END
	[ "$(cat <&9 | grep -c '^Msg: \|^+')" = 18 ]
	exec 9<&-
	[ "$(cat "$PIPES/p/status")" = STOP ]
	exec 9<>"$PIPES/ctl"
	cat >&9 <<-'END'
		SHOW PIPES
		SHOW PIPE p; SHOW PIPESINKS
		SHOW PIPESINK s
		SHOW PIPESINKTYPE
		START PIPE p
		STOP PIPE p;
		SHOW PIPESERVER
		SHOW VERSION
		SHOW SENDERS
	END
	answers=$(cat <&9)
	exec 9<&-
	[ "$(grep -c '^Msg: The statement' <<<"$answers")" = 2 ]
	[ "$(grep -c '^+-' <<<"$answers")" = 24 ]
}

# Each must fail, with the sentence in last_error naming the statement to use.
REFUSED='mkdir "$PIPES/q" | CREATE PIPE
mkdir "$PIPES/sinks/t" | CREATE PIPESINK
rmdir "$PIPES/p" | DROP PIPE
rmdir "$PIPES/sinks/s" | DROP PIPESINK
rm -r "$PIPES/p" | DROP PIPE
rm -f "$PIPES/p/status" | DROP PIPE
mv "$PIPES/p" "$PIPES/q" | DROP PIPE
ln -s p "$PIPES/q" | CREATE PIPE
ln "$PIPES/help" "$PIPES/q" | CREATE PIPE
touch "$PIPES/q" | CREATE PIPE
mknod "$PIPES/q" p | CREATE PIPE
echo x >"$PIPES/p/status" | PIPE
echo RUNNING >>"$PIPES/p/status" | START PIPE
truncate -s 0 "$PIPES/p/message" | .
cp /etc/hostname "$PIPES/server/port" | .
chmod 600 "$PIPES/p/status" | .
chown nobody "$PIPES/ctl" | .
touch "$PIPES/p/status" | .
sed -i s/STOP/RUNNING/ "$PIPES/p/status" | .
tee "$PIPES/sinks/s/ip" </etc/hostname | ALTER PIPESINK
rmdir "$PIPES/server/senders/edge-1" | FORGET SENDER
rm "$PIPES/server/quarantine" | .
mkdir "$PIPES/server/senders/x" | ADMIT SENDER'

@test "what would change the tree is refused in words that name the statement" {
	export PIPES
	while IFS='|' read -r command words; do
		words=$(sed 's/^ //' <<<"$words")
		statement 'START PIPE nobody' >/dev/null 2>&1 || true
		run bash -c "$command"
		if [ "$status" -eq 0 ] || ! grep '^text ' "$PIPES/last_error" | grep -v nobody | grep -q "$words"; then
			printf '%s: exit status %s\n' "$command" "$status"
			cat "$PIPES/last_error"
			return 1
		fi
	done <<<"${REFUSED// | /|}"
	[ "$(cat "$PIPES/p/status")" = STOP ]
	[ "$(rows 'SHOW PIPESINKS' | wc -l)" = 1 ]
}
