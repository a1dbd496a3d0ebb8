# SPDX-License-Identifier: GPL-2.0-only
#
# Print every place of a kernel log (dmesg or console) that tells of a bug,
# with what surrounds it; exit status 1 if there is one.

function is_splat(line) {
	return line ~ /BUG:|BUG at|WARNING:|KASAN|KFENCE|KCSAN|UBSAN/ ||
	       line ~ /Oops|general protection|double fault|Kernel panic/ ||
	       line ~ /possible (circular|recursive|irq|deadlock)/ ||
	       line ~ /inconsistent lock state|suspicious RCU|held lock|lock held/ ||
	       line ~ /locks? still held|Invalid wait context|bad unlock balance/ ||
	       line ~ /unbalanced|refcount_t|hung task|blocked for more than/ ||
	       line ~ /rcu.*(stall|self-detected)|soft lockup|hard LOCKUP/ ||
	       line ~ /scheduling while atomic|sleeping function called/ ||
	       line ~ /ODEBUG|list_(add|del) corruption|Bad page|Bad rss/ ||
	       line ~ /stack guard|stack-protector|usercopy:|workqueue lockup/ ||
	       line ~ /Call Trace|DEBUG_LOCKS_WARN_ON|Turning off|turned off/
}

# Lines that match and are known to be harmless, each exactly.
function is_known(line) {
	return line ~ /^KASAN: no .*$|kasan: KernelAddressSanitizer initialized/ ||
	       line ~ /^kcsan: non-strict mode configured/
}

# The kernel shows where it was when there is no memory for a slab cache, for which it
# has two numbers, or for a module's file: no bug, if that is the fault that was
# injected.
function is_refused(line) {
	return line ~ /^__kmem_cache_create_args\(.*\) failed with error -(12|22)$/ ||
	       line ~ /^failnth: vmalloc error: /
}

{
	text = $0
	sub(/^(<[0-9]+>)?\[ *[0-9.]+\]( *\[ *[TC][0-9]+\])? */, "", text)
	lines[NR] = $0
	if (is_refused(text)) {
		refused = NR
	} else if (refused && NR - refused <= 6 && text == "Call Trace:") {
		refused = 0
	} else if (is_splat(text) && !is_known(text)) {
		for (i = NR - 6; i <= NR + 45; i++)
			show[i] = 1
		found = 1
	}
}

END {
	for (i = 1; i <= NR; i++) {
		if (!show[i])
			continue
		if (i > 1 && !show[i - 1])
			print "  ---"
		print "  " lines[i]
	}
	exit found ? 1 : 0
}
