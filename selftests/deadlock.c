// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlocks: found when nobody in a scope can act any more, and soon; not
 * reported as long as anybody can.
 *
 * Most tests of the second kind are a deadlock but for one thing. When that is
 * taken away the report comes, which shows that it was this thing that counted.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "scope_test.h"

#define NEVER		CHAN_SCOPE_GRACE_NEVER
#define DETECT		CHAN_SCOPE_DETECT_DEADLOCK
#define MS(n)		((n) * NS_PER_MS)

/* The contract's word on how soon. */
#define FOUND_MS	100
/* Many times that, for what is not to be found. */
#define A_WHILE_MS	400
/* How long something stands in the way that goes by itself. */
#define OBSTACLE_MS	600

#define MEMBERS		4
#define CHANNELS	(MEMBERS + 1)	/* without a buffer, but for the last */
#define LAST		(CHANNELS - 1)
#define OWNER		MEMBERS
#define PARTIES		(MEMBERS + 1)

/* What the parties write down, in memory that they share. */
static struct notes {
	__u64 parked_ns[PARTIES];	/* right before */
	__u64 back_ns[PARTIES];
	__u64 armed_ns;
	int go;				/* the obstacle is gone */
	int running;
	long second_ret;
	int second_back;
	__u64 hops;			/* of the token in a ring */
	long trouble;
	long until_ms;
} *notes;

FIXTURE(deadlock) {
	struct actor party[PARTIES];	/* the owner is the last */
	bool told[PARTIES];		/* an answer is to come */
	int held;			/* the scope, as the owner has it */
	struct pair pair[CHANNELS];
	struct pair own[CHANNELS];	/* the same, as the owner has them */
	struct pair outside;		/* of the root scope */
	int event;
	int members;
	int inner_held;			/* a scope inside, as party 0 has it */
	struct pair inner;		/* its channel */
	int inner_recv;			/* the same, as party 0 has it */
};

/* --- Setting it up --- */

static void let_pass(long ms)
{
	long end = now_ms() + ms;

	while (now_ms() < end)
		nap();
}

/* Nobody but the owner has the scope's file when this is done. */
static void open_it(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self)
{
	struct actor *owner = &self->party[OWNER];
	int i;

	memset(notes, 0, sizeof(*notes));
	*owner = start_actor(_metadata, NEW_GROUP, keep_none);
	self->held = open_scope_as(owner);
	ASSERT_LE(0, self->held);
	ASSERT_EQ(0, set_as(owner, self->held, 0, NEVER, 0, DETECT));
	for (i = 0; i < CHANNELS; i++) {
		ASSERT_EQ(0, create_as(owner, self->held, i == LAST, &self->own[i]));
		self->pair[i].send = take(owner, self->own[i].send);
		self->pair[i].recv = take(owner, self->own[i].recv);
	}
	self->members = 0;
}

static void close_it(FIXTURE_DATA(deadlock) * self)
{
	int i;

	for (i = 0; i < PARTIES; i++) {
		if (self->party[i].pid)
			kill_actor(&self->party[i]);
		self->party[i].pid = 0;
		self->told[i] = false;
	}
	for (i = 0; i < CHANNELS; i++)
		close_pair(&self->pair[i]);
}

FIXTURE_SETUP(deadlock)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	notes = shared(_metadata, sizeof(*notes));
	make_pair(_metadata, &self->outside, 0, 0);
	self->event = eventfd(0, EFD_CLOEXEC);
	self->inner = (struct pair){ -1, -1 };
	open_it(_metadata, self);
}

FIXTURE_TEARDOWN(deadlock)
{
	close_it(self);
}

/* Each member has all channels. */
static struct actor start_party(struct __test_metadata *_metadata,
				FIXTURE_DATA(deadlock) * self, pid_t group)
{
	int fds[2 * CHANNELS + 6], n = 0, i;

	for (i = 0; i < CHANNELS; i++) {
		fds[n++] = self->pair[i].send;
		fds[n++] = self->pair[i].recv;
	}
	fds[n++] = self->outside.send;
	fds[n++] = self->outside.recv;
	fds[n++] = self->event;
	fds[n++] = self->inner.send;
	fds[n++] = self->inner.recv;
	fds[n] = -1;
	return start_actor(_metadata, group, fds);
}

/*
 * Who binds a scope is its owner, and can bind the group of a child alone. So it
 * has one for that, which goes when there are members.
 */
static struct actor start_anchor(struct __test_metadata *_metadata, struct actor *owner,
				 int held)
{
	struct actor anchor = start_below(_metadata, owner, NEW_GROUP, keep_none);

	EXPECT_EQ(0, bind_as(owner, held, anchor.pid));
	return anchor;
}

/* As many members as there are to be. */
static void join_it(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self, int n)
{
	struct actor anchor = start_anchor(_metadata, &self->party[OWNER], self->held);
	int i;

	for (i = 0; i < n; i++)
		self->party[i] = start_party(_metadata, self, anchor.pid);
	stop_actor(&anchor);
	self->members = n;
}

/* --- Parking --- */

#define MOST_CASES	4

static long select_in(struct act *act)
{
	static __thread char room[MOST_CASES][ROOM];
	struct chan_case cases[MOST_CASES];
	long i, ret, n = act->len / sizeof(*cases);

	memcpy(cases, act->data, act->len);
	for (i = 0; i < n; i++) {
		cases[i].buf = address(room[i]);
		cases[i].len = 1;
	}
	ret = do_select(act->fd, cases, n, act->more);
	return ret < 0 ? ret : cases[ret].status;
}

/* What @more tells to do, if it is no select with that deadline. */
#define TO_READ		1
#define TO_WRITE	2
#define TO_WAIT		3

/* @value is the party. */
static long act_park(struct act *act)
{
	long who = act->value, ret;

	notes->parked_ns[who] = in_ms(0);
	if (act->more == TO_READ)
		ret = act_read(act);
	else if (act->more == TO_WRITE)
		ret = do_write(act->fd, "x", 1);
	else if (act->more == TO_WAIT)
		ret = act_wait(act);
	else
		ret = select_in(act);
	notes->back_ns[who] = in_ms(0);
	return ret;
}

static void tell_party(FIXTURE_DATA(deadlock) * self, int who, struct act *act, act_fn fn)
{
	self->told[who] = true;
	tell(&self->party[who], act, fn);
}

static struct act to_do(int who, int fd, long what)
{
	struct act act = act_on(fd);

	act.value = who;
	act.more = what;
	return act;
}

static void park_read(FIXTURE_DATA(deadlock) * self, int who, int fd)
{
	struct act act = to_do(who, fd, TO_READ);

	tell_party(self, who, &act, act_park);
}

static void park_write(FIXTURE_DATA(deadlock) * self, int who, int fd)
{
	struct act act = to_do(who, fd, TO_WRITE);

	tell_party(self, who, &act, act_park);
}

static void park_cases(FIXTURE_DATA(deadlock) * self, int who, const struct chan_case *cases,
		       int n, __u64 deadline)
{
	struct act act = to_do(who, self->pair[0].send, deadline);

	act.len = n * sizeof(*cases);
	memcpy(act.data, cases, act.len);
	tell_party(self, who, &act, act_park);
}

/* The owner waits for its members. */
static void park_wait_until(FIXTURE_DATA(deadlock) * self, __u64 deadline)
{
	struct act act = to_do(OWNER, self->held, TO_WAIT);

	memcpy(act.data, &deadline, sizeof(deadline));
	tell_party(self, OWNER, &act, act_park);
}

static void park_wait(FIXTURE_DATA(deadlock) * self)
{
	park_wait_until(self, FOREVER);
}

static struct chan_case to_send(int fd)
{
	return (struct chan_case){ .fd = fd, .op = CHAN_SEND };
}

static struct chan_case to_recv(int fd)
{
	return (struct chan_case){ .fd = fd, .op = CHAN_RECV };
}

static bool asleep(FIXTURE_DATA(deadlock) * self, int who)
{
	return state_of(self->party[who].pid) == 'S' && settled(self->party[who].pid) &&
	       notes->parked_ns[who];
}

static bool all_asleep(FIXTURE_DATA(deadlock) * self)
{
	int i;

	for (i = 0; i < PARTIES; i++)
		if (self->told[i] && !asleep(self, i))
			return false;
	return true;
}

/* --- What is to come of it --- */

/* Of party @who, that was told to do something. */
static long result_of(FIXTURE_DATA(deadlock) * self, int who)
{
	self->told[who] = false;
	return finish_as(&self->party[who]);
}

/* The scope's cause, when all its members have gone. */
static long cause_in_the_end(FIXTURE_DATA(deadlock) * self)
{
	struct act act;
	int i;

	for (i = 0; i < self->members; i++)
		stop_actor(&self->party[i]);
	if (!self->told[OWNER])
		park_wait(self);
	self->told[OWNER] = false;
	return answer(&self->party[OWNER], &act) ? OP_STUCK : act.value;
}

/*
 * Each party that was told to do something has been told of the deadlock: if it
 * is the owner, in the same way if it was parked, or by the cause.
 */
static void expect_found(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self,
			 bool owner_waits)
{
	int i;

	for (i = 0; i < self->members; i++) {
		if (!self->told[i])
			continue;
		EXPECT_EQ(-EDEADLK, result_of(self, i))
			TH_LOG("member %d", i);
		/* It is told once; from then on the scope is cancelled. */
		EXPECT_EQ(-ECANCELED, get_as(&self->party[i], self->pair[0].recv));
		EXPECT_EQ(-ECANCELED, put_as(&self->party[i], self->pair[LAST].send, "x"));
	}
	if (!owner_waits)
		EXPECT_EQ(-EDEADLK, result_of(self, OWNER));
	EXPECT_EQ(EDEADLK, cause_in_the_end(self));
}

/* Nobody has been told anything, for a while. */
static void expect_nothing(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self)
{
	int i;

	let_pass(A_WHILE_MS);
	for (i = 0; i < PARTIES; i++)
		if (self->told[i])
			EXPECT_FALSE(has_answered(&self->party[i]))
				TH_LOG("party %d", i);
}

/* --- Found --- */

TEST_F(deadlock, of_one)
{
	join_it(_metadata, self, 1);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, of_two_that_wait_for_each_other)
{
	join_it(_metadata, self, 2);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	expect_found(_metadata, self, true);
}

/* It comes last. */
TEST_F(deadlock, of_two_and_an_owner_that_waits)
{
	join_it(_metadata, self, 2);
	park_read(self, 0, self->pair[0].recv);
	park_write(self, 1, self->pair[1].send);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	park_wait(self);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, with_the_owner_in_it)
{
	join_it(_metadata, self, 1);
	park_read(self, 0, self->pair[1].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	park_read(self, OWNER, self->own[0].recv);
	expect_found(_metadata, self, false);
}

TEST_F(deadlock, with_the_owner_in_a_select)
{
	struct chan_case cases[] = {
		to_recv(self->own[0].recv), to_recv(self->own[1].recv),
	};
	struct act act = to_do(OWNER, self->held, FOREVER);

	join_it(_metadata, self, 1);
	park_read(self, 0, self->pair[0].recv);
	act.len = sizeof(cases);
	memcpy(act.data, cases, sizeof(cases));
	tell_party(self, OWNER, &act, act_park);
	expect_found(_metadata, self, false);
}

TEST_F(deadlock, of_receivers_on_one_channel)
{
	int i;

	join_it(_metadata, self, MEMBERS);
	park_wait(self);
	for (i = 0; i < MEMBERS; i++)
		park_read(self, i, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, of_senders)
{
	int i;

	join_it(_metadata, self, MEMBERS);
	park_wait(self);
	for (i = 0; i < MEMBERS; i++)
		park_write(self, i, self->pair[i % 2].send);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, of_senders_into_a_full_buffer)
{
	int i;

	join_it(_metadata, self, MEMBERS);
	ASSERT_EQ(4, put_as(&self->party[0], self->pair[LAST].send, "full"));
	park_wait(self);
	for (i = 0; i < MEMBERS; i++)
		park_write(self, i, self->pair[LAST].send);
	expect_found(_metadata, self, true);
}

/* The one would send what the other would receive, if it were there. */
TEST_F(deadlock, of_a_sender_and_a_receiver_that_miss_each_other)
{
	join_it(_metadata, self, 2);
	park_wait(self);
	park_write(self, 0, self->pair[0].send);
	park_write(self, 1, self->pair[1].send);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, of_selects)
{
	struct chan_case both[] = {
		to_recv(self->pair[0].recv), to_recv(self->pair[1].recv),
	};
	struct chan_case back[] = {
		to_recv(self->pair[LAST].recv), to_recv(self->pair[0].recv),
	};

	join_it(_metadata, self, 3);
	park_wait(self);
	park_cases(self, 0, both, 2, FOREVER);
	park_cases(self, 1, back, 2, FOREVER);
	park_read(self, 2, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, of_selects_that_send)
{
	struct chan_case cases[] = {
		to_send(self->pair[0].send), to_send(self->pair[1].send), case_disabled(),
	};

	join_it(_metadata, self, 2);
	park_wait(self);
	park_cases(self, 0, cases, 3, FOREVER);
	park_cases(self, 1, cases, 3, FOREVER);
	expect_found(_metadata, self, true);
}

/* It could meet anybody but itself. */
TEST_F(deadlock, of_a_select_alone_on_both_sides)
{
	struct chan_case cases[] = {
		to_send(self->pair[0].send), to_recv(self->pair[0].recv),
		to_recv(self->pair[0].recv), to_recv(self->pair[LAST].recv),
	};

	join_it(_metadata, self, 1);
	park_wait(self);
	park_cases(self, 0, cases, 4, FOREVER);
	expect_found(_metadata, self, true);
}

static long act_zombie(struct act *act)
{
	pid_t pid = fork();

	(void)act;
	if (!pid)
		_exit(0);
	return wait_until(state_of(pid) == 'Z') ? 0 : -ETIMEDOUT;
}

TEST_F(deadlock, whoever_is_dead_does_not_count)
{
	join_it(_metadata, self, 2);
	ASSERT_EQ(0, ask_on(&self->party[0], -1, act_zombie));
	kill(self->party[1].pid, SIGKILL);
	ASSERT_TRUE(wait_until(state_of(self->party[1].pid) == 'Z'));
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, whoever_has_left_does_not_count)
{
	join_it(_metadata, self, 2);
	ASSERT_EQ(0, setpgid_as(&self->party[1], NEW_GROUP));
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

/* A message comes just in time, and the next does not. */
TEST_F(deadlock, after_all_went_well)
{
	join_it(_metadata, self, 2);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	ASSERT_TRUE(wait_until(asleep(self, 0)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put_as(&self->party[1], self->pair[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	expect_found(_metadata, self, true);
}

/* --- Found soon --- */

/* --- How late comes who sleeps a millisecond again and again? --- */

/* On one processor each. */
#define WATCHERS 64

struct watcher {
	pthread_t thread;
	int cpu;
	bool over;
	__u64 since;	/* what was before is in @late */
	__u64 late;
};

static void *watch_processor(void *arg)
{
	struct timespec step = { .tv_nsec = 1000000 };
	struct watcher *watcher = arg;
	cpu_set_t mine;
	__u64 now;

	CPU_ZERO(&mine);
	CPU_SET(watcher->cpu, &mine);
	sched_setaffinity(0, sizeof(mine), &mine);
	do {
		nanosleep(&step, NULL);
		now = in_ms(0);
		if (now - watcher->since > MS(2))
			watcher->late += now - watcher->since - MS(2);
		watcher->since = now;
	} while (!__atomic_load_n(&watcher->over, __ATOMIC_RELAXED));
	return NULL;
}

static int start_watchers(struct watcher *watchers)
{
	cpu_set_t all;
	int cpu, n = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		return 0;
	for (cpu = 0; cpu < CPU_SETSIZE && n < WATCHERS; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		watchers[n] = (struct watcher){ .cpu = cpu, .since = in_ms(0) };
		if (!pthread_create(&watchers[n].thread, NULL, watch_processor, &watchers[n]))
			n++;
	}
	return n;
}

static __u64 stop_watchers(struct watcher *watchers, int n)
{
	__u64 late = 0;
	int i;

	for (i = 0; i < n; i++) {
		__atomic_store_n(&watchers[i].over, true, __ATOMIC_RELAXED);
		pthread_join(watchers[i].thread, NULL);
		late += watchers[i].late;
	}
	return late;
}

static __u64 latest(const __u64 *times, int n)
{
	__u64 last = 0;
	int i;

	for (i = 0; i < n; i++)
		if (times[i] > last)
			last = times[i];
	return last;
}

/*
 * From a moment before the last one parks to a moment after the last one is
 * told. What threads that have nothing else to do, one on each processor, were
 * kept from it meanwhile is time that this machine did not have.
 */
TEST_F(deadlock, is_found_soon)
{
	struct watcher watchers[WATCHERS];
	__u64 took, late, worst = 0;
	int round, n;

	for (round = 0; round < 15; round++) {
		join_it(_metadata, self, 2);
		park_wait(self);
		park_read(self, 0, self->pair[0].recv);
		ASSERT_TRUE(wait_until(asleep(self, 0) && asleep(self, OWNER)));
		/* Anywhere between two examinations. */
		let_pass(round * 7 % 30);
		n = start_watchers(watchers);
		park_read(self, 1, self->pair[1].recv);
		EXPECT_EQ(-EDEADLK, result_of(self, 0));
		EXPECT_EQ(-EDEADLK, result_of(self, 1));
		late = stop_watchers(watchers, n);
		took = latest(notes->back_ns, 2) - notes->parked_ns[1];
		EXPECT_GE(MS(FOUND_MS) + late, took)
			TH_LOG("took %llu us, this machine was late by %llu us",
			       (unsigned long long)took / 1000, (unsigned long long)late / 1000);
		worst = took > worst ? took : worst;
		close_it(self);
		open_it(_metadata, self);
	}
	TH_LOG("at worst %llu us", (unsigned long long)worst / 1000);
}

/* --- Not found: somebody runs, or will --- */

enum pastime {
	IN_A_LOOP,
	IN_NANOSLEEP,
	IN_PAUSE,
	IN_POLL,
	IN_POLL_OF_A_CHANNEL,
	IN_READ_OF_A_FILE,
};

static void pass_time(enum pastime how, int channel)
{
	struct pollfd pfd = { .fd = channel, .events = POLLIN };
	struct timespec step = { .tv_nsec = 3000000 };
	__u64 count;

	switch (how) {
	case IN_NANOSLEEP:
		nanosleep(&step, NULL);
		break;
	case IN_PAUSE:
		pause();
		break;
	case IN_POLL:
		poll(NULL, 0, -1);
		break;
	case IN_POLL_OF_A_CHANNEL:
		poll(&pfd, 1, -1);
		break;
	case IN_READ_OF_A_FILE:
		do_read(channel, &count, sizeof(count));
		break;
	default:
		break;
	}
}

static void note_signal(int sig)
{
	(void)sig;
}

static void handle_usr1(int flags)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
}

static void block_usr1(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool gone(void)
{
	return __atomic_load_n(&notes->go, __ATOMIC_ACQUIRE);
}

/* Until the obstacle is gone; then it parks. @len is the way, data[0..3] a file. */
static long act_linger(struct act *act)
{
	int file;

	memcpy(&file, act->data, sizeof(file));
	handle_usr1(0);
	__atomic_store_n(&notes->running, 1, __ATOMIC_RELEASE);
	while (!gone())
		pass_time(act->len, file);
	/* Those that were sent too many. */
	block_usr1();
	return act_park(act);
}

static bool is_roused(struct actor *actor)
{
	kill(actor->pid, SIGUSR1);
	return notes->parked_ns[0];
}

static void while_one_is(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self,
			 enum pastime how)
{
	struct act act = to_do(0, self->pair[0].recv, TO_READ);
	int file = how == IN_READ_OF_A_FILE ? self->event : self->pair[0].recv;

	join_it(_metadata, self, 2);
	act.len = how;
	memcpy(act.data, &file, sizeof(file));
	tell_party(self, 0, &act, act_linger);
	park_read(self, 1, self->pair[1].recv);
	park_wait(self);
	ASSERT_TRUE(wait_until(asleep(self, 1) && asleep(self, OWNER)));
	ASSERT_TRUE(wait_until(__atomic_load_n(&notes->running, __ATOMIC_ACQUIRE)));
	expect_nothing(_metadata, self);
	__atomic_store_n(&notes->go, 1, __ATOMIC_RELEASE);
	/* The signal may come before it sleeps again, and then is for nothing. */
	ASSERT_TRUE(wait_until(is_roused(&self->party[0])));
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, not_while_one_runs)
{
	while_one_is(_metadata, self, IN_A_LOOP);
}

TEST_F(deadlock, not_while_one_sleeps)
{
	while_one_is(_metadata, self, IN_NANOSLEEP);
}

TEST_F(deadlock, not_while_one_waits_for_a_signal)
{
	while_one_is(_metadata, self, IN_PAUSE);
}

TEST_F(deadlock, not_while_one_polls)
{
	while_one_is(_metadata, self, IN_POLL);
}

TEST_F(deadlock, not_while_one_polls_a_channel)
{
	while_one_is(_metadata, self, IN_POLL_OF_A_CHANNEL);
}

TEST_F(deadlock, not_while_one_reads_something_else)
{
	while_one_is(_metadata, self, IN_READ_OF_A_FILE);
}

TEST_F(deadlock, not_while_one_is_stopped)
{
	join_it(_metadata, self, 2);
	park_read(self, 0, self->pair[0].recv);
	ASSERT_TRUE(wait_until(asleep(self, 0)));
	kill(self->party[0].pid, SIGSTOP);
	ASSERT_TRUE(wait_until(state_of(self->party[0].pid) == 'T'));
	park_read(self, 1, self->pair[1].recv);
	park_wait(self);
	ASSERT_TRUE(wait_until(asleep(self, 1) && asleep(self, OWNER)));
	expect_nothing(_metadata, self);
	kill(self->party[0].pid, SIGCONT);
	expect_found(_metadata, self, true);
}

/* The child has not done anything yet. */
static long act_fork_and_park(struct act *act)
{
	pid_t pid = fork_child();

	if (!pid) {
		__atomic_store_n(&notes->running, 1, __ATOMIC_RELEASE);
		while (!gone())
			nap();
		notes->second_ret = act_read(act);
		__atomic_store_n(&notes->second_back, 1, __ATOMIC_RELEASE);
		_exit(0);
	}
	return act_park(act);
}

static bool second_is_back(void)
{
	return __atomic_load_n(&notes->second_back, __ATOMIC_ACQUIRE);
}

static void with_a_second(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self,
			  int who, act_fn fn)
{
	struct act act = to_do(who, self->pair[0].recv, TO_READ);

	join_it(_metadata, self, 2);
	if (who == OWNER)
		act = to_do(who, self->own[0].recv, TO_READ);
	tell_party(self, who, &act, fn);
	park_read(self, 1, self->pair[1].recv);
	if (who == OWNER)
		park_read(self, 0, self->pair[1].recv);
	else
		park_wait(self);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	ASSERT_TRUE(wait_until(__atomic_load_n(&notes->running, __ATOMIC_ACQUIRE)));
	expect_nothing(_metadata, self);
	EXPECT_FALSE(second_is_back());
	__atomic_store_n(&notes->go, 1, __ATOMIC_RELEASE);
	EXPECT_TRUE(wait_until(second_is_back()));
	EXPECT_EQ(-EDEADLK, notes->second_ret);
	expect_found(_metadata, self, who != OWNER);
}

TEST_F(deadlock, not_while_a_child_runs)
{
	with_a_second(_metadata, self, 0, act_fork_and_park);
}

static void *run_second(void *arg)
{
	struct act act = *(struct act *)arg;

	__atomic_store_n(&notes->running, 1, __ATOMIC_RELEASE);
	while (!gone())
		sched_yield();
	notes->second_ret = act_read(&act);
	__atomic_store_n(&notes->second_back, 1, __ATOMIC_RELEASE);
	return NULL;
}

static long act_thread_and_park(struct act *act)
{
	static struct act copy;
	pthread_t thread;

	copy = *act;
	if (pthread_create(&thread, NULL, run_second, &copy))
		return -EAGAIN;
	return act_park(act);
}

TEST_F(deadlock, not_while_a_second_thread_runs)
{
	with_a_second(_metadata, self, 0, act_thread_and_park);
}

TEST_F(deadlock, not_while_a_second_thread_of_the_owner_runs)
{
	with_a_second(_metadata, self, OWNER, act_thread_and_park);
}

/* The first thread has exited, and is no more than a name. */
static void *park_alone(void *arg)
{
	struct act *act = arg;

	__atomic_store_n(&notes->running, 1, __ATOMIC_RELEASE);
	notes->second_ret = act_read(act);
	__atomic_store_n(&notes->second_back, 1, __ATOMIC_RELEASE);
	_exit(0);
}

static long act_leave_it_to_a_thread(struct act *act)
{
	static struct act copy;
	pthread_t thread;

	copy = *act;
	if (pthread_create(&thread, NULL, park_alone, &copy))
		return -EAGAIN;
	syscall(SYS_exit, 0);
	return 0;
}

TEST_F(deadlock, of_a_process_whose_first_thread_has_gone)
{
	struct act act = to_do(0, self->pair[0].recv, TO_READ);

	join_it(_metadata, self, 1);
	park_wait(self);
	tell(&self->party[0], &act, act_leave_it_to_a_thread);
	EXPECT_TRUE(wait_until(second_is_back()));
	EXPECT_EQ(-EDEADLK, notes->second_ret);
	EXPECT_EQ(EDEADLK, cause_in_the_end(self));
}

/* --- Not found: it would come to an end by itself --- */

TEST_F(deadlock, not_while_one_has_a_deadline)
{
	struct chan_case recv = to_recv(self->pair[0].recv);
	__u64 until;

	join_it(_metadata, self, 2);
	park_wait(self);
	park_read(self, 1, self->pair[1].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	until = in_ms(OBSTACLE_MS);
	park_cases(self, 0, &recv, 1, until);
	EXPECT_EQ(-ETIMEDOUT, result_of(self, 0));
	EXPECT_LE(until, notes->back_ns[0]);
	expect_nothing(_metadata, self);
	park_cases(self, 0, &recv, 1, FOREVER);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, not_while_the_owner_has_a_deadline)
{
	join_it(_metadata, self, 1);
	park_read(self, 0, self->pair[0].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	park_wait_until(self, in_ms(OBSTACLE_MS));
	EXPECT_EQ(-ETIMEDOUT, result_of(self, OWNER));
	expect_nothing(_metadata, self);
	park_wait(self);
	expect_found(_metadata, self, true);
}

enum timer_kind {
	AN_ALARM,
	AN_INTERVAL_TIMER,
	A_POSIX_TIMER,
	A_POSIX_TIMER_FOR_THE_THREAD,
};

static timer_t posix_timer;

/* A timer that is there counts, be it set or not. */
static void drop_timer(int sig)
{
	(void)sig;
	timer_delete(posix_timer);
}

static void arm_posix_timer(int notify)
{
	struct itimerspec when = { .it_value.tv_nsec = MS(OBSTACLE_MS) };
	struct sigevent event = { .sigev_signo = SIGUSR1, .sigev_notify = notify };

	event._sigev_un._tid = syscall(SYS_gettid);
	if (!timer_create(CLOCK_MONOTONIC, &event, &posix_timer))
		timer_settime(posix_timer, 0, &when, NULL);
}

/* Its signal is handled, and the operation goes on as if nothing had been. */
static void arm(enum timer_kind kind)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };
	struct itimerval when = { .it_value.tv_usec = OBSTACLE_MS * 1000 };

	sigaction(SIGALRM, &action, NULL);
	action.sa_handler = drop_timer;
	sigaction(SIGUSR1, &action, NULL);
	notes->armed_ns = in_ms(0);
	switch (kind) {
	case AN_ALARM:
		alarm(1);
		break;
	case AN_INTERVAL_TIMER:
		setitimer(ITIMER_REAL, &when, NULL);
		break;
	case A_POSIX_TIMER:
		arm_posix_timer(SIGEV_SIGNAL);
		break;
	default:
		arm_posix_timer(SIGEV_THREAD_ID);
	}
}

/* @len is the kind. */
static long act_arm_and_park(struct act *act)
{
	arm(act->len);
	return act_park(act);
}

static void with_a_timer(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self,
			 int who, enum timer_kind kind)
{
	int fd = who == OWNER ? self->own[0].recv : self->pair[0].recv;
	struct act act = to_do(who, fd, TO_READ);

	join_it(_metadata, self, 2);
	act.len = kind;
	park_read(self, 1, self->pair[1].recv);
	if (who == OWNER)
		park_read(self, 0, self->pair[0].recv);
	else
		park_wait(self);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	tell_party(self, who, &act, act_arm_and_park);
	expect_found(_metadata, self, who != OWNER);
	EXPECT_LE(notes->armed_ns + MS(OBSTACLE_MS), notes->back_ns[who]);
	EXPECT_LE(notes->armed_ns + MS(OBSTACLE_MS), notes->back_ns[1]);
}

TEST_F(deadlock, not_while_an_alarm_is_to_come)
{
	with_a_timer(_metadata, self, 0, AN_ALARM);
}

TEST_F(deadlock, not_while_an_interval_timer_runs)
{
	with_a_timer(_metadata, self, 0, AN_INTERVAL_TIMER);
}

TEST_F(deadlock, not_while_a_posix_timer_runs)
{
	with_a_timer(_metadata, self, 0, A_POSIX_TIMER);
}

TEST_F(deadlock, not_while_a_posix_timer_for_a_thread_runs)
{
	with_a_timer(_metadata, self, 0, A_POSIX_TIMER_FOR_THE_THREAD);
}

TEST_F(deadlock, not_while_an_alarm_of_the_owner_is_to_come)
{
	with_a_timer(_metadata, self, OWNER, AN_ALARM);
}

TEST_F(deadlock, not_while_a_posix_timer_of_the_owner_runs)
{
	with_a_timer(_metadata, self, OWNER, A_POSIX_TIMER);
}

/* --- Not found: somebody outside can act --- */

TEST_F(deadlock, not_while_one_waits_for_a_file)
{
	struct chan_case cases[] = {
		to_recv(self->pair[0].recv), case_poll(self->event, POLLIN),
	};
	__u64 one = 1;

	join_it(_metadata, self, 2);
	park_wait(self);
	park_read(self, 1, self->pair[1].recv);
	park_cases(self, 0, cases, 2, FOREVER);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	do_write(self->event, &one, sizeof(one));
	EXPECT_EQ(0, result_of(self, 0));
	park_cases(self, 0, cases, 1, FOREVER);
	expect_found(_metadata, self, true);
}

/* Polling an end of the scope is no operation on it either. */
TEST_F(deadlock, not_while_one_polls_an_end)
{
	struct chan_case cases[] = {
		to_recv(self->pair[0].recv), case_poll(self->pair[LAST].recv, POLLIN),
	};

	join_it(_metadata, self, 2);
	park_wait(self);
	park_cases(self, 0, cases, 2, FOREVER);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put_as(&self->party[1], self->pair[LAST].send, "good"));
	EXPECT_EQ(0, result_of(self, 0));
	park_cases(self, 0, cases, 1, FOREVER);
	park_read(self, 1, self->pair[1].recv);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, not_while_one_waits_on_a_channel_outside)
{
	join_it(_metadata, self, 2);
	park_wait(self);
	park_read(self, 1, self->pair[1].recv);
	park_read(self, 0, self->outside.recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put(self->outside.send, "good"));
	EXPECT_EQ(4, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

static void with_a_case_outside(struct __test_metadata *_metadata,
				FIXTURE_DATA(deadlock) * self, const struct chan_case *cases)
{
	join_it(_metadata, self, 2);
	park_wait(self);
	park_read(self, 1, self->pair[1].recv);
	park_cases(self, 0, cases, 3, FOREVER);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(1, put(self->outside.send, "x"));
	EXPECT_EQ(0, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, not_while_the_first_case_is_outside)
{
	struct chan_case cases[] = {
		to_recv(self->outside.recv), to_recv(self->pair[0].recv),
		to_send(self->pair[0].send),
	};

	with_a_case_outside(_metadata, self, cases);
}

TEST_F(deadlock, not_while_the_last_case_is_outside)
{
	struct chan_case cases[] = {
		to_send(self->pair[0].send), to_recv(self->pair[0].recv),
		to_recv(self->outside.recv),
	};

	with_a_case_outside(_metadata, self, cases);
}

TEST_F(deadlock, not_while_the_owner_does_something_else)
{
	join_it(_metadata, self, 2);
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	/* It could indeed. */
	EXPECT_EQ(4, put_as(&self->party[OWNER], self->own[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	park_wait(self);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, not_while_another_process_has_the_scope)
{
	int ctl;

	join_it(_metadata, self, 2);
	ctl = take(&self->party[OWNER], self->held);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put(self->pair[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	close(ctl);
	expect_found(_metadata, self, true);
}

TEST_F(deadlock, not_while_a_child_of_the_owner_has_the_scope)
{
	struct actor child;

	join_it(_metadata, self, 1);
	child = start_below(_metadata, &self->party[OWNER], SAME_GROUP,
			    keep(self->held, self->own[0].send));
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put_as(&child, self->own[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	/* It is not this process's child; that it is gone, its socket tells. */
	kill(child.pid, SIGKILL);
	expect_found(_metadata, self, true);
	close(child.sock);
}

TEST_F(deadlock, not_while_the_scope_is_on_its_way_to_somebody)
{
	struct act act = act_on(-1);
	int ctl, sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	join_it(_metadata, self, 1);
	ctl = take(&self->party[OWNER], self->held);
	ASSERT_TRUE(send_act(sock[0], &act, ctl));
	close(ctl);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	close(sock[0]);
	close(sock[1]);
	expect_found(_metadata, self, true);
}

/* Two descriptors in one hand are no second hand. */
TEST_F(deadlock, of_an_owner_with_two_descriptors)
{
	int ctl;

	join_it(_metadata, self, 1);
	ctl = take(&self->party[OWNER], self->held);
	give(&self->party[OWNER], ctl);
	close(ctl);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

/* --- Not found: nobody asked --- */

TEST_F(deadlock, not_where_it_is_off)
{
	join_it(_metadata, self, 2);
	ASSERT_EQ(0, set_as(&self->party[OWNER], self->held, 0, NEVER, 0, 0));
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	/* A deadlock in all but name. */
	park_wait(self);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	let_pass(A_WHILE_MS);
	expect_nothing(_metadata, self);
	kill_actor(&self->party[0]);
	kill_actor(&self->party[1]);
	EXPECT_EQ(0, cause_in_the_end(self));
}

TEST_F(deadlock, as_soon_as_it_is_on)
{
	join_it(_metadata, self, 2);
	ASSERT_EQ(0, set_as(&self->party[OWNER], self->held, 0, NEVER, 0, 0));
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	ASSERT_EQ(0, set_as(&self->party[OWNER], self->held, 0, NEVER, 0, DETECT));
	park_wait(self);
	expect_found(_metadata, self, true);
}

/* There is no member that could be stuck. */
TEST_F(deadlock, not_where_nobody_is_bound)
{
	park_read(self, OWNER, self->own[0].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
}

/* --- Scopes inside --- */

/* Party 0 opens one; the next party is its member. Its file is here, too. */
static int open_inner(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self,
		      __u32 flags)
{
	struct actor *host = &self->party[0], *inside = &self->party[self->members];
	struct actor anchor;
	int ctl;

	self->inner_held = open_scope_as(host);
	ASSERT_LE(0, self->inner_held);
	ASSERT_EQ(0, set_as(host, self->inner_held, 0, NEVER, 0, flags));
	ctl = take(host, self->inner_held);
	self->inner = pair_on(_metadata, ctl, 0);
	self->inner_recv = give(host, self->inner.recv);
	anchor = start_anchor(_metadata, host, self->inner_held);
	*inside = start_party(_metadata, self, anchor.pid);
	stop_actor(&anchor);
	self->members++;
	return ctl;
}

static void host_waits(FIXTURE_DATA(deadlock) * self)
{
	struct act act = to_do(0, self->inner_held, TO_WAIT);
	__u64 deadline = FOREVER;

	memcpy(act.data, &deadline, sizeof(deadline));
	tell_party(self, 0, &act, act_park);
}

TEST_F(deadlock, across_two_scopes)
{
	join_it(_metadata, self, 1);
	close(open_inner(_metadata, self, 0));
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->inner.recv);
	expect_found(_metadata, self, true);
}

/* The owner of the inner one, on a channel of that; its member, outside of it. */
TEST_F(deadlock, across_two_scopes_the_other_way)
{
	join_it(_metadata, self, 1);
	close(open_inner(_metadata, self, 0));
	park_wait(self);
	park_read(self, 0, self->inner_recv);
	park_read(self, 1, self->pair[0].recv);
	expect_found(_metadata, self, true);
}

/* Waiting for the members of a scope inside is waiting, too. */
TEST_F(deadlock, with_an_owner_inside_that_waits)
{
	join_it(_metadata, self, 2);
	close(open_inner(_metadata, self, 0));
	park_wait(self);
	host_waits(self);
	park_read(self, 1, self->pair[0].recv);
	park_read(self, 2, self->inner.recv);
	EXPECT_EQ(-EDEADLK, result_of(self, 1));
	EXPECT_EQ(-EDEADLK, result_of(self, 2));
	EXPECT_TRUE(stop_actor(&self->party[2]));
	EXPECT_EQ(0, result_of(self, 0));
	EXPECT_EQ(EDEADLK, cause_in_the_end(self));
}

TEST_F(deadlock, not_while_one_inside_runs)
{
	join_it(_metadata, self, 2);
	close(open_inner(_metadata, self, 0));
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->pair[1].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put_as(&self->party[2], self->pair[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 0));
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 2, self->inner.recv);
	expect_found(_metadata, self, true);
}

/* Who has the file of a scope inside can send on its channels. */
TEST_F(deadlock, not_while_a_scope_inside_is_in_other_hands)
{
	int ctl;

	join_it(_metadata, self, 1);
	ctl = open_inner(_metadata, self, 0);
	park_wait(self);
	park_read(self, 0, self->pair[0].recv);
	park_read(self, 1, self->inner.recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put(self->inner.send, "good"));
	EXPECT_EQ(4, result_of(self, 1));
	park_read(self, 1, self->inner.recv);
	close(ctl);
	expect_found(_metadata, self, true);
}

/* The inner scope is asked, and its member may be helped from outside. */
TEST_F(deadlock, not_while_one_inside_waits_for_those_around)
{
	join_it(_metadata, self, 2);
	close(open_inner(_metadata, self, DETECT));
	host_waits(self);
	park_read(self, 2, self->pair[0].recv);
	ASSERT_TRUE(wait_until(all_asleep(self)));
	expect_nothing(_metadata, self);
	EXPECT_EQ(4, put_as(&self->party[1], self->pair[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 2));
	park_read(self, 2, self->inner.recv);
	EXPECT_EQ(-EDEADLK, result_of(self, 2));
	/* Those around are none the worse. */
	EXPECT_EQ(4, put_as(&self->party[1], self->pair[LAST].send, "good"));
	EXPECT_TRUE(got_as(&self->party[2], self->pair[LAST].recv, "good"));
	EXPECT_TRUE(stop_actor(&self->party[2]));
	EXPECT_EQ(0, result_of(self, 0));
	EXPECT_EQ(0, cause_in_the_end(self));
}

/* Both are asked, and the inner one is all that has to go. */
TEST_F(deadlock, the_innermost_first)
{
	join_it(_metadata, self, 2);
	close(open_inner(_metadata, self, DETECT));
	park_wait(self);
	host_waits(self);
	/* Who waits counts at once; of the two scopes that must not make the difference. */
	ASSERT_TRUE(wait_until(all_asleep(self)));
	park_read(self, 1, self->pair[0].recv);
	park_read(self, 2, self->inner.recv);
	EXPECT_EQ(-EDEADLK, result_of(self, 2));
	/* It is a member of the outer one that can act. */
	EXPECT_EQ(4, put_as(&self->party[2], self->pair[0].send, "good"));
	EXPECT_EQ(4, result_of(self, 1));
	EXPECT_TRUE(stop_actor(&self->party[2]));
	EXPECT_EQ(0, result_of(self, 0));
	EXPECT_EQ(0, cause_in_the_end(self));
}

/* --- Nearly: always exactly one can act --- */

#define RING		MEMBERS
#define FULL_SPEED_MS	10000
#define OTHERS_MS	4000

enum ring_mode {
	PLAIN,
	SLEEPS,
	FORKS,
	THREADS,
	SELECTS,
	SIGNALS,
};

/* Set before there are members, which have it from there. */
static struct pair ring[RING];
static struct pair idle;

static long ring_read(enum ring_mode mode, long place, __u64 *hops)
{
	struct chan_case cases[] = {
		case_recv(idle.recv, hops, sizeof(*hops)),
		case_recv(ring[place].recv, hops, sizeof(*hops)),
	};
	long ret;

	if (mode != SELECTS)
		return do_read(ring[place].recv, hops, sizeof(*hops));
	ret = do_select(idle.recv, cases, 2, FOREVER);
	if (ret < 0)
		return ret;
	return cases[ret].status ?: (long)cases[ret].len;
}

static long ring_write(enum ring_mode mode, long place, __u64 hops)
{
	struct chan_case one = case_send(ring[place].send, &hops, sizeof(hops));
	long ret;

	if (mode != SELECTS)
		return do_write(ring[place].send, &hops, sizeof(hops));
	ret = do_select(idle.recv, &one, 1, FOREVER);
	return ret ? ret : one.status ? one.status : (long)sizeof(hops);
}

/* The one that has the token hands it on, or has the ring end. */
static long hand_on(enum ring_mode mode, long place, __u64 hops)
{
	long ret = sizeof(hops);
	int i;

	notes->hops = hops;
	if (now_ms() < notes->until_ms || hops <= RING) {
		ret = ring_write(mode, (place + 1) % RING, hops + 1);
	} else {
		end_channel(idle.send, 0);
		for (i = 0; i < RING; i++)
			end_channel(ring[i].send, 0);
	}
	if (ret != sizeof(hops))
		notes->trouble = ret;
	return ret;
}

/* A child acts, while who has made it waits for the token again. */
static long fork_and_hand_on(long place, __u64 hops)
{
	pid_t pid = fork_child();

	if (pid)
		return result(pid);
	hand_on(FORKS, place, hops);
	_exit(0);
}

static void sleep_shortly(__u64 hops)
{
	struct timespec ts = { .tv_nsec = pattern(hops, 0) % 2000000 };

	nanosleep(&ts, NULL);
}

/* 0 at the end. */
static long go_round(enum ring_mode mode, long place)
{
	__u64 hops = 0;
	long ret;

	while ((ret = ring_read(mode, place, &hops)) == sizeof(hops)) {
		if (mode == SLEEPS)
			sleep_shortly(hops);
		if (mode == FORKS)
			ret = fork_and_hand_on(place, hops);
		else
			ret = hand_on(mode, place, hops);
		if (ret < 0)
			return ret;
	}
	return ret == -EPIPE ? 0 : ret;
}

static void *go_round_too(void *arg)
{
	struct act *act = arg;

	return (void *)go_round(act->more, act->value);
}

/* @len: the one with the token. */
static long act_go_round(struct act *act)
{
	pthread_t thread;
	void *other = NULL;
	long ret;

	signal(SIGCHLD, SIG_IGN);
	if (act->more == THREADS && pthread_create(&thread, NULL, go_round_too, act))
		return -EAGAIN;
	if (act->len)
		hand_on(act->more, act->value, 0);
	ret = go_round(act->more, act->value);
	if (act->more == THREADS)
		pthread_join(thread, &other);
	return ret ? ret : (long)other;
}

static bool all_idle(FIXTURE_DATA(deadlock) * self)
{
	int i;

	for (i = 0; i < RING; i++)
		if (!has_answered(&self->party[i]))
			return false;
	return true;
}

/* Until the ring has ended or broken. */
static void disturb(FIXTURE_DATA(deadlock) * self, enum ring_mode mode)
{
	long end = notes->until_ms + DEADLINE_MS, i;

	for (i = 0; !all_idle(self) && !notes->trouble && now_ms() < end; i++) {
		if (mode == SIGNALS)
			kill(self->party[i % RING].pid, SIGUSR1);
		else
			nap();
	}
}

static void run_ring(struct __test_metadata *_metadata, FIXTURE_DATA(deadlock) * self,
		     enum ring_mode mode, long ms)
{
	struct act act;
	int i;

	memcpy(ring, self->pair, sizeof(ring));
	idle = self->pair[LAST];
	join_it(_metadata, self, RING);
	park_wait(self);
	for (i = 0; i < RING; i++)
		ASSERT_EQ(0, handle_as(&self->party[i], SIGUSR1, SA_RESTART));
	notes->until_ms = now_ms() + ms;
	for (i = RING - 1; i >= 0; i--) {
		act = to_do(i, -1, mode);
		act.len = i == 0;
		tell_party(self, i, &act, act_go_round);
	}
	disturb(self, mode);
	EXPECT_EQ(0, notes->trouble);
	for (i = 0; i < RING; i++)
		EXPECT_EQ(0, result_of(self, i));
	EXPECT_EQ(0, cause_in_the_end(self));
	EXPECT_LT(RING, notes->hops);
	TH_LOG("%llu hops", (unsigned long long)notes->hops);
}

TEST_F(deadlock, not_in_a_ring_at_full_speed)
{
	run_ring(_metadata, self, PLAIN, FULL_SPEED_MS);
}

TEST_F(deadlock, not_in_a_ring_that_sleeps)
{
	run_ring(_metadata, self, SLEEPS, OTHERS_MS);
}

TEST_F(deadlock, not_in_a_ring_that_forks)
{
	run_ring(_metadata, self, FORKS, OTHERS_MS);
}

TEST_F(deadlock, not_in_a_ring_of_threads)
{
	run_ring(_metadata, self, THREADS, OTHERS_MS);
}

TEST_F(deadlock, not_in_a_ring_of_selects)
{
	run_ring(_metadata, self, SELECTS, OTHERS_MS);
}

TEST_F(deadlock, not_in_a_ring_that_is_disturbed)
{
	run_ring(_metadata, self, SIGNALS, OTHERS_MS);
}

/* And when the token is lost? */
TEST_F(deadlock, of_a_ring_without_token)
{
	struct act act;
	int i;

	memcpy(ring, self->pair, sizeof(ring));
	join_it(_metadata, self, RING);
	park_wait(self);
	for (i = 0; i < RING; i++) {
		act = to_do(i, -1, i % 2 ? PLAIN : THREADS);
		tell_party(self, i, &act, act_go_round);
	}
	expect_found(_metadata, self, true);
}

TEST_HARNESS_MAIN
