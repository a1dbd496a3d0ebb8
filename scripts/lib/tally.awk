# SPDX-License-Identifier: GPL-2.0-only
#
# Count the TAP that run-suites prints. -v suites="NAME..." are those that were
# to run, -v kernel=NAME is for the messages. The last line of the output is
#
#	PASSED FAILED SKIPPED
#
# and before it stands for each failure
#
#	# failed: KERNEL: SUITE: WHAT
#	#   | the last of what was said about it
#
# and one line for each reason to skip. What a program was not there to report
# counts as failed: the rest of its plan, and at least one if it ended badly
# without a "not ok".

# hear LINE: keep the last of what is said, until a result comes.
function hear(line) {
	sub(/^# ?/, "", line)
	if (line !~ /^[ \t]*$/)
		said[++heard] = substr(line, 1, 200)
}

function tell(    i) {
	for (i = heard > MOST_LINES ? heard - MOST_LINES + 1 : 1; i <= heard; i++)
		printf "#   | %s\n", said[i]
	heard = 0
}

function fail(what, count) {
	failed += count
	suite_failed += count
	printf "# failed: %s: %s: %s\n", kernel, suite, what
	tell()
}

# skip LINE: the reason stands behind the mark.
function skip(line) {
	skipped++
	sub(/.*# SKIP */, "", line)
	reasons[line]++
}

function finish_suite(status) {
	if (!planned)
		fail("printed no plan", 1)
	else if (seen < plan)
		fail((plan - seen) " of " plan " never ran (status " status ")",
		     plan - seen)
	else if (seen > plan)
		fail("more results than planned", 1)
	if (status != 0 && status != KSFT_SKIP && !suite_failed)
		fail("ended with status " status, 1)
	ended[suite] = 1
	suite = ""
}

BEGIN {
	KSFT_SKIP = 4
	MOST_LINES = 10
}

/^# suite / {
	suite = $3
	seen = plan = planned = suite_failed = heard = 0
	next
}

suite == "" { next }

/^# end / && $3 == suite {
	finish_suite($4)
	next
}

/^1\.\.[0-9]+/ {
	plan = substr($1, 4) + 0
	planned = 1
	# "1..0 # SKIP" is a whole program that cannot run here.
	if (plan == 0)
		skip($0)
	next
}

/^not ok/ {
	seen++
	fail($0, 1)
	next
}

/^ok/ {
	seen++
	heard = 0
	if (/# SKIP/)
		skip($0)
	else
		passed++
	next
}

{ hear($0) }

END {
	if (suite != "")
		finish_suite("unknown")
	count = split(suites, name)
	for (i = 1; i <= count; i++) {
		if (!ended[name[i]]) {
			suite = name[i]
			fail("did not run", 1)
		}
	}
	for (reason in reasons)
		printf "# skipped: %s: %d: %s\n", kernel, reasons[reason], reason
	print passed + 0, failed + 0, skipped + 0
}
