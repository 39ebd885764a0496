#!/usr/bin/env bats
# What is installed: where it lands, and how tightly the units hold the daemons.

bats_require_minimum_version 1.5.0

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	DESTDIR=$ROOT meson install -C "$TSFERRY_BUILD" --no-rebuild --quiet
	PREFIX=$(find "$ROOT" -type d -path '*/lib/systemd/system' | sed 's|/lib/systemd/system$||')
	export PREFIX
}

score() { systemd-analyze security --offline=true --no-pager "$PREFIX/lib/systemd/system/$1.service" | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p'; }

@test "programs, units, users, directories, configuration and pages are installed" {
	for f in sbin/syncd sbin/recvd sbin/recvd-load sbin/pipefs bin/pipectl lib/sysusers.d/tsferry.conf lib/tmpfiles.d/tsferry.conf \
		lib/systemd/system/tsferry-{syncd,recvd,pipefs}.service share/man/man8/{syncd,recvd,pipefs}.8 \
		share/man/man1/pipectl.1 share/man/man5/tsferry.conf.5 share/man/man7/tsferry-loader.7; do
		[ -e "$PREFIX/$f" ] || {
			echo "missing: $f"
			false
		}
	done
	[ -n "$(find "$ROOT" -path '*/etc/tsferry/syncd.conf')" ]
	[ -n "$(find "$ROOT" -path '*/etc/tsferry/recvd.conf')" ]
}

@test "a unit names programs and files that are there" {
	for unit in tsferry-syncd tsferry-recvd tsferry-pipefs; do
		program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$PREFIX/lib/systemd/system/$unit.service")
		[ -x "$ROOT$program" ]
	done
	for conf in $(sed -n 's/^ExecStart=.* -c \(.*\)/\1/p' "$PREFIX"/lib/systemd/system/*.service); do
		[ -f "$ROOT$conf" ]
	done
}

@test "systemd rates the units of syncd and recvd at 1.5 or better" {
	run -0 score tsferry-syncd
	awk "BEGIN { exit !($output > 0 && $output <= 1.5) }"
	run -0 score tsferry-recvd
	awk "BEGIN { exit !($output > 0 && $output <= 1.5) }"
}

@test "the configuration as installed: recvd's is enough, syncd's asks for one line" {
	run "$TSFERRY_BUILD/syncd/syncd" -n -c "$(find "$ROOT" -path '*/etc/tsferry/syncd.conf')"
	[ "$status" -eq 1 ]
	[[ $output == *"expected data_dirs or iotdb_home"* ]]
	grep -q '^#iotdb_home=' "$(find "$ROOT" -path '*/etc/tsferry/syncd.conf')"
	run ! grep -q '^[^#]' "$(find "$ROOT" -path '*/etc/tsferry/recvd.conf')"
}
