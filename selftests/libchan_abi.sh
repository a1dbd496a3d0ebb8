#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# libchan as a package: what it exports, what it installs, and that both can be
# used. Needs the sources of the library (LIBCHAN_SRC) and a compiler.

set -u

here=$(dirname "$(readlink -f "$0")")
src=${LIBCHAN_SRC:-$here/../userlib}
uapi=${LIBCHAN_UAPI:-$src/../uapi}
CC=${CC:-cc}

tests=9
count=0
failures=0
skipped=0

# report NAME STATUS: a failed test shows what it had to say.
report() {
	count=$((count + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $count $1"
	else
		echo "not ok $count $1"
		failures=$((failures + 1))
		sed 's/^/# /' "$work/log"
	fi
}

check() {
	local name=$1

	shift
	"$@" >"$work/log" 2>&1
	report "$name" $?
}

skip() {
	count=$((count + 1))
	skipped=$((skipped + 1))
	echo "ok $count $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

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

declared() {
	sed -n 's/^[a-z].*[ *]\(chan_[a-z_]*\)(.*/\1/p' "$src/include/chan.h" | sort
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
		share/man/man3/libchan.3 share/man/man4/chan.4; do
		[ -s "$root/opt/c/$file" ] || { echo "no $file"; return 1; }
	done
	declared | while read -r function; do
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

compiles() {
	printf '%s\n' '#include <chan.h>' \
		"int f(struct chan_tx tx, struct chan_rx rx, size_t *n);" \
		"int f(struct chan_tx tx, struct chan_rx rx, size_t *n)" \
		"{ (void)tx; (void)rx; (void)n; return $1; }" |
		"$CC" -w -I "$src/include" -I "$uapi" -fsyntax-only -x c -
}

wrong_use_does_not_compile() {
	local call

	for call in 'chan_send(tx, n, 1)' 'chan_recv(rx, n, 1, n)' 'chan_close(tx, 0)'; do
		compiles "$call" || return
	done
	for call in 'chan_send(rx, n, 1)' 'chan_try_send(rx, n, 1)' 'chan_close(rx, 0)' \
		'chan_recv(tx, n, 1, n)' 'chan_try_recv(tx, n, 1, n)' 'chan_send(1, n, 1)'; do
		! compiles "$call" 2>/dev/null || { echo "compiles: $call"; return 1; }
	done
}

examples_run() {
	local example

	for example in "$work"/build/examples/*; do
		case $example in
		*.c | *.sh) continue ;;
		esac
		timeout 60 "$example" || { echo "${example##*/}: $?"; return 1; }
	done
}

echo "TAP version 13"
for tool in make "$CC" nm readelf pkg-config; do
	have "$tool" || skip_all "no $tool"
done
[ -f "$src/libchan.map" ] || skip_all "no sources of the library"

work=$(mktemp -d) || exit 1
root=$work/root
trap 'rm -rf "$work"' EXIT

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
check "wrong use does not compile" wrong_use_does_not_compile
check "examples of the manual compile" build check-examples
if [ -c /dev/chan0 ] && [ "$(id -u)" -eq 0 ]; then
	check "examples of the manual run" examples_run
else
	skip "examples of the manual run" "needs root and the module"
fi

echo "# Totals: pass:$((count - failures - skipped)) fail:$failures xfail:0 xpass:0 skip:$skipped error:0"
[ "$failures" -eq 0 ]
