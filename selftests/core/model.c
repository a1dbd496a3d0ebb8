// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sequential reference of the matching core, see model.h.  It follows the
 * DOC: blocks of kmod/match.h and kmod/call.h, and shares no code with the core.
 */
#include <assert.h>
#include <errno.h>

#include <linux/chan.h>

#include "model.h"

bool model_claimable(const struct model *m, int call)
{
	return m->calls[call].state == MODEL_IS_PARKED ||
	       m->calls[call].state == MODEL_IS_RECHECK;
}

bool model_claim(struct model *m, int op)
{
	int call = m->ops[op].call;

	if (!model_claimable(m, call))
		return false;
	m->calls[call].state = MODEL_IS_CLAIMED;
	m->calls[call].chosen = op;
	return true;
}

/* Who carries out an operation of a single call has it for itself. */
bool model_commit(struct model *m, int op)
{
	return !m->calls[m->ops[op].call].multi || model_claim(m, op);
}

/* May the owner of @op still decide for itself? */
static bool own(const struct model *m, int op)
{
	return !m->calls[m->ops[op].call].multi ||
	       model_claimable(m, m->ops[op].call);
}

static void settle(struct model *m, int op, enum model_state state)
{
	m->calls[m->ops[op].call].state = state;
	m->calls[m->ops[op].call].woken++;
}

static void finish(struct model *m, int op, int status)
{
	m->ops[op].status = status;
	settle(m, op, MODEL_IS_DONE);
}

/**
 * model_next - go through a queue
 * @m: the model
 * @ch: of this channel
 * @send: the senders, or the receivers
 * @op: the one before, or %MODEL_NOBODY
 *
 * Return: the next in the order of the tickets, or %MODEL_NOBODY.
 */
int model_next(const struct model *m, int ch, bool send, int op)
{
	unsigned long after = op == MODEL_NOBODY ? 0 : m->ops[op].ticket;
	int i, best = MODEL_NOBODY;

	for (i = 0; i < MODEL_OPS; i++) {
		const struct model_op *o = &m->ops[i];

		if (!o->queued || o->ch != ch || o->send != send ||
		    o->ticket <= after)
			continue;
		if (best == MODEL_NOBODY || o->ticket < m->ops[best].ticket)
			best = i;
	}
	return best;
}

/**
 * model_parked - how many wait who could be met
 * @m: the model
 * @ch: on this channel
 * @send: to send, or to receive
 * @self: a call that does not count, or %MODEL_NOBODY
 *
 * Return: their number.
 */
unsigned int model_parked(const struct model *m, int ch, bool send, int self)
{
	unsigned int count = 0;
	int op = MODEL_NOBODY;

	while ((op = model_next(m, ch, send, op)) != MODEL_NOBODY) {
		if (m->ops[op].call != self && model_claimable(m, m->ops[op].call))
			count++;
	}
	return count;
}

bool model_readable(const struct model *m, int ch, int self)
{
	return m->channels[ch].nr_msgs || m->channels[ch].state ||
	       model_parked(m, ch, true, self);
}

bool model_writable(const struct model *m, int ch, int self)
{
	return m->channels[ch].nr_msgs < m->channels[ch].capacity ||
	       m->channels[ch].state || model_parked(m, ch, false, self);
}

/**
 * model_possible - is something possible that those who looked before are told of?
 * @m: the model
 * @ch: on this channel
 * @send: a send, or a receive
 *
 * A call of several that is given back can be met on its other channels at once,
 * but they move on only when its owner has looked at them.
 *
 * Return: true if so.
 */
bool model_possible(const struct model *m, int ch, bool send)
{
	const struct model_channel *c = &m->channels[ch];
	int op = MODEL_NOBODY;

	if (c->state || (send ? c->nr_msgs < c->capacity : c->nr_msgs))
		return true;
	while ((op = model_next(m, ch, !send, op)) != MODEL_NOBODY) {
		if (!m->ops[op].unseen && model_claimable(m, m->ops[op].call))
			return true;
	}
	return false;
}

static int send_error(const struct model_channel *c)
{
	if (c->state == CHAN_STATE_CANCELED)
		return -ECANCELED;
	return c->state == CHAN_STATE_REMOVED ? -ENODEV : -EPIPE;
}

static int recv_error(const struct model_channel *c)
{
	return c->cause ? -(int)c->cause : MODEL_EOF;
}

/* 0, or why this receiver cannot have a message of @len bytes. */
static int misfit(const struct model_op *receiver, unsigned int len)
{
	if (len > receiver->room)
		return -EMSGSIZE;
	return !len && receiver->no_empty ? -EBADMSG : 0;
}

/* Into the line, where its number says. */
static void line_insert(struct model_channel *c, const struct model_msg *msg)
{
	unsigned int at = c->nr_msgs, i;

	assert(c->nr_msgs < MODEL_LINE && msg->heap);
	while (at && c->line[at - 1].seq > msg->seq)
		at--;
	for (i = c->nr_msgs; i > at; i--)
		c->line[i] = c->line[i - 1];
	c->line[at] = *msg;
	c->nr_msgs++;
}

static struct model_msg line_remove(struct model_channel *c)
{
	struct model_msg first = c->line[0];
	unsigned int i;

	for (i = 1; i < c->nr_msgs; i++)
		c->line[i - 1] = c->line[i];
	c->nr_msgs--;
	return first;
}

static void send_to_end(struct model *m, int op)
{
	struct model_channel *c = &m->channels[m->ops[op].ch];

	m->ops[op].msg.seq = ++m->clock;
	line_insert(c, &m->ops[op].msg);
	c->sent++;
}

static enum model_verdict hand_over(struct model *m, int sender, int receiver)
{
	struct model_op *s = &m->ops[sender], *r = &m->ops[receiver];
	struct model_channel *c = &m->channels[s->ch];

	if (s->borrowed) {
		s->peer = receiver;
		r->peer = sender;
		if (!s->ticket)
			s->ticket = ++m->clock;
		m->calls[s->call].state = MODEL_IS_CLAIMED;
		settle(m, receiver, MODEL_IS_OFFERED);
		return MODEL_OFFERED;
	}
	model_commit(m, sender);
	r->msg = s->msg;
	r->msg.seq = ++m->clock;
	s->status = 0;
	c->sent++;
	c->received++;
	finish(m, receiver, 0);
	return MODEL_DONE;
}

/* From here on, who is parked in the queue of @op has come after it. */
static bool has_turn(const struct model *m, int op, int other)
{
	return m->ops[other].call == m->ops[op].call ||
	       (m->ops[op].ticket && m->ops[op].ticket < m->ops[other].ticket);
}

/* Two that are parked meet as if the sender had come just now. */
static void pair_up(struct model *m, int sender, int receiver)
{
	model_claim(m, sender);
	model_claim(m, receiver);
	m->ops[sender].queued = false;
	m->ops[receiver].queued = false;
	if (hand_over(m, sender, receiver) == MODEL_DONE)
		finish(m, sender, 0);
}

static void reject(struct model *m, int receiver, unsigned int len)
{
	model_claim(m, receiver);
	m->ops[receiver].queued = false;
	m->ops[receiver].needed = len;
	finish(m, receiver, misfit(&m->ops[receiver], len));
}

/*
 * Before @op meets @found, those meet it who came before.
 *
 * Return: MODEL_WAIT if nobody has; MODEL_DONE if @found is gone; MODEL_LOST if it
 * is somebody else's; MODEL_AGAIN if so many were @told.
 */
static enum model_verdict serve_first(struct model *m, int found, int op,
				      unsigned int *told)
{
	bool send = m->ops[op].send;
	int ch = m->ops[op].ch, other = MODEL_NOBODY;

	while ((other = model_next(m, ch, send, other)) != MODEL_NOBODY &&
	       !has_turn(m, op, other)) {
		int sender = send ? other : found, receiver = send ? found : other;
		unsigned int len = m->ops[sender].msg.len;
		bool fits = !misfit(&m->ops[receiver], len);

		if (m->calls[m->ops[other].call].state == MODEL_IS_DONE)
			m->ops[other].queued = false;
		if (m->ops[other].call == m->ops[found].call ||
		    !model_claimable(m, m->ops[other].call))
			continue;
		if (!model_claimable(m, m->ops[found].call))
			return MODEL_LOST;
		if (fits)
			pair_up(m, sender, receiver);
		else
			reject(m, receiver, len);
		if (++*told == m->reject_batch)
			return MODEL_AGAIN;
		if (fits || send)
			return MODEL_DONE;
	}
	return MODEL_WAIT;
}

/*
 * The first receiver in line that can have a message; those before it that
 * cannot are told.
 *
 * Return: MODEL_DONE with @found claimed, MODEL_WAIT, MODEL_AGAIN, MODEL_LOST.
 */
static enum model_verdict find_receiver(struct model *m, int ch, int sender,
					unsigned int len, int *found)
{
	bool in_turn = sender != MODEL_NOBODY &&
		       model_next(m, ch, true, MODEL_NOBODY) != MODEL_NOBODY;
	unsigned int told = 0;
	int op = MODEL_NOBODY;

	while ((op = model_next(m, ch, false, op)) != MODEL_NOBODY) {
		enum model_verdict verdict = MODEL_WAIT;
		struct model_op *o = &m->ops[op];

		if (sender != MODEL_NOBODY && m->ops[sender].call == o->call)
			continue;
		if (m->calls[o->call].state == MODEL_IS_DONE) {
			o->queued = false;
			continue;
		}
		if (in_turn && !model_claimable(m, o->call))
			continue;
		if (in_turn)
			verdict = serve_first(m, op, sender, &told);
		if (verdict == MODEL_AGAIN)
			return verdict;
		if (verdict != MODEL_WAIT)
			continue;
		if (sender != MODEL_NOBODY && !own(m, sender))
			return MODEL_LOST;
		if (!model_claimable(m, o->call))
			continue;
		if (!misfit(o, len)) {
			model_claim(m, op);
			o->queued = false;
			*found = op;
			return MODEL_DONE;
		}
		reject(m, op, len);
		if (++told == m->reject_batch)
			return MODEL_AGAIN;
	}
	return MODEL_WAIT;
}

/* A short message may wait in what a short one has waited in before. */
static bool use_spare(struct model_channel *c, struct model_msg *msg)
{
	if (!c->nr_spares || c->spare[c->nr_spares - 1] < msg->len)
		return false;
	msg->heap = true;
	msg->space = c->spare[--c->nr_spares];
	return true;
}

static enum model_verdict send_to_line(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];
	struct model_channel *c = &m->channels[o->ch];

	if (!c->capacity)
		return MODEL_WAIT;
	if (!o->msg.heap && !use_spare(c, &o->msg))
		return MODEL_NEEDS_MSG;
	if (c->nr_msgs >= c->capacity)
		return MODEL_WAIT;
	if (!model_commit(m, op))
		return MODEL_LOST;
	send_to_end(m, op);
	o->status = 0;
	o->news = true;
	return MODEL_DONE;
}

enum model_verdict model_send(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];
	struct model_channel *c = &m->channels[o->ch];
	enum model_verdict verdict;
	int receiver;

	if (c->state) {
		if (!model_commit(m, op))
			return MODEL_LOST;
		o->status = send_error(c);
		return MODEL_DONE;
	}
	if (c->nr_msgs)
		return send_to_line(m, op);
	verdict = find_receiver(m, o->ch, op, o->msg.len, &receiver);
	if (verdict == MODEL_WAIT)
		return send_to_line(m, op);
	return verdict == MODEL_DONE ? hand_over(m, op, receiver) : verdict;
}

/* The free place goes to the first sender that waits for one. */
static void refill(struct model *m, int ch)
{
	struct model_channel *c = &m->channels[ch];
	int op = MODEL_NOBODY;

	if (c->state || c->nr_msgs >= c->capacity)
		return;
	while ((op = model_next(m, ch, true, op)) != MODEL_NOBODY) {
		if (!model_claim(m, op))
			continue;
		m->ops[op].queued = false;
		send_to_end(m, op);
		finish(m, op, 0);
		return;
	}
}

static enum model_verdict recv_from_line(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];
	struct model_channel *c = &m->channels[o->ch];

	if (!model_commit(m, op))
		return MODEL_LOST;
	o->status = misfit(o, c->line[0].len);
	if (o->status) {
		o->needed = c->line[0].len;
		return MODEL_DONE;
	}
	o->msg = line_remove(c);
	c->received++;
	if (o->msg.len <= m->most_inline && c->nr_spares < m->most_spares) {
		c->spare[c->nr_spares++] = o->msg.space;
		o->msg.heap = false;
	}
	refill(m, o->ch);
	o->news = c->nr_msgs < c->capacity;
	return MODEL_DONE;
}

static enum model_verdict recv_from_sender(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];
	int sender = MODEL_NOBODY;
	unsigned int told = 0;

	while ((sender = model_next(m, o->ch, true, sender)) != MODEL_NOBODY) {
		struct model_op *s = &m->ops[sender];
		enum model_verdict verdict;

		if (s->call == o->call)
			continue;
		if (m->calls[s->call].state == MODEL_IS_DONE)
			s->queued = false;
		if (!model_claimable(m, s->call))
			continue;
		verdict = serve_first(m, sender, op, &told);
		if (verdict == MODEL_AGAIN)
			return verdict;
		if (verdict != MODEL_WAIT)
			continue;
		if (!model_commit(m, op))
			return MODEL_LOST;
		o->status = misfit(o, s->msg.len);
		if (o->status) {
			o->needed = s->msg.len;
			return MODEL_DONE;
		}
		model_claim(m, sender);
		s->queued = false;
		o->peer = sender;
		m->channels[o->ch].sent++;
		m->channels[o->ch].received++;
		return MODEL_TAKE;
	}
	return MODEL_WAIT;
}

enum model_verdict model_recv(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];
	struct model_channel *c = &m->channels[o->ch];

	if (c->nr_msgs)
		return recv_from_line(m, op);
	if (!c->state)
		return recv_from_sender(m, op);
	if (!model_commit(m, op))
		return MODEL_LOST;
	o->status = recv_error(c);
	return MODEL_DONE;
}

void model_park(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];

	if (!m->calls[o->call].multi)
		m->calls[o->call].state = MODEL_IS_PARKED;
	if (!o->ticket)
		o->ticket = ++m->clock;
	o->queued = true;
	o->unseen = false;
}

/* Parked again at its old place; if it is one of several, it has to look. */
static void park_again(struct model *m, int op)
{
	int i;

	if (!m->calls[m->ops[op].call].multi) {
		model_park(m, op);
		return;
	}
	for (i = 0; i < MODEL_OPS; i++) {
		if (m->ops[i].queued && m->ops[i].call == m->ops[op].call)
			m->ops[i].unseen = true;
	}
	model_park(m, op);
	settle(m, op, MODEL_IS_RECHECK);
}

/* The sender that was dealt to it has revoked. */
static void deal_anew(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];
	enum model_verdict verdict;

	o->peer = MODEL_NOBODY;
	if (m->calls[o->call].multi) {
		park_again(m, op);
		return;
	}
	while ((verdict = model_recv(m, op)) == MODEL_AGAIN)
		;
	switch (verdict) {
	case MODEL_TAKE:
		m->ops[o->peer].peer = op;
		m->channels[o->ch].sent--;
		m->channels[o->ch].received--;
		break;
	case MODEL_DONE:
		finish(m, op, o->status);
		break;
	default:
		park_again(m, op);
		break;
	}
}

bool model_withdraw_sender(struct model *m, int op)
{
	int receiver = m->ops[op].peer;

	if (model_claim(m, op)) {
		m->ops[op].queued = false;
		return true;
	}
	if (receiver == MODEL_NOBODY) {
		m->ops[op].leaving = true;
		return false;
	}
	m->ops[op].peer = MODEL_NOBODY;
	deal_anew(m, receiver);
	return true;
}

bool model_withdraw_receiver(struct model *m, int op)
{
	if (!model_claim(m, op))
		return false;
	m->ops[op].queued = false;
	return true;
}

/* Return: the sender, or %MODEL_NOBODY if it has revoked. */
int model_accept(struct model *m, int op)
{
	struct model_op *o = &m->ops[op];

	if (o->peer == MODEL_NOBODY)
		return MODEL_NOBODY;
	m->ops[o->peer].peer = MODEL_NOBODY;
	m->channels[o->ch].sent++;
	m->channels[o->ch].received++;
	return o->peer;
}

void model_complete(struct model *m, int sender)
{
	finish(m, sender, 0);
}

/* Of a single call: somebody may have come meanwhile. */
static enum model_verdict send_again(struct model *m, int sender)
{
	enum model_verdict verdict = model_send(m, sender);

	if (verdict == MODEL_AGAIN)
		return verdict;
	if (verdict == MODEL_DONE)
		finish(m, sender, m->ops[sender].status);
	else if (verdict != MODEL_OFFERED)
		park_again(m, sender);
	return MODEL_DONE;
}

enum model_verdict model_give_back(struct model *m, int sender)
{
	struct model_op *s = &m->ops[sender];
	enum model_verdict verdict = MODEL_DONE;

	if (s->leaving)
		finish(m, sender, MODEL_RESTART);
	else if (m->calls[s->call].multi)
		park_again(m, sender);
	else
		verdict = send_again(m, sender);
	if (verdict == MODEL_DONE) {
		m->channels[s->ch].sent--;
		m->channels[s->ch].received--;
	}
	return verdict;
}

enum model_verdict model_put_back(struct model *m, int ch,
				  const struct model_msg *msg)
{
	struct model_channel *c = &m->channels[ch];
	enum model_verdict verdict = MODEL_WAIT;
	int receiver;

	if (c->state == CHAN_STATE_BROKEN || c->state == CHAN_STATE_CANCELED) {
		c->received--;
		return MODEL_WAIT;
	}
	if (!c->nr_msgs || c->line[0].seq > msg->seq)
		verdict = find_receiver(m, ch, MODEL_NOBODY, msg->len, &receiver);
	if (verdict == MODEL_AGAIN)
		return verdict;
	if (verdict == MODEL_DONE) {
		m->ops[receiver].msg = *msg;
		finish(m, receiver, 0);
	} else {
		c->received--;
		line_insert(c, msg);
	}
	return MODEL_DONE;
}

/* Return: %MODEL_NOBODY if nothing has happened, else by what it is claimed. */
int model_leave(struct model *m, int call)
{
	if (!model_claimable(m, call))
		return m->calls[call].chosen;
	m->calls[call].state = MODEL_IS_CLAIMED;
	m->calls[call].chosen = MODEL_NOBODY;
	return MODEL_NOBODY;
}

bool model_end(struct model *m, int ch, unsigned int state, unsigned int cause)
{
	struct model_channel *c = &m->channels[ch];
	bool cancel = state == CHAN_STATE_CANCELED && c->state != state;

	if (c->state && !cancel)
		return false;
	c->state = state;
	c->cause = cause;
	return true;
}

bool model_release(struct model *m, int ch, unsigned int batch)
{
	struct model_channel *c = &m->channels[ch];
	int send, op;

	if (!c->state)
		return false;
	for (send = 1; send >= 0; send--) {
		while ((op = model_next(m, ch, send, MODEL_NOBODY)) != MODEL_NOBODY) {
			int err = send ? send_error(c) : recv_error(c);

			if (!batch--)
				return true;
			m->ops[op].queued = false;
			if (c->parked_cause)
				err = -(int)c->parked_cause;
			if (!send && c->nr_msgs)
				continue;
			if (model_claim(m, op))
				finish(m, op, err);
		}
	}
	return false;
}

void model_drop(struct model *m, int ch)
{
	m->channels[ch].nr_msgs = 0;
	m->channels[ch].nr_spares = 0;
}
