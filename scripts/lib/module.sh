# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Build chan.ko for a kernel of the cache, beside the source and not in it:
# build/NAME holds links to the source files, and what comes of them. NAME is
# that of the kernel, with -gcov to count how often each line is reached.

module_of() {
	printf '%s/build/%s/kmod/chan.ko' "$ROOT" "$1"
}

# link_sources TREE: anew each time, so that removed files are gone.
link_sources() {
	local tree=$1
	mkdir -p "$tree/kmod"
	find "$tree/kmod" -type l -delete
	ln -s -t "$tree/kmod" "$ROOT"/kmod/Kbuild "$ROOT"/kmod/*.[ch]
	ln -sfn "$ROOT/uapi" "$tree/uapi"
}

# make_module KDIR TREE [VARIABLE=VALUE]... Type information (BTF) needs another
# tool, and nobody here reads it.
make_module() {
	local kdir=$1 tree=$2
	shift 2
	link_sources "$tree"
	make -s -C "$kdir" M="$tree/kmod" W=1 CONFIG_DEBUG_INFO_BTF_MODULES= \
		-j"$(nproc)" "$@" modules
}

# module_kernel NAME: the kernel that it is for.
module_kernel() {
	printf '%s' "${1%-gcov}"
}

# module_variables NAME: one a line. Where the kernel can trace what is reached,
# the module is to be traced: the fuzzer looks at that.
module_variables() {
	local config
	config=$CACHE/$(module_kernel "$1")/build/.config
	! grep -qs '^CONFIG_KCOV=y' "$config" || printf 'KCOV_INSTRUMENT=y\n'
	[[ $1 != *-gcov ]] || printf 'GCOV_PROFILE=y\n'
}

# is_module_fresh NAME: nothing it is made from is newer.
is_module_fresh() {
	local module
	module=$(module_of "$1")
	[[ -e $module && $module -nt $CACHE/$(module_kernel "$1")/release ]] &&
		[[ -z $(find "$ROOT/kmod" "$ROOT/uapi" -newer "$module" \
			\( -type d -o -name '*.[ch]' -o -name Kbuild \) -print -quit) ]]
}

# build_module NAME: only what changed. Two scripts do not build the same
# module at once.
build_module() {
	local name=$1 tree=$ROOT/build/$1 kdir lock variables
	is_module_fresh "$name" && return
	mkdir -p "$tree"
	exec {lock}>"$tree/lock"
	flock "$lock"
	kdir=$CACHE/$(module_kernel "$name")/build
	mapfile -t variables < <(module_variables "$name")
	is_module_fresh "$name" ||
		step "Build chan.ko for $name" make_module "$kdir" "$tree" "${variables[@]}" ||
		return
	exec {lock}>&-
}
