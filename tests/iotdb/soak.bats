# The short form of `scripts/campaign edge`: everything at once, for two minutes.

load lib

BATS_TEST_TIMEOUT=900

setup_file() { servers_setup; }

# bats test_tags=short
@test "two minutes of writing, deleting and compacting, syncd killed and blinded: the archive answers as the edge" {
	TSFERRY_IOTDB=$IOTDB_TOOL python3 "$TSFERRY_SOURCE/tests/edge/soak.py" --build "$TSFERRY_BUILD" --minutes "${SOAK_MINUTES:-2}" \
		--check 40 --crash 60 --keep "$BATS_TEST_TMPDIR/soak" 3>&- 4>&-
}
