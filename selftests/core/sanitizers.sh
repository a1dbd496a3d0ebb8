#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: core/sanitizers.sh [--quick | --full]
#
# The core of the module compiled in user space, and driven under sanitizers:
# threads.c by many threads under ThreadSanitizer and AddressSanitizer, fuzz.c by
# libFuzzer against a sequential reference. That each can fail is shown by mutants:
# copies of the core with one mistake, see threads.mutants and fuzz.mutants.
#
# The sources are those beside this script, or in the tree CHAN_SRC; KSELFTESTS is
# tools/testing/selftests of a kernel tree. Nothing is written but to a directory
# of its own. CORE_KEEP=DIRECTORY: there, and it stays.
#
# Half a minute, with the first mutants only; or three with --full, which is what is
# meant, too, if CHAN_PROOF is set.

# shellcheck disable=SC2317 # most functions are called by check
set -u

here=$(dirname "$(readlink -f "$0")")
root=${CHAN_SRC:-$here/../..}
src=$root/selftests/core
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chan
tools=${KSELFTESTS:-$cache/source/tools/testing/selftests}/../..

# What is compiled of the module, and its headers.
CORE=(match call wait transfer channel)
# So that a few tasks fill them.
SHRINK_MATCH='s/^#define REJECT_BATCH 64/#define REJECT_BATCH 2/
	s/^#define COUNT_MAX 1024/#define COUNT_MAX 8/'
SHRINK_PAYLOAD='s/^\(#define CHAN_SPARES\)\t64/\1 2/'
# Lines of the core that have to be reached, of a hundred.
COVERED=95
SEED=1

WARNINGS=(-Wall -Wextra -Wno-sign-compare -Wno-unused-parameter -Wno-unused-function)
# shellcheck disable=SC2054 # the commas are the compiler's
ASAN=(-fsanitize=address,undefined -fno-sanitize-recover=all)
# shellcheck disable=SC2054
FUZZ=(-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)

export ASAN_OPTIONS=detect_stack_use_after_return=1:quarantine_size_mb=8
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$src/tsan.supp

# Where it is installed, beside it.
tap=$here/tap.sh
[[ -e $tap ]] || tap=$here/../tap.sh
# shellcheck source=selftests/tap.sh
source "$tap"

# --- Building ---

# copy_core DIRECTORY [FILE SED-EXPRESSION]: with a mistake in it.
copy_core() {
	local to=$1
	mkdir -p "$to"
	cp -r "$work/kmod" "$to/"
	(($# > 1)) || return 0
	sed "$3" "$to/kmod/$2" >"$to/mutant"
	if cmp -s "$to/mutant" "$to/kmod/$2"; then
		echo "nothing of $2 is changed by: $3"
		return 1
	fi
	mv "$to/mutant" "$to/kmod/$2"
}

# In place of what the kernel has, a header that includes kernel.h; those that
# tools/include has are taken from there.
make_headers() {
	local header
	sed -n 's/^#include <\(.*\.h\)>$/\1/p' "$work"/kmod/*.[ch] | sort -u |
		grep -vE '^linux/(chan|compiler|err|errno|list|types|math|stddef|string)\.h$' |
		while read -r header; do
			mkdir -p "$work/include/$(dirname "$header")"
			echo '#include <kernel.h>' >"$work/include/$header"
		done
}

# make_threads DIRECTORY OUTPUT FLAGS...: of the core there
make_threads() {
	local core=$1 output=$2 files
	shift 2
	files=("${CORE[@]/%/.c}")
	files=("${files[@]/#/$core/kmod/}")
	"$GCC" -O1 -g "$@" "${WARNINGS[@]}" -Wno-tsan \
		-include "$src/kernel.h" -I"$work/include" -I"$core" -I"$src" \
		-I"$root/uapi" -isystem "$tools/include" \
		-isystem "$tools/arch/x86/include" -o "$output" \
		"${files[@]}" "$src/threads.c" -pthread
}

# make_fuzz DIRECTORY OUTPUT FLAGS...: the reference is no business of sanitizers.
make_fuzz() {
	local core=$1 output=$2
	shift 2
	"$CLANG" -O1 -g "$@" "${WARNINGS[@]}" -I"$core" -I"$src" \
		-I"$root/uapi" -isystem "$tools/include" \
		-isystem "$tools/arch/x86/include" -o "$output" \
		"$src/fuzz.c" "$work/model.o"
}

make_model() {
	"$CLANG" -O2 -Wall -Wextra -Werror -I"$root/uapi" -c -o "$work/model.o" "$src/model.c"
}

make_seeds() {
	local name bytes
	mkdir -p "$work/seeds"
	awk -f "$src/seeds.awk" "$src/fuzz.seeds" | while read -r name bytes; do
		# shellcheck disable=SC2059 # the bytes are a format
		printf "$bytes" >"$work/seeds/$name"
	done
	[[ -n $(ls "$work/seeds") ]]
}

prepare() {
	mkdir -p "$work/kmod" &&
		cp "$root"/kmod/*.[ch] "$work/kmod/" &&
		sed -i "$SHRINK_MATCH" "$work/kmod/match.c" &&
		sed -i "$SHRINK_PAYLOAD" "$work/kmod/payload.h" &&
		grep -q '^#define REJECT_BATCH 2$' "$work/kmod/match.c" &&
		grep -q '^#define CHAN_SPARES 2$' "$work/kmod/payload.h" &&
		make_headers
}

# --- Threads ---

# run_threads PROGRAM SECONDS [PATIENCE]: ThreadSanitizer is at odds with some
# ways to place a program at random.
run_threads() {
	"${FIXED_PLACE[@]}" "$1" "$2" "$SEED" "${@:3}"
}

# --- Fuzzing ---

# run_fuzz PROGRAM RUNS DIRECTORY: what is found is told and stays there.
run_fuzz() {
	local program=$1 runs=$2 where=$3 corpus=$3/corpus
	rm -rf "$corpus"
	mkdir -p "$where"
	cp -r "$work/seeds" "$corpus"
	if ! timeout -k 5 600 "$program" "$corpus" -seed="$SEED" -runs="$runs" \
		-max_len=400 -len_control=0 -timeout=5 -verbosity=0 \
		-artifact_prefix="$where/" >"$where/log" 2>&1; then
		tail -n 40 "$where/log"
		echo "to replay: CORE_KEEP=DIRECTORY ${0##*/} --full, and in DIRECTORY"
		echo "  CORE_FUZZ_TRACE=1 ${program#"$work/"} ${where#"$work/"}/crash-*"
		return 1
	fi
}

# --- Coverage ---

# make_covered: the same programs, which count; in the place of sanitizers
make_covered() {
	local flags=(-fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic)
	make_fuzz "$work" "$work/fuzz.covered" -fsanitize=fuzzer "${flags[@]}" &&
		GCC=$CLANG make_threads "$work" "$work/threads.covered" "${flags[@]}"
}

# With the strings that the fuzzer has found.
run_covered() {
	LLVM_PROFILE_FILE=$work/fuzz.profraw "$work/fuzz.covered" -runs=0 \
		"$work/fuzz.run/corpus" >/dev/null 2>&1 &&
		LLVM_PROFILE_FILE=$work/threads.profraw \
			run_threads "$work/threads.covered" "$SECONDS_EACH" &&
		llvm-profdata merge -o "$work/profdata" "$work"/*.profraw
}

# For each file of the core: lines reached, and those that are not. What is left of
# match.c: in offer_anew() the wake-up at the end, as offers are made on unbuffered
# channels only, and there no place in line becomes free for a sender, and that it may
# have to go round; in serve_first() that somebody else is faster. What is left of the
# other files is ioctls, files, scopes and failing allocations: for the guest.
tell_coverage() {
	llvm-cov export -format=lcov -instr-profile="$work/profdata" \
		"$work/fuzz.covered" -object "$work/threads.covered" |
		awk -v least="$COVERED" -f "$src/coverage.awk"
}

check_coverage() {
	check "the programs compile so that they count lines" make_covered
	check "and run" run_covered
	check "more than $COVERED % of the lines of match.c and call.c are reached" \
		tell_coverage
	sed 's/^/# /' "$work/log"
}

# --- Mutants ---

# mutant KIND NAME FILE SED-EXPRESSION: in a directory of its own, with the file
# "found" in it if it was.
mutant() {
	local kind=$1 name=$2 file=$3 expression=$4
	local to=$work/mutants/$kind/$name
	mkdir -p "$to"
	copy_core "$to" "$file" "$expression" >"$to/log" 2>&1 || return
	"found_by_$kind" "$to" >"$to/log" 2>&1 && touch "$to/found"
}

# Of what does not build, nothing was found.
found_by_fuzz() {
	make_fuzz "$1" "$1/fuzz" "${FUZZ[@]}" -O0 || return 2
	! run_fuzz "$1/fuzz" "$MUTANT_RUNS" "$1"
}

found_by_tsan() {
	make_threads "$1" "$1/threads" -fsanitize=thread || return 2
	! run_threads "$1/threads" "$MUTANT_SECONDS" "$MUTANT_PATIENCE"
}

found_by_asan() {
	make_threads "$1" "$1/threads" "${ASAN[@]}" || return 2
	! run_threads "$1/threads" "$MUTANT_SECONDS" "$MUTANT_PATIENCE"
}

# What gave it away, in one line.
evidence() {
	grep -aE 'SUMMARY: [A-Z].*Sanitizer|^threads: |differ: |runtime error: |ERROR: libFuzzer: timeout' \
		"$1/log" 2>/dev/null | head -n 1 | cut -c 1-100
}

# list_mutants FILE BEFORE: as many as there is time for
list_mutants() {
	sed -n "/^[a-z]/s/^/$2/p" "$src/$1.mutants" | head -n "$MUTANTS"
}

# One more run of this script for each, two at a time; then each is a test.
run_mutants() {
	local kind name file expression
	while read -r kind name file expression; do
		printf '%s\0' "$kind" "$name" "$file" "$expression"
	done <"$work/mutants.list" |
		xargs -0 -r -n 4 -P "$(nproc)" "$here/${0##*/}" mutant
}

# is_found MUTANT
is_found() {
	cat "$1/log"
	[[ -e $1/found ]]
}

check_mutants() {
	local kind name file expression
	run_mutants
	while read -r kind name file expression; do
		check "$kind: found: $name" is_found "$work/mutants/$kind/$name"
		echo "#   $(evidence "$work/mutants/$kind/$name")"
	done <"$work/mutants.list"
}

# --- All together ---

find_tools() {
	GCC=${CC:-gcc}
	command -v "$GCC" >/dev/null || skip_all "there is no $GCC"
	[[ -e $tools/include/linux/list.h ]] ||
		skip_all "there is no tools/include in '$tools': run scripts/setup, or set KSELFTESTS"
	[[ -e $src/threads.c && -e $root/kmod/match.c ]] ||
		skip_all "there are no sources in '$root': set CHAN_SRC"
	CLANG=${CLANG:-clang}
	echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
		"$CLANG" "${FUZZ[@]}" -x c -o /dev/null - 2>/dev/null || CLANG=
	[[ $(uname -m) == x86_64 ]] || skip_all "the headers are those of x86"
}

check_threads() {
	check "threads.c and the core compile for ThreadSanitizer" \
		make_threads "$work" "$work/threads.tsan" -Werror -fsanitize=thread
	check "threads: no data race, nothing lost, nobody left over" \
		run_threads "$work/threads.tsan" "$SECONDS_EACH"
	sed 's/^/# /' "$work/log" | tail -n 1
	check "and for AddressSanitizer and UndefinedBehaviorSanitizer" \
		make_threads "$work" "$work/threads.asan" -Werror "${ASAN[@]}"
	check "threads: nobody is touched who is gone" \
		run_threads "$work/threads.asan" "$SECONDS_EACH"
	sed 's/^/# /' "$work/log" | tail -n 1
	list_mutants threads "" >>"$work/mutants.list"
}

check_fuzz() {
	check "the reference compiles" make_model
	check "fuzz.c and the core compile for libFuzzer" \
		make_fuzz "$work" "$work/fuzz" -Werror "${FUZZ[@]}"
	check "the seeds are made" make_seeds
	check "fuzz: core and reference agree on $RUNS strings" \
		run_fuzz "$work/fuzz" "$RUNS" "$work/fuzz.run"
	list_mutants fuzz "fuzz " >>"$work/mutants.list"
}

make_work() {
	if [[ -n ${CORE_KEEP:-} ]]; then
		work=$(readlink -f "$CORE_KEEP")
		rm -rf "${work:?}"/{kmod,include,mutants,mutants.list,results}
		mkdir -p "$work"
	else
		work=$(mktemp -d)
		trap 'rm -rf "$work"' EXIT
	fi
}

main() {
	local how=${1:-${CHAN_PROOF:+--full}}
	RUNS=5000 SECONDS_EACH=3 MUTANTS=2
	if [[ $how == --full ]]; then
		RUNS=60000 SECONDS_EACH=10 MUTANTS=1000
	fi
	MUTANT_RUNS=20000 MUTANT_SECONDS=10 MUTANT_PATIENCE=15
	find_tools
	make_work
	# For the mutants, each of them another run of this script.
	export CORE_WORK=$work GCC CLANG MUTANT_RUNS MUTANT_SECONDS MUTANT_PATIENCE
	echo "TAP version 13"
	check "the sources are copied" prepare
	check_threads
	if [[ -n $CLANG ]]; then
		check_fuzz
	else
		skip "fuzz" "there is no clang with libFuzzer (clang, libclang-rt-14-dev)"
	fi
	check_mutants
	if [[ -z $CLANG ]] || ! command -v llvm-cov >/dev/null; then
		skip "coverage" "there is no clang, or no llvm-cov (llvm)"
	elif [[ $how == --full ]]; then
		check_coverage
	fi
	echo "1..$count"
	finish
}

FIXED_PLACE=(setarch -R)
"${FIXED_PLACE[@]}" true 2>/dev/null || FIXED_PLACE=()
if [[ ${1:-} == mutant ]]; then
	work=$CORE_WORK
	mutant "${@:2}"
	# What came of it, the file tells.
	exit 0
fi
main "$@"
