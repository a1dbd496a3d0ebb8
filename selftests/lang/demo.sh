#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo's word count, with each worker killed in turn: no line is lost that
# a worker had not taken, and the totals are right. And would it notice?

HERE=$(cd "$(dirname "$0")" && pwd)
RUN=$HERE/wordcount/run
# Enough that the one to be killed has something to do before and after.
TEXT=/usr/share/common-licenses/GPL-3

number=0
failed=0

# check NAME STATUS
check() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		echo "not ok $number $1"
		failed=1
	fi
}

# count ARGUMENT...: show what the demo says, and leave it in $said.
count() {
	local status=0
	said=$("$RUN" "$@" 2>&1) || status=$?
	printf '%s\n' "$said" | sed 's/^/# /'
	return $status
}

test_kill() {
	count --kill "$1" "$TEXT" && [[ $said == *"kill -9 the $1 worker"* ]] &&
		[[ $said == *"= tr | sort | uniq -c:"* ]]
	check "the $1 worker is killed, and the totals are right" $?
}

test_no_kill() {
	count --kill none "$TEXT" && [[ $said == *"= tr | sort | uniq -c:"* ]]
	check "nobody is killed, and the totals are right" $?
}

# careless SCRIPT: use it for the worker in C.
careless() {
	printf '#!/bin/bash\n%s\n' "$1" >"$work/worker"
	chmod +x "$work/worker"
	count --kill none --count "$work/worker" "$TEXT"
}

test_lost_line() {
	careless 'exec >/dev/chan1; head -n 1 /dev/chan0 >/dev/null'
	[[ $? -eq 1 && $said == *"1 lines are lost"* ]]
	check "a worker that loses a line is noticed" $?
}

test_wrong_count() {
	# shellcheck disable=SC2016 # for the worker to expand
	careless 'exec >/dev/chan1
		head -n 1 /dev/chan0 | { read -r n _; echo "C $n nonsense=1"; }'
	[[ $? -eq 1 && $said == *"counts otherwise"* ]]
	check "a worker that counts wrongly is noticed" $?
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "TAP version 13"
echo "1..6"
test_kill C
test_kill Python
test_kill Perl
test_no_kill
test_lost_line
test_wrong_count
exit $failed
