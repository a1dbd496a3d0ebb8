#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# chanctl looks at channels: what list, info, top, graph and bench do and say, and what
# all say where the module is not loaded.

# shellcheck disable=SC2016 # scripts are for others to expand
# shellcheck disable=SC2317 # most functions are called by check

# shellcheck source=selftests/chanctl_common.sh
source "$(dirname "$0")/chanctl_common.sh"

# --- list and info ---

list_is_a_table() {
	with_channel --capacity 2 --max-msg 1M -- ctl list && expect 0 &&
		grep -q '^CHANNEL  *STATE  *CAPACITY  *MAX-MSG  *BUFFERED  *SENDERS' out &&
		grep -q "^chan-test-$count  *open  *2  *1 MiB  *0  *0  *0  *0  *0  *0  *0\$" out &&
		grep -q '^chan0  *open  *0  *64 KiB' out &&
		! grep -q ' $' out
}

list_is_json() {
	with_channel --capacity 2 -- ctl list --json && expect 0 &&
		json '[c["name"] for c in it][-1] == "chan7" and len(lines) == 1' &&
		json '[c for c in it if c["name"] == name][0]["capacity"] == 2' \
			"name=chan-test-$count"
}

# Of numbers, by their value.
list_is_in_order() {
	"$CHANCTL" add t2 t10 t1
	ctl list
	"$CHANCTL" remove t2 t10 t1
	[[ $(sed -n 's/^\(chan-t[0-9]*\) .*/\1/p' out | tr '\n' ' ') == "chan-t1 chan-t2 chan-t10 " ]]
}

list_is_for_everybody() {
	ctl_nobody list && expect 0 && grep -q '^chan7 ' out &&
		ctl_nobody list --all && expect 1 "*only root may look, try: sudo chanctl list"
}

# The bell of run is one that is anonymous.
list_all_has_anonymous() {
	local id
	in_background run run sleep 1000
	soon eval '"$CHANCTL" list --all | grep -q "^#[0-9]"' || return
	ctl list --all && expect 0 && id=$(sed -n 's/^#\([0-9]*\) .*/\1/p' out | head -n 1) &&
		ctl info "#$id" && expect 0 && grep -q "^scope:  *[1-9]" out &&
		grep -q "^open in:  *$pid chanctl, as file" out
	status=$?
	kill -TERM "$pid"
	wait "$pid"
	return "$status"
}

info_tells_who() {
	local holder waiter good=0
	bash -c 'exec 7>/dev/chan0 && exec -a holder sleep 1000' &
	holder=$!
	dd if=/dev/chan0 bs=64K count=1 status=none &
	waiter=$!
	# Only then it is a sleep, and has the file.
	soon grep -qx sleep "/proc/$holder/comm" && soon parked chan0 receivers 1 &&
		ctl info chan0 && expect 0 &&
		grep -q "^mode:  *0600, root:root\$" out &&
		grep -q "^capacity:  *0, a rendezvous\$" out &&
		grep -q "^longest message:  *64 KiB\$" out &&
		grep -q "^receivers:  *1 waiting\$" out &&
		grep -q "^waits:  *$waiter dd, to receive for [0-9.]* m\?s\$" out &&
		grep -q "^open in:  *$holder sleep, as file 7, to send\$" out &&
		grep -q "^open in:  *$waiter dd, as file 0, to receive\$" out || good=1
	ctl info --json /dev/chan0 && expect 0 &&
		json 'it["parked"][0]["pid"] == int(p) and it["mode"] == 0o600' "p=$waiter" &&
		json 'sorted((h["pid"], h["sends"]) for h in it["open_in"]) ==
			sorted([(int(a), True), (int(b), False)])' "a=$holder" "b=$waiter" || good=1
	kill "$holder" "$waiter"
	wait "$holder" "$waiter" 2>/dev/null
	return "$good"
}

info_of_several() {
	with_channel -- ctl info "test-$count" chan1 && expect 0 &&
		[[ $(grep -c '^channel:' out) == 2 ]] &&
		refused 1 "chanctl: info: no channel 'no'; see chanctl list" info no &&
		refused 1 "chanctl: info: no channel '#999999'; see chanctl list --all" info '#999999' &&
		ctl_nobody info chan1 && expect 0 && grep -q '^state:  *open$' out
}

# info_is CHANNEL NAME: it tells of the one of that name.
info_is() {
	ctl info "$1" && expect 0 && [[ $(sed -n 's/^channel:  *//p' out) == "$2" ]]
}

info_is_none() {
	ctl info "$1" && expect 1 "chanctl: info: no channel '$1'; see chanctl list*" && [[ ! -s out ]]
}

# Of two that could be meant, the wrong one is the older.
info_means_what_others_do() {
	local id good=0 given
	id=$(</sys/class/chan/chan1/id)
	cp -a /dev/chan1 node && ln -s node link && ctl add chan-chan-x x "${id}fast" || return
	info_is chan-x chan-x && info_is x chan-x && info_is chan-chan-x chan-chan-x &&
		info_is "${id}fast" "chan-${id}fast" && info_is "/dev/chan-${id}fast" "chan-${id}fast" &&
		info_is "#$id" chan1 && info_is ./node chan1 && info_is "$PWD/link" chan1 || good=1
	for given in "$id" "${id}abc" "#${id}abc" "#+$id" "#" "" chan-1 /nonexistent/chan1 ./chan1 \
		/dev/null /dev; do
		info_is_none "$given" || good=1
	done
	"$CHANCTL" add "$id" && info_is "$id" "chan-$id" && "$CHANCTL" remove "$id" || good=1
	"$CHANCTL" remove chan-chan-x x "${id}fast" && return "$good"
}

info_tells_the_cause() {
	exec 7<>/dev/chan1
	ctl close --error econnreset chan1 && ctl info chan1
	exec 7>&-
	expect 0 && grep -q '^state:  *failed, ECONNRESET (Connection reset by peer)$' out
}

# --- top ---

# What it tells over all looks is what was sent.
top_counts() {
	in_background top top --json --all --delay 200ms
	soon test -s top.out || return
	ctl send "$name" 1 2 3 4 5 6 7 && ctl recv -n 3 "$name" && soon seen_at_top
	status=$?
	kill "$pid"
	wait "$pid"
	return "$status"
}

seen_at_top() {
	grep '}$' top.out >out
	json 'sum(round(c["sent_per_second"] * look["seconds"]) for look in lines
		for c in look["channels"] if c["name"] == name) == 7' "name=chan-$name" &&
		json 'sum(round(c["received_per_second"] * look["seconds"]) for look in lines
			for c in look["channels"] if c["name"] == name) == 3' "name=chan-$name" &&
		json '[c["buffered"] for c in lines[-1]["channels"] if c["name"] == name] == [4]' \
			"name=chan-$name"
}

top_counts_messages() {
	with_channel --capacity 10 -- top_counts
}

# Without a terminal it is plain text, one table after the other.
top_is_a_table() {
	local good=0
	in_background recv recv chan0
	soon parked chan0 receivers 1 && ctl top --count 2 --delay 50ms && expect 0 &&
		[[ $(grep -c '^CHANNEL  *SCOPE  *STATE  *SENT/S  *RECEIVED/S  *BUFFERED' out) == 2 ]] &&
		[[ $(grep -c '^chan0  *root  *open  *0\.0  *0\.0  *0/0  *0  *1  *[0-9]' out) == 2 ]] &&
		! grep -q $'\e' out && ! grep -q '^chan1 ' out &&
		ctl top --once --delay 50ms --all && expect 0 && grep -q '^chan1 ' out || good=1
	echo x >/dev/chan0
	wait "$pid"
	return "$good"
}

# On one each takes the place of the one before, and is no longer than it is.
top_fits_a_terminal() {
	ctl add t{1..40} &&
		script -qec "stty rows 12 cols 80; $CHANCTL top -a -n 2 -d 50ms" /dev/null >out
	status=$?
	"$CHANCTL" remove t{1..40}
	[[ $status == 0 && $(grep -o $'\e\[H\e\[2J' out | wc -l) == 2 ]] &&
		(($(wc -l <out) <= 24)) && grep -q 'CHANNEL' out
}

top_is_for_everybody() {
	ctl_nobody top --once --delay 50ms --all && expect 0 &&
		grep -q '^[0-9]* named channels: ' out && grep -q '^chan7 ' out
}

top_wrong_use() {
	refused 2 "*'0' is no interval*" top -d 0 && refused 2 "*'x' is too much*" top x
}

# --- graph ---

# graphed: two in a scope, one of which waits for the other.
graphed() {
	local good=0
	in_background run run --adopt chan0 -- dd if=/dev/chan0 bs=64K count=1 status=none ::: \
		sh -c 'exec 7>/dev/chan0; exec sleep 1000'
	soon pgrep -x -P "$pid" sleep && soon parked chan0 receivers 1 && "$@" || good=1
	kill -TERM "$pid"
	wait "$pid"
	return "$good"
}

graph_shows() {
	ctl graph && expect 0 && grep -q '^digraph chan {$' out &&
		grep -q '^	subgraph cluster_[0-9]* {$' out &&
		grep -q "^	p$pid \[shape=box label=\"$pid chanctl\"\]" out &&
		grep -q '^		p[0-9]* \[shape=box label="[0-9]* dd"\]' out &&
		grep -q '^		c[0-9]* \[shape=ellipse label="chan0"\]' out &&
		grep -q '^	c[0-9]* -> p[0-9]* \[penwidth=3 label="waits to receive\\n[0-9.]* m\?s"\]' \
			out && grep -q '^	p[0-9]* -> p[0-9]* \[style=dashed .*label="waits for"\]' out
}

graph_is_json() {
	ctl graph --json && expect 0 &&
		json 'len(it["scopes"]) == 1 and {p["comm"] for p in it["processes"] if p["scope"]}
			== {"dd", "sleep"}' &&
		json '[(w["comm"], f["comm"]) for e in it["edges"] if e["kind"] == "waits_for"
			for w in it["processes"] if w["pid"] == e["pid"]
			for f in it["processes"] if f["pid"] == e["other_pid"]] == [("dd", "sleep")]' &&
		json '[e["ms"] >= 0 for e in it["edges"] if e["kind"] == "waits_to_receive"
			and e["channel"] in [c["id"] for c in it["channels"] if c["name"] == "chan0"]]
			== [True]'
}

graph_is_drawn() {
	ctl graph --svg drawn.svg && expect 0 && [[ ! -s out ]] &&
		python3 -c 'import sys, xml.dom.minidom
text = "".join(t.firstChild.data + " " for t in
               xml.dom.minidom.parse("drawn.svg").getElementsByTagName("text"))
sys.exit(not all(w in text for w in ("scope", "dd", "sleep", "chan0", "waits to receive")))'
}

# A name is what a process makes of it.
graph_survives_names() {
	local good=0
	cp "$(command -v sleep)" $'"];x\\N\e\377\n' 2>/dev/null || return
	in_background run run $'./"];x\\N\e\377\n' 1000
	soon eval '"$CHANCTL" graph | grep -q "\"\];x"' && "$CHANCTL" graph >drawn.dot &&
		! LC_ALL=C grep -q $'[\e\377]' drawn.dot && ! grep -q '^"' drawn.dot || good=1
	: >said
	! command -v dot >/dev/null || dot -Tcanon <drawn.dot >/dev/null 2>said || good=1
	[[ ! -s said ]] || good=1
	ctl graph --json && json '[p for p in it["processes"] if p["scope"]] != []' || good=1
	kill -TERM "$pid"
	wait "$pid"
	return "$good"
}

graph_cannot_draw() {
	status=0
	PATH=/nowhere "$CHANCTL" graph --svg x.svg >out 2>err || status=$?
	expect 1 "chanctl: graph: dot is not there*install graphviz" &&
		ctl_nobody graph && expect 1 "*only root may look, try: sudo chanctl graph"
}

dot_fails() {
	ctl graph --svg /nowhere/x.svg && expect 1 "*chanctl: graph: dot has failed"
}

# --- bench ---

bench_measures() {
	ctl bench --pairs 6 --only '^pingpong/chan(64)?/64$' --json && expect 0 &&
		json 'it["pairs"] == 6 and [f["name"] for f in it["figures"]]
			== ["pingpong/chan/64", "pingpong/chan64/64"]' &&
		json 'all(0 < f["low"] <= f["ratio_to_pipe"] <= f["high"] for f in it["figures"])' &&
		ctl bench --pairs 6 --only '^oneway/chan64/64$' && expect 0 &&
		grep -q '^MESSAGE  *OVER  *SIZE  *TIME/PIPE  *95 % INTERVAL$' out &&
		grep -q '^one way  *chan64  *64 B  *[0-9.]*  *[0-9.]* to [0-9.]*$' out
}

bench_cannot() {
	refused 1 "*chanctl: bench: the benchmark has failed" bench --only no-such-figure || return
	refused 2 "*'5' is no number of pairs*" bench --pairs 5 && mkdir bin &&
		cp "$CHANCTL" bin && status=0 || return
	bin/chanctl bench >out 2>err || status=$?
	rm -r bin
	expect 1 "chanctl: bench: /*/chanctl-bench: No such file or directory"
}

bench_has_no_files() {
	status=0
	bash -c 'ulimit -n 4 && exec "$0" bench' "$CHANCTL" >out 2>err || status=$?
	expect 1 "chanctl: bench: cannot make a pipe: Too many open files"
}

# --- Without the module ---

without_module() {
	status=0
	unshare -m sh -c 'mount -t tmpfs none /dev && mount -t tmpfs none /sys/module &&
		mount -t tmpfs none /sys/class && umount -l /sys/kernel/debug &&
		exec "$0" "$@"' "$CHANCTL" "$@" >out 2>err ||
		status=$?
}

all_say_it_is_not_loaded() {
	local command
	for command in "list" "info chan0" "top --once" "graph"; do
		# shellcheck disable=SC2086 # words
		without_module $command && expect 1 "*not loaded; try: sudo chanctl load" || return
	done
	for command in "add x" "remove x" "send chan0 x" "recv chan0" "close chan0" "bench"; do
		# shellcheck disable=SC2086 # words
		without_module $command &&
			expect 1 "*no /dev/chanctl; try: sudo chanctl load" || return
	done
}

[[ -c /dev/chanctl && -c /dev/chan1 ]] || skip_all "chan is not loaded, or with channels less than 2"
start_tests
check "list: a table" list_is_a_table
check "list: --json" list_is_json
check "list: in order" list_is_in_order
check "list: is for everybody" list_is_for_everybody
check "list, info: --all has those without a name" list_all_has_anonymous
check "info: who waits, and who has it open" info_tells_who
check "info: several, and none" info_of_several
check "info: the channel that others mean" info_means_what_others_do
check "info: the cause" info_tells_the_cause

check "top: counts messages" top_counts_messages
check "top: a table" top_is_a_table
check "top: on a terminal" top_fits_a_terminal
check "top: is for everybody" top_is_for_everybody
check "top: wrong use" top_wrong_use

check "graph: scopes, processes, channels" graphed graph_shows
check "graph: --json" graphed graph_is_json
if command -v dot >/dev/null; then
	check "graph: --svg" graphed graph_is_drawn
	check "graph: --svg fails" dot_fails
else
	skip "graph: --svg" "no graphviz"
	skip "graph: --svg fails" "no graphviz"
fi
check "graph: odd names" graph_survives_names
check "graph: cannot draw" graph_cannot_draw

check "bench: measures" bench_measures
check "bench: cannot" bench_cannot
check "bench: too many files" bench_has_no_files

check "all: without the module" all_say_it_is_not_loaded
finish_tests
