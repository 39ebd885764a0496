# shellcheck shell=bash
# small: see bulk.bash.
# own network
. tests/bench/bulk.bash
