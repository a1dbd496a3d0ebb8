#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Worker of the demo, in Python: takes lines "NUMBER TEXT" from /dev/chan0 and
reports "Python NUMBER WORD=COUNT..." to /dev/chan1, until there are no more."""

import collections
import os
import re

lines = os.open("/dev/chan0", os.O_RDONLY)
reports = os.open("/dev/chan1", os.O_WRONLY)

while line := os.read(lines, 65536):
    number, text = line.split(b" ", 1)
    counts = collections.Counter(re.findall(rb"[a-z]+", text.lower()))
    words = [b"%s=%d" % count for count in counts.items()]
    os.write(reports, b" ".join([b"Python", number, *words]) + b"\n")
