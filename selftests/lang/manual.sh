#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples of the manual run. Their programs are in "examples" beside this
# script, where the Makefile puts them; those of README.md are another's.

HERE=$(cd "$(dirname "$0")" && pwd)
shopt -s extglob nullglob
PROGRAMS=("$HERE"/examples/!(README-*))
LIMIT=120
KSFT_SKIP=4

skip_all() {
	echo "1..0 # SKIP $*"
	exit $KSFT_SKIP
}

number=0
failed=0

# run PROGRAM: it ends well.
run() {
	local status=0
	number=$((number + 1))
	timeout "$LIMIT" "$1" 2>&1 | sed 's/^/# /'
	status=${PIPESTATUS[0]}
	if [ "$status" -eq 0 ]; then
		echo "ok $number ${1##*/}"
	else
		echo "# status $status"
		echo "not ok $number ${1##*/}"
		failed=1
	fi
}

echo "TAP version 13"
((EUID == 0)) || skip_all "/dev/chan0 is for root"
[ -c /dev/chan0 ] || skip_all "chan is not loaded"
((${#PROGRAMS[@]})) || { echo "Bail out! no programs in $HERE/examples"; exit 1; }
echo "1..${#PROGRAMS[@]}"
for program in "${PROGRAMS[@]}"; do
	run "$program"
done
exit $failed
