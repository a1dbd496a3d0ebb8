#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What can be seen of the module from outside: each of its tracepoints with trace-cmd,
# perf and bpftrace, in the right order and number and with the right fields, which are
# as recorded; what debugfs and fdinfo tell.
#
#	observe.sh --record
#
# prints the fields of all events, which is what abi/events.txt is: where the module is
# loaded, as with
#
#	./scripts/vm -- selftests/observe.sh --record >selftests/abi/events.txt
#
# That is due when an event or a field was added, and then the difference is to be looked
# at: what was there has to stay as it was. How an event is printed may change.

# shellcheck disable=SC2317 # most functions are called by check

# shellcheck source=selftests/chanctl_common.sh
source "$(dirname "$0")/chanctl_common.sh"
set -o pipefail

EVENTS=/sys/kernel/tracing/events/chan
DEBUGFS=/sys/kernel/debug/chan

# --- The fields ---

# formats: of all events. Those that each event of the kernel has are the kernel's.
formats() {
	sed -n 's/^name: //p; / common_/d; /^\tfield:/p' "$EVENTS"/*/format
}

formats_are_as_recorded() {
	formats | diff "$HERE/events.txt" -
}

# --- The events ---

# prepare: for ./observed, which makes all events happen and removes the device; of that
# $id is what the events tell.
prepare() {
	[[ ! -e /dev/chan-observed ]] || "$CHANCTL" remove observed
	rm -f expected
	"$CHANCTL" add --capacity 1 observed && id=$(</sys/class/chan/chan-observed/id)
}

# chosen CONDITION: those of the expected lines for which it holds, in awk, where the
# fields are f["ret"] and the like. There have to be some, and others.
chosen() {
	awk '{
		split("", f)
		for (i = 3; i <= NF; i++) {
			split($i, word, "=")
			f[word[1]] = word[2]
		}
	}
	'"$1" expected >wanted
	[[ -s wanted ]] && ! cmp -s wanted expected && cat wanted
}

each_event_happens() {
	prepare && ./observed expected observed &&
		diff <(cd "$EVENTS" && printf '%s\n' */ | tr -d / | sort) \
			<(cut -d ' ' -f 2 expected | sort -u)
}

# as_expected TOOL: what it has told, in got, against what it should have.
as_expected() {
	"from_$1" <got | diff expected -
}

# --- trace-cmd ---

from_trace_cmd() {
	sed -nE 's/^ *observed-([0-9]+) .*: (chan_[a-z_]+): +(.*)$/\1 \2 \3/p'
}

# trace_cmd EVENT...: of a run, in got. Raw, because the text is not what is to be kept.
trace_cmd() {
	prepare && trace-cmd record -q -o trace.dat "$@" ./observed expected observed &&
		trace-cmd report -R -i trace.dat >got
}

trace_cmd_sees_all() {
	trace_cmd -e chan && as_expected trace_cmd
}

# shellcheck disable=SC2016 # for awk
trace_cmd_filters() {
	trace_cmd -e chan:chan_send -f 'ret < 0' -e chan:chan_recv -f 'len == 8' \
		-e chan:chan_close -f 'cause != 0 && state != 4' &&
		chosen '$2 == "chan_send" && f["ret"] < 0 ||
			$2 == "chan_recv" && f["len"] == 8 ||
			$2 == "chan_close" && f["cause"] != 0 && f["state"] != 4' &&
		from_trace_cmd <got | diff wanted -
}

# --- perf ---

# It takes fields of 32 bits for unsigned, and knows the names of processes.
from_perf_trace() {
	sed -nE 's|^.* observed/([0-9]+) chan:(chan_[a-z_]+)\((.*)\)$|\1 \2 \3|p' |
		sed -E 's/ \([^)]*\)//g; s/: /=/g; s/, / /g' |
		awk '{
			for (i = 3; i <= NF; i++) {
				split($i, word, "=")
				if (word[2] >= 2 ^ 31 && word[2] < 2 ^ 32)
					$i = word[1] "=" word[2] - 2 ^ 32
			}
			print
		}'
}

# perf_trace EVENT...: of a run, in got. It leaves out what is 0 unless told otherwise.
perf_trace() {
	printf '[trace]\n\tshow_zeros = yes\n' >perfconfig
	prepare && PERF_CONFIG=$PWD/perfconfig perf trace -o got "$@" -- \
		./observed expected observed
}

perf_trace_sees_all() {
	perf_trace -e 'chan:*' && as_expected perf_trace
}

# shellcheck disable=SC2016 # for awk
perf_trace_filters() {
	perf_trace -e chan:chan_select --filter 'ret != 0 && ncases > 1' \
		-e chan:chan_wake --filter 'id > 0' &&
		chosen '$2 == "chan_select" && f["ret"] != 0 && f["ncases"] > 1 ||
			$2 == "chan_wake"' &&
		from_perf_trace <got | diff wanted -
}

# shellcheck disable=SC2016 # for awk
perf_stat_counts() {
	prepare && perf stat -x , -o got -e 'chan:*' -- ./observed expected observed &&
		diff <(cut -d ' ' -f 2 expected | sort | uniq -c | awk '{ print $2, $1 }') \
			<(awk -F , '/,chan:/ { print substr($3, 6), $1 }' got | sort)
}

# perf_record EVENT...: whose events, and which, in got.
perf_record() {
	perf record -q -o perf.data "$@" -- ./observed expected observed &&
		perf script -i perf.data -F tid,event | sed -E 's/ *([0-9]+) *chan:(.*):.*/\1 \2/' >got
}

# shellcheck disable=SC2016 # for awk
perf_record_filters() {
	prepare && perf_record -e 'chan:chan_send' --filter "id == $id" \
		-e 'chan:chan_recv' --filter "id == $id" \
		-e 'chan:chan_close' --filter "id == $id" -e 'chan:chan_park' --filter 'send == 1' &&
		chosen '$2 ~ /^chan_(send|recv|close)$/ && f["id"] == '"$id"' ||
			$2 == "chan_park" && f["send"] == 1' &&
		cut -d ' ' -f 1,2 wanted | diff - got
}

# --- bpftrace ---

# probes: one for each event, which tells all of its fields.
probes() {
	awk '
		/^name: / { name = $2; text = args = "" }
		/^\tfield:/ && !/ common_/ {
			sub(/;.*/, "")
			text = text " " $NF "=%lld"
			args = args ", args->" $NF
		}
		/^print fmt/ {
			printf "tracepoint:chan:%s { printf(\"%%d %s%s\\n\", tid%s); }\n",
				name, name, text, args
		}' "$EVENTS"/*/format
}

from_bpftrace() {
	grep ' chan_'
}

# bpf PROGRAM: what it tells of a run, in got.
bpf() {
	bpftrace -c "./observed expected observed" -e "$1" >got
}

bpftrace_sees_all() {
	prepare && bpf "$(probes)" && as_expected bpftrace
}

# What bpftrace can do that the others cannot: add up in the kernel, and tell how long
# somebody has waited.
# shellcheck disable=SC2016 # for awk
bpftrace_adds_up() {
	prepare && bpf '
		tracepoint:chan:chan_recv /args->ret < 0/ { @failed[args->ret] = count(); }
		tracepoint:chan:chan_send /args->id == '"$id"'/ { @bytes = sum(args->len); }
		tracepoint:chan:chan_park { @since[tid] = nsecs; }
		tracepoint:chan:chan_recv /@since[tid]/ {
			@waited_ns[tid] = nsecs - @since[tid];
			delete(@since[tid]);
		}' || return
	chosen '$2 == "chan_recv" && f["ret"] < 0 { n[f["ret"]]++ }
		$2 == "chan_send" && f["id"] == '"$id"' { bytes += f["len"] }
		END {
			for (ret in n)
				printf "@failed[%d]: %d\n", ret, n[ret]
			printf "@bytes: %d\n", bytes
		}' | sort | diff - <(grep -E '^@(failed|bytes)' got | sort) || return
	chosen '$2 == "chan_park" { parked[$1] = 1 }
		$2 == "chan_recv" && parked[$1] { print $1; delete parked[$1] }' | sort |
		diff - <(sed -nE 's/^@waited_ns\[([0-9]+)\]: [1-9][0-9]*$/\1/p' got | sort)
}

# As README.md has it.
# shellcheck disable=SC2016 # for bpftrace
bpftrace_tells_who_waits() {
	prepare && bpf 't:chan:chan_park { @[tid] = nsecs; } t:chan:chan_send,t:chan:chan_recv /@[tid]/ { @us[comm] = hist((nsecs - @[tid]) / 1000); delete(@[tid]); }' &&
		grep -x '@us\[observed\]: *' got
}

# --- debugfs and fdinfo ---

FIELDS="id state cause capacity max_msg buffered parked_senders parked_receivers
	send_ends recv_ends sent received"

# from_sysfs CHANNEL: a line for each field, as from the others.
from_sysfs() {
	local field
	for field in $FIELDS; do
		echo "$field $(<"/sys/class/chan/$1/$field")"
	done | sort
}

# from_fdinfo FD: of this shell.
from_fdinfo() {
	sed -nE 's/^chan-([a-z-]+):\t/\1 /p' "/proc/$$/fdinfo/$1" | tr - _ | sort
}

# from_debugfs ID: and its scope.
from_debugfs() {
	awk -v id="$1" '
		/^[^ ]/ { inside = $1 == id }
		inside && /^  / { parked[$1]++ }
		inside && /^[^ ]/ {
			print "id", $1
			print "state", $3
			for (i = 4; i < NF; i += 2)
				print $i, $(i + 1)
		}
		END {
			print "parked_senders", parked["sender"] + 0
			print "parked_receivers", parked["receiver"] + 0
		}' "$DEBUGFS/channels" | sort
}

# told CHANNEL VALUE...: all tell the same, and that these are the fields.
told() {
	local channel=$1 value
	shift
	from_sysfs "$channel" >wanted
	for value; do
		grep -x "$value" wanted || { cat wanted; echo "and not $value"; return 1; }
	done
	from_fdinfo 7 | diff wanted - &&
		from_debugfs "$(<"/sys/class/chan/$channel/id")" | grep -v '^scope ' | diff wanted -
}

all_tell() {
	local good=0 channel=chan-$name pids=()
	exec 7<>"/dev/$channel"
	told "$channel" "state open" "cause 0" "capacity 2" "max_msg 100" "sent 0" \
		"send_ends 1" "recv_ends 1" || good=1
	"$CHANCTL" send "$name" 1 22 && "$CHANCTL" recv "$name" &&
		told "$channel" "sent 2" "received 1" "buffered 1" || good=1
	"$CHANCTL" send "$name" 333 || good=1
	echo 4 >"/dev/$channel" &
	pids+=($!)
	echo 5 >"/dev/$channel" &
	pids+=($!)
	soon parked "$channel" senders 2 &&
		told "$channel" "buffered 2" "parked_senders 2" "parked_receivers 0" \
			"send_ends 3" || good=1
	"$CHANCTL" close --error EIO "$name" || good=1
	wait "${pids[@]}"
	told "$channel" "state failed" "cause 5" "buffered 2" "parked_senders 0" \
		"send_ends 1" || good=1
	exec 7>&-
	return "$good"
}

all_tell_the_same() {
	with_channel --capacity 2 --max-msg 100 -- all_tell
}

# in_debugfs FILE PATTERN: a line is like this.
in_debugfs() {
	grep -Ex "$2" "$DEBUGFS/$1" || { cat "$DEBUGFS/$1"; echo "and not $2"; return 1; }
}

group_of() {
	ps -o pgid= -p "$1" | tr -d ' '
}

# Its only scope, of which dd is the only member.
scope_of_dd() {
	local dd pgid scope channel
	dd=$(pgrep -x -P "$pid" dd) && pgid=$(group_of "$dd") || return
	scope=$(sed -nE "s/^([0-9]+) parent 0 pgid $pgid .*/\1/p" "$DEBUGFS/scopes")
	channel=$(<"/sys/class/chan/chan-$name/id")
	in_debugfs scopes "$scope parent 0 pgid $pgid state bound cause 0 members 1 channels 2 owner $pid chanctl" &&
		in_debugfs scopes "  member pid $dd dd" &&
		in_debugfs channels "$channel named open cause 0 capacity 0 .* scope $scope" &&
		in_debugfs channels "  receiver pid $dd dd for [0-9]+ ms" &&
		grep -A 1 "^$channel " "$DEBUGFS/channels" | grep "  receiver pid $dd "
}

scope_with_dd() {
	local good=0
	in_background run run --adopt "chan-$name" dd if="/dev/chan-$name" bs=64K count=1
	soon parked "chan-$name" receivers 1 && scope_of_dd || good=1
	kill "$pid"
	wait "$pid"
	return "$good"
}

debugfs_tells_of_a_scope() {
	with_channel -- scope_with_dd
}

# What it tells between the cancel and the last member's end.
debugfs_tells_of_a_cancel() {
	local good=0
	# shellcheck disable=SC2016 # for the other shell to expand
	in_background run run --grace 100s sh -c 'trap "" TERM; echo $$ >ready; exec sleep 1000'
	if ! { soon test -s ready && kill -TERM "$pid" && soon grep -qEx \
		"[0-9]+ parent 0 pgid $(group_of "$(<ready)") state canceled cause 125 members 1 .*" \
		"$DEBUGFS/scopes"; }; then
		cat "$DEBUGFS/scopes"
		kill -TERM "$pid"
		good=1
	fi
	kill -KILL "$(<ready)"
	wait "$pid"
	return "$good"
}

# QEMU's emulated processors may come upon an instruction that another one has just
# patched, and then the kernel stops: switching tracepoints on and off is that. Where
# there is one processor alone, it cannot happen.
online=()
take_processors_offline() {
	local file
	grep -q 'QEMU TCG' /proc/cpuinfo || return
	for file in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[[ $(<"$file") == 1 ]] && echo 0 >"$file" && online+=("$file")
	done
}

bring_processors_back() {
	local file
	for file in "${online[@]}"; do
		echo 1 >"$file"
	done
}

# compare TOOL NAME COMMAND...: one test, of what needs TOOL.
compare() {
	if command -v "$1" >/dev/null; then
		check "$1: $2" "${@:3}"
	else
		skip "$1: $2" "no $1"
	fi
}

[[ -r $EVENTS/enable ]] || skip_all "chan is not loaded, or there is no tracefs"
if [[ ${1:-} == --record ]]; then
	formats
	exit
fi
start_tests
ln -s "$HERE/observed" .
trap 'bring_processors_back; rm -rf "$work"' EXIT
take_processors_offline

check "the fields of the events are as recorded" formats_are_as_recorded
check "each event happens" each_event_happens
compare trace-cmd "all events, with their fields" trace_cmd_sees_all
compare trace-cmd "filters by fields" trace_cmd_filters
compare perf "trace: all events, with their fields" perf_trace_sees_all
compare perf "trace: filters by fields" perf_trace_filters
compare perf "stat: counts each" perf_stat_counts
compare perf "record: filters by fields" perf_record_filters
compare bpftrace "all events, with their fields" bpftrace_sees_all
compare bpftrace "adds up by fields, and measures" bpftrace_adds_up
compare bpftrace "tells who waits, as in README.md" bpftrace_tells_who_waits
check "fdinfo and debugfs: all fields, as in sysfs" all_tell_the_same
check "debugfs: a scope, its members, and who waits" debugfs_tells_of_a_scope
check "debugfs: a scope that is cancelled" debugfs_tells_of_a_cancel
finish_tests
