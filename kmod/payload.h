/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of one message, and where they are while it travels.
 */
#ifndef _CHAN_PAYLOAD_H
#define _CHAN_PAYLOAD_H

#include <linux/list.h>
#include <linux/string.h>
#include <linux/types.h>

/*
 * DOC: How the bytes travel
 *
 * Copying is what a message costs once the sleeping and waking is paid, so the
 * way depends on the length:
 *
 * * inline: up to %CHAN_INLINE bytes lie in a &union chan_space beside the
 *   operation, on the stack of its task.  A partner copies them from stack to
 *   stack under the lock: nothing is allocated.
 * * heap: a &struct chan_msg changes hands.  What a channel buffers is always
 *   this; the messages that short ones have waited in are kept for the next, up
 *   to %CHAN_SPARES of them, so that a stream through a buffer allocates nothing
 *   either.
 * * pages: the sender pins its own pages and stays until a receiver has copied
 *   out of them, which copies a long message once instead of twice.  They count
 *   as locked (RLIMIT_MEMLOCK); who may lock no more copies twice.
 *
 * What is longer than %CHAN_BORROW_MIN is *borrowed* from a sender that can
 * wait: the sender is told only when it has been copied to the receiver.
 */
enum chan_payload_kind {
	CHAN_PAYLOAD_NONE,
	CHAN_PAYLOAD_INLINE,
	CHAN_PAYLOAD_HEAP,
	CHAN_PAYLOAD_PAGES,
};

/* The longest message that travels by value. */
#define CHAN_INLINE	256
/*
 * From this length on, a sender that can wait does so until the receiver has
 * copied.  Below, pinning and unpinning pages costs more than a second copy.
 */
#define CHAN_BORROW_MIN	2048
/* Messages that a channel keeps for reuse. */
#define CHAN_SPARES	64
/* Pinned pages whose pointers fit in the room of an inline message. */
#define CHAN_INLINE_PAGES	((CHAN_INLINE / sizeof(void *)) - 2)

/**
 * struct chan_origin - who has sent a message
 * @pid: the process, as the initial namespace numbers it
 * @uid: the real user, as the kernel numbers it
 */
struct chan_origin {
	u32 pid;
	u32 uid;
};

/**
 * struct chan_msg - a message on the heap
 * @node: place in the line of its channel, or among its spare ones
 * @seq: when it was handed over, see &struct match
 * @from: who has sent it
 * @len: bytes
 * @room: the most bytes that it could hold
 * @data: the bytes
 */
struct chan_msg {
	struct list_head node;
	u64 seq;
	struct chan_origin from;
	u32 len;
	u32 room;
	u8 data[];
};

struct page;

/**
 * struct chan_pin - a message in the sender's own memory
 * @pages: the pinned pages: @few, or an array of its own if those do not do
 * @offset: where the message begins in the first page
 * @nr: number of pages
 * @few: room for the usual number of pages
 */
struct chan_pin {
	struct page **pages;
	u32 offset;
	u32 nr;
	struct page *few[CHAN_INLINE_PAGES];
};

/**
 * union chan_space - what lies beside an operation
 * @bytes: room for a short message
 * @pin: the pages of a pinned one
 */
union chan_space {
	u8 bytes[CHAN_INLINE];
	struct chan_pin pin;
};

/**
 * struct chan_payload - one message, however it is held
 * @kind: an &enum chan_payload_kind: which of the members holds it
 * @borrowed: its sender waits until it is copied; always so for pages
 * @len: bytes
 * @seq: received: when it was handed over
 * @from: who has sent it
 * @bytes: where a short one lies, or is to be put: in a &union chan_space.
 *	That of a sender may be no longer than the message.
 * @pin: the same place
 * @msg: owned
 */
struct chan_payload {
	u8 kind;
	bool borrowed;
	u32 len;
	u64 seq;
	struct chan_origin from;
	union {
		u8 *bytes;
		struct chan_pin *pin;
	};
	struct chan_msg *msg;
};

/* Hand a payload over. Not for a borrowed one. */
static inline void payload_move(struct chan_payload *to,
				struct chan_payload *from)
{
	to->kind = from->kind;
	to->len = from->len;
	to->from = from->from;
	if (from->kind == CHAN_PAYLOAD_INLINE)
		memcpy(to->bytes, from->bytes, from->len);
	else
		to->msg = from->msg;
	from->kind = CHAN_PAYLOAD_NONE;
}

/* It is in @msg now. */
static inline void payload_on_heap(struct chan_payload *p,
				   struct chan_msg *msg)
{
	p->kind = CHAN_PAYLOAD_HEAP;
	p->msg = msg;
}

static inline void payload_from_msg(struct chan_payload *p,
				    struct chan_msg *msg)
{
	payload_on_heap(p, msg);
	p->len = msg->len;
	p->seq = msg->seq;
	p->from = msg->from;
}

/* Copy a short message out of the message that it has waited in. */
static inline void payload_inline_from_msg(struct chan_payload *p,
					   const struct chan_msg *msg)
{
	p->kind = CHAN_PAYLOAD_INLINE;
	p->len = msg->len;
	p->seq = msg->seq;
	p->from = msg->from;
	memcpy(p->bytes, msg->data, msg->len);
}

/* Copy a short message into a message with room enough. */
static inline void payload_inline_to_msg(const struct chan_payload *p,
					 struct chan_msg *msg)
{
	msg->len = p->len;
	msg->from = p->from;
	memcpy(msg->data, p->bytes, p->len);
}

#endif /* _CHAN_PAYLOAD_H */
