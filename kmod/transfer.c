// SPDX-License-Identifier: GPL-2.0-only
/*
 * One message crosses a channel.  Who meets whom is decided in match.c; here
 * tasks sleep, wake, and copy to and from user memory.
 */
#include <linux/cred.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "channel.h"
#include "compat.h"
#include "trace.h"
#include "transfer.h"
#include "usercopy.h"
#include "wait.h"

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

/* The process and the user that send, for the receivers that ask. */
static struct chan_origin own_origin(void)
{
	return (struct chan_origin){
		.pid = task_tgid_nr(current),
		.uid = __kuid_val(current_uid()),
	};
}

static bool call_done(struct chan_call *call)
{
	return atomic_read_acquire(&call->state) == CALL_DONE;
}

/**
 * transfer_breathe - let others have the lock, and the processor
 * @ch: the channel
 */
void transfer_breathe(struct channel *ch) __releases(&ch->lock)
	__acquires(&ch->lock)
{
	spin_unlock(&ch->lock);
	cond_resched();
	spin_lock(&ch->lock);
}

/**
 * transfer_wake - wake the partner that was left to be woken
 * @ch: the channel, its lock dropped
 * @task: as of match_send() or match_recv()
 */
void transfer_wake(struct channel *ch, struct task_struct *task)
{
	trace_chan_wake(ch, task);
	call_wake(task);
}

/**
 * transfer_await_cancel - before somebody is told of a cancel
 * @op: his operation, which has failed
 */
void transfer_await_cancel(const struct chan_op *op)
{
	if (op->status == -ECANCELED)
		scope_await_cancel();
}

/**
 * transfer_load - take the message from user memory, before it is visible
 * @p: the payload
 * @from: the sender's memory
 * @space: how long a message may be to lie at @p->bytes
 *
 * Return: 0, -EFAULT or -ENOMEM.
 */
int transfer_load(struct chan_payload *p, const struct chan_buf *from,
		  size_t space)
{
	p->from = own_origin();
	if (from->len <= space)
		return usercopy_inline(p, from);
	return usercopy_heap(p, from);
}

/* The same, or borrow it, if that is cheaper. */
static int send_load(struct channel *ch, struct chan_payload *p,
		     const struct chan_buf *from, bool nowait)
{
	p->from = own_origin();
	if (from->len <= CHAN_INLINE)
		return usercopy_inline(p, from);
	p->borrowed = !ch->match.capacity && !nowait &&
		      from->len >= CHAN_BORROW_MIN;
	if (p->borrowed && usercopy_borrow(p, from))
		return 0;
	return usercopy_heap(p, from);
}

/* Sleep until a receiver has the message, a signal comes, or it is too late. */
static int send_wait(struct channel *ch, struct chan_op *op, u64 deadline)
{
	int err = call_wait(op->call, deadline, NULL);
	bool withdrawn;

	if (!err)
		return 0;
	spin_lock(&ch->lock);
	withdrawn = match_withdraw_sender(&ch->match, op);
	spin_unlock(&ch->lock);
	if (withdrawn)
		return err;
	call_wait_settled(op->call);
	return op->status == -ERESTARTSYS ? err : 0;
}

/* Look for a receiver, and park if there is none. */
static enum match_verdict send_meet(struct channel *ch, struct chan_op *op,
				    bool park)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	/* More may come to be told than can be told: who is killed leaves. */
	while ((verdict = match_send(&ch->match, op, &wake)) == MATCH_AGAIN &&
	       !fatal_signal_pending(current))
		transfer_breathe(ch);
	if (verdict == MATCH_WAIT && park)
		match_park_sender(&ch->match, op);
	spin_unlock(&ch->lock);
	if (wake)
		transfer_wake(ch, wake);
	return verdict;
}

static u64 deadline_of(const struct chan_details *details)
{
	return details ? details->deadline : CHAN_FOREVER;
}

static int send_op(struct channel *ch, struct chan_op *op, bool nowait,
		   const struct chan_details *details)
{
	enum match_verdict verdict;
	int err;

	while ((verdict = send_meet(ch, op, !nowait)) == MATCH_NEEDS_MSG) {
		err = payload_to_heap(&op->payload);
		if (err)
			return err;
	}
	if (likely(verdict == MATCH_DONE)) {
		if (op->news)
			channel_notify_receivers(ch);
		return 0;
	}
	if (verdict == MATCH_WAIT) {
		if (nowait)
			return -EAGAIN;
		trace_chan_park(ch, true);
		channel_notify_receivers(ch);
	}
	if (unlikely(verdict == MATCH_AGAIN))
		return -ERESTARTSYS;
	return send_wait(ch, op, deadline_of(details));
}

/**
 * channel_send - send one message
 * @ch: the channel
 * @from: the sender's memory
 * @nowait: fail with %-EAGAIN instead of sleeping
 * @details: what is asked and told beyond write(2), or %NULL
 *
 * Return: the length of the message, which has been taken or is in line; or a
 * negative errno, and nobody has seen it.  With @details, what has become of the
 * channel is told there, and returned are only the errors of the call itself:
 * -EMSGSIZE, -EFAULT, -ENOMEM, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS.
 */
ssize_t channel_send(struct channel *ch, const struct chan_buf *from,
		     bool nowait, struct chan_details *details)
{
	union chan_space space __uninitialized;
	struct chan_call call __uninitialized;
	struct chan_op op __uninitialized;
	int err;

	if (from->len > ch->max_msg)
		return -EMSGSIZE;

	call_init(&call, current);
	op_init(&op, &call, space.bytes);
	err = send_load(ch, &op.payload, from, nowait);
	if (err)
		return err;
	err = send_op(ch, &op, nowait, details);
	payload_free(&op.payload);
	trace_chan_send(ch, from->len, err ?: op.status);
	if (unlikely(err))
		return err;
	if (unlikely(op.status))
		transfer_await_cancel(&op);
	if (unlikely(details))
		details->status = op.status;
	else if (unlikely(op.status))
		return op.status;
	return from->len;
}

/**
 * transfer_accept - a receiver comes for what it was offered
 * @ch: the channel
 * @op: a receiver whose call has been %CALL_OFFERED
 *
 * Return: true with @op->peer set as by %MATCH_TAKE; false if the sender has
 * revoked.
 */
bool transfer_accept(struct channel *ch, struct chan_op *op)
{
	struct chan_op *sender;

	spin_lock(&ch->lock);
	sender = match_accept(&ch->match, op);
	op->peer = sender;
	spin_unlock(&ch->lock);
	/* Parked again, it may have another peer by now. */
	return sender;
}

/* Give up the message that @op has got. */
static void recv_put_back(struct channel *ch, struct chan_op *op)
{
	struct chan_msg *msg = payload_to_msg(&op->payload);
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	while ((verdict = match_put_back(&ch->match, msg)) == MATCH_AGAIN)
		transfer_breathe(ch);
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
		transfer_breathe(ch);
	spin_unlock(&ch->lock);
	op->peer = NULL;
	channel_notify_receivers(ch);
}

/**
 * transfer_take - copy from the sender that this receiver has claimed
 * @ch: the channel
 * @op: the receiver, with the sender as @op->peer
 * @to: the receiver's memory
 *
 * Return: true if the sender has been let go; false if a page was not there,
 * and the sender is back in line.  Either way @op->payload.len tells the length
 * of its message.
 */
bool transfer_take(struct channel *ch, struct chan_op *op,
		   const struct chan_buf *to)
{
	struct chan_op *sender = op->peer;
	bool copied;

	op->payload.len = sender->payload.len;
	pagefault_disable();
	copied = usercopy_out(&sender->payload, to);
	pagefault_enable();
	if (unlikely(!copied)) {
		recv_give_back(ch, op);
		return false;
	}

	op->payload.from = sender->payload.from;
	op->status = 0;
	sender->status = 0;
	transfer_wake(ch, call_settle(sender->call, CALL_DONE));
	return true;
}

/**
 * transfer_keep - copy the message that this receiver owns
 * @ch: the channel
 * @op: the receiver, with the message as its payload
 * @to: the receiver's memory
 *
 * Return: 0; or -EFAULT, and the message is back in line.
 */
int transfer_keep(struct channel *ch, struct chan_op *op,
		  const struct chan_buf *to)
{
	if (unlikely(!usercopy_out(&op->payload, to))) {
		recv_put_back(ch, op);
		return -EFAULT;
	}
	payload_free(&op->payload);
	return 0;
}

/**
 * transfer_retry - after a page was not there: bring it in
 * @to: the receiver's memory
 * @sender: from whom to copy was in vain
 * @len: the length of its message
 * @nowait: what does not wait is not interrupted, but by the end
 * @faults: empty at first
 *
 * Return: 0 to look for a message anew; -EFAULT, -ERESTARTSYS.
 */
int transfer_retry(const struct chan_buf *to, const struct chan_op *sender,
		   u32 len, bool nowait, struct transfer_faults *faults)
{
	/* What does not wait has so many in all: nothing else would end it. */
	if (sender != faults->last && !nowait)
		faults->tries = 0;
	faults->last = sender;
	if (!usercopy_fault_in(to, len) || ++faults->tries == RECV_TRIES)
		return -EFAULT;
	if (nowait ? fatal_signal_pending(current) : signal_pending(current))
		return -ERESTARTSYS;
	return 0;
}

/*
 * Sleep until there is a message, or an offer of one.
 *
 * Return: 0 with @op->peer set as by %MATCH_TAKE, or settled; -ERESTARTSYS,
 * -ETIMEDOUT.
 */
static int recv_wait(struct channel *ch, struct chan_op *op, u64 deadline)
{
	bool withdrawn;
	int err;

	for (;;) {
		err = call_wait(op->call, deadline, NULL);
		if (err) {
			spin_lock(&ch->lock);
			withdrawn = match_withdraw_receiver(&ch->match, op);
			spin_unlock(&ch->lock);
			if (withdrawn)
				return err;
		}
		if (call_done(op->call) || transfer_accept(ch, op))
			return 0;
		/* Its sender has revoked: it is parked again. */
		channel_notify_senders(ch);
	}
}

static __always_inline enum match_verdict
recv_meet_once(struct channel *ch, struct chan_op *op, bool park)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	verdict = match_recv(&ch->match, op, &wake);
	if (verdict == MATCH_WAIT && park)
		match_park_receiver(&ch->match, op);
	spin_unlock(&ch->lock);
	if (likely(verdict == MATCH_DONE)) {
		if (wake)
			transfer_wake(ch, wake);
		if (op->news)
			channel_notify_senders(ch);
	}
	return verdict;
}

/* So many others were to be served first that the lock was dropped. */
static noinline enum match_verdict
recv_meet_again(struct channel *ch, struct chan_op *op, bool park)
{
	enum match_verdict verdict;

	do {
		cond_resched();
		verdict = recv_meet_once(ch, op, park);
	} while (verdict == MATCH_AGAIN && !fatal_signal_pending(current));
	return verdict;
}

/*
 * Look for a message, and park if there is none and @park says so.  %MATCH_AGAIN
 * is left only to a task that is being killed.
 */
static __always_inline enum match_verdict
recv_meet(struct channel *ch, struct chan_op *op, bool park)
{
	enum match_verdict verdict = recv_meet_once(ch, op, park);

	if (unlikely(verdict == MATCH_AGAIN))
		verdict = recv_meet_again(ch, op, park);
	return verdict;
}

/* There is none: park, unless there is one by now. */
static noinline int recv_park(struct channel *ch, struct chan_op *op,
			      u64 deadline)
{
	enum match_verdict verdict = recv_meet(ch, op, true);

	if (verdict == MATCH_AGAIN)
		return -ERESTARTSYS;
	if (verdict != MATCH_WAIT)
		return 0;
	trace_chan_park(ch, false);
	channel_notify_senders(ch);
	return recv_wait(ch, op, deadline);
}

/* Get @op a message, an error, or a sender to take from. */
static int recv_op(struct channel *ch, struct chan_op *op,
		   const struct chan_buf *to, bool nowait,
		   const struct chan_details *details)
{
	enum match_verdict verdict;

	if (nowait || channel_looks_readable(ch)) {
		verdict = recv_meet(ch, op, false);
		if (likely(verdict == MATCH_DONE || verdict == MATCH_TAKE))
			return 0;
		if (verdict == MATCH_AGAIN)
			return -ERESTARTSYS;
	}
	if ((details || !nowait) && !usercopy_probe(to))
		return -EFAULT;
	if (nowait)
		return -EAGAIN;
	return recv_park(ch, op, deadline_of(details));
}

/**
 * transfer_declined - a receiver that is being killed leaves it to others
 * @ch: the channel
 * @op: the receiver, with a sender claimed or settled
 *
 * Return: true if so, and what it had is back in line.
 */
bool transfer_declined(struct channel *ch, struct chan_op *op)
{
	if (likely(!fatal_signal_pending(current)))
		return false;
	if (op->peer)
		recv_give_back(ch, op);
	else if (!op->status)
		recv_put_back(ch, op);
	return true;
}

/* Get @op an error, or a message to the receiver's memory. */
static int recv_message(struct channel *ch, struct chan_op *op,
			const struct chan_buf *to, bool nowait,
			const struct chan_details *details)
{
	struct transfer_faults faults __uninitialized;

	faults.last = NULL;
	for (;;) {
		const struct chan_op *sender;
		int err;

		err = recv_op(ch, op, to, nowait, details);
		if (err)
			return err;
		if (op->ticket && transfer_declined(ch, op))
			return -ERESTARTSYS;
		sender = op->peer;
		if (!sender)
			return op->status ? 0 : transfer_keep(ch, op, to);

		if (likely(transfer_take(ch, op, to)))
			return 0;
		err = transfer_retry(to, sender, op->payload.len, nowait,
				     &faults);
		if (err)
			return err;
	}
}

/* What to return, once there is something to tell. */
static ssize_t recv_result(const struct chan_op *op,
			   struct chan_details *details)
{
	if (unlikely(op->status))
		transfer_await_cancel(op);
	if (unlikely(details)) {
		details_fill(details, op);
		return 0;
	}
	return transfer_result(op);
}

/* What read(2) would have returned. */
static void trace_recv(struct channel *ch, const struct chan_op *op,
		       ssize_t ret)
{
	trace_chan_recv(ch, op->room, ret < 0 ? ret : transfer_result(op));
}

/**
 * channel_recv - receive one message
 * @ch: the channel
 * @to: the receiver's memory
 * @nowait: fail with %-EAGAIN instead of sleeping
 * @details: what is asked and told beyond read(2), or %NULL; with it, an empty
 *	message is welcome
 *
 * Return: the length of the message; 0 if the channel is closed and drained; or
 * a negative errno, and no message was taken.  With @details, what came of it is
 * told there, and returned are 0 and the errors of the call itself: -EFAULT,
 * -EAGAIN, -ETIMEDOUT, -ERESTARTSYS.
 */
ssize_t channel_recv(struct channel *ch, const struct chan_buf *to, bool nowait,
		     struct chan_details *details)
{
	union chan_space space __uninitialized;
	struct chan_call call __uninitialized;
	struct chan_op op __uninitialized;
	ssize_t ret;

	call_init(&call, current);
	op_init(&op, &call, space.bytes);
	op.room = min_t(size_t, to->len, U32_MAX);
	op.no_empty = !details;
	ret = recv_message(ch, &op, to, nowait, details) ?:
		      recv_result(&op, details);
	if (trace_chan_recv_enabled())
		trace_recv(ch, &op, ret);
	return ret;
}
