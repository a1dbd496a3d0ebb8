#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo's word count, with each worker killed in turn: no line is lost that
# a worker had not taken, and the totals are right. And would it notice? And if one
# fails, or it is interrupted, is anybody left?

HERE=$(cd "$(dirname "$0")" && pwd)
RUN=$HERE/wordcount/run
# Enough that the one to be killed has something to do before and after.
TEXT=/usr/share/common-licenses/Apache-2.0
HANGUP=/sys/class/chan/chan0/hangup

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
	local lines
	lines=$(grep -c '[[:graph:]]' "$TEXT")
	count --kill none "$TEXT" && [[ $said == *"= tr | sort | uniq -c:"* ]] &&
		[[ $said == *" $lines of $lines lines are in; that is all"* ]]
	check "nobody is killed, and the totals are right" $?
}

# write_worker SCRIPT: to be used for the one in C.
write_worker() {
	printf '#!/bin/bash\n%s\n' "$1" >"$work/worker"
	chmod +x "$work/worker"
}

careless() {
	write_worker "$1"
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

# Of the processes of the demo, which have this in their environment.
nothing_left() {
	local files=(/proc/[0-9]*/environ)
	! grep -sz "^DEMO=$DEMO\$" "${files[@]}"
}

# Nobody has planned it: the others end as well, and the demo with that failure. The
# text is too long for them to be through with it before they are told.
test_failure() {
	local text=$TEXT i
	local TEXT=$work/long
	for ((i = 0; i < 200; i++)); do
		cat "$text"
	done >"$TEXT"
	# shellcheck disable=SC2016 # for the worker to expand
	careless 'head -n 1 /dev/chan0 >/dev/null; kill -KILL $$'
	[[ $? -eq 137 && $said == *"worker' (pid "*") was killed by SIGKILL; cancelled 4 others"* ]] &&
		nothing_left
	check "a worker is killed, and the demo ends with that, and with all others" $?
}

# ^C is for all of a job, which is a process group.
test_interrupt() {
	local pid status=0 hangup before
	before=$(cat $HANGUP)
	# shellcheck disable=SC2016 # for the worker to expand
	write_worker 'head -n 1 /dev/chan0 >/dev/null; : >"$0.ready"; sleep 1000'
	env --default-signal=INT setsid "$RUN" --kill none --count "$work/worker" "$TEXT" \
		>"$work/said" 2>&1 &
	pid=$!
	while ! [ -e "$work/worker.ready" ] && kill -0 "$pid"; do
		sleep 0.1
	done
	kill -INT "-$pid"
	wait "$pid" || status=$?
	sed 's/^/# /' "$work/said"
	hangup=$(cat $HANGUP)
	[ "$status" -eq 130 ] && nothing_left && [ "$hangup" = "$before" ]
	check "it is interrupted, and nobody is left" $?
}

export DEMO=demo-test-$$
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "TAP version 13"
echo "1..8"
test_kill C
test_kill Python
test_kill Perl
test_no_kill
test_lost_line
test_wrong_count
test_failure
test_interrupt
exit $failed
