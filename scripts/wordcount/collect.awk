# SPDX-License-Identifier: GPL-2.0-only
#
# Collector of the demo: merges reports "WORKER NUMBER WORD=COUNT...". Prints
# "line NUMBER WORKER WORDS" for each and, at the end, "total WORD COUNT".

{
	words = 0
	for (i = 3; i <= NF; i++) {
		split($i, part, "=")
		total[part[1]] += part[2]
		words += part[2]
	}
	print "line", $2, $1, words
}

END {
	for (word in total)
		print "total", word, total[word]
}
