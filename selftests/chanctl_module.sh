#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# chanctl and the module: load, unload, status, and what they say when that fails.
# The module is reloaded several times; in the end it is as it was found.
# CHAN_MODULE: path of chan.ko, if it is not where scripts/vm puts it.

# shellcheck disable=SC2317 # most functions are called by check

# shellcheck source=selftests/chanctl_common.sh
source "$(dirname "$0")/chanctl_common.sh"

PARAMETERS=/sys/module/chan/parameters
MODULE=${CHAN_MODULE:-/run/chan/chan.ko}
RELEASE=$(uname -r)

is_loaded() {
	[[ -e /sys/module/chan && -c /dev/chanctl ]]
}

is_unloaded() {
	[[ ! -e /sys/module/chan ]]
}

# Files are closed a moment after their process is gone.
unloaded() {
	"$CHANCTL" unload --timeout 60s && is_unloaded
}

restore() {
	is_unloaded || unloaded
	insmod "$MODULE" "${BEFORE[@]}"
	rm -rf "$work"
}

# patched FROM TO [FROM TO]...: the module with other words, of the same length.
patched() {
	local words=()
	while (($#)); do
		words+=(-e "s/$1/$2/g")
		shift 2
	done
	sed "${words[@]}" "$MODULE" >patched.ko
}

# --- load ---

loads_a_file() {
	unloaded && ctl load --file "$MODULE" channels=3 && expect 0 && is_loaded &&
		[[ -c /dev/chan2 && ! -e /dev/chan3 ]]
}

loads_what_is_installed() {
	unloaded && ctl load --directory "$PWD/lib/modules/$RELEASE" mode=0640 channels=1 &&
		expect 0 && is_loaded && [[ $(stat -c %a /dev/chan0) == 640 ]]
}

# It is loaded as the test before has left it.
loaded_already() {
	local word
	for word in channels=1x channels= 'channels= 1' channels=0x channels=08 channels=0b1 \
		mode=0640x mode=u+r; do
		ctl load "$word" && expect 1 "*it is loaded already, without '$word'; *" || return
	done
	ctl load channels=0x1 channels=01 channels=+1 mode=416 && expect 0 &&
		ctl load && expect 0 && ctl load mode=0640 channels=1 && expect 0 &&
		ctl load channels=1 mode=0600 &&
		expect 1 "chanctl: load: it is loaded already, without 'mode=0600'; unload it first" &&
		is_loaded
}

wrong_parameters() {
	unloaded && ctl load -f "$MODULE" channel=3 &&
		expect 2 "chanctl: load: the module has no parameter 'channel'; it has *channels*" &&
		ctl load -f "$MODULE" channels && expect 2 "*'channels' is no parameter, such as*" &&
		ctl load -f "$MODULE" =3 && expect 2 "*'=3' is no parameter*" &&
		ctl load -f "$MODULE" channels=many &&
		expect 1 "chanctl: load: the module refuses 'channels=many'; see dmesg" &&
		is_unloaded
}

missing_is_told() {
	mkdir -p empty
	unloaded && ctl load --directory empty &&
		expect 1 "chanctl: load: there is no module chan in empty*make install*--file chan.ko" &&
		ctl load --file no.ko && expect 1 "chanctl: load: there is no file 'no.ko'" &&
		echo text >text.ko && ctl load --file text.ko &&
		expect 1 "chanctl: load: 'text.ko' is no kernel module: *" &&
		is_unloaded
}

# The kernel does not look at the release alone where it has versions of symbols.
mismatch_is_told() {
	patched "vermagic=$RELEASE" "vermagic=${RELEASE//[0-9]/0}" \
		mod_unload mod_unlowd && unloaded && ctl load -f patched.ko &&
		expect 1 "chanctl: load: */patched.ko was built for kernel ${RELEASE//[0-9]/0}, and this is $RELEASE"*"make KDIR=/lib/modules/$RELEASE/build*" &&
		patched mod_unload mod_unlowd && ctl load -f patched.ko &&
		expect 1 "*patched.ko was built for another configuration of this kernel: $RELEASE *" &&
		is_unloaded
}

# refuses ERROR PATTERN
refuses() {
	REFUSE=$1 LD_PRELOAD=$HERE/chanctl_refuse.so ctl load -f "$MODULE" && expect 1 "$2"
}

signature_is_told() {
	unloaded && refuses 129 "*/chan.ko is not signed, and this kernel takes signed*kmodsign*" &&
		refuses 126 "*is not signed*" && refuses 1 "*is not signed*" &&
		refuses 2 "*needs what this kernel lacks; see dmesg" &&
		refuses 12 "*: Cannot allocate memory; dmesg may tell more" && is_unloaded
}

load_is_for_root() {
	cp "$MODULE" . && chmod 644 chan.ko && unloaded &&
		ctl_nobody load --file "$PWD/chan.ko" &&
		expect 1 "chanctl: load: this takes root; try: sudo chanctl load" && is_unloaded
}

# --- unload ---

unload_tells_who() {
	insmod "$MODULE" || return
	exec 7<>/dev/chan0
	# This shell is to be the only one that has it.
	ctl unload 7>&-
	exec 7>&-
	expect 1 "chanctl: unload: the module is in use by $$ chanctl_module. (/dev/chan0)*--timeout" &&
		is_loaded
}

unload_tells_of_the_unseen() {
	local good=0
	coproc HOLDER { exec "$HERE/holder" flight; }
	# shellcheck disable=SC2153 # set by coproc
	pid=$HOLDER_PID
	read -r -t 60 <&"${HOLDER[0]}" && ctl unload &&
		expect 1 "chanctl: unload: the module is in use by files that cannot be seen*" ||
		good=1
	kill "$pid"
	wait "$pid" 2>/dev/null
	return "$good"
}

# sleeps PID: in nanosleep() or clock_nanosleep(), which is between two attempts.
sleeps() {
	grep -q '^\(35\|230\) ' "/proc/$1/syscall"
}

unload_waits() {
	local holder
	bash -c 'exec 7<>/dev/chan0; : >ready; read -r x <go' &
	holder=$!
	soon test -e ready && ctl unload && expect 1 "*in use by*" || return
	in_background unload unload --timeout 60s
	soon sleeps "$pid" && echo >go && wait "$pid" && is_unloaded && wait "$holder"
}

# As long as it was told.
unload_waits_no_longer() {
	local begin=${EPOCHREALTIME/./}
	insmod "$MODULE" || return
	exec 7<>/dev/chan0
	ctl unload --timeout 300ms
	exec 7>&-
	expect 1 "*in use by*" && ((${EPOCHREALTIME/./} - begin >= 300000)) && is_loaded
}

unload_is_for_root() {
	ctl_nobody unload && expect 1 "chanctl: unload: this takes root; try: sudo chanctl unload" &&
		is_loaded
}

unload_twice() {
	unloaded && ctl unload && expect 0
}

# --- status ---

status_when_loaded() {
	insmod "$MODULE" channels=2 && ctl status --file "$MODULE" && expect 0 &&
		grep -q '^module:  *loaded$' out && grep -q "^installed:  *$MODULE\$" out &&
		grep -q "^built for:  *$RELEASE " out &&
		grep -q '^interface:  *version 1, with dev select scope$' out &&
		grep -q '^references:  *0$' out && grep -q '^parameters:  *channels=2$' out &&
		grep -q '^  *mode=0600$' out &&
		grep -q '^channels:  *2 named, 0 anonymous; 0 scopes$' out
}

status_is_json() {
	exec 7<>/dev/chan0
	ctl status --json --directory empty
	exec 7>&-
	expect 0 && json 'it["loaded"] and it["file"] is None and it["references"] > 0
		and it["parameters"]["channels"] == 2 and it["parameters"]["mode"] == 0o600
		and it["version"] == 1 and it["features"] == ["dev", "select", "scope"]
		and it["named_channels"] == 2 and it["scopes"] == 0'
}

status_is_for_everybody() {
	ctl_nobody status && expect 0 && grep -q '^channels:  *2 named$' out &&
		refused 2 "*'x' is too much*" status x
}

status_when_unloaded() {
	unloaded && ctl status --directory "$PWD/lib/modules/$RELEASE" && expect 3 &&
		grep -q '^module:  *not loaded$' out &&
		grep -q "^installed:  *$PWD/lib/modules/$RELEASE/extra/chan.ko\$" out &&
		ctl status --directory empty && expect 3 &&
		grep -q '^installed:  *not for this kernel$' out &&
		ctl status --json && expect 3 && json 'not it["loaded"] and "version" not in it'
}

[[ -r $MODULE ]] || skip_all "CHAN_MODULE does not say where chan.ko is"
is_loaded || skip_all "chan is not loaded"
BEFORE=()
for file in "$PARAMETERS"/*; do
	BEFORE+=("${file##*/}=$(<"$file")")
done
start_tests
mkfifo go
trap restore EXIT
mkdir -p "lib/modules/$RELEASE/extra"
cp "$MODULE" "lib/modules/$RELEASE/extra"
depmod -b "$PWD" "$RELEASE" 2>depmod.log || skip_all "depmod: $(<depmod.log)"

check "load: a file" loads_a_file
check "load: what is installed" loads_what_is_installed
check "load: what is loaded" loaded_already
check "load: parameters that are none" wrong_parameters
check "load: nothing there" missing_is_told
check "load: for another kernel" mismatch_is_told
check "load: not signed, and other refusals" signature_is_told
check "load: is for root" load_is_for_root

check "unload: tells who uses it" unload_tells_who
check "unload: tells of files that cannot be seen" unload_tells_of_the_unseen
check "unload: --timeout" unload_waits
check "unload: --timeout is kept" unload_waits_no_longer
check "unload: is for root" unload_is_for_root
check "unload: twice" unload_twice

check "status: loaded" status_when_loaded
check "status: --json" status_is_json
check "status: is for everybody" status_is_for_everybody
check "status: not loaded" status_when_unloaded
finish_tests
