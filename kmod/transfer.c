// SPDX-License-Identifier: GPL-2.0-only
/*
 * One message crosses a channel.  Who meets whom is decided in match.c; here
 * tasks sleep, wake, and copy to and from user memory.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "channel.h"
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
 *   The receiver finds nothing, and parks again before all others.
 * * A sender from which a receiver is copying: it waits for the end of the
 *   copy, which runs with page faults disabled and so never sleeps.
 * * A receiver whose copy meets a page that is not there: it gives the sender
 *   back to the head of the queue, and only then brings in the page, for as
 *   long as that may take.  Then it starts over, or fails with %EFAULT.
 * * A receiver that was handed a message while parked and cannot write its
 *   memory, or is being killed: its sender has gone on, so the message goes
 *   back to the head of the line.
 */

static void op_init(struct chan_op *op, struct chan_call *call)
{
	call->task = current;
	op->call = call;
	op->peer = NULL;
	op->payload.kind = CHAN_PAYLOAD_NONE;
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

/*
 * Take the message from user memory, before anything of it is visible.  A
 * message that finds a receiver waiting needs no place in line, hence the look
 * at @nr_receivers: a guess that saves an allocation when right.
 */
static int send_prepare(struct channel *ch, struct chan_payload *p,
			struct iov_iter *from, bool nowait)
{
	bool unbuffered = !READ_ONCE(ch->match.capacity);

	if (iov_iter_count(from) <= CHAN_INLINE &&
	    (unbuffered || READ_ONCE(ch->match.nr_receivers)))
		return usercopy_inline(p, from);
	if (unbuffered && !nowait && usercopy_borrow(p, from))
		return 0;
	return usercopy_heap(p, from);
}

/* Look for a receiver, and park if there is none. */
static enum match_verdict send_meet(struct channel *ch, struct chan_op *op,
				    bool nowait)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	channel_lock(ch);
	verdict = match_send(&ch->match, op, &wake);
	if (verdict == MATCH_WAIT && !nowait)
		match_park_sender(&ch->match, op, false);
	if (wake)
		trace_chan_wake(ch, wake);
	channel_unlock_wake(ch, wake);
	return verdict;
}

/*
 * Sleep until a receiver has the message.  After a signal the wait goes on only
 * while a receiver copies.
 */
static int send_wait(struct channel *ch, struct chan_op *op)
{
	int err = call_wait(op->call);

	if (!err)
		return 0;
	for (;;) {
		bool withdrawn;

		set_current_state(TASK_UNINTERRUPTIBLE);
		channel_lock(ch);
		withdrawn = match_withdraw_sender(&ch->match, op);
		channel_unlock(ch);
		if (withdrawn || call_done(op->call)) {
			__set_current_state(TASK_RUNNING);
			return withdrawn ? err : 0;
		}
		schedule();
	}
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
		/* In line, unless a receiver has it already. */
		if (!op->status)
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
ssize_t channel_send(struct channel *ch, struct iov_iter *from, bool nowait)
{
	size_t len = iov_iter_count(from);
	struct chan_call call;
	struct chan_op op;
	int err;

	if (!len)
		return 0;
	if (len > ch->max_msg)
		return -EMSGSIZE;

	op_init(&op, &call);
	err = send_prepare(ch, &op.payload, from, nowait);
	if (err)
		return err;
	err = send_op(ch, &op, nowait);
	payload_free(&op.payload);
	trace_chan_send(ch, len, err);
	return err ?: len;
}

/* Look for a message, and park if there is none and @park says so. */
static enum match_verdict recv_meet(struct channel *ch, struct chan_op *op,
				    bool park, bool first)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	channel_lock(ch);
	verdict = match_recv(&ch->match, op, &wake);
	if (verdict == MATCH_WAIT && park)
		match_park_receiver(&ch->match, op, first);
	if (wake)
		trace_chan_wake(ch, wake);
	channel_unlock_wake(ch, wake);
	return verdict;
}

/*
 * Sleep until there is a message, or an offer of one.
 *
 * Return: 0 with @op->peer set as by %MATCH_TAKE, or settled; -ERESTARTSYS;
 * -EAGAIN if the offer was revoked.
 */
static int recv_wait(struct channel *ch, struct chan_op *op)
{
	int err = call_wait(op->call);
	bool withdrawn;

	if (err) {
		channel_lock(ch);
		withdrawn = match_withdraw_receiver(&ch->match, op);
		channel_unlock(ch);
		if (withdrawn)
			return err;
	}
	if (call_done(op->call))
		return 0;

	channel_lock(ch);
	op->peer = match_accept(&ch->match, op);
	channel_unlock(ch);
	return op->peer ? 0 : -EAGAIN;
}

/* Give up the message that @op has got. */
static void recv_put_back(struct channel *ch, struct chan_op *op)
{
	struct chan_msg *msg = payload_to_msg(&op->payload);
	bool kept;

	channel_lock(ch);
	kept = match_put_back(&ch->match, msg);
	channel_unlock(ch);
	if (kept)
		channel_notify_receivers(ch);
	else
		kvfree(msg);
}

static void recv_give_back(struct channel *ch, struct chan_op *op)
{
	channel_lock(ch);
	match_give_back(&ch->match, op->peer);
	channel_unlock(ch);
	op->peer = NULL;
	channel_notify_receivers(ch);
}

/*
 * Copy from the sender that this receiver has claimed, and let it go.
 *
 * Return: false if a page was not there: the sender is back in line.
 */
static bool recv_take(struct channel *ch, struct chan_op *op,
		      struct iov_iter *to)
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
	rcu_read_lock();
	trace_chan_wake(ch, sender->call->task);
	wake_up_process(call_settle(sender->call, CALL_DONE));
	rcu_read_unlock();
	return true;
}

/* Copy the message that this receiver owns. */
static ssize_t recv_keep(struct channel *ch, struct chan_op *op,
			 struct iov_iter *to)
{
	u32 len = op->payload.len;

	if (unlikely(!usercopy_out(&op->payload, to))) {
		recv_put_back(ch, op);
		return -EFAULT;
	}
	payload_free(&op->payload);
	return len;
}

/*
 * Get @op a message, an error, or a sender to take from.
 *
 * @parked: in: this receiver has been parked before, and keeps its place; out:
 * whether it has been.
 */
static int recv_op(struct channel *ch, struct chan_op *op, struct iov_iter *to,
		   bool nowait, bool *parked)
{
	bool probed = false;
	int err;

	for (;;) {
		if (!probed && !nowait && !channel_looks_readable(ch)) {
			if (!usercopy_probe(to))
				return -EFAULT;
			probed = true;
		}
		switch (recv_meet(ch, op, probed, *parked)) {
		case MATCH_DONE:
			if (!op->status)
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
		*parked = true;
		err = recv_wait(ch, op);
		if (err != -EAGAIN)
			return err;
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
			    struct iov_iter *to, bool nowait)
{
	bool parked = false;

	for (;;) {
		u32 len;
		int err;

		err = recv_op(ch, op, to, nowait, &parked);
		if (err)
			return err;
		if (parked && recv_declined(ch, op))
			return -ERESTARTSYS;
		if (!op->peer)
			break;

		len = op->peer->payload.len;
		if (likely(recv_take(ch, op, to)))
			return len;
		if (fault_in_iov_iter_writeable(to, len))
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
ssize_t channel_recv(struct channel *ch, struct iov_iter *to, bool nowait)
{
	struct chan_call call;
	struct chan_op op;
	ssize_t ret;

	op_init(&op, &call);
	op.room = min_t(size_t, iov_iter_count(to), U32_MAX);
	op.no_empty = true;
	ret = recv_message(ch, &op, to, nowait);
	trace_chan_recv(ch, op.room, ret);
	return ret;
}
