// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHAN_IOC_SELECT: what it does with a partner, with messages of every size, with
 * memory that goes bad and with channels that end.
 */
#include "select_test.h"

#define PAGE		4096UL
#define IDLE_CASES	5

/* === With a partner === */

FIXTURE(select) {
	struct pair sync;	/* unbuffered */
	struct pair queue;	/* with room for two */
	struct pair idle;	/* unbuffered, and nobody ever comes */
	char room[ROOM];
	char idle_room[ROOM];
};

/*
 * IN_THREAD: where the party is that was there first. PLAINLY: where a test
 * has a choice, read() and write() are used by the party beside the select.
 */
FIXTURE_VARIANT(select) {
	unsigned int how;
};

FIXTURE_VARIANT_ADD(select, process) {
	.how = 0,
};

FIXTURE_VARIANT_ADD(select, thread) {
	.how = IN_THREAD,
};

FIXTURE_VARIANT_ADD(select, plain_process) {
	.how = PLAINLY,
};

FIXTURE_VARIANT_ADD(select, plain_thread) {
	.how = PLAINLY | IN_THREAD,
};

FIXTURE_SETUP(select)
{
	make_pair(_metadata, &self->sync, 0, 0);
	make_pair(_metadata, &self->queue, 2, 0);
	make_pair(_metadata, &self->idle, 0, 0);
	memset(self->room, 0x55, ROOM);
}

FIXTURE_TEARDOWN(select)
{
	close_pair(&self->sync);
	close_pair(&self->queue);
	close_pair(&self->idle);
}

/* Cases of all kinds, none of them ready. */
static void idle_cases(FIXTURE_DATA(select) * self, struct chan_case *cases)
{
	cases[0] = case_recv(self->idle.recv, self->idle_room, ROOM);
	cases[1] = case_text(self->idle.send, "nobody wants this");
	cases[2] = case_poll(self->idle.recv, POLLIN);
	cases[3] = case_disabled();
	cases[4] = case_recv(self->queue.recv, self->idle_room, ROOM);
}

static struct select_op *park_one_text(struct __test_metadata *_metadata, int fd,
				       const char *text, unsigned int how)
{
	struct select_op *op = new_select(_metadata, fd, 1, ROOM);

	add_text(op, fd, text);
	park_select(_metadata, op, how);
	return op;
}

static struct select_op *park_one_recv(struct __test_metadata *_metadata, int fd, size_t room,
				       unsigned int how)
{
	struct select_op *op = new_select(_metadata, fd, 1, room);

	add_recv(op, fd);
	park_select(_metadata, op, how);
	return op;
}

/* --- One ready, and the others not --- */

TEST_F(select, sends_to_a_parked_receiver)
{
	struct chan_case cases[IDLE_CASES], before[IDLE_CASES];
	struct select_op *op;
	int place;

	for (place = 0; place < IDLE_CASES; place++) {
		op = park_one_recv(_metadata, self->sync.recv, ROOM, variant->how);
		idle_cases(self, cases);
		cases[place] = case_text(self->sync.send, "hello");
		cases[place].status = 77;
		memcpy(before, cases, sizeof(cases));
		ASSERT_EQ(place, try_select(self->idle.send, cases, IDLE_CASES));
		before[place].status = 0;
		EXPECT_EQ(0, memcmp(before, cases, sizeof(cases)));
		ASSERT_TRUE(chose_text(op, 0, "hello"));
		EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
		EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
		EXPECT_TRUE(parked_are(self->queue.recv, 0, 0));
	}
	EXPECT_EQ(IDLE_CASES, info(self->sync.send).sent);
	EXPECT_EQ(IDLE_CASES, info(self->sync.send).received);
	EXPECT_EQ(0, info(self->idle.send).sent);
}

TEST_F(select, receives_from_a_parked_sender)
{
	struct chan_case cases[IDLE_CASES], before[IDLE_CASES];
	struct select_op *op;
	int place;

	for (place = 0; place < IDLE_CASES; place++) {
		op = park_one_text(_metadata, self->sync.send, "hello", variant->how);
		idle_cases(self, cases);
		cases[place] = case_recv(self->sync.recv, self->room, ROOM);
		memcpy(before, cases, sizeof(cases));
		ASSERT_EQ(place, try_select(self->idle.send, cases, IDLE_CASES));
		before[place].len = 5;
		before[place].pid = process_of(op);
		before[place].uid = getuid();
		EXPECT_EQ(0, memcmp(before, cases, sizeof(cases)));
		EXPECT_EQ(0, memcmp(self->room, "hello", 5));
		EXPECT_TRUE(all_bytes((void *)self->room + 5, ROOM - 5, 0x55));
		ASSERT_TRUE(chose(op, 0, 0));
		EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
		EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	}
	EXPECT_EQ(IDLE_CASES, info(self->sync.send).sent);
	EXPECT_EQ(IDLE_CASES, info(self->sync.send).received);
	EXPECT_EQ(0, info(self->idle.send).sent);
}

/* --- None ready, until somebody comes --- */

/* Parked on everything: to receive, to send, to poll. */
static struct select_op *park_wide(struct __test_metadata *_metadata,
				   FIXTURE_DATA(select) * self, unsigned int how)
{
	struct select_op *op = new_select(_metadata, self->idle.recv, 8, ROOM);

	ASSERT_EQ(3, put(self->queue.send, "one"));
	ASSERT_EQ(3, put(self->queue.send, "two"));
	add_case(op, case_disabled());
	add_recv(op, self->idle.recv);
	add_recv(op, self->sync.recv);
	add_text(op, self->queue.send, "three");
	add_poll(op, self->queue.send, POLLPRI);
	park_select(_metadata, op, how & IN_THREAD);
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 1));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 1));
	EXPECT_TRUE(parked_are(self->queue.recv, 1, 0));
	return op;
}

TEST_F(select, waits_for_a_sender)
{
	struct select_op *op = park_wide(_metadata, self, variant->how);

	EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
	EXPECT_TRUE(chose_text(op, 2, "hello"));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->queue.recv, 0, 0));
	/* Nobody is there for those who come late. */
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->idle.send, "x"));
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->sync.send, "x"));
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "one"));
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "two"));
	EXPECT_EQ(-EAGAIN, recv_now(variant->how, self->queue.recv, self->room, ROOM));
	EXPECT_EQ(2, info(self->queue.recv).sent);
	EXPECT_EQ(1, info(self->sync.recv).sent);
	EXPECT_EQ(1, info(self->sync.recv).received);
}

TEST_F(select, waits_for_room_in_a_buffer)
{
	struct select_op *op = park_wide(_metadata, self, variant->how);

	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "one"));
	EXPECT_TRUE(chose(op, 3, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->queue.recv, 0, 0));
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->idle.send, "x"));
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->sync.send, "x"));
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "two"));
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "three"));
	EXPECT_EQ(3, info(self->queue.recv).sent);
	EXPECT_EQ(3, info(self->queue.recv).received);
}

TEST_F(select, waits_for_a_receiver)
{
	struct select_op *op = new_select(_metadata, self->sync.send, 2, ROOM);

	add_text(op, self->idle.send, "to nobody");
	add_text(op, self->sync.send, "hello");
	park_select(_metadata, op, variant->how & IN_THREAD);
	EXPECT_TRUE(parked_are(self->idle.recv, 1, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 1, 0));
	EXPECT_TRUE(receives_text(variant->how, self->sync.recv, "hello"));
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_EQ(-EAGAIN, recv_now(variant->how, self->idle.recv, self->room, ROOM));
	EXPECT_EQ(0, info(self->idle.recv).sent);
}

TEST_F(select, waits_for_a_message_in_a_buffer)
{
	struct select_op *op = new_select(_metadata, self->sync.send, 2, ROOM);

	add_recv(op, self->queue.recv);
	add_recv(op, self->idle.recv);
	park_select(_metadata, op, variant->how & IN_THREAD);
	EXPECT_EQ(5, send_now(variant->how, self->queue.send, "hello"));
	EXPECT_TRUE(chose_text(op, 0, "hello"));
	EXPECT_EQ(0, info(self->queue.recv).buffered);
	EXPECT_EQ(1, info(self->queue.recv).received);
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
}

/* All cases of a select that was killed go; a thread cannot be killed alone. */
TEST_F(select, leaves_nothing_behind_when_killed)
{
	struct select_op *op;

	if (variant->how & IN_THREAD)
		SKIP(return, "for processes");
	op = park_wide(_metadata, self, variant->how);
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel_select(op));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->queue.recv, 0, 0));
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->sync.send, "x"));
}

TEST_F(select, leaves_nothing_behind_at_the_deadline)
{
	struct select_op *op = new_select(_metadata, self->sync.recv, 2, ROOM);

	op->arg.deadline = in_ms(100);
	add_recv(op, self->sync.recv);
	add_text(op, self->idle.send, "to nobody");
	start_select(_metadata, op, variant->how & IN_THREAD);
	EXPECT_EQ(-ETIMEDOUT, finish_select(op));
	EXPECT_EQ(CHAN_SELECT_NONE, op->arg.index);
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->sync.send, "x"));
	EXPECT_EQ(-EAGAIN, recv_now(variant->how, self->idle.recv, self->room, ROOM));
}

TEST_F(select, somebody_comes_before_the_deadline)
{
	struct select_op *op = new_select(_metadata, self->sync.recv, 1, ROOM);

	op->arg.deadline = in_ms(10 * DEADLINE_MS);
	add_recv(op, self->sync.recv);
	park_select(_metadata, op, variant->how & IN_THREAD);
	EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
	EXPECT_TRUE(chose_text(op, 0, "hello"));
}

/* As a signed number of nanoseconds these lie before the beginning of time. */
TEST_F(select, deadlines_hundreds_of_years_from_now)
{
	static const __u64 far[] = { 1ULL << 63, (1ULL << 63) - 1, ~1ULL, 1ULL << 62 };
	struct select_op *op;
	int i;

	for (i = 0; i < ARRAY_SIZE(far); i++) {
		op = new_select(_metadata, self->sync.recv, 1, ROOM);
		op->arg.deadline = far[i];
		add_recv(op, self->sync.recv);
		park_select(_metadata, op, variant->how & IN_THREAD);
		EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
		EXPECT_TRUE(chose_text(op, 0, "hello"));
	}
}

TEST_F(select, nonblock_does_not_matter)
{
	struct select_op *op = new_select(_metadata, self->sync.recv, 2, ROOM);

	add_recv(op, self->sync.recv);
	add_text(op, self->idle.send, "to nobody");
	set_nonblock(self->sync.recv, true);
	set_nonblock(self->idle.send, true);
	park_select(_metadata, op, variant->how & IN_THREAD);
	EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
	EXPECT_TRUE(chose_text(op, 0, "hello"));
}

/* --- Order --- */

TEST_F(select, stands_in_line_with_others)
{
	struct select_op *op[4];
	static const char *const text[] = { "first", "second", "third", "fourth" };
	int i;

	for (i = 0; i < 4; i++) {
		op[i] = new_select(_metadata, self->sync.send, 1, ROOM);
		add_text(op[i], self->sync.send, text[i]);
		/* The odd ones are always selects. */
		park_select(_metadata, op[i], i % 2 ? variant->how & IN_THREAD : variant->how);
	}
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(receives_text(variant->how, self->sync.recv, text[i]));
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(chose(op[i], 0, 0));
}

TEST_F(select, receivers_stand_in_line_with_others)
{
	struct select_op *op[4];
	static const char *const text[] = { "first", "second", "third", "fourth" };
	int i;

	for (i = 0; i < 4; i++) {
		op[i] = new_select(_metadata, self->sync.recv, 1, ROOM);
		add_recv(op[i], self->sync.recv);
		park_select(_metadata, op[i], i % 2 ? variant->how & IN_THREAD : variant->how);
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ((long)strlen(text[i]),
			  send_now(variant->how, self->sync.send, text[i]));
	for (i = 0; i < 4; i++) {
		EXPECT_TRUE(chose(op[i], 0, 0));
		EXPECT_EQ(0, memcmp(data_of(op[i], 0), text[i], strlen(text[i])));
	}
}

TEST_F(select, does_not_overtake_a_parked_sender)
{
	struct select_op *op;

	ASSERT_EQ(3, put(self->queue.send, "one"));
	ASSERT_EQ(3, put(self->queue.send, "two"));
	op = park_one_text(_metadata, self->queue.send, "three", variant->how);
	EXPECT_EQ(-EAGAIN, send_now(0, self->queue.send, "four"));
	EXPECT_TRUE(receives_text(0, self->queue.recv, "one"));
	EXPECT_EQ(-EAGAIN, send_now(0, self->queue.send, "four"));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_TRUE(receives_text(0, self->queue.recv, "two"));
	EXPECT_EQ(4, send_now(0, self->queue.send, "four"));
	EXPECT_TRUE(receives_text(0, self->queue.recv, "three"));
	EXPECT_TRUE(receives_text(0, self->queue.recv, "four"));
}

/* --- One channel in several cases --- */

TEST_F(select, several_receives_on_one_channel)
{
	struct select_op *op = new_select(_metadata, self->sync.recv, 3, ROOM);
	long index;
	int i;

	for (i = 0; i < 3; i++)
		add_recv(op, self->sync.recv);
	park_select(_metadata, op, variant->how & IN_THREAD);
	EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
	ASSERT_EQ(0, finish_select(op));
	index = op->arg.index;
	ASSERT_GT(3, index);
	EXPECT_TRUE(text_is(data_of(op, index), op->cases[index].len, "hello"));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(i == index || all_bytes(data_of(op, i), ROOM, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_EQ(-EAGAIN, send_now(variant->how, self->sync.send, "again"));
	EXPECT_EQ(1, info(self->sync.recv).received);
}

TEST_F(select, several_sends_on_one_channel)
{
	static const char *const text[] = { "zero", "one", "two" };
	struct select_op *op = new_select(_metadata, self->sync.send, 3, ROOM);
	long index, len;
	int i;

	for (i = 0; i < 3; i++)
		add_text(op, self->sync.send, text[i]);
	park_select(_metadata, op, variant->how & IN_THREAD);
	len = recv_now(variant->how, self->sync.recv, self->room, ROOM);
	ASSERT_EQ(0, finish_select(op));
	index = op->arg.index;
	ASSERT_GT(3, index);
	EXPECT_TRUE(text_is(self->room, len, text[index]));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_EQ(-EAGAIN, recv_now(variant->how, self->sync.recv, self->room, ROOM));
	EXPECT_EQ(1, info(self->sync.recv).sent);
}

/* One of them is done, and one only, when all are possible at once. */
TEST_F(select, several_cases_ready_on_one_channel)
{
	static const char *const text[] = { "zero", "one", "two" };
	struct chan_case cases[3];
	long index;
	int i;

	for (i = 0; i < 3; i++)
		cases[i] = case_text(self->queue.send, text[i]);
	index = try_select(self->queue.send, cases, 3);
	ASSERT_LE(0, index);
	EXPECT_EQ(1, info(self->queue.send).buffered);
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, text[index]));
	ASSERT_EQ(3, put(self->queue.send, "one"));
	ASSERT_EQ(3, put(self->queue.send, "two"));
	for (i = 0; i < 3; i++)
		cases[i] = case_recv(self->queue.recv, self->room, ROOM);
	index = try_select(self->queue.send, cases, 3);
	ASSERT_LE(0, index);
	EXPECT_EQ(3, cases[index].len);
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "two"));
	EXPECT_EQ(0, info(self->queue.send).buffered);
}

/* --- Too little room --- */

TEST_F(select, tells_the_size_needed)
{
	struct select_op *op = park_one_text(_metadata, self->sync.send, "a long message",
					     variant->how);
	struct chan_case cases[2];
	int i;

	for (i = 0; i < 14; i++) {
		cases[0] = case_recv(self->idle.recv, self->idle_room, ROOM);
		cases[1] = case_recv(self->sync.recv, self->room, i);
		cases[1].pid = 77;
		ASSERT_EQ(1, try_select(self->sync.recv, cases, 2));
		EXPECT_EQ(-EMSGSIZE, cases[1].status);
		EXPECT_EQ(14, cases[1].len);
		EXPECT_EQ(77, cases[1].pid);
		EXPECT_TRUE(all_bytes((void *)self->room, ROOM, 0x55));
	}
	EXPECT_TRUE(parked_are(self->sync.recv, 1, 0));
	EXPECT_EQ(0, info(self->sync.recv).sent);
	EXPECT_EQ(0, info(self->sync.recv).received);
	cases[1].len = 14;
	ASSERT_EQ(1, try_select(self->sync.recv, cases, 2));
	EXPECT_EQ(0, cases[1].status);
	EXPECT_TRUE(text_is(self->room, cases[1].len, "a long message"));
	EXPECT_TRUE(chose(op, 0, 0));
}

TEST_F(select, too_little_room_leaves_it_first_in_line)
{
	ASSERT_EQ(5, send_now(variant->how, self->queue.send, "first"));
	ASSERT_EQ(6, send_now(variant->how, self->queue.send, "second"));
	EXPECT_EQ(-EMSGSIZE, recv_now(0, self->queue.recv, self->room, 4));
	EXPECT_EQ(-EMSGSIZE, recv_now(0, self->queue.recv, self->room, 0));
	EXPECT_EQ(2, info(self->queue.recv).buffered);
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "first"));
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "second"));
}

/* One that is parked with too little room is done with; the sender goes on. */
TEST_F(select, parked_with_too_little_room)
{
	struct select_op *small = new_select(_metadata, self->sync.recv, 2, 4), *large;

	add_recv(small, self->idle.recv);
	add_recv(small, self->sync.recv);
	park_select(_metadata, small, variant->how & IN_THREAD);
	large = park_one_recv(_metadata, self->sync.recv, ROOM, variant->how);
	EXPECT_EQ(14, send_now(variant->how, self->sync.send, "a long message"));
	EXPECT_TRUE(chose(small, 1, -EMSGSIZE));
	EXPECT_EQ(14, small->cases[1].len);
	EXPECT_TRUE(all_bytes(small->data, 8, 0));
	EXPECT_TRUE(chose(large, 0, 0));
	EXPECT_EQ(0, memcmp(large->data, "a long message", 14));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_EQ(1, info(self->sync.recv).received);
}

TEST_F(select, only_receivers_with_too_little_room)
{
	struct select_op *small = park_one_recv(_metadata, self->sync.recv, 4, variant->how);
	struct chan_case one = case_text(self->sync.send, "a long message");

	EXPECT_EQ(-EAGAIN, try_case(&one));
	EXPECT_TRUE(chose(small, 0, -EMSGSIZE));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_EQ(0, info(self->sync.recv).sent);
	/* One that waits stays in line for the next. */
	small = park_one_recv(_metadata, self->sync.recv, 4, variant->how);
	park_one_text(_metadata, self->sync.send, "a long message", variant->how & IN_THREAD);
	EXPECT_TRUE(chose(small, 0, -EMSGSIZE));
	EXPECT_TRUE(receives_text(variant->how, self->sync.recv, "a long message"));
}

/* --- Messages of no length --- */

/* Nothing is at the address that goes with a length of 0. */
static struct chan_case case_empty(int fd, __u32 op)
{
	return (struct chan_case){ .fd = fd, .op = op, .buf = -PAGE, .pid = 77 };
}

TEST_F(select, an_empty_message_meets_a_parked_receiver)
{
	struct select_op *op = park_one_recv(_metadata, self->sync.recv, ROOM, variant->how);
	struct chan_case one = case_empty(self->sync.send, CHAN_SEND);

	if (variant->how & PLAINLY) {
		/* It is not for read(), so the sender finds nobody. */
		EXPECT_EQ(-EAGAIN, try_case(&one));
		EXPECT_TRUE(chose(op, 0, -EBADMSG));
		EXPECT_EQ(0, info(self->sync.recv).received);
		return;
	}
	EXPECT_EQ(0, try_case(&one));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_EQ(0, op->cases[0].len);
	EXPECT_EQ(getpid(), op->cases[0].pid);
	EXPECT_TRUE(all_bytes(op->data, ROOM, 0));
	EXPECT_EQ(1, info(self->sync.recv).received);
}

TEST_F(select, an_empty_message_from_a_parked_sender)
{
	struct select_op *op = new_select(_metadata, self->sync.send, 2, ROOM);
	struct chan_case one = case_empty(self->sync.recv, CHAN_RECV);
	int i;

	add_recv(op, self->idle.recv);
	add_send(op, self->sync.send, "", 0);
	park_select(_metadata, op, variant->how & IN_THREAD);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EBADMSG, try_read(self->sync.recv, self->room, ROOM));
		EXPECT_EQ(-EBADMSG, do_read(self->sync.recv, self->room, ROOM));
	}
	EXPECT_TRUE(parked_are(self->sync.recv, 1, 0));
	EXPECT_EQ(0, info(self->sync.recv).received);
	EXPECT_EQ(0, try_case(&one));
	EXPECT_EQ(0, one.len);
	EXPECT_EQ(process_of(op), one.pid);
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 0));
	EXPECT_TRUE(all_bytes((void *)self->room, ROOM, 0x55));
}

TEST_F(select, an_empty_message_in_a_buffer)
{
	struct iovec iov[2] = { { self->room, 8 }, { self->room + 8, 8 } };
	struct chan_case out = case_empty(self->queue.send, CHAN_SEND);
	struct chan_case in = case_empty(self->queue.recv, CHAN_RECV);
	struct pollfd pfd = { .fd = self->queue.recv, .events = POLLIN };

	EXPECT_EQ(0, try_case(&out));
	EXPECT_EQ(3, send_now(variant->how, self->queue.send, "end"));
	EXPECT_EQ(2, info(self->queue.recv).buffered);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(-EBADMSG, do_read(self->queue.recv, self->room, ROOM));
	EXPECT_EQ(-EBADMSG, result(readv(self->queue.recv, iov, 2)));
	EXPECT_EQ(2, info(self->queue.recv).buffered);
	EXPECT_EQ(0, try_case(&in));
	EXPECT_EQ(0, in.len);
	EXPECT_EQ(getpid(), in.pid);
	EXPECT_TRUE(receives_text(variant->how, self->queue.recv, "end"));
	EXPECT_EQ(2, info(self->queue.recv).received);
}

/* It is not the end of file, nor does it hide it. */
TEST_F(select, an_empty_message_before_the_end)
{
	struct chan_case out = case_empty(self->queue.send, CHAN_SEND);
	struct chan_case in = case_empty(self->queue.recv, CHAN_RECV);

	EXPECT_EQ(0, try_case(&out));
	EXPECT_EQ(0, end_channel(self->queue.send, 0));
	EXPECT_EQ(-EBADMSG, do_read(self->queue.recv, self->room, ROOM));
	EXPECT_EQ(0, try_case(&in));
	EXPECT_EQ(-EPIPE, recv_now(0, self->queue.recv, self->room, ROOM));
	EXPECT_EQ(0, do_read(self->queue.recv, self->room, ROOM));
}

TEST_F(select, write_of_nothing_is_not_noticed)
{
	struct select_op *op = park_one_recv(_metadata, self->sync.recv, ROOM,
					     variant->how & IN_THREAD);

	EXPECT_EQ(0, try_write(self->sync.send, "", 0));
	EXPECT_EQ(0, do_write(self->sync.send, "", 0));
	EXPECT_TRUE(parked_are(self->sync.recv, 0, 1));
	EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
	EXPECT_TRUE(chose_text(op, 0, "hello"));
	EXPECT_EQ(1, info(self->sync.recv).received);
}

/* A sender that came after a parked read() which it could not satisfy. */
TEST_F(select, an_empty_message_goes_on_to_the_next_receiver)
{
	struct select_op *reader = park_one_recv(_metadata, self->sync.recv, ROOM,
						 PLAINLY | variant->how);
	struct select_op *op = park_one_recv(_metadata, self->sync.recv, ROOM,
					     variant->how & IN_THREAD);
	struct chan_case one = case_empty(self->sync.send, CHAN_SEND);

	EXPECT_EQ(0, try_case(&one));
	EXPECT_TRUE(chose(reader, 0, -EBADMSG));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_EQ(0, op->cases[0].len);
}

/* --- Memory --- */

TEST_F(select, a_room_that_cannot_be_written)
{
	struct select_op *op = park_one_text(_metadata, self->sync.send, "hello", variant->how);
	struct chan_info before = info(self->sync.send);
	void *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *bad[] = { NULL, (void *)-PAGE, read_only };
	struct chan_case cases[2];
	struct chan_select arg;
	__u32 index;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cases[0] = case_recv(self->idle.recv, self->idle_room, ROOM);
		cases[1] = case_recv(self->sync.recv, bad[i], ROOM);
		arg = select_of(cases, 2, CHAN_SELECT_FOREVER);
		EXPECT_EQ(-EFAULT, failing_index(self->sync.recv, &arg, &index))
			TH_LOG("%p", bad[i]);
		EXPECT_EQ(1, index);
		EXPECT_TRUE(info_same(self->sync.send, &before));
		EXPECT_TRUE(parked_are(self->idle.send, 0, 0));
	}
	EXPECT_TRUE(receives_text(variant->how, self->sync.recv, "hello"));
	EXPECT_TRUE(chose(op, 0, 0));
}

/* It is found only by trying that the room ends within the message. */
TEST_F(select, a_room_of_which_half_can_be_written)
{
	unsigned char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct select_op *op = park_one_text(_metadata, self->sync.send, "hello", variant->how);
	struct chan_info before = info(self->sync.send);
	struct chan_case cases[2];
	struct chan_select arg;
	__u32 index;

	ASSERT_EQ(0, mprotect(memory + PAGE, PAGE, PROT_READ));
	cases[0] = case_disabled();
	cases[1] = case_recv(self->sync.recv, memory + PAGE - 2, ROOM);
	arg = select_of(cases, 2, CHAN_SELECT_FOREVER);
	EXPECT_EQ(-EFAULT, failing_index(self->sync.recv, &arg, &index));
	EXPECT_EQ(1, index);
	EXPECT_TRUE(info_same(self->sync.send, &before));
	EXPECT_TRUE(receives_text(variant->how, self->sync.recv, "hello"));
	EXPECT_TRUE(chose(op, 0, 0));
}

TEST_F(select, a_message_that_cannot_be_read)
{
	struct select_op *op = park_one_recv(_metadata, self->sync.recv, ROOM, variant->how);
	long sleeps = variant->how & IN_THREAD ? -1 : sleeps_of(op->pid);
	unsigned char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *bad[] = { NULL, (void *)-PAGE, memory + PAGE, memory + PAGE - 1 };
	struct chan_case cases[2];
	struct chan_select arg;
	__u32 index;
	int i;

	ASSERT_EQ(0, mprotect(memory + PAGE, PAGE, PROT_NONE));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cases[0] = case_recv(self->idle.recv, self->idle_room, ROOM);
		cases[1] = case_send(self->sync.send, bad[i], 5);
		arg = select_of(cases, 2, CHAN_SELECT_FOREVER);
		EXPECT_EQ(-EFAULT, failing_index(self->sync.recv, &arg, &index))
			TH_LOG("%p", bad[i]);
		EXPECT_EQ(1, index);
	}
	EXPECT_EQ(0, info(self->sync.send).sent);
	EXPECT_TRUE(parked_are(self->sync.send, 0, 1));
	EXPECT_TRUE(parked_are(self->idle.send, 0, 0));
	EXPECT_TRUE(variant->how & IN_THREAD || undisturbed(op->pid, sleeps));
	EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
	EXPECT_TRUE(chose(op, 0, 0));
}

/* Any file of the module will do to call it on. */
TEST_F(select, which_file_it_is_called_on_does_not_matter)
{
	int scope = open(CONTROL, O_RDWR | O_CLOEXEC);
	int scope_reading = open(CONTROL, O_RDONLY | O_CLOEXEC);
	int named = open("/dev/chan0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int file[] = {
		self->sync.send, self->sync.recv, self->queue.recv, self->idle.send,
		scope, scope_reading, named,
	};
	struct select_op *op;
	int i;

	ASSERT_LE(0, scope);
	ASSERT_LE(0, scope_reading);
	ASSERT_EQ(0, end_channel(self->idle.send, 0));
	for (i = 0; i < ARRAY_SIZE(file); i++) {
		if (file[i] < 0)
			continue;
		op = new_select(_metadata, file[i], 1, ROOM);
		add_recv(op, self->sync.recv);
		park_select(_metadata, op, variant->how & IN_THREAD);
		EXPECT_EQ(5, send_now(variant->how, self->sync.send, "hello"));
		EXPECT_TRUE(chose_text(op, 0, "hello"));
	}
}

/* === Memory that goes while its owner is parked === */

FIXTURE(spoilt) {
	struct pair pair;
	struct pair idle;
	struct select_op *op;
	unsigned char *memory;
	unsigned char *back;
};

FIXTURE_VARIANT(spoilt) {
	size_t size;
	unsigned int how;	/* the other party */
};

FIXTURE_VARIANT_ADD(spoilt, small_select) {
	.size = 64,
};

FIXTURE_VARIANT_ADD(spoilt, medium_select) {
	.size = 2000,
};

FIXTURE_VARIANT_ADD(spoilt, large_select) {
	.size = 40000,
};

FIXTURE_VARIANT_ADD(spoilt, small_plain) {
	.size = 64,
	.how = PLAINLY,
};

FIXTURE_VARIANT_ADD(spoilt, medium_plain) {
	.size = 2000,
	.how = PLAINLY,
};

FIXTURE_VARIANT_ADD(spoilt, large_plain) {
	.size = 40000,
	.how = PLAINLY,
};

FIXTURE_SETUP(spoilt)
{
	make_pair(_metadata, &self->pair, 0, 0);
	make_pair(_metadata, &self->idle, 0, 0);
	self->memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	self->back = shared(_metadata, 65536);
	self->op = new_select(_metadata, self->pair.recv, 2, ROOM);
	add_recv(self->op, self->idle.recv);
}

FIXTURE_TEARDOWN(spoilt)
{
	close_pair(&self->pair);
	close_pair(&self->idle);
}

/* The sender has gone on; nobody has lost anything. */
TEST_F(spoilt, room_of_a_parked_receiver)
{
	struct select_op *sender = new_select(_metadata, self->pair.send, 1, variant->size);

	add_case(self->op, case_recv(self->pair.recv, self->memory, variant->size));
	park_select(_metadata, self->op, IN_THREAD);
	ASSERT_EQ(0, mprotect(self->memory, 65536, PROT_READ));
	fill(self->back, variant->size, 1);
	add_send(sender, self->pair.send, self->back, variant->size);
	start_select(_metadata, sender, variant->how);
	EXPECT_EQ(-EFAULT, finish_select(self->op));
	EXPECT_EQ(1, self->op->arg.index);
	EXPECT_TRUE(all_bytes(self->memory, variant->size, 0));
	memset(self->back, 0, variant->size);
	EXPECT_EQ((long)variant->size,
		  recv_now(variant->how, self->pair.recv, self->back, variant->size));
	EXPECT_TRUE(filled(self->back, variant->size, 1));
	EXPECT_TRUE(chose(sender, 0, 0));
	EXPECT_TRUE(parked_are(self->pair.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_EQ(1, info(self->pair.recv).received);
}

/* It was read when it was offered. */
TEST_F(spoilt, message_of_a_parked_sender)
{
	fill(self->memory, variant->size, 1);
	add_case(self->op, case_send(self->pair.send, self->memory, variant->size));
	park_select(_metadata, self->op, IN_THREAD);
	ASSERT_EQ(0, munmap(self->memory, 65536));
	EXPECT_EQ((long)variant->size,
		  recv_now(variant->how, self->pair.recv, self->back, variant->size));
	EXPECT_TRUE(filled(self->back, variant->size, 1));
	EXPECT_TRUE(chose(self->op, 1, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
}

/* === Messages of all sizes === */

/* Around where the module changes its ways. */
static const size_t sizes[] = { 0, 1, 64, 256, 257, 2047, 2048, 4096, 65536 };

FIXTURE(sizes) {
	struct pair pair;
	unsigned char *data;
	unsigned char *back;
};

FIXTURE_VARIANT(sizes) {
	__u32 capacity;
	unsigned int how;
};

FIXTURE_VARIANT_ADD(sizes, unbuffered_process) {
	.how = 0,
};

FIXTURE_VARIANT_ADD(sizes, unbuffered_thread) {
	.how = IN_THREAD,
};

FIXTURE_VARIANT_ADD(sizes, unbuffered_plain_process) {
	.how = PLAINLY,
};

FIXTURE_VARIANT_ADD(sizes, unbuffered_plain_thread) {
	.how = PLAINLY | IN_THREAD,
};

FIXTURE_VARIANT_ADD(sizes, buffered_process) {
	.capacity = 4,
	.how = 0,
};

FIXTURE_VARIANT_ADD(sizes, buffered_thread) {
	.capacity = 4,
	.how = IN_THREAD,
};

FIXTURE_VARIANT_ADD(sizes, buffered_plain_process) {
	.capacity = 4,
	.how = PLAINLY,
};

FIXTURE_VARIANT_ADD(sizes, buffered_plain_thread) {
	.capacity = 4,
	.how = PLAINLY | IN_THREAD,
};

FIXTURE_SETUP(sizes)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->data = shared(_metadata, 65536 + 64);
	self->back = shared(_metadata, 65536 + 64);
}

FIXTURE_TEARDOWN(sizes)
{
	close_pair(&self->pair);
}

static bool sendable(size_t size, unsigned int how)
{
	return size || !(how & PLAINLY);
}

TEST_F(sizes, sender_first)
{
	struct chan_case one;
	struct select_op *op;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (!sendable(sizes[i], variant->how))
			continue;
		fill(self->data, sizes[i], i);
		memset(self->back, 0x55, sizes[i] + 64);
		op = new_select(_metadata, self->pair.send, 1, sizes[i]);
		add_send(op, self->pair.send, self->data, sizes[i]);
		start_select(_metadata, op, variant->how);
		ASSERT_TRUE(wait_until(info(self->pair.send).parked_senders ||
				       info(self->pair.send).buffered));
		one = case_recv(self->pair.recv, self->back, sizes[i] + 64);
		ASSERT_EQ(0, try_case(&one))
			TH_LOG("size %zu", sizes[i]);
		EXPECT_EQ(sizes[i], one.len);
		EXPECT_TRUE(filled(self->back, sizes[i], i));
		EXPECT_TRUE(all_bytes(self->back + sizes[i], 64, 0x55));
		ASSERT_TRUE(chose(op, 0, 0));
	}
}

TEST_F(sizes, receiver_first)
{
	struct chan_case one;
	struct select_op *op;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (!sendable(sizes[i], variant->how))
			continue;
		fill(self->data, sizes[i], i);
		op = new_select(_metadata, self->pair.recv, 1, sizes[i] + 64);
		add_recv(op, self->pair.recv);
		park_select(_metadata, op, variant->how);
		one = case_send(self->pair.send, self->data, sizes[i]);
		ASSERT_EQ(0, try_case(&one))
			TH_LOG("size %zu", sizes[i]);
		ASSERT_TRUE(chose(op, 0, 0));
		EXPECT_EQ(sizes[i], op->cases[0].len);
		EXPECT_TRUE(filled(op->data, sizes[i], i));
		EXPECT_TRUE(all_bytes(op->data + sizes[i], 64, 0));
	}
}

/* The one that was there first is a select, the one that comes may be plain. */
TEST_F(sizes, with_a_select_first)
{
	unsigned int first = variant->how & IN_THREAD;
	struct select_op *op;
	int i;

	for (i = 1; i < ARRAY_SIZE(sizes); i++) {
		fill(self->data, sizes[i], i);
		op = new_select(_metadata, self->pair.recv, 1, sizes[i]);
		add_recv(op, self->pair.recv);
		park_select(_metadata, op, first);
		ASSERT_EQ((long)sizes[i], try_write(self->pair.send, self->data, sizes[i]));
		ASSERT_TRUE(chose(op, 0, 0));
		EXPECT_EQ(sizes[i], op->cases[0].len);
		EXPECT_TRUE(filled(op->data, sizes[i], i));

		op = new_select(_metadata, self->pair.send, 1, sizes[i]);
		add_send(op, self->pair.send, self->data, sizes[i]);
		start_select(_metadata, op, first);
		ASSERT_EQ((long)sizes[i], do_read(self->pair.recv, self->back, 65536));
		EXPECT_TRUE(filled(self->back, sizes[i], i));
		ASSERT_TRUE(chose(op, 0, 0));
	}
}

/* --- Of several sizes in one call --- */

#define MANY	27

FIXTURE(mixed) {
	struct pair pair[MANY];
	unsigned char *back;
};

FIXTURE_VARIANT(mixed) {
	__u32 capacity;
	unsigned int how;
};

FIXTURE_VARIANT_ADD(mixed, unbuffered_process) {
	.how = 0,
};

FIXTURE_VARIANT_ADD(mixed, unbuffered_thread) {
	.how = IN_THREAD,
};

FIXTURE_VARIANT_ADD(mixed, buffered_process) {
	.capacity = 1,
	.how = 0,
};

FIXTURE_VARIANT_ADD(mixed, buffered_thread) {
	.capacity = 1,
	.how = IN_THREAD,
};

FIXTURE_SETUP(mixed)
{
	int i;

	for (i = 0; i < MANY; i++)
		make_pair(_metadata, &self->pair[i], variant->capacity, 0);
	self->back = shared(_metadata, 65536);
}

FIXTURE_TEARDOWN(mixed)
{
	int i;

	for (i = 0; i < MANY; i++)
		close_pair(&self->pair[i]);
}

/* Each of them is the one that crosses, once. */
TEST_F(mixed, messages_to_send)
{
	struct select_op *op;
	struct chan_case one;
	int i, chosen;

	for (i = 0; variant->capacity && i < MANY; i++)
		ASSERT_EQ(4, put(self->pair[i].send, "full"));
	for (chosen = 0; chosen < MANY; chosen++) {
		op = new_select(_metadata, self->pair[0].send, MANY, 65536);
		for (i = 0; i < MANY; i++) {
			fill(self->back, sizes[i % ARRAY_SIZE(sizes)], i);
			add_send(op, self->pair[i].send, self->back,
				 sizes[i % ARRAY_SIZE(sizes)]);
		}
		park_select(_metadata, op, variant->how);
		if (variant->capacity)
			ASSERT_TRUE(got(self->pair[chosen].recv, "full"));
		one = case_recv(self->pair[chosen].recv, self->back, 65536);
		ASSERT_EQ(0, do_select(one.fd, &one, 1, CHAN_SELECT_FOREVER));
		EXPECT_EQ(0, one.status);
		EXPECT_EQ(sizes[chosen % ARRAY_SIZE(sizes)], one.len);
		EXPECT_TRUE(filled(self->back, one.len, chosen));
		ASSERT_TRUE(chose(op, chosen, 0));
		munmap(op, sizeof(*op) + MANY * (sizeof(one) + 65536));
		if (variant->capacity)
			ASSERT_EQ(4, put(self->pair[chosen].send, "full"));
	}
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(parked_are(self->pair[i].send, 0, 0));
}

/* The message fits in some of the rooms. */
TEST_F(mixed, rooms_to_receive)
{
	struct chan_case *one;
	struct select_op *op;
	int i, chosen;

	fill(self->back, 2047, 1);
	for (chosen = 0; chosen < MANY; chosen++) {
		op = new_select(_metadata, self->pair[0].send, MANY, 65536);
		for (i = 0; i < MANY; i++) {
			add_recv(op, self->pair[i].recv);
			op->cases[i].len = sizes[i % ARRAY_SIZE(sizes)];
		}
		park_select(_metadata, op, variant->how);
		one = &op->cases[chosen];
		if (one->len < 2047) {
			ASSERT_EQ(variant->capacity ? 2047 : -EAGAIN,
				  try_write(self->pair[chosen].send, self->back, 2047));
			ASSERT_TRUE(chose(op, chosen, -EMSGSIZE));
			try_read(self->pair[chosen].recv, self->back, 65536);
			EXPECT_TRUE(all_bytes(data_of(op, chosen), 2047, 0));
		} else {
			ASSERT_EQ(2047, try_write(self->pair[chosen].send, self->back, 2047));
			ASSERT_TRUE(chose(op, chosen, 0));
			EXPECT_TRUE(filled(data_of(op, chosen), 2047, 1));
		}
		EXPECT_EQ(2047, one->len);
		munmap(op, sizeof(*op) + MANY * (sizeof(*one) + 65536));
	}
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(parked_are(self->pair[i].send, 0, 0));
}

/* === Channels that have ended === */

enum ending {
	CLOSED,
	FAILED,
	REMOVED,
	BROKEN,
	LAST_SENDER_GONE,
};

FIXTURE(ended) {
	struct device dev;
	struct pair pair;
	struct pair idle;
	char room[ROOM];
};

FIXTURE_VARIANT(ended) {
	enum ending how;
	int sender;
	int receiver;
};

FIXTURE_VARIANT_ADD(ended, closed) {
	.how = CLOSED,
	.sender = -EPIPE,
	.receiver = -EPIPE,
};

FIXTURE_VARIANT_ADD(ended, failed) {
	.how = FAILED,
	.sender = -EPIPE,
	.receiver = -EUCLEAN,
};

FIXTURE_VARIANT_ADD(ended, removed) {
	.how = REMOVED,
	.sender = -ENODEV,
	.receiver = -ENODEV,
};

/* Nobody is left to receive, or to send. */
FIXTURE_VARIANT_ADD(ended, broken) {
	.how = BROKEN,
	.sender = -EPIPE,
};

FIXTURE_VARIANT_ADD(ended, abandoned) {
	.how = LAST_SENDER_GONE,
	.receiver = -EPIPE,
};

FIXTURE_SETUP(ended)
{
	make_pair(_metadata, &self->idle, 0, 0);
	if (variant->how != REMOVED) {
		make_pair(_metadata, &self->pair, 2, 0);
		return;
	}
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&self->dev, 2, 0, 0600));
	self->pair.send = device_open(&self->dev, O_WRONLY);
	self->pair.recv = device_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->pair.send);
	ASSERT_LE(0, self->pair.recv);
}

FIXTURE_TEARDOWN(ended)
{
	if (variant->how == REMOVED)
		device_remove(&self->dev);
	close_pair(&self->pair);
	close_pair(&self->idle);
}

static long end_it(FIXTURE_DATA(ended) * self, enum ending how)
{
	switch (how) {
	case CLOSED:
		return end_channel(self->pair.send, 0);
	case FAILED:
		return end_channel(self->pair.send, EUCLEAN);
	case REMOVED:
		return device_remove(&self->dev);
	case BROKEN:
		return close(self->pair.recv);
	default:
		return close(self->pair.send);
	}
}

/* A case that has ended, between two that never happen. */
static void ends_with(struct __test_metadata *_metadata, FIXTURE_DATA(ended) * self,
		      struct chan_case one, int status)
{
	static const __u64 deadline[] = { 0, 1, CHAN_SELECT_FOREVER };
	struct chan_case cases[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(deadline); i++) {
		cases[0] = case_recv(self->idle.recv, self->room, ROOM);
		cases[1] = one;
		cases[2] = case_text(self->idle.send, "x");
		cases[1].status = 77;
		ASSERT_EQ(1, do_select(self->idle.send, cases, 3, deadline[i]));
		EXPECT_EQ(status, cases[1].status);
		EXPECT_TRUE(parked_are(self->idle.send, 0, 0));
	}
}

TEST_F(ended, it_is_told_at_once_and_every_time)
{
	ASSERT_EQ(0, end_it(self, variant->how));
	if (variant->sender) {
		ends_with(_metadata, self, case_text(self->pair.send, "x"), variant->sender);
		ends_with(_metadata, self, case_send(self->pair.send, "", 0), variant->sender);
		EXPECT_EQ(0, info(self->pair.send).sent);
	}
	if (variant->receiver) {
		ends_with(_metadata, self, case_recv(self->pair.recv, self->room, ROOM),
			  variant->receiver);
		ends_with(_metadata, self, case_recv(self->pair.recv, NULL, 0),
			  variant->receiver);
	}
}

TEST_F(ended, what_was_buffered_is_drained_first)
{
	struct chan_case one = case_recv(self->pair.recv, self->room, ROOM);

	if (!variant->receiver)
		SKIP(return, "nobody to receive");
	ASSERT_EQ(5, put(self->pair.send, "first"));
	ASSERT_EQ(6, put(self->pair.send, "second"));
	ASSERT_EQ(0, end_it(self, variant->how));
	EXPECT_TRUE(receives_text(0, self->pair.recv, "first"));
	one.len = 3;
	EXPECT_EQ(-EMSGSIZE, try_case(&one));
	EXPECT_EQ(6, one.len);
	EXPECT_TRUE(receives_text(0, self->pair.recv, "second"));
	ends_with(_metadata, self, case_recv(self->pair.recv, self->room, ROOM),
		  variant->receiver);
}

static void parked_receiver_is_told(struct __test_metadata *_metadata,
				    FIXTURE_DATA(ended) * self,
				    const FIXTURE_VARIANT(ended) * variant, unsigned int how)
{
	struct select_op *op = new_select(_metadata, self->idle.recv, 3, ROOM);

	add_recv(op, self->idle.recv);
	add_recv(op, self->pair.recv);
	add_text(op, self->idle.send, "x");
	park_select(_metadata, op, how);
	ASSERT_EQ(0, end_it(self, variant->how));
	EXPECT_TRUE(chose(op, 1, variant->receiver));
	EXPECT_TRUE(parked_are(self->pair.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
}

TEST_F(ended, a_parked_receiver_is_told)
{
	if (!variant->receiver)
		SKIP(return, "nobody to receive");
	parked_receiver_is_told(_metadata, self, variant, 0);
}

TEST_F(ended, a_parked_receiver_in_a_thread_is_told)
{
	if (!variant->receiver)
		SKIP(return, "nobody to receive");
	parked_receiver_is_told(_metadata, self, variant, IN_THREAD);
}

static void parked_sender_is_told(struct __test_metadata *_metadata,
				  FIXTURE_DATA(ended) * self,
				  const FIXTURE_VARIANT(ended) * variant, unsigned int how)
{
	struct select_op *op = new_select(_metadata, self->idle.recv, 3, ROOM);

	ASSERT_EQ(3, put(self->pair.send, "one"));
	ASSERT_EQ(3, put(self->pair.send, "two"));
	add_recv(op, self->idle.recv);
	add_text(op, self->pair.send, "three");
	add_text(op, self->idle.send, "x");
	park_select(_metadata, op, how);
	ASSERT_EQ(0, end_it(self, variant->how));
	EXPECT_TRUE(chose(op, 1, variant->sender));
	EXPECT_TRUE(parked_are(self->pair.send, 0, 0));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_EQ(2, info(self->pair.send).sent);
}

TEST_F(ended, a_parked_sender_is_told)
{
	if (!variant->sender)
		SKIP(return, "nobody to send");
	parked_sender_is_told(_metadata, self, variant, 0);
}

TEST_F(ended, a_parked_sender_in_a_thread_is_told)
{
	if (!variant->sender)
		SKIP(return, "nobody to send");
	parked_sender_is_told(_metadata, self, variant, IN_THREAD);
}

TEST_F(ended, a_poll_case_sees_it)
{
	int fd = variant->sender ? self->pair.send : self->pair.recv;
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct select_op *op = new_select(_metadata, self->idle.recv, 2, ROOM);
	struct chan_case one;

	add_recv(op, self->idle.recv);
	add_poll(op, fd, 0);
	park_select(_metadata, op, 0);
	ASSERT_EQ(0, end_it(self, variant->how));
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_NE(0, op->cases[1].events & (POLLHUP | POLLERR));
	ASSERT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(pfd.revents & (POLLHUP | POLLERR), op->cases[1].events);
	one = case_poll(fd, POLLIN | POLLOUT);
	EXPECT_EQ(0, try_case(&one));
	EXPECT_EQ(pfd.revents, one.events);
}

/* It can be called on a file of a channel that has ended, too. */
TEST_F(ended, its_file_will_do_to_call_it_on)
{
	int fd = variant->sender ? self->pair.send : self->pair.recv;
	struct chan_case one = case_recv(self->idle.recv, self->room, ROOM);

	ASSERT_EQ(0, end_it(self, variant->how));
	EXPECT_EQ(-EAGAIN, try_select(fd, &one, 1));
	EXPECT_EQ(-ETIMEDOUT, do_select(fd, &one, 1, in_ms(10)));
}

/* === A file that is open for both directions === */

FIXTURE(both) {
	struct device dev;
	struct pair idle;
	int fd;
	int reader;
	int writer;
	char room[ROOM];
};

FIXTURE_VARIANT(both) {
	__u32 capacity;
	unsigned int how;
};

FIXTURE_VARIANT_ADD(both, unbuffered_process) {
	.how = 0,
};

FIXTURE_VARIANT_ADD(both, unbuffered_thread) {
	.how = IN_THREAD,
};

FIXTURE_VARIANT_ADD(both, buffered_process) {
	.capacity = 1,
	.how = 0,
};

FIXTURE_VARIANT_ADD(both, buffered_thread) {
	.capacity = 1,
	.how = IN_THREAD,
};

FIXTURE_SETUP(both)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	make_pair(_metadata, &self->idle, 0, 0);
	ASSERT_EQ(0, device_add(&self->dev, variant->capacity, 0, 0600));
	self->fd = device_open(&self->dev, O_RDWR);
	self->reader = device_open(&self->dev, O_RDONLY);
	self->writer = device_open(&self->dev, O_WRONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->reader);
	ASSERT_LE(0, self->writer);
}

FIXTURE_TEARDOWN(both)
{
	device_remove(&self->dev);
	close(self->fd);
	close(self->reader);
	close(self->writer);
}

static void add_both(struct select_op *op, int fd, const char *text)
{
	add_text(op, fd, text);
	add_recv(op, fd);
}

TEST_F(both, never_meets_itself)
{
	struct chan_case cases[4] = {
		case_text(self->fd, "hello"),
		case_recv(self->fd, self->room, ROOM),
		case_poll(self->fd, POLLPRI),
		case_text(self->writer, "hello"),
	};
	int i;

	if (variant->capacity) {
		/* Through a buffer it does not: these are two calls. */
		EXPECT_EQ(0, try_select(self->fd, cases, 2));
		EXPECT_EQ(1, try_select(self->fd, cases, 2));
		EXPECT_TRUE(text_is(self->room, cases[1].len, "hello"));
		EXPECT_EQ(1, info(self->fd).received);
		return;
	}
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(-EAGAIN, try_select(self->fd, cases, 4));
		EXPECT_EQ(-ETIMEDOUT, do_select(self->fd, cases, 4, in_ms(5)));
	}
	EXPECT_EQ(0, info(self->fd).sent);
	EXPECT_TRUE(parked_are(self->fd, 0, 0));
}

/* Nor does it see itself as a partner that it could wait for. */
TEST_F(both, a_poll_does_not_see_the_same_call)
{
	struct select_op *op = new_select(_metadata, self->fd, 4, ROOM);

	if (variant->capacity)
		SKIP(return, "a buffer is always ready for one of them");
	add_both(op, self->fd, "hello");
	add_poll(op, self->fd, POLLIN | POLLOUT);
	add_poll(op, self->writer, POLLOUT);
	op->arg.deadline = in_ms(100);
	start_select(_metadata, op, variant->how);
	EXPECT_EQ(-ETIMEDOUT, finish_select(op));
	EXPECT_TRUE(parked_are(self->fd, 0, 0));
	EXPECT_EQ(0, info(self->fd).sent);
}

TEST_F(both, another_sends)
{
	struct select_op *op = new_select(_metadata, self->fd, 3, ROOM);

	if (variant->capacity)
		SKIP(return, "a buffer is always ready for one of them");
	add_both(op, self->fd, "from the select");
	add_recv(op, self->idle.recv);
	park_select(_metadata, op, variant->how);
	EXPECT_TRUE(parked_are(self->fd, 1, 1));
	EXPECT_EQ(5, put(self->writer, "hello"));
	EXPECT_TRUE(chose_text(op, 1, "hello"));
	EXPECT_TRUE(parked_are(self->fd, 0, 0));
	EXPECT_EQ(-EAGAIN, try_read(self->reader, self->room, ROOM));
	EXPECT_EQ(1, info(self->fd).sent);
}

TEST_F(both, another_receives)
{
	struct select_op *op = new_select(_metadata, self->fd, 3, ROOM);

	if (variant->capacity)
		SKIP(return, "a buffer is always ready for one of them");
	add_both(op, self->fd, "from the select");
	add_recv(op, self->idle.recv);
	park_select(_metadata, op, variant->how);
	EXPECT_TRUE(got(self->reader, "from the select"));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_TRUE(parked_are(self->fd, 0, 0));
	EXPECT_EQ(-EAGAIN, put(self->writer, "x"));
	EXPECT_EQ(1, info(self->fd).sent);
}

/* Of two such, one sends and the other receives. */
TEST_F(both, two_of_them_meet)
{
	struct select_op *op = new_select(_metadata, self->fd, 2, ROOM);
	struct chan_case cases[2] = {
		case_recv(self->fd, self->room, ROOM),
		case_text(self->fd, "second"),
	};
	long index;

	if (variant->capacity)
		SKIP(return, "a buffer is always ready for one of them");
	add_both(op, self->fd, "first");
	park_select(_metadata, op, variant->how);
	index = try_select(self->fd, cases, 2);
	ASSERT_LE(0, index);
	if (index == 0) {
		EXPECT_TRUE(chose(op, 0, 0));
		EXPECT_TRUE(text_is(self->room, cases[0].len, "first"));
	} else {
		EXPECT_TRUE(chose_text(op, 1, "second"));
	}
	EXPECT_TRUE(parked_are(self->fd, 0, 0));
	EXPECT_EQ(1, info(self->fd).sent);
	EXPECT_EQ(1, info(self->fd).received);
}

TEST_F(both, a_full_buffer_and_an_empty_one)
{
	struct select_op *op = new_select(_metadata, self->fd, 2, ROOM);

	if (!variant->capacity)
		SKIP(return, "for buffers");
	ASSERT_EQ(4, put(self->writer, "full"));
	add_text(op, self->fd, "more");
	add_text(op, self->idle.send, "x");
	park_select(_metadata, op, variant->how);
	EXPECT_TRUE(got(self->reader, "full"));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_TRUE(got(self->reader, "more"));
	op = new_select(_metadata, self->fd, 2, ROOM);
	add_recv(op, self->fd);
	add_recv(op, self->idle.recv);
	park_select(_metadata, op, variant->how);
	EXPECT_EQ(5, put(self->writer, "hello"));
	EXPECT_TRUE(chose_text(op, 0, "hello"));
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
}

TEST_HARNESS_MAIN
