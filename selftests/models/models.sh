#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: models/models.sh [--quick | --full]
#
# Check the models of the matching and waiting in kmod/ with Spin, in all of their
# states; and that each property can fail: a mutant, from which a claim, a barrier
# or a second look is removed, has to be found. A search that was not exhaustive, for
# want of depth, memory or time, is a failure. A model names the function that each
# step stands for, in its comments; each has to be there in kmod/.
#
# The models are those beside this script, or in the tree CHAN_SRC. Nothing is
# written but to a directory of its own.
#
# Half a minute on two processors, with some of the models only; or two minutes with
# --full, which is what is meant, too, if CHAN_PROOF is set.

set -uo pipefail
KSFT_SKIP=4
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
ROOT=${CHAN_SRC:-$HERE/../..}
MODELS=$ROOT/selftests/models
KMOD=$ROOT/kmod
SCRATCH=
FAST=$(command -v clang || echo gcc)
# Of one search.
SECONDS_MAX=150
MEGABYTES=3000
DEPTH=500000

# EXPECTED SPEED MODEL [DEFINE...]: ok, or caught; quick ones always run.
RUNS=(
	'ok full transfer WRITERS=1 READERS=1 CAP=0 FAULTS=1 SIGNALS BORROW DEADLINE'
	'ok quick transfer WRITERS=2 READERS=1 CAP=0 FAULTS=1 SIGNALS BORROW'
	'ok quick transfer WRITERS=2 READERS=1 CAP=1 FAULTS=1 SIGNALS'
	'ok quick transfer WRITERS=2 READERS=2 CAP=0 FAULTS=0 TRIES=1'
	'ok full transfer WRITERS=2 READERS=2 CAP=0 FAULTS=0 SMALL'
	'ok full transfer WRITERS=1 READERS=2 CAP=0 FAULTS=1 SIGNALS BORROW'
	'ok full transfer WRITERS=2 READERS=2 CAP=0 FAULTS=0 BORROW'
	'ok full transfer WRITERS=2 READERS=1 CAP=0 FAULTS=1 DEADLINE BORROW'
	'ok full transfer WRITERS=2 READERS=2 CAP=1 FAULTS=0'
	'caught quick transfer WRITERS=1 READERS=1 CAP=0 FAULTS=0 MUTANT_NO_WAKE'
	'caught full transfer WRITERS=1 READERS=1 CAP=0 FAULTS=1 MUTANT_FAULT_FORGETS'
	'caught full transfer WRITERS=2 READERS=1 CAP=1 FAULTS=0 MUTANT_NO_REFILL'
	'caught full transfer WRITERS=1 READERS=2 CAP=0 FAULTS=1 MUTANT_GIVE_BACK_PARKS'
	'caught full transfer WRITERS=2 READERS=1 CAP=0 FAULTS=0 SIGNALS BORROW MUTANT_REVOKE_PARKS'
	'caught full transfer WRITERS=1 READERS=1 CAP=0 FAULTS=0 SIGNALS BORROW MUTANT_ACCEPT_KEEPS_PEER'
	'ok quick ending WRITERS=2 READERS=1 CAP=0 FAULTS=1 FIRST=CLOSED BORROW'
	'ok full ending WRITERS=1 READERS=2 CAP=0 FAULTS=1 FIRST=BROKEN'
	'ok quick ending WRITERS=2 READERS=1 CAP=1 FAULTS=1 FIRST=CLOSED SECOND=CANCELED'
	'ok full ending WRITERS=2 READERS=1 CAP=0 FAULTS=1 FIRST=CANCELED BORROW'
	'ok full ending WRITERS=1 READERS=2 CAP=0 FAULTS=1 FIRST=CANCELED BORROW'
	'caught quick ending WRITERS=2 READERS=1 CAP=0 FAULTS=0 FIRST=CLOSED MUTANT_ONE_BATCH'
	'caught full ending WRITERS=1 READERS=1 CAP=0 FAULTS=0 FIRST=CLOSED MUTANT_RELEASE_UNQUEUES_ONLY'
	'caught full ending WRITERS=1 READERS=1 CAP=0 FAULTS=1 FIRST=CANCELED MUTANT_GIVE_BACK_PARKS'
	'ok quick select PAIR FAULTS=0'
	'ok full select PAIR FAULTS=1 SIGNALS'
	'ok full select SELF FAULTS=0'
	'ok full select RING FAULTS=0'
	'ok full select GIVE_BACK FAULTS=1'
	'ok full select REVOKE FAULTS=0'
	'ok full select PASS_BY FAULTS=0'
	'ok full select LINE FAULTS=1'
	'ok quick select DRAIN FAULTS=1'
	'ok full select TURN_TO_SEND FAULTS=1'
	'ok quick select TURN_TO_RECEIVE FAULTS=0'
	'caught full select LINE FAULTS=0 MUTANT_NO_COMMIT'
	'caught quick select DRAIN FAULTS=1 MUTANT_END_BEFORE_LINE'
	'caught full select TURN_TO_SEND FAULTS=2 MUTANT_GUESS_WHO'
	'caught quick select TURN_TO_RECEIVE FAULTS=0 MUTANT_OVERTAKE'
	'caught quick select SELF FAULTS=0 MUTANT_MEET_ONESELF'
	'caught full select RING FAULTS=0 MUTANT_LOCK_OWN_FIRST'
	'caught full select PAIR FAULTS=0 MUTANT_ONE_LOCK'
	'caught full select PASS_BY FAULTS=0 MUTANT_CLAIM_AND_UNDO'
	'caught full select PAIR FAULTS=0 MUTANT_NO_UNPARK'
	'caught full select GIVE_BACK FAULTS=2 MUTANT_NO_VISIBLE_CHECK'
	'caught full select GIVE_BACK FAULTS=1 MUTANT_NO_RECHECK'
	'caught full select GIVE_BACK FAULTS=1 MUTANT_NO_REVISIT'
	'ok quick scope'
	'ok full scope OUTSIDE'
	'ok full scope INSIDE EXITS'
	'caught quick scope OUTSIDE MUTANT_ONE_PASS'
	'caught full scope OUTSIDE MUTANT_NO_AWAIT'
	'caught quick scope OUTSIDE MUTANT_ENTER_LATE'
	'caught quick scope MUTANT_PLAIN_UNLOCK'
	'caught full scope INSIDE MUTANT_BIND_CANCELED'
	'caught quick scope MUTANT_CLOSE_FORGETS'
	'ok quick instant'
	'caught quick instant MUTANT_NO_WMB'
	'caught quick instant MUTANT_NO_RMB_LOOK'
	'caught full instant MUTANT_NO_RMB_MOVED'
	'caught full instant MUTANT_NO_MOVED_ON'
	'ok quick poll'
	'caught quick poll MUTANT_LOOK_FIRST'
	'caught full poll MUTANT_LOOK_WITHOUT_LOCK'
	'caught full poll MUTANT_NOTIFY_FIRST'
	'ok full locks'
	'caught quick locks MUTANT_NO_ADDRESS_ORDER'
	'caught full locks MUTANT_TWO_CHANNELS'
	'caught full locks MUTANT_AWAIT_UNDER_LOCK'
	'ok quick wake'
	'ok full wake SIGNALS'
	'caught quick wake MUTANT_NO_BARRIER_A'
	'caught quick wake MUTANT_NO_BARRIER_C'
	'caught quick wake MUTANT_NO_RELEASE_B'
	'caught full wake MUTANT_NO_ACQUIRE'
	'caught full wake TWO_PARTNERS MUTANT_NO_CMPXCHG'
)

# shellcheck disable=SC2317 # by the trap
cleanup() {
	[[ -z $SCRATCH ]] || rm -rf "$SCRATCH"
}

# cited MODEL...: the functions that their comments name.
cited() {
	sed -nE 's@.*(/\*.*)@\1@p; /^[\t ]*\*/p; /^[\t ].*[*]\/$/p' "$@" |
		grep -oE '\b[a-z_]+\(\)' | tr -d '()' | sort -u
}

# check_names: all of these are defined in the module.
check_names() {
	local name missing=()
	for name in $(cited "$MODELS"/*.pml); do
		grep -qE "^[a-z_#].*[ *]$name\(|^$name\(" "$KMOD"/*.[ch] || missing+=("$name")
	done
	((!${#missing[@]})) || printf '# not in kmod/: %s\n' "${missing[@]}"
	((!${#missing[@]}))
}

# compile MODEL DEFINE...: the search, in the current directory.
compile() {
	local model=$1
	shift
	# What is found soon is not worth to be optimized for, nor what is long to
	# compile: there clang takes half the time.
	local compiler=(gcc -O1)
	[[ " $*" != *' MUTANT_'* && $model != @(select|transfer|ending) ]] ||
		compiler=("$FAST" -O0)
	spin -a "${@/#/-D}" "$MODELS/$model.pml" >spin.out 2>&1 && [[ -s pan.c ]] &&
		"${compiler[@]}" -w -DSAFETY -DNOFAIR -DCOLLAPSE -DMEMLIM="$MEGABYTES" \
			-o pan pan.c 2>gcc.out
}

# verdict STATUS: of the search, whose output is in pan.out.
verdict() {
	if (($1)); then
		echo "stopped, status $1"
	elif grep -q 'errors: [1-9]' pan.out; then
		echo caught
	elif ! grep -q 'errors: 0' pan.out ||
		grep -qE 'max search depth|Search not completed|out of memory' pan.out; then
		echo 'not exhaustive'
	else
		echo ok
	fi
}

# search EXPECTED SPEED MODEL [DEFINE...]: in a directory of its own; its result.
search() {
	local expected=$1 status=0 result states
	shift 2
	if compile "$@"; then
		timeout "$SECONDS_MAX" ./pan -m"$DEPTH" -w20 >pan.out 2>&1 || status=$?
		result=$(verdict "$status")
	else
		result='does not compile'
	fi
	states=$(awk '/states, stored/ { print $1 }' pan.out 2>/dev/null)
	if [[ $result == "$expected" ]]; then
		printf 'ok %s: %s, %s states\n' "$*" "$result" "${states:-no}"
	else
		printf 'not ok %s: %s instead of %s, %s states\n' "$*" "$result" \
			"$expected" "${states:-no}"
		grep -hE '^pan:|rror' pan.out spin.out gcc.out 2>/dev/null |
			head -5 | sed 's/^/# /'
	fi
}

# search_in NUMBER RUN: one of many at a time.
search_in() {
	local words
	read -ra words <<<"$2"
	mkdir "$SCRATCH/$1"
	cd "$SCRATCH/$1" || return 1
	search "${words[@]}" >result
	rm -f pan*
}

# search_all RUN...: as many at once as there are processors.
search_all() {
	local number=0 run
	for run in "$@"; do
		while (($(jobs -rp | wc -l) >= $(nproc))); do
			wait -n
		done
		search_in "$number" "$run" &
		number=$((number + 1))
	done
	wait
}

# report TESTS: their TAP; false if one has failed.
report() {
	local i failed=0
	for ((i = 0; i < $1; i++)); do
		[[ -s $SCRATCH/$i/result ]] ||
			printf 'not ok run %s has died\n' "$i" >"$SCRATCH/$i/result"
		sed -E "1s/^(not ok|ok) /\1 $((i + 2)) /" "$SCRATCH/$i/result"
		grep -q '^ok' "$SCRATCH/$i/result" || failed=1
	done
	return "$failed"
}

main() {
	local runs=() run failed=0 quick=1
	[[ -z ${CHAN_PROOF:-} && ${1:-} != --full || ${1:-} == --quick ]] || quick=
	printf 'TAP version 13\n'
	if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
		printf '1..0 # SKIP spin and gcc are needed: apt-get install spin gcc\n'
		exit "$KSFT_SKIP"
	fi
	for run in "${RUNS[@]}"; do
		[[ -n $quick && $run != *' quick '* ]] || runs+=("$run")
	done
	SCRATCH=$(mktemp -d)
	trap cleanup EXIT
	printf '1..%s\n' "$((${#runs[@]} + 1))"
	if check_names; then
		printf 'ok 1 each function that a model names is in kmod/\n'
	else
		printf 'not ok 1 each function that a model names is in kmod/\n'
		failed=1
	fi
	search_all "${runs[@]}"
	report "${#runs[@]}" || failed=1
	exit "$failed"
}

main "$@"
