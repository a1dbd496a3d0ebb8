// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is a history explained by the contract? The reasoning stands in check.h.
 *
 * Times are doubled here: 2 t is the moment t, 2 t + 1 all that is between it and
 * the next. So every interval, with or without its ends, is a &struct span.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MOMENT(t)	((t) == NEVER ? NEVER : 2 * (t))
#define PAST(t)		((t) == NEVER ? NEVER : 2 * (t) + 1)

/* Twice or thrice does it; to stop early is to find less, never too much. */
#define NARROW_TIMES	16

/* From @from on, and no more at @to. */
struct span {
	__u64 from;
	__u64 to;
};

struct spans {
	struct span *span;
	__u32 nr;
};

/**
 * struct message - what one case of one operation wanted to send
 * @value: its name
 * @channel: where
 * @sender: the operation
 * @by: the case of it
 * @receiver: the operation that got it, -1 for none
 * @crossed: it was sent, by word of its sender or of its receiver
 * @open: nobody can tell: its sender was killed
 * @sent: when; the two ends are moments of the history
 * @received: when, as well
 * @rival: order: the operation that got a later one too early, or -1
 * @apart: it is explained only by a receive that gave it back, or kept it
 */
struct message {
	__u32 value;
	__u8 channel;
	int sender;
	__u32 by;
	int receiver;
	bool crossed;
	bool open;
	struct span sent;
	struct span received;
	int rival;
	bool apart;
};

/**
 * struct ending - how a channel came to its end
 * @first: the end can have come no earlier
 * @sure: by then it had come
 * @first_op: who may have begun it
 * @sure_op: who knew first
 */
struct ending {
	__u64 first;
	__u64 sure;
	int first_op;
	int sure_op;
};

/**
 * struct place - one channel
 * @capacity: of it
 * @closed: by a close
 * @canceled: by a cancel
 * @msgs: those that crossed it
 * @nr: how many
 * @nr_open: how many senders cannot tell
 * @holders: receives that may have had a message and given it back
 * @nr_holders: how many
 * @filled: when certainly a message was there, or a parked sender
 * @spacious: when certainly there was a place for one, or a parked receiver
 * @told: what receivers were told first that came too late, -1 nothing
 */
struct place {
	__u32 capacity;
	struct ending closed;
	struct ending canceled;
	struct message **msgs;
	__u32 nr;
	__u32 nr_open;
	int *holders;
	__u32 nr_holders;
	struct spans filled;
	struct spans spacious;
	int told;
};

struct check {
	struct history *h;
	struct verdict *v;
	struct message *msgs;
	__u32 nr;
	struct place place[HISTORY_CHANNELS];
	int *holders;
	__u32 nr_holders;
	struct message **match;
	bool *tried;
	void *memory;
};

static const struct {
	const char *name;
	const char *meaning;
} rules[RULES] = {
	[RULE_SHAPE] = { "shape", "no such call, or two calls of one task at once" },
	[RULE_RETURNS] = { "returns", "a call has never returned" },
	[RULE_FRESH] = { "fresh", "a message was received that had not been sent there" },
	[RULE_ONCE] = { "once", "a message was received twice" },
	[RULE_LOST] = { "lost", "a message was sent, and received by nobody" },
	[RULE_ORDER] = { "order", "a message sent before another was received after it" },
	[RULE_OVERLAP] = { "overlap",
		"a send without a buffer had returned before the receive began" },
	[RULE_PARTNER] = { "partner", "two calls that do not wait have met" },
	[RULE_CAPACITY] = { "capacity", "more messages were buffered than there is room for" },
	[RULE_SELECT_ONE] = { "select-one", "two cases of one select happened" },
	[RULE_LOSER] = { "loser", "a case that was not chosen has sent its message" },
	[RULE_NO_EFFECT] = { "no-effect", "a call that failed has sent its message" },
	[RULE_WOULD_BLOCK] = { "would-block", "a case was possible all the time" },
	[RULE_DEADLINE] = { "deadline", "a call gave up before its deadline" },
	[RULE_PRIORITY] = { "priority", "a case of higher rank was possible all the time" },
	[RULE_AFTER_CLOSE] = { "after-close", "a message was sent after the close" },
	[RULE_UNCAUSED] = { "uncaused", "a call was told of an end that had not come" },
	[RULE_DRAINED] = { "drained", "the end was told while a message was there" },
	[RULE_CAUSE] = { "cause", "a receiver was told another cause than that of the close" },
	[RULE_CANCELED] = { "canceled", "a call after the cancel was not told so" },
	[RULE_TOTALS] = { "totals", "the counts are not those of the calls" },
};

const char *rule_name(enum rule rule)
{
	return rules[rule].name;
}

const char *rule_meaning(enum rule rule)
{
	return rules[rule].meaning;
}

/* --- Small things --- */

/* Memory until the end of the check. */
static void *get(struct check *c, size_t size)
{
	void **block = calloc(1, size + sizeof(max_align_t));

	if (!block)
		abort();
	*block = c->memory;
	c->memory = block;
	return (char *)block + sizeof(max_align_t);
}

static void let_go(struct check *c)
{
	void **block = c->memory, **next;

	for (; block; block = next) {
		next = *block;
		free(block);
	}
}

static void finding(struct check *c, enum rule broken, int a, int b, int third)
{
	struct verdict *v = c->v;

	if (v->nr < VERDICT_FINDINGS)
		v->findings[v->nr] = (struct finding){ broken, { a, b, third } };
	v->nr++;
}

static const struct operation *op_at(const struct check *c, int i)
{
	return &c->h->ops[i];
}

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __u64 most(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static int compare(__u64 a, __u64 b)
{
	return a < b ? -1 : a > b;
}

/* --- Each call by itself --- */

static int by_task(const void *a, const void *b)
{
	const struct operation *x = a, *y = b;

	return compare(x->task, y->task) ?: compare(x->begin, y->begin);
}

static bool op_is_sound(const struct check *c, const struct operation *op)
{
	__u32 i;

	if (op->end < op->begin || op->ncases > HISTORY_CASES)
		return false;
	for (i = 0; i < op->ncases; i++)
		if (op->cases[i].channel >= c->h->channels)
			return false;
	return !op_happened(op) || op->chosen < op->ncases;
}

/* Afterwards all is sorted by task and time. */
static bool check_shape(struct check *c)
{
	struct operation *ops = c->h->ops;
	__u32 i;

	qsort(ops, c->h->nr, sizeof(*ops), by_task);
	for (i = 0; i < c->h->nr; i++) {
		if (!op_is_sound(c, &ops[i]))
			finding(c, RULE_SHAPE, i, -1, -1);
		else if (i && ops[i].task == ops[i - 1].task &&
			 (ops[i - 1].end > ops[i].begin || ops[i - 1].fate != RETURNED))
			finding(c, RULE_SHAPE, i - 1, i, -1);
		if (ops[i].fate == RUNNING)
			finding(c, RULE_RETURNS, i, -1, -1);
	}
	return !c->v->nr || c->v->findings[0].rule != RULE_SHAPE;
}

static void check_deadlines(struct check *c)
{
	const struct operation *op;
	__u32 i;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		if (op->fate == RETURNED && op->error == ETIMEDOUT &&
		    (op->deadline == NEVER || op->end < op->deadline))
			finding(c, RULE_DEADLINE, i, -1, -1);
	}
}

/* --- How channels ended --- */

/* The case that was told that its channel has ended, or NULL. */
static const struct history_case *case_ended(const struct operation *op)
{
	if (!op_happened(op) || !op->status || op->status == EMSGSIZE ||
	    op->cases[op->chosen].op == CASE_POLL)
		return NULL;
	return &op->cases[op->chosen];
}

static void ending_caused(struct ending *e, const struct operation *op, int i)
{
	if (op->begin < e->first) {
		e->first = op->begin;
		e->first_op = i;
	}
}

static void ending_known(struct ending *e, const struct operation *op, int i)
{
	if (op->fate == RETURNED && !op->error && op->end < e->sure) {
		e->sure = op->end;
		e->sure_op = i;
	}
}

static void find_endings(struct check *c)
{
	const struct history_case *told;
	const struct operation *op;
	__u32 i, k;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		for (k = 0; op->kind == DID_CLOSE && k < op->ncases; k++) {
			ending_caused(&c->place[op->cases[k].channel].closed, op, i);
			ending_known(&c->place[op->cases[k].channel].closed, op, i);
		}
		for (k = 0; op->kind == DID_CANCEL && k < op->ncases; k++) {
			ending_caused(&c->place[op->cases[k].channel].canceled, op, i);
			ending_known(&c->place[op->cases[k].channel].canceled, op, i);
		}
		told = case_ended(op);
		if (told && op->status == ECANCELED)
			ending_known(&c->place[told->channel].canceled, op, i);
		else if (told)
			ending_known(&c->place[told->channel].closed, op, i);
	}
}

/* Could this have been the first close of the channel, with that cause? */
static bool cause_explained(const struct check *c, __u32 channel, __u32 status)
{
	const struct place *p = &c->place[channel];
	const struct operation *op;
	__u32 i;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		if (op->kind == DID_CLOSE && op->cases[0].channel == channel &&
		    (op->cases[0].value ?: EPIPE) == status && op->begin <= p->closed.sure)
			return true;
	}
	return false;
}

/* All receivers are told the same, and that it is what a close has said. */
static void check_cause(struct check *c, const struct operation *op, int i)
{
	const struct history_case *told = case_ended(op);
	struct place *p = &c->place[told->channel];

	if (told->op == CASE_SEND) {
		if (op->status != EPIPE)
			finding(c, RULE_CAUSE, i, p->closed.first_op, -1);
		return;
	}
	if (p->told < 0) {
		p->told = i;
		if (!cause_explained(c, told->channel, op->status))
			finding(c, RULE_CAUSE, i, p->closed.first_op, -1);
	} else if (op_at(c, p->told)->status != op->status) {
		finding(c, RULE_CAUSE, p->told, i, p->closed.first_op);
	}
}

static void check_told(struct check *c, const struct operation *op, int i)
{
	const struct history_case *told = case_ended(op);
	const struct place *p = &c->place[told->channel];
	const struct ending *e = op->status == ECANCELED ? &p->canceled : &p->closed;

	if (op->end < e->first)
		finding(c, RULE_UNCAUSED, i, e->first_op, -1);
	else if (op->status != ECANCELED)
		check_cause(c, op, i);
}

/* A call that began when the channel of its chosen case was cancelled. */
static void check_canceled(struct check *c, const struct operation *op, int i)
{
	const struct history_case *chosen = &op->cases[op->chosen];
	const struct place *p = &c->place[chosen->channel];

	if (chosen->op != CASE_SEND && chosen->op != CASE_RECV)
		return;
	if (op->begin > p->canceled.sure && op->status != ECANCELED)
		finding(c, RULE_CANCELED, i, p->canceled.sure_op, -1);
}

static void check_endings(struct check *c)
{
	const struct operation *op;
	__u32 i;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		if (!op_happened(op))
			continue;
		check_canceled(c, op, i);
		if (case_ended(op))
			check_told(c, op, i);
	}
}

/* --- Who got which message --- */

static int by_value(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return compare(x->value, y->value);
}

static struct message *message_of(const struct check *c, __u32 value)
{
	struct message key = { .value = value };

	return bsearch(&key, c->msgs, c->nr, sizeof(key), by_value);
}

static void add_message(struct check *c, int i, __u32 by)
{
	const struct operation *op = op_at(c, i);

	c->msgs[c->nr++] = (struct message){
		.value = op->cases[by].value,
		.channel = op->cases[by].channel,
		.sender = i,
		.by = by,
		.receiver = -1,
		.crossed = op_did(op, by),
		.open = op->fate != RETURNED,
		.sent = { op->begin, op->end },
		.received = { NEVER, NEVER },
		.rival = -1,
	};
}

static void collect_messages(struct check *c)
{
	const struct operation *op;
	size_t most_messages = 1;
	__u32 i, k;

	for (i = 0; i < c->h->nr; i++)
		most_messages += op_at(c, i)->ncases;
	c->msgs = get(c, most_messages * sizeof(*c->msgs));
	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		for (k = 0; op->kind <= DID_SELECT && k < op->ncases; k++)
			if (op->cases[k].op == CASE_SEND)
				add_message(c, i, k);
	}
	qsort(c->msgs, c->nr, sizeof(*c->msgs), by_value);
	for (i = 1; i < c->nr; i++)
		if (c->msgs[i].value == c->msgs[i - 1].value)
			finding(c, RULE_SHAPE, c->msgs[i - 1].sender, c->msgs[i].sender, -1);
}

static void deliver(struct check *c, const struct operation *op, int i)
{
	struct message *m = message_of(c, op->value);

	if (!m || m->channel != op->cases[op->chosen].channel) {
		finding(c, RULE_FRESH, i, m ? m->sender : -1, -1);
	} else if (op->end < m->sent.from) {
		finding(c, RULE_FRESH, i, m->sender, -1);
	} else if (m->receiver >= 0) {
		finding(c, RULE_ONCE, m->receiver, i, m->sender);
	} else {
		m->receiver = i;
		m->received = (struct span){ op->begin, op->end };
		c->v->messages++;
	}
}

static void deliver_all(struct check *c)
{
	const struct operation *op;
	__u32 i;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		if (op_did(op, op->chosen) && op->cases[op->chosen].op == CASE_RECV)
			deliver(c, op, i);
	}
}

/* A message was received that its sender says it has not sent. */
static void sent_against_word(struct check *c, const struct message *m)
{
	const struct operation *op = op_at(c, m->sender);

	if (!op_happened(op))
		finding(c, RULE_NO_EFFECT, m->sender, m->receiver, -1);
	else if (op->chosen != m->by && !op->status)
		finding(c, RULE_SELECT_ONE, m->sender, m->receiver, -1);
	else
		finding(c, op->chosen == m->by ? RULE_NO_EFFECT : RULE_LOSER,
			m->sender, m->receiver, -1);
}

/* Of a call that was killed one case may have happened. */
static void check_killed_senders(struct check *c)
{
	int *first = get(c, c->h->nr * sizeof(*first));
	const struct message *m;
	__u32 i;

	for (i = 0; i < c->nr; i++) {
		m = &c->msgs[i];
		if (!m->open || m->receiver < 0)
			continue;
		if (first[m->sender])
			finding(c, RULE_SELECT_ONE, m->sender, first[m->sender] - 1,
				m->receiver);
		first[m->sender] = m->receiver + 1;
	}
}

static bool has_sent(const struct check *c, const struct operation *op)
{
	const struct message *m;
	__u32 i;

	for (i = 0; i < op->ncases; i++) {
		if (op->cases[i].op != CASE_SEND)
			continue;
		m = message_of(c, op->cases[i].value);
		if (m && m->receiver >= 0)
			return true;
	}
	return false;
}

/* What happened at one instant narrows when that can have been. */
static void settle_message(struct check *c, struct message *m)
{
	const struct place *p = &c->place[m->channel];

	if (m->receiver >= 0 && !m->crossed && !m->open) {
		sent_against_word(c, m);
		return;
	}
	m->crossed |= m->receiver >= 0;
	m->open &= !has_sent(c, op_at(c, m->sender));
	if (!m->crossed)
		return;
	if (m->sent.from > p->closed.sure)
		finding(c, RULE_AFTER_CLOSE, m->sender, p->closed.sure_op, -1);
	m->sent.to = least(m->sent.to, m->received.to);
	if (p->capacity)
		m->sent.to = most(m->sent.from, least(m->sent.to, p->closed.sure));
	m->received.from = most(m->sent.from, m->received.from);
}

static void settle_messages(struct check *c)
{
	struct place *p;
	__u32 i;

	check_killed_senders(c);
	for (i = 0; i < c->nr; i++) {
		settle_message(c, &c->msgs[i]);
		p = &c->place[c->msgs[i].channel];
		p->nr += c->msgs[i].crossed;
		p->nr_open += c->msgs[i].open;
	}
	for (p = c->place; p < c->place + c->h->channels; p++) {
		p->msgs = get(c, (p->nr + 1) * sizeof(*p->msgs));
		p->nr = 0;
	}
	for (i = 0; i < c->nr; i++) {
		p = &c->place[c->msgs[i].channel];
		if (c->msgs[i].crossed)
			p->msgs[p->nr++] = &c->msgs[i];
	}
}

/* --- Receives that held a message, or kept it and could not tell --- */

static bool receives_on(const struct operation *op, __u32 channel)
{
	__u32 i;

	for (i = 0; i < op->ncases; i++)
		if (op->cases[i].op == CASE_RECV && op->cases[i].channel == channel)
			return true;
	return false;
}

static bool may_hold(const struct check *c, const struct operation *op)
{
	if (op->kind > DID_SELECT)
		return false;
	if (op->fate == RETURNED)
		return op->error == EFAULT;
	return !has_sent(c, op);
}

static void find_holders(struct check *c)
{
	__u32 i, k;

	c->holders = get(c, (c->h->nr + 1) * sizeof(*c->holders));
	for (i = 0; i < c->h->nr; i++)
		if (may_hold(c, op_at(c, i)))
			c->holders[c->nr_holders++] = i;
	for (k = 0; k < c->h->channels; k++) {
		struct place *p = &c->place[k];

		p->holders = get(c, (c->nr_holders + 1) * sizeof(*p->holders));
		for (i = 0; i < c->nr_holders; i++)
			if (receives_on(op_at(c, c->holders[i]), k))
				p->holders[p->nr_holders++] = c->holders[i];
	}
}

/* Can this receive have had the message, and so explain what became of it? */
static bool excuses(const struct check *c, int holder, const struct message *m)
{
	const struct operation *op = op_at(c, holder);
	const struct place *p = &c->place[m->channel];

	if (!receives_on(op, m->channel) || op->end < m->sent.from)
		return false;
	if (m->receiver < 0 && op->fate == RETURNED && p->canceled.first == NEVER)
		return false;
	if (!p->capacity && op->begin > m->sent.to)
		return false;
	return m->rival < 0 || op->begin <= op_at(c, m->rival)->end;
}

/* One step of an augmenting path: @m gets a holder, whoever has it another. */
static bool find_excuse(struct check *c, struct message *m)
{
	__u32 i;

	for (i = 0; i < c->nr_holders; i++) {
		if (c->tried[i] || !excuses(c, c->holders[i], m))
			continue;
		c->tried[i] = true;
		if (c->match[i] && !find_excuse(c, c->match[i]))
			continue;
		c->match[i] = m;
		return true;
	}
	return false;
}

static bool is_excused(struct check *c, struct message *m)
{
	memset(c->tried, 0, c->nr_holders * sizeof(*c->tried));
	if (!find_excuse(c, m))
		return false;
	c->v->excused++;
	return true;
}

static void not_explained(struct check *c, const struct message *m)
{
	if (m->receiver < 0)
		finding(c, RULE_LOST, m->sender, m->rival, -1);
	else if (m->rival >= 0)
		finding(c, RULE_ORDER, m->sender, m->receiver, m->rival);
	else
		finding(c, RULE_OVERLAP, m->sender, m->receiver, -1);
}

/* --- Order, and what is lost --- */

static int by_sent_from(const void *a, const void *b)
{
	const struct message *x = *(struct message **)a, *y = *(struct message **)b;

	return compare(x->sent.from, y->sent.from) ?: compare(x->value, y->value);
}

static int by_sent_to(const void *a, const void *b)
{
	const struct message *x = *(struct message **)a, *y = *(struct message **)b;

	return compare(x->sent.to, y->sent.to) ?: compare(x->value, y->value);
}

static int by_received_from(const void *a, const void *b)
{
	const struct message *x = *(struct message **)a, *y = *(struct message **)b;

	return compare(x->received.from, y->received.from) ?: compare(x->value, y->value);
}

static int by_received_to(const void *a, const void *b)
{
	const struct message *x = *(struct message **)a, *y = *(struct message **)b;

	return compare(x->received.to, y->received.to) ?: compare(x->value, y->value);
}

static struct message **sorted(struct check *c, const struct place *p,
			       int (*order)(const void *, const void *))
{
	struct message **copy = get(c, (p->nr + 1) * sizeof(*copy));

	memcpy(copy, p->msgs, p->nr * sizeof(*copy));
	qsort(copy, p->nr, sizeof(*copy), order);
	return copy;
}

/*
 * For each message, of those that were sent only after it, which was received
 * first? From the last one back.
 */
static void find_rivals(struct check *c, struct place *p)
{
	struct message **late = sorted(c, p, by_sent_from);
	struct message **early = sorted(c, p, by_sent_to);
	struct message *first = NULL;
	__u32 i, k = p->nr;

	for (i = p->nr; i--;) {
		while (k && late[k - 1]->sent.from > early[i]->sent.to) {
			k--;
			if (!first || late[k]->received.to < first->received.to)
				first = late[k];
		}
		if (first && first->received.to < early[i]->received.from)
			early[i]->rival = first->receiver;
	}
}

/* It is explained only by a receive that gave it back, or kept it. */
static bool needs_excuse(const struct place *p, const struct message *m)
{
	if (m->receiver < 0)
		return m->rival >= 0 || !p->capacity ||
		       (p->told >= 0 && p->canceled.first == NEVER);
	return m->rival >= 0 || (!p->capacity && m->sent.to < m->received.from);
}

static void check_crossings(struct check *c, struct place *p)
{
	__u32 i;

	if (p->capacity)
		find_rivals(c, p);
	for (i = 0; i < p->nr; i++) {
		if (!needs_excuse(p, p->msgs[i]))
			continue;
		p->msgs[i]->apart = true;
		if (!is_excused(c, p->msgs[i]))
			not_explained(c, p->msgs[i]);
	}
}

static bool maybe_kept(const struct check *c, const struct message *m)
{
	__u32 i;

	for (i = 0; i < c->nr_holders; i++)
		if (excuses(c, c->holders[i], m))
			return true;
	return false;
}

/*
 * What was buffered when the channel was cancelled is dropped, and what is when
 * the history ends is still there; but no more than that. If there are too many,
 * receives have kept some: the first, since whoever can have had a later one can
 * have had an earlier one. Which may have been kept are not certainly there.
 */
static void check_left(struct check *c, struct place *p)
{
	struct message **msgs = sorted(c, p, by_sent_from), *m;
	__u32 i, left = 0;

	for (i = 0; i < p->nr; i++)
		left += msgs[i]->receiver < 0 && !msgs[i]->apart;
	for (i = 0; i < p->nr; i++) {
		m = msgs[i];
		if (m->receiver >= 0 || m->apart)
			continue;
		if (p->canceled.first != NEVER)
			m->received.from = most(m->sent.to, p->canceled.first);
		m->apart = maybe_kept(c, m);
		if (left > p->capacity && !is_excused(c, m))
			not_explained(c, m);
		left -= left > p->capacity;
	}
}

static void check_messages(struct check *c)
{
	__u32 i;

	c->match = get(c, (c->nr_holders + 1) * sizeof(*c->match));
	c->tried = get(c, c->nr_holders + 1);
	for (i = 0; i < c->h->channels; i++)
		check_crossings(c, &c->place[i]);
	/* These only if there are too many. */
	for (i = 0; i < c->h->channels; i++)
		check_left(c, &c->place[i]);
}

/* --- Without a buffer --- */

/* For a moment a select of several cases may be parked, though it does not wait. */
static bool never_parks(const struct operation *op)
{
	return !op->deadline && op->ncases == 1;
}

static void check_partners(struct check *c)
{
	const struct place *p;
	const struct message *m;
	__u32 i;

	for (i = 0; i < c->nr; i++) {
		m = &c->msgs[i];
		p = &c->place[m->channel];
		if (p->capacity || p->nr_holders || !m->crossed || m->receiver < 0)
			continue;
		if (op_at(c, m->sender)->task == op_at(c, m->receiver)->task)
			finding(c, RULE_OVERLAP, m->sender, m->receiver, -1);
		if (never_parks(op_at(c, m->sender)) && never_parks(op_at(c, m->receiver)))
			finding(c, RULE_PARTNER, m->sender, m->receiver, -1);
		if (m->received.from > p->closed.sure)
			finding(c, RULE_AFTER_CLOSE, m->sender, m->receiver,
				p->closed.sure_op);
	}
}

/* --- What was certainly there --- */

typedef struct span *(*span_fn)(struct message *m);

static struct span *span_sent(struct message *m)
{
	return &m->sent;
}

static struct span *span_received(struct message *m)
{
	return &m->received;
}

/*
 * Narrow when messages were sent and received: who was sent before another is
 * received before it, and the other way round. Each pass in order of time takes
 * what was found before along, so that chains are followed; narrowed intervals
 * may order more messages, so it goes on until nothing changes.
 *
 * Here one of the two, by the @other, in whose order @from and @to are.
 */
static bool narrow_one(struct message **from, struct message **to, __u32 nr, span_fn other,
		       span_fn one)
{
	__u64 bound = 0;
	struct span *span;
	__u32 i, k = 0;
	bool changed = false;

	for (i = 0; i < nr; i++) {
		while (k < nr && other(to[k])->to < other(from[i])->from)
			bound = most(bound, one(to[k++])->from);
		span = one(from[i]);
		changed |= span->from < bound;
		span->from = most(span->from, bound);
	}
	bound = NEVER;
	for (i = nr, k = nr; i--;) {
		while (k && other(from[k - 1])->from > other(to[i])->to)
			bound = least(bound, one(from[--k])->to);
		span = one(to[i]);
		changed |= span->to > bound;
		span->to = least(span->to, bound);
	}
	return changed;
}

static bool narrow_receives(struct check *c, struct place *p)
{
	return narrow_one(sorted(c, p, by_sent_from), sorted(c, p, by_sent_to), p->nr, span_sent,
			  span_received);
}

static bool narrow_sends(struct check *c, struct place *p)
{
	return narrow_one(sorted(c, p, by_received_from), sorted(c, p, by_received_to), p->nr,
			  span_received, span_sent);
}

/* Where receives may have held messages for a while, order tells less. */
static void narrow(struct check *c, struct place *p)
{
	bool changed = p->capacity && !p->nr_holders;
	__u32 i;

	for (i = 0; changed && i < NARROW_TIMES; i++) {
		changed = narrow_receives(c, p);
		changed |= narrow_sends(c, p);
	}
}

struct event {
	__u64 at;
	__s64 more;
	int op;
};

struct events {
	struct event *event;
	__u32 nr;
};

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return compare(x->at, y->at);
}

static void add_event(struct events *e, __u64 at, __s64 more, int op)
{
	if (at != NEVER)
		e->event[e->nr++] = (struct event){ at, more, op };
}

/* The level from event @i on, and the event after those of the same time. */
static __u32 next_level(const struct events *e, __u32 i, __s64 *level)
{
	__u64 at = e->event[i].at;

	for (; i < e->nr && e->event[i].at == at; i++)
		*level += e->event[i].more;
	return i;
}

/* When the level was @low or more. */
static struct spans when_high(struct check *c, struct events *e, __s64 level, __s64 low)
{
	struct spans when = { get(c, (e->nr + 1) * sizeof(struct span)), 0 };
	bool high = level >= low, was_high = high;
	__u64 at;
	__u32 i = 0;

	qsort(e->event, e->nr, sizeof(*e->event), by_time);
	if (high)
		when.span[when.nr++] = (struct span){ 0, NEVER };
	while (i < e->nr) {
		at = e->event[i].at;
		i = next_level(e, i, &level);
		high = level >= low;
		if (high == was_high)
			continue;
		was_high = high;
		if (high)
			when.span[when.nr++] = (struct span){ at, NEVER };
		else
			when.span[when.nr - 1].to = at;
	}
	return when;
}

/* The end of the span with @at in it, or @at. */
static __u64 skip_span(const struct spans *s, __u64 at)
{
	__u32 low = 0, high = s->nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (s->span[middle].to <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->nr && s->span[low].from <= at ? s->span[low].to : at;
}

static struct events events_for(struct check *c, const struct place *p)
{
	size_t most_events = 2 * (p->nr + p->nr_open + p->nr_holders) + 1;

	return (struct events){ get(c, most_events * sizeof(struct event)), 0 };
}

/* Messages that were there: sent, and nobody had begun to receive them. */
static void count_certain(struct events *e, const struct place *p)
{
	const struct message *m;
	__u32 i;

	for (i = 0; i < p->nr; i++) {
		m = p->msgs[i];
		if (m->apart || m->sent.to >= m->received.from)
			continue;
		add_event(e, PAST(m->sent.to), 1, m->sender);
		add_event(e, MOMENT(m->received.from), -1, m->receiver);
	}
}

/* Each holder may have had one of them in its hands. */
static void find_filled(struct check *c, struct place *p)
{
	struct events e = events_for(c, p);
	__u32 i;

	count_certain(&e, p);
	for (i = 0; i < p->nr_holders; i++) {
		const struct operation *op = op_at(c, p->holders[i]);

		add_event(&e, MOMENT(op->begin), -1, -1);
		add_event(&e, PAST(op->end), 1, -1);
	}
	p->filled = when_high(c, &e, 0, 1);
}

/* Messages that may have been there, against the places. */
static void find_spacious(struct check *c, struct place *p, __u32 channel)
{
	struct events e = events_for(c, p);
	const struct message *m;
	__u32 i;

	for (i = 0; i < c->nr; i++) {
		m = &c->msgs[i];
		if (m->channel != channel || !(m->crossed || m->open))
			continue;
		add_event(&e, MOMENT(m->sent.from), -1, -1);
		if (!m->apart)
			add_event(&e, PAST(m->received.to), 1, -1);
	}
	p->spacious = when_high(c, &e, p->capacity, 1);
}

/* A message that a holder gave back may be one too many. */
static void check_capacity(struct check *c, struct place *p)
{
	struct events e = events_for(c, p);
	__s64 level = 0;
	__u32 i, next;

	count_certain(&e, p);
	for (i = 0; i < p->nr_holders; i++)
		add_event(&e, MOMENT(op_at(c, p->holders[i])->begin), -1, -1);
	qsort(e.event, e.nr, sizeof(*e.event), by_time);
	for (i = 0; i < e.nr; i = next) {
		next = next_level(&e, i, &level);
		if (level > p->capacity) {
			finding(c, RULE_CAPACITY, e.event[next - 1].op, -1, -1);
			return;
		}
	}
}

/* Who was sent and received while the same messages filled the buffer? */
static void check_passing(struct check *c, struct place *p)
{
	struct events e = events_for(c, p);
	const struct message *m;
	struct spans full;
	__u32 i;

	if (p->nr_holders)
		return;
	count_certain(&e, p);
	full = when_high(c, &e, 0, p->capacity);
	for (i = 0; i < p->nr; i++) {
		m = p->msgs[i];
		if (m->sent.to >= m->received.from &&
		    skip_span(&full, MOMENT(m->received.from)) > MOMENT(m->sent.to))
			finding(c, RULE_CAPACITY, m->sender, m->receiver, -1);
	}
}

/* --- Who was certainly parked --- */

/* Until when a call was parked, if it ever was; 0 if nobody knows. */
static __u64 parked_until(const struct check *c, const struct operation *op)
{
	const struct history_case *chosen = &op->cases[op->chosen];
	const struct place *p = &c->place[chosen->channel];
	const struct message *m;

	if (op->fate != RETURNED || op->error)
		return op->error == ETIMEDOUT ? op->deadline : 0;
	if (case_ended(op))
		return least(p->closed.first, p->canceled.first);
	if (op->status)
		return 0;
	m = message_of(c, chosen->op == CASE_SEND ? chosen->value : op->value);
	if (!m || m->receiver < 0)
		return 0;
	if (chosen->op == CASE_RECV)
		return op_at(c, m->sender)->begin;
	/* Who has made room in a buffer is not known. */
	return p->capacity ? 0 : op_at(c, m->receiver)->begin;
}

static __u32 count_cases(const struct operation *op, const struct history_case *like)
{
	__u32 i, count = 0;

	for (i = 0; i < op->ncases; i++)
		count += op->cases[i].op == like->op && op->cases[i].channel == like->channel;
	return count;
}

/* If all who can be parked by now are: until when the last of them is for certain. */
static __u64 all_parked_until(struct check *c, const struct operation *info, int i,
			      const struct history_case *parked)
{
	const struct operation *op, *end = c->h->ops + c->h->nr;
	__u32 here, count = 0;
	__u64 until = 0;

	for (op = c->h->ops; op < end; op++) {
		if (op->kind > DID_SELECT || op->begin > info->end || op->end < info->begin)
			continue;
		here = count_cases(op, parked);
		count += here;
		if (here)
			until = most(until, parked_until(c, op));
	}
	if (count < parked->value)
		finding(c, RULE_TOTALS, i, -1, -1);
	return count == parked->value ? until : 0;
}

static void add_parked(struct check *c, struct spans *when, __u64 from, __u64 until)
{
	struct span *last = when->nr ? &when->span[when->nr - 1] : NULL;

	if (!when->span)
		when->span = get(c, c->h->nr * sizeof(*when->span));
	/* In order of both ends, for skip_span(). */
	if (from < until && (!last || (from >= last->from && until > last->to)))
		when->span[when->nr++] = (struct span){ from, until };
}

/* On channels without a buffer, where nothing else is ever ready. */
static void find_parked(struct check *c)
{
	const struct history_case *one;
	const struct operation *info;
	struct place *p;
	__u64 until;
	__u32 i, k;

	for (i = 0; i < c->h->nr && c->h->calm; i++) {
		info = op_at(c, i);
		p = &c->place[info->cases[0].channel];
		if (info->kind != DID_INFO || info->fate != RETURNED || info->ncases != 4)
			continue;
		for (k = 2; k < 4; k++) {
			one = &info->cases[k];
			until = all_parked_until(c, info, i, one);
			if (!p->capacity)
				add_parked(c, one->op == CASE_SEND ? &p->filled : &p->spacious,
					   PAST(info->end), MOMENT(until));
		}
	}
}

static void find_contents(struct check *c)
{
	struct place *p;
	__u32 i;

	for (i = 0; i < c->h->channels; i++) {
		p = &c->place[i];
		if (!p->capacity)
			continue;
		narrow(c, p);
		check_capacity(c, p);
		check_passing(c, p);
		find_filled(c, p);
		find_spacious(c, p, i);
	}
}

/* --- Calls that found nothing --- */

/* From @at on, when was this case not certainly possible? */
static __u64 skip_possible(const struct check *c, const struct history_case *one, __u64 at)
{
	const struct place *p = &c->place[one->channel];

	if (one->op != CASE_SEND && one->op != CASE_RECV)
		return at;
	if (at >= PAST(p->closed.sure) || at >= PAST(p->canceled.sure))
		return NEVER;
	return skip_span(one->op == CASE_SEND ? &p->spacious : &p->filled, at);
}

/* A buffer cannot be full and empty at once. */
static bool both_ways(const struct check *c, const struct operation *op, __u32 n)
{
	__u32 i, sends = 0, recvs = 0;

	for (i = 0; i < n; i++) {
		if (op->cases[i].op == CASE_SEND)
			sends |= 1 << op->cases[i].channel;
		else if (op->cases[i].op == CASE_RECV)
			recvs |= 1 << op->cases[i].channel;
	}
	for (i = 0; i < c->h->channels; i++)
		if (c->place[i].capacity && (sends & recvs) >> i & 1)
			return true;
	return false;
}

/* Was one of the first @n cases possible at each moment of a call? */
static bool possible_throughout(const struct check *c, const struct operation *op, __u32 n)
{
	__u64 at = MOMENT(op->begin), before;
	__u32 i;

	if (both_ways(c, op, n))
		return true;
	do {
		before = at;
		for (i = 0; i < n; i++)
			at = skip_possible(c, &op->cases[i], at);
	} while (at != before && at <= MOMENT(op->end));
	return at > MOMENT(op->end);
}

static void check_refusals(struct check *c)
{
	const struct operation *op;
	__u32 i;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		if (op->kind > DID_SELECT || op->fate != RETURNED)
			continue;
		if ((op->error == EAGAIN || op->error == ETIMEDOUT) &&
		    possible_throughout(c, op, op->ncases))
			finding(c, RULE_WOULD_BLOCK, i, -1, -1);
		if (op->ordered && op_happened(op) &&
		    possible_throughout(c, op, op->chosen))
			finding(c, RULE_PRIORITY, i, -1, -1);
	}
}

/* When did somebody begin to receive the last message, for all that is certain? */
static __u64 last_received(const struct place *p)
{
	__u64 last = 0;
	__u32 i;

	for (i = 0; i < p->nr; i++)
		if (!p->msgs[i]->apart)
			last = most(last, p->msgs[i]->received.from);
	return last;
}

/*
 * Who is told the end was told so at a moment when nothing was there, and all had
 * been sent; unless somebody was holding a message just then.
 */
static void check_drained(struct check *c)
{
	const struct history_case *told;
	const struct operation *op;
	const struct place *p;
	__u64 at, last[HISTORY_CHANNELS];
	__u32 i;

	for (i = 0; i < c->h->channels; i++)
		last[i] = last_received(&c->place[i]);
	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		told = case_ended(op);
		if (!told || told->op != CASE_RECV || op->status == ECANCELED)
			continue;
		p = &c->place[told->channel];
		if (!p->capacity || last[told->channel] <= op->end)
			continue;
		at = most(op->begin, least(p->closed.first, op->end));
		if (!p->nr_holders || skip_span(&p->filled, MOMENT(at)) > MOMENT(op->end))
			finding(c, RULE_DRAINED, i, p->closed.first_op, -1);
	}
}

/* --- What the kernel has counted --- */

static void count_messages(const struct check *c, __u32 channel,
			   const struct operation *info, __u32 *lo, __u32 *hi)
{
	const struct message *m;
	__u32 i;

	for (i = 0; i < c->nr; i++) {
		m = &c->msgs[i];
		if (m->channel != channel || !(m->crossed || m->open))
			continue;
		hi[0] += m->sent.from <= info->end;
		lo[0] += m->crossed && m->sent.to < info->begin;
		hi[1] += m->receiver >= 0 && m->received.from <= info->end;
		lo[1] += m->receiver >= 0 && m->received.to < info->begin;
	}
}

/* The totals, at some moment of the call that asked for them. */
static void check_info(struct check *c, const struct operation *info, int i)
{
	__u32 channel = info->cases[0].channel, lo[2] = {}, hi[2] = {}, k;
	const struct place *p = &c->place[channel];

	count_messages(c, channel, info, lo, hi);
	for (k = 0; k < p->nr_holders; k++) {
		hi[0] += !p->capacity && op_at(c, p->holders[k])->begin <= info->end;
		hi[1] += op_at(c, p->holders[k])->begin <= info->end;
	}
	for (k = 0; k < 2; k++)
		if (info->cases[k].value < lo[k] || info->cases[k].value > hi[k])
			finding(c, RULE_TOTALS, i, -1, -1);
}

static void check_totals(struct check *c)
{
	const struct operation *op;
	__u32 i;

	for (i = 0; i < c->h->nr; i++) {
		op = op_at(c, i);
		if (op->kind == DID_INFO && op->fate == RETURNED && op->ncases >= 2)
			check_info(c, op, i);
	}
}

/* --- The whole --- */

static void init(struct check *c, struct history *h, struct verdict *v)
{
	static const struct ending none = { NEVER, NEVER, -1, -1 };
	__u32 i;

	memset(c, 0, sizeof(*c));
	memset(v, 0, sizeof(*v));
	c->h = h;
	c->v = v;
	for (i = 0; i < h->channels; i++) {
		c->place[i].capacity = h->capacity[i];
		c->place[i].closed = none;
		c->place[i].canceled = none;
		c->place[i].told = -1;
	}
}

/**
 * check_history - is it explained by the contract?
 * @h: the history; will be sorted by task and time
 * @v: what was found
 */
void check_history(struct history *h, struct verdict *v)
{
	struct check c;

	init(&c, h, v);
	if (check_shape(&c)) {
		check_deadlines(&c);
		find_endings(&c);
		check_endings(&c);
		collect_messages(&c);
		deliver_all(&c);
		settle_messages(&c);
		find_holders(&c);
		check_messages(&c);
		check_partners(&c);
		check_totals(&c);
		find_contents(&c);
		find_parked(&c);
		check_refusals(&c);
		check_drained(&c);
	}
	let_go(&c);
}

/**
 * verdict_print - the findings, with their operations
 * @h: what was checked
 * @v: what was found
 * @before: what each line begins with
 * @file: where to
 */
void verdict_print(const struct history *h, const struct verdict *v,
		   const char *before, FILE *file)
{
	char deeper[64];
	__u32 i, k;

	snprintf(deeper, sizeof(deeper), "%s    ", before);
	for (i = 0; i < v->nr && i < VERDICT_FINDINGS; i++) {
		const struct finding *f = &v->findings[i];

		fprintf(file, "%s%s: %s\n", before, rule_name(f->rule),
			rule_meaning(f->rule));
		for (k = 0; k < FINDING_OPS; k++)
			if (f->ops[k] >= 0)
				operation_print(&h->ops[f->ops[k]], deeper, file);
	}
	if (v->nr > VERDICT_FINDINGS)
		fprintf(file, "%sand %u more\n", before, v->nr - VERDICT_FINDINGS);
}
