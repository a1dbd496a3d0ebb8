# SPDX-License-Identifier: GPL-2.0-only
#
# Rows of bench to a table, one block per measure, one line per size, one
# column per mechanism:
#
#	value, switches per operation and ratio to the pipe; or
#	ratio to the pipe and the interval it lies in.
#
# -v tsv=FILE writes the same as tab-separated values, one line per figure.

BEGIN {
	FS = OFS = "\t"
	title["pingpong"] = "ping-pong, per round trip"
	title["oneway"] = "one way, per message"
	unit_name["insn"] = "instructions"
	unit_name["cycle"] = "cycles"
}

/^#/ || NF < 5 {
	next
}

{
	split($1, part, "/")
	figures++
	name[figures] = $1
	value[$1] = $2
	unit[$1] = $3
	fourth[$1] = $4
	fifth[$1] = $5
	sixth[$1] = $6
	if (part[1] != "pingpong" && part[1] != "oneway")
		next
	note(measures, measure_at, part[1])
	note(mechanisms, mechanism_at, part[2])
	note(sizes, size_at, part[3])
	kind = $3
}

# note: in the order of first appearance; the list's length is at 0.
function note(list, at, what)
{
	if (!(what in at)) {
		list[++list[0]] = what
		at[what] = list[0]
	}
}

function ratio_to_pipe(figure,    part, pipe)
{
	split(figure, part, "/")
	pipe = part[1] "/pipe/" part[3]
	if (unit[figure] == "ratio" || figure == pipe || !(pipe in value))
		return "-"
	return sprintf("%.2f", value[figure] / value[pipe])
}

function cell(figure)
{
	if (!(figure in value))
		return "-"
	if (unit[figure] == "ratio")
		return sprintf("%.2f (%.2f-%.2f)", value[figure], fourth[figure], fifth[figure])
	return sprintf("%d  %.2f %5s", value[figure] + 0.5, fourth[figure], ratio_to_pipe(figure))
}

function block(measure,    m, s)
{
	if (kind == "ratio")
		print title[measure] ": ratio to pipe, median and 95 % interval"
	else
		print title[measure] ": " unit_name[kind] ", switches, ratio to pipe"
	printf "%8s", "bytes"
	for (m = 1; m <= mechanisms[0]; m++)
		printf " %19s", mechanisms[m]
	print ""
	for (s = 1; s <= sizes[0]; s++) {
		printf "%8s", sizes[s]
		for (m = 1; m <= mechanisms[0]; m++)
			printf " %19s", cell(measure "/" mechanisms[m] "/" sizes[s])
		print ""
	}
	print ""
}

function others(    i)
{
	for (i = 1; i <= figures; i++) {
		if (name[i] !~ /^(pingpong|oneway)\//)
			printf "%-24s %10.1f %s%s\n", name[i], value[name[i]], unit[name[i]],
				(fourth[name[i]] == "-" ? "" : ", " fourth[name[i]] " switches")
	}
}

function write_tsv(    i, f)
{
	if (kind == "ratio")
		print "figure", "ratio_to_pipe", "low", "high", "pairs" >tsv
	else
		print "figure", "value", "unit", "switches", "ratio_to_pipe", "operations" >tsv
	for (i = 1; i <= figures; i++) {
		f = name[i]
		if (unit[f] == "ratio")
			print f, value[f], fourth[f], fifth[f], sixth[f] >tsv
		else
			print f, value[f], unit[f], fourth[f], ratio_to_pipe(f), fifth[f] >tsv
	}
	close(tsv)
}

END {
	for (i = 1; i <= measures[0]; i++)
		block(measures[i])
	others()
	if (tsv != "")
		write_tsv()
}
