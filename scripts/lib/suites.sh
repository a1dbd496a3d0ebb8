# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Build the kselftest suites in build/selftests, and tell their names.

# shellcheck disable=SC2034 # used by the scripts that source this file
SUITES_BUILT=$ROOT/build/selftests
KSELFTESTS=$CACHE/source/tools/testing/selftests

make_selftests() {
	make -C "$ROOT/selftests" KSELFTESTS="$KSELFTESTS" OUTPUT="$SUITES_BUILT" "$@"
}

# build_selftests TARGET: all of them, or proof, see selftests/Makefile.
build_selftests() {
	mkdir -p "$SUITES_BUILT"
	step "Build the selftests" make_selftests -j"$(nproc)" "$1"
}

# list_suites [TARGET]: the names of all, or what TARGET of selftests/Makefile lists.
list_suites() {
	make_selftests -s --no-print-directory "${1:-list}"
}
