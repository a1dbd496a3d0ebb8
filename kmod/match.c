// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who meets whom on a channel.  The design stands in match.h.
 */
#include <linux/err.h>
#include <linux/errno.h>

#include <linux/chan.h>

#include "match.h"

/* How many receivers are told at once that a message does not fit. */
#define REJECT_BATCH 64

void match_init(struct match *m, u32 capacity)
{
	INIT_LIST_HEAD(&m->senders);
	INIT_LIST_HEAD(&m->receivers);
	INIT_LIST_HEAD(&m->line);
	INIT_LIST_HEAD(&m->spares);
	m->nr_senders = 0;
	m->nr_receivers = 0;
	m->nr_msgs = 0;
	m->nr_spares = 0;
	m->capacity = capacity;
	m->state = CHAN_STATE_OPEN;
	m->cause = 0;
	m->order = 0;
	m->sent = 0;
	m->received = 0;
}

/* Acquire: what the owner wrote before it parked is ours to read. */
static bool call_claim(struct chan_call *call)
{
	return atomic_cmpxchg(&call->state, CALL_PARKED, CALL_CLAIMED) ==
	       CALL_PARKED;
}

static void unqueue_sender(struct match *m, struct chan_op *op)
{
	list_del_init(&op->node);
	m->nr_senders--;
}

static void unqueue_receiver(struct match *m, struct chan_op *op)
{
	list_del_init(&op->node);
	m->nr_receivers--;
}

static void call_finish(struct chan_op *op, int status)
{
	op->status = status;
	call_wake(call_settle(op->call, CALL_DONE));
}

static int send_error(const struct match *m)
{
	switch (m->state) {
	case CHAN_STATE_CANCELED:
		return -ECANCELED;
	case CHAN_STATE_REMOVED:
		return -ENODEV;
	default:
		return -EPIPE;
	}
}

static int recv_error(const struct match *m)
{
	return m->cause ? -(int)m->cause : CHAN_EOF;
}

/* Can this receiver take a message of @len bytes? */
static int recv_fits(struct chan_op *op, u32 len)
{
	if (len > op->room) {
		op->needed = len;
		return -EMSGSIZE;
	}
	if (!len && op->no_empty)
		return -EBADMSG;
	return 0;
}

/* Claim the first parked receiver that is not part of @call itself. */
static struct chan_op *next_receiver(struct match *m,
				     const struct chan_call *call)
{
	struct chan_op *op;

	list_for_each_entry(op, &m->receivers, node) {
		if (op->call == call || !call_claim(op->call))
			continue;
		unqueue_receiver(m, op);
		return op;
	}
	return NULL;
}

/*
 * The same, for a message of @len bytes.  Those that cannot take it are told,
 * at most %REJECT_BATCH of them in one hold of the lock.
 *
 * Return: the receiver, %NULL if there is none, ERR_PTR(-EAGAIN) if there may be
 * one after more that have to be told.
 */
static struct chan_op *claim_receiver(struct match *m,
				      const struct chan_call *call, u32 len)
{
	unsigned int batch = REJECT_BATCH;
	struct chan_op *op;
	int err;

	while (m->nr_receivers && (op = next_receiver(m, call))) {
		err = recv_fits(op, len);
		if (likely(!err))
			return op;
		call_finish(op, err);
		if (!--batch)
			return ERR_PTR(-EAGAIN);
	}
	return NULL;
}

/* Let a short message wait in a spare one, if there is one of its size. */
static bool spare_use(struct match *m, struct chan_payload *p)
{
	struct chan_msg *msg;

	if (!m->nr_spares)
		return false;
	msg = list_first_entry(&m->spares, struct chan_msg, node);
	if (msg->room < p->len)
		return false;
	list_del(&msg->node);
	m->nr_spares--;
	payload_inline_to_msg(p, msg);
	payload_from_msg(p, msg);
	return true;
}

/* The receiver gets a short message by value, and what held it is spare. */
static bool spare_keep(struct match *m, struct chan_payload *p,
		       struct chan_msg *msg)
{
	if (msg->len > CHAN_INLINE || m->nr_spares == CHAN_SPARES)
		return false;
	payload_inline_from_msg(p, msg);
	list_add(&msg->node, &m->spares);
	m->nr_spares++;
	return true;
}

static void line_add_tail(struct match *m, struct chan_payload *p)
{
	p->msg->seq = ++m->order;
	list_add_tail(&p->msg->node, &m->line);
	m->nr_msgs++;
	m->sent++;
	p->kind = CHAN_PAYLOAD_NONE;
}

/* Back to where it was; few have been taken since, if any. */
static void line_put_back(struct match *m, struct chan_msg *msg)
{
	struct chan_msg *next;

	list_for_each_entry(next, &m->line, node) {
		if (next->seq > msg->seq)
			break;
	}
	list_add_tail(&msg->node, &next->node);
	m->nr_msgs++;
}

static struct chan_msg *line_first(struct match *m)
{
	return list_first_entry(&m->line, struct chan_msg, node);
}

static void line_take_first(struct match *m, struct chan_payload *p)
{
	struct chan_msg *msg = line_first(m);

	list_del(&msg->node);
	m->nr_msgs--;
	m->received++;
	if (!spare_keep(m, p, msg))
		payload_from_msg(p, msg);
}

/* A place in line has become free: the first parked sender gets it. */
static void line_refill(struct match *m, struct task_struct **wake)
{
	struct chan_op *op;

	if (m->state || m->nr_msgs >= m->capacity)
		return;
	list_for_each_entry(op, &m->senders, node) {
		if (!call_claim(op->call))
			continue;
		unqueue_sender(m, op);
		line_add_tail(m, &op->payload);
		op->status = 0;
		*wake = call_settle(op->call, CALL_DONE);
		return;
	}
}

/**
 * match_send - try to hand a message over
 * @m: the meeting place
 * @op: with the message; private to the caller
 * @wake: set to the receiver that got it
 *
 * Return: %MATCH_DONE with @op->status, and the payload gone if that is 0;
 * %MATCH_OFFERED, the call being claimed now; or %MATCH_NEEDS_MSG,
 * %MATCH_WAIT or %MATCH_AGAIN, still to be sent.
 */
enum match_verdict match_send(struct match *m, struct chan_op *op,
			      struct task_struct **wake)
{
	struct chan_op *receiver;

	if (m->state) {
		op->status = send_error(m);
		return MATCH_DONE;
	}

	receiver = claim_receiver(m, op->call, op->payload.len);
	if (IS_ERR(receiver))
		return MATCH_AGAIN;
	if (receiver && op->payload.borrowed) {
		op->peer = receiver;
		op->ticket = op->ticket ?: ++m->order;
		receiver->peer = op;
		atomic_set(&op->call->state, CALL_CLAIMED);
		*wake = call_settle(receiver->call, CALL_OFFERED);
		return MATCH_OFFERED;
	}
	op->status = 0;
	if (receiver) {
		payload_move(&receiver->payload, &op->payload);
		receiver->payload.seq = ++m->order;
		receiver->status = 0;
		m->sent++;
		m->received++;
		*wake = call_settle(receiver->call, CALL_DONE);
		return MATCH_DONE;
	}
	if (m->capacity && op->payload.kind != CHAN_PAYLOAD_HEAP &&
	    !spare_use(m, &op->payload))
		return MATCH_NEEDS_MSG;
	if (m->nr_msgs >= m->capacity)
		return MATCH_WAIT;
	line_add_tail(m, &op->payload);
	op->news = true;
	return MATCH_DONE;
}

/**
 * match_recv - try to get a message
 * @m: the meeting place
 * @op: where to; private to the caller
 * @wake: set to the sender whose message took the free place in line
 *
 * Return: %MATCH_DONE with @op->status, and a payload if that is 0;
 * %MATCH_TAKE with the claimed sender as @op->peer; or %MATCH_WAIT with nothing
 * changed.
 */
enum match_verdict match_recv(struct match *m, struct chan_op *op,
			      struct task_struct **wake)
{
	struct chan_op *sender;

	if (m->nr_msgs) {
		op->status = recv_fits(op, line_first(m)->len);
		if (op->status)
			return MATCH_DONE;
		line_take_first(m, &op->payload);
		line_refill(m, wake);
		op->news = m->nr_msgs < m->capacity;
		return MATCH_DONE;
	}
	if (m->state) {
		op->status = recv_error(m);
		return MATCH_DONE;
	}

	list_for_each_entry(sender, &m->senders, node) {
		if (sender->call == op->call ||
		    atomic_read(&sender->call->state) != CALL_PARKED)
			continue;
		op->status = recv_fits(op, sender->payload.len);
		if (op->status)
			return MATCH_DONE;
		if (!call_claim(sender->call))
			continue;
		unqueue_sender(m, sender);
		m->sent++;
		m->received++;
		op->peer = sender;
		return MATCH_TAKE;
	}
	return MATCH_WAIT;
}

/* New ones at the end; one that was here before goes to its old place. */
static void park(struct match *m, struct list_head *queue, struct chan_op *op)
{
	struct list_head *before = queue;
	struct chan_op *other;

	if (!op->ticket) {
		op->ticket = ++m->order;
	} else {
		list_for_each_entry(other, queue, node) {
			if (other->ticket > op->ticket) {
				before = &other->node;
				break;
			}
		}
	}
	/* The lock publishes it. */
	atomic_set(&op->call->state, CALL_PARKED);
	list_add_tail(&op->node, before);
}

/**
 * match_park_sender - let partners see a sender
 * @m: the meeting place
 * @op: the sender
 */
void match_park_sender(struct match *m, struct chan_op *op)
{
	park(m, &m->senders, op);
	m->nr_senders++;
}

/**
 * match_park_receiver - let partners see a receiver
 * @m: the meeting place
 * @op: the receiver
 */
void match_park_receiver(struct match *m, struct chan_op *op)
{
	park(m, &m->receivers, op);
	m->nr_receivers++;
}

/*
 * The sender that was dealt to this receiver has gone.  The receiver is awake or
 * about to be; it sees under the lock what has become of it.
 */
static void offer_anew(struct match *m, struct chan_op *receiver)
{
	struct task_struct *wake = NULL;

	receiver->peer = NULL;
	switch (match_recv(m, receiver, &wake)) {
	case MATCH_TAKE:
		/* Counted when it is accepted. */
		m->sent--;
		m->received--;
		receiver->peer->peer = receiver;
		break;
	case MATCH_DONE:
		call_finish(receiver, receiver->status);
		break;
	default:
		match_park_receiver(m, receiver);
		break;
	}
	if (wake)
		call_wake(wake);
}

/**
 * match_withdraw_sender - stop waiting
 * @m: the meeting place
 * @op: a sender that was parked or offered
 *
 * Return: true if it is private again and nothing happened; false if a receiver
 * has it.  The call must then wait for %CALL_DONE: if the receiver fails, the
 * sender is not parked again but gets %-ERESTARTSYS.
 */
bool match_withdraw_sender(struct match *m, struct chan_op *op)
{
	if (call_claim(op->call)) {
		unqueue_sender(m, op);
		return true;
	}
	if (op->peer) {
		offer_anew(m, op->peer);
		op->peer = NULL;
		return true;
	}
	op->leaving = true;
	return false;
}

/**
 * match_withdraw_receiver - stop waiting
 * @m: the meeting place
 * @op: a receiver that was parked
 *
 * Return: true if it is private again and nothing happened; false if it is
 * settled, %CALL_OFFERED or %CALL_DONE.
 */
bool match_withdraw_receiver(struct match *m, struct chan_op *op)
{
	if (!call_claim(op->call))
		return false;
	unqueue_receiver(m, op);
	return true;
}

/**
 * match_accept - a receiver comes for what it was offered
 * @m: the meeting place
 * @op: a receiver whose call has been %CALL_OFFERED
 *
 * Return: the sender, as after %MATCH_TAKE, and the receiver is private; %NULL
 * if the sender has revoked, and the call is %CALL_PARKED or %CALL_DONE.
 */
struct chan_op *match_accept(struct match *m, struct chan_op *op)
{
	struct chan_op *sender = op->peer;

	if (!sender)
		return NULL;
	op->peer = NULL;
	sender->peer = NULL;
	m->sent++;
	m->received++;
	return sender;
}

/**
 * match_give_back - a receiver could not copy from the sender it had taken
 * @m: the meeting place
 * @sender: gets its place in the queue back, unless the channel has ended or
 *	another receiver is waiting by now; one that was about to leave is let go
 *
 * Return: %MATCH_DONE, or %MATCH_AGAIN.
 */
enum match_verdict match_give_back(struct match *m, struct chan_op *sender)
{
	struct task_struct *receiver = NULL;
	enum match_verdict verdict;

	if (sender->leaving) {
		sender->status = -ERESTARTSYS;
		verdict = MATCH_DONE;
	} else {
		verdict = match_send(m, sender, &receiver);
	}
	if (verdict == MATCH_AGAIN)
		return MATCH_AGAIN;

	m->sent--;
	m->received--;
	if (verdict == MATCH_DONE)
		call_finish(sender, sender->status);
	else if (verdict != MATCH_OFFERED)
		match_park_sender(m, sender);
	if (receiver)
		call_wake(receiver);
	return MATCH_DONE;
}

/**
 * match_put_back - a receiver could not keep the message it had
 * @m: the meeting place
 * @msg: gets its place in line back, or goes to a receiver that waits
 *
 * Return: %MATCH_DONE; %MATCH_AGAIN; or %MATCH_WAIT if nobody may have it any
 * more, so that the caller frees it.
 */
enum match_verdict match_put_back(struct match *m, struct chan_msg *msg)
{
	struct chan_op *receiver;

	if (m->state == CHAN_STATE_BROKEN || m->state == CHAN_STATE_CANCELED) {
		m->received--;
		return MATCH_WAIT;
	}

	receiver = claim_receiver(m, NULL, msg->len);
	if (IS_ERR(receiver))
		return MATCH_AGAIN;
	if (receiver) {
		payload_from_msg(&receiver->payload, msg);
		call_finish(receiver, 0);
	} else {
		m->received--;
		line_put_back(m, msg);
	}
	return MATCH_DONE;
}

/**
 * match_end - let nothing new begin
 * @m: the meeting place
 * @state: what it has come to, not %CHAN_STATE_OPEN
 * @cause: positive errno for receivers, or 0
 *
 * The caller then releases the parked, see match_release().
 *
 * Return: false if it had ended before: the first cause stands.
 */
bool match_end(struct match *m, u32 state, u32 cause)
{
	if (m->state)
		return false;
	m->state = state;
	m->cause = cause;
	return true;
}

/**
 * match_release - tell the parked that the channel has ended
 * @m: the meeting place, ended
 * @batch: how many to tell at most, so that the lock is not held for long
 *
 * Return: true if more are left.
 */
bool match_release(struct match *m, unsigned int batch)
{
	struct chan_op *op, *next;

	/* A named channel may have begun anew meanwhile: with nobody left. */
	if (!m->state)
		return false;
	list_for_each_entry_safe(op, next, &m->senders, node) {
		if (!batch--)
			return true;
		unqueue_sender(m, op);
		if (call_claim(op->call))
			call_finish(op, send_error(m));
	}
	list_for_each_entry_safe(op, next, &m->receivers, node) {
		if (!batch--)
			return true;
		unqueue_receiver(m, op);
		if (call_claim(op->call))
			call_finish(op, recv_error(m));
	}
	return false;
}

/**
 * match_drop - forget what is in line, and what was kept for reuse
 * @m: the meeting place
 * @dropped: gets the messages, for the caller to free without the lock
 */
void match_drop(struct match *m, struct list_head *dropped)
{
	list_splice_init(&m->line, dropped);
	list_splice_init(&m->spares, dropped);
	m->nr_msgs = 0;
	m->nr_spares = 0;
}
