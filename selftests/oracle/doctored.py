#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does the oracle notice?

Gives its checker histories made by hand: right ones, which it must accept, and for
each rule wrong ones, which it must reject for that rule and no other. Then many
short random ones, on which it must agree with an exhaustive search; and a long one,
which must not take long. The format stands in history.h. CHAN_ORACLE_SEED makes other
random ones.
"""

import errno
import itertools
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections import namedtuple

CHECKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "histories")
SEED = int(os.environ.get("CHAN_ORACLE_SEED") or 1)
RANDOM_HISTORIES = 4000
LONG_OPERATIONS = 320000
LONG_SECONDS = 20

# Name, rule (None: it is right), history; errors by name.
DOCTORED = [
    (
        "a rendezvous",
        None,
        """
        channel 0 0
        1 10 30 write wait ok:0 s0:1
        2 20 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a rendezvous at a single moment",
        None,
        """
        channel 0 0
        1 10 20 write wait ok:0 s0:1
        2 20 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a queue",
        None,
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        1 50 90 write wait ok:0 s0:3
        2 60 65 read wait ok:0:1 r0
        2 70 75 read wait ok:0:2 r0
        2 80 85 read wait ok:0:3 r0
        """,
    ),
    (
        "sends at the same time, in any order",
        None,
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        2 15 25 write wait ok:0 s0:2
        3 30 35 read wait ok:0:2 r0
        3 40 45 read wait ok:0:1 r0
        """,
    ),
    (
        "a message that is still buffered",
        None,
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        2 50 55 read wait ok:0:1 r0
        """,
    ),
    (
        "a select whose losers did nothing",
        None,
        """
        channel 0 0
        channel 1 1
        1 10 30 select wait ok:0 s0:1 s1:2 r1
        2 20 40 select wait ok:1:1 r1 r0
        3 10 50 read wait err:EINTR r1
        """,
    ),
    (
        "two selects that meet",
        None,
        """
        channel 0 0
        1 10 30 select wait ok:0 s0:1 r0
        2 20 40 select wait ok:1:1 s0:2 r0
        """,
    ),
    (
        "tries that had no chance at one moment",
        None,
        """
        channel 0 1
        channel 1 1
        2 1 2 read nowait err:EAGAIN r0
        1 10 20 write wait ok:0 s0:1
        2 15 25 read nowait err:EAGAIN r0
        1 30 40 write nowait err:EAGAIN s0:2
        2 50 60 read wait ok:0:1 r0
        1 70 80 write wait ok:0 s0:3
        3 55 75 select nowait err:EAGAIN r0 r1
        2 90 95 read wait ok:0:3 r0
        """,
    ),
    (
        "calls that gave up",
        None,
        """
        channel 0 0
        channel 1 1
        1 10 60 select until:50 err:ETIMEDOUT s0:1 r1
        2 10 30 write wait err:EINTR s0:2
        3 20 30 write wait err:EFAULT s0:3
        4 10 90 write wait ok:0 s0:4
        5 80 95 read wait ok:0:4 r0
        """,
    ),
    (
        "a close, told to all",
        None,
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 25 45 write wait end:0:EPIPE s0:2
        1 30 40 close wait ok:0 s0:EIO
        3 50 55 read wait ok:0:1 r0
        3 60 65 read wait end:0:EIO r0
        4 62 67 select wait end:0:EIO r0
        5 50 60 close wait ok:0 s0:0
        5 70 75 write nowait end:0:EPIPE s0:3
        """,
    ),
    (
        "two closes at once, the later of which stands",
        None,
        """
        channel 0 1
        1 10 30 close wait ok:0 s0:EIO
        2 20 40 close wait ok:0 s0:0
        3 35 50 read wait end:0:EPIPE r0
        """,
    ),
    (
        "a cancel that drops what was buffered",
        None,
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 22 24 write wait ok:0 s0:2
        2 30 40 cancel wait ok:0 r0
        3 25 45 read wait ok:0:1 r0
        3 50 55 read wait end:0:ECANCELED r0
        1 50 55 write wait end:0:ECANCELED s0:3
        """,
    ),
    (
        "cases of higher rank that had no chance",
        None,
        """
        channel 0 1
        channel 1 1
        1 10 20 write wait ok:0 s1:1
        2 30 40 select wait! ok:1:1 r0 r1
        """,
    ),
    (
        "a sender that was killed, and its message received",
        None,
        """
        channel 0 0
        1 10 50 write wait killed s0:1
        2 20 30 read wait ok:0:1 r0
        """,
    ),
    (
        "a sender that was killed, and its message not sent",
        None,
        """
        channel 0 1
        1 10 50 write wait killed s0:1
        2 20 30 read nowait err:EAGAIN r0
        3 60 70 close wait ok:0 s0:0
        2 80 90 read wait end:0:EPIPE r0
        """,
    ),
    (
        "a receiver that was killed, and kept the message",
        None,
        """
        channel 0 0
        1 10 30 write wait ok:0 s0:1
        2 20 40 read wait killed r0
        3 50 60 close wait ok:0 s0:0
        4 70 80 read wait end:0:EPIPE r0
        """,
    ),
    (
        "a receiver that was killed, and gave it back too late for the order",
        None,
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        2 12 60 read wait killed r0
        3 45 50 read wait ok:0:2 r0
        3 70 80 read wait ok:0:1 r0
        """,
    ),
    (
        "a receiver with bad memory, by which a message outlives its send",
        None,
        """
        channel 0 0
        2 5 40 read wait err:EFAULT r0
        1 10 20 write wait ok:0 s0:1
        3 50 60 read wait ok:0:1 r0
        """,
    ),
    (
        "totals",
        None,
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:1 r0
        3 50 90 write wait killed s0:2
        4 95 99 info wait ok:0 s0:2 r0:1
        """,
    ),
    (
        "a try while somebody may not have parked yet",
        None,
        """
        calm
        channel 0 0
        1 10 90 write wait ok:0 s0:1
        2 20 30 info wait ok:0 s0:0 r0:0 s0:0 r0:0
        2 40 50 read nowait err:EAGAIN r0
        3 60 95 read wait ok:0:1 r0
        """,
    ),
    (
        "a try after another receive has begun",
        None,
        """
        calm
        channel 0 0
        1 10 90 write wait ok:0 s0:1
        2 20 30 info wait ok:0 s0:0 r0:0 s0:1 r0:0
        3 45 95 read wait ok:0:1 r0
        2 40 50 read nowait err:EAGAIN r0
        """,
    ),
    (
        "two calls of one task at once",
        "shape",
        """
        channel 0 1
        1 10 30 write wait ok:0 s0:1
        1 20 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a call that never returned",
        "returns",
        """
        channel 0 0
        1 10 20 close wait ok:0 s0:0
        2 30 900 read wait running r0
        """,
    ),
    (
        "a message from nowhere",
        "fresh",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:7 r0
        """,
    ),
    (
        "a message from another channel",
        "fresh",
        """
        channel 0 1
        channel 1 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:1 r1
        """,
    ),
    (
        "a message before it was sent",
        "fresh",
        """
        channel 0 1
        2 10 20 read wait ok:0:1 r0
        1 30 40 write wait ok:0 s0:1
        """,
    ),
    (
        "a message twice",
        "once",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:1 r0
        3 50 60 read wait ok:0:1 r0
        """,
    ),
    (
        "a lost message",
        "lost",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        2 50 60 read wait ok:0:2 r0
        """,
    ),
    (
        "a lost message, and no buffer where it could be",
        "lost",
        """
        channel 0 0
        1 10 20 write wait ok:0 s0:1
        2 15 60 read wait err:EINTR r0
        """,
    ),
    (
        "two lost messages, and one killed receiver",
        "lost",
        """
        channel 0 0
        1 10 30 write wait ok:0 s0:1
        3 10 30 write wait ok:0 s0:2
        2 20 40 read wait killed r0
        """,
    ),
    (
        "a lost message, and a killed receiver that came later",
        "lost",
        """
        channel 0 0
        1 10 30 write wait ok:0 s0:1
        2 40 50 read wait killed r0
        """,
    ),
    (
        "a lost message, and a killed select that had sent",
        "lost",
        """
        channel 0 0
        channel 1 0
        1 10 30 write wait ok:0 s0:1
        2 20 50 select wait killed r0 s1:2
        3 20 40 read wait ok:0:2 r1
        """,
    ),
    (
        "a lost message, and a receiver with bad memory",
        "lost",
        """
        channel 0 0
        1 10 30 write wait ok:0 s0:1
        2 20 50 read wait err:EFAULT r0
        """,
    ),
    (
        "a message that a cancel dropped, but not the last",
        "lost",
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 22 24 write wait ok:0 s0:2
        3 25 28 read wait ok:0:2 r0
        2 30 40 cancel wait ok:0 r0
        """,
    ),
    (
        "two messages that a cancel dropped, and one place",
        "lost",
        """
        channel 0 1
        1 10 35 write wait ok:0 s0:1
        2 10 35 write wait ok:0 s0:2
        3 30 40 cancel wait ok:0 r0
        """,
    ),
    (
        "messages out of order",
        "order",
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        2 50 60 read wait ok:0:2 r0
        2 70 80 read wait ok:0:1 r0
        """,
    ),
    (
        "messages out of order, and a killed receiver that came later",
        "order",
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        2 50 60 read wait ok:0:2 r0
        2 70 80 read wait ok:0:1 r0
        3 65 90 read wait killed r0
        """,
    ),
    (
        "a send that did not wait for its receiver",
        "overlap",
        """
        channel 0 0
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a select that met itself",
        "select-one",
        """
        channel 0 0
        1 10 20 select wait ok:1:1 s0:1 r0
        """,
    ),
    (
        "two that do not wait, and met",
        "partner",
        """
        channel 0 0
        1 10 30 write nowait ok:0 s0:1
        2 20 40 read nowait ok:0:1 r0
        """,
    ),
    (
        "one message too many in the buffer",
        "capacity",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        1 30 40 write wait ok:0 s0:2
        2 50 60 read wait ok:0:1 r0
        2 70 80 read wait ok:0:2 r0
        """,
    ),
    (
        "one too many, because another has to be received first",
        "capacity",
        """
        channel 0 2
        1 10 11 write wait ok:0 s0:1
        1 12 13 write wait ok:0 s0:2
        3 50 150 read wait ok:0:2 r0
        1 60 61 write wait ok:0 s0:3
        2 100 101 read wait ok:0:1 r0
        2 200 201 read wait ok:0:3 r0
        """,
    ),
    (
        "two sends of one select",
        "select-one",
        """
        channel 0 1
        channel 1 1
        1 10 20 select wait ok:0 s0:1 s1:2
        2 30 40 read wait ok:0:1 r0
        2 50 60 read wait ok:0:2 r1
        """,
    ),
    (
        "a receive and a send of one select",
        "select-one",
        """
        channel 0 1
        channel 1 1
        2 1 5 write wait ok:0 s0:1
        1 10 20 select wait ok:0:1 r0 s1:2
        2 50 60 read wait ok:0:2 r1
        """,
    ),
    (
        "two sends of one select that was killed",
        "select-one",
        """
        channel 0 1
        channel 1 1
        1 10 20 select wait killed s0:1 s1:2
        2 30 40 read wait ok:0:1 r0
        2 50 60 read wait ok:0:2 r1
        """,
    ),
    (
        "a loser beside a case that had ended",
        "loser",
        """
        channel 0 0
        channel 1 1
        2 1 5 close wait ok:0 s0:0
        1 10 20 select wait end:0:EPIPE s0:1 s1:2
        2 30 40 read wait ok:0:2 r1
        """,
    ),
    (
        "a send that would have waited, and was received",
        "no-effect",
        """
        channel 0 1
        3 1 5 write wait ok:0 s0:9
        1 10 20 write nowait err:EAGAIN s0:1
        3 25 28 read wait ok:0:9 r0
        2 30 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a send that was interrupted, and received",
        "no-effect",
        """
        channel 0 0
        1 10 20 write wait err:EINTR s0:1
        2 15 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a send that was too late, and received",
        "no-effect",
        """
        channel 0 0
        1 10 20 select until:15 err:ETIMEDOUT s0:1
        2 15 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a send that was cancelled, and received",
        "no-effect",
        """
        channel 0 0
        3 12 14 cancel wait ok:0 r0
        1 10 20 write wait end:0:ECANCELED s0:1
        2 11 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a send into bad memory, and received",
        "no-effect",
        """
        channel 0 1
        1 10 20 write wait err:EFAULT s0:1
        2 15 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a receive that found nothing, though a message was there",
        "would-block",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read nowait err:EAGAIN r0
        2 50 60 read wait ok:0:1 r0
        """,
    ),
    (
        "a receive that found nothing, though one of two was always there",
        "would-block",
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 40 50 write wait ok:0 s0:2
        2 60 65 read wait ok:0:1 r0
        3 30 70 read nowait err:EAGAIN r0
        2 80 85 read wait ok:0:2 r0
        """,
    ),
    (
        "a send that found no place, though one was free",
        "would-block",
        """
        channel 0 2
        1 10 20 write wait ok:0 s0:1
        1 30 40 write nowait err:EAGAIN s0:2
        """,
    ),
    (
        "a select of two channels, one of which was always possible",
        "would-block",
        """
        channel 0 1
        channel 1 1
        1 10 20 write wait ok:0 s0:1
        1 40 50 write wait ok:0 s1:2
        2 60 65 read wait ok:0:1 r0
        3 30 70 select nowait err:EAGAIN r0 r1
        2 80 85 read wait ok:0:2 r1
        """,
    ),
    (
        "a deadline that passed, though a message was there",
        "would-block",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 60 select until:50 err:ETIMEDOUT r0
        """,
    ),
    (
        "a receive that would have waited on a closed channel",
        "would-block",
        """
        channel 0 0
        1 10 20 close wait ok:0 s0:0
        2 30 40 read nowait err:EAGAIN r0
        """,
    ),
    (
        "a receive that found nothing, though a sender was parked",
        "would-block",
        """
        calm
        channel 0 0
        1 10 90 write wait ok:0 s0:1
        2 20 30 info wait ok:0 s0:0 r0:0 s0:1 r0:0
        2 40 50 read nowait err:EAGAIN r0
        3 60 95 read wait ok:0:1 r0
        """,
    ),
    (
        "a send that found nobody, though one of two was parked all the time",
        "would-block",
        """
        calm
        channel 0 0
        1 10 70 read wait ok:0:1 r0
        2 12 90 select until:80 err:ETIMEDOUT r0
        3 20 30 info wait ok:0 s0:0 r0:0 s0:0 r0:2
        4 35 75 write wait ok:0 s0:1
        3 40 50 write nowait err:EAGAIN s0:2
        """,
    ),
    (
        "a call that gave up before its deadline",
        "deadline",
        """
        channel 0 0
        1 10 20 select until:50 err:ETIMEDOUT r0
        """,
    ),
    (
        "a call that gave up without a deadline",
        "deadline",
        """
        channel 0 0
        1 10 20 select wait err:ETIMEDOUT r0
        """,
    ),
    (
        "a case of lower rank",
        "priority",
        """
        channel 0 1
        channel 1 1
        1 10 20 write wait ok:0 s0:1
        1 22 24 write wait ok:0 s1:2
        2 30 40 select wait! ok:1:2 r0 r1
        """,
    ),
    (
        "a send after the close",
        "after-close",
        """
        channel 0 1
        1 10 20 close wait ok:0 s0:0
        2 30 40 write wait ok:0 s0:1
        """,
    ),
    (
        "a rendezvous after the close",
        "after-close",
        """
        channel 0 0
        2 5 50 write wait ok:0 s0:1
        1 10 20 close wait ok:0 s0:0
        3 30 40 read wait ok:0:1 r0
        """,
    ),
    (
        "a send after somebody was told of the close",
        "after-close",
        """
        channel 0 1
        1 10 90 close wait ok:0 s0:0
        3 15 20 write wait end:0:EPIPE s0:2
        2 30 40 write wait ok:0 s0:1
        """,
    ),
    (
        "an end before the close",
        "uncaused",
        """
        channel 0 1
        2 10 20 read wait end:0:EPIPE r0
        1 30 40 close wait ok:0 s0:0
        """,
    ),
    (
        "an end, and nobody has closed",
        "uncaused",
        """
        channel 0 0
        2 10 20 write wait end:0:ECANCELED s0:1
        """,
    ),
    (
        "an end while a message was there",
        "drained",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        1 30 40 close wait ok:0 s0:0
        2 50 60 read wait end:0:EPIPE r0
        2 70 80 read wait ok:0:1 r0
        """,
    ),
    (
        "another cause than that of the close",
        "cause",
        """
        channel 0 0
        1 10 20 close wait ok:0 s0:EIO
        2 50 60 read wait end:0:EPROTO r0
        """,
    ),
    (
        "two causes",
        "cause",
        """
        channel 0 0
        1 10 30 close wait ok:0 s0:EIO
        2 20 40 close wait ok:0 s0:EPROTO
        3 50 60 read wait end:0:EPROTO r0
        3 70 80 read wait end:0:EIO r0
        """,
    ),
    (
        "the cause of a second close",
        "cause",
        """
        channel 0 0
        1 10 20 close wait ok:0 s0:EIO
        2 30 40 close wait ok:0 s0:EPROTO
        3 50 60 read wait end:0:EPROTO r0
        """,
    ),
    (
        "a message after the cancel",
        "canceled",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        3 30 40 cancel wait ok:0 r0
        2 50 60 read wait ok:0:1 r0
        """,
    ),
    (
        "an end of file after the cancel",
        "canceled",
        """
        channel 0 1
        1 10 20 close wait ok:0 s0:0
        3 30 40 cancel wait ok:0 r0
        2 50 60 read wait end:0:EPIPE r0
        """,
    ),
    (
        "a total that is too high",
        "totals",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:1 r0
        4 95 99 info wait ok:0 s0:2 r0:1
        """,
    ),
    (
        "more parked than calls",
        "totals",
        """
        calm
        channel 0 0
        1 10 90 write wait ok:0 s0:1
        2 20 30 info wait ok:0 s0:0 r0:0 s0:2 r0:0
        3 60 95 read wait ok:0:1 r0
        """,
    ),
    (
        "a total that is too low",
        "totals",
        """
        channel 0 1
        1 10 20 write wait ok:0 s0:1
        2 30 40 read wait ok:0:1 r0
        4 95 99 info wait ok:0 s0:1 r0:0
        """,
    ),
]

RULES = (
    "shape returns fresh once lost order overlap partner capacity select-one loser "
    "no-effect would-block deadline priority after-close uncaused drained cause "
    "canceled totals"
).split()


# --- The checker ---


def check(text):
    """Its verdicts: for each history the set of rules, and what was said."""
    with tempfile.NamedTemporaryFile("w", suffix=".history") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(
            [CHECKER, "--check", file.name], capture_output=True, text=True, check=False
        )
    if done.returncode not in (0, 1):
        sys.exit(f"{CHECKER}: status {done.returncode}: {done.stderr}")
    verdicts = []
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            verdicts.append((set(), []))
        elif not line.startswith("    "):
            verdicts[-1][0].add(line.split(":")[0].strip())
        verdicts[-1][1].append(line)
    return verdicts


def numbered(text):
    """Errors by number."""
    words = []
    for word in text.split(" "):
        head, colon, tail = word.rpartition(":")
        name, newline, rest = tail.partition("\n")
        if hasattr(errno, name):
            word = head + colon + str(getattr(errno, name)) + newline + rest
        words.append(word)
    return " ".join(words)


# --- An exhaustive search ---

Case = namedtuple("Case", "op channel value")
SEND, RECV = "s", "r"


class Operation:
    """One call; @outcome is ok, end, err or killed, with what belongs to it."""

    def __init__(self, task, kind, how, cases):
        self.task, self.kind, self.how, self.cases = task, kind, how, cases
        self.begin = self.end = 0
        self.outcome, self.chosen, self.value = None, 0, 0


class Search:
    """Is there an order of all that explains it? After Wing and Gong, by trying."""

    def __init__(self, capacities, ops, bounded=True):
        self.capacities, self.ops, self.bounded = capacities, ops, bounded
        self.seen = set()

    def explained(self):
        empty = tuple(() for _ in self.capacities)
        return self.search(frozenset(), 0, empty, tuple(None for _ in self.capacities))

    def search(self, done, latest, buffers, closed):
        key = (done, latest, buffers, closed)
        if key in self.seen:
            return False
        self.seen.add(key)
        left = [i for i in range(len(self.ops)) if i not in done]
        bound = min(
            (self.ops[i].end for i in left if self.ops[i].outcome != "killed"), default=None
        )
        if bound is None:
            return True
        if bound < latest:
            return False
        for group, after in self.steps(left, buffers, closed):
            begin = max([latest] + [self.ops[i].begin for i in group])
            end = min(self.ops[i].end for i in group)
            if begin <= bound and begin <= end:
                if self.search(done | set(group), begin, *after):
                    return True
        return False

    def steps(self, left, buffers, closed):
        """What may happen next: who takes part, and how channels are then."""
        for i in left:
            op = self.ops[i]
            if op.kind == "close":
                channel = op.cases[0].channel
                cause = op.cases[0].value or errno.EPIPE
                after = tuple(
                    cause if k == channel and c is None else c for k, c in enumerate(closed)
                )
                yield (i,), (buffers, after)
            elif op.outcome == "err":
                if op.value == errno.EINTR or not any(
                    self.possible(c, buffers, closed) for c in op.cases
                ):
                    yield (i,), (buffers, closed)
            elif op.outcome == "end":
                if self.ended(op, buffers, closed):
                    yield (i,), (buffers, closed)
            else:
                yield from self.transfers(i, left, buffers, closed)

    def possible(self, case, buffers, closed):
        if closed[case.channel] is not None:
            return True
        if case.op == RECV:
            return bool(buffers[case.channel])
        return self.bounded and self.has_place(case.channel, buffers)

    def has_place(self, channel, buffers):
        capacity = self.capacities[channel]
        return capacity and (not self.bounded or len(buffers[channel]) < capacity)

    def ended(self, op, buffers, closed):
        case = op.cases[op.chosen]
        cause = closed[case.channel]
        if cause is None:
            return False
        if case.op == SEND:
            return op.value == errno.EPIPE
        return not buffers[case.channel] and op.value == cause

    def candidates(self, i):
        op = self.ops[i]
        if op.outcome == "killed":
            return list(op.cases)
        return [op.cases[op.chosen]] if op.outcome == "ok" else []

    def takes(self, i, value):
        return self.ops[i].outcome == "killed" or self.ops[i].value == value

    def transfers(self, i, left, buffers, closed):
        for case in self.candidates(i):
            channel = case.channel
            line = buffers[channel]
            if not self.capacities[channel]:
                if case.op == SEND and closed[channel] is None:
                    yield from self.meetings(i, case, left, buffers, closed)
            elif case.op == RECV:
                if line and self.takes(i, line[0]):
                    yield (i,), (replaced(buffers, channel, line[1:]), closed)
            elif closed[channel] is None and self.has_place(channel, buffers):
                after = replaced(buffers, channel, line + (case.value,))
                yield (i,), (after, closed)

    def meetings(self, i, case, left, buffers, closed):
        for k in left:
            if k == i or self.ops[k].kind == "close" or self.ops[k].outcome not in (
                "ok",
                "killed",
            ):
                continue
            if self.never_parks(i) and self.never_parks(k):
                continue
            for other in self.candidates(k):
                if (
                    other.op == RECV
                    and other.channel == case.channel
                    and self.takes(k, case.value)
                ):
                    yield (i, k), (buffers, closed)

    def never_parks(self, i):
        return self.ops[i].how == "nowait" and len(self.ops[i].cases) == 1


def replaced(items, at, item):
    return items[:at] + (item,) + items[at + 1 :]


# --- Random histories ---


class Simulation:
    """Some tasks do as they like on correct channels."""

    def __init__(self, rng):
        self.rng = rng
        self.capacities = [rng.choice([0, 1, 1, 2, 3]) for _ in range(rng.choice([1, 1, 2]))]
        self.buffers = [[] for _ in self.capacities]
        self.closed = [None for _ in self.capacities]
        self.now = 0
        self.values = itertools.count(1)
        self.ops = []
        self.active = {}
        self.left = {task: rng.randint(1, 3) for task in range(rng.randint(2, 4))}
        self.closes = rng.random() < 0.4

    def run(self):
        for _ in range(200):
            self.now += 10
            tasks = [t for t in self.left if self.left[t] or t in self.active]
            if not tasks:
                break
            self.step(self.rng.choice(tasks))
        self.now += 10
        for op in self.active.values():
            op.end = self.now
            if not op.outcome:
                op.outcome, op.value = self.rng.choice(
                    [("killed", 0), ("err", errno.EINTR)]
                )
        return self.ops

    def step(self, task):
        op = self.active.get(task)
        if not op:
            self.left[task] -= 1
            op = self.new_operation(task)
            op.begin = self.now
            self.active[task] = op
            self.ops.append(op)
        elif op.outcome:
            op.end = self.now
            del self.active[task]
        else:
            self.carry_out(op)

    def new_operation(self, task):
        rng = self.rng
        if self.closes and rng.random() < 0.1:
            cause = rng.choice([0, errno.EIO])
            channel = rng.randrange(len(self.capacities))
            return Operation(task, "close", "wait", [Case(SEND, channel, cause)])
        cases = []
        for _ in range(rng.choice([1, 1, 1, 2])):
            channel = rng.randrange(len(self.capacities))
            if rng.random() < 0.5:
                cases.append(Case(SEND, channel, next(self.values)))
            else:
                cases.append(Case(RECV, channel, 0))
        return Operation(task, "call", rng.choice(["wait", "wait", "nowait"]), cases)

    def carry_out(self, op):
        if op.kind == "close":
            channel = op.cases[0].channel
            if self.closed[channel] is None:
                self.closed[channel] = op.cases[0].value or errno.EPIPE
            op.outcome = "ok"
            return
        order = list(range(len(op.cases)))
        self.rng.shuffle(order)
        for index in order:
            if self.try_case(op, index):
                return
        if op.how == "nowait":
            op.outcome, op.value = "err", errno.EAGAIN

    def try_case(self, op, index):
        case = op.cases[index]
        line, cause = self.buffers[case.channel], self.closed[case.channel]
        if case.op == RECV and line:
            finish(op, index, line.pop(0))
        elif cause is not None:
            op.outcome, op.chosen = "end", index
            op.value = errno.EPIPE if case.op == SEND else cause
        elif case.op == SEND and len(line) < self.capacities[case.channel]:
            line.append(case.value)
            finish(op, index, 0)
        else:
            return self.meet(op, index)
        return True

    def meet(self, op, index):
        case = op.cases[index]
        if self.capacities[case.channel]:
            return False
        for other in self.active.values():
            if other is op or other.outcome or other.how == "nowait" or other.kind == "close":
                continue
            for k, theirs in enumerate(other.cases):
                if theirs.channel == case.channel and theirs.op != case.op:
                    value = case.value if case.op == SEND else theirs.value
                    finish(op, index, value)
                    finish(other, k, value)
                    return True
        return False


def finish(op, index, value):
    op.outcome, op.chosen = "ok", index
    op.value = value if op.cases[index].op == RECV else 0


def perturb(rng, ops):
    """Something may be wrong now, or may not."""
    op = rng.choice(ops)
    kind = rng.randrange(5)
    if kind == 0:
        move(rng, ops, op)
    elif kind == 1:
        others = [o for o in ops if o.outcome == "ok" and o.value]
        if len(others) > 1:
            a, b = rng.sample(others, 2)
            a.value, b.value = b.value, a.value
    elif kind == 2 and op.kind != "close":
        op.outcome, op.value = "err", rng.choice([errno.EAGAIN, errno.EINTR])
    elif kind == 3 and op.kind != "close":
        op.outcome = "killed"
        for later in [o for o in ops if o.task == op.task and o.begin > op.begin]:
            ops.remove(later)
    elif op.kind != "close" and op.outcome != "killed":
        finish(op, rng.randrange(len(op.cases)), rng.randint(1, 6))


def move(rng, ops, op):
    """Somewhere else between the operations before and after it of its task."""
    own = sorted((o for o in ops if o.task == op.task), key=lambda o: o.begin)
    at = own.index(op)
    low = own[at - 1].end + 1 if at else 0
    high = own[at + 1].begin - 1 if at + 1 < len(own) else max(o.end for o in ops) + 50
    if high > low:
        op.begin, op.end = sorted(rng.randint(low, high) for _ in range(2))


def as_text(name, capacities, ops):
    lines = [f"history {name}"]
    lines += [f"channel {i} {capacity}" for i, capacity in enumerate(capacities)]
    return "\n".join(lines + [as_line(op) for op in ops]) + "\n"


def as_line(op):
    case = op.cases[op.chosen]
    if op.outcome == "ok":
        outcome = f"ok:{op.chosen}" + (f":{op.value}" if case.op == RECV else "")
    else:
        outcome = {"end": f"end:{op.chosen}:{op.value}", "err": f"err:{op.value}"}.get(
            op.outcome, "killed"
        )
    kind = op.kind if op.kind == "close" else "select"
    cases = " ".join(
        f"{c.op}{c.channel}:{c.value}" if c.op == SEND else f"{c.op}{c.channel}"
        for c in op.cases
    )
    return f"{op.task} {op.begin} {op.end} {kind} {op.how} {outcome} {cases}"


# --- Tests ---


class Tap:
    """Results as they come."""

    def __init__(self, plan):
        print(f"TAP version 13\n1..{plan}", flush=True)
        self.number = self.failed = 0

    def result(self, good, name, notes=()):
        self.number += 1
        self.failed += not good
        if not good:
            for note in notes:
                print(f"# {note}")
        print(f"{'ok' if good else 'not ok'} {self.number} {name}", flush=True)


def test_doctored(tap):
    texts = [f"history {i}\n{numbered(text)}\n" for i, (_, _, text) in enumerate(DOCTORED)]
    stripped = ["\n".join(line.strip() for line in text.splitlines()) for text in texts]
    verdicts = check("\n".join(stripped) + "\n")
    for (name, rule, _), (rules, said) in zip(DOCTORED, verdicts):
        wanted = {rule} if rule else set()
        shown = not rule or any(line.startswith("      ") for line in said)
        verb = f"{rule}: rejects" if rule else "accepts"
        tap.result(rules == wanted and shown, f"{verb} {name}", said)
    missing = set(RULES) - {rule for _, rule, _ in DOCTORED}
    tap.result(len(verdicts) == len(DOCTORED) and not missing, "each rule can fail", missing)


def gives_back(ops):
    """The search does not know of receivers that give a message back."""
    return any(op.outcome == "killed" and any(c.op == RECV for c in op.cases) for op in ops)


def test_random(tap):
    rng = random.Random(SEED)
    print(f"# CHAN_ORACLE_SEED={SEED}")
    histories = []
    for _ in range(RANDOM_HISTORIES):
        simulation = Simulation(rng)
        ops = simulation.run()
        for _ in range(rng.choice([0, 1, 1, 2])):
            perturb(rng, ops)
        histories.append((simulation.capacities, ops))
    texts = [as_text(i, *history) for i, history in enumerate(histories)]
    verdicts = check("".join(texts))
    wrong, missed, bound_only, counts = [], [], 0, [0, 0]
    for history, text, (rules, said) in zip(histories, texts, verdicts):
        explained = Search(*history).explained()
        counts[explained] += 1
        if explained and rules:
            wrong += text.splitlines() + said
        elif not explained and not rules and not gives_back(history[1]):
            if Search(*history, bounded=False).explained():
                bound_only += 1
            else:
                missed += text.splitlines()
    tap.result(
        not wrong and counts[True] > 100,
        f"accepts what an exhaustive search explains: {counts[True]} histories",
        wrong[:40],
    )
    tap.result(
        not missed and 100 * bound_only < counts[False],
        f"rejects what it does not: {counts[False]} histories, but for {bound_only} "
        "that only the bound of a buffer rules out",
        missed[:40],
    )


def long_history():
    """A queue of eight, by eight senders and eight receivers, who are not in step."""
    rng = random.Random(2)
    lines = ["history long", "channel 0 8"]
    at = [0] * 16
    sent = received = 0
    places = [0] * 8

    def call(task, moment):
        begin = rng.randint(at[task] + 1, moment)
        at[task] = moment + rng.randrange(60)
        return f"{task} {begin} {at[task]}"

    for value in range(1, LONG_OPERATIONS // 2 + 1):
        sender, receiver = rng.randrange(8), 8 + rng.randrange(8)
        sent = max(sent + 20, at[sender] + 2, places[value % 8] + 1)
        lines.append(f"{call(sender, sent)} write wait ok:0 s0:{value}")
        received = max(received + 10, sent + 1, at[receiver] + 2)
        places[value % 8] = received
        lines.append(f"{call(receiver, received)} read wait ok:0:{value} r0")
    return "\n".join(lines) + "\n"


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_long(tap):
    text = long_history()
    before = processor_seconds()
    ((rules, said),) = check(text)
    took = processor_seconds() - before
    tap.result(
        not rules and took < LONG_SECONDS,
        f"{LONG_OPERATIONS} operations in {took:.1f} s",
        said,
    )


def main():
    tap = Tap(len(DOCTORED) + 4)
    test_doctored(tap)
    test_random(tap)
    test_long(tap)
    sys.exit(tap.failed != 0)


main()
