# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "tsv='FILE'; svg='FILE'; label='KERNEL'" plot.gnuplot
#
# Ratio to the pipe over the size of the message, ping-pong above, one way
# below, with the interval where there is one; and the cost of a message on one
# of many links over their number, where that was measured.

set datafile separator "\t"
set key outside right
set grid ytics

mechanisms = "chan chan64 seqpacket mqueue eventfd"
ways = "chan poll epoll"

# Lines "size ratio low high" of one measure and mechanism, from either kind of
# table: with an interval it has five columns, without one six. The first line
# is out of sight and ends with a gap; gnuplot warns of files without any.
rows(measure, mechanism) = sprintf("< awk -F '\\t' -v OFS='\\t' '" . \
	"BEGIN { print 1, 0, 0, 0; print \"\" } { split($1, part, \"/\") } part[1] == \"%s\" && part[2] == \"%s\" " . \
	"{ print part[3], NF == 5 ? $2 : $5, NF == 5 ? $3 : $5, NF == 5 ? $4 : $5 }' '%s'", \
	measure, mechanism, tsv)

# Lines "links cost" of one way to wait for them, likewise.
costs(way) = sprintf("< awk -F '\\t' -v OFS='\\t' '" . \
	"BEGIN { print 0.1, 1; print \"\" } { split($1, part, \"/\") } part[1] == \"select\" && part[3] == \"%s\" " . \
	"{ print part[2], $2 }' '%s'", way, tsv)

selects = int(system(sprintf("grep -c '^select/' '%s'", tsv))) > 0

set terminal svg size 900,(selects ? 1350 : 900) background "white"
set output svg
set multiplot layout (selects ? 3 : 2), 1

set logscale x 2
set xrange [6:98304]
set xtics ("8 B" 8, "64 B" 64, "1 KiB" 1024, "4 KiB" 4096, "64 KiB" 65536)
set yrange [0:*]
set ylabel "ratio to pipe"
do for [measure in "pingpong oneway"] {
	set title measure . " on " . label
	plot 1 with lines linecolor "black" title "pipe", \
		for [i = 1:words(mechanisms)] rows(measure, word(mechanisms, i)) \
			using 1:2:3:4 with yerrorlines linewidth 2 title word(mechanisms, i)
}

if (selects) {
	set xrange [0.75:1366]
	set xtics ("1 link" 1, "2" 2, "8" 8, "64" 64, "1024" 1024)
	set logscale y
	set format y "%.0f"
	set yrange [8000:*]
	set ylabel "instructions per round trip"
	set title "select on " . label
	plot for [i = 1:words(ways)] costs(word(ways, i)) \
		using 1:2 with linespoints linewidth 2 title word(ways, i)
}
unset multiplot
