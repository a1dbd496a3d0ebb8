# SPDX-License-Identifier: GPL-2.0-only
#
# bars.tsv and rows of bench, in this order, to TAP. Fails if a bar is missed.

BEGIN {
	FS = "\t"
}

/^#/ {
	next
}

NR == FNR {
	bars++
	figure[bars] = $1
	limit[bars] = $2
	base[bars] = $3
	text[bars] = $4
	next
}

{
	value[$1] = $2
	unit[$1] = $3
}

function measured(i)
{
	return (figure[i] in value) && unit[figure[i]] != "cycle" &&
		(base[i] == "-" || (base[i] in value))
}

function verdict(i,    got, bad)
{
	if (!measured(i)) {
		printf "ok %d - %s # SKIP not measured\n", i, text[i]
		return
	}
	got = value[figure[i]]
	if (base[i] != "-")
		got /= value[base[i]]
	bad = got > limit[i]
	missed += bad
	printf "%sok %d - %s: %s, at most %s\n", (bad ? "not " : ""), i, text[i],
		(base[i] == "-" ? got : sprintf("%.3f", got)), limit[i]
}

END {
	printf "1..%d\n", bars
	for (i = 1; i <= bars; i++)
		verdict(i)
	exit missed > 0
}
