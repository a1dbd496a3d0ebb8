#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# chanctl, the tool for the command line: what run starts, ends, passes on and
# says, and what tree draws. chanctl_terminal.py has its part with terminals.

# shellcheck disable=SC2016 # scripts are for others to expand
# shellcheck disable=SC2317 # most functions are called by check

# shellcheck source=selftests/chanctl_common.sh
source "$(dirname "$0")/chanctl_common.sh"

# run ARGUMENT...: chanctl run, with what it says in out and err, and how it ends
# in $status.
run() {
	status=0
	timeout --foreground -s KILL "$LIMIT" "$CHANCTL" run "$@" >out 2>err </dev/null ||
		status=$?
}

# start ARGUMENT...: the same, without waiting for it: $pid. A shell without job
# control makes what is in the background ignore these two signals.
start() {
	env --default-signal=INT,QUIT "$CHANCTL" run "$@" >out 2>err </dev/null &
	pid=$!
}

# reap: wait for what was started.
reap() {
	status=0
	wait "$pid" || status=$?
}

# --- The tool itself ---

commands() {
	"$CHANCTL" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'
}

# The tool's own, and that of each command, which says how it exits.
help_is_there() {
	local command n=0
	"$CHANCTL" --help | grep -q '^Usage: chanctl COMMAND' || return
	for command in $(commands); do
		"$CHANCTL" "$command" --help >out || return
		grep -q "^Usage: chanctl $command" out && grep -q '^Exit status: 0' out &&
			! grep -q '.\{81\}' out || return
		n=$((n + 1))
	done
	((n == 16))
}

# What the help lists is in the manual, and the other way round, in that order.
manual_has_commands() {
	local page
	page=$(dirname "$CHANCTL")/chanctl.1
	[[ $(commands) == "$(sed -n 's/^\.SS chanctl //p' "$page" | awk '!seen[$0]++')" ]]
}

version_is_told() {
	[[ $("$CHANCTL" --version) =~ ^chanctl\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

wrong_use_is_refused() {
	refused 2 "chanctl: no command given; see chanctl --help" &&
		refused 2 "chanctl: no command 'fly'; see*" fly &&
		refused 2 "chanctl: unknown option '--fly'; see*" --fly &&
		refused 2 "chanctl: tree: *--fly*see chanctl tree --help" tree --fly &&
		refused 2 "chanctl: tree: 'x' is too much*" tree x &&
		refused 2 "chanctl: tree: 'x' is no interval*" tree --watch=x &&
		refused 2 "chanctl: tree: '0' is no interval*" tree --watch=0 &&
		refused 125 "chanctl: run: *--fly*see chanctl run --help" run --fly true &&
		refused 125 "chanctl: run: *'--limit' requires an argument*" run --limit
}

full_disk_is_noticed() {
	status=0
	"$CHANCTL" --help >/dev/full 2>err || status=$?
	expect 1 "chanctl: write: No space left on device"
}

closed_output_is_noticed() {
	status=0
	"$CHANCTL" list >&- 2>err || status=$?
	expect 1 "chanctl: list: write: Bad file descriptor"
}

# --- What is run ---

no_command_is_refused() {
	refused 125 "chanctl: run: no command given*" run &&
		refused 125 "chanctl: run: no command given*" run -- &&
		refused 125 "chanctl: run: no command given*" run --limit 2 --
}

# Nothing is started of it, not even what is all right.
empty_command_is_refused() {
	local words
	for words in "::: touch ran" "touch ran :::" "touch ran ::: ::: touch ran" ":::" \
		"-- ::: touch ran" "::: :::"; do
		# shellcheck disable=SC2086 # words
		refused 125 "chanctl: run: there is no command at one side of a ':::'" \
			run $words || return
	done
	[[ ! -e ran ]]
}

# It separates only where it is a word.
separator_inside_words() {
	run printf '%s\n' :::: a:::b ' :::' "::: " '":::"' &&
		expect 0 && lines_are out $'::::\na:::b\n :::\n::: \n":::"' &&
		run -- sh -c 'echo ":::"' && expect 0 && lines_are out ':::' &&
		run --limit 1 -- echo a ::: echo b ::: echo c && expect 0 &&
		lines_are out $'a\nb\nc'
}

arguments_are_handed_on() {
	run printf '<%s>' '' 'a  b' $'c\nd' '*' "it's" '"' "\\" && expect 0 &&
		lines_are out $'<><a  b><c\nd><*><it\'s><"><\\>'
}

# Options of ours end where a command begins, and -- is ours only once.
options_of_commands() {
	run echo -n --limit x --help && expect 0 && lines_are out "--limit x --help" &&
		run --limit 3 -- echo --timeout && expect 0 && lines_are out --timeout &&
		run -- echo -- a && expect 0 && lines_are out "-- a" &&
		run echo a ::: -- b && expect 127 "*cannot run '-- b': *"
}

environment_and_directory() {
	FLAVOUR=sweet run sh -c 'echo $FLAVOUR; pwd' && expect 0 &&
		lines_are out "sweet"$'\n'"$work"
}

# ls has the directory open itself.
files_of_ours_stay_ours() {
	run sh -c 'exec ls /proc/self/fd' && expect 0 && lines_are out $'0\n1\n2\n3'
}

bad_values_are_refused() {
	local value
	for value in '' -1 5x 0x5 inf . '1 s'; do
		refused 125 "chanctl: run: '$value' is no duration, *" \
			run --timeout "$value" true || return
	done
	refused 125 "chanctl: run: 'x' is no duration, *" run --grace x true || return
	for value in '' 0 -1 1x 99999999999999999999; do
		refused 125 "chanctl: run: '$value' is no limit, *" \
			run --limit "$value" true || return
	done
	for value in '' SIG 9999 -1; do
		refused 125 "chanctl: run: '$value' is no signal, *" \
			run --signal "$value" true || return
	done
}

good_values_are_taken() {
	local value
	for value in 60 60.5s 600000ms 1m 0 1000000000d; do
		run --timeout "$value" --grace "$value" true && expect 0 || return
	done
	for value in SIGTERM term 15 none; do
		run --signal "$value" true && expect 0 || return
	done
	run --grace never true && expect 0
}

# --- How it ends ---

all_succeed() {
	run true ::: sh -c 'echo "done"' ::: true && expect 0 && lines_are out "done"
}

# Those before it run when a command is started, for their programs have begun.
first_failure_ends_all() {
	run sleep 1000 ::: sleep 1001 ::: sh -c 'exit 7' &&
		expect 7 "chanctl: run: 'sh -c exit 7' (pid +([0-9])) exited with status 7; cancelled 2 others" &&
		run sleep 1000 ::: false &&
		expect 1 "chanctl: run: 'false' (pid +([0-9])) exited with status 1; cancelled 1 other" &&
		run false &&
		expect 1 "chanctl: run: 'false' (pid +([0-9])) exited with status 1"
}

death_by_a_signal() {
	run sleep 1000 ::: sh -c 'kill -KILL $$' &&
		expect 137 "*[(]pid +([0-9])) was killed by SIGKILL; cancelled 1 other" &&
		run sh -c 'kill -INT $$' && expect 130 "*was killed by SIGINT"
}

# What the others make of their end does not hide it.
first_failure_stays_first() {
	run sh -c 'exec 2>&-; trap "exit 9" TERM; : >ready; while :; do sleep 0.1; done' ::: \
		sh -c 'while [ ! -e ready ]; do sleep 0.1; done; exit 3' &&
		expect 3 "*exited with status 3; cancelled 1 other"
}

long_commands_are_cut() {
	run sh -c 'exit 4' "$(printf 'word%.0s' {1..100})" $'\e[31m' &&
		expect 4 "chanctl: run: 'sh -c exit 4 word*...' (pid +([0-9])) exited*" &&
		(($(wc -c <err) < 160)) && run sh -c 'exit 4' $'\e[31m\n' &&
		expect 4 "chanctl: run: 'sh -c exit 4 ?\[31m?' *"
}

cannot_be_run() {
	: >no_program
	run sleep 1000 ::: ./nothing ::: touch ran &&
		expect 127 "chanctl: run: cannot run './nothing': No such file or directory; cancelled 1 other, 1 not started" &&
		run nothing-of-that-name && expect 127 "*: No such file or directory" &&
		run ./no_program &&
		expect 126 "chanctl: run: cannot run './no_program': Permission denied" &&
		[[ ! -e ran ]]
}

# What a command leaves behind is waited for, though it is no child of ours.
grandchildren_are_waited_for() {
	start sh -c '(read -r x <go; echo $x >ran) & echo $$ >first' || return
	soon test -s first && soon gone "$(<first)" && ! gone "$pid" &&
		echo good >go && reap && expect 0 && lines_are ran good
}

grandchildren_are_ended() {
	run --grace 300ms sh -c '(trap "" TERM; : >ready; sleep 1000; sleep 1000) & wait' ::: \
		sh -c 'while [ ! -e ready ]; do sleep 0.1; done; exit 5' &&
		expect 5 "*exited with status 5; *"
}

limit_is_kept() {
	run --limit 2 -- "${noted[@]}" ::: "${noted[@]}" ::: "${noted[@]}" ::: \
		"${noted[@]}" ::: "${noted[@]}" && expect 0 &&
		[[ $(sort trace | uniq -c | tr -s ' \n' ' ') == " 5 begin 5 end " ]] &&
		awk '$1 == "begin" && ++n > most { most = n } $1 == "end" { n-- }
			END { exit most > 2 }' trace
}

# Those two have to meet, and what is beyond the limit cannot.
limit_is_used() {
	local limit
	run --limit 2 -- sh -c 'read -r x <go' ::: sh -c 'echo x >go' && expect 0 || return
	for limit in 3 6 12 24; do
		run --limit 1 --timeout "${limit}s" -- sh -c ': >ready; read -r x <go' ::: touch ran
		# Not even the first was started in time: again, with more of it.
		[[ -e ready ]] || continue
		expect 124 "*; 1 not started" && [[ ! -e ran ]]
		return
	done
	return 1
}

# Out of four the second fails, and those behind it are not even started.

limit_and_failure() {
	run --limit 1 -- true ::: sh -c 'exit 6' ::: touch ran ::: touch ran &&
		expect 6 "*exited with status 6; 2 not started" && [[ ! -e ran ]]
}

more_than_a_few() {
	local commands=() i
	for ((i = 0; i < 40; i++)); do
		commands+=(sh -c "echo $i >>got" :::)
	done
	run --limit 7 -- "${commands[@]}" true && expect 0 &&
		sort -n got | diff - <(seq 0 39)
}

# --- Time ---

timeout_ends_all() {
	run --timeout 300ms -- sleep 1000 ::: sleep 1000 &&
		expect 124 "chanctl: run: not done within 300ms*" &&
		run --timeout 0.3 --limit 1 -- sleep 1000 ::: true &&
		expect 124 "chanctl: run: not done within 0.3; [12] not started"
}

# The time may be over before anything is started, or even adopted.
timeout_at_once() {
	run --timeout 1ns --adopt chan0 -- touch ran &&
		expect 124 "chanctl: run: not done within 1ns; 1 not started" &&
		[[ ! -e ran ]]
}

timeout_in_time() {
	run --timeout 100s -- true && expect 0 && run --timeout 0 -- sleep 0.3 && expect 0
}

# It is not told as that of the one inside, even where that has none.
timeout_outside() {
	local inside limit
	for inside in 1000s 0; do
		for limit in 2 4 8 16; do
			rm -f ready
			run --timeout "${limit}s" --signal none --grace never -- \
				sh -c ': >ready; exec "$@"' sh "$CHANCTL" run --timeout "$inside" sleep 1000
			[[ ! -e ready ]] || break
		done
		expect 124 "*" && grep -q "^chanctl: run: the scope outside has timed out" err &&
			grep -qx "chanctl: run: not done within ${limit}s" err || return
	done
}

# Who does not listen is killed, and what is waited for is the grace.
# In the time of grace they must come to write that they have heard, on a machine
# that may be busy: if they do not, again with more of it.
stubborn_are_killed() {
	local begin grace
	for grace in 2 4 8 16; do
		rm -f ready got
		begin=${EPOCHREALTIME/./}
		run --timeout "$((grace + 1))s" --grace "${grace}s" -- "${stubborn[@]}" &&
			expect 124 "*" || return
		[[ -e ready && -s got ]] || continue
		lines_are got TERM &&
			((${EPOCHREALTIME/./} - begin >= (2 * grace + 1) * 1000000))
		return
	done
	return 1
}

no_grace() {
	run --grace 0 --signal none -- "${stubborn[@]}" ::: \
		sh -c 'while [ ! -e ready ]; do sleep 0.1; done; exit 5' &&
		expect 5 "*" && [[ ! -e got ]]
}

signal_of_choice() {
	run --grace never --signal usr1 -- sh -c 'exec 2>&-; trap "echo USR1 >got; exit" USR1
			: >ready; while :; do sleep 0.1; done' ::: \
		sh -c 'while [ ! -e ready ]; do sleep 0.1; done; exit 5' &&
		expect 5 "*" && lines_are got USR1
}

# --- Signals that run gets ---

# passed_on NAME: as the first thing that the command hears of it.
passed_on() {
	rm -f ready got
	start --grace never -- sh -c "exec 2>&-; trap 'echo $1 >>got; exit 9' $1; trap 'echo TERM >>got' $2
			: >ready; while :; do sleep 0.1; done" &&
		soon test -e ready && kill "-$1" "$pid" && reap &&
		expect $((128 + $(kill -l "$1"))) && lines_are got "$1"
}

signals_are_passed_on() {
	passed_on INT TERM && passed_on TERM INT && passed_on HUP TERM && passed_on QUIT TERM
}

# The program that waits for run must see that the signal has ended it.
ends_by_the_signal() {
	python3 - "$CHANCTL" <<-'END'
	import signal, subprocess, sys
	p = subprocess.Popen(["env", "--default-signal=INT", sys.argv[1], "run",
	                      "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
	p.stdout.readline()
	p.send_signal(signal.SIGINT)
	sys.exit(p.wait() != -signal.SIGINT)
	END
}

# The first is heard and not obeyed; the second cannot be.
second_signal_kills() {
	start --grace never -- "${stubborn[@]}" && soon test -e ready &&
		kill -INT "$pid" && soon test -s got && kill -TERM "$pid" && reap &&
		expect 130 && lines_are got INT
}

# timeout(1) sends its signal to the process and then to the group.
same_signal_twice_is_one() {
	start --grace never -- \
		sh -c 'exec 2>&-; trap "echo TERM >>got; exit" TERM; : >ready; while :; do sleep 0.1; done' &&
		soon test -e ready && kill -TERM "$pid" "$pid" && reap && expect 143 && lines_are got TERM
}

# After a failure run waits for those who are slow to go; then a signal is theirs.
signal_after_a_failure() {
	start --grace never -- "${stubborn[@]}" ::: \
		sh -c 'while [ ! -e ready ]; do sleep 0.1; done; exit 5' &&
		soon grep -q TERM got && kill -HUP "$pid" && soon grep -q HUP got &&
		kill -INT "$pid" && reap && expect 5 "*exited with status 5*"
}

# Not by way of timeout(1), which takes care of these itself.
ignored_stay_ignored() {
	status=0
	trap '' INT HUP
	"$CHANCTL" run sh -c 'kill -INT $$; kill -HUP $$; exit 8' >out 2>err || status=$?
	trap - INT HUP
	expect 8 "*exited with status 8"
}

# Who starts it may wait for its signals in another way than by handlers.
blocked_do_not_stay_blocked() {
	local blocked=(python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
os.execv(sys.argv[1], sys.argv[1:])' "$CHANCTL")
	status=0
	timeout --foreground -s KILL "$LIMIT" "${blocked[@]}" run true ::: true >out 2>err ||
		status=$?
	expect 0 || return
	"${blocked[@]}" run sh -c ': >ready; exec sleep 1000' >out 2>err &
	pid=$!
	soon test -e ready && kill -TERM "$pid" && reap && expect 143
}

# The init of a container is not killed by what it raises.
init_tells_the_signal() {
	status=0
	timeout --foreground -s KILL "$LIMIT" unshare -fp --kill-child \
		"$CHANCTL" run sh -c 'kill -TERM 1; exec sleep 1000' >out 2>err || status=$?
	expect 143
}

killed_run_leaves_nobody() {
	start --grace 200ms -- sh -c 'sleep 1000 & sleep 1001 & wait' ::: \
		"$CHANCTL" run --grace 200ms -- sleep 1000 ::: "${stubborn[@]}" &&
		soon test -e ready && kill -KILL "$pid" && reap 2>/dev/null
	[[ $status == 137 ]] && soon nothing_left
}

# --- Channels ---

reads() {
	printf '%s\n' dd if="/dev/$1" bs=64K count=1 status=none
}

deadlock_is_told() {
	local a b
	mapfile -t a < <(reads chan0)
	mapfile -t b < <(reads chan1)
	run --deadlock --adopt chan0 --adopt /dev/chan1 -- "${a[@]}" ::: "${b[@]}" &&
		expect 123 "*chanctl: run: all commands wait for each other"
}

# Without being asked nobody looks, and no report may come of who could go on.
no_deadlock() {
	local a b
	mapfile -t a < <(reads chan0)
	mapfile -t b < <(reads chan1)
	run --timeout 1s --adopt chan0 --adopt chan1 -- "${a[@]}" ::: "${b[@]}" &&
		expect 124 "*" &&
		run --deadlock --timeout 1s --adopt chan0 -- "${a[@]}" ::: sleep 1000 &&
		expect 124 "*"
}

adopted_is_for_commands_alone() {
	start --adopt chan0 -- sh -c 'exec 5<>/dev/chan0; : >ready; read -r x <go' &&
		soon test -e ready &&
		! (echo stranger >/dev/chan0) 2>why && grep -q 'Permission denied' why &&
		echo go >go && reap && expect 0
}

adopted_carries_messages() {
	run --adopt chan0 -- sh -c 'echo hello >/dev/chan0' ::: \
		dd if=/dev/chan0 bs=64K count=1 status=none && expect 0 && lines_are out hello
}

adopted_comes_back() {
	run --adopt chan0 -- true && expect 0 || return
	echo world >/dev/chan0 &
	[[ $(dd if=/dev/chan0 bs=64K count=1 status=none) == world ]]
}

cannot_adopt() {
	refused 125 "chanctl: run: cannot adopt 'chan99': No such file or directory" \
		run --adopt chan99 -- touch ran &&
		refused 125 "chanctl: run: cannot adopt '/dev/null': *" \
			run --adopt /dev/null -- touch ran || return
	exec 7<>/dev/chan0
	refused 125 "chanctl: run: cannot adopt 'chan0': somebody uses it*" \
		run --adopt chan0 -- touch ran
	status=$?
	exec 7>&-
	[[ $status == 0 && ! -e ran ]]
}

# --- What is drawn ---

# tree_has PATTERN: as one line or several.
tree_has() {
	# shellcheck disable=SC2053 # a pattern
	[[ $(LC_ALL=C.UTF-8 "$CHANCTL" tree) == $1 ]]
}

ascii_tree_has() {
	# shellcheck disable=SC2053 # a pattern
	LC_ALL=C "$CHANCTL" tree >drawn && ! LC_ALL=C grep '[^ -~]' drawn && [[ $(<drawn) == $1 ]]
}

# watched PATTERN ARGUMENT...: of run; waits until the tree is so.
watched() {
	local pattern=$1 good=0
	shift
	start "$@"
	soon "${look:-tree_has}" "$pattern" || { "$CHANCTL" tree; good=1; }
	kill -TERM "$pid"
	reap
	return "$good"
}

tree_draws_a_scope() {
	watched $'root scope\n*scope +([0-9]): process group +([0-9]), owned by +([0-9]) chanctl\n*├─ +([0-9]) sleep\n*/dev/chan0: rendezvous, 0 send ends, 1 receive end\n*─ +([0-9]) dd waits to receive for +([0-9])*s*' \
		--adopt chan0 -- sleep 1000 ::: dd if=/dev/chan0 bs=64K count=1 status=none
}

tree_draws_in_ascii() {
	look=ascii_tree_has watched $'root scope\n*- scope *|- +([0-9]) sleep\n*' -- sleep 1000
}

tree_draws_scopes_inside() {
	watched $'*\n└─ scope *\n   ├─ +([0-9]) chanctl\n*\n   └─ scope *, owned by +([0-9]) chanctl\n      ├─ +([0-9]) sleep\n*' \
		"$CHANCTL" run sleep 1000
}

tree_draws_root_channels() {
	dd if=/dev/chan1 bs=64K count=1 status=none >out &
	pid=$!
	soon tree_has $'root scope\n*─ /dev/chan1: rendezvous, 0 send ends, 1 receive end\n*─ '"$pid"' dd waits to receive for *' || return
	echo hello >/dev/chan1 && wait "$pid" && lines_are out hello
}

# Once nothing is there, that is what is drawn.
tree_forgets() {
	soon tree_has "root scope"
}

# dd is the last, for when it waits the one before it is a sleep already.
json_has_it_all() {
	local good=0
	start --adopt chan0 -- sleep 1000 ::: dd if=/dev/chan0 bs=64K count=1 status=none
	soon tree_has '*waits to receive*' && "$CHANCTL" tree --json >json &&
		python3 - json "$pid" <<-'END' || good=1
	import json, sys
	root = json.load(open(sys.argv[1], encoding="utf-8"))
	assert root["id"] == 0, root
	scope, = [s for s in root["scopes"] if s["owner"]["pid"] == int(sys.argv[2])]
	assert scope["state"] == "bound" and scope["cause"] == 0, scope
	assert sorted(m["comm"] for m in scope["members"]) == ["dd", "sleep"], scope
	channel, = [c for c in scope["channels"] if c["name"] == "chan0"]
	parked, = channel["parked"]
	assert parked["comm"] == "dd" and parked["waits_to"] == "receive", channel
	assert parked["pid"] in [m["pid"] for m in scope["members"]], scope
	assert channel["recv_ends"] == 1 and parked["ms"] >= 0, channel
	END
	kill -TERM "$pid"
	reap
	return "$good"
}

# A name can have anything in it, and must not act on a terminal or end a line.
names_are_harmless() {
	local name=$'a"\e[31m\\\377' good=0
	cp "$(command -v sleep)" "$name" 2>/dev/null || return
	start "./$name" 1000
	soon tree_has $'*─ +([0-9]) a"?\[31m*' &&
		"$CHANCTL" tree >drawn && ! grep -q $'\e' drawn &&
		"$CHANCTL" tree --json | python3 -c 'import json, sys; json.load(sys.stdin)' ||
		good=1
	kill -TERM "$pid"
	reap
	return "$good"
}

# hostile: processes with such names that own a scope, are members of one, and wait.
hostile() {
	cat >hostile.py <<-'END'
	import ctypes, os, sys
	NAMES = [b"x\n", b"\nx", b"\n9 parent 8 x", b"\n2 parent 1", b"\n2 parent 1",
	         b"\n3 parent 2", b"\n  member pid 1", b'a"b\\', b"\\012", b" for 9 ms", b"",
	         b"  x", b"\xff", b"\xc2\x9b2J"]
	if __name__ == "__main__":
	    # All there is to see is there when the last of them waits.
	    ctypes.CDLL(None).prctl(15, b"first", 0, 0, 0)
	    for name in NAMES:
	        if os.fork() == 0:
	            ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
	            scope = os.open("/dev/chanctl", os.O_RDWR)
	            os.read(os.open("/dev/chan0", os.O_RDONLY), 65536)
	            os._exit(1)
	    os.wait()
	END
	cat >shown.py <<-'END'
	import json, sys, unicodedata
	from hostile import NAMES
	names = [b.decode(errors="replace") for b in NAMES]
	names = sorted("".join("?" if c < " " else "??" if c == "\x9b" else c for c in name)
	               for name in names)
	root = json.load(open("json", encoding="utf-8"))
	scope, = [s for s in root["scopes"] if s["owner"]["pid"] == int(sys.argv[1])]
	channel, = [c for c in scope["channels"] if c["name"] == "chan0"]
	assert sorted(p["comm"] for p in channel["parked"]) == names, channel
	assert sorted(m["comm"] for m in scope["members"]) == sorted(names + ["first"]), scope
	assert sorted(s["owner"]["comm"] for s in scope["scopes"]) == names, scope
	assert not any(s["scopes"] or s["members"] for s in scope["scopes"]), scope
	tree = open("drawn", encoding="utf-8", errors="replace").read()
	assert not [c for c in tree if unicodedata.category(c) == "Cc" and c != "\n"], tree
	END
}

all_parked() {
	local -x LC_ALL=C.UTF-8
	"$CHANCTL" tree --json >json && "$CHANCTL" tree >drawn &&
		(($(grep -o '"waits_to"' json | wc -l) == $1))
}

names_forge_nothing() {
	local good=0
	hostile
	start --adopt chan0 -- python3 hostile.py
	# These 14, and what runs them.
	soon all_parked 15 && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=. python3 shown.py "$pid" ||
		good=1
	kill -TERM "$pid"
	reap
	return "$good"
}

watch_goes_on() {
	"$CHANCTL" tree --json --watch=50ms | head -n 3 | grep -c '^{"id":0,.*}$' >out
	lines_are out 3 && soon nothing_left
}

# as_seen COMMANDS: chanctl tree, where they have changed what there is to see.
as_seen() {
	status=0
	unshare -m sh -c "$1"' && exec "$0" tree' "$CHANCTL" >out 2>err || status=$?
}

tree_says_what_is_missing() {
	as_seen 'mount -t tmpfs none /sys/module && umount -l /sys/kernel/debug' &&
		expect 1 "chanctl: tree: the module is not loaded; try: sudo chanctl load" &&
		as_seen 'umount -l /sys/kernel/debug' &&
		expect 1 "chanctl: tree: no debugfs; try: mount -t debugfs none /sys/kernel/debug"
}

tree_is_for_root() {
	status=0
	setpriv --reuid 65534 --clear-groups "$CHANCTL" tree >out 2>err || status=$?
	expect 1 "chanctl: tree: /sys/*: Permission denied; only root may look, *"
}

# run needs none of that.
run_is_for_everybody() {
	status=0
	setpriv --reuid 65534 --clear-groups "$CHANCTL" run sleep 1000 ::: sh -c 'exit 6' \
		>out 2>err || status=$?
	expect 6 "*exited with status 6; cancelled 1 other"
}

run_without_the_module() {
	status=0
	unshare -m sh -c 'mount -t tmpfs none /dev && exec "$0" run touch ran' "$CHANCTL" \
		2>err || status=$?
	expect 125 "chanctl: run: no /dev/chanctl; try: sudo chanctl load" &&
		[[ ! -e ran ]]
}

[[ -c /dev/chanctl && -c /dev/chan1 ]] || skip_all "chan is not loaded, or with channels less than 2"
start_tests
mkfifo go

# Commands for several tests.  A shell whose sleep is killed would say so.
noted=(sh -c 'echo begin >>trace; sleep 0.2; echo end >>trace')
stubborn=(sh -c 'exec 2>&-; for s in TERM INT HUP; do trap "echo $s >>got" $s; done; : >ready
	while :; do sleep 0.1; done')

check "help of the tool and of each command" help_is_there
check "the commands of the help and of the manual" manual_has_commands
check "the version" version_is_told
check "wrong use is refused, with a hint" wrong_use_is_refused
check "what cannot be written is noticed" full_disk_is_noticed
check "that there is nowhere to write to is noticed" closed_output_is_noticed

check "run: no command" no_command_is_refused
check "run: a ::: with nothing at one side" empty_command_is_refused
check "run: a ::: inside a word" separator_inside_words
check "run: arguments go through unchanged" arguments_are_handed_on
check "run: options of the commands are theirs" options_of_commands
check "run: environment, directory" environment_and_directory
check "run: no file is left open in the commands" files_of_ours_stay_ours
check "run: values that are none" bad_values_are_refused
check "run: values that are some" good_values_are_taken

check "run: all succeed" all_succeed
check "run: the first to fail ends all" first_failure_ends_all
check "run: one is killed" death_by_a_signal
check "run: the first failure is not hidden by others" first_failure_stays_first
check "run: a long command, or an odd one, is still one line" long_commands_are_cut
check "run: a command that cannot be run" cannot_be_run
check "run: waits for what commands leave behind" grandchildren_are_waited_for
check "run: ends what commands leave behind" grandchildren_are_ended
check "run: --limit is kept" limit_is_kept
check "run: --limit is used" limit_is_used
check "run: --limit and a failure" limit_and_failure
check "run: many, a few at a time" more_than_a_few

check "run: --timeout ends all" timeout_ends_all
check "run: --timeout before it begins" timeout_at_once
check "run: --timeout that is long enough" timeout_in_time
check "run: --timeout of a scope outside" timeout_outside
check "run: --grace, then they are killed" stubborn_are_killed
check "run: --grace 0 --signal none kills at once" no_grace
check "run: --signal" signal_of_choice

check "run: signals are passed on" signals_are_passed_on
check "run: ends by the signal" ends_by_the_signal
check "run: a second signal kills" second_signal_kills
check "run: the same signal twice is one" same_signal_twice_is_one
check "run: a signal after a failure" signal_after_a_failure
check "run: what was ignored stays ignored" ignored_stay_ignored
check "run: what was blocked does not stay so" blocked_do_not_stay_blocked
check "run: as init it tells the signal" init_tells_the_signal
check "run: killed, it leaves nobody" killed_run_leaves_nobody

check "run: --deadlock" deadlock_is_told
check "run: no deadlock" no_deadlock
check "run: --adopt keeps others out" adopted_is_for_commands_alone
check "run: --adopt lets commands in" adopted_carries_messages
check "run: what was adopted comes back" adopted_comes_back
check "run: what cannot be adopted" cannot_adopt

check "tree: a scope, its members, who waits" tree_draws_a_scope
check "tree: in ASCII" tree_draws_in_ascii
check "tree: scopes inside" tree_draws_scopes_inside
check "tree: named channels in use" tree_draws_root_channels
check "tree: nothing" tree_forgets
check "tree: --json" json_has_it_all
check "tree: odd names" names_are_harmless
check "tree: names that look like lines" names_forge_nothing
check "tree: --watch" watch_goes_on
check "tree: says what is missing" tree_says_what_is_missing
check "tree: is for root" tree_is_for_root
check "run: is for everybody" run_is_for_everybody
check "run: without the module" run_without_the_module

finish_tests
