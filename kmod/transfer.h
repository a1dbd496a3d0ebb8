/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One message crosses a channel: the calls that send and receive.
 */
#ifndef _CHAN_TRANSFER_H
#define _CHAN_TRANSFER_H

#include <linux/types.h>

#include "match.h"

struct chan_buf;
struct channel;

/**
 * struct transfer_faults - a receiver's vain attempts to copy
 * @last: the sender of the last one, %NULL at first
 * @tries: how often with that one
 */
struct transfer_faults {
	const struct chan_op *last;
	unsigned int tries;
};

/*
 * Whoever declares an operation and its space marks them __uninitialized, so
 * that the compiler does not clear the room for a message at each call.
 */
static inline void op_init(struct chan_op *op, struct chan_call *call,
			   u8 *space)
{
	op->call = call;
	op->peer = NULL;
	op->ticket = 0;
	op->needed = 0;
	op->no_empty = false;
	op->leaving = false;
	op->news = false;
	op->unused = false;
	op->payload.kind = CHAN_PAYLOAD_NONE;
	op->payload.borrowed = false;
	op->payload.bytes = space;
}

/**
 * struct chan_details - what a select asks, and is told
 * @deadline: when to give up, see wait.h
 * @status: out: 0, a negative errno, or %CHAN_EOF
 * @len: out, received: the length of the message, also of one that is too long
 * @from: out, received: who has sent it
 */
struct chan_details {
	u64 deadline;
	int status;
	u32 len;
	struct chan_origin from;
};

ssize_t channel_send(struct channel *ch, const struct chan_buf *from,
		     bool nowait, struct chan_details *details);
ssize_t channel_recv(struct channel *ch, const struct chan_buf *to,
		     bool nowait, struct chan_details *details);

/* What read(2) tells of a receiver that has been settled. */
static inline ssize_t transfer_result(const struct chan_op *op)
{
	if (likely(!op->status))
		return op->payload.len;
	return op->status == CHAN_EOF ? 0 : op->status;
}

/* Of an operation that has been settled. */
static inline void details_fill(struct chan_details *details,
				const struct chan_op *op)
{
	details->status = op->status;
	details->len = op->status ? op->needed : op->payload.len;
	details->from = op->payload.from;
}

/* The steps of a transfer, for those who choose among several. */
int transfer_load(struct chan_payload *p, const struct chan_buf *from,
		  size_t space);
bool transfer_accept(struct channel *ch, struct chan_op *op);
bool transfer_take(struct channel *ch, struct chan_op *op,
		   const struct chan_buf *to);
int transfer_keep(struct channel *ch, struct chan_op *op,
		  const struct chan_buf *to);
int transfer_retry(const struct chan_buf *to, const struct chan_op *sender,
		   u32 len, bool nowait, struct transfer_faults *faults);
bool transfer_declined(struct channel *ch, struct chan_op *op);
void transfer_await_cancel(const struct chan_op *op);
void transfer_breathe(struct channel *ch);
void transfer_wake(struct channel *ch, struct task_struct *task);

#endif /* _CHAN_TRANSFER_H */
