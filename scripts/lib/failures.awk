# SPDX-License-Identifier: GPL-2.0-only
#
# What failed in a script, of whose output all is here: -v name=SCRIPT and
# -v status=NUMBER. It says so itself at its end,
#
#	# failed: WHAT
#	#   | the last of what was said about it
#
# or has lines "not ok", or just ended: then it is what was said before that.

function tell(what,    i)
{
	own = own "# failed: " what "\n"
	for (i = heard > MOST_LINES ? heard - MOST_LINES + 1 : 1; i <= heard; i++)
		own = own "#   | " said[i] "\n"
	heard = 0
}

BEGIN {
	MOST_LINES = 15
}

/^# failed: / {
	told = 1
	telling = 1
	print
	next
}

telling && /^#   \| / {
	print
	next
}

{ telling = 0 }

/^not ok/ {
	tell(name ": " $0)
	next
}

/^ok/ {
	heard = 0
	next
}

{ said[++heard] = substr($0, 1, 200) }

END {
	if (told)
		exit
	if (own == "" && status)
		tell(name ": status " status)
	printf "%s", own
}
