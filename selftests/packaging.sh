# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by install.sh and package.sh: TAP, and a copy of the checkout to build
# in, as it would be in a release. LIBCHAN_SRC is userlib/ of the checkout.

here=$(dirname "$(readlink -f "$0")")
top=$(cd "${LIBCHAN_SRC:-$here/../userlib}/.." && pwd)
# shellcheck source=scripts/lib/common.sh
source "$top/scripts/lib/common.sh"

# shellcheck source=selftests/tap.sh
source "$top/selftests/tap.sh"

# skip NUMBER WHY: as many tests as that.
skip() {
	local i
	for ((i = 0; i < $1; i++)); do
		count=$((count + 1))
		skipped=$((skipped + 1))
		echo "ok $count # SKIP $2"
	done
}

# need COMMAND...: or skip everything.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip_all "no $tool"
	done
}

need_kernel() {
	[ -e "$CACHE/$1/build/Makefile" ] ||
		skip_all "no headers of kernel $1: run scripts/setup"
}

# copy_checkout TO: what is in it or would be with the next commit, and nothing
# that was built.
copy_checkout() {
	git -C "$top" -c safe.directory="$top" ls-files -z --cached --others --exclude-standard |
		rsync -a --from0 --files-from=- --ignore-missing-args "$top/" "$1/"
}

project_version() {
	sed -n 's/^#define LIBCHAN_VERSION[^"]*"\(.*\)"$/\1/p' "$1/userlib/include/chan.h"
}
