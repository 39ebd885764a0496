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
