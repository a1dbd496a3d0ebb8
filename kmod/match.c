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
/* How many parked operations are looked at to count them. */
#define COUNT_MAX 1024

void match_init(struct match *m, u32 capacity)
{
	queue_init(&m->senders);
	queue_init(&m->receivers);
	INIT_LIST_HEAD(&m->line);
	INIT_LIST_HEAD(&m->spares);
	m->nr_msgs = 0;
	m->nr_spares = 0;
	m->capacity = capacity;
	m->special = 0;
	m->cause = 0;
	m->parked_cause = 0;
	m->order = 0;
	m->sent = 0;
	m->received = 0;
}

static bool op_claim(struct chan_op *op)
{
	return call_claim(op->call, op);
}

/* Nobody has claimed the own call yet. */
static bool op_available(const struct chan_op *op)
{
	return !op->call->multi || call_claimable(op->call);
}

static bool op_commit(struct chan_op *op)
{
	return call_commit(op->call, op);
}

static void unqueue_sender(struct match *m, struct chan_op *op)
{
	queue_del(&m->senders, &op->node);
}

static void unqueue_receiver(struct match *m, struct chan_op *op)
{
	queue_del(&m->receivers, &op->node);
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

/* What those who were parked at the end are told, if it is not as usual. */
static int parked_error(const struct match *m, int usual)
{
	return m->parked_cause ? -(int)m->parked_cause : usual;
}

/* Can this receiver take a message of @len bytes? */
static int recv_fits(const struct chan_op *op, u32 len)
{
	if (len > op->room)
		return -EMSGSIZE;
	if (!len && op->no_empty)
		return -EBADMSG;
	return 0;
}

/* The receiver ends with what recv_fits() says. */
static void misfit(struct chan_op *op, u32 len, int err)
{
	op->needed = len;
	op->status = err;
}

static enum call_meeting meet_receiver(struct chan_op *sender,
				       struct chan_op *receiver)
{
	if (sender)
		return call_meet(sender->call, sender, receiver->call,
				 receiver);
	return op_claim(receiver) ? CALL_MET : CALL_MISSED;
}

/* Tell a receiver that it cannot have the message; false if it is not there. */
static bool reject_receiver(struct match *m, struct chan_op *op, u32 len,
			    int err)
{
	if (!op_claim(op))
		return false;
	unqueue_receiver(m, op);
	op->needed = len;
	call_finish(op, err);
	return true;
}

/* Hand the message over to a receiver that is claimed. */
static __always_inline enum match_verdict hand_over(struct match *m,
						    struct chan_op *op,
						    struct chan_op *receiver,
						    struct task_struct **wake)
{
	if (op->payload.borrowed) {
		op->peer = receiver;
		op->ticket = op->ticket ?: ++m->order;
		receiver->peer = op;
		atomic_set(&op->call->state, CALL_CLAIMED);
		*wake = call_settle(receiver->call, CALL_OFFERED);
		return MATCH_OFFERED;
	}
	payload_move(&receiver->payload, &op->payload);
	receiver->payload.seq = ++m->order;
	receiver->status = 0;
	op->status = 0;
	m->sent++;
	m->received++;
	*wake = call_settle(receiver->call, CALL_DONE);
	return MATCH_DONE;
}

/*
 * Claim two that are parked.  At least one of them is of a call of several, or they
 * would have met before; and only such a one may be claimed by somebody else while
 * the lock is held.
 *
 * Return: %CALL_MET; %CALL_LOST, @found is somebody else's; %CALL_MISSED, @other is.
 */
static enum call_meeting meet_parked(struct chan_op *found,
				     struct chan_op *other)
{
	if (found->call->multi)
		return call_meet_multi(found->call, found, other->call, other);
	if (other->call->multi &&
	    call_meet_multi(other->call, other, found->call, found) == CALL_MET)
		return CALL_MET;
	return CALL_MISSED;
}

/* Two that were parked, and have been claimed. */
static void deal(struct match *m, struct chan_op *sender,
		 struct chan_op *receiver)
{
	struct task_struct *wake = NULL;

	unqueue_sender(m, sender);
	unqueue_receiver(m, receiver);
	if (hand_over(m, sender, receiver, &wake) == MATCH_DONE)
		call_finish(sender, 0);
	call_wake(wake);
}

/*
 * Is the turn of @op before that of one parked in its queue?  Its own call may stand
 * there with other operations: then it is, from there on.
 */
static bool has_turn(const struct chan_op *op, const struct chan_op *other)
{
	return op->call == other->call ||
	       (op->ticket && op->ticket < other->ticket);
}

/**
 * serve_first - let a parked operation meet those who came before
 * @m: the meeting place
 * @found: what @op is about to meet
 * @op: who comes: parked in the queue of @queue, to be given back there, or new
 * @queue: of the senders if @op is one, else of the receivers
 * @batch: how many may still be told in this hold of the lock
 *
 * A select that is given back, or whose offer is revoked, can be met at once; also
 * by those who were parked while it could not be, and whom its owner is going to
 * look for.  They are not to be overtaken meanwhile.
 *
 * What is found here about a call of one operation remains so while the lock is
 * held.
 *
 * Return: %MATCH_WAIT, nobody comes before @op; %MATCH_DONE, @found has met one,
 * and is gone; %MATCH_LOST, it is claimed; %MATCH_AGAIN, the batch is used up.
 */
static noinline enum match_verdict
serve_first(struct match *m, struct chan_op *found, const struct chan_op *op,
	    struct queue *queue, unsigned int *batch)
{
	const bool sends = queue == &m->senders;
	struct hlist_node *next;
	struct chan_op *other;

	hlist_for_each_entry_safe(other, next, queue, node) {
		struct chan_op *sender = sends ? other : found;
		struct chan_op *receiver = sends ? found : other;
		u32 len = sender->payload.len;
		enum call_meeting met;
		int err;

		if (has_turn(op, other))
			break;
		if (other->call == found->call)
			continue;
		if (!call_claimable(other->call)) {
			if (call_is_over(other->call))
				queue_del(queue, &other->node);
			continue;
		}
		err = recv_fits(receiver, len);
		if (!err)
			met = meet_parked(found, other);
		else if (reject_receiver(m, receiver, len, err))
			met = CALL_MET;
		else
			met = sends ? CALL_LOST : CALL_MISSED;
		if (met == CALL_LOST)
			return MATCH_LOST;
		if (met == CALL_MISSED)
			continue;
		if (!err)
			deal(m, sender, receiver);
		if (!--*batch)
			return MATCH_AGAIN;
		/* A sender is still there for others if its message did not fit. */
		if (sends || !err)
			return MATCH_DONE;
	}
	return MATCH_WAIT;
}

/*
 * Claim the first parked receiver that can take a message of @len bytes; and
 * commit to @sender, whose call it must not be of, unless that is %NULL.  Those
 * that cannot take it are told, and with @in_turn, those that a sender can meet that
 * is parked before @sender meet that one: at most %REJECT_BATCH of them in one hold
 * of the lock.
 *
 * Return: the receiver; %NULL if there is none; ERR_PTR(-EAGAIN) if there may be
 * one after more that have to be told; ERR_PTR(-EALREADY) if @sender has been
 * claimed by somebody.
 */
static __always_inline struct chan_op *
find_receiver(struct match *m, struct chan_op *sender, u32 len, bool in_turn)
{
	unsigned int batch = REJECT_BATCH;
	struct hlist_node *next;
	struct chan_op *op;

	hlist_for_each_entry_safe(op, next, &m->receivers, node) {
		enum call_meeting met;
		int err;

		if (sender && op->call == sender->call)
			continue;
		if (unlikely(call_is_over(op->call))) {
			unqueue_receiver(m, op);
			continue;
		}
		if (in_turn) {
			enum match_verdict verdict;

			/* If given back, it looks again; nobody else's turn then. */
			if (!call_claimable(op->call))
				continue;
			verdict =
				serve_first(m, op, sender, &m->senders, &batch);
			if (verdict == MATCH_AGAIN)
				return ERR_PTR(-EAGAIN);
			if (verdict != MATCH_WAIT)
				continue;
		}
		err = recv_fits(op, len);
		if (unlikely(err)) {
			if (sender && !op_available(sender))
				return ERR_PTR(-EALREADY);
			if (reject_receiver(m, op, len, err) && !--batch)
				return ERR_PTR(-EAGAIN);
			continue;
		}
		met = meet_receiver(sender, op);
		if (unlikely(met == CALL_LOST))
			return ERR_PTR(-EALREADY);
		if (unlikely(met == CALL_MISSED))
			continue;
		unqueue_receiver(m, op);
		return op;
	}
	return NULL;
}

/* The same for a sender, with others parked: apart, as they seldom are. */
static noinline struct chan_op *find_receiver_in_turn(struct match *m,
						      struct chan_op *sender)
{
	return find_receiver(m, sender, sender->payload.len, true);
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
	payload_on_heap(p, msg);
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

static inline void line_add_tail(struct match *m, struct chan_payload *p)
{
	p->msg->seq = m->order + 1;
	list_add_tail(&p->msg->node, &m->line);
	m->nr_msgs++;
	m->sent++;
	match_move_on(m, p->msg->seq);
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
	match_move_on(m, m->order + 1);
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
	match_move_on(m, m->order + 1);
	if (!spare_keep(m, p, msg))
		payload_from_msg(p, msg);
}

/* A place in line has become free: the first parked sender gets it. */
static void line_refill(struct match *m, struct task_struct **wake)
{
	struct chan_op *op;

	if (likely(!m->senders.nr) || m->state || m->nr_msgs >= m->capacity)
		return;
	hlist_for_each_entry(op, &m->senders, node) {
		if (!op_claim(op))
			continue;
		unqueue_sender(m, op);
		line_add_tail(m, &op->payload);
		op->status = 0;
		*wake = call_settle(op->call, CALL_DONE);
		return;
	}
}

/* Nobody is there to receive: the message waits in line, or its sender does. */
static enum match_verdict send_to_line(struct match *m, struct chan_op *op)
{
	if (!m->capacity)
		return MATCH_WAIT;
	if (op->payload.kind != CHAN_PAYLOAD_HEAP &&
	    !spare_use(m, &op->payload))
		return MATCH_NEEDS_MSG;
	if (m->nr_msgs >= m->capacity)
		return MATCH_WAIT;
	if (!op_commit(op))
		return MATCH_LOST;
	line_add_tail(m, &op->payload);
	op->status = 0;
	op->news = true;
	return MATCH_DONE;
}

/**
 * match_send - try to hand a message over
 * @m: the meeting place
 * @op: with the message; private to the caller, or parked as one of several
 *	operations of its call
 * @wake: set to the receiver that got it
 *
 * Return: %MATCH_DONE with @op->status, and the payload gone if that is 0;
 * %MATCH_OFFERED, the call being claimed now; or %MATCH_NEEDS_MSG,
 * %MATCH_WAIT, %MATCH_AGAIN or %MATCH_LOST, not sent.
 */
enum match_verdict match_send(struct match *m, struct chan_op *op,
			      struct task_struct **wake)
{
	struct chan_op *receiver;

	if (m->state) {
		if (!op_commit(op))
			return MATCH_LOST;
		op->status = send_error(m);
		return MATCH_DONE;
	}
	/* A message in line is somebody's who is about to look again. */
	if (m->receivers.nr && !m->nr_msgs) {
		if (unlikely(m->senders.nr))
			receiver = find_receiver_in_turn(m, op);
		else
			receiver = find_receiver(m, op, op->payload.len, false);
		if (IS_ERR(receiver))
			return PTR_ERR(receiver) == -EAGAIN ? MATCH_AGAIN :
							      MATCH_LOST;
		if (receiver)
			return hand_over(m, op, receiver, wake);
	}
	return send_to_line(m, op);
}

static enum match_verdict recv_from_line(struct match *m, struct chan_op *op,
					 struct task_struct **wake)
{
	int err = recv_fits(op, line_first(m)->len);

	if (!op_commit(op))
		return MATCH_LOST;
	if (err) {
		misfit(op, line_first(m)->len, err);
		return MATCH_DONE;
	}
	op->status = 0;
	line_take_first(m, &op->payload);
	line_refill(m, wake);
	op->news = m->nr_msgs < m->capacity;
	return MATCH_DONE;
}

static __always_inline enum match_verdict
recv_from_sender(struct match *m, struct chan_op *op, bool in_turn)
{
	unsigned int batch = REJECT_BATCH;
	struct chan_op *sender;
	struct hlist_node *next;

	hlist_for_each_entry_safe(sender, next, &m->senders, node) {
		enum call_meeting met;
		int err;

		if (sender->call == op->call)
			continue;
		if (!call_claimable(sender->call)) {
			if (call_is_over(sender->call))
				unqueue_sender(m, sender);
			continue;
		}
		if (in_turn) {
			enum match_verdict verdict;

			verdict = serve_first(m, sender, op, &m->receivers,
					      &batch);
			if (verdict == MATCH_AGAIN)
				return verdict;
			if (verdict != MATCH_WAIT)
				continue;
		}
		err = recv_fits(op, sender->payload.len);
		if (err) {
			if (!op_commit(op))
				return MATCH_LOST;
			misfit(op, sender->payload.len, err);
			return MATCH_DONE;
		}
		met = call_meet(op->call, op, sender->call, sender);
		if (unlikely(met == CALL_LOST))
			return MATCH_LOST;
		if (unlikely(met == CALL_MISSED))
			continue;
		unqueue_sender(m, sender);
		m->sent++;
		m->received++;
		op->peer = sender;
		return MATCH_TAKE;
	}
	return MATCH_WAIT;
}

/* With others parked to receive. */
static noinline enum match_verdict recv_in_turn(struct match *m,
						struct chan_op *op)
{
	return recv_from_sender(m, op, true);
}

/**
 * match_recv - try to get a message
 * @m: the meeting place
 * @op: where to; private to the caller, or parked as one of several operations
 *	of its call
 * @wake: set to the sender whose message took the free place in line
 *
 * Return: %MATCH_DONE with @op->status, and a payload if that is 0;
 * %MATCH_TAKE with the claimed sender as @op->peer; or %MATCH_WAIT, %MATCH_AGAIN
 * or %MATCH_LOST, nothing received.
 */
enum match_verdict match_recv(struct match *m, struct chan_op *op,
			      struct task_struct **wake)
{
	if (m->nr_msgs)
		return recv_from_line(m, op, wake);
	if (m->state) {
		if (!op_commit(op))
			return MATCH_LOST;
		op->status = recv_error(m);
		return MATCH_DONE;
	}
	if (unlikely(m->receivers.nr))
		return recv_in_turn(m, op);
	return recv_from_sender(m, op, false);
}

/**
 * match_enqueue - let partners see an operation that was here before
 * @m: the meeting place
 * @queue: of it
 * @op: goes to its old place
 */
void match_enqueue(struct match *m, struct queue *queue, struct chan_op *op)
{
	struct chan_op *other;

	hlist_for_each_entry(other, queue, node) {
		if (other->ticket > op->ticket)
			break;
	}
	if (other)
		queue_add_before(queue, &op->node, &other->node);
	else
		queue_add_tail(queue, &op->node);
	match_move_on(m, m->order + 1);
}

/*
 * An operation of several that was claimed is available again, in its old place
 * and in the other queues.  The owner has to look at all of them once more.
 */
static struct task_struct *offer_recheck(struct chan_op *op)
{
	return call_settle(op->call, CALL_RECHECK);
}

/*
 * The sender that was dealt to this receiver has gone.  The receiver is awake or
 * about to be; it sees under the lock what has become of it.
 */
static void offer_anew(struct match *m, struct chan_op *receiver)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	receiver->peer = NULL;
	if (receiver->call->multi) {
		match_park_receiver(m, receiver);
		call_wake(offer_recheck(receiver));
		return;
	}
	/* Not often: few of those who are parked came before it. */
	while ((verdict = match_recv(m, receiver, &wake)) == MATCH_AGAIN)
		;
	switch (verdict) {
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
	if (op_claim(op)) {
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
	if (!op_claim(op))
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

/* It is in its place again, and may be of use on other channels. */
static void give_back_multi(struct match *m, struct chan_op *sender)
{
	match_park_sender(m, sender);
	call_wake(offer_recheck(sender));
}

/* There may be another receiver by now. */
static enum match_verdict give_back_single(struct match *m,
					   struct chan_op *sender)
{
	struct task_struct *receiver = NULL;
	enum match_verdict verdict = match_send(m, sender, &receiver);

	switch (verdict) {
	case MATCH_AGAIN:
		return verdict;
	case MATCH_DONE:
		call_finish(sender, sender->status);
		break;
	case MATCH_OFFERED:
		break;
	default:
		match_park_sender(m, sender);
		break;
	}
	if (receiver)
		call_wake(receiver);
	return MATCH_DONE;
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
	enum match_verdict verdict = MATCH_DONE;

	if (sender->leaving)
		call_finish(sender, -ERESTARTSYS);
	else if (sender->call->multi)
		give_back_multi(m, sender);
	else
		verdict = give_back_single(m, sender);
	if (verdict == MATCH_DONE) {
		m->sent--;
		m->received--;
	}
	return verdict;
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

	receiver = NULL;
	if (!m->nr_msgs || line_first(m)->seq > msg->seq)
		receiver = find_receiver(m, NULL, msg->len, false);
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

/* Is there something left to end?  A cancel reaches what has ended, too. */
static bool can_end(const struct match *m, u32 state)
{
	if (m->state == CHAN_STATE_OPEN)
		return true;
	return state == CHAN_STATE_CANCELED && m->state != state;
}

/**
 * match_end - let nothing new begin
 * @m: the meeting place
 * @state: what it has come to, not %CHAN_STATE_OPEN
 * @cause: positive errno for receivers, or 0
 *
 * The caller then releases the parked, see match_release().
 *
 * Return: false if it had ended before: the first cause stands, unless it is
 * cancelled now.
 */
bool match_end(struct match *m, u32 state, u32 cause)
{
	if (!can_end(m, state))
		return false;
	m->state = state;
	m->cause = cause;
	match_move_on(m, m->order + 1);
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
	struct hlist_node *next;
	struct chan_op *op;

	/* A named channel may have begun anew meanwhile: with nobody left. */
	if (!m->state)
		return false;
	hlist_for_each_entry_safe(op, next, &m->senders, node) {
		if (!batch--)
			return true;
		unqueue_sender(m, op);
		if (op_claim(op))
			call_finish(op, parked_error(m, send_error(m)));
	}
	hlist_for_each_entry_safe(op, next, &m->receivers, node) {
		if (!batch--)
			return true;
		unqueue_receiver(m, op);
		/* It was passed over for what is in line, and is about to look again. */
		if (m->nr_msgs)
			continue;
		if (op_claim(op))
			call_finish(op, parked_error(m, recv_error(m)));
	}
	return false;
}

/**
 * match_waiting - is somebody parked who could be met?
 * @queue: of senders or receivers; under the lock
 * @self: whose own operations do not count, %NULL if all do
 *
 * Return: true if so.
 */
bool match_waiting(const struct queue *queue, const struct task_struct *self)
{
	const struct chan_op *op;

	hlist_for_each_entry(op, queue, node) {
		if (op->call->task != self && call_claimable(op->call))
			return true;
	}
	return false;
}

/**
 * match_parked - how many are parked that could be met
 * @queue: of senders or receivers; under the lock
 *
 * Of very many, only the first are looked at, and the rest taken for such.
 *
 * Return: their number.
 */
u32 match_parked(const struct queue *queue)
{
	unsigned int left = COUNT_MAX;
	const struct chan_op *op;
	u32 nr = queue->nr;

	hlist_for_each_entry(op, queue, node) {
		if (!call_claimable(op->call))
			nr--;
		if (!--left)
			break;
	}
	return nr;
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
