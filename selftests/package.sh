#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The Debian packages are built from a copy of the checkout (LIBCHAN_SRC), looked at by
# lintian, built and installed by DKMS for each kernel, installed in a small Debian, and
# used there in the virtual machine. Needs no module. The small Debian takes root,
# since packages are installed in it; it is made once, and kept in the cache.

set -u

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=selftests/packaging.sh
source "${LIBCHAN_SRC:-$here/../userlib}/../selftests/packaging.sh"

kernels=(6.1 6.12)
packages=(chan-dkms chanctl libchan-dev libchan0 python3-chan)
# What the packages and their test need; libelf1 is for the kernel's build tools.
base=(dkms gcc kmod libc6-dev libelf1 libkmod-dev make pkg-config python3
	systemd-standalone-sysusers udev)
tests=$((8 + 3 * ${#kernels[@]}))
# As on a machine that builds packages: no other Python or compiler than Debian's.
PATH=/usr/sbin:/usr/bin:/sbin:/bin

# --- The packages ---

# A symbol that is new, or gone, and not in the symbols file is an error.
builds() {
	(cd "$tree" && DPKG_GENSYMBOLS_CHECK_LEVEL=4 dpkg-buildpackage -us -uc -b -j"$(nproc)") &&
		ls "$work"/*.deb
}

has_all_in_one_version() {
	local package

	for package in "${packages[@]}"; do
		# shellcheck disable=SC2016 # for dpkg to expand
		dpkg-deb -W --showformat='${Package} ${Version}\n' "$work/${package}"_*.deb
	done >"$work/there"
	printf "%s $version\\n" "${packages[@]}" | diff - "$work/there"
}

lintian_of() {
	lintian --fail-on error,warning --allow-root "$@"
}

is_clean() {
	lintian_of "$work"/*.changes
}

# A library for everybody to write to, and nobody to know where from.
doctor() {
	dpkg-deb -R "$work"/libchan0_*.deb "$work/doctored" &&
		chmod 666 "$work"/doctored/usr/lib/*/libchan.so.0.* &&
		rm "$work/doctored/usr/share/doc/libchan0/copyright" &&
		dpkg-deb --root-owner-group -b "$work/doctored" "$work/doctored.deb"
}

is_found_out() {
	doctor && ! lintian_of "$work/doctored.deb" >"$work/tags" &&
		grep 'no-copyright-file' "$work/tags" && grep 'permissions' "$work/tags"
}

# --- DKMS, in directories of its own ---

# Only root may install, and fakeroot is enough.
as_some_root() {
	if ((EUID == 0)); then
		"$@"
	else
		fakeroot "$@"
	fi
}

release_of() {
	cat "$CACHE/$1/release"
}

in_dkms() {
	local action=$1 kernel=$2

	as_some_root dkms "$action" -m chan -v "$version" -k "$(release_of "$kernel")" \
		--kernelsourcedir "$CACHE/$kernel/build" --dkmstree "$work/dkms" \
		--sourcetree "$work/source/usr/src" --installtree "$work/modules" \
		--no-depmod || { cat "$work"/dkms/chan/*/build/make.log; return 1; }
}

dkms_status() {
	dkms status --dkmstree "$work/dkms" --sourcetree "$work/source/usr/src" \
		--installtree "$work/modules" -m chan
}

dkms_module() {
	find "$work/modules/$(release_of "$1")" -name 'chan.ko*' 2>/dev/null
}

unpack_source() {
	mkdir -p "$work/dkms" "$work/modules"
	dpkg-deb -x "$work"/chan-dkms_*.deb "$work/source"
}

# DKMS adds once, for all kernels.
dkms_builds_and_installs() {
	local kernel=$1 release

	release=$(release_of "$kernel")
	unpack_source && mkdir -p "$work/modules/$release" &&
		{ [ -e "$work/dkms/chan/$version" ] || in_dkms add "$kernel"; } &&
		in_dkms build "$kernel" && dkms_status | grep "$release.*: built" &&
		in_dkms install "$kernel" && dkms_status | grep "$release.*: installed" &&
		modinfo -F vermagic "$(dkms_module "$kernel")" | grep -F "$release "
}

dkms_removes() {
	in_dkms remove "$1" && [ -z "$(dkms_module "$1")" ] &&
		! dkms_status | grep "$(release_of "$1")"
}

# --- In a small Debian ---

# The places that this machine's apt has its own packages from.
sources() {
	# shellcheck disable=SC2016 # for apt to expand
	apt-get indextargets --format '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sed -n 's/^Debian //p' | sort -u
}

codename() {
	sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# In the cache, under a name that tells what is in it.
small_debian() {
	printf '%s/debian-%s-%s' "$CACHE" "$(codename)" \
		"$(sha256sum <<<"${base[*]}" | cut -c 1-12)"
}

make_small_debian() {
	local to

	to=$(small_debian)
	[ ! -e "$to" ] || return 0
	rm -rf "$to.new"
	sources | mmdebstrap --variant=minbase --include="${base[*]}" --format=directory \
		"$(codename)" "$to.new" - && mv "$to.new" "$to"
}

# mount_system: what this makes is seen by this script and what it starts, and gone with
# them. Not below /tmp, where the guest has an empty place.
mount_system() {
	mkdir -p "$system" "$work/upper" "$work/overlay" &&
		mount -t overlay -o "lowerdir=$(small_debian),upperdir=$work/upper,workdir=$work/overlay" \
			overlay "$system" &&
		mkdir -p "$system/packages" && cp "$work"/*.deb "$tree/debian/tests/installed" \
		"$system/packages" && mount -t proc proc "$system/proc" &&
		mount --bind /dev "$system/dev"
}

# As if the headers were installed: each is where the cache has it.
add_headers() {
	local kernel release

	for kernel in "${kernels[@]}"; do
		release=$(release_of "$kernel")
		mkdir -p "$system/lib/modules/$release" "$system/opt/$release" &&
			mount --bind "$(readlink -f "$CACHE/$kernel")" "$system/opt/$release" &&
			ln -s "/opt/$release/usr/src/linux-headers-$release" \
				"$system/lib/modules/$release/build" || return
	done
}

in_system() {
	DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$system" "$@"
}

# The names of the debs, as the system sees them.
debs() {
	printf "/packages/%s_${version}_*.deb " "${packages[@]}"
}

installs_and_builds() {
	local kernel

	make_small_debian && mount_system && add_headers &&
		in_system sh -c "dpkg -i $(debs)" && grep '^chan:' "$system/etc/group" || return
	for kernel in "${kernels[@]}"; do
		in_system dkms status | grep "chan/$version, $(release_of "$kernel").*: installed" ||
			return
	done
}

# What process 1 of a guest has made of the machine is given to the system in it.
guest_program() {
	cat <<-END
	set -e
	cd "$system"
	for place in tmp run; do mount -t tmpfs tmpfs \$place; done
	for place in dev proc sys; do mount --rbind /\$place \$place; done
	exec chroot . sh -c '/lib/systemd/systemd-udevd --daemon && exec /packages/installed'
	END
}

# works_in_guest KERNEL: what the program in it says is for the reader of a failure.
works_in_guest() {
	"$top/scripts/vm" --kernel "$1" --no-module --timeout 240 -- \
		bash -c "$(guest_program)" | tee "$work/said"
	[ "${PIPESTATUS[0]}" -eq 0 ] && grep -q '^1\.\.' "$work/said" &&
		[ "$(grep -c '^ok ' "$work/said")" = "$(sed -n 's/^1\.\.//p' "$work/said")" ]
}

removes_everything() {
	in_system dpkg --purge "${packages[@]}" &&
		! find "$system/lib/modules" "$system/usr" -xdev -name '*chan.ko*' -o \
			-xdev -name 'libchan*' -o -xdev -name 'chanctl*' | grep .
}

# make install as root, where it tells the system: the same one, without the packages.
in_checkout() {
	in_system make -s -C /checkout KDIR="/lib/modules/$(release_of 6.12)/build" "$@"
}

installs_by_make() {
	local release

	release=$(release_of 6.12)
	in_system groupdel chan && mkdir "$system/checkout" &&
		copy_checkout "$system/checkout" && in_checkout install && in_system getent group chan &&
		in_system ldconfig -p | grep '/usr/local/lib/libchan\.so\.0$' &&
		in_system modprobe -S "$release" -n -v chan | grep '/updates/chan\.ko' &&
		in_system /usr/local/bin/chanctl --version | grep -F "$version" &&
		in_system python3 -c 'import chan'
}

uninstalls_by_make() {
	in_checkout uninstall && ! in_system ldconfig -p | grep libchan &&
		! in_system modprobe -S "$(release_of 6.12)" -n chan 2>/dev/null &&
		! find "$system/usr/local" "$system/lib/modules" -xdev -name '*chan*' | grep .
}

# --- All together ---

test_packages() {
	check "five packages are built" builds
	check "they are all there, in the version of the library" has_all_in_one_version
	check "lintian has nothing to say" is_clean
	check "lintian would say it" is_found_out
}

test_dkms() {
	local kernel

	for kernel in "${kernels[@]}"; do
		check "DKMS builds and installs for $kernel" dkms_builds_and_installs "$kernel"
	done
	for kernel in "${kernels[@]}"; do
		check "DKMS removes what it has for $kernel" dkms_removes "$kernel"
	done
}

test_system() {
	local kernel

	check "the packages install, and the module is built" installs_and_builds
	for kernel in "${kernels[@]}"; do
		check "they work on $kernel" works_in_guest "$kernel"
	done
	check "they are removed without a trace" removes_everything
	check "make install tells the system" installs_by_make
	check "and so does make uninstall" uninstalls_by_make
}

# A name space for mounts of its own, where that takes nobody else.
((EUID != 0)) || [ -n "${PACKAGE_SH_APART:-}" ] ||
	PACKAGE_SH_APART=1 exec unshare --mount "$0" "$@"

echo "TAP version 13"
need dpkg-buildpackage dh dh_dkms dkms lintian fakeroot rsync git modinfo
for kernel in "${kernels[@]}"; do
	need_kernel "$kernel"
done
work=$(mktemp -d) || exit 1
tree=$work/chan
system=$top/build/package/system
trap 'rm -rf --one-file-system "$work"' EXIT
copy_checkout "$tree"
version=$(project_version "$tree")

echo "1..$tests"
test_packages
test_dkms
if ((EUID != 0)); then
	skip $((4 + ${#kernels[@]})) "only root can install packages"
elif ! command -v mmdebstrap >/dev/null; then
	skip $((4 + ${#kernels[@]})) "no mmdebstrap"
else
	test_system
fi
finish
