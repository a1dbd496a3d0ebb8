/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The books of the stress test: what happened to each message, and the audit.
 *
 * DOC: Accounts of one channel's life
 *
 * A life is one channel from its creation to its end. Its book is shared
 * memory, so entries survive the death of the process that made them:
 *
 *	sender				receiver
 *
 *	note: OFFERED			task: receiving
 *	write()				read()
 *	note: SENT or REFUSED		note: delivered + 1
 *					task: not receiving
 *
 * SIGKILL can strike between a call and its entry. Then, and only then, a
 * sender leaves one message OFFERED, and a receiver stays marked as receiving:
 * one message per killed thread whose fate its own side cannot tell. The
 * kernel's totals, sent and received, tell how many of those did cross, so the
 * books must still balance to the last message.
 */
#ifndef STRESS_LOG_H
#define STRESS_LOG_H

#include <endian.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/chan.h>

#include "kselftest.h"

/* Two bytes name a message; the first of them are for messages of one byte. */
#define MAX_MESSAGES	65536
#define TINY_MESSAGES	256
#define MAX_TASKS	1024
#define MAX_TROUBLES	4

enum fate {
	UNUSED,
	OFFERED,
	SENT,
	REFUSED,
};

/* One message. The sender fills it in before it offers the message. */
struct note {
	atomic_uchar fate;
	atomic_uchar delivered;
	__u32 size;
};

/* One thread. What it was last about to do. */
struct task {
	atomic_bool receiving;
	bool killed;
};

struct life {
	/* What the channel was made as, and what its end must look like. */
	__u32 capacity;
	__u32 may_put_back;
	__u32 end_state;
	__u32 end_cause;

	atomic_uint next;
	atomic_uint next_tiny;
	atomic_uint delivered;
	atomic_bool ended;
	atomic_bool stop_senders;
	atomic_bool stop_receivers;
	__u32 tasks;

	atomic_uint troubles;
	char trouble[MAX_TROUBLES][256];

	struct task task[MAX_TASKS];
	struct note note[MAX_MESSAGES];
};

/* What the audit counted. */
struct tally {
	__u64 sent;
	__u64 refused;
	__u64 delivered;
	__u64 unknown_sent;
	__u64 unknown_received;
	__u64 dropped;
	__u64 killed;
};

/* trouble - the first complaints about a life are kept */
static inline __printf(2, 3) void trouble(struct life *life, const char *format, ...)
{
	unsigned int number = life->troubles++;
	va_list args;

	if (number >= MAX_TROUBLES)
		return;
	va_start(args, format);
	vsnprintf(life->trouble[number], sizeof(life->trouble[number]), format, args);
	va_end(args);
}

static inline void open_book(struct life *life)
{
	memset(life, 0, sizeof(*life));
	life->next = TINY_MESSAGES;
}

/*
 * All bytes of a message follow from its name: two bytes spell it, the rest
 * differs with the name and the place.
 */
static inline __u64 word_of(__u32 name, __u32 at)
{
	__u64 word = (name + 1) * 0x9e3779b97f4a7c15 + at * 0x0123456789abcdef;

	if (!at)
		word = (word & ~0xffffULL) | name;
	return htole64(word);
}

static inline void compose(__u8 *buf, __u32 name, __u32 size)
{
	__u64 word;
	__u32 at;

	for (at = 0; at + 8 <= size; at += 8) {
		word = word_of(name, at);
		memcpy(buf + at, &word, 8);
	}
	word = word_of(name, at);
	memcpy(buf + at, &word, size - at);
}

static inline bool is_whole(const __u8 *buf, __u32 name, __u32 size)
{
	__u64 word, wrong = 0;
	__u32 at;

	for (at = 0; at + 8 <= size; at += 8) {
		memcpy(&word, buf + at, 8);
		wrong |= word ^ word_of(name, at);
	}
	word = word_of(name, at);
	return !wrong && !memcmp(buf + at, &word, size - at);
}

/**
 * enter_delivery() - a receiver writes down what it got
 * @life: the book
 * @buf: the message
 * @size: its length, at least 1
 */
static inline void enter_delivery(struct life *life, const __u8 *buf, __u32 size)
{
	__u32 name = size == 1 ? buf[0] : buf[0] | buf[1] << 8;
	struct note *note = &life->note[name];

	if (note->fate == UNUSED)
		trouble(life, "message %u was received, and never offered", name);
	else if (note->size != size)
		trouble(life, "message %u has %u bytes, and %u were sent",
			name, size, note->size);
	else if (!is_whole(buf, name, size))
		trouble(life, "message %u of %u bytes is garbled", name, size);
	note->delivered++;
	life->delivered++;
}

static inline void audit_message(struct life *life, __u32 name,
				 struct tally *t, __u64 *unknown,
				 __u64 *unknown_delivered, __u64 *missing)
{
	const struct note *note = &life->note[name];
	unsigned int delivered = note->delivered;

	t->delivered += delivered;
	if (delivered > 1)
		trouble(life, "message %u was delivered %u times", name, delivered);
	switch (note->fate) {
	case OFFERED:
		++*unknown;
		*unknown_delivered += delivered;
		break;
	case SENT:
		t->sent++;
		*missing += !delivered;
		break;
	case REFUSED:
		t->refused++;
		if (delivered)
			trouble(life, "message %u was refused, and delivered", name);
		break;
	}
}

static inline void audit_end(struct life *life, const struct chan_info *info)
{
	if (info->state != life->end_state || info->cause != life->end_cause)
		trouble(life, "ended in state %u, cause %u; wanted %u, %u",
			info->state, info->cause, life->end_state, life->end_cause);
	if (info->buffered || info->parked_senders || info->parked_receivers)
		trouble(life, "left over: %u buffered, %u senders, %u receivers",
			info->buffered, info->parked_senders, info->parked_receivers);
}

static inline void audit_tasks(struct life *life, struct tally *t,
			       __u64 *killed_receiving)
{
	for (__u32 i = 0; i < life->tasks; i++) {
		const struct task *task = &life->task[i];

		t->killed += task->killed;
		if (task->receiving && !task->killed)
			trouble(life, "task %u has left a receive open", i);
		*killed_receiving += task->receiving;
	}
}

/**
 * audit() - are all messages of a life accounted for?
 * @life: the book of a channel that has ended and that nobody uses any more
 * @info: what the kernel says about that channel
 * @t: the counts are added to it
 *
 * Complaints are left in @life, by trouble().
 */
static inline void audit(struct life *life, const struct chan_info *info,
			 struct tally *t)
{
	__u64 unknown = 0, unknown_delivered = 0, missing = 0;
	__u64 killed_receiving = 0, may_drop = 0;
	struct tally here = {};

	audit_end(life, info);
	audit_tasks(life, &here, &killed_receiving);
	for (__u32 name = 0; name < MAX_MESSAGES; name++)
		audit_message(life, name, &here, &unknown, &unknown_delivered,
			      &missing);

	here.unknown_sent = info->sent - here.sent;
	here.unknown_received = info->received - here.delivered;
	here.dropped = info->sent - info->received;
	if (life->end_state == CHAN_STATE_BROKEN)
		may_drop = life->capacity + life->may_put_back;

	if (unknown > here.killed)
		trouble(life, "%ju messages without a fate, and %ju threads killed",
			(uintmax_t)unknown, (uintmax_t)here.killed);
	if (here.unknown_sent > unknown || here.unknown_sent < unknown_delivered)
		trouble(life,
			"kernel: %ju sent; senders: %ju sent, %ju unknown (%ju of them delivered)",
			(uintmax_t)info->sent, (uintmax_t)here.sent,
			(uintmax_t)unknown, (uintmax_t)unknown_delivered);
	if (here.unknown_received > killed_receiving)
		trouble(life, "kernel: %ju received; receivers: %ju, and %ju killed in a call",
			(uintmax_t)info->received, (uintmax_t)here.delivered,
			(uintmax_t)killed_receiving);
	if (here.dropped > may_drop)
		trouble(life, "kernel: %ju sent, %ju received",
			(uintmax_t)info->sent, (uintmax_t)info->received);
	if (missing > here.unknown_received + here.dropped)
		trouble(life, "%ju messages were sent, and are lost",
			(uintmax_t)missing);

	t->sent += here.sent;
	t->refused += here.refused;
	t->delivered += here.delivered;
	t->unknown_sent += here.unknown_sent;
	t->unknown_received += here.unknown_received;
	t->dropped += here.dropped;
	t->killed += here.killed;
}

#endif /* STRESS_LOG_H */
