# SPDX-License-Identifier: GPL-2.0-only
#
# awk -f seeds.awk fuzz.seeds: each string as NAME and what printf(1) makes it of.

function byte(n) {
	out = out sprintf("\\x%02x", n)
}

# DIR CH HOW, from word i on
function operation(i) {
	byte((w[i] == "send" ? 16 : 0) + w[i + 1])
	byte(w[i + 2])
}

BEGIN {
	action["park"] = action["select"] = 0
	action["try"] = 5
	action["look"] = 6
	action["visit"] = 7
	action["on"] = 10
	action["back"] = 12
	action["commit"] = 14
	action["channel"] = 15
}

/^#/ || !NF { next }

{
	name = $1
	sub(/:$/, "", name)
	sub(/^[^:]*: /, "")
	steps = split($0, step, "; *")
	out = ""
	for (s = 1; s <= steps; s++) {
		n = split(step[s], w, " ")
		if (w[1] != "caps")
			byte(action[w[1]])
		if (w[1] ~ /^(park|try|select)$/) {
			byte(w[2])
			for (i = 3; i < n; i += 3)
				operation(i)
			continue
		}
		for (i = 2; i <= n; i++)
			byte(w[i])
	}
	print name, out
}
