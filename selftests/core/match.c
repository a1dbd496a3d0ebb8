// SPDX-License-Identifier: GPL-2.0-only
/*
 * The matching core of the module, compiled here in user space and driven step
 * by step through states that are hard to hit from outside.
 */
#include "../../kmod/call.c"
#include "../../kmod/match.c"

#include "kselftest_harness.h"

/* One task with one operation, and what it sends or has got. */
struct party {
	struct task_struct task;
	struct chan_call call;
	struct chan_op op;
	union chan_space space;
};

FIXTURE(match) {
	struct match m;
	struct task_struct *wake;
};

FIXTURE_SETUP(match)
{
	match_init(&self->m, 0);
	self->wake = NULL;
}

FIXTURE_TEARDOWN(match)
{
	LIST_HEAD(dropped);
	struct chan_msg *msg, *next;

	match_drop(&self->m, &dropped);
	list_for_each_entry_safe(msg, next, &dropped, node)
		free(msg);
}

static void init_op(struct chan_op *op, struct chan_call *call,
		    union chan_space *space)
{
	INIT_HLIST_NODE(&op->node);
	op->call = call;
	op->room = CHAN_INLINE;
	op->no_empty = true;
	op->payload.bytes = space->bytes;
}

static void init_party(struct party *p)
{
	memset(p, 0, sizeof(*p));
	call_init(&p->call, &p->task);
	init_op(&p->op, &p->call, &p->space);
}

static void init_sender(struct party *p, u32 len, u8 value)
{
	init_party(p);
	p->op.payload.kind = CHAN_PAYLOAD_INLINE;
	p->op.payload.len = len;
	memset(p->op.payload.bytes, value, len);
}

static struct chan_msg *new_msg(u32 len, u8 value)
{
	struct chan_msg *msg = calloc(1, sizeof(*msg) + len);

	msg->len = len;
	msg->room = len;
	memset(msg->data, value, len);
	return msg;
}

static int state_of(const struct party *p)
{
	return atomic_read(&p->call.state);
}

/* Wake whom the core left to be woken. */
static void wake_left(struct task_struct **wake)
{
	if (*wake)
		call_wake(*wake);
	*wake = NULL;
}

static enum match_verdict send_or_park(struct match *m, struct party *p)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict = match_send(m, &p->op, &wake);

	if (verdict == MATCH_WAIT)
		match_park_sender(m, &p->op);
	wake_left(&wake);
	return verdict;
}

static enum match_verdict recv_or_park(struct match *m, struct party *p)
{
	struct task_struct *wake = NULL;
	enum match_verdict verdict = match_recv(m, &p->op, &wake);

	if (verdict == MATCH_WAIT)
		match_park_receiver(m, &p->op);
	wake_left(&wake);
	return verdict;
}

/* Complete the sender that a receiver has taken. */
static void complete(struct party *receiver)
{
	struct chan_op *sender = receiver->op.peer;

	sender->status = 0;
	call_wake(call_settle(sender->call, CALL_DONE));
}

TEST_F(match, a_parked_receiver_gets_the_message_and_one_wake_up)
{
	struct party rx, tx;

	init_party(&rx);
	init_sender(&tx, 3, 'a');
	EXPECT_EQ(MATCH_WAIT, recv_or_park(&self->m, &rx));
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m, &tx));
	EXPECT_EQ(CALL_DONE, state_of(&rx));
	EXPECT_EQ(0, rx.op.status);
	EXPECT_EQ(3, rx.op.payload.len);
	EXPECT_EQ('a', rx.op.payload.bytes[2]);
	EXPECT_EQ(1, rx.task.woken);
	EXPECT_EQ(0, rx.task.refs);
	EXPECT_EQ(0, self->m.receivers.nr);
	EXPECT_EQ(1, self->m.sent);
	EXPECT_EQ(1, self->m.received);
}

TEST_F(match, receivers_are_served_in_the_order_in_which_they_came)
{
	struct party rx[3], tx;
	int i;

	for (i = 0; i < 3; i++) {
		init_party(&rx[i]);
		recv_or_park(&self->m, &rx[i]);
	}
	for (i = 0; i < 3; i++) {
		init_sender(&tx, 1, i);
		EXPECT_EQ(MATCH_DONE, send_or_park(&self->m, &tx));
		EXPECT_EQ(CALL_DONE, state_of(&rx[i]));
		EXPECT_EQ(i, rx[i].op.payload.bytes[0]);
	}
}

TEST_F(match, senders_are_served_in_the_order_in_which_they_came)
{
	struct party tx[3], rx;
	int i;

	for (i = 0; i < 3; i++) {
		init_sender(&tx[i], 1, i);
		EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m, &tx[i]));
	}
	for (i = 0; i < 3; i++) {
		init_party(&rx);
		EXPECT_EQ(MATCH_TAKE, recv_or_park(&self->m, &rx));
		EXPECT_EQ(&tx[i].op, rx.op.peer);
		complete(&rx);
		EXPECT_EQ(1, tx[i].task.woken);
	}
}

TEST_F(match, a_call_does_not_meet_itself)
{
	struct party both;
	struct chan_op other;

	init_sender(&both, 1, 'x');
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m, &both));
	other = both.op;
	other.ticket = 0;
	EXPECT_EQ(MATCH_WAIT, match_recv(&self->m, &other, &self->wake));
}

TEST_F(match, receivers_with_too_little_room_are_told_and_passed)
{
	struct party small, empty, fits, tx;

	init_party(&small);
	small.op.room = 1;
	init_party(&fits);
	recv_or_park(&self->m, &small);
	recv_or_park(&self->m, &fits);
	init_sender(&tx, 2, 'x');
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m, &tx));
	EXPECT_EQ(-EMSGSIZE, small.op.status);
	EXPECT_EQ(2, small.op.needed);
	EXPECT_EQ(1, small.task.woken);
	EXPECT_EQ(0, fits.op.status);

	init_party(&empty);
	recv_or_park(&self->m, &empty);
	init_sender(&tx, 0, 0);
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m, &tx));
	EXPECT_EQ(-EBADMSG, empty.op.status);
	EXPECT_EQ(1, self->m.senders.nr);
}

TEST_F(match, many_who_are_told_are_told_in_batches)
{
	const int count = REJECT_BATCH + 1;
	struct party small[REJECT_BATCH + 1], tx;
	int i;

	for (i = 0; i < count; i++) {
		init_party(&small[i]);
		small[i].op.room = 0;
		recv_or_park(&self->m, &small[i]);
	}
	init_sender(&tx, 1, 'x');
	EXPECT_EQ(MATCH_AGAIN, send_or_park(&self->m, &tx));
	EXPECT_EQ(1, self->m.receivers.nr);
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m, &tx));
	EXPECT_EQ(0, self->m.receivers.nr);
}

TEST_F(match, a_sender_given_back_has_its_old_place)
{
	struct party tx[2], rx[2];
	int i;

	for (i = 0; i < 2; i++) {
		init_sender(&tx[i], 1, i);
		send_or_park(&self->m, &tx[i]);
	}
	for (i = 0; i < 2; i++) {
		init_party(&rx[i]);
		EXPECT_EQ(MATCH_TAKE, recv_or_park(&self->m, &rx[i]));
	}
	EXPECT_EQ(2, self->m.sent);
	/* The first one first: it must not end up behind the second. */
	EXPECT_EQ(MATCH_DONE, match_give_back(&self->m, rx[0].op.peer));
	EXPECT_EQ(MATCH_DONE, match_give_back(&self->m, rx[1].op.peer));
	EXPECT_EQ(0, self->m.sent);
	EXPECT_EQ(0, self->m.received);
	EXPECT_EQ(2, self->m.senders.nr);
	EXPECT_EQ(&tx[0].op, hlist_entry(self->m.senders.first, struct chan_op, node));
}

TEST_F(match, a_sender_given_back_meets_who_has_come_meanwhile)
{
	struct party tx, rx, late;

	init_sender(&tx, 1, 'x');
	send_or_park(&self->m, &tx);
	init_party(&rx);
	EXPECT_EQ(MATCH_TAKE, recv_or_park(&self->m, &rx));
	init_party(&late);
	EXPECT_EQ(MATCH_WAIT, recv_or_park(&self->m, &late));
	EXPECT_EQ(MATCH_DONE, match_give_back(&self->m, rx.op.peer));
	EXPECT_EQ(CALL_DONE, state_of(&tx));
	EXPECT_EQ(0, tx.op.status);
	EXPECT_EQ(CALL_DONE, state_of(&late));
	EXPECT_EQ('x', late.op.payload.bytes[0]);
	EXPECT_EQ(1, self->m.sent);
}

TEST_F(match, a_sender_given_back_after_the_end_is_told_of_it)
{
	struct party tx, rx;

	init_sender(&tx, 1, 'x');
	send_or_park(&self->m, &tx);
	init_party(&rx);
	recv_or_park(&self->m, &rx);
	EXPECT_TRUE(match_end(&self->m, CHAN_STATE_CLOSED, 0));
	EXPECT_FALSE(match_release(&self->m, 10));
	match_give_back(&self->m, rx.op.peer);
	EXPECT_EQ(CALL_DONE, state_of(&tx));
	EXPECT_EQ(-EPIPE, tx.op.status);
}

TEST_F(match, a_sender_that_wants_to_leave_is_let_go_when_given_back)
{
	struct party tx, rx;

	init_sender(&tx, 1, 'x');
	send_or_park(&self->m, &tx);
	init_party(&rx);
	recv_or_park(&self->m, &rx);
	EXPECT_FALSE(match_withdraw_sender(&self->m, &tx.op));
	match_give_back(&self->m, rx.op.peer);
	EXPECT_EQ(CALL_DONE, state_of(&tx));
	EXPECT_EQ(-ERESTARTSYS, tx.op.status);
	EXPECT_EQ(0, self->m.senders.nr);
}

TEST_F(match, an_offer_is_accepted)
{
	struct party rx, tx;

	init_party(&rx);
	recv_or_park(&self->m, &rx);
	init_sender(&tx, 1, 'x');
	tx.op.payload.borrowed = true;
	EXPECT_EQ(MATCH_OFFERED, send_or_park(&self->m, &tx));
	EXPECT_EQ(CALL_OFFERED, state_of(&rx));
	EXPECT_EQ(0, self->m.sent);
	EXPECT_EQ(&tx.op, match_accept(&self->m, &rx.op));
	EXPECT_EQ(1, self->m.sent);
	/* Too late to leave now. */
	EXPECT_FALSE(match_withdraw_sender(&self->m, &tx.op));
}

TEST_F(match, a_receiver_whose_offer_is_revoked_keeps_its_place)
{
	struct party rx[2], tx;

	init_party(&rx[0]);
	recv_or_park(&self->m, &rx[0]);
	init_sender(&tx, 1, 'x');
	tx.op.payload.borrowed = true;
	send_or_park(&self->m, &tx);
	init_party(&rx[1]);
	recv_or_park(&self->m, &rx[1]);
	EXPECT_TRUE(match_withdraw_sender(&self->m, &tx.op));
	EXPECT_EQ(NULL, match_accept(&self->m, &rx[0].op));
	EXPECT_EQ(CALL_PARKED, state_of(&rx[0]));
	EXPECT_EQ(&rx[0].op, hlist_entry(self->m.receivers.first, struct chan_op, node));
}

TEST_F(match, a_receiver_whose_offer_is_revoked_is_dealt_the_next)
{
	struct party rx, tx[2];

	init_party(&rx);
	recv_or_park(&self->m, &rx);
	init_sender(&tx[0], 1, 0);
	tx[0].op.payload.borrowed = true;
	send_or_park(&self->m, &tx[0]);
	init_sender(&tx[1], 1, 1);
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m, &tx[1]));
	EXPECT_TRUE(match_withdraw_sender(&self->m, &tx[0].op));
	EXPECT_EQ(0, self->m.senders.nr);
	EXPECT_EQ(&tx[1].op, match_accept(&self->m, &rx.op));
	EXPECT_EQ(1, self->m.sent);
}

TEST_F(match, a_message_put_back_has_its_old_place)
{
	struct party rx[2], tx;
	struct chan_msg *msg[2];
	int i;

	for (i = 0; i < 2; i++) {
		init_party(&rx[i]);
		recv_or_park(&self->m, &rx[i]);
		init_sender(&tx, 1, i);
		send_or_park(&self->m, &tx);
		msg[i] = new_msg(1, i);
		msg[i]->seq = rx[i].op.payload.seq;
	}
	EXPECT_EQ(MATCH_DONE, match_put_back(&self->m, msg[0]));
	EXPECT_EQ(MATCH_DONE, match_put_back(&self->m, msg[1]));
	EXPECT_EQ(0, self->m.received);
	EXPECT_EQ(msg[0], list_first_entry(&self->m.line, struct chan_msg, node));
	for (i = 0; i < 2; i++) {
		init_party(&rx[i]);
		EXPECT_EQ(MATCH_DONE, recv_or_park(&self->m, &rx[i]));
		EXPECT_EQ(i, rx[i].op.payload.bytes[0]);
	}
}

TEST_F(match, what_is_put_back_on_a_broken_channel_is_dropped)
{
	struct chan_msg *msg = new_msg(1, 0);

	self->m.received = 1;
	match_end(&self->m, CHAN_STATE_BROKEN, 0);
	EXPECT_EQ(MATCH_WAIT, match_put_back(&self->m, msg));
	free(msg);
}

TEST_F(match, a_buffer_fills_makes_senders_wait_and_is_refilled)
{
	struct party tx, waiting, rx;

	self->m.capacity = 1;
	init_sender(&tx, 1, 0);
	EXPECT_EQ(MATCH_NEEDS_MSG, match_send(&self->m, &tx.op, &self->wake));
	payload_from_msg(&tx.op.payload, new_msg(1, 0));
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m, &tx));
	EXPECT_TRUE(tx.op.news);
	EXPECT_FALSE(match_writable(&self->m, NULL));

	init_party(&waiting);
	payload_from_msg(&waiting.op.payload, new_msg(1, 1));
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m, &waiting));

	init_party(&rx);
	EXPECT_EQ(MATCH_DONE, recv_or_park(&self->m, &rx));
	EXPECT_EQ(0, rx.op.payload.bytes[0]);
	EXPECT_FALSE(rx.op.news);
	EXPECT_EQ(CALL_DONE, state_of(&waiting));
	EXPECT_EQ(1, waiting.task.woken);
	EXPECT_EQ(1, self->m.nr_msgs);

	/* What held the first message holds the third. */
	EXPECT_EQ(1, self->m.nr_spares);
	EXPECT_EQ(MATCH_DONE, recv_or_park(&self->m, &rx));
	EXPECT_TRUE(rx.op.news);
	init_sender(&tx, 1, 2);
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m, &tx));
	EXPECT_EQ(1, self->m.nr_spares);
}

TEST_F(match, the_end_is_told_in_batches_and_the_first_cause_stands)
{
	struct party tx[3];
	int i;

	for (i = 0; i < 3; i++) {
		init_sender(&tx[i], 1, i);
		send_or_park(&self->m, &tx[i]);
	}
	EXPECT_TRUE(match_end(&self->m, CHAN_STATE_REMOVED, ENODEV));
	EXPECT_FALSE(match_end(&self->m, CHAN_STATE_CLOSED, 0));
	EXPECT_EQ(ENODEV, self->m.cause);
	EXPECT_TRUE(match_release(&self->m, 2));
	EXPECT_EQ(CALL_PARKED, state_of(&tx[2]));
	EXPECT_FALSE(match_release(&self->m, 2));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ENODEV, tx[i].op.status);
	/* But for a cancel. */
	EXPECT_TRUE(match_end(&self->m, CHAN_STATE_CANCELED, ECANCELED));
	EXPECT_FALSE(match_end(&self->m, CHAN_STATE_CANCELED, EIO));
	EXPECT_EQ(ECANCELED, self->m.cause);
}

/* One task with an operation on each of two channels. */
struct chooser {
	struct task_struct task;
	struct chan_call call;
	struct chan_op op[2];
	union chan_space space[2];
};

FIXTURE(select) {
	struct match m[2];
	struct chooser s;
};

static void init_chooser(struct chooser *s)
{
	int i;

	memset(s, 0, sizeof(*s));
	call_init_multi(&s->call, &s->task);
	for (i = 0; i < 2; i++) {
		init_op(&s->op[i], &s->call, &s->space[i]);
		s->op[i].no_empty = false;
	}
}

static void make_sender(struct chan_op *op, u8 value)
{
	op->payload.kind = CHAN_PAYLOAD_INLINE;
	op->payload.len = 1;
	op->payload.bytes[0] = value;
}

FIXTURE_SETUP(select)
{
	match_init(&self->m[0], 0);
	match_init(&self->m[1], 0);
	init_chooser(&self->s);
}

FIXTURE_TEARDOWN(select)
{
}

TEST_F(select, a_claimed_call_is_passed_by_on_its_other_channels)
{
	struct party tx[2];
	int i;

	for (i = 0; i < 2; i++) {
		init_sender(&tx[i], 1, i);
		match_park_receiver(&self->m[i], &self->s.op[i]);
	}
	EXPECT_TRUE(match_writable(&self->m[1], NULL));
	EXPECT_FALSE(match_writable(&self->m[1], &self->s.task));
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m[0], &tx[0]));
	EXPECT_EQ(&self->s.op[0], self->s.call.chosen);
	EXPECT_EQ(1, self->s.task.woken);

	EXPECT_FALSE(match_writable(&self->m[1], NULL));
	EXPECT_EQ(0, match_parked(&self->m[1].receivers));
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m[1], &tx[1]));
	EXPECT_EQ(1, self->s.task.woken);

	match_unpark(&self->m[0].receivers, &self->s.op[0]);
	match_unpark(&self->m[1].receivers, &self->s.op[1]);
	EXPECT_EQ(0, self->m[1].receivers.nr);
}

TEST_F(select, two_parked_selects_meet_or_nothing_changes)
{
	struct task_struct *wake = NULL;
	struct chooser other;

	init_chooser(&other);
	make_sender(&self->s.op[0], 's');
	make_sender(&other.op[1], 'o');
	match_park_sender(&self->m[0], &self->s.op[0]);
	match_park_sender(&self->m[1], &other.op[1]);

	/* Each of them is visible; the one that looks claims both. */
	EXPECT_EQ(MATCH_TAKE, match_recv(&self->m[0], &other.op[0], &wake));
	EXPECT_EQ(&self->s.op[0], other.op[0].peer);
	EXPECT_EQ(CALL_CLAIMED, atomic_read(&self->s.call.state));
	EXPECT_EQ(CALL_CLAIMED, atomic_read(&other.call.state));

	/* The other way round it is too late, whoever asks. */
	EXPECT_EQ(MATCH_WAIT, match_recv(&self->m[1], &self->s.op[1], &wake));
	EXPECT_EQ(&self->s.op[0], call_leave(&self->s.call));
}

TEST_F(select, who_is_claimed_finds_that_its_own_look_has_lost)
{
	struct task_struct *wake = NULL;
	struct party tx, rx;

	init_sender(&tx, 1, 't');
	init_party(&rx);
	make_sender(&self->s.op[1], 's');
	match_park_receiver(&self->m[0], &self->s.op[0]);
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m[0], &tx));

	EXPECT_EQ(MATCH_WAIT, recv_or_park(&self->m[1], &rx));
	EXPECT_EQ(MATCH_LOST, match_send(&self->m[1], &self->s.op[1], &wake));
	EXPECT_EQ(CALL_PARKED, state_of(&rx));
	EXPECT_EQ(0, rx.task.woken);
	match_end(&self->m[1], CHAN_STATE_CLOSED, 0);
	EXPECT_EQ(MATCH_LOST, match_send(&self->m[1], &self->s.op[1], &wake));
	EXPECT_EQ(&self->s.op[0], self->s.call.chosen);
}

TEST_F(select, the_line_is_left_alone_by_a_look_that_has_lost)
{
	struct task_struct *wake = NULL;
	struct party tx;

	init_sender(&tx, 1, 't');
	match_init(&self->m[1], 1);
	match_park_receiver(&self->m[0], &self->s.op[0]);
	EXPECT_EQ(MATCH_DONE, send_or_park(&self->m[0], &tx));

	payload_from_msg(&self->s.op[1].payload, new_msg(1, 1));
	EXPECT_EQ(MATCH_LOST, match_send(&self->m[1], &self->s.op[1], &wake));
	EXPECT_EQ(0, self->m[1].nr_msgs);
	line_add_tail(&self->m[1], &self->s.op[1].payload);
	EXPECT_EQ(MATCH_LOST, match_recv(&self->m[1], &self->s.op[1], &wake));
	EXPECT_EQ(1, self->m[1].nr_msgs);
	free(line_first(&self->m[1]));
}

TEST_F(select, a_call_does_not_meet_itself)
{
	struct task_struct *wake = NULL;

	make_sender(&self->s.op[0], 's');
	match_park_sender(&self->m[0], &self->s.op[0]);
	EXPECT_EQ(MATCH_WAIT, match_recv(&self->m[0], &self->s.op[1], &wake));
	match_park_receiver(&self->m[0], &self->s.op[1]);
	EXPECT_EQ(MATCH_WAIT, match_send(&self->m[0], &self->s.op[0], &wake));
	EXPECT_EQ(CALL_PARKED, atomic_read(&self->s.call.state));
}

TEST_F(select, a_sender_given_back_has_its_place_and_looks_again)
{
	struct party rx, behind, other;

	make_sender(&self->s.op[0], 's');
	match_park_sender(&self->m[0], &self->s.op[0]);
	match_park_receiver(&self->m[1], &self->s.op[1]);
	init_sender(&behind, 1, 'b');
	send_or_park(&self->m[0], &behind);

	init_party(&rx);
	EXPECT_EQ(MATCH_TAKE, recv_or_park(&self->m[0], &rx));
	init_sender(&other, 1, 'o');
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m[1], &other));
	EXPECT_EQ(MATCH_DONE, match_give_back(&self->m[0], rx.op.peer));
	EXPECT_EQ(CALL_RECHECK, atomic_read(&self->s.call.state));
	EXPECT_EQ(1, self->s.task.woken);
	EXPECT_EQ(0, self->m[0].sent);

	/* It can be taken at once, before those behind it. */
	EXPECT_EQ(MATCH_TAKE, recv_or_park(&self->m[0], &rx));
	EXPECT_EQ(&self->s.op[0], rx.op.peer);
	EXPECT_EQ(MATCH_DONE, match_give_back(&self->m[0], rx.op.peer));

	/* Who passed it by on the other channel is found by the second look. */
	call_recheck(&self->s.call);
	EXPECT_EQ(CALL_PARKED, atomic_read(&self->s.call.state));
	EXPECT_EQ(MATCH_TAKE, match_recv(&self->m[1], &self->s.op[1],
					 &(struct task_struct *){ NULL }));
	EXPECT_EQ(&other.op, self->s.op[1].peer);
}

/* Both cases of the select are parked, and then a partner takes the first and fails. */
static void give_back_first_case(struct match *m, struct party *meanwhile)
{
	struct party rx;

	init_party(&rx);
	recv_or_park(&m[0], &rx);
	if (meanwhile->op.payload.kind == CHAN_PAYLOAD_INLINE)
		send_or_park(&m[1], meanwhile);
	else
		recv_or_park(&m[1], meanwhile);
	match_give_back(&m[0], rx.op.peer);
}

TEST_F(select, a_new_sender_does_not_overtake_one_that_could_not_meet_it)
{
	struct party parked, new;

	make_sender(&self->s.op[0], 's');
	match_park_sender(&self->m[0], &self->s.op[0]);
	match_park_receiver(&self->m[1], &self->s.op[1]);
	init_sender(&parked, 1, 'p');
	give_back_first_case(self->m, &parked);
	EXPECT_EQ(CALL_RECHECK, atomic_read(&self->s.call.state));
	EXPECT_EQ(CALL_PARKED, state_of(&parked));

	init_sender(&new, 1, 'n');
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m[1], &new));
	EXPECT_EQ(CALL_DONE, state_of(&parked));
	EXPECT_EQ(1, parked.task.woken);
	EXPECT_EQ(CALL_DONE, atomic_read(&self->s.call.state));
	EXPECT_EQ(&self->s.op[1], self->s.call.chosen);
	EXPECT_EQ('p', self->s.op[1].payload.bytes[0]);
	EXPECT_EQ(1, self->m[1].senders.nr);
	EXPECT_EQ(1, self->m[1].sent);
}

TEST_F(select, nor_does_a_new_receiver)
{
	struct party parked, new;

	make_sender(&self->s.op[0], 's');
	make_sender(&self->s.op[1], 't');
	match_park_sender(&self->m[0], &self->s.op[0]);
	match_park_sender(&self->m[1], &self->s.op[1]);
	init_party(&parked);
	give_back_first_case(self->m, &parked);
	EXPECT_EQ(CALL_PARKED, state_of(&parked));

	init_party(&new);
	EXPECT_EQ(MATCH_WAIT, recv_or_park(&self->m[1], &new));
	EXPECT_EQ(CALL_DONE, state_of(&parked));
	EXPECT_EQ('t', parked.op.payload.bytes[0]);
	EXPECT_EQ(CALL_DONE, atomic_read(&self->s.call.state));
	EXPECT_EQ(&self->s.op[1], self->s.call.chosen);
	EXPECT_EQ(1, self->m[1].receivers.nr);
}

TEST_F(select, a_sender_about_to_leave_is_let_go)
{
	struct party rx;

	make_sender(&self->s.op[0], 's');
	match_park_sender(&self->m[0], &self->s.op[0]);
	init_party(&rx);
	EXPECT_EQ(MATCH_TAKE, recv_or_park(&self->m[0], &rx));
	EXPECT_EQ(&self->s.op[0], call_leave(&self->s.call));
	EXPECT_TRUE(call_claimed_by(&self->s.call, &self->s.op[0]));
	EXPECT_FALSE(call_claimed_by(&self->s.call, &self->s.op[1]));
	self->s.op[0].leaving = true;
	match_give_back(&self->m[0], rx.op.peer);
	EXPECT_EQ(CALL_DONE, atomic_read(&self->s.call.state));
	EXPECT_EQ(-ERESTARTSYS, self->s.op[0].status);
	EXPECT_EQ(0, self->m[0].senders.nr);
}

TEST_F(select, what_is_offered_to_a_select_can_be_revoked)
{
	struct task_struct *wake = NULL;
	struct party tx, other;

	match_park_receiver(&self->m[0], &self->s.op[0]);
	match_park_receiver(&self->m[1], &self->s.op[1]);
	init_sender(&tx, 1, 't');
	tx.op.payload.borrowed = true;
	EXPECT_EQ(MATCH_OFFERED, match_send(&self->m[0], &tx.op, &wake));
	wake_left(&wake);
	EXPECT_EQ(CALL_OFFERED, atomic_read(&self->s.call.state));
	init_sender(&other, 1, 'o');
	EXPECT_EQ(MATCH_WAIT, send_or_park(&self->m[1], &other));

	EXPECT_TRUE(match_withdraw_sender(&self->m[0], &tx.op));
	EXPECT_EQ(NULL, match_accept(&self->m[0], &self->s.op[0]));
	EXPECT_EQ(CALL_RECHECK, atomic_read(&self->s.call.state));
	EXPECT_EQ(1, self->m[0].receivers.nr);
	EXPECT_EQ(NULL, call_leave(&self->s.call));
}

TEST_F(select, a_place_moves_on_when_something_becomes_possible)
{
	struct match *m = &self->m[0];
	u64 before = m->order;
	struct party rx, tx;

	init_party(&rx);
	init_sender(&tx, 1, 't');
	recv_or_park(m, &rx);
	EXPECT_NE(before, m->order);
	before = m->order;
	send_or_park(m, &tx);
	before = m->order;
	send_or_park(m, &tx);
	EXPECT_NE(before, m->order);
	before = m->order;
	match_end(m, CHAN_STATE_CLOSED, 0);
	EXPECT_NE(before, m->order);
}

TEST_HARNESS_MAIN
