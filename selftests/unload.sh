#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Load, unload and the module parameters. The module is reloaded several times;
# in the end it is as it was found. CHAN_MODULE: path of chan.ko, if it is not
# one that modprobe knows.

# shellcheck disable=SC2317 # most functions are called by check

set -u

PARAMETERS=/sys/module/chan/parameters

find_module() {
	local file
	for file in "${CHAN_MODULE:-}" /run/chan/chan.ko "$(modinfo -n chan 2>/dev/null)"; do
		if [[ -r $file ]]; then
			echo "$file"
			return
		fi
	done
}

not() {
	! "$@"
}

loaded() {
	[[ -e /sys/module/chan ]]
}

unload() {
	rmmod chan
}

load() {
	insmod "$MODULE" "$@"
}

# reload PARAMETER...: with these instead of those before.
reload() {
	unload && load "$@"
}

# rmmod must say that the module is in use, and leave it alone.
refuses_unload() {
	! LC_ALL=C rmmod chan && loaded
}

permissions_are() {
	[[ $(stat -c %a "$2") == "$1" ]]
}

# The named channels are 0 to N-1, no less and no more.
numbered_are() {
	local i
	for ((i = 0; i < $1; i++)); do
		[[ -c /dev/chan$i ]] || return 1
	done
	[[ ! -e /dev/chan$1 ]]
}

# A process that holds a file while the module is to be unloaded, and says so.
holding() {
	local pid status=0
	coproc HOLDER { exec "$@"; }
	# shellcheck disable=SC2153 # set by coproc
	pid=$HOLDER_PID
	read -r -t 60 <&"${HOLDER[0]}" || status=1
	refuses_unload || status=1
	kill "$pid"
	wait "$pid" 2>/dev/null
	return "$status"
}

# hold_file FILE MODE
hold_file() {
	holding bash -c "exec 9$2'$1'; echo held; exec sleep 60"
}

# hold_end HOW: an end of an anonymous channel, with its scope closed.
hold_end() {
	holding ./holder "$1"
}

# Files are closed a moment after their process is gone.
# unload_soon [TRIES]: ten a second
unload_soon() {
	local tries=${1:-100}
	for ((; tries > 0; tries--)); do
		unload 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

hammer() {
	local i
	for ((i = 0; i < 3; i++)); do
		load channels=3 && unload || return
	done
}

remember() {
	local file
	for file in "$PARAMETERS"/*; do
		BEFORE+=("${file##*/}=$(cat "$file")")
	done
}

restore() {
	loaded && unload 2>/dev/null
	loaded || load "${BEFORE[@]}"
}

cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/tap.sh
source ./tap.sh
((EUID == 0)) || skip_all "loading modules takes root"
loaded || skip_all "chan is not loaded"
MODULE=$(find_module)
[[ -n $MODULE ]] || skip_all "CHAN_MODULE does not say where chan.ko is"
BEFORE=()
remember

echo "TAP version 13"
work=$(mktemp -d) || exit 1
trap 'restore; rm -rf "$work"' EXIT

# A scope of the suite before may have the time of its grace.
check "nobody uses the module any more" unload_soon 600
if ((failures)); then
	echo "1..$count"
	finish
	exit
fi

check "unloaded, nothing is left in /dev" not compgen -G '/dev/chan*'
check "unloaded, nothing is left in sysfs" not test -e /sys/class/chan
check "unloaded, nothing is left in debugfs" not test -e /sys/kernel/debug/chan

check "loads without parameters" load
check "8 channels by default" numbered_are 8
check "mode 0600 by default" permissions_are 600 /dev/chan7
check "the control device is for everybody" permissions_are 666 /dev/chanctl

check "an open scope keeps it loaded" hold_file /dev/chanctl '<>'
check "an open named channel keeps it loaded" hold_file /dev/chan0 '<>'
check "a send end keeps it loaded" hold_end end
check "an end in flight keeps it loaded" hold_end flight
check "with nothing open it unloads" unload_soon

check "loads with channels=2" load channels=2
check "2 channels" numbered_are 2
check "reloads with channels=0" reload channels=0
check "no channels" numbered_are 0
check "reloads with mode=0640" reload channels=1 mode=0640
check "mode 0640" permissions_are 640 /dev/chan0
check "the control device is for everybody still" permissions_are 666 /dev/chanctl
check "unloads" unload_soon
check "refuses a mode that is none" not load mode=07777
check "and is not loaded" not loaded
check "refuses a number that is none" not load channels=-1
check "and is not loaded" not loaded

check "loads again" load channels=1
echo 4 >/sys/class/chan/chan0/capacity
check "messages in a channel that nobody has open" ./holder left
check "do not keep it loaded" unload_soon
check "loads and unloads many times" hammer

echo "1..$count"
finish
