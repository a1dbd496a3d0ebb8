// SPDX-License-Identifier: GPL-2.0-only
/*
 * Selects among others: they meet each other and plain partners, are signalled,
 * killed, timed out and given bad memory, and their channels end.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <linux/userfaultfd.h>

#include "select_test.h"

#define CHANNELS	4
#define PAGE		4096UL
#define SMALL		16
#define MEDIUM		3000
#define LARGE		65536	/* borrowed from a sender that waits */

/* What repeats does so a number of times, or on a slow machine for so long. */
#define ENOUGH_SIGNALS	10
#define SHOWERED	2000
#define LEAST_KILLED	3
#define BUDGET_MS	2000

#define IN		(POLLIN | POLLRDNORM)
#define OUT		(POLLOUT | POLLWRNORM)

static const size_t sizes[] = { SMALL, MEDIUM, LARGE };

#define for_each_size(size, i)						\
	for ((i) = 0; (i) < 3 && ((size) = sizes[i]); (i)++)

FIXTURE(meet) {
	int ctl;
	struct pair pair[CHANNELS];
};

FIXTURE_VARIANT(meet) {
	unsigned int how;
};

FIXTURE_VARIANT_ADD(meet, processes) {
	.how = 0,
};

FIXTURE_VARIANT_ADD(meet, threads) {
	.how = IN_THREAD,
};

FIXTURE_SETUP(meet)
{
	int i;

	self->ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->ctl);
	for (i = 0; i < CHANNELS; i++)
		make_pair(_metadata, &self->pair[i], 0, 0);
}

FIXTURE_TEARDOWN(meet)
{
	int i;

	for (i = 0; i < CHANNELS; i++)
		close_pair(&self->pair[i]);
	close(self->ctl);
}

/* --- What all tests here need --- */

/* A select is one of @senders or @receivers on each of the channels. */
static bool all_parked(const struct pair *pair, int n, __u32 senders, __u32 receivers)
{
	while (n--)
		if (!parked_are(pair[n].recv, senders, receivers))
			return false;
	return true;
}

/* Nobody and nothing is left, and what was sent has been received. */
static bool no_trace(const struct pair *pair, int n)
{
	struct chan_info now;

	while (n--) {
		now = info(pair[n].recv);
		if (!now.parked_senders && !now.parked_receivers && !now.buffered &&
		    now.sent == now.received)
			continue;
		fprintf(stderr, "# channel %d: parked %u, %u, buffered %u, received %llu of %llu\n",
			n, now.parked_senders, now.parked_receivers, now.buffered,
			(unsigned long long)now.received, (unsigned long long)now.sent);
		return false;
	}
	return true;
}

/* Messages of all selects differ, and those of the cases of one. */
static unsigned int seed_of(unsigned int number, __u32 index)
{
	return number * CHANNELS + index;
}

static struct select_op *new_sends(struct __test_metadata *_metadata, int ctl,
				   const struct pair *pair, int n, size_t len,
				   unsigned int number)
{
	struct select_op *op = new_select(_metadata, ctl, n, len);
	int i;

	for (i = 0; i < n; i++) {
		fill(data_of(op, i), len, seed_of(number, i));
		add_case(op, case_send(pair[i].send, data_of(op, i), len));
	}
	return op;
}

/*
 * As select_op.first: the rooms are there. A receiver that has to bring a page
 * in first lets others have the message, if it is a long one.
 */
static void touch_rooms(struct select_op *op)
{
	__u32 i;

	for (i = 0; i < op->arg.ncases; i++)
		if (op->cases[i].op == CHAN_RECV)
			memset(data_of(op, i), 0, op->room);
}

static struct select_op *new_recvs(struct __test_metadata *_metadata, int ctl,
				   const struct pair *pair, int n, size_t room)
{
	struct select_op *op = new_select(_metadata, ctl, n, room);
	int i;

	for (i = 0; i < n; i++)
		add_recv(op, pair[i].recv);
	op->first = touch_rooms;
	return op;
}

static struct select_op *park_sends(struct __test_metadata *_metadata, int ctl,
				    const struct pair *pair, int n, size_t len,
				    unsigned int number, unsigned int how)
{
	struct select_op *op = new_sends(_metadata, ctl, pair, n, len, number);

	park_select(_metadata, op, how);
	return op;
}

static struct select_op *park_recvs(struct __test_metadata *_metadata, int ctl,
				    const struct pair *pair, int n, size_t room,
				    unsigned int how)
{
	struct select_op *op = new_recvs(_metadata, ctl, pair, n, room);

	park_select(_metadata, op, how);
	return op;
}

/* Did case @index of @op receive what case @from of number @number sends? */
static bool received(struct select_op *op, __u32 index, size_t len, unsigned int seed)
{
	return op->cases[index].len == len && filled(data_of(op, index), len, seed);
}

/* As chose(), of a select that has been finished. */
static bool did(struct select_op *op, __u32 index, int status)
{
	return !op->ret && op->arg.index == index && op->cases[index].status == status;
}

/* Is a message in line, and is it that of @seed?  Takes it. */
static bool got_filled(int fd, size_t len, unsigned int seed)
{
	static unsigned char data[LARGE];

	return try_read(fd, data, sizeof(data)) == (long)len && filled(data, len, seed);
}

/* --- Parties that do more than one thing --- */

struct task;
typedef void (*task_fn)(struct task *task);

/* The first member of what it works with, in shared memory. */
struct task {
	task_fn run;
	unsigned int how;
	pid_t pid;	/* of the process or the thread */
	pthread_t thread;
	int ready;
	int signals;	/* handled */
	int flags;	/* of the handler */
	long ret;
};

static __thread int *signals_here;

static void on_signal(int sig)
{
	(void)sig;
	if (signals_here)
		__atomic_add_fetch(signals_here, 1, __ATOMIC_RELEASE);
}

static void handle(int *signals, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	signals_here = signals;
	sigaction(SIGUSR1, &action, NULL);
}

static void *begin(void *arg)
{
	struct task *task = arg;

	task->pid = syscall(SYS_gettid);
	handle(&task->signals, task->flags);
	__atomic_store_n(&task->ready, 1, __ATOMIC_RELEASE);
	task->run(task);
	return NULL;
}

static void start_task(struct __test_metadata *_metadata, void *arg, task_fn run,
		       unsigned int how)
{
	struct task *task = arg;
	pid_t pid;

	task->run = run;
	task->how = how;
	task->ret = OP_STUCK;
	if (how & IN_THREAD) {
		ASSERT_EQ(0, pthread_create(&task->thread, NULL, begin, task));
	} else {
		pid = fork_child();
		ASSERT_LE(0, pid);
		if (!pid) {
			begin(task);
			_exit(0);
		}
		task->pid = pid;
	}
	ASSERT_TRUE(wait_until(__atomic_load_n(&task->ready, __ATOMIC_ACQUIRE)));
}

static long finish_task(void *arg)
{
	struct task *task = arg;
	struct timespec end;
	int status = 0;

	if (task->how & IN_THREAD) {
		clock_gettime(CLOCK_REALTIME, &end);
		end.tv_sec += DEADLINE_MS / 1000;
		return pthread_timedjoin_np(task->thread, NULL, &end) ? OP_STUCK : task->ret;
	}
	if (!ended(task->pid, &status))
		return OP_STUCK;
	return WIFSIGNALED(status) ? OP_KILLED(WTERMSIG(status)) : task->ret;
}

static void poke_thread(unsigned int how, pid_t pid, int sig)
{
	if (how & IN_THREAD)
		syscall(SYS_tgkill, getpid(), pid, sig);
	else
		kill(pid, sig);
}

static void poke(struct select_op *op)
{
	poke_thread(op->how, tid_of(op), SIGUSR1);
}

/* As select_op.first: SIGUSR1 is handled, with the flags in @flag. */
static void handle_first(struct select_op *op)
{
	touch_rooms(op);
	handle(&op->signals, op->flag);
}

static bool go_on(long began, int round, int rounds)
{
	return round < rounds && now_ms() - began < BUDGET_MS;
}

/* For waits of microseconds among tasks that are awake; false: out of time. */
#define spin_until(cond)						\
({									\
	long __end = now_ms() + DEADLINE_MS;				\
	bool __met;							\
									\
	while (!(__met = (cond)) && now_ms() < __end)			\
		sched_yield();						\
	__met;								\
})

static __u32 draw(__u64 *state, __u32 below)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*state >> 33) % below;
}

/* --- Selects meet selects --- */

#define CROSSINGS	3000

/* One of two who both send on one channel and receive on another. */
struct crosser {
	struct task task;
	int ctl;
	int send;
	int recv;
	int place;	/* of the send case */
	int wrong;
	unsigned char sent[CROSSINGS];
};

static void run_crosser(struct task *task)
{
	struct crosser *me = (struct crosser *)task;
	struct chan_case cases[2];
	__u32 round, theirs;
	long ret;

	for (round = 0; round < CROSSINGS; round++) {
		theirs = ~round;
		cases[me->place] = case_send(me->send, &round, sizeof(round));
		cases[!me->place] = case_recv(me->recv, &theirs, sizeof(theirs));
		ret = do_select(me->ctl, cases, 2, CHAN_SELECT_FOREVER);
		if (ret < 0 || cases[ret].status) {
			task->ret = ret < 0 ? ret : cases[ret].status;
			return;
		}
		me->sent[round] = ret == me->place;
		/* One call of each per round, or the numbers differ. */
		me->wrong += theirs != (me->sent[round] ? ~round : round);
	}
	task->ret = 0;
}

static struct crosser *start_crosser(struct __test_metadata *_metadata, int ctl, int send,
				     int recv, int place, unsigned int how)
{
	struct crosser *one = shared(_metadata, sizeof(*one));

	one->ctl = ctl;
	one->send = send;
	one->recv = recv;
	one->place = place;
	start_task(_metadata, one, run_crosser, how);
	return one;
}

TEST_F(meet, two_that_cross)
{
	struct pair *x = &self->pair[0], *y = &self->pair[1];
	struct crosser *a, *b;
	int i, sent = 0, disagree = 0;

	a = start_crosser(_metadata, self->ctl, x->send, y->recv, 0, variant->how);
	b = start_crosser(_metadata, self->ctl, y->send, x->recv, 0, variant->how);
	ASSERT_EQ(0, finish_task(a));
	ASSERT_EQ(0, finish_task(b));
	for (i = 0; i < CROSSINGS; i++) {
		sent += a->sent[i];
		disagree += a->sent[i] == b->sent[i];
	}
	EXPECT_EQ(0, disagree);
	EXPECT_EQ(0, a->wrong + b->wrong);
	/* Both ways are possible, and the choice is random. */
	EXPECT_LT(0, sent);
	EXPECT_GT(CROSSINGS, sent);
	EXPECT_EQ(sent, info(x->send).sent);
	EXPECT_EQ(CROSSINGS - sent, info(y->send).sent);
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
}

#define MANY	44
#define LEFT	5

/* Selects of senders and receivers over the same channels. */
struct crowd {
	struct select_op *send[MANY + 2 * LEFT];
	struct select_op *recv[MANY + 2 * LEFT];
	int senders;
	int receivers;
};

static void start_crowd(struct __test_metadata *_metadata, struct crowd *crowd, int ctl,
			const struct pair *pair, __u64 deadline, unsigned int how)
{
	int i, most = crowd->senders > crowd->receivers ? crowd->senders : crowd->receivers;

	for (i = 0; i < most; i++) {
		if (i < crowd->senders) {
			crowd->send[i] = new_sends(_metadata, ctl, pair, 3, SMALL, i);
			crowd->send[i]->arg.deadline = deadline;
			start_select(_metadata, crowd->send[i], how);
		}
		if (i < crowd->receivers) {
			crowd->recv[i] = new_recvs(_metadata, ctl, pair, 3, SMALL);
			crowd->recv[i]->arg.deadline = deadline;
			start_select(_metadata, crowd->recv[i], how);
		}
	}
}

/* Each receiver that got a message, and none of them the same. */
static int count_received(struct crowd *crowd)
{
	bool seen[MANY + 2 * LEFT] = { false };
	int i, sender, count = 0;
	__u32 index;

	for (i = 0; i < crowd->receivers; i++) {
		index = crowd->recv[i]->arg.index;
		if (crowd->recv[i]->ret || crowd->recv[i]->cases[index].status)
			continue;
		for (sender = 0; sender < crowd->senders; sender++)
			if (received(crowd->recv[i], index, SMALL, seed_of(sender, index)))
				break;
		if (sender == crowd->senders || seen[sender] ||
		    crowd->send[sender]->arg.index != index)
			return -1;
		seen[sender] = true;
		count++;
	}
	return count;
}

/* How many of @op ended as told; the others happened. */
static int count_ended(struct select_op **op, int n, long ret, int status)
{
	int i, count = 0;

	for (i = 0; i < n; i++) {
		long result = finish_select(op[i]);

		if (!result && !op[i]->cases[op[i]->arg.index].status)
			continue;
		if (result != ret || (!ret && op[i]->cases[op[i]->arg.index].status != status))
			return -1;
		count++;
	}
	return count;
}

TEST_F(meet, many_on_both_sides)
{
	struct crowd crowd = { .senders = MANY, .receivers = MANY };

	start_crowd(_metadata, &crowd, self->ctl, self->pair, CHAN_SELECT_FOREVER, variant->how);
	EXPECT_EQ(0, count_ended(crowd.send, MANY, 0, 1));
	EXPECT_EQ(0, count_ended(crowd.recv, MANY, 0, 1));
	EXPECT_EQ(MANY, count_received(&crowd));
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
}

/* Those who have no partner are told of the end of any of their channels. */
static void left_and_closed(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			    unsigned int how, int more_senders, int more_receivers)
{
	struct crowd crowd = {
		.senders = MANY + LEFT + more_senders,
		.receivers = MANY + LEFT + more_receivers,
	};

	start_crowd(_metadata, &crowd, ctl, pair, CHAN_SELECT_FOREVER, how);
	ASSERT_TRUE(wait_until(info(pair[0].recv).received + info(pair[1].recv).received +
			       info(pair[2].recv).received == MANY + LEFT &&
			       all_parked(pair, 3, more_senders, more_receivers)));
	EXPECT_EQ(0, end_channel(pair[1].send, 0));
	EXPECT_EQ(more_senders, count_ended(crowd.send, crowd.senders, 0, -EPIPE));
	EXPECT_EQ(more_receivers, count_ended(crowd.recv, crowd.receivers, 0, -EPIPE));
	EXPECT_EQ(MANY + LEFT, count_received(&crowd));
	EXPECT_TRUE(no_trace(pair, 3));
}

TEST_F(meet, many_with_senders_left)
{
	left_and_closed(_metadata, self->ctl, self->pair, variant->how, LEFT, 0);
}

TEST_F(meet, many_with_receivers_left)
{
	left_and_closed(_metadata, self->ctl, self->pair, variant->how, 0, LEFT);
}

/* On both sides some have no partner, because they are on channels of their own. */
TEST_F(meet, many_with_some_left_until_the_deadline)
{
	struct crowd crowd = { .senders = MANY + LEFT, .receivers = MANY + LEFT };
	struct select_op *send[LEFT], *recv[LEFT];
	__u64 deadline = in_ms(1000);
	struct pair other;
	int i;

	make_pair(_metadata, &other, 0, 0);
	for (i = 0; i < LEFT; i++) {
		send[i] = new_sends(_metadata, self->ctl, &self->pair[3], 1, SMALL, i);
		recv[i] = new_recvs(_metadata, self->ctl, &other, 1, SMALL);
		send[i]->arg.deadline = deadline;
		recv[i]->arg.deadline = deadline;
		start_select(_metadata, send[i], variant->how);
		start_select(_metadata, recv[i], variant->how);
	}
	start_crowd(_metadata, &crowd, self->ctl, self->pair, CHAN_SELECT_FOREVER, variant->how);
	EXPECT_EQ(0, count_ended(crowd.send, crowd.senders, 0, 1));
	EXPECT_EQ(0, count_ended(crowd.recv, crowd.receivers, 0, 1));
	EXPECT_EQ(MANY + LEFT, count_received(&crowd));
	EXPECT_EQ(LEFT, count_ended(send, LEFT, -ETIMEDOUT, 0));
	EXPECT_EQ(LEFT, count_ended(recv, LEFT, -ETIMEDOUT, 0));
	for (i = 0; i < LEFT; i++) {
		EXPECT_LE((long)(deadline / NS_PER_MS), send[i]->ended_ms);
		EXPECT_LE((long)(deadline / NS_PER_MS), recv[i]->ended_ms);
	}
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
	EXPECT_TRUE(no_trace(&other, 1));
	close_pair(&other);
}

/* Each wants to send and to receive on all of the channels: any two can meet. */
static struct select_op *new_both(struct __test_metadata *_metadata, int ctl,
				  const struct pair *pair, int n, unsigned int number)
{
	struct select_op *op = new_select(_metadata, ctl, 2 * n, SMALL);
	int i;

	for (i = 0; i < n; i++) {
		fill(data_of(op, 2 * i), SMALL, seed_of(number, i));
		add_case(op, case_send(pair[i].send, data_of(op, 2 * i), SMALL));
		add_recv(op, pair[i].recv);
	}
	return op;
}

/* Who sent what @op received, or -1. */
static int sender_of(struct select_op *op, struct select_op **all, int n)
{
	__u32 index = op->arg.index;
	int i;

	for (i = 0; i < n; i++)
		if (all[i]->arg.index + 1 == index &&
		    received(op, index, SMALL, seed_of(i, index / 2)))
			return i;
	return -1;
}

TEST_F(meet, any_two_of_many)
{
	struct select_op *op[MANY + 1];
	int i, receivers = 0, sender;

	for (i = 0; i <= MANY; i++) {
		op[i] = new_both(_metadata, self->ctl, self->pair, 3, i);
		start_select(_metadata, op[i], variant->how);
	}
	/* An odd one is left over, and does not meet itself. */
	ASSERT_TRUE(wait_until(info(self->pair[0].recv).received +
			       info(self->pair[1].recv).received +
			       info(self->pair[2].recv).received == MANY / 2 &&
			       all_parked(self->pair, 3, 1, 1)));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, end_channel(self->pair[i].send, 0));
	EXPECT_EQ(1, count_ended(op, MANY + 1, 0, -EPIPE));
	for (i = 0; i <= MANY; i++) {
		if (op[i]->cases[op[i]->arg.index].status || !(op[i]->arg.index & 1))
			continue;
		sender = sender_of(op[i], op, MANY + 1);
		EXPECT_LE(0, sender);
		EXPECT_NE(i, sender);
		receivers++;
	}
	EXPECT_EQ(MANY / 2, receivers);
	EXPECT_TRUE(no_trace(self->pair, 3));
}

/* --- Never with oneself --- */

TEST_F(meet, a_send_and_a_receive_on_one_channel)
{
	struct select_op *op = new_both(_metadata, self->ctl, self->pair, 1, 1), *other;
	unsigned char data[SMALL];
	long sleeps;

	EXPECT_EQ(-EAGAIN, try_select(self->ctl, op->cases, 2));
	park_select(_metadata, op, variant->how);
	ASSERT_TRUE(all_parked(self->pair, 1, 1, 1));
	sleeps = sleeps_of(tid_of(op));
	EXPECT_TRUE(undisturbed(tid_of(op), sleeps));
	EXPECT_EQ(SMALL, try_read(self->pair[0].recv, data, SMALL));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_TRUE(filled(data, SMALL, seed_of(1, 0)));
	EXPECT_TRUE(all_bytes(data_of(op, 1), SMALL, 0));

	op = new_both(_metadata, self->ctl, self->pair, 1, 2);
	park_select(_metadata, op, variant->how);
	EXPECT_EQ(3, put(self->pair[0].send, "you"));
	EXPECT_TRUE(chose_text(op, 1, "you"));

	op = new_both(_metadata, self->ctl, self->pair, 1, 3);
	other = new_both(_metadata, self->ctl, self->pair, 1, 4);
	park_select(_metadata, op, variant->how);
	ASSERT_LE(0, try_select(self->ctl, other->cases, 2));
	EXPECT_EQ(0, finish_select(op));
	EXPECT_TRUE(op->arg.index ? received(op, 1, SMALL, seed_of(4, 0)) :
				    received(other, 1, SMALL, seed_of(3, 0)));
	EXPECT_EQ(3, info(self->pair[0].recv).received);
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
}

/* Its own receive does not make the other end of the channel ready for it. */
TEST_F(meet, polling_for_oneself)
{
	struct select_op *op = new_select(_metadata, self->ctl, 2, SMALL);
	struct select_op *second;
	long sleeps;

	add_recv(op, self->pair[0].recv);
	add_poll(op, self->pair[0].send, POLLOUT);
	park_select(_metadata, op, variant->how);
	ASSERT_TRUE(all_parked(self->pair, 1, 0, 1));
	sleeps = sleeps_of(tid_of(op));
	EXPECT_TRUE(undisturbed(tid_of(op), sleeps));
	second = park_recvs(_metadata, self->ctl, self->pair, 1, SMALL, variant->how);
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_EQ(POLLOUT, op->cases[1].events);
	EXPECT_EQ(1, put(self->pair[0].send, "x"));
	EXPECT_TRUE(chose_text(second, 0, "x"));
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
}

/* --- A channel in several cases --- */

/* Three times the first channel, and once the second, on both sides. */
static void duplicate_sends(struct select_op *op, const struct pair *pair)
{
	static const int channel[] = { 0, 0, 1, 0 };
	int i;

	for (i = 0; i < 4; i++) {
		fill(data_of(op, i), SMALL, 10 + i);
		add_case(op, case_send(pair[channel[i]].send, data_of(op, i), SMALL));
	}
}

static void duplicate_recvs(struct select_op *op, const struct pair *pair)
{
	static const int channel[] = { 1, 0, 0, 0 };
	int i;

	for (i = 0; i < 4; i++)
		add_recv(op, pair[channel[i]].recv);
}

/* How many of the rooms have been written to. */
static int rooms_used(struct select_op *op, int n)
{
	int used = 0;

	while (n--)
		used += !all_bytes(data_of(op, n), op->room, 0);
	return used;
}

TEST_F(meet, duplicates_on_both_sides)
{
	struct select_op *send, *recv;
	int round;

	for (round = 0; round < 50; round++) {
		send = new_select(_metadata, self->ctl, 4, SMALL);
		recv = new_select(_metadata, self->ctl, 4, SMALL);
		duplicate_sends(send, self->pair);
		duplicate_recvs(recv, self->pair);
		/* Either comes first. */
		park_select(_metadata, round & 1 ? recv : send, variant->how);
		start_select(_metadata, round & 1 ? send : recv, variant->how);
		ASSERT_EQ(0, finish_select(send));
		ASSERT_EQ(0, finish_select(recv));
		ASSERT_EQ(send->arg.index == 2, recv->arg.index == 0);
		ASSERT_TRUE(received(recv, recv->arg.index, SMALL, 10 + send->arg.index));
		ASSERT_EQ(1, rooms_used(recv, 4));
		ASSERT_TRUE(no_trace(self->pair, 2));
	}
	EXPECT_EQ(50, info(self->pair[0].recv).received + info(self->pair[1].recv).received);
}

TEST_F(meet, duplicates_in_both_directions)
{
	struct select_op *op[2];
	int round, i;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 2; i++) {
			struct pair twice[2] = { self->pair[0], self->pair[0] };

			op[i] = new_both(_metadata, self->ctl, twice, 2, i);
			start_select(_metadata, op[i], variant->how);
		}
		ASSERT_EQ(0, finish_select(op[0]));
		ASSERT_EQ(0, finish_select(op[1]));
		i = op[0]->arg.index & 1 ? 0 : 1;
		ASSERT_EQ(1, op[i]->arg.index & 1);
		ASSERT_EQ(0, op[!i]->arg.index & 1);
		ASSERT_TRUE(received(op[i], op[i]->arg.index, SMALL,
				     seed_of(!i, op[!i]->arg.index / 2)));
		ASSERT_TRUE(no_trace(self->pair, 1));
	}
}

/* --- Channels in opposite order, and other ways to play --- */

#define PLAYERS		64
#define PLAYS		200000	/* messages of one player, at most */

struct note {
	__u32 sender;
	__u32 seq;
};

/*
 * Players send numbered messages to each other. Which have been received, and
 * what was wrong about one, stands in the books of the arena.
 */
struct arena {
	int ctl;
	int channels;
	struct pair pair[CHANNELS];
	__u32 wanted;	/* messages of each sender */
	size_t size;	/* of the messages; 0: changing */
	bool in_order;
	bool until_stop;	/* who has sent all waits for @stop */
	int stop;	/* no more messages */
	int twice;
	int damaged;
	int disordered;
	unsigned char seen[PLAYERS][PLAYS / 8];	/* bits */
};

struct player {
	struct task task;
	struct arena *arena;
	__u32 number;
	bool sends;
	bool receives;
	bool plain;	/* read() or write(), on one channel */
	bool second_thread;
	int sending_done;
	__u32 sent;
	__u32 len;	/* of the message received */
	__u32 last[PLAYERS];
	unsigned char out[LARGE];
	unsigned char in[LARGE];
};

static struct arena *new_arena(struct __test_metadata *_metadata, int ctl,
			       const struct pair *pair, int channels)
{
	struct arena *arena = shared(_metadata, sizeof(*arena));
	int i;

	arena->ctl = ctl;
	arena->channels = channels;
	for (i = 0; i < channels; i++)
		arena->pair[i] = pair[i];
	arena->wanted = PLAYS;
	arena->in_order = true;
	return arena;
}

static struct player *new_player(struct __test_metadata *_metadata, struct arena *arena,
				 __u32 number, bool sends, bool receives)
{
	struct player *player = shared(_metadata, sizeof(*player));

	player->arena = arena;
	player->number = number;
	player->sends = sends;
	player->receives = receives;
	return player;
}

static __u32 size_of(struct arena *arena, __u32 seq)
{
	if (arena->size)
		return arena->size;
	if (seq % 64 == 63)
		return 5000;
	return seq % 16 == 7 ? 600 : sizeof(struct note) + seq % 8;
}

static __u32 compose(struct player *me)
{
	struct note note = { .sender = me->number, .seq = me->sent };
	__u32 size = size_of(me->arena, note.seq);

	memcpy(me->out, &note, sizeof(note));
	fill(me->out + sizeof(note), size - sizeof(note), note.sender + PLAYERS * note.seq);
	return size;
}

/* Write down what was received. */
static void enter(struct player *me)
{
	struct arena *arena = me->arena;
	unsigned char bit;
	struct note note;

	memcpy(&note, me->in, sizeof(note));
	if (me->len < sizeof(note) || note.sender >= PLAYERS || note.seq >= PLAYS ||
	    me->len != size_of(arena, note.seq) ||
	    !filled(me->in + sizeof(note), me->len - sizeof(note),
		    note.sender + PLAYERS * note.seq)) {
		__atomic_add_fetch(&arena->damaged, 1, __ATOMIC_RELAXED);
		return;
	}
	bit = 1 << note.seq % 8;
	if (__atomic_fetch_or(&arena->seen[note.sender][note.seq / 8], bit, __ATOMIC_RELAXED) & bit)
		__atomic_add_fetch(&arena->twice, 1, __ATOMIC_RELAXED);
	/* The sender began with the next when this one had been received. */
	if (arena->in_order && note.seq < me->last[note.sender])
		__atomic_add_fetch(&arena->disordered, 1, __ATOMIC_RELAXED);
	me->last[note.sender] = note.seq + 1;
}

/* What was done, an &enum chan_case_op, or a negative error number. */
static long play_plainly(struct player *me, __u32 size)
{
	struct pair *pair = &me->arena->pair[me->number % me->arena->channels];
	long ret;

	if (size) {
		ret = do_write(pair->send, me->out, size);
		return ret < 0 ? ret : CHAN_SEND;
	}
	ret = do_read(pair->recv, me->in, sizeof(me->in));
	me->len = ret;
	if (ret > 0)
		return CHAN_RECV;
	return ret ? ret : -EPIPE;
}

/* Every other player has the channels in the opposite order. */
static long play(struct player *me, __u32 size)
{
	struct chan_case cases[2 * CHANNELS];
	struct arena *arena = me->arena;
	struct pair *pair;
	int i, n = 0;
	long ret;

	if (me->plain)
		return play_plainly(me, size);
	for (i = 0; i < arena->channels; i++) {
		pair = &arena->pair[me->number & 1 ? arena->channels - 1 - i : i];
		if (size)
			cases[n++] = case_send(pair->send, me->out, size);
		if (me->receives)
			cases[n++] = case_recv(pair->recv, me->in, sizeof(me->in));
	}
	ret = do_select(arena->ctl, cases, n, CHAN_SELECT_FOREVER);
	if (ret < 0)
		return ret;
	me->len = cases[ret].len;
	if (cases[ret].status)
		return cases[ret].status;
	return cases[ret].op;
}

static bool stopped(struct arena *arena)
{
	return __atomic_load_n(&arena->stop, __ATOMIC_ACQUIRE);
}

/* Has it anything left to do?  If to send, a message of @size bytes. */
static bool plan(struct player *me, __u32 *size)
{
	struct arena *arena = me->arena;

	if (me->sends && me->sent == arena->wanted && arena->until_stop)
		spin_until(stopped(arena));
	if (me->sent == arena->wanted || stopped(arena))
		me->sends = false;
	if (!me->sends) {
		*size = 0;
		__atomic_store_n(&me->sending_done, 1, __ATOMIC_RELEASE);
		return me->receives;
	}
	if (!*size)
		*size = compose(me);
	return true;
}

/* Until all is sent, and then until the end of the channels. */
static void run_player(struct task *task)
{
	struct player *me = (struct player *)task;
	__u32 size = 0;
	long ret = 0;

	while (plan(me, &size)) {
		ret = play(me, size);
		if (ret == CHAN_SEND) {
			me->sent++;
			size = 0;
		} else if (ret == CHAN_RECV) {
			enter(me);
		} else if (ret == -EINTR) {
			ret = 0;
		} else {
			break;
		}
	}
	__atomic_store_n(&me->sending_done, 1, __ATOMIC_RELEASE);
	task->ret = ret < 0 && ret != -EPIPE ? ret : 0;
}

static bool all_sent(struct player **player, int n)
{
	while (n--)
		if (!__atomic_load_n(&player[n]->sending_done, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* Wait for the end of the sending, which is that of the budget at last. */
static void stop_sending(struct __test_metadata *_metadata, struct arena *arena,
			 struct player **player, int n, long began)
{
	while (!all_sent(player, n) && now_ms() < began + BUDGET_MS)
		nap();
	__atomic_store_n(&arena->stop, 1, __ATOMIC_RELEASE);
	ASSERT_TRUE(wait_until(all_sent(player, n)));
}

static void end_arena(struct __test_metadata *_metadata, struct arena *arena,
		      struct player **player, int n)
{
	int i;

	for (i = 0; i < arena->channels; i++)
		EXPECT_EQ(0, end_channel(arena->pair[i].send, 0));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, finish_task(player[i]))
			TH_LOG("player %d", i);
	}
	EXPECT_EQ(0, arena->damaged);
	EXPECT_EQ(0, arena->twice);
	EXPECT_EQ(0, arena->disordered);
	EXPECT_TRUE(no_trace(arena->pair, arena->channels));
}

static bool is_seen(struct player *player, __u32 seq)
{
	return player->arena->seen[player->number][seq / 8] & 1 << seq % 8;
}

/* Messages that a player has sent and nobody has received, and the reverse. */
static int missing(struct player *player)
{
	__u32 seq;
	int count = 0;

	for (seq = 0; seq < player->sent; seq++)
		count += !is_seen(player, seq);
	return count;
}

static int unsent(struct player *player)
{
	__u32 seq;
	int count = 0;

	for (seq = player->sent; seq < PLAYS; seq++)
		count += is_seen(player, seq);
	return count;
}

static void audit(struct __test_metadata *_metadata, struct arena *arena,
		  struct player **player, int n)
{
	__u64 sent = 0, received = 0;
	int i;

	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, missing(player[i]))
			TH_LOG("of player %d", i);
		EXPECT_EQ(0, unsent(player[i]))
			TH_LOG("of player %d", i);
		sent += player[i]->sent;
	}
	for (i = 0; i < arena->channels; i++)
		received += info(arena->pair[i].recv).received;
	EXPECT_EQ(sent, received);
}

/* @selects players that do both, then @plain ones, half of them writing. */
static void opposite(struct __test_metadata *_metadata, int ctl, const struct pair *pair,
		     unsigned int how, int selects, int plain, __u32 wanted)
{
	struct arena *arena = new_arena(_metadata, ctl, pair, CHANNELS);
	struct player *player[8];
	long began = now_ms();
	__u32 total = 0;
	int i;

	arena->wanted = wanted;
	for (i = 0; i < selects + plain; i++) {
		bool is_plain = i >= selects;

		player[i] = new_player(_metadata, arena, i, !is_plain || i & 1,
				       !is_plain || !(i & 1));
		player[i]->plain = is_plain;
		start_task(_metadata, player[i], run_player, how);
	}
	stop_sending(_metadata, arena, player, i, began);
	end_arena(_metadata, arena, player, i);
	audit(_metadata, arena, player, i);
	while (i--)
		total += player[i]->sent;
	TH_LOG("%d selects and %d others: %u messages in %ld ms", selects, plain, total,
	       now_ms() - began);
}

TEST_F(meet, opposite_order_2)
{
	opposite(_metadata, self->ctl, self->pair, variant->how, 2, 0, 10000);
}

TEST_F(meet, opposite_order_4)
{
	opposite(_metadata, self->ctl, self->pair, variant->how, 4, 0, 5000);
}

TEST_F(meet, opposite_order_8)
{
	opposite(_metadata, self->ctl, self->pair, variant->how, 8, 0, 2500);
}

TEST_F(meet, opposite_order_2_and_plain_ones)
{
	opposite(_metadata, self->ctl, self->pair, variant->how, 2, 2, 7000);
}

TEST_F(meet, opposite_order_4_and_plain_ones)
{
	opposite(_metadata, self->ctl, self->pair, variant->how, 4, 4, 4000);
}

/* The deadlock bait in its purest form: one sends only, the other receives. */
TEST_F(meet, opposite_order_one_way)
{
	struct arena *arena = new_arena(_metadata, self->ctl, self->pair, CHANNELS);
	struct player *player[2];
	long began = now_ms();
	int i;

	for (i = 0; i < 2; i++) {
		player[i] = new_player(_metadata, arena, i, i, !i);
		start_task(_metadata, player[i], run_player, variant->how);
	}
	stop_sending(_metadata, arena, player, 2, began);
	end_arena(_metadata, arena, player, 2);
	audit(_metadata, arena, player, 2);
}

/* --- What losers leave --- */

#define SELECTS		100000
#define LEAST_SELECTS	20000
#define WIDE		8
#define DEBUGFS		"/sys/kernel/debug/"

/* Does debugfs show somebody parked on the channel?  -1: it shows nothing. */
static int debugfs_shows_parked(__u64 id)
{
	FILE *file = fopen(DEBUGFS "chan/channels", "r");
	bool ours = false;
	char line[512];
	int parked = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (line[0] != ' ')
			ours = strtoull(line, NULL, 10) == id;
		else
			parked += ours;
	}
	fclose(file);
	return parked;
}

struct many_selects {
	struct task task;
	int ctl;
	struct pair pair[WIDE];
	int stop;
	__u32 done;
};

static void run_many_selects(struct task *task)
{
	struct many_selects *me = (struct many_selects *)task;
	struct chan_case cases[WIDE];
	char room[WIDE][SMALL];
	long ret;
	int i;

	for (;;) {
		for (i = 0; i < WIDE; i++)
			cases[i] = case_recv(me->pair[i].recv, room[i], SMALL);
		ret = do_select(me->ctl, cases, WIDE, CHAN_SELECT_FOREVER);
		if (ret < 0 || cases[ret].status)
			break;
		me->done++;
	}
	task->ret = ret < 0 ? ret : cases[ret].status;
}

/* Up to @rounds selects that have WIDE - 1 losers each, and so has the other. */
static int send_many(struct many_selects *other, int rounds)
{
	char message[SMALL] = "message";
	struct chan_case cases[WIDE];
	long began = now_ms(), ret;
	int round, i;

	for (i = 0; i < WIDE; i++)
		cases[i] = case_send(other->pair[i].send, message, SMALL);
	for (round = 0; round < rounds; round++) {
		if (round >= LEAST_SELECTS && now_ms() - began > BUDGET_MS)
			break;
		ret = do_select(other->ctl, cases, WIDE, CHAN_SELECT_FOREVER);
		if (ret < 0 || cases[ret].status)
			return -1;
	}
	return round;
}

TEST_F(meet, losers_leave_nothing)
{
	struct many_selects *other = shared(_metadata, sizeof(*other));
	long before, after;
	int i, rounds;

	other->ctl = self->ctl;
	for (i = 0; i < WIDE; i++)
		make_pair(_metadata, &other->pair[i], 0, 0);
	start_task(_metadata, other, run_many_selects, variant->how);
	ASSERT_EQ(2000, send_many(other, 2000));
	before = number_in("/proc/meminfo", "SUnreclaim");
	rounds = send_many(other, SELECTS);
	after = number_in("/proc/meminfo", "SUnreclaim");
	ASSERT_LE(LEAST_SELECTS, rounds);
	TH_LOG("%d selects, unreclaimable slab %ld and %ld kB", 2 * rounds, before, after);
	/*
	 * Half of what was lost if each select lost as little as the node of a
	 * list. Where KASAN keeps freed memory back, kmemleak looks.
	 */
	ASSERT_LT(0, before);
	if (access(DEBUGFS "kmemleak", F_OK))
		EXPECT_GT(before + 2L * rounds * 32 / 2 / 1024, after);
	for (i = 0; i < WIDE; i++)
		EXPECT_EQ(0, end_channel(other->pair[i].send, 0));
	EXPECT_EQ(-EPIPE, finish_task(other));
	EXPECT_EQ(rounds + 2000, other->done);
	EXPECT_TRUE(no_trace(other->pair, WIDE));
	for (i = 0; i < WIDE; i++) {
		EXPECT_GE(0, debugfs_shows_parked(info(other->pair[i].recv).id));
		close_pair(&other->pair[i]);
	}
}

/* The same while they are parked: exactly they are shown, then nobody. */
TEST_F(meet, losers_are_not_shown)
{
	struct select_op *op = park_recvs(_metadata, self->ctl, self->pair, CHANNELS, SMALL,
					  variant->how);
	int i;

	if (debugfs_shows_parked(info(self->pair[0].recv).id) < 0)
		SKIP(return, "no debugfs");
	for (i = 0; i < CHANNELS; i++)
		EXPECT_EQ(1, debugfs_shows_parked(info(self->pair[i].recv).id));
	EXPECT_EQ(1, put(self->pair[2].send, "x"));
	EXPECT_TRUE(chose_text(op, 2, "x"));
	for (i = 0; i < CHANNELS; i++)
		EXPECT_EQ(0, debugfs_shows_parked(info(self->pair[i].recv).id));
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
}

/* --- Nobody else is woken --- */

#define MOST_CASES	64
#define BYSTANDERS	6

static struct pair *make_pairs(struct __test_metadata *_metadata, int n)
{
	struct pair *pair = shared(_metadata, n * sizeof(*pair));
	int i;

	for (i = 0; i < n; i++)
		make_pair(_metadata, &pair[i], 0, 0);
	return pair;
}

static struct select_op *new_side(struct __test_metadata *_metadata, int ctl,
				  const struct pair *pair, int n, bool sends)
{
	return sends ? new_sends(_metadata, ctl, pair, n, SMALL, 1) :
		       new_recvs(_metadata, ctl, pair, n, SMALL);
}

/* The first of the bystanders are selects over all channels, others are plain. */
static struct select_op *bystander(struct __test_metadata *_metadata, int ctl,
				   const struct pair *pair, bool sends, int i, unsigned int how)
{
	struct select_op *op;

	if (i < 2) {
		op = new_side(_metadata, ctl, pair, MOST_CASES, sends);
	} else if (i < 4) {
		op = new_side(_metadata, ctl, &pair[17 * (i - 2)], 1, sends);
		how |= PLAINLY;
	} else {
		/* The ends of the other side: nothing comes there either. */
		op = new_select(_metadata, ctl, 2, SMALL);
		add_poll(op, sends ? pair[20 + i].send : pair[20 + i].recv,
			 sends ? POLLOUT : POLLIN);
		add_poll(op, sends ? pair[17].send : pair[17].recv,
			 sends ? POLLOUT : POLLIN);
	}
	park_select(_metadata, op, how);
	return op;
}

static void wake_one_of_many(struct __test_metadata *_metadata, int ctl, bool sends,
			     unsigned int how)
{
	struct pair *pair = make_pairs(_metadata, MOST_CASES);
	struct select_op *op = new_side(_metadata, ctl, pair, MOST_CASES, sends);
	struct select_op *other[BYSTANDERS];
	long sleeps[BYSTANDERS];
	char data[SMALL];
	int i;

	park_select(_metadata, op, how);
	for (i = 0; i < BYSTANDERS; i++)
		other[i] = bystander(_metadata, ctl, pair, sends, i, how);
	for (i = 0; i < BYSTANDERS; i++)
		sleeps[i] = sleeps_of(tid_of(other[i]));
	EXPECT_EQ(sends ? SMALL : 1, sends ? try_read(pair[17].recv, data, SMALL) :
					     put(pair[17].send, "x"));
	EXPECT_TRUE(chose(op, 17, 0));
	for (i = 0; i < BYSTANDERS; i++) {
		EXPECT_TRUE(undisturbed(tid_of(other[i]), sleeps[i]))
			TH_LOG("bystander %d", i);
	}
	for (i = 0; i < MOST_CASES; i++)
		EXPECT_EQ(2 + (i == 0 || i == 17),
			  sends ? info(pair[i].recv).parked_senders :
				  info(pair[i].recv).parked_receivers);
	for (i = 0; i < MOST_CASES; i++)
		EXPECT_EQ(0, end_channel(pair[i].send, 0));
	for (i = 0; i < BYSTANDERS; i++)
		EXPECT_EQ(0, finish_select(other[i]));
}

TEST_F(meet, a_receiver_of_64_is_woken_alone)
{
	wake_one_of_many(_metadata, self->ctl, false, variant->how);
}

TEST_F(meet, a_sender_of_64_is_woken_alone)
{
	wake_one_of_many(_metadata, self->ctl, true, variant->how);
}

/* --- Deadlines and messages that come at the same time --- */

#define DUELS	2000

enum duel_kind {
	TRY_SEND,	/* against a receiver with a deadline */
	TRY_READ,	/* against a sender with a deadline */
	BOTH_WAIT,	/* a sender with a deadline of its own */
};

/* One waits until its deadline, while the other comes at about that time. */
struct duel {
	struct task task;
	int ctl;
	struct pair pair[2];
	enum duel_kind kind;
	__u32 rounds;	/* announced by the one who comes */
	long ahead;	/* how long one waits, in nanoseconds */
	__u32 begun;	/* announced by the one who waits, with @deadline */
	__u32 ended;	/* the same, with @result, @early and @got */
	__u64 deadline;
	long result;
	bool early;
	__u32 got;
};

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Small by turns, and borrowed. */
static __u32 duel_size(__u32 round)
{
	return round & 1 ? SMALL : 2 * PAGE;
}

static void wait_in_duel(struct duel *duel, __u32 round, unsigned char *data)
{
	struct chan_case cases[2];
	int i;

	memcpy(data, &round, sizeof(round));
	for (i = 0; i < 2; i++) {
		if (duel->kind == TRY_READ)
			cases[i] = case_send(duel->pair[i].send, data, duel_size(round));
		else
			cases[i] = case_recv(duel->pair[i].recv, data, 2 * PAGE);
	}
	if (duel->kind != TRY_READ)
		memset(data, 0xff, sizeof(round));
	duel->deadline = now_ns() + duel->ahead;
	__atomic_store_n(&duel->begun, round, __ATOMIC_RELEASE);
	duel->result = do_select(duel->ctl, cases, 2, duel->deadline);
	duel->early = duel->result == -ETIMEDOUT && now_ns() < duel->deadline;
	if (duel->result >= 0 && cases[duel->result].status)
		duel->result = cases[duel->result].status;
	memcpy(&duel->got, data, sizeof(duel->got));
	__atomic_store_n(&duel->ended, round, __ATOMIC_RELEASE);
}

static void run_waiting(struct task *task)
{
	struct duel *duel = (struct duel *)task;
	static __thread unsigned char data[2 * PAGE];
	__u32 round;

	for (round = 1; ; round++) {
		if (!spin_until(__atomic_load_n(&duel->rounds, __ATOMIC_ACQUIRE) >= round))
			return;
		if (__atomic_load_n(&duel->rounds, __ATOMIC_ACQUIRE) == ~0U)
			break;
		wait_in_duel(duel, round, data);
	}
	task->ret = 0;
}

/* What the one who comes does: 0 or more if it met the other. */
static long come_to_duel(struct duel *duel, __u32 round, unsigned char *data, __u32 *got)
{
	__u64 deadline = duel->kind == TRY_SEND ? 0 : now_ns() + 50000;
	struct chan_case cases[2];
	long ret;
	int i;

	memcpy(data, &round, sizeof(round));
	if (duel->kind == TRY_READ) {
		ret = try_read(duel->pair[round / 2 % 2].recv, data, 2 * PAGE);
		memcpy(got, data, sizeof(*got));
		return ret;
	}
	for (i = 0; i < 2; i++)
		cases[i] = case_send(duel->pair[i].send, data, duel_size(round));
	ret = do_select(duel->ctl, cases, 2, deadline);
	return ret < 0 ? ret : cases[ret].status;
}

/* Both must happen, or nothing was tested. */
static bool undecided(__u32 met, __u32 rounds, long began)
{
	return (!met || met == rounds) && now_ms() < began + DEADLINE_MS;
}

/*
 * The later one comes the less often it meets the other, so the time follows
 * what happened last; where both are equally likely is where it is decided. If
 * to come at once is too late, the other has not had the time to park.
 */
static void fight(struct __test_metadata *_metadata, struct duel *duel)
{
	static unsigned char data[2 * PAGE];
	long offset = -100000, ret, began = now_ms();
	__u32 round, got, met = 0;
	__u64 random = 1;

	for (round = 1; go_on(began, round, DUELS + 1) || undecided(met, round - 1, began);
	     round++) {
		__atomic_store_n(&duel->rounds, round, __ATOMIC_RELEASE);
		ASSERT_TRUE(spin_until(__atomic_load_n(&duel->begun, __ATOMIC_ACQUIRE) == round));
		ASSERT_TRUE(spin_until((long)(now_ns() - duel->deadline) >= offset));
		got = round;
		ret = come_to_duel(duel, round, data, &got);
		ASSERT_TRUE(spin_until(__atomic_load_n(&duel->ended, __ATOMIC_ACQUIRE) == round));
		offset += (ret >= 0 ? 1 : -1) * (long)draw(&random, 20000);
		if (offset < -duel->ahead)
			duel->ahead *= 2;
		met += ret >= 0;
		if (duel->kind != TRY_READ)
			got = duel->got;
		ASSERT_EQ(ret >= 0, duel->result >= 0)
			TH_LOG("round %u: one got %ld, the other %ld", round, ret, duel->result);
		ASSERT_FALSE(duel->early);
		if (ret >= 0) {
			ASSERT_EQ(round, got);
			continue;
		}
		ASSERT_EQ(-ETIMEDOUT, duel->result);
		ASSERT_EQ(duel->kind == BOTH_WAIT ? -ETIMEDOUT : -EAGAIN, ret);
	}
	TH_LOG("%u of %u met, waiting %ld us", met, round - 1, duel->ahead / 1000);
	EXPECT_LT(0, met);
	EXPECT_GT(round - 1, met);
	EXPECT_EQ(met, info(duel->pair[0].recv).received + info(duel->pair[1].recv).received);
}

static void hold_duel(struct __test_metadata *_metadata, int ctl, const struct pair *pair,
		      enum duel_kind kind, unsigned int how)
{
	struct duel *duel = shared(_metadata, sizeof(*duel));

	duel->ctl = ctl;
	duel->kind = kind;
	duel->ahead = 400000;
	memcpy(duel->pair, pair, sizeof(duel->pair));
	start_task(_metadata, duel, run_waiting, how);
	fight(_metadata, duel);
	__atomic_store_n(&duel->rounds, ~0U, __ATOMIC_RELEASE);
	EXPECT_EQ(0, finish_task(duel));
	EXPECT_TRUE(no_trace(pair, 2));
}

TEST_F(meet, deadline_of_a_receiver_and_a_sender)
{
	hold_duel(_metadata, self->ctl, self->pair, TRY_SEND, variant->how);
}

TEST_F(meet, deadline_of_a_sender_and_a_reader)
{
	hold_duel(_metadata, self->ctl, self->pair, TRY_READ, variant->how);
}

TEST_F(meet, deadlines_of_both)
{
	hold_duel(_metadata, self->ctl, self->pair, BOTH_WAIT, variant->how);
}

/* --- Signals to those who are parked --- */

static struct select_op *new_of(struct __test_metadata *_metadata, int ctl,
				const struct pair *pair, int n, bool sends, size_t size)
{
	return sends ? new_sends(_metadata, ctl, pair, n, size, 1) :
		       new_recvs(_metadata, ctl, pair, n, size);
}

/* Meet a select from new_of(), with the message of seed 9 if it receives. */
static void meet(struct __test_metadata *_metadata, struct select_op *op, struct pair *pair,
		 __u32 index, size_t size)
{
	static unsigned char data[LARGE];

	if (op->cases[0].op == CHAN_SEND) {
		EXPECT_TRUE(got_filled(pair[index].recv, size, seed_of(1, index)));
	} else {
		fill(data, size, 9);
		EXPECT_EQ((long)size, do_write(pair[index].send, data, size));
	}
	EXPECT_TRUE(chose(op, index, 0));
	if (op->cases[0].op == CHAN_RECV)
		EXPECT_TRUE(received(op, index, size, 9));
}

static bool wait_signals(struct select_op *op, int count)
{
	return wait_until(__atomic_load_n(&op->signals, __ATOMIC_ACQUIRE) == count);
}

static void interrupt_parked(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			     bool sends, size_t size, unsigned int how)
{
	struct select_op *op = new_of(_metadata, ctl, pair, CHANNELS, sends, size);

	op->first = handle_first;
	park_select(_metadata, op, how);
	poke(op);
	EXPECT_EQ(-EINTR, finish_select(op));
	EXPECT_EQ(1, op->signals);
	if (!sends)
		EXPECT_EQ(0, rooms_used(op, CHANNELS));
	EXPECT_TRUE(no_trace(pair, CHANNELS));
}

static void restart_parked(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			   bool sends, size_t size, unsigned int how)
{
	struct select_op *op = new_of(_metadata, ctl, pair, CHANNELS, sends, size);
	int i;

	op->first = handle_first;
	op->flag = SA_RESTART;
	park_select(_metadata, op, how);
	for (i = 1; i <= 3; i++) {
		poke(op);
		ASSERT_TRUE(wait_signals(op, i));
		ASSERT_TRUE(wait_until(select_sleeps(op)));
		ASSERT_TRUE(all_parked(pair, CHANNELS, sends, !sends));
	}
	meet(_metadata, op, pair, size % CHANNELS, size);
	EXPECT_TRUE(no_trace(pair, CHANNELS));
}

TEST_F(meet, interrupted_while_parked)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		interrupt_parked(_metadata, self->ctl, self->pair, true, size, variant->how);
		interrupt_parked(_metadata, self->ctl, self->pair, false, size, variant->how);
	}
}

TEST_F(meet, restarted_while_parked)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		restart_parked(_metadata, self->ctl, self->pair, true, size, variant->how);
		restart_parked(_metadata, self->ctl, self->pair, false, size, variant->how);
	}
}

/*
 * Players are showered with signals. They repeat what was interrupted, so if
 * an interrupted operation had happened, or a successful one had not, the books
 * would tell. One signal at a time: a flood would leave no time for else.
 */
/*
 * Enough of it, however slow the machine: some of the signals meet a wait. And
 * not before there was a signal, however fast.
 */
static bool has_been_wet(struct player **player, int n, long began)
{
	int i, signals = 0, sent = __atomic_load_n(&player[1]->sent, __ATOMIC_RELAXED);

	for (i = 0; i < n; i++)
		signals += __atomic_load_n(&player[i]->task.signals, __ATOMIC_ACQUIRE);
	return signals > ENOUGH_SIGNALS && sent &&
	       (sent >= SHOWERED || now_ms() > began + BUDGET_MS / 4);
}

static void shower(struct arena *arena, struct player **player, int n, long began)
{
	int i, seen[2] = { 0 };

	while (!all_sent(player, n) && now_ms() < began + DEADLINE_MS) {
		for (i = 0; i < n; i++) {
			struct task *task = &player[i]->task;
			int now = __atomic_load_n(&task->signals, __ATOMIC_ACQUIRE);

			if (player[i]->plain || now < seen[i])
				continue;
			seen[i] = now + 1;
			poke_thread(task->how, task->pid, SIGUSR1);
		}
		if (has_been_wet(player, n, began))
			__atomic_store_n(&arena->stop, 1, __ATOMIC_RELEASE);
		sched_yield();
	}
}

/* One sends and one receives; @plain, if any, is the number of a plain one. */
static void signal_players(struct __test_metadata *_metadata, int ctl, unsigned int how,
			   size_t size, int flags, int plain)
{
	struct pair *pair = make_pairs(_metadata, 3);
	int channels = plain < 0 ? 3 : 1, i, signals = 0;
	struct arena *arena = new_arena(_metadata, ctl, pair, channels);
	struct player *player[2];
	long began = now_ms();

	arena->size = size;
	arena->until_stop = true;
	for (i = 0; i < 2; i++) {
		player[i] = new_player(_metadata, arena, i, i, !i);
		player[i]->plain = i == plain;
		player[i]->task.flags = flags;
		start_task(_metadata, player[i], run_player, how);
	}
	shower(arena, player, 2, began);
	end_arena(_metadata, arena, player, 2);
	audit(_metadata, arena, player, 2);
	for (i = 0; i < 2; i++) {
		signals += player[i]->task.signals;
		close_pair(&pair[i]);
	}
	close_pair(&pair[2]);
	EXPECT_LT(ENOUGH_SIGNALS, signals);
	EXPECT_LT(0, player[1]->sent);
}

static void signal_all_sizes(struct __test_metadata *_metadata, int ctl, unsigned int how,
			     int flags)
{
	size_t size;
	int plain, i;

	for_each_size(size, i)
		for (plain = -1; plain < 2; plain++)
			signal_players(_metadata, ctl, how, size, flags, plain);
}

TEST_F(meet, shower_of_signals)
{
	signal_all_sizes(_metadata, self->ctl, variant->how, 0);
}

TEST_F(meet, shower_of_signals_with_restart)
{
	signal_all_sizes(_metadata, self->ctl, variant->how, SA_RESTART);
}

/* --- Kills --- */

static void *run_in_thread(void *arg)
{
	run_select(arg);
	return NULL;
}

/*
 * A process that can be killed. For threads it is one with a second thread in
 * the select, so that the whole of it is taken down.
 */
static void start_victim(struct __test_metadata *_metadata, struct select_op *op,
			 unsigned int how)
{
	pid_t pid = fork_child();
	pthread_t thread;

	ASSERT_LE(0, pid);
	if (pid) {
		op->how = 0;
		op->pid = pid;
		return;
	}
	keep_named(op);
	if (how & IN_THREAD) {
		pthread_create(&thread, NULL, run_in_thread, op);
		pthread_join(thread, NULL);
	} else {
		run_select(op);
	}
	_exit(0);
}

static void kill_parked(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			bool sends, size_t size, unsigned int how)
{
	struct select_op *first = new_of(_metadata, ctl, pair, CHANNELS, sends, size);
	struct select_op *victim = new_of(_metadata, ctl, pair, CHANNELS, sends, size);
	struct select_op *last = new_of(_metadata, ctl, pair, CHANNELS, sends, size);
	long first_sleeps, last_sleeps;

	park_select(_metadata, first, how);
	start_victim(_metadata, victim, how);
	ASSERT_TRUE(wait_until(all_parked(pair, CHANNELS, 2 * sends, 2 * !sends)));
	park_select(_metadata, last, how);
	first_sleeps = sleeps_of(tid_of(first));
	last_sleeps = sleeps_of(tid_of(last));
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel_select(victim));
	EXPECT_TRUE(all_parked(pair, CHANNELS, 2 * sends, 2 * !sends));
	EXPECT_TRUE(undisturbed(tid_of(first), first_sleeps));
	EXPECT_TRUE(undisturbed(tid_of(last), last_sleeps));
	meet(_metadata, first, pair, 1, size);
	meet(_metadata, last, pair, 2, size);
	EXPECT_TRUE(no_trace(pair, CHANNELS));
}

TEST_F(meet, killed_while_parked)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		kill_parked(_metadata, self->ctl, self->pair, true, size, variant->how);
		kill_parked(_metadata, self->ctl, self->pair, false, size, variant->how);
	}
}

static void *run_second_thread(void *arg)
{
	run_player(arg);
	return NULL;
}

static void run_victim(struct task *task)
{
	struct player *me = (struct player *)task;
	pthread_t thread;

	if (!me->second_thread) {
		run_player(task);
		return;
	}
	pthread_create(&thread, NULL, run_second_thread, task);
	pthread_join(thread, NULL);
}

/* It has done something; then it is killed at any moment. */
static bool victim_played(struct player *victim)
{
	return __atomic_load_n(&victim->sent, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&victim->len, __ATOMIC_RELAXED);
}

static void linger(__u64 *random)
{
	__u64 end = now_ns() + draw(random, 400000);

	while (now_ns() < end)
		;
}

/* What nobody has taken at the end. */
static void drain(struct arena *arena, struct player *reader)
{
	int i;
	long ret;

	for (i = 0; i < arena->channels; i++) {
		while ((ret = do_read(arena->pair[i].recv, reader->in, LARGE)) > 0) {
			reader->len = ret;
			enter(reader);
		}
	}
}

/*
 * A sender and a receiver that live on meet some who are killed. A receiver
 * may die between having received a message and writing that down: one for each
 * of them may be missing, and nothing else; and nothing is there twice.
 */
static void kill_players(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			 size_t size, unsigned int how)
{
	struct arena *arena = new_arena(_metadata, ctl, pair, CHANNELS);
	struct player *player[PLAYERS];
	int i, n, lost = 0, receivers = 0, beyond;
	long began = now_ms();
	__u64 random = size;

	arena->size = size;
	/* What is given back by the dead may come late. */
	arena->in_order = false;
	/* Not before some have been killed. */
	arena->until_stop = true;
	for (n = 0; n < 2; n++) {
		player[n] = new_player(_metadata, arena, n, n, !n);
		start_task(_metadata, player[n], run_player, how);
	}
	for (; n < PLAYERS && !all_sent(&player[1], 1); n++) {
		if (n >= 2 + LEAST_KILLED && now_ms() > began + BUDGET_MS)
			break;
		player[n] = new_player(_metadata, arena, n, n & 1, !(n & 1));
		player[n]->second_thread = how & IN_THREAD;
		start_task(_metadata, player[n], run_victim, 0);
		/* Who receives may have come too late to play. */
		ASSERT_TRUE(wait_until(victim_played(player[n]) ||
				       __atomic_load_n(&player[1]->sent, __ATOMIC_RELAXED) ==
				       arena->wanted));
		linger(&random);
		kill(player[n]->task.pid, SIGKILL);
		ASSERT_EQ(OP_KILLED(SIGKILL), finish_task(player[n]));
		receivers += !(n & 1);
	}
	stop_sending(_metadata, arena, player, 2, 0);
	for (i = 0; i < arena->channels; i++)
		EXPECT_EQ(0, end_channel(pair[i].send, 0));
	EXPECT_EQ(0, finish_task(player[1]));
	EXPECT_EQ(0, finish_task(player[0]));
	drain(arena, player[0]);
	EXPECT_EQ(0, arena->damaged);
	EXPECT_EQ(0, arena->twice);
	EXPECT_TRUE(no_trace(pair, arena->channels));
	for (i = 0; i < n; i++) {
		lost += missing(player[i]);
		/* The one it was about when it was killed may have arrived. */
		beyond = unsent(player[i]);
		EXPECT_GE(i > 1 && i & 1, beyond);
	}
	EXPECT_GE(receivers, lost);
	EXPECT_LE(2 + LEAST_KILLED, n);
	TH_LOG("%d killed, %u sent by the living, %d known to the dead alone", n - 2,
	       player[1]->sent, lost);
}

TEST_F(meet, killed_at_any_time_small)
{
	kill_players(_metadata, self->ctl, self->pair, SMALL, variant->how);
}

TEST_F(meet, killed_at_any_time_medium)
{
	kill_players(_metadata, self->ctl, self->pair, MEDIUM, variant->how);
}

TEST_F(meet, killed_at_any_time_large)
{
	kill_players(_metadata, self->ctl, self->pair, LARGE, variant->how);
}

/* --- A task that may not run --- */

static cpu_set_t all_cpus;

/* Bind @tid, or this task if 0, to number @n of the processors there are. */
static bool bind_to(pid_t tid, int n)
{
	cpu_set_t set;
	int i;

	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all_cpus) && !n--)
			break;
	CPU_ZERO(&set);
	CPU_SET(i, &set);
	return !sched_setaffinity(tid, sizeof(set), &set);
}

#define THROTTLE	"/proc/sys/kernel/sched_rt_runtime_us"
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu%d/runtime"

/*
 * What a real-time task leaves to the others of a second, lest they starve: in
 * 6.1 by the first file, in 6.12 by the second, which is the same for all processors.
 */
static char throttle_was[32], fair_server_was[32];

static void note_what_is_left(void)
{
	char path[96];

	read_text(THROTTLE, throttle_was, sizeof(throttle_was));
	snprintf(path, sizeof(path), FAIR_SERVER, 0);
	read_text(path, fair_server_was, sizeof(fair_server_was));
}

static void leave_to_others(const char *throttle, const char *fair_server)
{
	char path[96];
	int i;

	write_text(THROTTLE, throttle);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all_cpus))
			continue;
		snprintf(path, sizeof(path), FAIR_SERVER, i);
		write_text(path, fair_server);
	}
}

/*
 * This task and @tid are bound to one processor, which this one does not give
 * away any more: the other can be woken but does not run. @other, if any, is
 * bound to another processor.
 */
static bool hold_cpu(pid_t tid, pid_t other)
{
	struct sched_param param = { .sched_priority = 1 };

	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	note_what_is_left();
	leave_to_others("-1", "0");
	return bind_to(tid, 0) && bind_to(0, 0) && (!other || bind_to(other, 1)) &&
	       !sched_setscheduler(0, SCHED_FIFO, &param);
}

static void release_cpu(void)
{
	struct sched_param param = { .sched_priority = 0 };

	sched_setscheduler(0, SCHED_OTHER, &param);
	sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
	leave_to_others(throttle_was, fair_server_was);
}

static short events(int fd, short wanted)
{
	struct pollfd pfd = { .fd = fd, .events = wanted };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

static int watch(struct __test_metadata *_metadata, int fd, __u32 wanted)
{
	struct epoll_event event = { .events = wanted };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epfd);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
	return epfd;
}

/* The events that are there now, or 0. */
static __u32 seen(int epfd)
{
	struct epoll_event event = { .events = 0 };

	return epoll_wait(epfd, &event, 1, 0) == 1 ? event.events : 0;
}

/*
 * A select has happened, and its task has not run since. Nobody may take its
 * other cases for somebody who waits.
 */
static void losers_of(struct __test_metadata *_metadata, int ctl, struct pair *pair,
		      bool sends, unsigned int how)
{
	struct select_op *op = new_of(_metadata, ctl, pair, CHANNELS, sends, SMALL);
	int fd = sends ? pair[2].recv : pair[2].send, level, edge, fresh;
	short wanted = sends ? POLLIN : POLLOUT;
	struct chan_case other[2] = { case_poll(fd, wanted) };
	char data[SMALL];
	long ret;

	level = watch(_metadata, fd, wanted);
	edge = watch(_metadata, fd, wanted | EPOLLET);
	park_select(_metadata, op, how);
	EXPECT_EQ(wanted, seen(level));
	EXPECT_EQ(wanted, seen(edge));
	EXPECT_EQ(wanted, events(fd, wanted));
	if (sends)
		other[1] = case_recv(fd, data, SMALL);
	else
		other[1] = case_text(fd, "x");

	ASSERT_TRUE(hold_cpu(tid_of(op), 0));
	ret = sends ? try_read(pair[1].recv, data, SMALL) : put(pair[1].send, "y");
	EXPECT_EQ(sends ? SMALL : 1, ret);
	EXPECT_EQ(0, events(fd, wanted));
	EXPECT_EQ(0, seen(level));
	EXPECT_EQ(0, seen(edge));
	fresh = watch(_metadata, fd, wanted | EPOLLET);
	EXPECT_EQ(0, seen(fresh));
	EXPECT_TRUE(all_parked(pair, CHANNELS, 0, 0));
	EXPECT_EQ(-EAGAIN, sends ? try_read(fd, data, SMALL) : put(fd, "x"));
	EXPECT_EQ(-EAGAIN, try_select(ctl, other, 2));
	EXPECT_EQ('R', state_of(tid_of(op)));
	release_cpu();

	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_EQ(0, seen(level) | seen(edge) | seen(fresh));
	EXPECT_TRUE(no_trace(pair, CHANNELS));
	close(level);
	close(edge);
	close(fresh);
}

TEST_F(meet, losers_before_the_task_has_run)
{
	if (!is_root())
		SKIP(return, "a real-time task takes CAP_SYS_NICE");
	losers_of(_metadata, self->ctl, self->pair, true, variant->how);
	losers_of(_metadata, self->ctl, self->pair, false, variant->how);
}

/* --- Between the offer of a borrowed message and its acceptance --- */

enum disturbance {
	SIGNAL_RECEIVER,
	RESTART_RECEIVER,
	KILL_RECEIVER,
	SIGNAL_SENDER,
	KILL_SENDER,
	CLOSE,
	DISTURBANCES
};

static int gate_of(struct select_op *op)
{
	return __atomic_load_n(&op->flag, __ATOMIC_ACQUIRE);
}

/* As select_op.first of a sender: it begins when it is told to. */
static void wait_at_gate(struct select_op *op)
{
	handle(&op->signals, 0);
	op->tid = syscall(SYS_gettid);
	__atomic_store_n(&op->running, 1, __ATOMIC_RELEASE);
	while (!gate_of(op))
		sched_yield();
}

static void open_gate(struct select_op *op)
{
	__atomic_store_n(&op->flag, 1, __ATOMIC_RELEASE);
}

/* A processor, see hold_cpu(), with another for those who go on. */
#define skip_unless_one_can_be_held()						\
do {										\
	if (!is_root())							\
		SKIP(return, "a real-time task takes CAP_SYS_NICE");		\
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)					\
		SKIP(return, "takes two processors");				\
} while (0)

static void disturb(struct __test_metadata *_metadata, enum disturbance what,
		    struct select_op *recv, struct select_op *send, int fd)
{
	switch (what) {
	case SIGNAL_RECEIVER:
	case RESTART_RECEIVER:
		poke(recv);
		break;
	case KILL_RECEIVER:
		kill(recv->pid, SIGKILL);
		break;
	case SIGNAL_SENDER:
		poke(send);
		break;
	case KILL_SENDER:
		kill(send->pid, SIGKILL);
		break;
	default:
		EXPECT_EQ(0, end_channel(fd, 0));
	}
}

/* What may have come of the sender if its message has not been taken. */
static bool not_sent(struct select_op *send, long ret, enum disturbance what)
{
	int status = send->cases[0].status;

	if (what == KILL_SENDER)
		return ret == OP_KILLED(SIGKILL);
	if (what == SIGNAL_SENDER)
		return ret == -EINTR || status == -EINTR;
	return what == CLOSE && !ret && status == -EPIPE;
}

/* The receiver was disturbed: it has the message, or the sender still has it. */
static void receiver_disturbed(struct __test_metadata *_metadata, struct pair *pair,
			       struct select_op *recv, struct select_op *send,
			       enum disturbance what)
{
	long ret = finish_select(recv);

	if (what == KILL_RECEIVER) {
		EXPECT_EQ(OP_KILLED(SIGKILL), ret);
	} else if (ret) {
		EXPECT_EQ(-EINTR, ret);
		EXPECT_EQ(SIGNAL_RECEIVER, what);
	}
	if (ret) {
		ASSERT_TRUE(wait_parked(pair[1].recv, 1, 0));
		EXPECT_TRUE(got_filled(pair[1].recv, LARGE, 5));
	} else {
		EXPECT_TRUE(did(recv, 1, 0));
		EXPECT_TRUE(received(recv, 1, LARGE, 5));
	}
	EXPECT_TRUE(chose(send, 0, 0));
}

/* The same from the other side: left alone, the receiver waits for the next. */
static void sender_disturbed(struct __test_metadata *_metadata, struct pair *pair,
			     struct select_op *recv, struct select_op *send,
			     enum disturbance what)
{
	bool sent = !not_sent(send, finish_select(send), what);

	if (sent)
		EXPECT_TRUE(did(send, 0, 0));
	if (!sent && what != CLOSE) {
		ASSERT_TRUE(wait_until(recv->ended_ms || all_parked(pair, 3, 0, 1)));
		if (!recv->ended_ms)
			EXPECT_EQ(4, put(pair[2].send, "next"));
	}
	ASSERT_EQ(0, finish_select(recv));
	if (recv->arg.index == 2) {
		EXPECT_FALSE(sent);
		EXPECT_TRUE(did(recv, 2, 0) && !memcmp(data_of(recv, 2), "next", 4));
	} else if (!sent && what == CLOSE) {
		EXPECT_TRUE(did(recv, 1, -EPIPE));
	} else {
		/* Who is killed cannot tell that it had been received. */
		EXPECT_TRUE(sent || what == KILL_SENDER);
		EXPECT_TRUE(did(recv, 1, 0));
		EXPECT_TRUE(received(recv, 1, LARGE, 5));
	}
}

static void offer_and(struct __test_metadata *_metadata, int ctl, enum disturbance what,
		      unsigned int how, unsigned int plainly)
{
	struct pair *pair = make_pairs(_metadata, 3);
	struct select_op *recv = new_recvs(_metadata, ctl, pair, 3, LARGE);
	struct select_op *send = new_select(_metadata, ctl, 1, LARGE);
	int i;

	fill(send->data, LARGE, 5);
	add_case(send, case_send(pair[1].send, send->data, LARGE));
	send->first = wait_at_gate;
	recv->first = handle_first;
	recv->flag = what == RESTART_RECEIVER ? SA_RESTART : 0;
	start_select(_metadata, send, what == KILL_SENDER ? plainly : how | plainly);
	ASSERT_TRUE(wait_until(tid_of(send)));
	park_select(_metadata, recv, what == KILL_RECEIVER ? 0 : how);

	ASSERT_TRUE(hold_cpu(tid_of(recv), tid_of(send)));
	open_gate(send);
	ASSERT_TRUE(spin_until(all_parked(pair, 3, 0, 0)));
	/* It is woken a moment after it has been chosen. */
	ASSERT_TRUE(spin_until(state_of(tid_of(recv)) == 'R'));
	disturb(_metadata, what, recv, send, pair[1].send);
	release_cpu();

	if (what <= KILL_RECEIVER)
		receiver_disturbed(_metadata, pair, recv, send, what);
	else
		sender_disturbed(_metadata, pair, recv, send, what);
	EXPECT_TRUE(no_trace(pair, 3));
	for (i = 0; i < 3; i++)
		close_pair(&pair[i]);
}

TEST_F(meet, offered_a_borrowed_message)
{
	int what;

	skip_unless_one_can_be_held();
	for (what = 0; what < DISTURBANCES; what++) {
		TH_LOG("disturbance %d", what);
		offer_and(_metadata, self->ctl, what, variant->how, PLAINLY);
		offer_and(_metadata, self->ctl, what, variant->how, 0);
	}
}

/*
 * What was offered is taken back. A message that came on another channel meanwhile
 * was passed by, into the line: it comes before the end of that channel, and before
 * a file of lower rank.
 */
static void pass_by(struct __test_metadata *_metadata, int ctl, unsigned int how, bool closed)
{
	struct select_op *recv = new_select(_metadata, ctl, 3, LARGE);
	struct select_op *send = new_select(_metadata, ctl, 1, LARGE);
	int event = eventfd(0, EFD_CLOEXEC);
	struct pair line, offer;

	make_pair(_metadata, &line, 1, 0);
	make_pair(_metadata, &offer, 0, 0);
	add_send(send, offer.send, send->data, LARGE);
	send->first = wait_at_gate;
	add_recv(recv, line.recv);
	add_recv(recv, offer.recv);
	if (!closed)
		add_poll(recv, event, POLLIN);
	recv->arg.flags = CHAN_SELECT_PRIORITY;
	start_select(_metadata, send, how | PLAINLY);
	ASSERT_TRUE(wait_until(tid_of(send)));
	park_select(_metadata, recv, how);

	ASSERT_TRUE(hold_cpu(tid_of(recv), tid_of(send)));
	open_gate(send);
	ASSERT_TRUE(spin_until(parked_are(offer.recv, 0, 0)));
	EXPECT_EQ(4, put(line.send, "kept"));
	poke(send);
	ASSERT_TRUE(spin_until(parked_are(offer.recv, 0, 1)));
	EXPECT_EQ(0, closed ? end_channel(line.send, 0) : eventfd_write(event, 1));
	release_cpu();

	EXPECT_TRUE(chose_text(recv, 0, "kept"));
	EXPECT_TRUE(chose(send, 0, -EINTR));
	EXPECT_EQ(closed ? 0 : -EAGAIN, try_read(line.recv, recv->data, LARGE));
	close_pair(&line);
	close_pair(&offer);
	close(event);
}

TEST_F(meet, passed_by)
{
	skip_unless_one_can_be_held();
	pass_by(_metadata, self->ctl, variant->how, true);
	pass_by(_metadata, self->ctl, variant->how, false);
}

/*
 * What was offered to a select is taken back. Meanwhile somebody was parked whom it
 * could not meet, and who is met before anybody that comes later.
 */
static void park_early(struct __test_metadata *_metadata, int ctl, unsigned int how,
		       bool sends)
{
	struct select_op *select = new_select(_metadata, ctl, 2, LARGE);
	struct select_op *send = new_select(_metadata, ctl, 1, LARGE);
	struct select_op *early = new_select(_metadata, ctl, 1, LARGE);
	struct pair offer, pair;
	char data[8];

	make_pair(_metadata, &offer, 0, 0);
	make_pair(_metadata, &pair, 0, 0);
	add_send(send, offer.send, send->data, LARGE);
	add_recv(select, offer.recv);
	if (sends) {
		add_recv(select, pair.recv);
		add_send(early, pair.send, "early", 5);
	} else {
		add_send(select, pair.send, "early", 5);
		add_recv(early, pair.recv);
	}
	send->first = wait_at_gate;
	early->first = wait_at_gate;
	start_select(_metadata, send, how | PLAINLY);
	start_select(_metadata, early, how | PLAINLY);
	ASSERT_TRUE(wait_until(tid_of(send) && tid_of(early)));
	park_select(_metadata, select, how);

	ASSERT_TRUE(hold_cpu(tid_of(select), tid_of(send)) && bind_to(tid_of(early), 1));
	open_gate(send);
	ASSERT_TRUE(spin_until(parked_are(offer.recv, 0, 0)));
	open_gate(early);
	ASSERT_TRUE(spin_until(parked_are(pair.recv, sends, !sends)));
	poke(send);
	ASSERT_TRUE(spin_until(parked_are(pair.recv, 1, 1)));
	EXPECT_EQ(-EAGAIN, sends ? put(pair.send, "late") :
				   try_read(pair.recv, data, sizeof(data)));
	EXPECT_TRUE(spin_until(parked_are(pair.recv, 0, 0)));
	release_cpu();

	if (sends) {
		EXPECT_TRUE(chose_text(select, 1, "early"));
		EXPECT_TRUE(chose(early, 0, 0));
	} else {
		EXPECT_TRUE(chose_text(early, 0, "early"));
		EXPECT_TRUE(chose(select, 1, 0));
	}
	EXPECT_TRUE(chose(send, 0, -EINTR));
	EXPECT_TRUE(no_trace(&pair, 1));
	close_pair(&pair);
	close_pair(&offer);
}

TEST_F(meet, parked_early)
{
	skip_unless_one_can_be_held();
	park_early(_metadata, self->ctl, variant->how, true);
	park_early(_metadata, self->ctl, variant->how, false);
}

/* --- Memory that takes its time: a userfaultfd that answers late --- */

enum stall_state {
	STALL_NONE,
	STALL_NO_UFFD,
	STALL_STALLED,
	STALL_RESOLVE,	/* set by the test */
};

/* The room of the first case of a select or a read. */
struct stall {
	struct select_op *op;
	unsigned char *memory;	/* shared: the test can look, and take pages away */
	size_t size;
	int uffd;
	int state;
};

/* It lies in the place of the data of a case that is not there. */
static struct stall *stall_of(struct select_op *op)
{
	return (struct stall *)data_of(op, op->most - 1);
}

static int stall_state(struct select_op *op)
{
	return __atomic_load_n(&stall_of(op)->state, __ATOMIC_ACQUIRE);
}

static void set_stall_state(struct select_op *op, int state)
{
	__atomic_store_n(&stall_of(op)->state, state, __ATOMIC_RELEASE);
}

static bool stall_register(struct stall *stall)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM };
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range = { .start = address(stall->memory), .len = stall->size },
	};

	stall->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return stall->uffd >= 0 && !ioctl(stall->uffd, UFFDIO_API, &api) &&
	       !ioctl(stall->uffd, UFFDIO_REGISTER, &reg);
}

/* Announce the stall, and supply the memory when told to. */
static void *watch_stall(void *arg)
{
	struct stall *stall = arg;
	struct pollfd pfd = { .fd = stall->uffd, .events = POLLIN };
	struct uffdio_copy copy = { .dst = address(stall->memory), .len = stall->size };
	struct uffd_msg msg;

	copy.src = address(mmap(NULL, stall->size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (poll(&pfd, 1, 3 * DEADLINE_MS) != 1 ||
	    read(stall->uffd, &msg, sizeof(msg)) != sizeof(msg))
		return NULL;
	set_stall_state(stall->op, STALL_STALLED);
	if (wait_until(stall_state(stall->op) == STALL_RESOLVE))
		ioctl(stall->uffd, UFFDIO_COPY, &copy);
	return NULL;
}

/* As select_op.first, in the process of the one who stalls. */
static void stall_first(struct select_op *op)
{
	struct stall *stall = stall_of(op);
	pthread_t thread;

	handle(&op->signals, op->flag);
	if (stall_register(stall))
		pthread_create(&thread, NULL, watch_stall, stall);
	else
		set_stall_state(op, STALL_NO_UFFD);
}

/* A receiver on @n channels whose room of the first stalls. */
static struct select_op *new_stalling(struct __test_metadata *_metadata, int ctl,
				      const struct pair *pair, int n, size_t size)
{
	struct select_op *op = new_select(_metadata, ctl, n + 1, size < 64 ? 64 : size);
	struct stall *stall = stall_of(op);
	int i;

	stall->op = op;
	stall->size = (size + PAGE - 1) & ~(PAGE - 1);
	stall->memory = shared(_metadata, stall->size);
	for (i = 0; i < n; i++)
		add_recv(op, pair[i].recv);
	op->cases[0].buf = address(stall->memory);
	op->first = stall_first;
	return op;
}

/* The receiver is stalled in the midst of what is offered on its first channel. */
#define stall_now(op)								\
do {										\
	ASSERT_TRUE(wait_until(stall_state(op)));				\
	if (stall_state(op) == STALL_NO_UFFD)					\
		SKIP(return, "no userfaultfd for kernel faults");		\
	ASSERT_EQ(STALL_STALLED, stall_state(op));				\
} while (0)

static bool stalled_received(struct select_op *op, size_t size, unsigned int seed)
{
	return op->cases[0].len == size && filled(stall_of(op)->memory, size, seed);
}

/*
 * Its receiver is stalled. The select is available on its other channels all
 * the while, and the receiver takes what comes next.
 */
static void stalled_but_available(struct __test_metadata *_metadata, int ctl, size_t size,
				  unsigned int how, unsigned int plainly)
{
	struct pair *pair = make_pairs(_metadata, 3);
	struct select_op *send = park_sends(_metadata, ctl, pair, 3, size, 1, how), *next;
	struct select_op *recv = new_stalling(_metadata, ctl, pair, 1, size);

	start_select(_metadata, recv, how | plainly);
	stall_now(recv);
	EXPECT_TRUE(all_parked(pair, 3, 1, 0));
	EXPECT_TRUE(got_filled(pair[2].recv, size, seed_of(1, 2)));
	EXPECT_TRUE(chose(send, 2, 0));
	next = new_sends(_metadata, ctl, pair, 3, size, 2);
	start_select(_metadata, next, how);
	set_stall_state(recv, STALL_RESOLVE);
	EXPECT_TRUE(chose(recv, 0, 0));
	EXPECT_TRUE(stalled_received(recv, size, seed_of(2, 0)));
	EXPECT_TRUE(chose(next, 0, 0));
	EXPECT_TRUE(no_trace(pair, 3));
}

/*
 * The same, but something happens to the select that sends: then it was not
 * received, or was and then it is told so.
 */
static void stalled_and_disturbed(struct __test_metadata *_metadata, int ctl, size_t size,
				  enum disturbance what, unsigned int how)
{
	struct pair *pair = make_pairs(_metadata, 3);
	struct select_op *send = new_sends(_metadata, ctl, pair, 3, size, 1);
	struct select_op *recv = new_stalling(_metadata, ctl, pair, 1, size);
	long ret;

	send->first = handle_first;
	if (what == KILL_SENDER)
		start_victim(_metadata, send, how);
	else
		start_select(_metadata, send, how);
	ASSERT_TRUE(wait_until(all_parked(pair, 3, 1, 0)));
	ASSERT_TRUE(wait_until(what == KILL_SENDER || select_sleeps(send)));
	start_select(_metadata, recv, how);
	stall_now(recv);
	disturb(_metadata, what, recv, send, pair[0].send);
	ret = finish_select(send);
	set_stall_state(recv, STALL_RESOLVE);
	if (what == KILL_SENDER)
		EXPECT_EQ(OP_KILLED(SIGKILL), ret);
	EXPECT_EQ(0, end_channel(pair[0].send, 0));
	EXPECT_EQ(0, finish_select(recv));
	if (recv->cases[0].status) {
		EXPECT_TRUE(did(recv, 0, -EPIPE));
		EXPECT_TRUE(not_sent(send, ret, what));
	} else {
		EXPECT_TRUE(stalled_received(recv, size, seed_of(1, 0)));
		if (what != KILL_SENDER)
			EXPECT_TRUE(did(send, 0, 0));
	}
	EXPECT_TRUE(no_trace(pair, 3));
}

TEST_F(meet, a_sender_whose_receiver_stalls)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		stalled_but_available(_metadata, self->ctl, size, variant->how, PLAINLY);
		stalled_but_available(_metadata, self->ctl, size, variant->how, 0);
		stalled_and_disturbed(_metadata, self->ctl, size, SIGNAL_SENDER, variant->how);
		stalled_and_disturbed(_metadata, self->ctl, size, KILL_SENDER, variant->how);
		stalled_and_disturbed(_metadata, self->ctl, size, CLOSE, variant->how);
	}
}

/* A select that stalls is killed: what it was to get is first in line. */
static void killed_in_a_stall(struct __test_metadata *_metadata, int ctl, size_t size,
			      bool parked, unsigned int how, unsigned int plainly)
{
	struct pair *pair = make_pairs(_metadata, 3);
	struct select_op *recv = new_stalling(_metadata, ctl, pair, 3, size);
	struct select_op *send = new_sends(_metadata, ctl, pair, 1, size, 1), *next;

	if (parked) {
		/* It has its memory until it is parked. */
		memset(stall_of(recv)->memory, 1, stall_of(recv)->size);
		start_victim(_metadata, recv, how);
		ASSERT_TRUE(wait_until(all_parked(pair, 3, 0, 1) ||
				       stall_state(recv) == STALL_NO_UFFD));
		madvise(stall_of(recv)->memory, stall_of(recv)->size, MADV_REMOVE);
		start_select(_metadata, send, how | plainly);
	} else {
		park_select(_metadata, send, how | plainly);
		start_victim(_metadata, recv, how);
	}
	stall_now(recv);
	next = new_sends(_metadata, ctl, pair, 1, size, 2);
	start_select(_metadata, next, how | plainly);
	ASSERT_TRUE(wait_until(info(pair[0].recv).parked_senders +
			       info(pair[0].recv).buffered +
			       info(pair[0].recv).received >= 2));
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel_select(recv));
	EXPECT_TRUE(got_filled(pair[0].recv, size, seed_of(1, 0)));
	EXPECT_TRUE(got_filled(pair[0].recv, size, seed_of(2, 0)));
	EXPECT_TRUE(chose(send, 0, 0));
	EXPECT_TRUE(chose(next, 0, 0));
	EXPECT_TRUE(no_trace(pair, 3));
}

/* A signal changes nothing about a stall; after it there is a message or EINTR. */
static void signalled_in_a_stall(struct __test_metadata *_metadata, int ctl, size_t size,
				 int flags, unsigned int how)
{
	struct pair *pair = make_pairs(_metadata, 3);
	struct select_op *send = park_sends(_metadata, ctl, pair, 1, size, 1, how);
	struct select_op *recv = new_stalling(_metadata, ctl, pair, 3, size);
	long ret;

	recv->flag = flags;
	start_select(_metadata, recv, how);
	stall_now(recv);
	poke(recv);
	set_stall_state(recv, STALL_RESOLVE);
	ret = finish_select(recv);
	EXPECT_EQ(1, recv->signals);
	if (ret) {
		EXPECT_EQ(-EINTR, ret);
		EXPECT_EQ(0, flags);
		EXPECT_TRUE(got_filled(pair[0].recv, size, seed_of(1, 0)));
	} else {
		EXPECT_TRUE(did(recv, 0, 0));
		EXPECT_TRUE(stalled_received(recv, size, seed_of(1, 0)));
	}
	EXPECT_TRUE(chose(send, 0, 0));
	EXPECT_TRUE(no_trace(pair, 3));
}

TEST_F(meet, a_receiver_that_stalls)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		killed_in_a_stall(_metadata, self->ctl, size, false, variant->how, PLAINLY);
		killed_in_a_stall(_metadata, self->ctl, size, false, variant->how, 0);
		killed_in_a_stall(_metadata, self->ctl, size, true, variant->how, PLAINLY);
		killed_in_a_stall(_metadata, self->ctl, size, true, variant->how, 0);
		signalled_in_a_stall(_metadata, self->ctl, size, 0, variant->how);
		signalled_in_a_stall(_metadata, self->ctl, size, SA_RESTART, variant->how);
	}
}

/* --- Memory that goes bad while its owner is parked --- */

enum {
	SPOIL = 1,	/* set by the test */
	SPOILT,
};

struct spoiler {
	struct select_op *op;
	void *memory;
};

static void *spoil(void *arg)
{
	struct spoiler *spoiler = arg;

	/* Instead of munmap(), so that nothing else comes to lie there. */
	if (wait_until(gate_of(spoiler->op) == SPOIL))
		mmap(spoiler->memory, LARGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	__atomic_store_n(&spoiler->op->flag, SPOILT, __ATOMIC_RELEASE);
	free(spoiler);
	return NULL;
}

/* As select_op.first: another thread takes the room of the first case away. */
static void spoil_later(struct select_op *op)
{
	struct spoiler *spoiler = malloc(sizeof(*spoiler));
	pthread_t thread;

	spoiler->op = op;
	spoiler->memory = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	op->cases[0].buf = address(spoiler->memory);
	pthread_create(&thread, NULL, spoil, spoiler);
	pthread_detach(thread);
}

static struct select_op *park_spoilt(struct __test_metadata *_metadata, int ctl,
				     const struct pair *pair, int n, unsigned int how)
{
	struct select_op *op = new_recvs(_metadata, ctl, pair, n, LARGE);

	op->first = spoil_later;
	park_select(_metadata, op, how);
	__atomic_store_n(&op->flag, SPOIL, __ATOMIC_RELEASE);
	ASSERT_TRUE(wait_until(gate_of(op) == SPOILT));
	return op;
}

static void room_goes_bad(struct __test_metadata *_metadata, int ctl, __u32 capacity,
			  size_t size, unsigned int how, unsigned int plainly)
{
	struct pair *pair = make_pairs(_metadata, 2);
	struct select_op *recv, *send, *next;

	close_pair(&pair[0]);
	make_pair(_metadata, &pair[0], capacity, 0);
	recv = park_spoilt(_metadata, ctl, pair, 2, how);
	send = new_sends(_metadata, ctl, pair, 1, size, 1);
	start_select(_metadata, send, how | plainly);
	EXPECT_EQ(-EFAULT, finish_select(recv));
	EXPECT_EQ(0, recv->arg.index);
	EXPECT_TRUE(parked_are(pair[1].recv, 0, 0));
	ASSERT_TRUE(wait_until(info(pair[0].recv).parked_senders ||
			       info(pair[0].recv).buffered));
	/* It is first in line again. */
	next = new_sends(_metadata, ctl, pair, 1, size, 2);
	start_select(_metadata, next, how | plainly);
	ASSERT_TRUE(wait_until(info(pair[0].recv).parked_senders +
			       info(pair[0].recv).buffered == 2));
	EXPECT_TRUE(got_filled(pair[0].recv, size, seed_of(1, 0)));
	EXPECT_TRUE(got_filled(pair[0].recv, size, seed_of(2, 0)));
	EXPECT_TRUE(chose(send, 0, 0));
	EXPECT_TRUE(chose(next, 0, 0));
	EXPECT_TRUE(no_trace(pair, 2));
	close_pair(&pair[0]);
	close_pair(&pair[1]);
}

TEST_F(meet, a_room_that_goes_bad)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		room_goes_bad(_metadata, self->ctl, 0, size, variant->how, 0);
		room_goes_bad(_metadata, self->ctl, 0, size, variant->how, PLAINLY);
		room_goes_bad(_metadata, self->ctl, 4, size, variant->how, 0);
		room_goes_bad(_metadata, self->ctl, 4, size, variant->how, PLAINLY);
	}
}

/* Is it given to the next select, if one is parked? */
TEST_F(meet, a_room_that_goes_bad_before_another)
{
	struct select_op *bad, *good;
	size_t size;
	int i;

	for_each_size(size, i) {
		bad = park_spoilt(_metadata, self->ctl, self->pair, 2, variant->how);
		good = park_recvs(_metadata, self->ctl, self->pair, 3, LARGE, variant->how);
		meet(_metadata, good, self->pair, 0, size);
		EXPECT_EQ(-EFAULT, finish_select(bad));
		EXPECT_TRUE(no_trace(self->pair, CHANNELS));
	}
}

/* Receivers fail; the select keeps its place, and all of its channels. */
static void failing_receivers(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			      size_t size, __u32 taken, unsigned int how)
{
	struct select_op *send = park_sends(_metadata, ctl, pair, 3, size, 1, how);
	struct select_op *next = park_sends(_metadata, ctl, pair, 3, size, 2, how);
	void *bad = mmap(NULL, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct chan_case one = case_recv(pair[0].recv, bad, LARGE);
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EFAULT, do_read(pair[0].recv, bad, LARGE));
		EXPECT_EQ(-EFAULT, do_select(ctl, &one, 1, CHAN_SELECT_FOREVER));
		EXPECT_TRUE(all_parked(pair, 3, 2, 0));
	}
	EXPECT_TRUE(got_filled(pair[taken].recv, size, seed_of(1, taken)));
	EXPECT_TRUE(chose(send, taken, 0));
	EXPECT_TRUE(all_parked(pair, 3, 1, 0));
	EXPECT_TRUE(got_filled(pair[0].recv, size, seed_of(2, 0)));
	EXPECT_TRUE(chose(next, 0, 0));
	EXPECT_TRUE(no_trace(pair, 3));
	munmap(bad, LARGE);
}

TEST_F(meet, a_sender_whose_receivers_fail)
{
	size_t size;
	int i;

	for_each_size(size, i) {
		failing_receivers(_metadata, self->ctl, self->pair, size, 0, variant->how);
		failing_receivers(_metadata, self->ctl, self->pair, size, 2, variant->how);
	}
}

/* Takes what is sent, again and again, and can never keep it. */
static pid_t start_failing_reader(struct __test_metadata *_metadata, int fd)
{
	void *bad = mmap(NULL, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork_child();

	ASSERT_LE(0, pid);
	while (!pid)
		do_read(fd, bad, LARGE);
	munmap(bad, LARGE);
	return pid;
}

/* Its news may come while a receiver has the call, which then is given back. */
TEST_F(meet, a_file_beside_receivers_that_fail)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), i, status;
	pid_t reader = start_failing_reader(_metadata, self->pair[0].recv);
	long began = now_ms();
	struct select_op *op;
	eventfd_t count;

	for (i = 0; i < 300 && now_ms() < began + BUDGET_MS; i++) {
		op = new_select(_metadata, self->ctl, 2, LARGE);
		add_case(op, case_send(self->pair[0].send, data_of(op, 0), LARGE));
		add_poll(op, event, POLLIN);
		start_select(_metadata, op, variant->how);
		ASSERT_TRUE(wait_until(tid_of(op)));
		ASSERT_EQ(0, eventfd_write(event, 1));
		ASSERT_TRUE(chose(op, 1, 0));
		ASSERT_EQ(0, eventfd_read(event, &count));
	}
	kill(reader, SIGKILL);
	EXPECT_TRUE(ended(reader, &status));
	EXPECT_TRUE(no_trace(self->pair, 1));
	close(event);
}

/* --- The end of a channel --- */

enum ending {
	END_CLOSE,
	END_ERROR,
	END_GONE,	/* the last file of the other side */
	END_REMOVE,
	ENDINGS
};

/* Ends the channel of @pair, which has the device @dev if it is to be removed. */
static void end(struct __test_metadata *_metadata, struct pair *pair, struct device *dev,
		enum ending how, bool sends)
{
	switch (how) {
	case END_CLOSE:
		EXPECT_EQ(0, end_channel(pair->send, 0));
		break;
	case END_ERROR:
		EXPECT_EQ(0, end_channel(pair->send, EIO));
		break;
	case END_GONE:
		close(sends ? pair->recv : pair->send);
		break;
	default:
		EXPECT_EQ(0, device_remove(dev));
	}
}

static int status_after(enum ending how, bool sends)
{
	if (how == END_REMOVE)
		return -ENODEV;
	return how == END_ERROR && !sends ? -EIO : -EPIPE;
}

#define ENDED	66	/* more than are released at once */

/* Parked selects on four channels of which one ends; all are told. */
static void end_under(struct __test_metadata *_metadata, int ctl, enum ending ending,
		      bool sends, int n, unsigned int how)
{
	struct pair *pair = make_pairs(_metadata, CHANNELS);
	struct select_op *op[ENDED];
	struct device dev;
	int i;

	if (ending == END_REMOVE) {
		close_pair(&pair[2]);
		ASSERT_EQ(0, device_add(&dev, 0, 0, 0600));
		pair[2].send = device_open(&dev, O_WRONLY);
		pair[2].recv = device_open(&dev, O_RDONLY);
		ASSERT_LE(0, pair[2].recv);
	}
	for (i = 0; i < n; i++) {
		op[i] = new_of(_metadata, ctl, pair, CHANNELS, sends, SMALL);
		start_select(_metadata, op[i], how);
	}
	ASSERT_TRUE(wait_until(all_parked(pair, CHANNELS, sends * n, !sends * n)));
	end(_metadata, &pair[2], &dev, ending, sends);
	for (i = 0; i < n; i++)
		ASSERT_TRUE(chose(op[i], 2, status_after(ending, sends)));
	EXPECT_TRUE(no_trace(pair, 2));
	EXPECT_TRUE(no_trace(&pair[3], 1));
	EXPECT_TRUE(parked_are(ending == END_GONE && sends ? pair[2].send : pair[2].recv, 0, 0));
	for (i = 0; i < CHANNELS; i++) {
		EXPECT_EQ(i == 2, info(i == 2 && sends ? pair[i].send : pair[i].recv).state !=
			  CHAN_STATE_OPEN);
		if (i != 2 || ending != END_GONE)
			close_pair(&pair[i]);
		else
			close(sends ? pair[i].send : pair[i].recv);
	}
}

TEST_F(meet, a_channel_ends)
{
	int ending;

	for (ending = 0; ending < ENDINGS; ending++) {
		if (ending == END_REMOVE && !is_root())
			SKIP(return, "adding a device takes CAP_SYS_ADMIN");
		TH_LOG("ending %d", ending);
		end_under(_metadata, self->ctl, ending, true, 2, variant->how);
		end_under(_metadata, self->ctl, ending, false, 2, variant->how);
	}
}

TEST_F(meet, a_channel_of_many_ends)
{
	end_under(_metadata, self->ctl, END_CLOSE, true, ENDED, variant->how);
	end_under(_metadata, self->ctl, END_ERROR, false, ENDED, variant->how);
	end_under(_metadata, self->ctl, END_GONE, false, ENDED, variant->how);
}

/* All channels end at once; each select is told of one of them. */
TEST_F(meet, all_channels_end)
{
	struct select_op *op[8];
	int i, round;

	for (round = 0; round < 10; round++) {
		struct pair *pair = make_pairs(_metadata, CHANNELS);

		for (i = 0; i < 8; i++) {
			op[i] = new_of(_metadata, self->ctl, pair, CHANNELS, i & 1, SMALL);
			op[i]->arg.deadline = in_ms(DEADLINE_MS);
		}
		for (i = 0; i < 8; i++)
			start_select(_metadata, op[i], variant->how);
		for (i = 0; i < CHANNELS; i++)
			EXPECT_EQ(0, end_channel(pair[i].send, 0));
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, finish_select(op[i]));
		EXPECT_TRUE(no_trace(pair, CHANNELS));
		for (i = 0; i < CHANNELS; i++)
			close_pair(&pair[i]);
	}
}

/* --- Files that are closed meanwhile --- */

TEST_F(meet, the_peer_of_a_polled_socket_closes)
{
	struct select_op *op = new_select(_metadata, self->ctl, 2, SMALL);
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	add_recv(op, self->pair[0].recv);
	add_poll(op, sock[0], POLLIN);
	park_select(_metadata, op, variant->how);
	close(sock[1]);
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP, op->cases[1].events);
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
	close(sock[0]);
}

static void *close_cases(void *arg)
{
	struct select_op *op = arg;
	__u32 i;

	if (!wait_until(gate_of(op)))
		return NULL;
	for (i = 0; i < op->arg.ncases; i++)
		close(op->cases[i].fd);
	__atomic_store_n(&op->flag, 2, __ATOMIC_RELEASE);
	return NULL;
}

/* As select_op.first: another thread closes the files under the select. */
static void close_later(struct select_op *op)
{
	pthread_t thread;

	pthread_create(&thread, NULL, close_cases, op);
	pthread_detach(thread);
}

/* The files live until the select ends, as with read() and poll(). */
static struct select_op *park_closed(struct __test_metadata *_metadata, int ctl, int recv,
				     int sock, unsigned int how)
{
	struct select_op *op = new_select(_metadata, ctl, 2, SMALL);

	add_recv(op, recv);
	add_poll(op, sock, POLLIN);
	op->first = close_later;
	park_select(_metadata, op, how);
	open_gate(op);
	ASSERT_TRUE(wait_until(gate_of(op) == 2));
	if (!(how & IN_THREAD)) {
		close(recv);
		close(sock);
	}
	EXPECT_TRUE(wait_until(select_sleeps(op)));
	return op;
}

TEST_F(meet, closed_files_are_still_received_from)
{
	struct select_op *op;
	struct pair pair;
	int sock[2];

	make_pair(_metadata, &pair, 0, 0);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	op = park_closed(_metadata, self->ctl, pair.recv, sock[0], variant->how);
	EXPECT_EQ(1, put(pair.send, "x"));
	EXPECT_TRUE(chose_text(op, 0, "x"));
	/* That was the last receive end. */
	EXPECT_EQ(-EPIPE, put(pair.send, "y"));
	EXPECT_EQ(-EPIPE, result(send(sock[1], "y", 1, MSG_NOSIGNAL)));
	close(pair.send);
	close(sock[1]);
}

TEST_F(meet, closed_files_are_still_polled)
{
	struct select_op *op;
	struct pair pair;
	int sock[2];

	make_pair(_metadata, &pair, 0, 0);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	op = park_closed(_metadata, self->ctl, pair.recv, sock[0], variant->how);
	close(sock[1]);
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP, op->cases[1].events);
	EXPECT_EQ(-EPIPE, put(pair.send, "y"));
	close(pair.send);
}

/* --- A select that does not wait looks at one instant --- */

#define LOOKS	10000
#define LEAST_MOVES	100

/* Somebody who looks at two channels, and somebody who changes them. */
struct look {
	struct task task;
	int ctl;
	struct pair x;
	struct pair y;
	bool sends;	/* the looks are for places, not for messages */
	int tokens;
	int stop;
	__u32 moves;
};

/* One of those who look; @task.ret: what came of the last look. */
struct looker {
	struct task task;
	struct look *look;
	__u32 looks;
};

static bool stopped_look(struct look *look)
{
	return __atomic_load_n(&look->stop, __ATOMIC_ACQUIRE);
}

/* One message more, or with @sends one place more; and one less. */
static long one_more(struct look *look, struct pair *pair)
{
	char token;

	return look->sends ? do_read(pair->recv, &token, 1) : do_write(pair->send, "t", 1);
}

static long one_less(struct look *look, struct pair *pair)
{
	char token;

	return look->sends ? do_write(pair->send, "t", 1) : do_read(pair->recv, &token, 1);
}

static void run_mover(struct task *task)
{
	struct look *look = (struct look *)task;
	struct pair *from = &look->x, *to = &look->y, *swap;
	int i;

	task->ret = 0;
	while (!stopped_look(look)) {
		for (i = 0; i < look->tokens; i++) {
			if (one_more(look, to) != 1 || one_less(look, from) != 1) {
				task->ret = -EIO;
				return;
			}
			look->moves++;
		}
		swap = from;
		from = to;
		to = swap;
	}
}

/* Take one, from where there is one, and put it back. */
static long look_once(struct look *look, __u32 round)
{
	struct pair *pair[2] = { &look->x, &look->y };
	struct chan_case cases[2];
	char token[2] = { 't', 't' };
	struct chan_select arg;
	long ret;
	int i;

	if (round & 1) {
		pair[0] = &look->y;
		pair[1] = &look->x;
	}
	for (i = 0; i < 2; i++) {
		if (look->sends)
			cases[i] = case_send(pair[i]->send, &token[i], 1);
		else
			cases[i] = case_recv(pair[i]->recv, &token[i], 1);
	}
	arg = select_of(cases, 2, 0);
	arg.flags = round & 2 ? CHAN_SELECT_PRIORITY : 0;
	ret = do_ioctl(look->ctl, CHAN_IOC_SELECT, &arg);
	if (ret)
		return ret;
	if (cases[arg.index].status)
		return cases[arg.index].status;
	return one_more(look, pair[arg.index]);
}

static bool few_moves(struct look *look, long began)
{
	return __atomic_load_n(&look->moves, __ATOMIC_RELAXED) < LEAST_MOVES &&
	       now_ms() < began + DEADLINE_MS;
}

/*
 * There are @tokens in two channels with room for all and one more, and one who
 * moves them. It sends one to the other channel before it takes one from the
 * first, so at every instant it has given at least @tokens. Each of those who
 * look takes one and puts it back where it was, and there are @tokens of them:
 * when one of them looks, it has none itself and the others have @tokens - 1 at
 * most, so one at least lies in a channel, at every instant of the look. Who
 * looks at one channel after the other misses it sometimes: it was in the
 * second while the first was looked at, and has been moved in between.
 *
 * Nobody waits for ever: the mover may wait for a message that one who looks
 * has taken from that channel, and gets it when it is put back.
 *
 * With @sends it is the same with places instead of messages. Each channel has
 * a place, and the mover's message is in one of them: it takes it from there
 * before it sends to the other.
 */
static void run_looker(struct task *task)
{
	struct looker *me = (struct looker *)task;
	long began = now_ms(), ret = 1;

	while (ret == 1 && (go_on(began, me->looks, LOOKS) || few_moves(me->look, began)))
		ret = look_once(me->look, me->looks++);
	task->ret = ret;
}

static void look_at_two(struct __test_metadata *_metadata, int ctl, int tokens, bool sends,
			unsigned int how)
{
	struct look *look = shared(_metadata, sizeof(*look));
	struct looker *looker[2];
	int i;

	look->ctl = ctl;
	look->sends = sends;
	look->tokens = tokens;
	make_pair(_metadata, &look->x, sends ? 1 : tokens + 1, 0);
	make_pair(_metadata, &look->y, sends ? 1 : tokens + 1, 0);
	for (i = 0; i < tokens; i++)
		ASSERT_EQ(1, put(sends ? look->y.send : look->x.send, "t"));
	start_task(_metadata, look, run_mover, how);
	for (i = 0; i < tokens; i++) {
		looker[i] = shared(_metadata, sizeof(*looker[i]));
		looker[i]->look = look;
		start_task(_metadata, looker[i], run_looker, how);
	}
	for (i = 0; i < tokens; i++) {
		EXPECT_EQ(1, finish_task(looker[i]));
		TH_LOG("%u looks, %u moves", looker[i]->looks, look->moves);
	}
	__atomic_store_n(&look->stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, finish_task(look));
	EXPECT_LE(LEAST_MOVES, look->moves);
	close_pair(&look->x);
	close_pair(&look->y);
}

TEST_F(meet, looking_for_a_message)
{
	look_at_two(_metadata, self->ctl, 1, false, variant->how);
}

TEST_F(meet, two_looking_for_messages)
{
	look_at_two(_metadata, self->ctl, 2, false, variant->how);
}

TEST_F(meet, looking_for_a_place)
{
	look_at_two(_metadata, self->ctl, 1, true, variant->how);
}

/*
 * A buffer for one message holds that, or has a place for it; while somebody
 * fills and drains it as fast as he can. With priority, what comes third is never
 * chosen.
 */
static void run_flipper(struct task *task)
{
	struct look *look = (struct look *)task;
	char token;

	while (!stopped_look(look)) {
		do_write(look->x.send, "t", 1);
		do_read(look->x.recv, &token, 1);
		look->moves++;
	}
	task->ret = 0;
}

static long look_for_either(struct look *look, __u32 round)
{
	char token = 't', room;
	struct chan_case cases[3] = {
		case_send(look->x.send, &token, 1),
		case_recv(look->x.recv, &room, 1),
		case_send(look->y.send, &token, 1),
	};
	bool ordered = round & 2;
	struct chan_select arg = select_of(cases, 2 + ordered, 0);
	long ret;

	if (round & 1) {
		struct chan_case first = cases[0];

		cases[0] = cases[1];
		cases[1] = first;
	}
	arg.flags = ordered ? CHAN_SELECT_PRIORITY : 0;
	ret = do_ioctl(look->ctl, CHAN_IOC_SELECT, &arg);
	if (!ret && arg.index == 2)
		return -EBUSY;
	return ret ?: cases[arg.index].status;
}

static void run_either_looker(struct task *task)
{
	struct looker *me = (struct looker *)task;
	long began = now_ms(), ret = 0;

	while (!ret && (go_on(began, me->looks, 5 * LOOKS) || few_moves(me->look, began)))
		ret = look_for_either(me->look, me->looks++);
	task->ret = ret;
}

TEST_F(meet, a_buffer_has_a_message_or_a_place)
{
	struct look *look = shared(_metadata, sizeof(*look));
	struct looker *looker = shared(_metadata, sizeof(*looker));

	look->ctl = self->ctl;
	make_pair(_metadata, &look->x, 1, 0);
	make_pair(_metadata, &look->y, 1, 0);
	set_nonblock(look->x.send, true);
	set_nonblock(look->x.recv, true);
	start_task(_metadata, look, run_flipper, variant->how);
	looker->look = look;
	start_task(_metadata, looker, run_either_looker, variant->how);
	EXPECT_EQ(0, finish_task(looker));
	TH_LOG("%u looks, %u moves", looker->looks, look->moves);
	__atomic_store_n(&look->stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, finish_task(look));
	EXPECT_LE(LEAST_MOVES, look->moves);
	close_pair(&look->x);
	close_pair(&look->y);
}

/*
 * The same with partners who are parked on channels without a buffer. Two of
 * them, each on a channel of its own, wait in a select for somebody to take
 * their message, or for the mover to say that they shall go; then they wait
 * until it says that they shall come back. Whose message was taken comes back at
 * once.
 *
 * The mover lets one come back, sees that it is parked, says so by counting up
 * @arrivals, and only then tells the other to go. Who looks waits after each
 * message that it took until two more have arrived. The later one of these was
 * seen parked after the message was taken, and nobody takes anything meanwhile:
 * from then on there is one parked at every instant until the next look has
 * taken one, because no one is told to go before the other has arrived.
 */
struct parked_look {
	struct task task;
	int ctl;
	struct pair channel[2];
	struct pair order[2];	/* to go, and to come back */
	__u32 arrivals;
	int stop;
};

struct parked_partner {
	struct task task;
	struct parked_look *look;
	int number;
};

static void run_partner(struct task *task)
{
	struct parked_partner *me = (struct parked_partner *)task;
	struct parked_look *look = me->look;
	struct pair *order = &look->order[me->number];
	struct chan_case cases[2];
	long ret = 1;
	char byte;

	while (ret == 1 && do_read(order->recv, &byte, 1) == 1) {
		do {
			cases[0] = case_text(look->channel[me->number].send, "t");
			cases[1] = case_recv(order->recv, &byte, 1);
			ret = do_select(look->ctl, cases, 2, CHAN_SELECT_FOREVER);
		} while (!ret);
	}
	task->ret = ret;
}

static void run_orders(struct task *task)
{
	struct parked_look *look = (struct parked_look *)task;
	int next = 0;

	task->ret = 0;
	do_write(look->order[1].send, "c", 1);
	while (!__atomic_load_n(&look->stop, __ATOMIC_ACQUIRE)) {
		do_write(look->order[next].send, "c", 1);
		if (!spin_until(info(look->channel[next].recv).parked_senders)) {
			task->ret = -EIO;
			return;
		}
		__atomic_add_fetch(&look->arrivals, 1, __ATOMIC_ACQ_REL);
		next = !next;
		do_write(look->order[next].send, "g", 1);
	}
	do_write(look->order[!next].send, "g", 1);
}

/* The processors are left to those who make it come true. */
static bool wait_arrivals(struct parked_look *look, __u32 more)
{
	__u32 now = __atomic_load_n(&look->arrivals, __ATOMIC_ACQUIRE);
	struct timespec ts = { .tv_nsec = 20000 };
	long end = now_ms() + DEADLINE_MS;

	while (__atomic_load_n(&look->arrivals, __ATOMIC_ACQUIRE) - now < more) {
		if (now_ms() > end)
			return false;
		nanosleep(&ts, NULL);
	}
	return true;
}

static long look_for_parked(struct parked_look *look, __u32 round)
{
	struct chan_case cases[2];
	char byte[2];
	long ret;
	int i;

	for (i = 0; i < 2; i++)
		cases[i] = case_recv(look->channel[(i + round) & 1].recv, &byte[i], 1);
	ret = try_select(look->ctl, cases, 2);
	return ret < 0 ? ret : cases[ret].status;
}

TEST_F(meet, looking_for_who_is_parked)
{
	struct parked_look *look = shared(_metadata, sizeof(*look));
	struct parked_partner *partner[2];
	long began = now_ms();
	__u64 random = 1;
	__u32 round;
	int i;

	look->ctl = self->ctl;
	memcpy(look->channel, self->pair, sizeof(look->channel));
	memcpy(look->order, &self->pair[2], sizeof(look->order));
	for (i = 0; i < 2; i++) {
		partner[i] = shared(_metadata, sizeof(*partner[i]));
		partner[i]->look = look;
		partner[i]->number = i;
		start_task(_metadata, partner[i], run_partner, variant->how);
	}
	start_task(_metadata, look, run_orders, variant->how);
	for (round = 0; go_on(began, round, LOOKS); round++) {
		ASSERT_TRUE(wait_arrivals(look, 2));
		linger(&random);
		ASSERT_EQ(0, look_for_parked(look, round))
			TH_LOG("look %u, arrival %u", round, look->arrivals);
	}
	TH_LOG("%u looks, %u arrivals", round, look->arrivals);
	__atomic_store_n(&look->stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, finish_task(look));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, end_channel(look->order[i].send, 0));
		EXPECT_EQ(1, finish_task(partner[i]));
	}
	EXPECT_EQ(round, info(self->pair[0].recv).received + info(self->pair[1].recv).received);
	EXPECT_TRUE(no_trace(self->pair, CHANNELS));
}

/* --- Priority: who sends to the first before the second is received so --- */

#define PRIORITIES	5000

struct priority {
	struct task task;
	struct pair first;
	struct pair second;
};

static void run_first_then_second(struct task *task)
{
	struct priority *me = (struct priority *)task;
	__u32 round;

	for (round = 1; round <= PRIORITIES; round++) {
		task->ret = do_write(me->first.send, &round, sizeof(round));
		if (task->ret == sizeof(round))
			task->ret = do_write(me->second.send, &round, sizeof(round));
		if (task->ret != sizeof(round))
			return;
	}
	task->ret = 0;
}

/*
 * Number n is in the first channel before it is in the second: a select that
 * gets it from the second has left it in the first, which it must not, unless
 * it was taken from there before. @swapped: the second is the older channel.
 */
static void first_before_second(struct __test_metadata *_metadata, int ctl, bool swapped,
				bool waits, unsigned int how)
{
	struct priority *sender = shared(_metadata, sizeof(*sender));
	struct pair *pair[2] = { &sender->first, &sender->second };
	__u64 deadline = waits ? CHAN_SELECT_FOREVER : 0;
	__u32 value[2], taken[2] = { 0 };
	struct chan_case cases[2];
	struct chan_select arg;
	long ret;
	int i;

	for (i = 0; i < 2; i++)
		make_pair(_metadata, pair[i ^ swapped], 4, 0);
	start_task(_metadata, sender, run_first_then_second, how);
	while (taken[1] < PRIORITIES) {
		for (i = 0; i < 2; i++)
			cases[i] = case_recv(pair[i]->recv, &value[i], sizeof(value[i]));
		arg = select_of(cases, 2, deadline);
		arg.flags = CHAN_SELECT_PRIORITY;
		ret = do_ioctl(ctl, CHAN_IOC_SELECT, &arg);
		if (ret == -EAGAIN && !waits)
			continue;
		ASSERT_EQ(0, ret);
		i = arg.index;
		ASSERT_EQ(0, cases[i].status);
		ASSERT_EQ(taken[i] + 1, value[i]);
		taken[i]++;
		ASSERT_GE(taken[0], taken[1]);
	}
	EXPECT_EQ(0, finish_task(sender));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(no_trace(pair[i], 1));
		close_pair(pair[i]);
	}
}

TEST_F(meet, priority_is_that_of_one_instant)
{
	first_before_second(_metadata, self->ctl, false, true, variant->how);
	first_before_second(_metadata, self->ctl, true, true, variant->how);
	first_before_second(_metadata, self->ctl, false, false, variant->how);
	first_before_second(_metadata, self->ctl, true, false, variant->how);
}

/* --- Two who do not wait never meet --- */

#define TRIES		20000
#define OVERLAPPING	1000

struct trier {
	struct task task;
	int ctl;
	struct pair pair[2];
	bool plainly;
	struct trier *other;
	__u32 tries;
	__u32 overlapping;	/* tries in a time in which the other did some */
};

static long try_once(struct trier *me, bool sends)
{
	struct chan_case cases[2];
	char data[SMALL] = "";
	int i;

	if (me->plainly)
		return sends ? do_write(me->pair[0].send, data, 1) :
			       do_read(me->pair[0].recv, data, SMALL);
	for (i = 0; i < 2; i++) {
		if (sends)
			cases[i] = case_send(me->pair[i].send, data, 1);
		else
			cases[i] = case_recv(me->pair[i].recv, data, SMALL);
	}
	return try_select(me->ctl, cases, 2);
}

static __u32 tries_of(struct trier *trier)
{
	return __atomic_load_n(&trier->tries, __ATOMIC_RELAXED);
}

/* Enough on both sides, and enough of it at the same time. */
static bool tried_enough(struct trier *me)
{
	return tries_of(me) >= TRIES && tries_of(me->other) >= TRIES &&
	       __atomic_load_n(&me->overlapping, __ATOMIC_RELAXED) +
	       __atomic_load_n(&me->other->overlapping, __ATOMIC_RELAXED) >= OVERLAPPING;
}

static void run_trier(struct task *task)
{
	struct trier *me = (struct trier *)task;
	__u32 before = 0, now;
	long began = now_ms();

	/* Side by side, if there are two processors. */
	bind_to(0, me > me->other);
	do {
		task->ret = try_once(me, me < me->other);
		now = tries_of(me->other);
		__atomic_add_fetch(&me->overlapping, now != before, __ATOMIC_RELAXED);
		before = now;
		__atomic_add_fetch(&me->tries, 1, __ATOMIC_RELAXED);
	} while (task->ret == -EAGAIN && !tried_enough(me) && now_ms() < began + DEADLINE_MS);
}

static void never_meet(struct __test_metadata *_metadata, int ctl, struct pair *pair,
		       bool plain_sender, bool plain_receiver, unsigned int how)
{
	struct trier *one = shared(_metadata, 2 * sizeof(*one));
	int i;

	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	for (i = 0; i < 2; i++) {
		one[i].ctl = ctl;
		memcpy(one[i].pair, pair, sizeof(one[i].pair));
		one[i].plainly = i ? plain_receiver : plain_sender;
		one[i].other = &one[!i];
	}
	for (i = 0; i < 2; i++)
		start_task(_metadata, &one[i], run_trier, how);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(-EAGAIN, finish_task(&one[i]));
	if (CPU_COUNT(&all_cpus) > 1)
		EXPECT_LT(100, one[0].overlapping + one[1].overlapping);
	EXPECT_EQ(0, info(pair[0].recv).sent + info(pair[1].recv).sent);
	EXPECT_TRUE(no_trace(pair, 2));
}

TEST_F(meet, two_that_do_not_wait_never_meet)
{
	int i;

	for (i = 0; i < 2; i++) {
		set_nonblock(self->pair[i].send, true);
		set_nonblock(self->pair[i].recv, true);
	}
	never_meet(_metadata, self->ctl, self->pair, false, false, variant->how);
	never_meet(_metadata, self->ctl, self->pair, false, true, variant->how);
	never_meet(_metadata, self->ctl, self->pair, true, false, variant->how);
}

/* --- Pollers are told of selects --- */

static void watch_all(struct __test_metadata *_metadata, struct pair *pair, bool sends,
		      __u32 flags, int *epfd)
{
	int i;

	for (i = 0; i < CHANNELS; i++) {
		epfd[i] = sends ? watch(_metadata, pair[i].recv, EPOLLIN | flags) :
				  watch(_metadata, pair[i].send, EPOLLOUT | flags);
		EXPECT_EQ(0, seen(epfd[i]));
	}
}

/* The other sides of all channels of a select are told of it, and of its end. */
static void watch_selects(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			  bool sends, __u32 flags, unsigned int how)
{
	__u32 wanted = sends ? EPOLLIN : EPOLLOUT;
	int epfd[CHANNELS], i, round;
	struct select_op *op;

	watch_all(_metadata, pair, sends, flags, epfd);
	for (round = 0; round < CHANNELS; round++) {
		op = new_of(_metadata, ctl, pair, CHANNELS, sends, SMALL);
		park_select(_metadata, op, how);
		for (i = 0; i < CHANNELS; i++) {
			EXPECT_EQ(wanted, seen(epfd[i]));
			EXPECT_EQ(flags & EPOLLET ? 0 : wanted, seen(epfd[i]));
		}
		meet(_metadata, op, pair, round, SMALL);
		for (i = 0; i < CHANNELS; i++)
			EXPECT_EQ(0, seen(epfd[i]));
	}
	for (i = 0; i < CHANNELS; i++)
		close(epfd[i]);
}

TEST_F(meet, level_triggered)
{
	watch_selects(_metadata, self->ctl, self->pair, true, 0, variant->how);
	watch_selects(_metadata, self->ctl, self->pair, false, 0, variant->how);
}

TEST_F(meet, edge_triggered)
{
	watch_selects(_metadata, self->ctl, self->pair, true, EPOLLET, variant->how);
	watch_selects(_metadata, self->ctl, self->pair, false, EPOLLET, variant->how);
}

/* Pollers are asleep, and are woken by a select that parks with many cases. */
static void wake_pollers(struct __test_metadata *_metadata, int ctl, struct pair *pair,
			 bool sends, unsigned int how)
{
	struct select_op *poller[CHANNELS], *op;
	int i;

	for (i = 0; i < CHANNELS; i++) {
		poller[i] = new_select(_metadata, ctl, 1, SMALL);
		add_poll(poller[i], sends ? pair[i].recv : pair[i].send,
			 sends ? POLLIN : POLLOUT);
		park_select(_metadata, poller[i], how);
	}
	op = new_of(_metadata, ctl, pair, CHANNELS, sends, SMALL);
	start_select(_metadata, op, how);
	for (i = 0; i < CHANNELS; i++) {
		EXPECT_TRUE(chose(poller[i], 0, 0));
		EXPECT_EQ(sends ? POLLIN : POLLOUT, poller[i]->cases[0].events);
	}
	meet(_metadata, op, pair, 3, SMALL);
	EXPECT_TRUE(no_trace(pair, CHANNELS));
}

TEST_F(meet, pollers_are_woken_by_a_select)
{
	wake_pollers(_metadata, self->ctl, self->pair, true, variant->how);
	wake_pollers(_metadata, self->ctl, self->pair, false, variant->how);
}

TEST_HARNESS_MAIN
