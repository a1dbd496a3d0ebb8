#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Channels from the shell: echo, head, dd, cat and awk on /dev/chan0.
#
# A reader must have room for a whole message, so take a line with head, not
# with the shell's own read, which asks for one byte at a time.

DEVICE=/dev/chan0
HANGUP=/sys/class/chan/chan0/hangup

number=0
failed=0

# check NAME GOT WANTED
check() {
	number=$((number + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $number $1"
	else
		echo "# got '$2' instead of '$3'"
		echo "not ok $number $1"
		failed=1
	fi
}

# test_shell SHELL...: what it does with its own redirections and built-ins.
test_shell() {
	local got
	"$@" -c "echo hello >$DEVICE" &
	got=$(head -n 1 $DEVICE)
	wait
	check "$*: a line crosses /dev/chan0" "$got" hello

	"$@" -c "for word in one two three; do echo \$word; done >$DEVICE" &
	got=$("$@" -c "for i in 1 2 3; do
		dd bs=64K count=1 status=none; echo .
	done <$DEVICE")
	wait
	check "$*: messages arrive one by one" "$got" $'one\n.\ntwo\n.\nthree\n.'
}

# With hangup, the channel ends like a FIFO when the last writer has gone.
test_end() {
	local got
	{ echo one; echo two; } >$DEVICE &
	got=$(cat $DEVICE)
	wait
	check "cat reads on until the last writer has gone" "$got" $'one\ntwo'
}

# awk fills a buffer from many messages, and the last have too little room in
# it; cat asks for more than the longest message each time.
test_awk() {
	local got
	seq 3000 | while read -r n; do echo "$n" || break; done >$DEVICE &
	got=$(cat <$DEVICE | awk '{ sum += $1 } END { print NR, sum }')
	wait
	check "awk: reads lines through cat" "$got" "3000 4501500"

	awk -v device=$DEVICE 'BEGIN {
		print "one" >device; fflush(device)
		print "two" >device
	}' &
	got=$(for _ in 1 2; do
		dd bs=64K count=1 status=none; echo .
	done <$DEVICE)
	wait
	check "awk: one message for each flush" "$got" $'one\n.\ntwo\n.'
}

# Two readers share the lines of one producer; none is lost or taken twice.
# They share one open file too, so that neither comes after the end.
test_readers() {
	local got
	seq 200 | while read -r n; do echo "$n" || break; done >$DEVICE &
	got=$({ cat <&5 & cat <&5 & wait; } 5<$DEVICE | sort -n | md5sum)
	wait
	check "two readers share the lines" "$got" "$(seq 200 | md5sum)"
}

echo "TAP version 13"
echo "1..10"
for shell in "bash" "dash" "busybox sh"; do
	# shellcheck disable=SC2086 # a command with its argument
	test_shell $shell
done
hangup=$(cat $HANGUP)
trap 'echo "$hangup" >$HANGUP' EXIT
echo 1 >$HANGUP
test_end
test_awk
test_readers
exit $failed
