# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by all scripts: where things are, and how to say what happens.
#
# Everything said goes to stderr. stdout belongs to what the caller asked for:
# the output of a command in the guest, or the TAP of the tests.

# shellcheck disable=SC2034 # used by the scripts that source this file
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/chan
ALL_KERNELS=(6.1 6.12 6.1-rt 6.12-rt debug)
# Only by name: it looks for data races, and is slow.
OTHER_KERNELS=(kcsan)
# depmod and modprobe are there, and not on everyone's path.
export PATH=$PATH:/usr/sbin:/sbin
# A line of progress this often, where there is no terminal to tick on.
PROGRESS_SECONDS=15

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "${0##*/}: $*"
	exit 1
}

# usage_of FILE: the comment block at its top is its help text.
usage_of() {
	awk 'NR > 2 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$1"
}

# seconds_since START: with one decimal, START from $EPOCHREALTIME.
seconds_since() {
	awk -v from="$1" -v to="$EPOCHREALTIME" \
		'BEGIN { printf "%.1f s", to - from }'
}

# expand_kernels NAME...: one name per line, "all" spelled out, no doubles.
expand_kernels() {
	local name
	for name in "$@"; do
		case $name in
		all)
			printf '%s\n' "${ALL_KERNELS[@]}"
			;;
		6.1 | 6.12 | 6.1-rt | 6.12-rt | debug | kcsan)
			printf '%s\n' "$name"
			;;
		*)
			die "no kernel '$name'; there are: ${ALL_KERNELS[*]} all ${OTHER_KERNELS[*]}"
			;;
		esac
	done | awk '!seen[$0]++'
}

last_line() {
	tail -c 400 "$1" | tr '\r' '\n' | grep -v '^[[:space:]]*$' |
		tail -n 1 | cut -c 1-100 || true
}

# tick PID LABEL LOG: progress until PID ends.
tick() {
	local pid=$1 label=$2 log=$3 began=$SECONDS next=$PROGRESS_SECONDS past
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		past=$((SECONDS - began))
		if [[ -t 2 ]]; then
			printf '\r\033[K  %s: %s s  %s' "$label" "$past" \
				"$(last_line "$log")" >&2
		elif ((past >= next)); then
			next=$((past + PROGRESS_SECONDS))
			say "  $label: $past s: $(last_line "$log")"
		fi
	done
	if [[ -t 2 ]]; then
		printf '\r\033[K' >&2
	fi
}

# step LABEL COMMAND...: run it with its output put away, show progress and
# the time it took; on failure show the end of the output.
step() {
	local label=$1 start=$EPOCHREALTIME log pid status=0
	shift
	log=$(mktemp)
	say "* $label"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	tick "$pid" "$label" "$log"
	wait "$pid" || status=$?
	if ((status)); then
		tail -n 200 "$log" >&2
		say "! $label: failed with status $status after $(seconds_since "$start")"
	else
		say "  $label: $(seconds_since "$start")"
	fi
	rm -f "$log"
	return "$status"
}
