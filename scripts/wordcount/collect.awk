# SPDX-License-Identifier: GPL-2.0-only
#
# Adds up for the demo: reads "PID WORKER NUMBER WORD=COUNT...", prints
# "line NUMBER WORKER WORDS PID" for each and, at the end, "total WORD COUNT".

{
	words = 0
	for (i = 4; i <= NF; i++) {
		split($i, part, "=")
		total[part[1]] += part[2]
		words += part[2]
	}
	print "line", $3, $2, words, $1
}

END {
	for (word in total)
		print "total", word, total[word]
}
