# shellcheck shell=bash disable=SC2154
# Statements and reads through /pipes, beside the floor that FUSE itself costs here.
# own network

bench_control() {
	mkdir -p "$W/data/sequence" "$W/data/unsequence" "$W/pipes"
	pair_up "$W/data"
	"$B/fs/pipefs" -f -s "$W/syncd.sock" -r "$W/recvd.sock" "$W/pipes" &
	pids+=($!)
	until [ -e "$W/pipes/ctl" ]; do sleep 0.02; done
	python3 - "$W/pipes" <<-'END'
		import os, statistics, sys, time
		def measure(name, act, n=2000):
		    us = []
		    for _ in range(n):
		        t = time.perf_counter(); act(); us.append((time.perf_counter() - t) * 1e6)
		    us.sort()
		    print(f"control what='{name}' p50_us={us[n // 2]:.0f} p99_us={us[n * 99 // 100]:.0f}")
		def write(text):
		    fd = os.open(sys.argv[1] + "/ctl", os.O_WRONLY | os.O_TRUNC)
		    os.write(fd, text); os.close(fd)
		def read(name):
		    fd = os.open(sys.argv[1] + name, os.O_RDONLY); os.read(fd, 4096); os.close(fd)
		def ask(text):
		    fd = os.open(sys.argv[1] + "/ctl", os.O_RDWR)
		    os.write(fd, text); os.read(fd, 65536); os.close(fd)
		def refused(text):
		    try: write(text)
		    except OSError: return
		    sys.exit("was not refused")
		measure("fuse floor: a comment to ctl", lambda: write(b"# floor\n"))
		measure("SHOW PIPES to ctl", lambda: write(b"SHOW PIPES\n"))
		measure("STOP PIPE p to ctl", lambda: write(b"STOP PIPE p\n"))
		measure("START PIPE p and STOP PIPE p to ctl, each committed", lambda: write(b"START PIPE p\nSTOP PIPE p\n"), 300)
		measure("a refusal to ctl", lambda: refused(b"START PIPE q\n"))
		measure("SHOW PIPES to ctl and its answer read", lambda: ask(b"SHOW PIPES\n"))
		measure("read p/status", lambda: read("/p/status"))
		measure("read p/progress", lambda: read("/p/progress"))
		measure("read metrics, both daemons", lambda: read("/metrics"))
		measure("stat p/status", lambda: os.stat(sys.argv[1] + "/p/status"))
		measure("list the root", lambda: os.listdir(sys.argv[1]))
	END
	pair_down "$W/data"
}
