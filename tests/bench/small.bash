# shellcheck shell=bash
. tests/bench/bulk.bash
