# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of chanctl share: they source this, which leaves them in a directory
# of their own, print a plan with finish_tests, and are done.

# shellcheck disable=SC2317 # most functions are called by check

set -u

LIMIT=120
HERE=$(cd "$(dirname "$0")" && pwd)
CHANCTL=$HERE/chanctl
# shellcheck source=selftests/tap.sh
source "$HERE/tap.sh"

((EUID == 0)) || skip_all "this takes root"

# A test is to leave no process behind.
run_test() {
	export MARK=chanctl-test-$$-$count
	rm -f ready got ran trace
	"$@" && nothing_left && return
	cat out err
	kill_marked
	return 1
}

# marked: the processes that this test has started, and what those have.
marked() {
	local files=(/proc/[0-9]*/environ)
	grep -lsz "^MARK=$MARK\$" "${files[@]}" | cut -d / -f 3
}

nothing_left() {
	local left
	left=$(marked)
	[[ -z $left ]] && return
	echo "left:"
	ps -o pid,ppid,pgid,stat,args -p "${left//$'\n'/,}"
	return 1
}

kill_marked() {
	local pids
	mapfile -t pids < <(marked)
	# The shell would tell of each that it has started itself.
	disown -a
	((${#pids[@]} == 0)) || kill -KILL "${pids[@]}"
}

# soon COMMAND...: wait until it succeeds.
soon() {
	local end=$((SECONDS + LIMIT))
	while ((SECONDS <= end)); do
		"$@" && return
		sleep 0.05
	done
	echo "never: $*"
	return 1
}

# expect STATUS [ERR]: how run has ended, and what it has said, as a pattern.
expect() {
	[[ $status == "$1" ]] || { echo "status $status instead of $1"; return 1; }
	# shellcheck disable=SC2053 # a pattern
	[[ $(<err) == ${2-} ]] || { echo "stderr is not: ${2-}"; return 1; }
}

lines_are() {
	[[ $(<"$1") == "$2" ]]
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# refused STATUS PATTERN ARGUMENT...
refused() {
	local wanted=$1 pattern=$2
	shift 2
	status=0
	"$CHANCTL" "$@" >out 2>err || status=$?
	expect "$wanted" "$pattern" && [[ ! -s out ]]
}

# ctl ARGUMENT...: chanctl, with what it prints in out, what it says in err, and how
# it ends in $status.
ctl() {
	status=0
	timeout --foreground -s KILL "$LIMIT" "$CHANCTL" "$@" >out 2>err || status=$?
}

# ctl_nobody ARGUMENT...: the same, without any right.
ctl_nobody() {
	status=0
	setpriv --reuid 65534 --regid 65534 --clear-groups "$CHANCTL" "$@" >out 2>err ||
		status=$?
}

# json ASSERTION [NAME=VALUE]...: of what is in out, one value a line: "lines" are all,
# "it" is the first. In Python, with those names as strings.
json() {
	python3 - "$@" <<-'END'
	import json, sys
	assertion = " ".join(sys.argv[1].split())
	lines = [json.loads(line) for line in open("out", encoding="utf-8")]
	names = dict(word.split("=", 1) for word in sys.argv[2:])
	if not eval(assertion, {"lines": lines, "it": lines[0], **names}):
	    sys.exit(f"not so: {assertion} {names}\n{lines}")
	END
}

# with_channel OPTION... -- COMMAND...: it exists while the command runs: $name.
with_channel() {
	local options=() good=0
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	name=test-$count
	"$CHANCTL" add "${options[@]}" "$name" || return
	"$@" || good=1
	"$CHANCTL" remove "$name" && return "$good"
}

# in_background NAME ARGUMENT...: chanctl, with NAME.out and NAME.err; $pid.
in_background() {
	local to=$1
	shift
	"$CHANCTL" "$@" >"$to.out" 2>"$to.err" </dev/null &
	# shellcheck disable=SC2034 # who calls this waits for it
	pid=$!
}

# parked CHANNEL KIND N
parked() {
	[[ $(<"/sys/class/chan/$1/parked_$2") == "$3" ]]
}

# start_tests: in a directory that is gone in the end.
start_tests() {
	[[ -x $CHANCTL ]] || skip_all "no $CHANCTL"
	shopt -s extglob
	work=$(mktemp -d) || exit 1
	trap 'rm -rf "$work"' EXIT
	cd "$work" || exit 1
	chmod 755 .
	: >out
	: >err
	echo "TAP version 13"
}

finish_tests() {
	echo "1..$count"
	finish
	exit
}
