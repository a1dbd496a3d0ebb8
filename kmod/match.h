/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who meets whom on a channel.
 */
#ifndef _CHAN_MATCH_H
#define _CHAN_MATCH_H

#include <linux/list.h>
#include <linux/types.h>

#include "call.h"
#include "payload.h"
#include "queue.h"

/*
 * DOC: Matching
 *
 * A &struct match is the heart of a channel: the line of messages that no
 * sender waits for, the queue of parked senders and that of parked receivers.
 * It knows nothing of files, ioctls or user memory.  Its owner serializes every
 * call to it with one lock, which the comments here call *the lock*.
 *
 * What a task wants is a *call* of one or more *operations*, see call.h.  An
 * operation lives on the stack of its task.  It looks here for a partner, and
 * is parked here if there is none.
 *
 * A partner must not leave a trace when it fails, so a receiver copies to user
 * memory *before* it completes the sender, and gives the sender back to its
 * place in the queue if it cannot.
 *
 * Order: @order counts all that comes.  Each parked operation has its number as
 * a ticket, and goes back to the place of that ticket; each message handed over
 * has its number too, and goes back to its place in line.
 *
 * Invariant, whenever the lock is free: no receiver is parked while there is a
 * message in line, or a sender parked that it could take from; unless it is of
 * the same call, or one of the two is about to look again (%CALL_RECHECK).  Whoever
 * comes has those two meet first, and so does not overtake the other.  Only of
 * what is in line, or a free place there, newcomers may avail themselves before the
 * one that is about to look again.
 * Who polls in that moment may be promised what an earlier one then gets.
 *
 * A look at several meeting places, one after the other, is a look at one
 * instant if none of them has moved on meanwhile: @order does whenever
 * something has become possible.  What a select that was given back has parked
 * elsewhere becomes possible, in this sense, when its owner looks again, or when
 * somebody meets it there.
 *
 * A message in the hands of a receiver is nowhere until that one has kept it.  If
 * it goes back, because the receiver's memory went bad or it was killed, others may
 * have been told meanwhile that nothing is there, or that a closed channel is
 * drained.  The message is not lost: the next receiver gets it, even after the end
 * of file.  To let all others wait instead, for as long as the page of one may
 * take, would be worse.
 */

/* For &chan_op.status: the channel was closed and is drained. */
#define CHAN_EOF	1

/**
 * struct chan_op - one way in which a call can be fulfilled
 * @call: the call that this is an operation of
 * @node: place in the queue of senders or receivers
 * @peer: the other side of an offer; under the lock
 * @ticket: its turn, from when it is first parked; 0 before
 * @status: 0, a negative errno, or %CHAN_EOF
 * @room: receiver: the longest message it can take
 * @needed: receiver: the length that did not fit
 * @no_empty: receiver: an empty message is refused with %EBADMSG
 * @leaving: sender: it wants to withdraw, but a receiver has it; under the lock
 * @news: out: by this, what pollers of the other side look at has changed
 * @unused: so that all flags are cleared at once
 * @payload: the message to send, or the one received
 */
struct chan_op {
	/* Not the node first: gcc would align the stack for it. */
	struct chan_call *call;
	struct hlist_node node;
	struct chan_op *peer;
	u64 ticket;
	int status;
	u32 room;
	u32 needed;
	bool no_empty;
	bool leaving;
	bool news;
	bool unused;
	struct chan_payload payload;
};

/**
 * enum match_verdict - what came of an operation
 * @MATCH_DONE: it happened, or ended with an error: see @status.
 * @MATCH_TAKE: a receiver has claimed the sender @peer, and must now copy from
 *	it, then complete it or give it back.
 * @MATCH_OFFERED: a sender has been dealt to a receiver.
 * @MATCH_NEEDS_MSG: the message has to wait in line, or for a place there, for
 *	which it must be on the heap.
 * @MATCH_WAIT: no partner is there.
 * @MATCH_AGAIN: many receivers could not take the message and were told, or many
 *	who were there before had to be served; drop the lock for a moment and call
 *	again.
 * @MATCH_LOST: another operation of the same call has been claimed by somebody.
 */
enum match_verdict {
	MATCH_DONE,
	MATCH_TAKE,
	MATCH_OFFERED,
	MATCH_NEEDS_MSG,
	MATCH_WAIT,
	MATCH_AGAIN,
	MATCH_LOST,
};

/**
 * struct match - the meeting place of one channel
 * @senders: parked, first come first served
 * @receivers: parked, first come first served
 * @line: messages that no sender waits for
 * @spares: messages that can be used again
 * @nr_msgs: in line
 * @nr_spares: spare ones
 * @capacity: messages in line at which senders begin to wait
 * @state: an &enum chan_state
 * @guarded: its owner does not let everybody in
 * @special: any of these two, in one look
 * @cause: positive errno for receivers once the line is empty
 * @parked_cause: positive errno for those who were parked when it ended; 0 if
 *	they get what all others do
 * @order: numbers given out; moves on, at the latest, when a send or a receive
 *	has become possible; can be read without the lock
 * @sent: messages handed over by senders
 * @received: messages taken by receivers
 *
 * All under the lock.
 */
struct match {
	struct queue senders;
	struct queue receivers;
	struct list_head line;
	struct list_head spares;
	u32 nr_msgs;
	u32 nr_spares;
	u32 capacity;
	union {
		struct {
			u16 state;
			u16 guarded;
		};
		u32 special;
	};
	u32 cause;
	u32 parked_cause;
	u64 order;
	u64 sent;
	u64 received;
};

void match_init(struct match *m, u32 capacity);

/*
 * Each of these may leave a task in *wake, for its caller to call_wake() once
 * the lock is dropped.
 */
enum match_verdict match_send(struct match *m, struct chan_op *op,
			      struct task_struct **wake);
enum match_verdict match_recv(struct match *m, struct chan_op *op,
			      struct task_struct **wake);

bool match_withdraw_sender(struct match *m, struct chan_op *op);
bool match_withdraw_receiver(struct match *m, struct chan_op *op);
struct chan_op *match_accept(struct match *m, struct chan_op *op);
enum match_verdict match_give_back(struct match *m, struct chan_op *sender);
enum match_verdict match_put_back(struct match *m, struct chan_msg *msg);

bool match_end(struct match *m, u32 state, u32 cause);
bool match_release(struct match *m, unsigned int batch);
void match_drop(struct match *m, struct list_head *dropped);

void match_enqueue(struct match *m, struct queue *queue, struct chan_op *op);
u32 match_parked(const struct queue *queue);
bool match_waiting(const struct queue *queue, const struct task_struct *self);

/*
 * Something has become possible.  After the change, so that who reads the new
 * number sees it; pairs with the acquire of who looks without the lock.
 */
static inline void match_move_on(struct match *m, u64 order)
{
	/* First the change: pairs with the acquire in channel_looks_ready(). */
	smp_wmb();
	WRITE_ONCE(m->order, order);
}

/* The first time, and of a call of several operations. */
static inline void match_park_new(struct match *m, struct queue *queue,
				  struct chan_op *op)
{
	u64 ticket = m->order + 1;

	op->ticket = ticket;
	queue_add_tail(queue, &op->node);
	match_move_on(m, ticket);
}

/*
 * Let partners see an operation.  The lock publishes it.  A call of several is
 * parked from the first of them on, and may be claimed already.
 */
static inline void match_park(struct match *m, struct queue *queue,
			      struct chan_op *op)
{
	if (!op->call->multi)
		atomic_set(&op->call->state, CALL_PARKED);
	if (unlikely(op->ticket))
		match_enqueue(m, queue, op);
	else
		match_park_new(m, queue, op);
}

static inline void match_park_sender(struct match *m, struct chan_op *op)
{
	match_park(m, &m->senders, op);
}

static inline void match_park_receiver(struct match *m, struct chan_op *op)
{
	match_park(m, &m->receivers, op);
}

/*
 * Take out an operation that was parked as one of several, if nobody else has:
 * its call is over.  It is private afterwards.
 */
static inline void match_unpark(struct queue *queue, struct chan_op *op)
{
	if (likely(op->node.pprev))
		queue_del(queue, &op->node);
}

/* Nothing is there for a receiver, and everybody may be one. */
static inline bool match_is_void(const struct match *m)
{
	return !(m->nr_msgs | m->senders.nr | m->special);
}

/* Would a receive not wait?  What @self has parked does not count. */
static inline bool match_readable(const struct match *m,
				  const struct task_struct *self)
{
	return m->nr_msgs || m->state ||
	       (m->senders.nr && match_waiting(&m->senders, self));
}

/* Would a send not wait?  What @self has parked does not count. */
static inline bool match_writable(const struct match *m,
				  const struct task_struct *self)
{
	return m->nr_msgs < m->capacity || m->state ||
	       (m->receivers.nr && match_waiting(&m->receivers, self));
}

#endif /* _CHAN_MATCH_H */
