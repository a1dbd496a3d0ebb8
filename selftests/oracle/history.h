/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Histories: what tasks did on channels, when, and what came of it.
 *
 * DOC: A history
 *
 * An operation is one call of one task. Its times are taken of CLOCK_MONOTONIC
 * right before the call and right after it, so whatever the call did it did in
 * between. Of a task that was killed within a call nobody knows what the call has
 * done; it ends no later than when the task had been waited for.
 *
 * Each case that sends has a message of its own, never used twice: its value.
 *
 * As text, a history is a line for each channel, then one for each operation::
 *
 *	history NAME
 *	calm				see below
 *	channel NUMBER CAPACITY
 *	TASK BEGIN END KIND HOW OUTCOME CASE...
 *
 *	KIND	write, read, select, close, cancel, info
 *	HOW	wait, nowait, until:TIME; with ! a select in order of priority
 *	OUTCOME	ok:INDEX, ok:INDEX:VALUE what was received,
 *		end:INDEX:ERRNO the case ended so, err:ERRNO the call failed so,
 *		killed, running: it has never returned
 *	CASE	s1:VALUE a send on channel 1, r1 a receive, p another file, - none
 *
 * A read that returns 0 has ended with EPIPE, as a select would tell it. A close
 * has one case, s1:ERRNO; a cancel one r1 for each channel. An info has s1:SENT and
 * r1:RECEIVED, the totals of the channel, then perhaps s1:SENDERS and r1:RECEIVERS,
 * how many are parked.
 *
 * A history is calm if no call was disturbed by a signal, a kill or bad memory, and
 * none gave up while a partner was copying its message: then who has parked stays
 * so until it meets somebody.
 */
#ifndef ORACLE_HISTORY_H
#define ORACLE_HISTORY_H

#include <stdbool.h>
#include <stdio.h>

#include <linux/types.h>

#define HISTORY_CHANNELS	8
#define HISTORY_CASES		4
/* As a time: not at all. As a deadline: without one. */
#define NEVER			(~0ULL)

enum history_kind {
	DID_WRITE,
	DID_READ,
	DID_SELECT,
	DID_CLOSE,
	DID_CANCEL,
	DID_INFO,
	KINDS
};

enum history_fate {
	RUNNING,
	RETURNED,
	KILLED,
};

enum history_op {
	CASE_NONE,
	CASE_SEND,
	CASE_RECV,
	CASE_POLL,
};

/**
 * struct history_case - one case of an operation
 * @op: an &enum history_op
 * @channel: its number in the history
 * @value: the message, if it sends
 */
struct history_case {
	__u8 op;
	__u8 channel;
	__u32 value;
};

/**
 * struct operation - one call
 * @begin: right before it
 * @end: right after it; of one that was killed, when that was known
 * @deadline: of the call; 0 it does not wait, %NEVER it has none
 * @task: who called, its operations come one after the other
 * @kind: an &enum history_kind
 * @fate: an &enum history_fate
 * @ordered: a select in order of priority
 * @ncases: how many cases
 * @chosen: which of them happened, if @error is 0
 * @error: a positive errno, the call failed so
 * @status: a positive errno, the chosen case ended so
 * @value: what was received, if @status is 0
 * @cases: all of them
 */
struct operation {
	__u64 begin;
	__u64 end;
	__u64 deadline;
	__u32 task;
	__u8 kind;
	__u8 fate;
	bool ordered;
	__u8 ncases;
	__u32 chosen;
	__u32 error;
	__u32 status;
	__u32 value;
	struct history_case cases[HISTORY_CASES];
};

/**
 * struct history - all operations on some channels
 * @name: for people
 * @calm: nobody was disturbed
 * @channels: how many channels
 * @capacity: of each
 * @nr: how many operations
 * @room: how many there is memory for
 * @ops: in no particular order
 */
struct history {
	char name[64];
	bool calm;
	__u32 channels;
	__u32 capacity[HISTORY_CHANNELS];
	__u32 nr;
	__u32 room;
	struct operation *ops;
};

static inline bool op_happened(const struct operation *op)
{
	return op->fate == RETURNED && !op->error && op->kind <= DID_SELECT;
}

/* Whether it is told that its case @index, and no other, was carried out. */
static inline bool op_did(const struct operation *op, __u32 index)
{
	return op_happened(op) && op->chosen == index && !op->status;
}

struct operation *history_add(struct history *h);
void history_reset(struct history *h);
bool history_read(struct history *h, FILE *file);
void history_write(const struct history *h, FILE *file);
void operation_print(const struct operation *op, const char *before, FILE *file);

#endif /* ORACLE_HISTORY_H */
