# diff: how many bytes a product of compaction is on the wire, made by a real IoTDB from what was
# captured before (tests/bench/products): zstd block by block, the same behind ranges of its
# sources as protocol version 2 has them, and beside it `zstd --patch-from` (everything as one
# prefix, not resumable), rdiff and rsync --fuzzy. Needs $TSFERRY_IOTDB once; products stay in DIFF_CACHE
# (~/.cache/tsferry-products). DIFF_SETS (many mid few), DIFF_FORMS (n-compiled).

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
					diff_peers "$line" "$product" "$dir/$kind/sources"
				done
			done
		done
	done
}
