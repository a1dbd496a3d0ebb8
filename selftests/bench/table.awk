# SPDX-License-Identifier: GPL-2.0-only
#
# Rows of bench to a table, one block per measure, one line per size or number
# of links, one column per mechanism:
#
#	value, switches per operation and ratio to what it is compared with; or
#	ratio to the pipe and the interval it lies in.
#
# -v tsv=FILE writes the same as tab-separated values, one line per figure.

BEGIN {
	FS = OFS = "\t"
	title["pingpong"] = "ping-pong, per round trip"
	title["oneway"] = "one way, per message"
	title["select1"] = "one-case selects, per round trip and per message"
	title["select"] = "one of many links, per round trip"
	title["select-default"] = "one of many links, by the default of the scheduler, per round trip"
	title["select-try"] = "nothing on many links, per look"
	compared_with["pingpong"] = compared_with["oneway"] = "the pipe"
	compared_with["select1"] = "write and read"
	compared_with["select"] = compared_with["select-default"] = "poll"
	compared_with["select-try"] = "poll"
	lines_are["pingpong"] = lines_are["oneway"] = lines_are["select1"] = "bytes"
	lines_are["select"] = lines_are["select-default"] = "links"
	lines_are["select-try"] = "links"
	plain["pingpong"] = "pingpong/chan"
	plain["oneway"] = "oneway/chan64"
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
	kind = $3 == "byte" ? kind : $3
	if (part[1] in title)
		place($1, part[1], part[2], part[3])
}

# place: into a block, in the order of first appearance. Figures of selects
# have the line in the second part of their name, others in the third.
function place(figure, measure, second, third,    line, column)
{
	line = lines_are[measure] == "links" ? second : third
	column = lines_are[measure] == "links" ? third : second
	note(measures, "", measure)
	note(lines, measure, line)
	note(columns, measure, column)
	figure_at[measure, line, column] = figure
}

# note: in the order of first appearance; the number of them is at 0.
function note(list, measure, what)
{
	if (!((measure, "has", what) in list)) {
		list[measure, "has", what]
		list[measure, ++list[measure, 0]] = what
	}
}

# base_of: the figure that this one is compared with.
function base_of(figure,    part)
{
	split(figure, part, "/")
	if (part[1] == "select1")
		return plain[part[2]] "/" part[3]
	if (lines_are[part[1]] == "links")
		return part[1] "/" part[2] "/poll"
	return part[1] "/pipe/" part[3]
}

function ratio(figure,    base)
{
	base = base_of(figure)
	if (unit[figure] == "ratio" || figure == base || !(base in value))
		return "-"
	return sprintf("%.2f", value[figure] / value[base])
}

function cell(figure)
{
	if (!(figure in value))
		return "-"
	if (unit[figure] == "ratio")
		return sprintf("%.2f (%.2f-%.2f)", value[figure], fourth[figure], fifth[figure])
	return sprintf("%d  %.2f %5s", value[figure] + 0.5, fourth[figure], ratio(figure))
}

function block(measure,    l, c)
{
	if (kind == "ratio")
		print title[measure] ": ratio to pipe, median and 95 % interval"
	else
		print title[measure] ": " unit_name[kind] ", switches, ratio to " compared_with[measure]
	printf "%8s", lines_are[measure]
	for (c = 1; c <= columns[measure, 0]; c++)
		printf " %19s", columns[measure, c]
	print ""
	for (l = 1; l <= lines[measure, 0]; l++) {
		printf "%8s", lines[measure, l]
		for (c = 1; c <= columns[measure, 0]; c++)
			printf " %19s", cell(figure_at[measure, lines[measure, l], columns[measure, c]])
		print ""
	}
	print ""
}

function others(    i, part)
{
	for (i = 1; i <= figures; i++) {
		split(name[i], part, "/")
		if (!(part[1] in title))
			printf "%-24s %10.1f %s%s\n", name[i], value[name[i]], unit[name[i]],
				(fourth[name[i]] == "-" ? "" : ", " fourth[name[i]] " switches")
	}
}

function write_tsv(    i, f)
{
	if (kind == "ratio")
		print "figure", "ratio_to_pipe", "low", "high", "pairs" >tsv
	else
		print "figure", "value", "unit", "switches", "ratio", "operations" >tsv
	for (i = 1; i <= figures; i++) {
		f = name[i]
		if (unit[f] == "ratio")
			print f, value[f], fourth[f], fifth[f], sixth[f] >tsv
		else
			print f, value[f], unit[f], fourth[f], ratio(f), fifth[f] >tsv
	}
	close(tsv)
}

END {
	for (i = 1; i <= measures["", 0]; i++)
		block(measures["", i])
	others()
	if (tsv != "")
		write_tsv()
}
