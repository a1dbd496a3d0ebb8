# SPDX-License-Identifier: GPL-2.0-only
#
# bars.tsv and rows of bench, in this order, to TAP. Fails if a bar is missed.
#
# A figure in bars.tsv is the name of one; or NAME:switches, its switches; or
# two names with " - " between them, what the first has more.

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

$3 != "cycle" {
	value[$1] = $2
	value[$1 ":switches"] = $4
}

function measured(what,    name, i)
{
	for (i = split(what, name, " - "); i; i--) {
		if (!(name[i] in value))
			return 0
	}
	return 1
}

function value_of(what,    name)
{
	return split(what, name, " - ") == 1 ? value[what] : value[name[1]] - value[name[2]]
}

# times_base: so many times what it is measured against.
function times_base(got, against)
{
	return against == 0 ? "-" : sprintf("%.3f", got / against)
}

function verdict(i,    got, against, bad)
{
	if (!measured(figure[i]) || (base[i] != "-" && !measured(base[i]))) {
		printf "ok %d - %s # SKIP not measured\n", i, text[i]
		return
	}
	got = value_of(figure[i])
	against = base[i] == "-" ? 1 : value_of(base[i])
	bad = got > limit[i] * against
	missed += bad
	printf "%sok %d - %s: %s, at most %s\n", (bad ? "not " : ""), i, text[i],
		(base[i] == "-" ? got : times_base(got, against)), limit[i]
}

END {
	printf "1..%d\n", bars
	for (i = 1; i <= bars; i++)
		verdict(i)
	exit missed > 0
}
