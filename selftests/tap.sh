# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests in shell share: TAP. They source this, and put a directory of their
# own into $work.

work=
count=0
failures=0
skipped=0

skip_all() {
	echo "1..0 # SKIP $*"
	exit 4
}

# skip WHAT WHY: one test that cannot be.
skip() {
	count=$((count + 1))
	skipped=$((skipped + 1))
	echo "ok $count $1 # SKIP $2"
}

# For who has more to do around each test than this, to be defined anew.
run_test() {
	"$@"
}

# check WHAT COMMAND...: one test. A failed one shows what it had to say.
check() {
	count=$((count + 1))
	if run_test "${@:2}" >"$work/log" 2>&1; then
		echo "ok $count $1"
	else
		tail -n 60 "$work/log" | sed 's/^/# /'
		echo "not ok $count $1"
		failures=$((failures + 1))
	fi
}

# finish: its status is that of the script.
finish() {
	echo "# Totals: pass:$((count - failures - skipped)) fail:$failures xfail:0 xpass:0 skip:$skipped error:0"
	((failures == 0))
}
