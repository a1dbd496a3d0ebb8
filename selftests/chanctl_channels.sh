#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# chanctl and channels: what add, remove, send, recv and close do and say.

# shellcheck disable=SC2016 # scripts are for others to expand
# shellcheck disable=SC2317 # most functions are called by check

# shellcheck source=selftests/chanctl_common.sh
source "$(dirname "$0")/chanctl_common.sh"

# --- add and remove ---

added_as_told() {
	ctl add --capacity 3 --max-msg 4K --mode 0640 --hangup one chan-two /dev/chan-three &&
		expect 0 || return
	local at one
	for one in one two three; do
		at=/sys/class/chan/chan-$one
		[[ $(<"$at"/capacity) == 3 && $(<"$at"/max_msg) == 4096 && $(<"$at"/hangup) == 1 ]] &&
			[[ $(stat -c %a "/dev/chan-$one") == 640 ]] || return
	done
	ctl remove /dev/chan-one two chan-three && expect 0 &&
		[[ -z $(compgen -G '/dev/chan-*') ]]
}

added_by_default() {
	with_channel -- eval '[[ $(stat -c %a /dev/chan-$name) == 600 ]] &&
		[[ $(</sys/class/chan/chan-$name/capacity) == 0 ]] &&
		[[ $(</sys/class/chan/chan-$name/max_msg) == 65536 ]] &&
		[[ $(</sys/class/chan/chan-$name/hangup) == 0 ]]'
}

cannot_add() {
	refused 2 "chanctl: add: no name given*" add &&
		refused 1 "chanctl: add: 'a b' is no name*" add 'a b' &&
		refused 1 "chanctl: add: '' is no name*" add '' &&
		refused 1 "chanctl: add: '*' is no name*" add "$(printf 'x%.0s' {1..32})" &&
		refused 1 "chanctl: add: 'chan0' comes and goes with the module" add chan0 &&
		refused 2 "chanctl: add: the capacity is at most 65536" add -c 65537 x &&
		refused 2 "chanctl: add: messages are at most 1M long" add -s 1048577 x &&
		refused 2 "chanctl: add: '1X' is no size*" add -s 1X x &&
		refused 2 "chanctl: add: '0999' is no mode*" add -m 0999 x &&
		with_channel -- refused 1 "chanctl: add: cannot add 'chan-test-*': there is one*" \
			add "test-$count" &&
		ctl_nobody add x && expect 1 "*: try: sudo chanctl add" &&
		[[ -z $(compgen -G '/dev/chan-*') ]]
}

# Those that can be are.
cannot_remove() {
	refused 2 "chanctl: remove: no name given*" remove &&
		refused 1 "chanctl: remove: 'chan0' comes and goes*" remove chan0 &&
		refused 1 "chanctl: remove: cannot remove 'chan-no': none was added of that name" \
			remove no &&
		ctl add a b && ctl_nobody remove a && expect 1 "*: try: sudo chanctl remove" &&
		ctl remove a no b && expect 1 "*'chan-no'*" && [[ -z $(compgen -G '/dev/chan-*') ]]
}

# --- send and recv ---

argument_is_a_message() {
	in_background recv recv --count 3 chan0
	ctl send chan0 'hello  world' '' $'two\nlines' && expect 0 && wait "$pid" &&
		lines_are recv.out $'hello  world\n\ntwo\nlines' && [[ ! -s recv.err ]]
}

# The last line may lack its end, and what has one is given no other.
lines_are_messages() {
	in_background recv recv -n 4 chan0
	printf 'a\n\nb' | "$CHANCTL" send chan0 && echo c >/dev/chan0 && wait "$pid" &&
		lines_are recv.out $'a\n\nb\nc'
}

# carried FRAMING FILE: through a channel, it is the same.
carried() {
	in_background recv recv --follow "$1" "$name"
	soon eval '[[ $(</sys/class/chan/chan-$name/recv_ends) == 1 ]]' &&
		"$CHANCTL" send "$1" --close --file "$2" "$name" && wait "$pid" &&
		cmp "$2" recv.out
}

whole_is_one_message() {
	head -c 65536 /dev/urandom >file
	with_channel -- eval 'carried --whole file && in_background recv recv "$name" &&
		"$CHANCTL" send --whole "$name" <file && wait "$pid" && : >empty &&
		cmp -n 65536 file recv.out'
}

# An empty one comes through, too.
empty_whole_is_a_message() {
	in_background recv recv chan0
	"$CHANCTL" send --whole chan0 </dev/null && wait "$pid" && lines_are recv.out '' &&
		[[ $(wc -c <recv.out) == 1 ]]
}

length_prefixed_is_any_bytes() {
	printf '\0\0\0\3a\nb\0\0\0\0\0\0\0\2\0\377' >file
	with_channel -- carried --length-prefixed file
}

nul_ends_a_message() {
	printf 'a\nb\0\0c\0' >file
	with_channel -- carried --null file
}

broken_length_is_told() {
	printf '\0\0\0\5abc' >file
	with_channel --capacity 1 -- eval 'ctl send -p -f file "$name"' &&
		expect 1 "chanctl: send: message 1: the input ends amid it" &&
		printf '\0\0' >file &&
		with_channel --capacity 1 -- eval 'ctl send -p -f file "$name"' &&
		expect 1 "chanctl: send: message 1: the input ends amid it" &&
		printf '\377\377\377\377' >file &&
		with_channel --capacity 1 -- eval 'ctl send -p -f file "$name"' &&
		expect 1 "chanctl: send: message 1: longer than the channel takes*"
}

too_long_is_told() {
	printf 'good\n123456789\n' >file
	with_channel --capacity 2 --max-msg 8 -- eval 'ctl send -f file "$name" &&
		expect 1 "chanctl: send: message 2: longer than the channel takes, which is 8 B" &&
		ctl send "$name" 123456789 && expect 1 "*message 1: longer*" &&
		ctl recv "$name" && lines_are out good && ctl recv -t 0 "$name" && expect 124'
}

count_is_kept() {
	with_channel --capacity 8 -- eval 'seq 9 | "$CHANCTL" send -n 3 "$name" &&
		ctl send -n 1 "$name" x y && ctl recv -n 4 "$name" && expect 0 &&
		lines_are out "1
2
3
x" && ctl recv --timeout 0 "$name" && expect 124 && [[ ! -s out ]]'
}

timeout_is_kept() {
	local begin=${EPOCHREALTIME/./}
	ctl recv --timeout 300ms chan0 && expect 124 &&
		((${EPOCHREALTIME/./} - begin >= 300000)) && begin=${EPOCHREALTIME/./} &&
		ctl send --timeout 300ms chan0 x &&
		expect 124 "chanctl: send: message 1: nobody has taken it in time" &&
		((${EPOCHREALTIME/./} - begin >= 300000)) &&
		ctl send -t 0 chan0 x && expect 124 "*" || return
	in_background recv recv -t 100s chan0
	soon parked chan0 receivers 1 && echo y >/dev/chan0 && wait "$pid" && lines_are recv.out y
}

# The second of two waits anew.
timeout_is_for_each() {
	with_channel --capacity 2 -- eval 'ctl send "$name" one && ctl recv -n 2 -t 200ms "$name" &&
		expect 124 && lines_are out one'
}

follow_ends_with_the_channel() {
	in_background recv recv --follow chan0
	ctl send --close chan0 a b && expect 0 && wait "$pid" && lines_are recv.out $'a\nb'
}

# It is told from one that has all it was to receive.
end_before_the_count() {
	with_channel --capacity 4 -- eval 'exec 7<>"/dev/chan-$name"
		ctl send --close "$name" a && ctl recv -n 2 "$name" && expect 3 &&
		lines_are out a && ctl recv -f "$name" && expect 0 &&
		ctl send "$name" b && expect 3 "chanctl: send: message 1: '"'"'test-*'"'"' has ended"
		status=$?; exec 7>&-; ((status == 0))'
}

error_is_told() {
	with_channel --capacity 4 -- eval 'exec 7<>"/dev/chan-$name"
		ctl send --close=EPROTO "$name" a && ctl recv -f "$name" &&
		expect 1 "chanctl: recv: '"'"'test-*'"'"' has ended: Protocol error (EPROTO)" &&
		lines_are out a; status=$?; exec 7>&-; ((status == 0))'
}

# One that looks like our own time's end, with or without such a time.
error_is_no_timeout() {
	local error options good=0
	for error in ETIMEDOUT EAGAIN; do
		exec 7<>/dev/chan0
		ctl close --error "$error" chan0 && expect 0 || good=1
		for options in "" "--follow" "--timeout 0" "--timeout 1000s"; do
			# shellcheck disable=SC2086 # words
			ctl recv $options chan0
			expect 1 "chanctl: recv: 'chan0' has ended: * ($error)" || good=1
		done
		exec 7>&-
	done
	return "$good"
}

# closed REDIRECTIONS ARGUMENT...: chanctl, without those of its standard files.
closed() {
	local redirections=$1
	shift
	status=0
	eval 'timeout -s KILL "$LIMIT" "$CHANCTL" "$@" </dev/null >out 2>err' "$redirections" ||
		status=$?
}

# The channel must not be opened in the place of stderr.
complaints_are_no_messages() {
	printf '\0\0\0\5abc' >file
	with_channel --capacity 1 -- eval 'closed "2>&-" send -p -f file "$name" && expect 1 &&
		ctl recv -t 0 "$name" && expect 124 && [[ ! -s out ]]' &&
		closed '2>&-' send -t 0 chan0 x && expect 124 &&
		closed '<&- >&- 2>&-' send -t 0 chan0 x && expect 124
}

closed_files_are_told() {
	with_channel --capacity 1 -- eval 'closed "<&-" send --close "$name" &&
		expect 1 "chanctl: send: read: Bad file descriptor" &&
		closed "<&-" send "$name" x && expect 0 && closed ">&-" recv "$name" &&
		expect 1 "chanctl: recv: write: Bad file descriptor"'
}

wrong_use_of_both() {
	refused 2 "*no channel given*" send && refused 2 "*no channel given*" recv &&
		refused 2 "*'x' is too much*" recv chan0 x &&
		refused 2 "*'0' is no count*" recv -n 0 chan0 &&
		refused 2 "*'soon' is no duration*" send -t soon chan0 &&
		refused 2 "*do not go together" recv -f -n 2 chan0 &&
		refused 2 "*do not go together" send -f file chan0 x &&
		refused 2 "*'EFLY' is no error*" send --close=EFLY chan0 &&
		refused 1 "chanctl: send: 'no': No such file or directory" send -f no chan0
}

no_such_channel() {
	refused 1 "chanctl: send: no channel 'no'; see chanctl list" send no x &&
		refused 1 "chanctl: recv: no channel 'chan99'; see chanctl list" recv chan99 &&
		refused 1 "chanctl: recv: '/dev/null' is no channel" recv /dev/null &&
		ctl_nobody recv chan0 &&
		expect 1 "chanctl: recv: 'chan0': Permission denied; its mode or its scope keeps you out"
}

output_is_checked() {
	in_background send send chan0 lost
	status=0
	"$CHANCTL" recv chan0 >/dev/full 2>err || status=$?
	wait "$pid" && expect 1 "chanctl: recv: write: No space left on device"
}

# --- close ---

close_ends_receivers() {
	in_background recv recv chan0
	soon parked chan0 receivers 1 && ctl close chan0 && expect 0 || return
	status=0
	wait "$pid" || status=$?
	[[ $status == 3 && ! -s recv.out ]]
}

close_tells_an_error() {
	in_background recv recv chan0
	soon parked chan0 receivers 1 && ctl close --error=104 chan0 && expect 0 || return
	status=0
	wait "$pid" || status=$?
	[[ $status == 1 && $(<recv.err) == "chanctl: recv: 'chan0' has ended: "*"(ECONNRESET)" ]]
}

close_ends_senders() {
	in_background send send chan0 x
	soon parked chan0 senders 1 && ctl close chan0 chan1 && expect 0 || return
	status=0
	wait "$pid" || status=$?
	[[ $status == 3 ]]
}

cannot_close() {
	refused 2 "*no channel given*" close && refused 2 "*'x' is no error*" close -e x chan0 &&
		refused 2 "*'512' is no error*" close -e 512 chan0 &&
		ctl close no chan0 && expect 1 "chanctl: close: no channel 'no'; see chanctl list"
}

[[ -c /dev/chanctl && -c /dev/chan1 ]] || skip_all "chan is not loaded, or with channels less than 2"
start_tests
check "add: as told" added_as_told
check "add: by default" added_by_default
check "add: what cannot be added" cannot_add
check "remove: what cannot be removed" cannot_remove

check "send, recv: an argument is a message" argument_is_a_message
check "send, recv: --lines" lines_are_messages
check "send, recv: --whole" whole_is_one_message
check "send, recv: --whole of nothing" empty_whole_is_a_message
check "send, recv: --length-prefixed" length_prefixed_is_any_bytes
check "send, recv: --null" nul_ends_a_message
check "send: a length that is wrong" broken_length_is_told
check "send: a message that is too long" too_long_is_told
check "send, recv: --count" count_is_kept
check "send, recv: --timeout" timeout_is_kept
check "recv: --timeout is for each message" timeout_is_for_each
check "recv: --follow" follow_ends_with_the_channel
check "send, recv: the end comes first" end_before_the_count
check "recv: an error" error_is_told
check "recv: an error that is no timeout" error_is_no_timeout
check "send: stderr is closed" complaints_are_no_messages
check "send, recv: stdin or stdout is closed" closed_files_are_told
check "send, recv: wrong use" wrong_use_of_both
check "send, recv: no channel, or not for us" no_such_channel
check "recv: what cannot be written is noticed" output_is_checked

check "close: receivers" close_ends_receivers
check "close: --error" close_tells_an_error
check "close: senders" close_ends_senders
check "close: what cannot be closed" cannot_close
finish_tests
