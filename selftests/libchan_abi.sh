#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# libchan as a package: what it exports, what it installs, and that both can be
# used; and that neither has changed since it was recorded. Needs the sources of the
# library (LIBCHAN_SRC) and a compiler, and not the module.
#
#	libchan_abi.sh --record
#
# records anew, in abi/: structs.txt, the layout of each structure of the headers
# as pahole has it, and libchan.abi, the functions and types of the library as
# abidw has them. That is due when something was added, and then the difference
# between the files is to be looked at: what was there has to stay as it was.

set -u

here=$(dirname "$(readlink -f "$0")")
src=${LIBCHAN_SRC:-$here/../userlib}
uapi=${LIBCHAN_UAPI:-$src/../uapi}
abi=${LIBCHAN_ABI:-$src/../selftests/abi}
CC=${CC:-cc}
CXX=${CXX:-c++}

tests=19

# shellcheck source=selftests/tap.sh
source "$here/tap.sh"

have() {
	command -v "$1" >/dev/null
}

build() {
	make -C "$src" CC="$CC" UAPI="$uapi" OUTPUT="$work/build" "$@"
}

in_map() {
	sed -n 's/^\(LIBCHAN_.*\) {$/\1/p; s/^\t\(chan_.*\);$/\1/p' "$src/libchan.map" |
		awk '/^LIBCHAN/ { version = $1; next } { print $1 "@@" version }' | sort
}

exported() {
	nm -D --defined-only "$work/build/libchan.so" |
		awk '$2 != "A" { print $3 }' | sort
}

# All functions of the header, and those of them that the library has to have.
documented() {
	sed -n 's/^[a-z].*[ *]\(chan_[a-z_]*\)(.*/\1/p' "$src/include/chan.h" | sort
}

declared() {
	documented >"$work/documented"
	sed -n 's/^static inline.*[ *]\(chan_[a-z_]*\)(.*/\1/p' "$src/include/chan.h" |
		sort | comm -13 - "$work/documented"
}

exports_the_map() {
	in_map >"$work/map"
	[ -s "$work/map" ] && exported | diff "$work/map" -
}

declares_the_map() {
	in_map | sed 's/@@.*//' | sort >"$work/map"
	declared | diff "$work/map" -
}

soname_and_needs() {
	readelf -d "$work/build/libchan.so" >"$work/dynamic"
	grep 'SONAME.*\[libchan\.so\.0\]' "$work/dynamic" &&
		! grep NEEDED "$work/dynamic" | grep -v '\[libc\.so'
}

install_to_root() {
	local file function

	build install DESTDIR="$root" PREFIX=/opt/c libdir=/opt/c/lib/here || return
	for file in include/chan.h include/linux/chan.h lib/here/libchan.a \
		lib/here/libchan.so lib/here/libchan.so.0 lib/here/pkgconfig/libchan.pc \
		share/man/man3/libchan.3 share/man/man4/chan.4 \
		bin/chanctl share/man/man1/chanctl.1; do
		[ -s "$root/opt/c/$file" ] || { echo "no $file"; return 1; }
	done
	documented | while read -r function; do
		[ -s "$root/opt/c/share/man/man3/$function.3" ] ||
			{ echo "no manual page of $function"; exit 1; }
	done
}

pkg_config() {
	PKG_CONFIG_LIBDIR=$root/opt/c/lib/here/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
		pkg-config "$@" libchan
}

program() {
	cat <<-'EOF'
	#include <chan.h>
	#include <stdio.h>
	#include <string.h>

	int main(void)
	{
		struct chan_rx rx = CHAN_RX_INIT;
		char buf[8];
		size_t len;
		int ret = chan_recv(rx, buf, sizeof(buf), &len);

		printf("%s %d\n", chan_library_version(), ret);
		return strcmp(chan_library_version(), LIBCHAN_VERSION);
	}
	EOF
}

# build_and_run OPTION...: the program says the version, and -EBADF.
build_and_run() {
	program >"$work/program.c"
	# shellcheck disable=SC2046 # flags are words
	"$CC" -o "$work/program" "$work/program.c" $(pkg_config --cflags) "$@" &&
		LD_LIBRARY_PATH=$root/opt/c/lib/here "$work/program" >"$work/said" &&
		[ "$(cat "$work/said")" = "$(pkg_config --modversion) -9" ]
}

use_shared() {
	# shellcheck disable=SC2046 # flags are words
	build_and_run $(pkg_config --libs) &&
		readelf -d "$work/program" | grep 'NEEDED.*libchan\.so\.0'
}

use_static() {
	build_and_run "$root/opt/c/lib/here/libchan.a" &&
		! readelf -d "$work/program" | grep libchan
}

good_calls=(
	'chan_send(tx, n, 1)' 'chan_recv(rx, n, 1, n)' 'chan_close(tx, 0)'
	'chan_send_until(tx, n, 1, 0)' 'chan_recv_until(rx, n, 1, n, 0)'
	'chan_recv_from(rx, n, 1, n, 0, 0)'
	'chan_case_send(tx, n, 1).fd' 'chan_case_recv(rx, n, 1).fd'
	'chan_case_poll(rx.fd, 1).fd' 'chan_iter(rx, n, 1).ret'
	'chan_for_each(rx, n, 1, 0, 0)' 'chan_tx_release(&tx) + chan_rx_release(&rx)'
	'chan_source(s, &rx, 0, 0, 0)' 'chan_map(s, &rx, 1, 0, 0, 0)' 'chan_take(s, &rx, 1, 0)'
	'chan_merge(s, &rx, 1, &rx, 0)' 'chan_tee(s, &rx, &rx, 1, 0)'
	'chan_scope_pair(s, 0, 0, 0, &tx, &rx)'
	'chan_call(c, n, 1, n, 1, n, 1)' 'chan_serve(v, 0, 0)'
)
bad_calls=(
	'chan_send(rx, n, 1)' 'chan_send(1, n, 1)' 'chan_try_send(rx, n, 1)'
	'chan_recv(tx, n, 1, n)' 'chan_try_recv(tx, n, 1, n)' 'chan_close(rx, 0)'
	'chan_send_until(rx, n, 1, 0)' 'chan_recv_until(tx, n, 1, n, 0)'
	'chan_recv_from(tx, n, 1, n, 0, 0)'
	'chan_case_send(rx, n, 1).fd' 'chan_case_send(1, n, 1).fd'
	'chan_case_recv(tx, n, 1).fd' 'chan_case_recv(1, n, 1).fd'
	'chan_case_poll(rx, 1).fd' 'chan_iter(tx, n, 1).ret'
	'chan_for_each(tx, n, 1, 0, 0)' 'chan_tx_release(&rx)' 'chan_rx_release(&tx)'
	'chan_source(s, &tx, 0, 0, 0)' 'chan_map(s, &tx, 1, 0, 0, 0)' 'chan_take(s, &tx, 1, 0)'
	'chan_take(s, rx, 1, 0)' 'chan_merge(s, &tx, 1, &rx, 0)' 'chan_tee(s, &rx, &tx, 1, 0)'
	'chan_scope_pair(s, 0, 0, 0, &rx, &tx)' 'chan_scope_pair(s, 0, 0, 0, &tx, &tx)'
	'chan_case_timer(rx).fd' 'chan_timer_ticks(tx)'
	'chan_call(v, n, 1, n, 1, n, 1)' 'chan_serve(c, 0, 0)'
)

# compile "COMPILER OPTION..." CALL...: each on a line of its own, the first of
# which is line 2.
compile() {
	local call number=0 compiler

	read -r -a compiler <<<"$1"
	shift
	{
		echo '#include <chan.h>'
		for call; do
			number=$((number + 1))
			echo "int f$number(struct chan_tx tx, struct chan_rx rx, size_t *n," \
				"struct chan_scope *s, struct chan_client *c, struct chan_server *v);" \
				"int f$number(struct chan_tx tx, struct chan_rx rx, size_t *n," \
				"struct chan_scope *s, struct chan_client *c, struct chan_server *v)" \
				"{ (void)tx; (void)rx; (void)n; (void)s; (void)c; (void)v; return $call; }"
		done
	} >"$work/calls.c"
	LC_ALL=C "${compiler[@]}" -Werror=incompatible-pointer-types -I "$src/include" \
		-I "$uapi" -fsyntax-only "$work/calls.c"
}

# wrong_use_does_not_compile "COMPILER OPTION...": and the right one does.
wrong_use_does_not_compile() {
	compile "$1" "${good_calls[@]}" || return
	compile "$1" "${bad_calls[@]}" 2>&1 |
		sed -n 's/.*calls\.c:\([0-9]*\):.* error: .*/\1/p' | sort -nu >"$work/refused"
	seq 2 $((${#bad_calls[@]} + 1)) | diff - "$work/refused"
}

# --- What was recorded ---

# structs_of SRC UAPI: where each field of each structure is. What it says of cache
# lines is the machine's.
structs_of() {
	local names

	names=$(cat "$2/linux/chan.h" "$1/include/chan.h" |
		sed -n 's/^struct \(chan_[a-z_]*\) {$/\1/p' | sort)
	{
		echo '#include <chan.h>'
		for name in $names; do
			echo "struct $name *at_$name;"
		done
	} | "$CC" -g -O0 -I "$1/include" -I "$2" -x c -c -o "$work/structs.o" - || return
	for name in $names; do
		pahole -C "$name" "$work/structs.o" || return
	done | sed -e '/cacheline/{ /size:/!d; }' -e 's/, cachelines: [0-9]*//' \
		-e '/last cacheline/d' -e '/^$/d'
}

# types_of SRC UAPI LIBRARY: the functions, and the types that they lead to.
types_of() {
	abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-parameter-names \
		--exported-interfaces-only --drop-private-types --headers-dir "$1/include" \
		--header-file "$2/linux/chan.h" "$3"
}

record() {
	mkdir -p "$abi" && structs_of "$src" "$uapi" >"$abi/structs.txt" &&
		types_of "$src" "$uapi" "$work/build/libchan.so" >"$abi/libchan.abi"
}

structs_are_as_recorded() {
	structs_of "$src" "$uapi" | diff "$abi/structs.txt" -
}

library_is_as_recorded() {
	types_of "$src" "$uapi" "$work/build/libchan.so" >"$work/now.abi" &&
		abidiff "$abi/libchan.abi" "$work/now.abi"
}

# change FILE SED-EXPRESSION: a copy of all that is built, of which FILE is changed.
change() {
	local from=$work/changed

	rm -rf "$from" && mkdir -p "$from/userlib" &&
		tar -C "$src" --exclude=build -cf - . | tar -C "$from/userlib" -xf - &&
		cp -r "$uapi" "$from/uapi" && cp "$from/$1" "$work/before" &&
		sed -i "$2" "$from/$1" && ! cmp "$work/before" "$from/$1"
}

# What changes for programs that are there already, is noticed.
changed_structure_is_noticed() {
	change uapi/linux/chan.h 's/^\t__u32 nfds;/\t__u64 nfds;/' >/dev/null || return
	! structs_of "$work/changed/userlib" "$work/changed/uapi" |
		diff "$abi/structs.txt" -
}

# abidiff says 4 for a change, and 8 besides for what can only break programs.
changed_library_is_noticed() {
	local lib=$work/changed/build/libchan.so

	change "$1" "$2" >/dev/null || return
	make -s -C "$work/changed/userlib" CC="$CC" UAPI="$work/changed/uapi" \
		OUTPUT="$work/changed/build" "$lib" || return
	types_of "$work/changed/userlib" "$work/changed/uapi" "$lib" >"$work/changed.abi" ||
		return
	abidiff "$abi/libchan.abi" "$work/changed.abi"
	(($? & 12))
}

# compare TOOL NAME COMMAND...: what needs TOOL, and the machine of the record.
compare() {
	local tool=$1 name=$2

	shift 2
	if ! have "$tool"; then
		skip "$name" "no $tool"
	elif [ "$("$CC" -dumpmachine | cut -d- -f1)" != x86_64 ]; then
		skip "$name" "recorded for x86_64"
	else
		check "$name" "$@"
	fi
}

echo "TAP version 13"
for tool in make "$CC" nm readelf pkg-config; do
	have "$tool" || skip_all "no $tool"
done
[ -f "$src/libchan.map" ] || skip_all "no sources of the library"

work=$(mktemp -d) || exit 1
root=$work/root
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = --record ]; then
	build >&2 && record && exit
	exit 1
fi

echo "1..$tests"
if ! build >"$work/log" 2>&1; then
	sed 's/^/# /' "$work/log"
	echo "Bail out! The library does not build."
	exit 1
fi

check "the library exports what the map says" exports_the_map
check "the header declares what the map says" declares_the_map
check "the library has its name, and needs libc alone" soname_and_needs
check "make install puts everything in its place" install_to_root
check "a program uses the shared library" use_shared
check "a program uses the static library" use_static
for standard in c99 c11 c17; do
	check "wrong use does not compile as $standard" \
		wrong_use_does_not_compile "$CC -x c -std=$standard"
done
for standard in c++11 c++14 c++17; do
	name="wrong use does not compile as $standard"
	if have "$CXX"; then
		check "$name" wrong_use_does_not_compile "$CXX -x c++ -std=$standard"
	else
		skip "$name" "no $CXX"
	fi
done
compare pahole "structures are as recorded" structs_are_as_recorded
compare pahole "a changed structure is noticed" changed_structure_is_noticed
compare abidiff "the library is as recorded" library_is_as_recorded
compare abidiff "a changed structure of the module is noticed" \
	changed_library_is_noticed uapi/linux/chan.h 's/^\t__u32 nfds;/\t__u64 nfds;/'
compare abidiff "a changed structure of the library is noticed" \
	changed_library_is_noticed userlib/include/chan.h 's/^\tuid_t uid;/\tuint64_t uid;/'
compare abidiff "a symbol that is gone is noticed" \
	changed_library_is_noticed userlib/libchan.map '/chan_try_send;/d'
check "examples of the manual compile" build check-examples

finish
