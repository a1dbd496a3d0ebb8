# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Kernels in the cache. $CACHE/NAME leads to a directory per kernel with
#
#	release		its name, as uname -r tells it
#	vmlinuz		what the virtual machine boots
#	build		what a module is built against (KDIR)
#	initramfs-*	what it takes to reach the host's files from inside
#
# and $CACHE/source to the unpacked kernel source. Directories come into being
# under another name and are renamed when complete, so what exists is whole.

GUEST_INIT=$ROOT/scripts/lib/guest-init
# Kernels built from source, each with a fragment of its own.
OWN_CONFIGS=$ROOT/scripts/kernels
SOURCE_PACKAGE=linux-source-6.12
# What Debian's kernels have as modules and the guest cannot do without, or
# the tests use.
GUEST_MODULES=(virtio_pci virtio_console 9pnet_virtio 9p fuse overlay)

hash_of() {
	cat "$@" | sha256sum | cut -c 1-12
}

# package_for NAME PREFIX: of the newest image or headers, through the
# metapackage; PREFIX is linux-image or linux-headers.
package_for() {
	local name=$1 prefix=$2 meta
	case $name in
	6.1) meta=$prefix-amd64 ;;
	6.1-rt) meta=$prefix-rt-amd64 ;;
	6.12) meta=$prefix-6.12-amd64 ;;
	6.12-rt) meta=$prefix-6.12-rt-amd64 ;;
	esac
	depends_of "$meta" | grep "^$prefix-${name%-rt}\." | head -n 1
}

resolve_package() {
	local package
	package=$(package_for "$@" || true)
	if [[ -z $package ]] && refresh_lists; then
		package=$(package_for "$@" || true)
	fi
	if [[ -z $package ]]; then
		say "apt knows no $2 package for kernel $1. It takes Debian 12 (bookworm)"
		say "with both suites among apt's sources: bookworm and bookworm-security."
		say "(6.12 is only in bookworm-security.) Then: apt-get update"
		die "cannot set up kernel $1"
	fi
	printf '%s\n' "$package"
}

# header_packages RELEASE: and those that they refer to by path.
header_packages() {
	printf 'linux-headers-%s\n' "$1"
	depends_of "linux-headers-$1" | grep -E '^linux-(headers|kbuild|compiler)-'
}

# The headers of a package expect to be in /usr/src: let them find each other
# wherever they are. Links between the parts are relative and need nothing.
relocate_headers() {
	# shellcheck disable=SC2016 # for make to expand
	sed -i 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		"$1/Makefile"
}

# Fetches are tried, with || or if, and that turns set -e off all the way down:
# what runs there is chained.
fill_debian_kernel() {
	local to=$1 release=$2 packages
	mapfile -t packages < <(header_packages "$release")
	rm -rf "$to" &&
		unpack_packages "$to" "linux-image-$release" "${packages[@]}" &&
		relocate_headers "$to/usr/src/linux-headers-$release" &&
		ln -s "boot/vmlinuz-$release" "$to/vmlinuz" &&
		ln -s "usr/src/linux-headers-$release" "$to/build" &&
		depmod -b "$to" "$release" &&
		printf '%s\n' "$release" >"$to/release"
}

fetch_debian_kernel() {
	local release=$1 to=$CACHE/kernel/$1
	[[ ! -e $to/release ]] || return 0
	step "Fetch kernel $release" fill_debian_kernel "$to.new" "$release" &&
		rm -rf "$to" &&
		mv "$to.new" "$to"
}

# link_kernel NAME DIRECTORY
link_kernel() {
	ln -sfn "kernel/$2" "$CACHE/$1"
}

setup_debian_kernel() {
	local name=$1 image
	image=$(resolve_package "$name" linux-image)
	# It fails when the lists are out of date; fresh ones may name a newer.
	if ! fetch_debian_kernel "${image#linux-image-}"; then
		refresh_lists
		image=$(resolve_package "$name" linux-image)
		fetch_debian_kernel "${image#linux-image-}"
	fi
	link_kernel "$name" "${image#linux-image-}"
}

# --- Kernel source ---

source_version() {
	candidate_of "$SOURCE_PACKAGE" | tr '~' '-'
}

resolve_source() {
	local version
	version=$(source_version)
	if [[ -z $version ]] && refresh_lists; then
		version=$(source_version)
	fi
	[[ -n $version ]] ||
		die "apt does not know $SOURCE_PACKAGE; is bookworm-security among its sources?"
	printf '%s\n' "$version"
}

fill_source() {
	local to=$1
	rm -rf "$to" "$to.deb" &&
		unpack_packages "$to.deb" "$SOURCE_PACKAGE" &&
		mkdir -p "$to" &&
		tar -xf "$to.deb/usr/src/$SOURCE_PACKAGE.tar.xz" -C "$to" \
			--strip-components=1 &&
		rm -rf "$to.deb"
}

fetch_source() {
	local version=$1 to=$CACHE/linux-$1
	[[ ! -e $to ]] || return 0
	step "Fetch kernel source $version" fill_source "$to.new" &&
		mv "$to.new" "$to"
}

# setup_source: kselftest, checkpatch and the debug kernel come from it.
setup_source() {
	local version
	[[ ! -e $CACHE/source ]] || return 0
	version=$(resolve_source)
	# As with Debian's kernels.
	if ! fetch_source "$version"; then
		refresh_lists
		version=$(resolve_source)
		fetch_source "$version"
	fi
	ln -sfn "linux-$version" "$CACHE/source"
}

# --- Kernels built from source ---

is_own_kernel() {
	[[ -e $OWN_CONFIGS/$1.config ]]
}

own_options() {
	grep -hE '^(# )?CONFIG_' "$OWN_CONFIGS/base.config" "$OWN_CONFIGS/$1.config"
}

# Kconfig drops what it does not know or what lacks a dependency, silently.
check_own_options() {
	local name=$1 config=$2 line symbol lost=0
	while read -r line; do
		symbol=${line#\# }
		symbol=${symbol%%[ =]*}
		case $line in
		'#'*) grep -q "^$symbol=" "$config" || continue ;;
		*) ! grep -qxF -- "$line" "$config" || continue ;;
		esac
		say "$name.config: '$line' did not survive"
		lost=1
	done < <(own_options "$name")
	return "$lost"
}

configure_own_kernel() {
	local name=$1 source=$2 to=$3
	make -s -C "$source" O="$to" tinyconfig
	own_options "$name" >>"$to/.config"
	make -s -C "$source" O="$to" olddefconfig
	check_own_options "$name" "$to/.config"
}

build_own_kernel() {
	local name=$1 source=$2 to=$3
	mkdir -p "$to"
	[[ -e $to/.config ]] || configure_own_kernel "$name" "$source" "$to"
	make -C "$source" O="$to" -j"$(nproc)" bzImage modules
	ln -sfn arch/x86/boot/bzImage "$to/vmlinuz"
	ln -sfn . "$to/build"
	drop_objects "$to"
	make -s -C "$source" O="$to" kernelrelease >"$to/release"
}

# Building modules needs the headers, the tools and Module.symvers only.
drop_objects() {
	find "$1" -type f -not -path "$1/scripts/*" -not -path "$1/tools/*" \
		\( -name '*.[oa]' -o -name '.*.cmd' -o -name '.tmp_vmlinux*' \) -delete
}

own_directory() {
	printf '%s-%s-%s' "$1" "$(basename "$(readlink -f "$CACHE/source")")" \
		"$(hash_of "$OWN_CONFIGS/base.config" "$OWN_CONFIGS/$1.config")"
}

setup_own_kernel() {
	local name=$1 directory
	with_lock source setup_source
	directory=$(own_directory "$name")
	if [[ ! -e $CACHE/kernel/$directory/release ]]; then
		step "Build the $name kernel (15 minutes on two processors)" \
			build_own_kernel "$name" "$(readlink -f "$CACHE/source")" \
			"$CACHE/kernel/$directory"
	fi
	link_kernel "$name" "$directory"
}

# A changed fragment makes another kernel.
is_current() {
	local name=$1
	[[ -e $CACHE/$name/release ]] || return
	! is_own_kernel "$name" ||
		[[ $(readlink "$CACHE/$name") == "kernel/$(own_directory "$name")" ]]
}

# --- What the guest starts from ---

initramfs_of() {
	printf '%s/%s/initramfs-%s' "$CACHE" "$1" "$(hash_of "$GUEST_INIT")"
}

# add_modules KERNEL-DIRECTORY TO: numbered in the order to load them.
add_modules() {
	local kernel=$1 to=$2 release file number=100
	release=$(<"$kernel/release")
	[[ -d $kernel/lib/modules/$release ]] || return 0
	modprobe -d "$kernel" -S "$release" --show-depends -a "${GUEST_MODULES[@]}" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r file; do
			number=$((number + 1))
			case $file in
			*.xz) xz -dc "$file" >"$to/$number-$(basename "$file" .xz)" ;;
			*) cp "$file" "$to/$number-$(basename "$file")" ;;
			esac
		done
}

make_initramfs() {
	local kernel=$1 to=$2 scratch
	scratch=$(mktemp -d)
	mkdir -p "$scratch"/{bin,dev,host,modules,proc,share,sys}
	cp /bin/busybox "$scratch/bin/"
	install -m 755 "$GUEST_INIT" "$scratch/init"
	add_modules "$kernel" "$scratch/modules"
	(cd "$scratch" && find . | cpio --quiet -o -H newc) >"$to.new"
	rm -rf "$scratch"
	mv "$to.new" "$to"
}

setup_initramfs() {
	local name=$1 to
	to=$(initramfs_of "$name")
	[[ ! -e $to ]] || return 0
	# Another checkout may be at work with its own.
	find "$CACHE/$name/" -name 'initramfs-*' -mtime +7 -delete
	make_initramfs "$CACHE/$name" "$to"
}

# --- All together ---

# with_lock NAME COMMAND...: two scripts do not set up the same thing at once.
with_lock() {
	local name=$1 lock
	shift
	mkdir -p "$CACHE/kernel"
	exec {lock}>"$CACHE/lock-$name"
	if ! flock -n "$lock"; then
		say "* Wait for another script that sets up $name"
		flock "$lock"
	fi
	"$@"
	exec {lock}>&-
}

setup_one_kernel() {
	local name=$1
	if ! is_current "$name"; then
		if is_own_kernel "$name"; then
			setup_own_kernel "$name"
		else
			setup_debian_kernel "$name"
		fi
	fi
	setup_initramfs "$name"
}

# setup_kernels NAME...: does nothing, and that fast, if all is there.
setup_kernels() {
	local name
	install_packages
	for name in "$@"; do
		if ! is_current "$name" || [[ ! -e $(initramfs_of "$name") ]]; then
			with_lock "$name" setup_one_kernel "$name"
		fi
	done
}

# setup_kernel_source: likewise.
setup_kernel_source() {
	install_packages
	[[ -e $CACHE/source ]] || with_lock source setup_source
}
