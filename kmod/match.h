/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who meets whom on a channel.
 */
#ifndef _CHAN_MATCH_H
#define _CHAN_MATCH_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/types.h>

#include "payload.h"

/*
 * DOC: Matching
 *
 * A &struct match is the heart of a channel: the line of messages that no
 * sender waits for, the queue of parked senders and that of parked receivers.
 * It knows nothing of files, ioctls or user memory.  Its owner serializes every
 * call to it with one lock, which the comments here call *the lock*.
 *
 * What a task wants is a *call*, made of one or more *operations*, of which at
 * most one happens.  An operation lives on the stack of its task.  It first
 * looks for a partner; finding none it is parked, which makes it visible to
 * partners to come.  From then on the call belongs to whoever claims it, by
 * one compare-and-swap of its state::
 *
 *                park              claim                  complete
 *     (private) ------> PARKED -------------> CLAIMED ----------------> DONE
 *                        | ^                   | |
 *               withdraw | | give back         | | offer (receivers only)
 *                        v '-------------------' v
 *                    (private) <------------- OFFERED ---> PARKED, DONE
 *                                  accept        revoke
 *
 * * PARKED: in the queue, anybody's to claim.
 * * CLAIMED: out of the queue, in the hands of one partner, who completes it,
 *   gives it back, or makes it an offer.  A receiver is claimed and settled
 *   within one hold of the lock.  A sender stays claimed while a receiver
 *   copies, without the lock; page faults are off meanwhile, so the copy goes
 *   on as long as the receiver's task is let run.
 * * OFFERED: a receiver has been dealt a sender whose message is borrowed.  The
 *   two point at each other (@peer), under the lock.  The receiver wakes and
 *   accepts; until then the sender can still revoke, upon which the receiver is
 *   dealt the next sender or parked again.
 * * DONE: @status and the payload are final.  The owner may return as soon as
 *   it sees this, and the memory is gone: whoever stores DONE touches the call
 *   no more.
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
 * message in line, or a sender parked that it could take from.
 */

/* The states of a call, in the order in which a waiter looks at them. */
enum chan_call_state {
	CALL_PARKED,
	CALL_CLAIMED,
	/* From here on the waiter has something to do. */
	CALL_OFFERED,
	CALL_DONE,
};

/**
 * struct chan_call - what one task waits for
 * @state: an &enum chan_call_state; the owner's until parked
 * @task: whom to wake
 */
struct chan_call {
	atomic_t state;
	struct task_struct *task;
};

/* For &chan_op.status: the channel was closed and is drained. */
#define CHAN_EOF	1

/**
 * struct chan_op - one way in which a call can be fulfilled
 * @node: place in the queue of senders or receivers
 * @call: the call that this is an operation of
 * @peer: the other side of an offer; under the lock
 * @ticket: its turn, from when it is first parked; 0 before
 * @status: 0, a negative errno, or %CHAN_EOF
 * @room: receiver: the longest message it can take
 * @needed: receiver: the length that did not fit
 * @no_empty: receiver: an empty message is refused with %EBADMSG
 * @leaving: sender: it wants to withdraw, but a receiver has it; under the lock
 * @news: out: by this, what pollers of the other side look at has changed
 * @payload: the message to send, or the one received
 */
struct chan_op {
	struct list_head node;
	struct chan_call *call;
	struct chan_op *peer;
	u64 ticket;
	int status;
	u32 room;
	u32 needed;
	bool no_empty;
	bool leaving;
	bool news;
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
 * @MATCH_AGAIN: many receivers could not take the message and were told; drop
 *	the lock for a moment and call again.
 */
enum match_verdict {
	MATCH_DONE,
	MATCH_TAKE,
	MATCH_OFFERED,
	MATCH_NEEDS_MSG,
	MATCH_WAIT,
	MATCH_AGAIN,
};

/**
 * struct match - the meeting place of one channel
 * @senders: parked, first come first served
 * @receivers: parked, first come first served
 * @line: messages that no sender waits for
 * @spares: messages that can be used again
 * @nr_senders: parked
 * @nr_receivers: parked
 * @nr_msgs: in line
 * @nr_spares: spare ones
 * @capacity: messages in line at which senders begin to wait
 * @state: an &enum chan_state
 * @cause: positive errno for receivers once the line is empty
 * @order: numbers given out
 * @sent: messages handed over by senders
 * @received: messages taken by receivers
 *
 * All under the lock.
 */
struct match {
	struct list_head senders;
	struct list_head receivers;
	struct list_head line;
	struct list_head spares;
	u32 nr_senders;
	u32 nr_receivers;
	u32 nr_msgs;
	u32 nr_spares;
	u32 capacity;
	u32 state;
	u32 cause;
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

void match_park_sender(struct match *m, struct chan_op *op);
void match_park_receiver(struct match *m, struct chan_op *op);
bool match_withdraw_sender(struct match *m, struct chan_op *op);
bool match_withdraw_receiver(struct match *m, struct chan_op *op);

struct chan_op *match_accept(struct match *m, struct chan_op *op);
enum match_verdict match_give_back(struct match *m, struct chan_op *sender);
enum match_verdict match_put_back(struct match *m, struct chan_msg *msg);

bool match_end(struct match *m, u32 state, u32 cause);
bool match_release(struct match *m, unsigned int batch);
void match_drop(struct match *m, struct list_head *dropped);

/* Would a receive not wait? */
static inline bool match_readable(const struct match *m)
{
	return m->nr_msgs || m->nr_senders || m->state;
}

/* Would a send not wait? */
static inline bool match_writable(const struct match *m)
{
	return m->nr_msgs < m->capacity || m->nr_receivers || m->state;
}

/*
 * Settle a call that this task has claimed.  Its owner may be gone right after,
 * hence the reference to the task, which is to be woken with call_wake().
 * Pairs with the acquire in the waiter: it sees the status and the payload.
 */
static inline struct task_struct *call_settle(struct chan_call *call,
					      enum chan_call_state state)
{
	struct task_struct *task = call->task;

	get_task_struct(task);
	atomic_set_release(&call->state, state);
	return task;
}

static inline void call_wake(struct task_struct *task)
{
	wake_up_process(task);
	put_task_struct(task);
}

#endif /* _CHAN_MATCH_H */
