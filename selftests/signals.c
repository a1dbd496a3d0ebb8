// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals: an operation happened, or it did not; never both, never neither.
 */
#include "chan_test.h"

FIXTURE(signals) {
	struct pair pair;
	int send;
	int recv;
	size_t size;
	unsigned char *data;
};

FIXTURE_VARIANT(signals) {
	size_t size;
};

FIXTURE_VARIANT_ADD(signals, small) {
	.size = 16,
};

FIXTURE_VARIANT_ADD(signals, medium) {
	.size = 3000,
};

FIXTURE_VARIANT_ADD(signals, large) {
	.size = 50000,
};

FIXTURE_SETUP(signals)
{
	make_pair(_metadata, &self->pair, 0, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
	self->size = variant->size;
	self->data = shared(_metadata, variant->size);
	fill(self->data, variant->size, 1);
}

FIXTURE_TEARDOWN(signals)
{
	close_pair(&self->pair);
}

static struct op *this_op;

static void on_signal(int sig)
{
	(void)sig;
	this_op->signals++;
}

/* Handle SIGUSR1 with the flags in @op->flag. */
static void handle(struct op *op)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = op->flag };

	this_op = op;
	sigaction(SIGUSR1, &action, NULL);
}

static void run_send_handled(struct op *op)
{
	handle(op);
	run_send(op);
}

static void run_recv_handled(struct op *op)
{
	handle(op);
	run_recv(op);
}

/* A parked operation that handles signals. */
static struct op *park(struct __test_metadata *_metadata, struct pair *pair, bool sender,
		       size_t size, int flag)
{
	int fd = sender ? pair->send : pair->recv;
	struct op *op = new_op(_metadata, fd, size);

	op->flag = flag;
	fill(op->data, size, 1);
	start_op(_metadata, op, sender ? run_send_handled : run_recv_handled);
	ASSERT_TRUE(wait_parked(fd, sender, !sender));
	return op;
}

static bool wait_signals(struct op *op, int count)
{
	return wait_until(__atomic_load_n(&op->signals, __ATOMIC_ACQUIRE) == count);
}

TEST_F(signals, interrupted_sender_has_not_sent)
{
	struct op *op = park(_metadata, &self->pair, true, self->size, 0);
	char byte;

	kill(op->pid, SIGUSR1);
	EXPECT_EQ(-EINTR, finish(op));
	EXPECT_EQ(1, op->signals);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
	EXPECT_EQ(0, info(self->send).sent);
}

TEST_F(signals, interrupted_receiver_has_not_received)
{
	struct op *op = park(_metadata, &self->pair, false, self->size, 0);

	kill(op->pid, SIGUSR1);
	EXPECT_EQ(-EINTR, finish(op));
	EXPECT_EQ(1, op->signals);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(-EAGAIN, put(self->send, "x"));
	EXPECT_EQ(0, info(self->send).sent);
}

TEST_F(signals, restarted_sender)
{
	struct op *op = park(_metadata, &self->pair, true, self->size, SA_RESTART);
	int i;

	for (i = 1; i <= 3; i++) {
		kill(op->pid, SIGUSR1);
		ASSERT_TRUE(wait_signals(op, i));
		ASSERT_TRUE(wait_parked(self->send, 1, 0));
	}
	EXPECT_EQ((long)self->size, try_read(self->recv, self->data, self->size));
	EXPECT_TRUE(filled(self->data, self->size, 1));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_EQ(1, info(self->send).sent);
}

TEST_F(signals, restarted_receiver)
{
	struct op *op = park(_metadata, &self->pair, false, self->size, SA_RESTART);
	int i;

	for (i = 1; i <= 3; i++) {
		kill(op->pid, SIGUSR1);
		ASSERT_TRUE(wait_signals(op, i));
		ASSERT_TRUE(wait_parked(self->send, 0, 1));
	}
	EXPECT_EQ((long)self->size, do_write(self->send, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_EQ(1, info(self->send).received);
}

TEST_F(signals, a_signal_that_is_ignored_changes_nothing)
{
	struct op *send = park(_metadata, &self->pair, true, self->size, 0);
	long sleeps = sleeps_of(send->pid);

	/* Ignored by default. */
	kill(send->pid, SIGCHLD);
	kill(send->pid, SIGURG);
	EXPECT_TRUE(undisturbed(send->pid, sleeps));
	EXPECT_TRUE(parked_are(self->send, 1, 0));
	EXPECT_EQ((long)self->size, try_read(self->recv, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(send));
}

/* Blocked in the operation, seen right after it. */
static void run_blocked(struct op *op)
{
	sigset_t set;

	handle(op);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run_recv(op);
	sigpending(&set);
	op->flag = sigismember(&set, SIGUSR1);
}

TEST_F(signals, a_blocked_signal_stays_pending)
{
	struct op *op = start(_metadata, self->recv, NULL, self->size, run_blocked);

	ASSERT_TRUE(wait_parked(self->recv, 0, 1));
	kill(op->pid, SIGUSR1);
	EXPECT_TRUE(parked_are(self->recv, 0, 1));
	EXPECT_EQ((long)self->size, do_write(self->send, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_EQ(1, op->flag);
	EXPECT_EQ(0, op->signals);
}

/*
 * One party is showered with signals. It repeats what was interrupted, so if
 * ever an interrupted operation had happened, or a successful one had not, the
 * other would see a number twice or miss one.
 */
#define SHOWER	300

static void run_counting(struct op *op)
{
	bool sender = op->len & 1;
	__u32 *number, i;
	long ret;

	handle(op);
	number = (__u32 *)op->data;
	for (i = 0; i < SHOWER; i++) {
		do {
			if (sender) {
				*number = i;
				ret = do_write(op->fd, op->data, op->len);
			} else {
				ret = do_read(op->fd, op->data, op->len);
			}
			op->ready += ret == -EINTR;
		} while (ret == -EINTR);
		if (ret <= 0 || *number != i) {
			op->ret = -EIO;
			return;
		}
	}
	op->ret = 0;
}

/* One signal at a time: a flood would leave no time for anything else. */
static void run_shower(struct op *op)
{
	struct op *target = *(struct op **)op->data;
	int seen = 0;

	while (!kill(target->pid, SIGUSR1)) {
		while (__atomic_load_n(&target->signals, __ATOMIC_ACQUIRE) == seen) {
			if (state_of(target->pid) == 'Z' || kill(target->pid, 0))
				return;
			sched_yield();
		}
		seen++;
	}
}

static void shower(struct __test_metadata *_metadata, struct pair *pair, bool sender,
		   size_t size, int flags)
{
	int fd = sender ? pair->send : pair->recv;
	/* Odd sizes are those of senders. */
	struct op *op = new_op(_metadata, fd, (size & ~1UL) + sender), *source;
	unsigned char *data = shared(_metadata, size + 2);
	__u32 i;

	op->flag = flags;
	start_op(_metadata, op, run_counting);
	ASSERT_TRUE(wait_parked(fd, sender, !sender));
	source = start(_metadata, fd, &op, sizeof(op), run_shower);
	/* All might be over before the shower begins. */
	ASSERT_TRUE(wait_until(__atomic_load_n(&op->signals, __ATOMIC_ACQUIRE)));
	for (i = 0; i < SHOWER; i++) {
		if (sender) {
			ASSERT_EQ((long)op->len, do_read(pair->recv, data, size + 2));
			ASSERT_EQ(i, *(__u32 *)data);
		} else {
			*(__u32 *)data = i;
			ASSERT_EQ((long)(size & ~1UL),
				  do_write(pair->send, data, size & ~1UL));
		}
	}
	EXPECT_EQ(0, finish(op));
	cancel(source);
	EXPECT_EQ(SHOWER, info(pair->send).sent);
	EXPECT_EQ(SHOWER, info(pair->send).received);
	EXPECT_TRUE(parked_are(pair->send, 0, 0));
}

TEST_F(signals, shower_on_a_sender)
{
	shower(_metadata, &self->pair, true, self->size, 0);
}

TEST_F(signals, shower_on_a_receiver)
{
	shower(_metadata, &self->pair, false, self->size, 0);
}

TEST_F(signals, shower_on_a_sender_that_restarts)
{
	shower(_metadata, &self->pair, true, self->size, SA_RESTART);
}

TEST_F(signals, shower_on_a_receiver_that_restarts)
{
	shower(_metadata, &self->pair, false, self->size, SA_RESTART);
}

/* --- Kills --- */

TEST_F(signals, a_killed_sender_takes_its_offer_along)
{
	struct op *op = park_send(_metadata, self->send, self->data, self->size);
	char byte;

	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(op));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
	EXPECT_EQ(0, info(self->send).sent);
}

TEST_F(signals, a_killed_receiver_is_not_met)
{
	struct op *op = park_recv(_metadata, self->recv, self->size);

	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(op));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(-EAGAIN, put(self->send, "x"));
}

TEST_F(signals, a_kill_is_not_noticed_by_the_others)
{
	struct op *first = park_recv(_metadata, self->recv, self->size);
	struct op *killed = park_recv(_metadata, self->recv, self->size);
	struct op *last = park_recv(_metadata, self->recv, self->size);
	long first_sleeps = sleeps_of(first->pid), last_sleeps = sleeps_of(last->pid);

	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(killed));
	EXPECT_TRUE(parked_are(self->recv, 0, 2));
	EXPECT_TRUE(undisturbed(first->pid, first_sleeps));
	EXPECT_TRUE(undisturbed(last->pid, last_sleeps));
	EXPECT_EQ(1, do_write(self->send, "a", 1));
	EXPECT_EQ(1, do_write(self->send, "b", 1));
	EXPECT_TRUE(finish_text(first, "a"));
	EXPECT_TRUE(finish_text(last, "b"));
}

TEST_F(signals, kills_and_messages_at_once)
{
	struct op *op[8];
	long ret, arrived = 0, taken;
	int i;

	/* Every message is taken by a live or a dying one, or stays. */
	for (i = 0; i < 8; i++)
		op[i] = park_recv(_metadata, self->recv, self->size);
	for (i = 0; i < 8; i++) {
		kill(op[i]->pid, SIGKILL);
		ret = try_write(self->send, self->data, self->size);
		if (ret != -EAGAIN) {
			EXPECT_EQ((long)self->size, ret);
			arrived++;
		}
	}
	for (i = 0; i < 8; i++)
		finish(op[i]);
	taken = info(self->send).received;
	while (try_read(self->recv, self->data, self->size) == (long)self->size)
		taken++;
	EXPECT_EQ(arrived, taken);
	EXPECT_EQ(arrived, info(self->send).sent);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(0, info(self->send).buffered);
}

/* --- Stop and continue --- */

static bool stopped(struct op *op)
{
	return wait_until(state_of(op->pid) == 'T');
}

TEST_F(signals, a_stopped_sender_goes_on)
{
	struct op *op = park_send(_metadata, self->send, self->data, self->size);

	kill(op->pid, SIGSTOP);
	ASSERT_TRUE(stopped(op));
	kill(op->pid, SIGCONT);
	ASSERT_TRUE(wait_parked(self->send, 1, 0));
	EXPECT_EQ((long)self->size, try_read(self->recv, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_EQ(1, info(self->send).sent);
}

TEST_F(signals, a_stopped_receiver_goes_on)
{
	struct op *op = park_recv(_metadata, self->recv, self->size);

	kill(op->pid, SIGSTOP);
	ASSERT_TRUE(stopped(op));
	kill(op->pid, SIGCONT);
	ASSERT_TRUE(wait_parked(self->send, 0, 1));
	EXPECT_EQ((long)self->size, do_write(self->send, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_TRUE(filled(op->data, self->size, 1));
}

TEST_F(signals, a_stopped_one_holds_nobody_up)
{
	struct op *op = park_recv(_metadata, self->recv, self->size), *other;

	kill(op->pid, SIGSTOP);
	ASSERT_TRUE(stopped(op));
	other = start_recv(_metadata, self->recv, self->size);
	EXPECT_EQ((long)self->size, do_write(self->send, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(other));
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(op));
}

TEST_HARNESS_MAIN
