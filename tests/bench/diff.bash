# shellcheck shell=bash disable=SC2154
# diff: how many bytes a product of compaction is on the wire, made by a real IoTDB from what was
# captured before (tests/bench/products): zstd block by block, the same behind ranges of its
# sources as protocol version 2 has them, and beside it `zstd --patch-from` (everything as one
# prefix, not resumable), rdiff and rsync --fuzzy. Needs $TSFERRY_IOTDB once; products stay in DIFF_CACHE
# (~/.cache/tsferry-products). DIFF_SETS (many mid few), DIFF_FORMS (n-compiled). peer=tsferry is block by
# block, without a link; through=daemons is a product that appears behind its sources at a syncd that keeps
# them, until it is durable at recvd, on a way of DIFF_RATE (10M): all that went over the wire.
# own network

diff_peers() { # LINE PRODUCT SOURCES
	local size t rd=none sent
	size=$(stat -c %s "$2")
	cat "$3"/*.tsfile >"$W/sources"
	t=$(now)
	echo "$1 peer=zstd-patch-from bytes=$(zstd -q -3 --long=27 --patch-from="$W/sources" -c "$2" | wc -c) of=$size wall_s=$(since "$t")"
	t=$(now)
	if command -v rdiff >/dev/null; then
		rdiff -f -b 512 signature "$W/sources" "$W/signature"
		rd=$(rdiff delta "$W/signature" "$2" - | zstd -q -3 -c | wc -c)
		echo "$1 peer=rdiff bytes=$((rd + $(stat -c %s "$W/signature"))) of=$size wall_s=$(since "$t")"
	fi
	# the basis stands beside it under a name that is alike, as --fuzzy wants it
	rm -rf "$W/to" "$W/from" && mkdir "$W/to" "$W/from"
	cp "$W/sources" "$W/to/${2##*/}.1"
	cp "$2" "$W/from/"
	t=$(now)
	sent=$(rsync --no-whole-file --fuzzy -z --stats "$W/from/" "$W/to/" -r | awk '/Total bytes sent/ { gsub(",", ""); print $4 }')
	echo "$1 peer=rsync-fuzzy bytes=$sent of=$size wall_s=$(since "$t")"
}

# diff_daemons LINE PRODUCT SOURCES
diff_daemons() {
	local f dir=$W/data/sequence/root.diff/1/0 n=0 at size name t
	mkdir -p "$dir" "$W/data/unsequence"
	pair_up "$W/data"
	printf 'diff_max_bytes=4G\nrate_limit=%s\n' "${DIFF_RATE:-10M}" >>"$W/syncd.conf"
	pctl 'LOAD CONFIGURATION' >/dev/null
	pctl 'START PIPE p' >/dev/null
	for f in "$3"/*.tsfile; do
		n=$((n + 1))
		cp "$f" "$dir/$n-$n-0-0.tsfile"
		printf '\1\1' >"$dir/.r" && mv "$dir/.r" "$dir/$n-$n-0-0.tsfile.resource"
	done
	reaches applied_serial "$n"
	until [ "$(find "$W/data/.tsferry-spool/sources" -type f 2>/dev/null | wc -l)" = "$n" ]; do sleep 0.1; done
	size=$(stat -c %s "$2")
	name=$dir/1-1-1-0.tsfile
	at=$(wire)
	t=$(now)
	cp "$2" "$name"
	printf '\1\1' >"$dir/.r" && mv "$dir/.r" "$name.resource"
	reaches durable_serial $((n + 1))
	until [ "$(progress remaining_entries)" = 0 ]; do sleep 0.02; done
	echo "$1 peer=tsferry through=daemons bytes=$(($(wire) - at)) of=$size wall_s=$(since "$t")" \
		"saved_prefix=$(progress saved_prefix_bytes) entries=$(progress durable_serial) syncd_rss_mb=$(rss_of "$syncd")"
	pair_down "$W/data"
	rm -rf "$W/data"
}

bench_diff() {
	local cache=${DIFF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsferry-products} set form kind product dir
	for form in ${DIFF_FORMS:-n-compiled}; do
		for set in ${DIFF_SETS:-many mid few}; do
			dir=$cache/$set-$form
			[ -e "$dir/made" ] || [ -n "${TSFERRY_IOTDB:-}" ] || {
				echo "diff set=$set-$form skipped=no-iotdb"
				continue
			}
			tests/bench/products "$cache" "$set" "${form%%-*}" "${form#*-}" >&2
			for kind in inner cross; do
				for product in "$dir/$kind/product"/*.tsfile; do
					line="diff set=$set-$form kind=$kind"
					echo "$line peer=tsferry $("$B/tests/bench/diff" "$product" "$dir/$kind/sources"/*.tsfile)"
					[ -z "${BENCH_INSIDE:-}" ] || diff_daemons "$line" "$product" "$dir/$kind/sources"
					diff_peers "$line" "$product" "$dir/$kind/sources"
				done
			done
		done
	done
}
