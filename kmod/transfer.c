// SPDX-License-Identifier: GPL-2.0-only
/*
 * One message crosses a channel.  Who meets whom is decided in match.c; here
 * tasks sleep, wake, and copy to and from user memory.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "channel.h"
#include "compat.h"
#include "trace.h"
#include "transfer.h"
#include "usercopy.h"

/*
 * DOC: What can happen to a transfer
 *
 * A signal, a kill or a fault at each step:
 *
 * * Before parking: nothing is visible yet, the call just returns.
 * * Parked: the task withdraws its operation under the lock.  If a partner was
 *   faster, the operation has happened, and the signal stays pending.
 * * A sender offered to a receiver that has not come for it yet: it revokes.
 *   The receiver is dealt the next one, or is parked again at its old place.
 * * A sender from which a receiver is copying: it waits for the end of the
 *   copy, which runs with page faults disabled and so sleeps for nobody.
 * * A receiver whose copy meets a page that is not there: it gives the sender
 *   back to its place in the queue, and only then brings in the page, for as
 *   long as that may take.  Then it starts over, or fails with %EFAULT.
 * * A receiver that was handed a message while parked and cannot write its
 *   memory, or is being killed: its sender has gone on, so the message goes
 *   back to its place in line.
 */

/*
 * How often a page of the receiver may go again between bringing it in and
 * copying from one sender.  Some memory can be faulted in and yet not written.
 */
#define RECV_TRIES 16

/*
 * Whoever declares an operation marks it __uninitialized, so that the compiler
 * does not clear the room for a message at each call.
 */
static void op_init(struct chan_op *op, struct chan_call *call)
{
	call->task = current;
	op->call = call;
	op->peer = NULL;
	op->ticket = 0;
	op->leaving = false;
	op->news = false;
	op->payload.kind = CHAN_PAYLOAD_NONE;
	op->payload.borrowed = false;
}

/*
 * Sleep until there is something to do.
 *
 *	waiter				partner
 *	------				-------
 *	state = INTERRUPTIBLE		status, payload = ...
 *	smp_mb() (A)			call->state = DONE (release, B)
 *	if (call->state ...)		wake_up_process() (full barrier, C)
 *		return			  if (state & INTERRUPTIBLE) wake
 *	schedule()
 *
 * A with C: either we see the new state or the partner sees us asleep.
 * B with the acquire below: with the state we see the result.
 */
static int call_wait(struct chan_call *call)
{
	int err = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (atomic_read_acquire(&call->state) >= CALL_OFFERED)
			break;
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

static bool call_done(struct chan_call *call)
{
	return atomic_read_acquire(&call->state) == CALL_DONE;
}

/* Let others have the lock, and the processor. */
static void breathe(struct channel *ch) __releases(&ch->lock)
	__acquires(&ch->lock)
{
	spin_unlock(&ch->lock);
	cond_resched();
	spin_lock(&ch->lock);
}

static void wake_partner(struct channel *ch, struct task_struct *task)
{
	trace_chan_wake(ch, task);
	call_wake(task);
}

/* Take the message from user memory, before anything of it is visible. */
static int send_prepare(struct channel *ch, struct chan_payload *p,
			const struct chan_buf *from, bool nowait)
{
	if (from->len <= CHAN_INLINE)
		return usercopy_inline(p, from);
	p->borrowed = !ch->match.capacity && !nowait &&
		      from->len >= CHAN_BORROW_MIN;
	if (p->borrowed && usercopy_borrow(p, from))
		return 0;
	return usercopy_heap(p, from);
}

/* Look for a receiver, and park if there is none. */
static enum match_verdict send_meet(struct channel *ch, struct chan_op *op,
				    bool nowait)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	while ((verdict = match_send(&ch->match, op, &wake)) == MATCH_AGAIN)
		breathe(ch);
	if (verdict == MATCH_WAIT && !nowait)
		match_park_sender(&ch->match, op);
	spin_unlock(&ch->lock);
	if (wake)
		wake_partner(ch, wake);
	return verdict;
}

/* A receiver is copying from this sender, with page faults off. */
static void send_wait_for_copy(struct chan_call *call)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (call_done(call))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* Sleep until a receiver has the message, or a signal comes. */
static int send_wait(struct channel *ch, struct chan_op *op)
{
	int err = call_wait(op->call);
	bool withdrawn;

	if (!err)
		return 0;
	spin_lock(&ch->lock);
	withdrawn = match_withdraw_sender(&ch->match, op);
	spin_unlock(&ch->lock);
	if (withdrawn)
		return err;
	send_wait_for_copy(op->call);
	return 0;
}

static int send_op(struct channel *ch, struct chan_op *op, bool nowait)
{
	enum match_verdict verdict;
	int err;

	while ((verdict = send_meet(ch, op, nowait)) == MATCH_NEEDS_MSG) {
		err = payload_to_heap(&op->payload);
		if (err)
			return err;
	}
	if (verdict == MATCH_DONE) {
		if (op->news)
			channel_notify_receivers(ch);
		return op->status;
	}
	if (verdict == MATCH_WAIT) {
		if (nowait)
			return -EAGAIN;
		trace_chan_park(ch, true);
		channel_notify_receivers(ch);
	}
	err = send_wait(ch, op);
	return err ?: op->status;
}

/**
 * channel_send - send one message
 * @ch: the channel
 * @from: the sender's memory
 * @nowait: fail with %-EAGAIN instead of sleeping
 *
 * Return: the length of the message, which has been taken or is in line; or a
 * negative errno, and nobody has seen it.
 */
ssize_t channel_send(struct channel *ch, const struct chan_buf *from,
		     bool nowait)
{
	struct chan_op op __uninitialized;
	struct chan_call call __uninitialized;
	int err;

	if (!from->len)
		return 0;
	if (from->len > ch->max_msg)
		return -EMSGSIZE;

	op_init(&op, &call);
	err = send_prepare(ch, &op.payload, from, nowait);
	if (err)
		return err;
	err = send_op(ch, &op, nowait);
	payload_free(&op.payload);
	trace_chan_send(ch, from->len, err);
	return err ?: from->len;
}

/* Look for a message, and park if there is none and @park says so. */
static enum match_verdict recv_meet(struct channel *ch, struct chan_op *op,
				    bool park)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	verdict = match_recv(&ch->match, op, &wake);
	if (verdict == MATCH_WAIT && park)
		match_park_receiver(&ch->match, op);
	spin_unlock(&ch->lock);
	if (wake)
		wake_partner(ch, wake);
	return verdict;
}

/*
 * Sleep until there is a message, or an offer of one.
 *
 * Return: 0 with @op->peer set as by %MATCH_TAKE, or settled; -ERESTARTSYS.
 */
static int recv_wait(struct channel *ch, struct chan_op *op)
{
	bool withdrawn;
	int err;

	for (;;) {
		err = call_wait(op->call);
		if (err) {
			spin_lock(&ch->lock);
			withdrawn = match_withdraw_receiver(&ch->match, op);
			spin_unlock(&ch->lock);
			if (withdrawn)
				return err;
		}
		if (call_done(op->call))
			return 0;

		spin_lock(&ch->lock);
		op->peer = match_accept(&ch->match, op);
		spin_unlock(&ch->lock);
		if (op->peer)
			return 0;
	}
}

/* Give up the message that @op has got. */
static void recv_put_back(struct channel *ch, struct chan_op *op)
{
	struct chan_msg *msg = payload_to_msg(&op->payload);
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	while ((verdict = match_put_back(&ch->match, msg)) == MATCH_AGAIN)
		breathe(ch);
	spin_unlock(&ch->lock);
	if (verdict == MATCH_DONE)
		channel_notify_receivers(ch);
	else
		kvfree(msg);
}

static void recv_give_back(struct channel *ch, struct chan_op *op)
{
	spin_lock(&ch->lock);
	while (match_give_back(&ch->match, op->peer) == MATCH_AGAIN)
		breathe(ch);
	spin_unlock(&ch->lock);
	op->peer = NULL;
	channel_notify_receivers(ch);
}

/*
 * Copy from the sender that this receiver has claimed, and let it go.
 *
 * Return: false if a page was not there: the sender is back in line.
 */
static bool recv_take(struct channel *ch, struct chan_op *op,
		      const struct chan_buf *to)
{
	struct chan_op *sender = op->peer;
	bool copied;

	pagefault_disable();
	copied = usercopy_out(&sender->payload, to);
	pagefault_enable();
	if (unlikely(!copied)) {
		recv_give_back(ch, op);
		return false;
	}

	sender->status = 0;
	wake_partner(ch, call_settle(sender->call, CALL_DONE));
	return true;
}

/* Copy the message that this receiver owns. */
static ssize_t recv_keep(struct channel *ch, struct chan_op *op,
			 const struct chan_buf *to)
{
	u32 len = op->payload.len;

	if (unlikely(!usercopy_out(&op->payload, to))) {
		recv_put_back(ch, op);
		return -EFAULT;
	}
	payload_free(&op->payload);
	return len;
}

/* Get @op a message, an error, or a sender to take from. */
static int recv_op(struct channel *ch, struct chan_op *op,
		   const struct chan_buf *to, bool nowait)
{
	bool probed = false;

	for (;;) {
		if (!probed && !nowait && !channel_looks_readable(ch)) {
			if (!usercopy_probe(to))
				return -EFAULT;
			probed = true;
		}
		switch (recv_meet(ch, op, probed)) {
		case MATCH_DONE:
			if (op->news)
				channel_notify_senders(ch);
			return 0;
		case MATCH_TAKE:
			return 0;
		default:
			break;
		}
		if (nowait)
			return -EAGAIN;
		if (!probed)
			continue;

		trace_chan_park(ch, false);
		channel_notify_senders(ch);
		return recv_wait(ch, op);
	}
}

/* A receiver that is being killed leaves the message to others. */
static bool recv_declined(struct channel *ch, struct chan_op *op)
{
	if (likely(!fatal_signal_pending(current)))
		return false;
	if (op->peer)
		recv_give_back(ch, op);
	else if (!op->status)
		recv_put_back(ch, op);
	return true;
}

static ssize_t recv_message(struct channel *ch, struct chan_op *op,
			    const struct chan_buf *to, bool nowait)
{
	const struct chan_op *last = NULL;
	unsigned int tries = 0;

	for (;;) {
		const struct chan_op *sender;
		u32 len;
		int err;

		err = recv_op(ch, op, to, nowait);
		if (err)
			return err;
		if (op->ticket && recv_declined(ch, op))
			return -ERESTARTSYS;
		if (!op->peer)
			break;

		sender = op->peer;
		len = sender->payload.len;
		if (likely(recv_take(ch, op, to)))
			return len;
		if (sender != last)
			tries = 0;
		last = sender;
		if (!usercopy_fault_in(to, len) || ++tries == RECV_TRIES)
			return -EFAULT;
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	if (op->status)
		return op->status == CHAN_EOF ? 0 : op->status;
	return recv_keep(ch, op, to);
}

/**
 * channel_recv - receive one message
 * @ch: the channel
 * @to: the receiver's memory
 * @nowait: fail with %-EAGAIN instead of sleeping
 *
 * Return: the length of the message; 0 if the channel is closed and drained; or
 * a negative errno, and no message was taken.
 */
ssize_t channel_recv(struct channel *ch, const struct chan_buf *to, bool nowait)
{
	struct chan_op op __uninitialized;
	struct chan_call call __uninitialized;
	ssize_t ret;

	op_init(&op, &call);
	op.room = min_t(size_t, to->len, U32_MAX);
	op.no_empty = true;
	ret = recv_message(ch, &op, to, nowait);
	trace_chan_recv(ch, op.room, ret);
	return ret;
}
