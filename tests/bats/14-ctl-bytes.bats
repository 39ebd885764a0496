# What no ctl takes: it is refused in the write itself, in words, whoever reads them.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "a statement beyond 64 KiB, in one write and in many" {
	syncd_start
	pipefs_start
	head -c 70000 /dev/zero | tr '\0' a >"$T/long"
	run ! dd if="$T/long" of="$PIPES/ctl" bs=70000 status=none conv=notrunc
	[[ $output == *"Argument list too long"* ]]
	[[ $(cat "$PIPES/ctl") == *"401: "*"came more than 65536 bytes without \`;\` or newline"* ]]
	run ! dd if="$T/long" of="$PIPES/ctl" bs=5000 status=none conv=notrunc
	[[ $output == *"Argument list too long"* ]]
	# as long as it may be: understood, and not known
	{
		printf 'START PIPE '
		head -c 60000 /dev/zero | tr '\0' ' '
		echo nobody
	} >"$T/fits"
	run ! dd if="$T/fits" of="$PIPES/ctl" bs=70000 status=none conv=notrunc
	[[ $output == *"No such file or directory"* ]]
}

@test "control bytes, at their place" {
	syncd_start
	pipefs_start
	run ! bash -c "printf 'SHOW \\x01PIPES\\n' >'$PIPES/ctl'"
	[[ $output == *"Invalid argument"* ]]
	[[ $(cat "$PIPES/ctl") == *"line 1:5 expected text, came the control byte 0x01"* ]]
	run ! bash -c "printf 'SHOW PIPES\\0\\n' >'$PIPES/ctl'"
	[[ $output == *"Invalid argument"* ]]
	[[ $(cat "$PIPES/last_error") == *"control byte 0x00"* ]]
	printf 'SHOW\tPIPES\r\n' >"$PIPES/ctl"
}

@test "a statement without an end that is none: the next cat has its answer, and none of before" {
	syncd_start
	pipefs_start
	run ! ctl 'START PIPE before'
	# Where the daemon takes its time to keep the refusal.
	kill -STOP "$(daemon_pid syncd)"
	printf 'START PIPES p' >"$PIPES/ctl"
	daemon_start reader cat "$PIPES/ctl"
	has_opened() { find -L "/proc/$(daemon_pid reader)/fd" -samefile "$PIPES/ctl" 2>/dev/null | grep -q .; }
	wait_until 5 has_opened || true # it may have ended
	kill -CONT "$(daemon_pid syncd)"
	wait_until 20 gone "$(daemon_pid reader)"
	rm "$T/reader.pid"
	[[ $(cat "$T/reader.log") == *"expected PIPE or PIPESERVER, came 'PIPES'" ]]
	# One that takes long is not waited for.
	recvd_start
	statement 'START PIPESERVER' "CREATE PIPESINK s AS IoTDB (port=$(server_port))" 'CREATE PIPE p TO s' 'START PIPE p'
	daemon_stop recvd
	seal "$SAMPLE" root.sg 1-1-0-0
	python3 - "$PIPES/ctl" <<-'END'
		import os, sys
		fd = os.open(sys.argv[1], os.O_WRONLY)
		r, w = os.pipe()
		if os.fork() == 0: # it closes last, and did not open
		    os.read(r, 1)
		    os.write(fd, b"WAIT PIPE p 20")
		    os._exit(0)
		os.close(fd)
		os.write(w, b"!")
		os.wait()
	END
	[[ $(timeout 10 cat "$PIPES/ctl") == *"came 'PIPES'" ]]
}
