# SPDX-License-Identifier: GPL-2.0-only
#
# -v least=PERCENT: of what llvm-cov exports, the lines of the core that were
# reached, file by file, and the others by number if they are few.  Fails if match.c and call.c
# together do not have more than that.

/^SF:/ {
	file = $0
	sub(/.*\//, "", file)
	core = $0 ~ /\/kmod\//
}

core && /^DA:/ {
	split(substr($0, 4), field, ",")
	lines[file, field[1]] += field[2]
	if (!seen[file, field[1]]++)
		numbers[file] = numbers[file] " " field[1]
}

END {
	for (file in numbers) {
		n = split(numbers[file], number, " ")
		reached = 0
		missed = ""
		for (i = 1; i <= n; i++) {
			if (lines[file, number[i]])
				reached++
			else
				missed = missed " " number[i]
		}
		if (missed)
			missed = n - reached > 30 ? "" : ", not:" missed
		printf "%s: %d of %d lines (%.1f %%)%s\n", file, reached, n,
			100 * reached / n, missed | "sort"
		if (file == "match.c" || file == "call.c") {
			all += n
			all_reached += reached
		}
	}
	close("sort")
	if (!all || 100 * all_reached / all <= least)
		exit 1
}
