# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian packages: install what is missing, fetch what is only unpacked.

# Building the module, the debug kernel and the tests; the virtual machine;
# the checkers; what the library's checks and the benchmarks use; what looks at
# the module's tracepoints.
PACKAGES=(
	gcc g++ make libc6-dev gcc-multilib bc bison flex libelf-dev libssl-dev
	perl python3 pkg-config xz-utils cpio kmod rsync
	qemu-system-x86 busybox-static
	sparse shellcheck clang-format clang libclang-rt-14-dev llvm spin
	mandoc man-db gnuplot-nox dwarves abigail-tools
	git fakeroot debhelper dh-dkms dkms dh-python pybuild-plugin-pyproject
	python3-all python3-setuptools libkmod-dev graphviz zsh lintian mmdebstrap
	trace-cmd linux-perf bpftrace pyflakes3
)
# Large ones, which may also be here by other ways: PACKAGE COMMAND.
LANGUAGES=(golang-go go rustc rustc)

missing_packages() {
	local i
	# It fails for those it never heard of, which is an answer too.
	# shellcheck disable=SC2016 # for dpkg-query to expand
	{ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${PACKAGES[@]}" \
		2>/dev/null || true; } | awk -v wanted="${PACKAGES[*]}" '
		$1 == "installed" { there[$2] = 1 }
		END {
			n = split(wanted, package)
			for (i = 1; i <= n; i++)
				if (!there[package[i]])
					print package[i]
		}'
	for ((i = 0; i < ${#LANGUAGES[@]}; i += 2)); do
		command -v "${LANGUAGES[i + 1]}" >/dev/null || printf '%s\n' "${LANGUAGES[i]}"
	done
}

# as_root COMMAND...: directly, or with sudo.
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif [[ -t 0 ]]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	((EUID == 0)) && return
	command -v sudo >/dev/null || return
	[[ -t 0 ]] || sudo -n true 2>/dev/null
}

apt_update() {
	as_root apt-get update -q
}

# The lists are fetched at most once in a run, and only when something in
# them was not to be had.
refresh_lists() {
	[[ -z ${LISTS_FRESH:-} ]] || return 1
	LISTS_FRESH=1
	can_be_root || return 1
	step "Refresh the package lists" apt_update
}

# The version apt would fetch; empty if it knows none.
candidate_of() {
	LC_ALL=C apt-cache policy "$1" 2>/dev/null |
		sed -n 's/^ *Candidate: //p' | grep -v '(none)' || true
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends "$@"
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages)
	((${#missing[@]})) || return 0
	if ! can_be_root; then
		say "These Debian packages are missing, and I am neither root nor have sudo:"
		die "apt-get install --no-install-recommends ${missing[*]}"
	fi
	say "Debian packages to install: ${missing[*]}"
	[[ -n $(candidate_of "${missing[0]}") ]] || refresh_lists ||
		die "cannot refresh the package lists"
	step "Install packages" apt_install "${missing[@]}" && return
	# Whatever became of it, the second try has the last word.
	refresh_lists || true
	step "Install packages" apt_install "${missing[@]}"
}

# depends_of PACKAGE: what the newest version of it depends on, one per line.
depends_of() {
	LC_ALL=C apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *|\?Depends: //p'
}

fetch_debs() {
	apt-get download -q -o APT::Sandbox::User=root "$@"
}

unpack_debs() {
	local from=$1 to=$2 deb
	mkdir -p "$to" || return
	for deb in "$from"/*.deb; do
		dpkg -x "$deb" "$to" || return
	done
}

# unpack_packages DIRECTORY PACKAGE...: fetch and unpack, never install. Tells
# of failure without the help of set -e.
unpack_packages() {
	local to=$1 scratch status=0
	shift
	scratch=$(mktemp -d) || return
	(cd "$scratch" && fetch_debs "$@") && unpack_debs "$scratch" "$to" || status=$?
	rm -rf "$scratch"
	return "$status"
}
