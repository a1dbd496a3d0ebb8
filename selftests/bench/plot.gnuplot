# SPDX-License-Identifier: GPL-2.0-only
#
# gnuplot -e "tsv='FILE'; svg='FILE'; label='KERNEL'" plot.gnuplot
#
# Ratio to the pipe over the size of the message, ping-pong above, one way
# below, with the interval where there is one.

set terminal svg size 900,900 background "white"
set output svg
set datafile separator "\t"
set logscale x 2
set xrange [6:98304]
set xtics ("8 B" 8, "64 B" 64, "1 KiB" 1024, "4 KiB" 4096, "64 KiB" 65536)
set yrange [0:*]
set ylabel "ratio to pipe"
set key outside right
set grid ytics

mechanisms = "chan chan64 seqpacket mqueue eventfd"

# Lines "size ratio low high" of one measure and mechanism, from either kind of
# table: with an interval it has five columns, without one six. The first line
# is out of sight and ends with a gap; gnuplot warns of files without any.
rows(measure, mechanism) = sprintf("< awk -F '\\t' -v OFS='\\t' '" . \
	"BEGIN { print 1, 0, 0, 0; print \"\" } { split($1, part, \"/\") } part[1] == \"%s\" && part[2] == \"%s\" " . \
	"{ print part[3], NF == 5 ? $2 : $5, NF == 5 ? $3 : $5, NF == 5 ? $4 : $5 }' '%s'", \
	measure, mechanism, tsv)

set multiplot layout 2, 1
do for [measure in "pingpong oneway"] {
	set title measure . " on " . label
	plot 1 with lines linecolor "black" title "pipe", \
		for [i = 1:words(mechanisms)] rows(measure, word(mechanisms, i)) \
			using 1:2:3:4 with yerrorlines linewidth 2 title word(mechanisms, i)
}
unset multiplot
