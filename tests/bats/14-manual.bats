# The manual, the tour: what they say is so.
load lib/tsferry

MAN=$TSFERRY_SOURCE/man

@test "every page is clean for mandoc's lint" {
	for page in "$MAN"/*.[1-8]; do
		# Whether other pages are installed here says nothing about this one.
		mandoc -T lint -W style "$page" 2>&1 | grep -vE 'referenced manual not found|outdated mandoc.db' >"$T/said" || true
		[ ! -s "$T/said" ] || {
			cat "$T/said"
			return 1
		}
	done
}

@test "every program has its page, and every page that is named exists" {
	for page in pipectl.1 pipefs.8 syncd.8 recvd.8 tsferry.7 tsferry-loader.7 tsferry.conf.5 tsferry-sql.5 tsferry-proto.5; do
		[ -f "$MAN/$page" ]
		grep -q "install_man.*'$page'" "$MAN/meson.build"
	done
	sed -nE 's/^\.Xr (tsferry[a-z.-]*|syncd|recvd|pipefs|pipectl|recvd-load) ([0-9]).*/\1.\2/p' "$MAN"/*.[1-8] | sort -u |
		while read -r page; do
			[ -f "$MAN/$page" ] || [ "$page" = recvd-load.8 ] || {
				echo "$page is named and does not exist"
				return 1
			}
		done
}

@test "every section that a page names is there, and no word of a heading is taken for a macro" {
	for page in "$MAN"/*.[1-8]; do
		sed -nE 's/.*\<Sx ([A-Z][A-Z ]*[A-Z]).*/\1/p' "$page" | while read -r section; do
			grep -qE "^\.S[hs] $section\$" "$page" || {
				echo "$page: no section $section"
				return 1
			}
		done
	done
	run ! grep -nE '^\.It (An|At|In|No|St|Do|So|As) ' "$MAN"/*.[1-8]
}

@test "every statement in an example of the manual and the documents is understood" {
	n=0
	while IFS= read -r text; do
		run pipectl -s "$T/nobody" "$text"
		[ "$status" = 3 ] || {
			echo "$text: $output"
			return 1
		}
		n=$((n + 1))
	done < <(cat "$MAN"/*.[1-8] "$TSFERRY_SOURCE/README.md" "$TSFERRY_SOURCE"/docs/*.md |
		sed 's/\\(aq/'"'"'/g; s/\\-/-/g' | grep -oE "echo ('[^']+'|\"[^\"]+\") *>+ *\S*ctl|pipectl( -[tj])? ('[^']+'|\"[^\"]+\")" |
		sed -E "s/^(echo|pipectl( -[tj])?) ['\"]//; s/['\"]( *>+.*)?$//" |
		grep -E '^(CREATE|ALTER|DROP|SHOW|START|STOP|RESYNC|WAIT|ADMIT|FORGET|RETRY|SKIP|LOAD) [A-Z]' | grep -v '[$<]' | sort -u)
	[ "$n" -ge 5 ]
}

@test "the tour is what an operator really sees" {
	"$TSFERRY_SOURCE/scripts/tour" "$TSFERRY_BUILD" >"$T/tour.txt"
	diff -u "$TSFERRY_SOURCE/docs/tour.txt" "$T/tour.txt" || {
		echo "when this is right, run: scripts/tour >docs/tour.txt"
		return 1
	}
}

setup() { T=$BATS_TEST_TMPDIR; }

@test "every program tells how it is called and which it is, and what it does not know" {
	for program in syncd recvd pipefs pipectl; do
		run -0 --separate-stderr "$program" --help
		[[ $output == "usage: $program "* && -z $stderr ]]
		run -0 "$program" --version
		[[ $output =~ ^$program\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
		run -2 --separate-stderr "$program" --nonsense
		[[ -z $output && $stderr == *"--nonsense"*"usage: $program "* ]]
		grep -q '^.Fl -help | -version' "$MAN/$program".[18]
	done
}
