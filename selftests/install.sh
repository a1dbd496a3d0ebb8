#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make install and make uninstall, into an empty place: what is put where, and that
# it is taken away. Needs the checkout (LIBCHAN_SRC) and the headers of a kernel,
# and not the module.

set -u

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=selftests/packaging.sh
source "${LIBCHAN_SRC:-$here/../userlib}/../selftests/packaging.sh"

tests=9
kernel=6.12

# What make install puts where, with its mode; "*" stands for what is not the same
# everywhere. The pages of libchan are as many as there are in userlib/man.
manifest() {
	cat <<-END
	755 usr/local/bin/chanctl
	644 usr/local/include/chan.h
	644 usr/local/include/linux/chan.h
	644 usr/local/lib/libchan.a
	777 usr/local/lib/libchan.so
	777 usr/local/lib/libchan.so.0
	755 usr/local/lib/libchan.so.$version
	644 usr/local/lib/pkgconfig/libchan.pc
	755 usr/local/libexec/chan/chanctl-bench
	644 usr/local/lib/sysusers.d/chan.conf
	644 usr/local/lib/udev/rules.d/60-chan.rules
	644 usr/local/share/bash-completion/completions/chanctl
	644 usr/local/share/doc/chan/examples/modprobe.d/chan.conf
	644 usr/local/share/doc/chan/examples/modules-load.d/chan.conf
	644 usr/local/share/man/man1/chanctl.1
	644 usr/local/share/man/man4/chan.4
	644 usr/local/share/man/man4/chanctl.4
	644 usr/local/share/zsh/site-functions/_chanctl
	644 $module
	END
	(cd "$tree/userlib/man" && printf '644 usr/local/share/man/man3/%s\n' *.3)
	(cd "$tree/userlib/python" && find chan -name '*.py' -o -name py.typed) |
		sed "s|^|644 ${pythondir#/}/|"
}

# files_in DIRECTORY: mode and path of each.
files_in() {
	find "$1" ! -type d -printf '%m %P\n' | sort
}

quiet_make() {
	make -s -C "$tree" KDIR="$CACHE/$kernel/build" "$@"
}

# The rule of the kernel that was built for says whether it is compressed.
find_module() {
	local release
	release=$(<"$CACHE/$kernel/release")
	module=$(cd "$root" && find "lib/modules/$release/updates" -name 'chan.ko*')
	[ -n "$module" ] && modinfo -F vermagic "$root/$module" | grep -F "$release "
}

says_one_version() {
	[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] &&
		[ "$(sed -n '1s/^chan (\(.*\)) .*/\1/p' "$tree/debian/changelog")" = "$version" ] &&
		[ "$(python_version)" = "$version" ] &&
		[ "$("$root/usr/local/bin/chanctl" --version)" = "chanctl $version" ] &&
		! grep -rnF "$version" "$tree/dkms.conf" "$tree/Makefile" "$tree/debian/rules"
}

# What a wheel of it would be called by.
python_version() {
	(cd "$tree/userlib/python" && python3 -c '
import setuptools.config.pyprojecttoml as p
print(p.read_configuration("pyproject.toml")["project"]["version"])')
}

installs_the_manifest() {
	quiet_make install DESTDIR="$root" && find_module &&
		manifest | sort | diff - <(files_in "$root")
}

names_no_destdir() {
	! grep -rlF "$root" "$root"
}

in_python() {
	PYTHONPATH=$root$pythondir PYTHONDONTWRITEBYTECODE=1 python3 -c "$1"
}

imports_python() {
	[ "$(in_python 'import chan; print(chan.__file__)')" = "$root$pythondir/chan/__init__.py" ]
}

# The parameters of the example are some of the module, and so are its names.
example_fits() {
	local examples=$root/usr/local/share/doc/chan/examples

	modinfo -F parm "$root/$module" | sed 's/:.*//' | sort >"$work/parameters"
	sed -n 's/^options chan //p' "$examples/modprobe.d/chan.conf" | tr ' ' '\n' |
		sed 's/=.*//' | sort >"$work/set"
	diff "$work/parameters" "$work/set" &&
		[ "$(grep -v '^#' "$examples/modules-load.d/chan.conf")" = chan ]
}

# Every place that the Makefiles have a name for.
goes_elsewhere() {
	local to=$work/elsewhere name places=()
	local names=(bindir libdir includedir mandir docdir udevrulesdir sysusersdir
		pythondir bashcompdir zshcompdir libexecdir)

	for name in "${names[@]}"; do
		places+=("$name=/place/$name")
	done
	quiet_make install-userlib install-python install-system \
		DESTDIR="$to" "${places[@]}" || return
	(cd "$to" && find . ! -type d | cut -d / -f 2,3 | sort -u) |
		diff <(printf 'place/%s\n' "${names[@]}" | sort) -
}

uninstalls_everything() {
	quiet_make uninstall DESTDIR="$root" && [ -z "$(files_in "$root" | tee /dev/stderr)" ] &&
		[ -z "$(find "$root" -name '*chan*' | tee /dev/stderr)" ]
}

# Also where directories are shared with others.
leaves_what_is_not_ours() {
	local other=$root/usr/local/include/linux/other.h

	quiet_make install-userlib DESTDIR="$root" || return
	echo >"$other"
	quiet_make uninstall DESTDIR="$root" && [ "$(find "$root" ! -type d)" = "$other" ]
}

# What DKMS gets is what the module is built from, and where it looks for it.
installs_for_dkms() {
	local to=$work/dkms src=usr/src/chan-$version

	quiet_make install-dkms DESTDIR="$to" || return
	{
		echo "644 $src/dkms.conf"
		printf "644 $src/%s\n" "${sources[@]}"
	} | sort | diff - <(files_in "$to") &&
		[ "$(dkms_says PACKAGE_NAME)-$(dkms_says PACKAGE_VERSION)" = "chan-$version" ]
}

dkms_says() {
	(
		# As dkms reads it, which defines more.
		set +u
		# shellcheck disable=SC1090 # the one just installed
		. "$work/dkms/usr/src/chan-$version/dkms.conf"
		echo "${!1}"
	)
}

echo "TAP version 13"
need make cc python3 rsync git modinfo
need_kernel "$kernel"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tree=$work/chan
root=$work/root
mkdir "$root"
copy_checkout "$tree"
mapfile -t sources < <(cd "$tree" && ls kmod/Kbuild kmod/*.[ch] uapi/linux/chan.h)
version=$(project_version "$tree")
pythondir=$("$tree/scripts/lib/pythondir" /usr/local)

echo "1..$tests"
check "make install puts everything in its place" installs_the_manifest
check "nothing that is installed names the DESTDIR" names_no_destdir
check "one version, and what repeats it agrees" says_one_version
check "the Python module is found where it is" imports_python
check "the examples fit the module" example_fits
check "each place can be chosen" goes_elsewhere
check "make install-dkms installs the source" installs_for_dkms
check "make uninstall takes everything away" uninstalls_everything
check "make uninstall leaves what is not its own" leaves_what_is_not_ours
finish
