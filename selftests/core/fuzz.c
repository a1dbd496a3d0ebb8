// SPDX-License-Identifier: GPL-2.0-only
/*
 * A string of bytes is a sequence of steps of several tasks on several channels.
 * The matching core takes each of them, and so does the sequential reference of
 * model.h; after each, all that can be seen of the two must be the same.
 *
 * libFuzzer looks for the string on which they differ.  CORE_FUZZ_TRACE=1 tells
 * the steps of one string.
 */
#include <kmod/call.c>
#include <kmod/match.c>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define STEPS_MAX 400

static_assert((int)MATCH_LOST == MODEL_LOST, "the verdicts have one numbering");
static_assert((int)CALL_DONE == MODEL_IS_DONE, "so have the states");
static_assert(CHAN_EOF == MODEL_EOF && -ERESTARTSYS == MODEL_RESTART, "and these");

/**
 * enum phase - what a task is about to do
 * @IDLE: nothing
 * @LOOKING: to look for a partner once more, after %MATCH_AGAIN
 * @WAITING: to see what has become of its call
 * @TAKING: to copy from the sender that it has taken
 * @GIVING: to give it back once more
 * @HOLDING: to copy the message that it owns
 * @PUTTING: to put it back once more
 * @KEPT: to look for another message, after the copy has failed
 */
enum phase {
	IDLE,
	LOOKING,
	WAITING,
	TAKING,
	GIVING,
	HOLDING,
	PUTTING,
	KEPT,
};

/**
 * struct flight - a call and its operations: gone as soon as the task returns
 * @call: as the core knows it
 * @op: one, or %MODEL_CASES
 * @space: on the heap each, no longer than it has to be
 */
struct flight {
	struct chan_call call;
	struct chan_op op[MODEL_CASES];
	void *space[MODEL_CASES];
};

/**
 * struct agent - a task
 * @task: for the core
 * @nr: its number, and that of its call in the model
 * @nr_ops: of its call
 * @first_op: in the model
 * @phase: what comes next
 * @park: wait if nothing is possible
 * @leaving: has asked to be let go
 * @chosen: the operation that happens
 * @held: the message to be put back
 * @flight: while it is not %IDLE
 */
struct agent {
	struct task_struct task;
	int nr;
	int nr_ops;
	int first_op;
	enum phase phase;
	bool park;
	bool leaving;
	int chosen;
	struct chan_msg *held;
	struct flight *flight;
};

/* One run: the core, the reference, and the rest of the string. */
static struct agent agents[MODEL_CALLS];
static struct match channels[MODEL_CHANNELS];
static struct model model;
static const u8 *input;
static size_t input_left;
static unsigned int step, last_id;
static bool tracing;

static void fail(const char *what, int line)
{
	fprintf(stderr, "line %d: after step %u, core and reference differ: %s\n",
		line, step, what);
	abort();
}

#define CHECK(what)	((what) ? (void)0 : fail(#what, __LINE__))

#define trace(...)	(tracing ? (void)fprintf(stderr, __VA_ARGS__) : (void)0)

static unsigned int next_byte(void)
{
	if (!input_left)
		return 0;
	input_left--;
	return *input++;
}

static bool is_multi(const struct agent *a)
{
	return a->nr >= MODEL_SINGLES;
}

static struct chan_op *op_of(const struct agent *a, int i)
{
	return &a->flight->op[i];
}

static struct model_op *model_of(const struct agent *a, int i)
{
	return &model.ops[a->first_op + i];
}

static struct match *channel_of(const struct agent *a, int i)
{
	return &channels[model_of(a, i)->ch];
}

static struct queue *queue_of(const struct agent *a, int i)
{
	return model_of(a, i)->send ? &channel_of(a, i)->senders :
				      &channel_of(a, i)->receivers;
}

static struct agent *agent_of(int op)
{
	return &agents[model.ops[op].call];
}

/* %NULL for %MODEL_NOBODY. */
static struct chan_op *op_numbered(int op)
{
	struct agent *a;

	if (op == MODEL_NOBODY)
		return NULL;
	a = agent_of(op);
	return op_of(a, op - a->first_op);
}

static int state_of(const struct agent *a)
{
	return atomic_read(&a->flight->call.state);
}

static int chosen_by_partner(const struct agent *a)
{
	return is_multi(a) ? model.calls[a->nr].chosen - a->first_op : 0;
}

/* --- What both can be asked --- */

static void check_queue(struct match *m, int ch, bool send)
{
	struct queue *queue = send ? &m->senders : &m->receivers;
	struct hlist_node **last = &queue->first;
	struct hlist_node *node;
	int op = MODEL_NOBODY;
	u32 nr = 0;

	for (node = queue->first; node; node = node->next) {
		op = model_next(&model, ch, send, op);
		CHECK(hlist_entry(node, struct chan_op, node) == op_numbered(op));
		CHECK(node->pprev == last);
		last = &node->next;
		nr++;
	}
	CHECK(model_next(&model, ch, send, op) == MODEL_NOBODY);
	CHECK(queue->nr == nr);
	CHECK(queue->last == last);
	if (nr <= COUNT_MAX)
		CHECK(match_parked(queue) ==
		      model_parked(&model, ch, send, MODEL_NOBODY));
}

static void check_bytes(const u8 *bytes, const struct model_msg *expected)
{
	unsigned int i;

	for (i = 0; i < expected->len; i++)
		CHECK(bytes[i] == (u8)expected->id);
}

static void check_line(struct match *m, const struct model_channel *c)
{
	struct chan_msg *msg;
	unsigned int i = 0;

	list_for_each_entry(msg, &m->line, node) {
		CHECK(i < c->nr_msgs);
		CHECK(msg->len == c->line[i].len);
		CHECK(msg->room == c->line[i].space);
		CHECK(msg->from.pid == c->line[i].id);
		check_bytes(msg->data, &c->line[i]);
		i++;
	}
	CHECK(i == c->nr_msgs);
	CHECK(m->nr_msgs == c->nr_msgs);
	CHECK(m->nr_spares == c->nr_spares);
}

static void check_channel(int ch)
{
	const struct model_channel *c = &model.channels[ch];
	struct match *m = &channels[ch];
	int self = step % MODEL_CALLS;

	check_queue(m, ch, true);
	check_queue(m, ch, false);
	check_line(m, c);
	CHECK(m->state == c->state);
	CHECK(m->cause == c->cause);
	CHECK(m->sent == c->sent);
	CHECK(m->received == c->received);
	CHECK(match_readable(m, NULL) == model_readable(&model, ch, MODEL_NOBODY));
	CHECK(match_writable(m, NULL) == model_writable(&model, ch, MODEL_NOBODY));
	CHECK(match_readable(m, &agents[self].task) == model_readable(&model, ch, self));
	CHECK(match_writable(m, &agents[self].task) == model_writable(&model, ch, self));
	if (match_is_void(m))
		CHECK(!model_readable(&model, ch, MODEL_NOBODY));
}

static void check_op(const struct agent *a, int i)
{
	const struct model_op *expected = model_of(a, i);
	const struct chan_op *op = op_of(a, i);

	CHECK(!hlist_unhashed(&op->node) == expected->queued);
	CHECK(op->peer == op_numbered(expected->peer));
	CHECK(op->status == expected->status);
	CHECK(op->needed == expected->needed);
	CHECK(op->leaving == expected->leaving);
	CHECK(op->news == expected->news);
	CHECK(!op->ticket == !expected->ticket);
}

static void check_agent(const struct agent *a)
{
	const struct model_call *expected = &model.calls[a->nr];
	int i;

	CHECK(a->task.woken == (int)expected->woken);
	CHECK(!a->task.refs);
	if (a->phase == IDLE)
		return;
	for (i = 0; i < a->nr_ops; i++)
		check_op(a, i);
	if (is_multi(a) || a->phase == WAITING)
		CHECK(state_of(a) == (int)expected->state);
	if (is_multi(a))
		CHECK(a->flight->call.chosen == op_numbered(expected->chosen));
}

static void check_all(void)
{
	int i;

	for (i = 0; i < MODEL_CALLS; i++)
		check_agent(&agents[i]);
	for (i = 0; i < MODEL_CHANNELS; i++)
		check_channel(i);
}

/* --- A call begins and ends --- */

static struct chan_msg *msg_new(const struct model_msg *like)
{
	struct chan_msg *msg = malloc(sizeof(*msg) + like->len);

	msg->len = like->len;
	msg->room = like->len;
	msg->from.pid = like->id;
	memset(msg->data, like->id, like->len);
	return msg;
}

/* As payload_to_heap() does, for a sender. */
static void move_to_heap(struct agent *a, int i)
{
	struct model_msg *msg = &model_of(a, i)->msg;

	payload_on_heap(&op_of(a, i)->payload, msg_new(msg));
	msg->heap = true;
	msg->space = msg->len;
}

static void payload_drop(struct chan_payload *p)
{
	if (p->kind == CHAN_PAYLOAD_HEAP)
		free(p->msg);
	p->kind = CHAN_PAYLOAD_NONE;
}

/* The call is private: nobody looks for what is left of it. */
static void unpark_all(struct agent *a)
{
	int i;

	for (i = 0; i < a->nr_ops; i++) {
		match_unpark(queue_of(a, i), op_of(a, i));
		model_of(a, i)->queued = false;
	}
}

static void finish(struct agent *a)
{
	int i;

	unpark_all(a);
	for (i = 0; i < a->nr_ops; i++) {
		payload_drop(&op_of(a, i)->payload);
		free(a->flight->space[i]);
	}
	free(a->flight);
	a->flight = NULL;
	a->phase = IDLE;
}

static void init_sender(struct agent *a, int i, unsigned int how)
{
	static const unsigned int lengths[] = { 0, 1, 3, CHAN_INLINE, CHAN_INLINE + 44 };
	struct model_op *expected = model_of(a, i);
	struct chan_op *op = op_of(a, i);
	struct model_msg *msg = &expected->msg;

	msg->len = lengths[how % 5];
	msg->id = ++last_id;
	/* Only who sends nothing else, and finds no buffer, lends. */
	expected->borrowed = (how & 0x40) && !is_multi(a) &&
			     !model.channels[expected->ch].capacity;
	op->payload.borrowed = expected->borrowed;
	op->payload.len = msg->len;
	op->payload.from.pid = msg->id;
	if (msg->len > CHAN_INLINE) {
		move_to_heap(a, i);
		return;
	}
	a->flight->space[i] = malloc(msg->len);
	op->payload.kind = CHAN_PAYLOAD_INLINE;
	op->payload.bytes = a->flight->space[i];
	memset(op->payload.bytes, msg->id, msg->len);
}

static void init_receiver(struct agent *a, int i, unsigned int how)
{
	static const unsigned int rooms[] = { 1000, 0, 1, 3, CHAN_INLINE };
	struct model_op *expected = model_of(a, i);
	struct chan_op *op = op_of(a, i);

	expected->room = rooms[how % 5];
	expected->no_empty = how & 0x40;
	op->room = expected->room;
	op->no_empty = expected->no_empty;
	a->flight->space[i] = malloc(CHAN_INLINE);
	op->payload.bytes = a->flight->space[i];
}

/* The bytes: channel and direction, then what it is like. */
static void init_op(struct agent *a, int i)
{
	struct model_op *expected = model_of(a, i);
	unsigned int where = next_byte(), how = next_byte();

	*expected = (struct model_op){
		.call = a->nr,
		.ch = (where & 0x0f) % MODEL_CHANNELS,
		.send = where & 0x10,
		.peer = MODEL_NOBODY,
	};
	op_of(a, i)->call = &a->flight->call;
	if (expected->send)
		init_sender(a, i, how);
	else
		init_receiver(a, i, how);
	trace(" %s %d %#x", expected->send ? "send" : "recv", expected->ch, how);
}

static void init_call(struct agent *a)
{
	struct model_call *expected = &model.calls[a->nr];

	if (!is_multi(a)) {
		call_init(&a->flight->call, &a->task);
		/* What is not set by it is not to be looked at, either. */
		atomic_set(&a->flight->call.state, CALL_DONE);
		expected->state = MODEL_IS_DONE;
		return;
	}
	call_init_multi(&a->flight->call, &a->task);
	expected->multi = true;
	expected->state = MODEL_IS_PARKED;
	expected->chosen = MODEL_NOBODY;
	a->phase = WAITING;
}

/* --- The steps --- */

/* Of the operation that has happened: what is next? */
static void follow_done(struct agent *a, int i)
{
	unpark_all(a);
	a->chosen = i;
	CHECK(op_of(a, i)->status == model_of(a, i)->status);
	CHECK(op_of(a, i)->needed == model_of(a, i)->needed);
	CHECK(op_of(a, i)->news == model_of(a, i)->news);
	if (model_of(a, i)->send || op_of(a, i)->status) {
		finish(a);
		return;
	}
	CHECK(op_of(a, i)->payload.len == model_of(a, i)->msg.len);
	CHECK(op_of(a, i)->payload.from.pid == model_of(a, i)->msg.id);
	a->phase = HOLDING;
}

static void follow(struct agent *a, int i, enum match_verdict verdict)
{
	switch (verdict) {
	case MATCH_DONE:
		follow_done(a, i);
		break;
	case MATCH_TAKE:
		unpark_all(a);
		a->chosen = i;
		a->phase = TAKING;
		break;
	case MATCH_OFFERED:
		a->phase = WAITING;
		break;
	case MATCH_AGAIN:
		if (!is_multi(a))
			a->phase = LOOKING;
		break;
	case MATCH_WAIT:
		if (is_multi(a))
			break;
		if (a->park)
			a->phase = WAITING;
		else
			finish(a);
		break;
	default:
		break;
	}
}

static enum match_verdict match_once(struct agent *a, int i,
				     struct task_struct **wake)
{
	enum model_verdict expected;
	enum match_verdict verdict;

	if (model_of(a, i)->send) {
		verdict = match_send(channel_of(a, i), op_of(a, i), wake);
		expected = model_send(&model, a->first_op + i);
	} else {
		verdict = match_recv(channel_of(a, i), op_of(a, i), wake);
		expected = model_recv(&model, a->first_op + i);
	}
	trace(" -> %d", verdict);
	CHECK((int)verdict == (int)expected);
	return verdict;
}

static void park(struct agent *a, int i)
{
	struct match *m = channel_of(a, i);

	if (!hlist_unhashed(&op_of(a, i)->node))
		match_move_on(m, m->order + 1);
	else if (model_of(a, i)->send)
		match_park_sender(m, op_of(a, i));
	else
		match_park_receiver(m, op_of(a, i));
	model_park(&model, a->first_op + i);
}

static void look(struct agent *a, int i, bool and_park)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	while ((verdict = match_once(a, i, &wake)) == MATCH_NEEDS_MSG)
		move_to_heap(a, i);
	if (verdict == MATCH_WAIT && and_park)
		park(a, i);
	if (wake)
		call_wake(wake);
	follow(a, i, verdict);
}

/* One case of several; what a partner has claimed is not ours. */
static void step_look(struct agent *a, bool and_park)
{
	int i = next_byte() % MODEL_CASES;

	if (a->phase != WAITING || !is_multi(a))
		return;
	trace(" case %d", i);
	if (!model_claimable(&model, a->nr) &&
	    model.calls[a->nr].chosen == a->first_op + i)
		return;
	look(a, i, and_park);
}

static void step_start(struct agent *a, bool and_park)
{
	int i;

	if (a->phase != IDLE)
		return;
	a->flight = calloc(1, sizeof(*a->flight));
	a->park = and_park;
	a->leaving = false;
	for (i = 0; i < a->nr_ops; i++)
		init_op(a, i);
	init_call(a);
	if (!is_multi(a))
		look(a, 0, and_park);
}

/* With a sender in hand: copy, and let it go. */
static void complete(struct agent *a)
{
	int sender = model_of(a, a->chosen)->peer;
	struct chan_op *op = op_of(a, a->chosen)->peer;
	const struct model_msg *msg = &model.ops[sender].msg;

	CHECK(op == op_numbered(sender));
	CHECK(op->payload.len == msg->len);
	CHECK(op->payload.from.pid == msg->id);
	check_bytes(op->payload.kind == CHAN_PAYLOAD_HEAP ? op->payload.msg->data :
							    op->payload.bytes, msg);
	op->status = 0;
	call_wake(call_settle(op->call, CALL_DONE));
	model_complete(&model, sender);
	finish(a);
}

/* The copy has failed. */
static void give_back(struct agent *a)
{
	enum match_verdict verdict;
	enum model_verdict expected;

	verdict = match_give_back(channel_of(a, a->chosen),
				  op_of(a, a->chosen)->peer);
	expected = model_give_back(&model, model_of(a, a->chosen)->peer);
	trace(" -> %d", verdict);
	CHECK((int)verdict == (int)expected);
	a->phase = GIVING;
	if (verdict == MATCH_AGAIN)
		return;
	op_of(a, a->chosen)->peer = NULL;
	model_of(a, a->chosen)->peer = MODEL_NOBODY;
	a->phase = KEPT;
}

/* As payload_to_msg() does. */
static struct chan_msg *take_held(struct agent *a)
{
	struct chan_payload *p = &op_of(a, a->chosen)->payload;
	struct model_msg *expected = &model_of(a, a->chosen)->msg;
	struct chan_msg *msg;

	CHECK((p->kind == CHAN_PAYLOAD_HEAP) == expected->heap);
	if (p->kind == CHAN_PAYLOAD_INLINE) {
		msg = msg_new(expected);
		memcpy(msg->data, p->bytes, p->len);
		expected->heap = true;
		expected->space = msg->room;
	} else {
		msg = p->msg;
	}
	msg->seq = p->seq;
	p->kind = CHAN_PAYLOAD_NONE;
	return msg;
}

static void put_back(struct agent *a)
{
	int ch = model_of(a, a->chosen)->ch;
	enum match_verdict verdict;
	enum model_verdict expected;

	if (a->phase == HOLDING)
		a->held = take_held(a);
	verdict = match_put_back(&channels[ch], a->held);
	expected = model_put_back(&model, ch, &model_of(a, a->chosen)->msg);
	trace(" -> %d", verdict);
	CHECK((int)verdict == (int)expected);
	a->phase = PUTTING;
	if (verdict == MATCH_AGAIN)
		return;
	if (verdict == MATCH_WAIT)
		free(a->held);
	finish(a);
}

/* It can keep what it has got. */
static void consume(struct agent *a)
{
	struct chan_payload *p = &op_of(a, a->chosen)->payload;
	const struct model_msg *msg = &model_of(a, a->chosen)->msg;

	CHECK((p->kind == CHAN_PAYLOAD_HEAP) == msg->heap);
	check_bytes(msg->heap ? p->msg->data : p->bytes, msg);
	finish(a);
}

/* By what it was offered, if that has not been revoked. */
static void accept_offer(struct agent *a, int i)
{
	struct chan_op *sender = match_accept(channel_of(a, i), op_of(a, i));
	int expected = model_accept(&model, a->first_op + i);

	CHECK(sender == op_numbered(expected));
	if (!sender)
		return;
	op_of(a, i)->peer = sender;
	unpark_all(a);
	a->chosen = i;
	a->phase = TAKING;
}

static void see_result(struct agent *a)
{
	int i = chosen_by_partner(a);

	trace(" state %d", state_of(a));
	if (state_of(a) == CALL_DONE) {
		follow_done(a, i);
		return;
	}
	/* An offer may have been revoked since it was seen. */
	if (i >= 0 && !model_of(a, i)->send)
		accept_offer(a, i);
	if (a->phase == WAITING && is_multi(a)) {
		call_recheck(&a->flight->call);
		if (model.calls[a->nr].state == MODEL_IS_RECHECK)
			model.calls[a->nr].state = MODEL_IS_PARKED;
	}
}

static void start_over(struct agent *a)
{
	if (is_multi(a))
		init_call(a);
	else
		look(a, 0, a->park);
}

static void step_on(struct agent *a)
{
	switch (a->phase) {
	case IDLE:
		break;
	case LOOKING:
		look(a, 0, a->park);
		break;
	case WAITING:
		see_result(a);
		break;
	case TAKING:
		complete(a);
		break;
	case GIVING:
		give_back(a);
		break;
	case HOLDING:
		consume(a);
		break;
	case PUTTING:
		put_back(a);
		break;
	case KEPT:
		start_over(a);
		break;
	}
}

static void withdraw(struct agent *a)
{
	bool expected, left;

	if (model_of(a, 0)->send) {
		left = match_withdraw_sender(channel_of(a, 0), op_of(a, 0));
		expected = model_withdraw_sender(&model, a->first_op);
		a->leaving = !left;
	} else {
		left = match_withdraw_receiver(channel_of(a, 0), op_of(a, 0));
		expected = model_withdraw_receiver(&model, a->first_op);
	}
	CHECK(left == expected);
	if (left)
		finish(a);
}

static void leave(struct agent *a)
{
	struct chan_op *op = call_leave(&a->flight->call);
	int expected = model_leave(&model, a->nr);
	int i;

	CHECK(op == op_numbered(expected));
	if (!op) {
		finish(a);
		return;
	}
	for (i = 0; i < a->nr_ops; i++)
		CHECK(call_claimed_by(&a->flight->call, op_of(a, i)) ==
		      (op == op_of(a, i) && state_of(a) == CALL_CLAIMED));
	if (op->call == &a->flight->call && model.ops[expected].send &&
	    state_of(a) == CALL_CLAIMED) {
		op->leaving = true;
		model.ops[expected].leaving = true;
	}
}

/* A signal, a fault or a kill. */
static void step_back(struct agent *a)
{
	switch (a->phase) {
	case WAITING:
		if (is_multi(a))
			leave(a);
		else if (!a->leaving)
			withdraw(a);
		break;
	case TAKING:
		give_back(a);
		break;
	case HOLDING:
		put_back(a);
		break;
	case KEPT:
		finish(a);
		break;
	default:
		break;
	}
}

/* A file has news: that is the case that happens. */
static void step_commit(struct agent *a)
{
	bool committed;

	if (a->phase != WAITING || !is_multi(a) ||
	    model.calls[a->nr].chosen == a->first_op)
		return;
	committed = call_commit(&a->flight->call, op_of(a, 0));
	CHECK(committed == model_commit(&model, a->first_op));
	if (committed)
		finish(a);
}

static void free_msgs(struct list_head *msgs)
{
	struct chan_msg *msg, *next;

	list_for_each_entry_safe(msg, next, msgs, node)
		free(msg);
}

static void drop(int ch)
{
	LIST_HEAD(dropped);

	match_drop(&channels[ch], &dropped);
	model_drop(&model, ch);
	free_msgs(&dropped);
}

/* As the owner of a channel does it. */
static void end(int ch, unsigned int state, unsigned int parked_cause)
{
	static const unsigned int causes[] = { 0, 0, EIO, 0, ECANCELED, ENODEV };
	bool ended = match_end(&channels[ch], state, causes[state]);

	CHECK(ended == model_end(&model, ch, state, causes[state]));
	if (!ended)
		return;
	channels[ch].parked_cause = parked_cause;
	model.channels[ch].parked_cause = parked_cause;
	if (state == CHAN_STATE_BROKEN || state == CHAN_STATE_CANCELED)
		drop(ch);
}

static bool release(int ch, unsigned int batch)
{
	bool more = match_release(&channels[ch], batch);

	CHECK(more == model_release(&model, ch, batch));
	return more;
}

static bool in_use(int ch)
{
	int i, n;

	for (i = 0; i < MODEL_CALLS; i++) {
		for (n = 0; agents[i].phase != IDLE && n < agents[i].nr_ops; n++) {
			if (model_of(&agents[i], n)->ch == ch)
				return true;
		}
	}
	return false;
}

/* Nobody has it open any more: it is new. */
static void reset(int ch)
{
	unsigned int capacity = channels[ch].capacity;

	if (!model.channels[ch].state || in_use(ch))
		return;
	drop(ch);
	match_init(&channels[ch], capacity);
	model.channels[ch] = (struct model_channel){ .capacity = capacity };
}

static void step_channel(int ch)
{
	unsigned int how = next_byte();

	trace(" channel %d %#x", ch, how);
	if (how < 0x30)
		end(ch, 1 + how % 5, how & 0x20 ? EDEADLK : 0);
	else if (how < 0xa0)
		release(ch, how % 4);
	else
		reset(ch);
}

/* --- A whole string --- */

/* By which number each place was, and what was possible there. */
struct before {
	u64 order;
	bool readable;
	bool writable;
};

static void look_before(struct before *b)
{
	int i;

	for (i = 0; i < MODEL_CHANNELS; i++) {
		b[i].order = channels[i].order;
		b[i].readable = model_possible(&model, i, false);
		b[i].writable = model_possible(&model, i, true);
	}
}

/* Who looks at the numbers alone has missed nothing. */
static void check_moved_on(const struct before *b)
{
	int i;

	for (i = 0; i < MODEL_CHANNELS; i++) {
		if ((!b[i].readable && model_possible(&model, i, false)) ||
		    (!b[i].writable && model_possible(&model, i, true)))
			CHECK(channels[i].order != b[i].order);
	}
}

static void take_step(void)
{
	unsigned int what = next_byte();
	struct agent *a = &agents[next_byte() % MODEL_CALLS];

	trace("%u: agent %d phase %d action %u", step, a->nr, a->phase, what % 16);
	switch (what % 16) {
	case 0 ... 4:
		step_start(a, true);
		break;
	case 5:
		step_start(a, false);
		break;
	case 6:
		step_look(a, false);
		break;
	case 7 ... 9:
		step_look(a, true);
		break;
	case 10 ... 11:
		step_on(a);
		break;
	case 12 ... 13:
		step_back(a);
		break;
	case 14:
		step_commit(a);
		break;
	case 15:
		step_channel(a->nr % MODEL_CHANNELS);
		break;
	}
	trace("\n");
}

static void begin(void)
{
	int i, op = 0;

	model = (struct model){
		.reject_batch = REJECT_BATCH,
		.most_spares = CHAN_SPARES,
		.most_inline = CHAN_INLINE,
	};
	for (i = 0; i < MODEL_CALLS; i++) {
		agents[i] = (struct agent){ .nr = i, .first_op = op };
		agents[i].nr_ops = is_multi(&agents[i]) ? MODEL_CASES : 1;
		op += agents[i].nr_ops;
	}
	for (i = 0; i < MODEL_CHANNELS; i++) {
		unsigned int capacity = next_byte() % 4;

		match_init(&channels[i], capacity);
		model.channels[i].capacity = capacity;
	}
	step = 0;
	last_id = 0;
}

/* All is cancelled: everybody comes to an end, and nobody is left over. */
static void wind_up(void)
{
	int i, round;

	for (i = 0; i < MODEL_CHANNELS; i++)
		end(i, CHAN_STATE_CANCELED, 0);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < MODEL_CHANNELS; i++) {
			while (release(i, 2))
				;
		}
		for (i = 0; i < MODEL_CALLS; i++) {
			struct agent *a = &agents[i];

			if (a->phase == KEPT ||
			    (is_multi(a) && a->phase == WAITING))
				step_back(a);
			step_on(a);
			check_all();
		}
	}
	for (i = 0; i < MODEL_CALLS; i++)
		CHECK(agents[i].phase == IDLE);
	for (i = 0; i < MODEL_CHANNELS; i++) {
		CHECK(!channels[i].senders.nr && !channels[i].receivers.nr);
		drop(i);
	}
}

/* The name that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct before before[MODEL_CHANNELS];

	tracing = getenv("CORE_FUZZ_TRACE");
	input = data;
	input_left = size;
	begin();
	while (input_left && step < STEPS_MAX) {
		look_before(before);
		take_step();
		step++;
		check_all();
		check_moved_on(before);
	}
	wind_up();
	return 0;
}
