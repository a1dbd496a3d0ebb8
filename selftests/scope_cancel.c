// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cancelling: what it does to channels and to processes, how far it goes, and
 * the ways in which it comes, the death of the owner among them.
 */
#include <sys/epoll.h>
#include <sys/wait.h>

#include "scope_test.h"

#define IN		(POLLIN | POLLRDNORM)
#define OUT		(POLLOUT | POLLWRNORM)
#define BROKEN		(POLLERR | POLLHUP)
#define NEVER		CHAN_SCOPE_GRACE_NEVER
#define MS(n)		((n) * NS_PER_MS)

#define SCOPES_LIST	"/sys/kernel/debug/chan/scopes"

/* What is to stay as it is has had time to change. */
#define A_WHILE_MS	300
/* Races are run so often, or on a slow machine for so long. */
#define ROUNDS		200
#define BUDGET_MS	2500

/* --- What all tests here need --- */

/* Orphans come to the test, which goes with the harness. */
static void adopt_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void let_pass(long ms)
{
	long end = now_ms() + ms;

	while (now_ms() < end)
		nap();
}

/* The scope that @host has opened as @there; the file is here alone. */
static int scope_from(struct actor *host, int there)
{
	int here = take(host, there);

	close_as(host, there);
	return here;
}

static int scope_by(struct actor *host)
{
	return scope_from(host, open_scope_as(host));
}

/* A member of @ctl, the first, with the files in @fds. */
static struct actor bound_actor(struct __test_metadata *_metadata, int ctl, const int *fds)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, fds);

	ASSERT_EQ(0, bind_scope(ctl, actor.pid));
	return actor;
}

static bool canceled_with(int ctl, __u32 cause)
{
	struct chan_scope_info now = scope_info(ctl);

	if (now.state == CHAN_SCOPE_CANCELED && now.cause == cause)
		return true;
	fprintf(stderr, "# instead of canceled with %u: state %u, cause %u\n", cause, now.state,
		now.cause);
	return false;
}

static bool is_canceled(int ctl)
{
	return scope_info(ctl).state == CHAN_SCOPE_CANCELED;
}

/* Does a message cross, for an owner? */
static bool works(const struct pair *pair)
{
	return info(pair->send).capacity && put(pair->send, "alive") == 5 &&
	       got(pair->recv, "alive");
}

/* Is the scope in the list of all?  Always, where there is no such list. */
static bool listed(__u64 id)
{
	FILE *file = fopen(SCOPES_LIST, "r");
	bool found = !file;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		found |= line[0] != ' ' && strtoull(line, NULL, 10) == id;
	if (file)
		fclose(file);
	return found;
}

/* What the suite's actors write down: in memory that they share with it. */
static struct notes {
	int signals;	/* how many were handled */
	int running;
	long count;
} *notes;

static void share_notes(struct __test_metadata *_metadata)
{
	notes = shared(_metadata, sizeof(*notes));
}

static void note_signal(int sig)
{
	(void)sig;
	__atomic_fetch_add(&notes->signals, 1, __ATOMIC_RELEASE);
}

static long act_note_signals(struct act *act)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };

	return result(sigaction(act->value, &action, NULL));
}

static long note_signals_as(struct actor *actor, int sig)
{
	struct act act = act_on(-1);

	act.value = sig;
	return ask(actor, &act, act_note_signals);
}

static int signals_noted(void)
{
	return __atomic_load_n(&notes->signals, __ATOMIC_ACQUIRE);
}

static long act_block_signals(struct act *act)
{
	sigset_t set;

	(void)act;
	sigfillset(&set);
	return result(sigprocmask(SIG_BLOCK, &set, NULL));
}

static long block_signals_as(struct actor *actor)
{
	return ask_on(actor, -1, act_block_signals);
}

/*
 * Has it been sent @sig, which it blocks?  That is to be seen also when it has been
 * killed, be it before it could run: until it is reaped.  If so, that was before the
 * SIGKILL: nothing is sent to who has got that.
 */
static bool was_sent(const struct actor *actor, int sig)
{
	unsigned long long set = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", actor->pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "ShdPnd: %llx", &set);
	if (file)
		fclose(file);
	return set >> (sig - 1) & 1;
}

/* It goes when its socket does, so that is held until it is gone. */
static bool killed_with(struct actor *actor, int sig)
{
	bool in_time = true;

	if (actor->sock >= 0) {
		in_time = ended(actor->pid, &actor->status);
		close(actor->sock);
		actor->sock = -1;
	}
	if (in_time && WIFSIGNALED(actor->status) && WTERMSIG(actor->status) == sig)
		return true;
	fprintf(stderr, "# instead of killed with %d: status %#x%s\n", sig, actor->status,
		in_time ? "" : ", by the test");
	return false;
}

/* Does it do as it is told? */
static bool lives(struct actor *actor)
{
	return ask_on(actor, -1, act_nothing) == 0;
}

/* --- Selects by actors --- */

#define MOST_CASES	6

/*
 * @value cases stand in @data, without memory; @more is the deadline. Returns
 * the index; then @value is the status.
 */
static long act_select(struct act *act)
{
	static char room[MOST_CASES][ROOM];
	struct chan_case cases[MOST_CASES];
	long i, ret, n = act->value;

	memcpy(cases, act->data, n * sizeof(*cases));
	for (i = 0; i < n; i++) {
		cases[i].buf = address(room[i]);
		cases[i].len = 1;
	}
	ret = do_select(act->fd, cases, n, act->more);
	if (ret >= 0)
		act->value = cases[ret].status;
	return ret;
}

static struct act act_of_cases(int file, const struct chan_case *cases, long n)
{
	struct act act = act_on(file);

	act.value = n;
	act.more = FOREVER;
	memcpy(act.data, cases, n * sizeof(*cases));
	return act;
}

/* The index, if it ended with @status. */
static long finish_select_as(struct actor *actor, int status)
{
	struct act act;
	long ret = answer(actor, &act);

	if (ret < 0 || act.value == status)
		return ret;
	fprintf(stderr, "# instead of status %d: %ld\n", status, act.value);
	return OP_STUCK;
}

/* --- What it does to channels, whichever way it comes --- */

enum way {
	BY_CALL,
	BY_PARENT,
	BY_DEADLINE,
	BY_MEMBER,
};

FIXTURE(canceled) {
	int outer;
	int ctl;
	struct actor host;	/* in the outer one */
	struct actor member;
	int held;		/* the scope's file, as the member has it */
	int send;
	int recv;
	char byte;
};

FIXTURE_VARIANT(canceled) {
	enum way way;
	__u32 capacity;
	__u32 cause;
};

FIXTURE_VARIANT_ADD(canceled, unbuffered) {
	.way = BY_CALL,
	.cause = EIO,
};

FIXTURE_VARIANT_ADD(canceled, buffered) {
	.way = BY_CALL,
	.capacity = 2,
	.cause = ECANCELED,
};

FIXTURE_VARIANT_ADD(canceled, with_its_parent_unbuffered) {
	.way = BY_PARENT,
	.cause = EUCLEAN,
};

FIXTURE_VARIANT_ADD(canceled, with_its_parent_buffered) {
	.way = BY_PARENT,
	.capacity = 2,
	.cause = CHAN_MAX_ERROR,
};

FIXTURE_VARIANT_ADD(canceled, by_its_deadline) {
	.way = BY_DEADLINE,
	.capacity = 2,
	.cause = ETIMEDOUT,
};

FIXTURE_VARIANT_ADD(canceled, from_inside) {
	.way = BY_MEMBER,
	.capacity = 2,
	.cause = 1,
};

FIXTURE_SETUP(canceled)
{
	struct pair pair;

	adopt_orphans();
	share_notes(_metadata);
	self->outer = open_scope(_metadata);
	ASSERT_EQ(0, set_scope(self->outer, 0, NEVER, 0, 0));
	self->host = bound_actor(_metadata, self->outer, keep_none);
	self->ctl = scope_by(&self->host);
	pair = pair_on(_metadata, self->ctl, variant->capacity);
	self->send = pair.send;
	self->recv = pair.recv;
	self->member = bound_actor(_metadata, self->ctl, keep(pair.send, pair.recv));
	self->held = give(&self->member, self->ctl);
}

FIXTURE_TEARDOWN(canceled)
{
	kill_actor(&self->member);
	kill_actor(&self->host);
}

/* Done when this returns 0. */
static long cancel_it(FIXTURE_DATA(canceled) * self, const FIXTURE_VARIANT(canceled) * variant)
{
	switch (variant->way) {
	case BY_PARENT:
		return cancel_scope(self->outer, variant->cause);
	case BY_DEADLINE:
		if (set_scope(self->ctl, in_ms(0), NEVER, 0, 0))
			return -EINVAL;
		return wait_until(is_canceled(self->ctl)) ? 0 : -ETIMEDOUT;
	case BY_MEMBER:
		return cancel_as(&self->member, self->held, variant->cause);
	default:
		return cancel_scope(self->ctl, variant->cause == ECANCELED ? 0 : variant->cause);
	}
}

/* Another member. */
static struct actor join_it(struct __test_metadata *_metadata, FIXTURE_DATA(canceled) * self,
			    const int *fds)
{
	return start_actor(_metadata, self->member.pid, fds);
}

static void fill_up(struct __test_metadata *_metadata, int fd)
{
	__u32 i, capacity = info(fd).capacity;

	for (i = 0; i < capacity; i++)
		ASSERT_EQ(4, put(fd, "kept"));
}

TEST_F(canceled, what_info_tells)
{
	struct chan_scope_info before = scope_info(self->ctl), now;

	EXPECT_EQ(CHAN_SCOPE_BOUND, before.state);
	EXPECT_EQ(0, before.cause);
	ASSERT_EQ(0, cancel_it(self, variant));
	now = scope_info(self->ctl);
	EXPECT_EQ(CHAN_SCOPE_CANCELED, now.state);
	EXPECT_EQ(variant->cause, now.cause);
	EXPECT_EQ(before.id, now.id);
	EXPECT_EQ(before.parent, now.parent);
	EXPECT_EQ(before.pgid, now.pgid);
	EXPECT_EQ(1, now.members);
	EXPECT_EQ(1, now.channels);
	EXPECT_EQ(CHAN_STATE_CANCELED, info(self->send).state);
	EXPECT_EQ(CHAN_STATE_CANCELED, info(self->recv).state);
	/* The channel tells that it was cancelled, the scope tells why. */
	EXPECT_EQ(ECANCELED, info(self->recv).cause);
}

TEST_F(canceled, what_waiting_tells)
{
	struct chan_scope_wait arg;

	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(0, arg.cause);
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(variant->cause, arg.cause);
	EXPECT_EQ(1, arg.members);
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, in_ms(20), &arg));
	EXPECT_EQ(variant->cause, arg.cause);
	EXPECT_EQ(1, arg.members);
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_scope(self->ctl, FOREVER, &arg));
	EXPECT_EQ(variant->cause, arg.cause);
	EXPECT_EQ(0, arg.members);
}

TEST_F(canceled, parked_senders)
{
	struct actor actor[3];
	int i;

	fill_up(_metadata, self->send);
	for (i = 0; i < 3; i++) {
		actor[i] = join_it(_metadata, self, keep(self->send));
		start_write_as(&actor[i], self->send, "never arrives");
		ASSERT_TRUE(wait_parked(self->send, i + 1, 0));
	}
	ASSERT_EQ(0, cancel_it(self, variant));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ECANCELED, finish_as(&actor[i]));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(variant->capacity, info(self->send).sent);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(stop_actor(&actor[i]));
}

TEST_F(canceled, parked_receivers)
{
	struct actor actor[3];
	int i;

	for (i = 0; i < 3; i++) {
		actor[i] = join_it(_metadata, self, keep(self->recv));
		start_read_as(&actor[i], self->recv);
		ASSERT_TRUE(wait_parked(self->recv, 0, i + 1));
	}
	ASSERT_EQ(0, cancel_it(self, variant));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ECANCELED, finish_as(&actor[i]));
	EXPECT_TRUE(parked_are(self->recv, 0, 0));
	EXPECT_EQ(0, info(self->recv).received);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(stop_actor(&actor[i]));
}

/* What is too long for the module's memory stays in the sender's. */
static long act_write_long(struct act *act)
{
	static char data[60000];

	return do_write(act->fd, data, sizeof(data));
}

TEST_F(canceled, parked_senders_of_long_messages)
{
	struct actor actor[2];
	struct act act = act_on(self->send);
	int i;

	fill_up(_metadata, self->send);
	for (i = 0; i < 2; i++) {
		actor[i] = join_it(_metadata, self, keep(self->send));
		tell(&actor[i], &act, act_write_long);
		ASSERT_TRUE(wait_parked(self->send, i + 1, 0));
	}
	ASSERT_EQ(0, cancel_it(self, variant));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ECANCELED, finish_as(&actor[i]));
		EXPECT_TRUE(stop_actor(&actor[i]));
	}
}

/* One of two cases; the other is on a channel that has nothing to do with it. */
TEST_F(canceled, parked_selects_of_senders)
{
	struct chan_case cases[3];
	struct pair other;
	struct actor actor;
	struct act act;

	make_pair(_metadata, &other, 0, 0);
	fill_up(_metadata, self->send);
	cases[0] = case_text(other.send, "x");
	cases[1] = case_text(self->send, "x");
	cases[2] = case_disabled();
	act = act_of_cases(self->send, cases, 3);
	actor = join_it(_metadata, self, keep(self->send, other.send));
	tell(&actor, &act, act_select);
	ASSERT_TRUE(wait_parked(self->send, 1, 0));
	ASSERT_TRUE(wait_parked(other.send, 1, 0));
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(1, finish_select_as(&actor, -ECANCELED));
	EXPECT_TRUE(parked_are(other.send, 0, 0));
	EXPECT_EQ(CHAN_STATE_OPEN, info(other.send).state);
	EXPECT_EQ(0, info(other.send).sent);
	EXPECT_TRUE(stop_actor(&actor));
	close_pair(&other);
}

TEST_F(canceled, parked_selects_of_receivers)
{
	struct chan_case cases[2];
	struct pair other;
	struct actor actor;
	struct act act;

	make_pair(_metadata, &other, 2, 0);
	cases[0] = case_recv(self->recv, NULL, 0);
	cases[1] = case_recv(other.recv, NULL, 0);
	act = act_of_cases(self->recv, cases, 2);
	actor = join_it(_metadata, self, keep(self->recv, other.recv));
	tell(&actor, &act, act_select);
	ASSERT_TRUE(wait_parked(self->recv, 0, 1));
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(0, finish_select_as(&actor, -ECANCELED));
	EXPECT_TRUE(parked_are(other.recv, 0, 0));
	EXPECT_TRUE(works(&other));
	EXPECT_TRUE(stop_actor(&actor));
	close_pair(&other);
}

/* The same channel in both directions: a select does not meet itself. */
TEST_F(canceled, parked_selects_of_both)
{
	struct chan_case cases[2];
	struct actor actor;
	struct act act;

	if (variant->capacity)
		SKIP(return, "a buffer takes what is sent");
	cases[0] = case_recv(self->recv, NULL, 0);
	cases[1] = case_text(self->send, "x");
	act = act_of_cases(self->recv, cases, 2);
	actor = join_it(_metadata, self, keep(self->recv, self->send));
	tell(&actor, &act, act_select);
	ASSERT_TRUE(wait_parked(self->recv, 1, 1));
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_LE(0, finish_select_as(&actor, -ECANCELED));
	EXPECT_TRUE(parked_are(self->recv, 0, 0));
	EXPECT_TRUE(stop_actor(&actor));
}

TEST_F(canceled, the_buffer_is_dropped)
{
	fill_up(_metadata, self->send);
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(0, info(self->recv).buffered);
	EXPECT_EQ(-ECANCELED, do_read(self->recv, &self->byte, 1));
	EXPECT_EQ(-ECANCELED, get_as(&self->member, self->recv));
	EXPECT_EQ(0, info(self->recv).received);
	EXPECT_EQ(variant->capacity, info(self->recv).sent);
}

/* A level, not an edge. */
TEST_F(canceled, new_operations_every_time)
{
	struct chan_case send = case_text(self->send, "x");
	struct chan_case recv = case_recv(self->recv, &self->byte, 1);
	struct iovec iov = { &self->byte, 1 };
	int i;

	ASSERT_EQ(0, cancel_it(self, variant));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ECANCELED, do_write(self->send, "x", 1));
		EXPECT_EQ(-ECANCELED, do_read(self->recv, &self->byte, 1));
		EXPECT_EQ(-ECANCELED, result(writev(self->send, &iov, 1)));
		EXPECT_EQ(-ECANCELED, result(readv(self->recv, &iov, 1)));
		/* It wins over EAGAIN. */
		EXPECT_EQ(-ECANCELED, put(self->send, "x"));
		EXPECT_EQ(-ECANCELED, try_read(self->recv, &self->byte, 1));
		EXPECT_EQ(-ECANCELED, put_as(&self->member, self->send, "x"));
		EXPECT_EQ(-ECANCELED, get_as(&self->member, self->recv));
		EXPECT_EQ(-ECANCELED, try_case(&send));
		EXPECT_EQ(-ECANCELED, try_case(&recv));
		EXPECT_EQ(0, do_select(self->send, &send, 1, FOREVER));
		EXPECT_EQ(-ECANCELED, send.status);
		EXPECT_EQ(0, do_select(self->send, &recv, 1, FOREVER));
		EXPECT_EQ(-ECANCELED, recv.status);
	}
	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
}

TEST_F(canceled, new_things_in_it)
{
	struct chan_create arg = { .capacity = 0 };
	struct actor other = start_actor(_metadata, NEW_GROUP, keep_none);
	int fds = count_fds();

	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(-ECANCELED, create(self->ctl, &arg));
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(1, scope_info(self->ctl).channels);
	EXPECT_EQ(-ECANCELED, set_scope(self->ctl, 0, 0, 0, 0));
	/* Nobody is to be bound to it, also when it has no member any more. */
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_EQ(-ECANCELED, bind_scope(self->ctl, other.pid));
	EXPECT_TRUE(stop_actor(&other));
}

TEST_F(canceled, the_first_cause_stands)
{
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, cancel_scope(self->ctl, ENOENT));
	EXPECT_EQ(0, cancel_scope(self->outer, ENODEV));
	EXPECT_TRUE(canceled_with(self->ctl, variant->cause));
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(CHAN_STATE_CANCELED, info(self->send).state);
	EXPECT_EQ(-ECANCELED, do_read(self->recv, &self->byte, 1));
	EXPECT_EQ(-ECANCELED, do_write(self->send, "x", 1));
}

TEST_F(canceled, the_last_ends_change_nothing)
{
	close_as(&self->member, self->send);
	close_as(&self->member, self->recv);
	ASSERT_EQ(0, cancel_it(self, variant));
	close(self->send);
	EXPECT_EQ(CHAN_STATE_CANCELED, info(self->recv).state);
	EXPECT_EQ(-ECANCELED, do_read(self->recv, &self->byte, 1));
}

TEST_F(canceled, what_poll_tells)
{
	short hup = POLLHUP;

	EXPECT_EQ(0, poll_events(self->ctl, IN) & POLLHUP);
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(IN | BROKEN, poll_events(self->recv, IN));
	EXPECT_EQ(OUT | BROKEN, poll_events(self->send, OUT));
	EXPECT_EQ(BROKEN, poll_events(self->recv, 0));
	EXPECT_EQ(BROKEN, poll_events(self->send, 0));
	EXPECT_EQ(hup, poll_events(self->ctl, IN));
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_EQ(IN | hup, poll_events(self->ctl, IN));
}

static long act_poll(struct act *act)
{
	struct pollfd pfd = { .fd = act->fd, .events = act->value };
	long ret = result(poll(&pfd, 1, -1));

	act->value = pfd.revents;
	return ret;
}

static void start_poll_as(struct actor *actor, int fd, short events)
{
	struct act act = act_on(fd);

	act.value = events;
	tell(actor, &act, act_poll);
}

static long finish_poll_as(struct actor *actor)
{
	struct act act;
	long ret = answer(actor, &act);

	return ret == 1 ? act.value : ret;
}

TEST_F(canceled, pollers_are_woken)
{
	struct actor actor[3];
	int i;

	for (i = 0; i < 3; i++)
		actor[i] = join_it(_metadata, self, keep(self->send, self->recv));
	start_poll_as(&actor[0], self->recv, POLLIN);
	/* There may be room in the buffer. */
	start_poll_as(&actor[1], self->send, variant->capacity ? 0 : POLLOUT);
	start_poll_as(&actor[2], self->recv, 0);
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(wait_asleep_in(&actor[i], SYS_poll));
	ASSERT_EQ(0, cancel_it(self, variant));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(BROKEN, finish_poll_as(&actor[i]) & BROKEN);
		EXPECT_TRUE(stop_actor(&actor[i]));
	}
}

/* Who polls the scope: here, in a process of its own, and in a select. */
TEST_F(canceled, pollers_of_the_scope_are_woken)
{
	struct select_op *op = new_select(_metadata, self->ctl, 1, ROOM);
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep(self->ctl));

	add_poll(op, self->ctl, POLLPRI);
	park_select(_metadata, op, 0);
	start_poll_as(&actor, self->ctl, 0);
	ASSERT_TRUE(wait_asleep_in(&actor, SYS_poll));
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(POLLHUP, finish_poll_as(&actor));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_EQ(POLLHUP, op->cases[0].events);
	EXPECT_TRUE(stop_actor(&actor));
}

static int watch(int fd, __u32 events)
{
	struct epoll_event event = { .events = events };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
	return epfd;
}

static long seen_by(int epfd, int ms)
{
	struct epoll_event event = { .events = 0 };
	int n = epoll_wait(epfd, &event, 1, ms);

	return n == 1 ? (long)event.events : n;
}

TEST_F(canceled, epoll)
{
	int level = watch(self->recv, EPOLLPRI), edge = watch(self->recv, EPOLLPRI | EPOLLET);
	int send = watch(self->send, EPOLLPRI | EPOLLET);
	int scope = watch(self->ctl, EPOLLIN | EPOLLET);
	long broken = BROKEN, hup = POLLHUP;

	EXPECT_EQ(0, seen_by(edge, 0));
	EXPECT_EQ(0, seen_by(send, 0));
	EXPECT_EQ(0, seen_by(scope, 0));
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_EQ(broken, seen_by(level, DEADLINE_MS));
	EXPECT_EQ(broken, seen_by(level, 0));
	EXPECT_EQ(broken, seen_by(edge, DEADLINE_MS));
	EXPECT_EQ(0, seen_by(edge, 0));
	EXPECT_EQ(broken, seen_by(send, DEADLINE_MS));
	EXPECT_EQ(0, seen_by(send, 0));
	EXPECT_EQ(hup, seen_by(scope, DEADLINE_MS));
	EXPECT_EQ(0, seen_by(scope, 0));
	/* Cancelling again is no event. */
	EXPECT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, seen_by(edge, 0));
	EXPECT_EQ(0, seen_by(scope, 0));
	close(level);
	close(edge);
	close(send);
	close(scope);
}

TEST_F(canceled, those_beside_it_are_left_alone)
{
	struct pair above = pair_on(_metadata, self->outer, 1);
	int beside = scope_by(&self->host);
	struct pair pair = pair_on(_metadata, beside, 1);
	struct pair root;

	make_pair(_metadata, &root, 1, 0);
	ASSERT_EQ(0, cancel_it(self, variant));
	EXPECT_TRUE(works(&root));
	if (variant->way == BY_PARENT) {
		EXPECT_TRUE(canceled_with(beside, variant->cause));
		EXPECT_EQ(-ECANCELED, put(above.send, "x"));
		EXPECT_EQ(-ECANCELED, put(pair.send, "x"));
		return;
	}
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->outer).state);
	EXPECT_EQ(0, scope_info(self->outer).cause);
	EXPECT_TRUE(works(&above));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(beside).state);
	EXPECT_EQ(0, scope_info(beside).cause);
	EXPECT_TRUE(works(&pair));
}

TEST_F(canceled, scopes_opened_in_it_are_born_so)
{
	struct chan_create arg = { .capacity = 0 };
	struct actor other = start_actor(_metadata, NEW_GROUP, keep_none);
	int inner;

	ASSERT_EQ(0, cancel_it(self, variant));
	inner = scope_by(&self->member);
	ASSERT_LE(0, inner);
	EXPECT_TRUE(canceled_with(inner, variant->cause));
	EXPECT_EQ(scope_info(self->ctl).id, scope_info(inner).parent);
	EXPECT_EQ(-ECANCELED, create(inner, &arg));
	EXPECT_EQ(-ECANCELED, bind_scope(inner, other.pid));
	EXPECT_EQ(-ECANCELED, set_scope(inner, 0, 0, 0, 0));
	EXPECT_EQ(0, cancel_scope(inner, ENOENT));
	EXPECT_TRUE(canceled_with(inner, variant->cause));
	EXPECT_EQ(POLLHUP, poll_events(inner, IN));
	EXPECT_EQ(0, wait_scope(inner, 0, NULL));
	EXPECT_TRUE(stop_actor(&other));
}

/* --- Which errors there are, and scopes without members --- */

TEST(which_errors_there_are)
{
	static const __u32 good[] = { 1, EAGAIN, EDEADLK, EOWNERDEAD, 133, CHAN_MAX_ERROR };
	struct chan_scope_cancel arg = { .error = EIO, .flags = 1 };
	int ctl = open_scope(_metadata);
	size_t i;

	EXPECT_EQ(-EINVAL, cancel_scope(ctl, CHAN_MAX_ERROR + 1));
	EXPECT_EQ(-EINVAL, cancel_scope(ctl, 4096));
	EXPECT_EQ(-EINVAL, cancel_scope(ctl, -EIO));
	EXPECT_EQ(-EINVAL, do_ioctl(ctl, CHAN_IOC_SCOPE_CANCEL, &arg));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(ctl).state);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ctl = open_scope(_metadata);
		EXPECT_EQ(0, cancel_scope(ctl, good[i]));
		EXPECT_TRUE(canceled_with(ctl, good[i]));
	}
	/* A wrong one is wrong on a cancelled scope too. */
	EXPECT_EQ(-EINVAL, cancel_scope(ctl, CHAN_MAX_ERROR + 1));
}

TEST(a_scope_that_was_never_bound)
{
	int ctl = open_scope(_metadata);
	struct pair pair = pair_on(_metadata, ctl, 1);
	struct chan_scope_wait arg;

	ASSERT_EQ(1, put(pair.send, "x"));
	EXPECT_EQ(0, cancel_scope(ctl, EIO));
	EXPECT_TRUE(canceled_with(ctl, EIO));
	EXPECT_EQ(-ECANCELED, put(pair.send, "x"));
	EXPECT_EQ(0, info(pair.send).buffered);
	EXPECT_EQ(0, wait_scope(ctl, FOREVER, &arg));
	EXPECT_EQ(EIO, arg.cause);
	EXPECT_EQ(0, arg.members);
	/* There never was a member that could have left. */
	EXPECT_EQ(POLLHUP, poll_events(ctl, IN));
	EXPECT_EQ(-ECANCELED, bind_scope(ctl, 0));
}

/*
 * The first channel is cancelled together with the others, and tells so before them:
 * for who looks at it, the other still comes first.
 */
TEST(the_rank_of_cases_that_are_canceled_together)
{
	int ctl = open_scope(_metadata), i;
	struct pair first = pair_on(_metadata, ctl, 0);
	struct select_op *op[40];

	for (i = 0; i < 40; i++) {
		op[i] = new_select(_metadata, ctl, 2, ROOM);
		op[i]->arg.flags = CHAN_SELECT_PRIORITY;
		add_recv(op[i], pair_on(_metadata, ctl, 0).recv);
		add_poll(op[i], first.send, 0);
		park_select(_metadata, op[i], IN_THREAD);
	}
	EXPECT_EQ(0, cancel_scope(ctl, 0));
	for (i = 0; i < 40; i++)
		EXPECT_TRUE(chose(op[i], 0, -ECANCELED));
}

/* --- It flows down, and down only --- */

#define LEVELS		4

FIXTURE(levels) {
	int ctl[LEVELS];
	struct actor host[LEVELS];	/* in the scope of the same number */
	struct pair pair[LEVELS];	/* of that scope */
	struct actor parked[LEVELS];	/* in read(), on that channel */
	int beside;			/* in the first one, and not in the second */
};

FIXTURE_SETUP(levels)
{
	int i;

	adopt_orphans();
	for (i = 0; i < LEVELS; i++) {
		self->ctl[i] = i ? scope_by(&self->host[i - 1]) : open_scope(_metadata);
		ASSERT_LE(0, self->ctl[i]);
		if (!i)
			ASSERT_EQ(0, set_scope(self->ctl[i], 0, NEVER, 0, 0));
		self->pair[i] = pair_on(_metadata, self->ctl[i], 1);
		self->host[i] = bound_actor(_metadata, self->ctl[i],
					    keep(self->pair[i].send, self->pair[i].recv));
	}
	self->beside = scope_by(&self->host[0]);
}

FIXTURE_TEARDOWN(levels)
{
	int i;

	for (i = 0; i < LEVELS; i++) {
		if (self->parked[i].pid)
			kill_actor(&self->parked[i]);
		kill_actor(&self->host[i]);
	}
}

static void park_on_all(struct __test_metadata *_metadata, FIXTURE_DATA(levels) * self)
{
	int i;

	for (i = 0; i < LEVELS; i++) {
		self->parked[i] = start_actor(_metadata, self->host[i].pid,
					      keep(self->pair[i].recv));
		start_read_as(&self->parked[i], self->pair[i].recv);
		ASSERT_TRUE(wait_parked(self->pair[i].recv, 0, 1));
	}
}

TEST_F(levels, know_their_parents)
{
	int i;

	for (i = 0; i < LEVELS; i++) {
		EXPECT_EQ(i ? scope_info(self->ctl[i - 1]).id : 0,
			  scope_info(self->ctl[i]).parent);
		EXPECT_EQ(LEVELS - i, scope_info(self->ctl[i]).members);
	}
	EXPECT_EQ(scope_info(self->ctl[0]).id, scope_info(self->beside).parent);
}

/* One that was cancelled with @cause, or 0. */
static void check_level(struct __test_metadata *_metadata, FIXTURE_DATA(levels) * self, int i,
			__u32 cause)
{
	if (cause) {
		EXPECT_TRUE(canceled_with(self->ctl[i], cause));
		EXPECT_EQ(-ECANCELED, finish_as(&self->parked[i]));
		EXPECT_EQ(-ECANCELED, put_as(&self->host[i], self->pair[i].send, "x"));
		EXPECT_EQ(-ECANCELED, get_as(&self->host[i], self->pair[i].recv));
		return;
	}
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl[i]).state);
	EXPECT_EQ(0, scope_info(self->ctl[i]).cause);
	EXPECT_TRUE(parked_are(self->pair[i].recv, 0, 1));
	EXPECT_EQ(4, put_as(&self->host[i], self->pair[i].send, "good"));
	EXPECT_TRUE(finish_text_as(&self->parked[i], "good"));
}

/* @from is cancelled with @cause, and what is below it. */
static void check_levels(struct __test_metadata *_metadata, FIXTURE_DATA(levels) * self,
			 int from, __u32 cause)
{
	int i;

	for (i = 0; i < LEVELS; i++)
		check_level(_metadata, self, i, i >= from ? cause : 0);
	EXPECT_EQ(from ? CHAN_SCOPE_UNBOUND : CHAN_SCOPE_CANCELED,
		  scope_info(self->beside).state);
}

static void cancel_from(struct __test_metadata *_metadata, FIXTURE_DATA(levels) * self,
			int level)
{
	park_on_all(_metadata, self);
	ASSERT_EQ(0, cancel_scope(self->ctl[level], EIO));
	check_levels(_metadata, self, level, EIO);
}

TEST_F(levels, from_the_first)
{
	cancel_from(_metadata, self, 0);
}

TEST_F(levels, from_the_second)
{
	cancel_from(_metadata, self, 1);
}

TEST_F(levels, from_the_third)
{
	cancel_from(_metadata, self, 2);
}

TEST_F(levels, the_last_alone)
{
	cancel_from(_metadata, self, 3);
}

/* By one that is in the third and was given the file of the second. */
TEST_F(levels, by_a_member_far_inside)
{
	int held = give(&self->host[2], self->ctl[1]);

	park_on_all(_metadata, self);
	EXPECT_EQ(0, cancel_as(&self->host[2], held, ENOSPC));
	check_levels(_metadata, self, 1, ENOSPC);
}

TEST_F(levels, by_a_deadline)
{
	park_on_all(_metadata, self);
	ASSERT_EQ(0, set_scope(self->ctl[1], in_ms(30), NEVER, 0, 0));
	ASSERT_TRUE(wait_until(is_canceled(self->ctl[1])));
	check_levels(_metadata, self, 1, ETIMEDOUT);
}

/* The file of the second is nowhere any more, and members live in it. */
TEST_F(levels, by_an_owner_that_goes)
{
	park_on_all(_metadata, self);
	close(self->ctl[1]);
	ASSERT_TRUE(wait_until(is_canceled(self->ctl[2])));
	/* One that is opened in it tells what became of it. */
	self->ctl[1] = scope_by(&self->host[1]);
	check_levels(_metadata, self, 1, EOWNERDEAD);
}

/* The files between are gone when it comes; the way down is there still. */
TEST_F(levels, past_one_that_was_cancelled_before)
{
	park_on_all(_metadata, self);
	ASSERT_EQ(0, cancel_scope(self->ctl[2], EIO));
	EXPECT_EQ(-ECANCELED, finish_as(&self->parked[3]));
	EXPECT_EQ(-ECANCELED, finish_as(&self->parked[2]));
	ASSERT_EQ(0, cancel_scope(self->ctl[0], EDOM));
	EXPECT_EQ(-ECANCELED, finish_as(&self->parked[1]));
	EXPECT_EQ(-ECANCELED, finish_as(&self->parked[0]));
	EXPECT_TRUE(canceled_with(self->ctl[0], EDOM));
	EXPECT_TRUE(canceled_with(self->ctl[1], EDOM));
	EXPECT_TRUE(canceled_with(self->ctl[2], EIO));
	EXPECT_TRUE(canceled_with(self->ctl[3], EIO));
}

/* What it was cancelled with before had no signal; what is around it has. */
TEST_F(levels, who_was_cancelled_before_is_sent_the_signal_all_the_same)
{
	int i;

	ASSERT_EQ(0, cancel_scope(self->ctl[2], EIO));
	EXPECT_EQ(LEVELS, scope_info(self->ctl[0]).members);
	ASSERT_EQ(0, set_scope(self->ctl[0], 0, NEVER, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl[0], EDOM));
	for (i = 0; i < LEVELS; i++)
		EXPECT_EQ(OP_KILLED(SIGTERM), finish_as(&self->host[i]));
}

/* Each order of three, by an error for each. The first from above stands. */
static void cancel_in_order(struct __test_metadata *_metadata, FIXTURE_DATA(levels) * self,
			    const int order[3])
{
	__u32 expected[LEVELS] = { 0 };
	int i, level;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, cancel_scope(self->ctl[order[i]], 1 + order[i]));
		for (level = order[i]; level < LEVELS; level++)
			if (!expected[level])
				expected[level] = 1 + order[i];
		for (level = 0; level < LEVELS; level++)
			EXPECT_EQ(expected[level], scope_info(self->ctl[level]).cause);
	}
}

TEST_F(levels, in_order_012)
{
	cancel_in_order(_metadata, self, (const int[]){ 0, 1, 2 });
}

TEST_F(levels, in_order_021)
{
	cancel_in_order(_metadata, self, (const int[]){ 0, 2, 1 });
}

TEST_F(levels, in_order_102)
{
	cancel_in_order(_metadata, self, (const int[]){ 1, 0, 2 });
}

TEST_F(levels, in_order_120)
{
	cancel_in_order(_metadata, self, (const int[]){ 1, 2, 0 });
}

TEST_F(levels, in_order_201)
{
	cancel_in_order(_metadata, self, (const int[]){ 2, 0, 1 });
}

TEST_F(levels, in_order_210)
{
	cancel_in_order(_metadata, self, (const int[]){ 2, 1, 0 });
}

/* --- Deadlines --- */

FIXTURE(deadline) {
	int ctl;
	struct pair pair;
	struct actor member;
};

static void bind_for_deadline(struct __test_metadata *_metadata, FIXTURE_DATA(deadline) * self)
{
	self->ctl = open_scope(_metadata);
	self->pair = pair_on(_metadata, self->ctl, 1);
	self->member = bound_actor(_metadata, self->ctl,
				   keep(self->pair.send, self->pair.recv));
}

FIXTURE_SETUP(deadline)
{
	adopt_orphans();
	bind_for_deadline(_metadata, self);
}

FIXTURE_TEARDOWN(deadline)
{
	kill_actor(&self->member);
}

static long set_deadline(int ctl, __u64 deadline)
{
	return set_scope(ctl, deadline, NEVER, 0, 0);
}

/*
 * Was what is to come before @at not done by then?  The test may not have run for a
 * while; it is to try again, with another scope and more time.
 */
static bool too_late(struct __test_metadata *_metadata, FIXTURE_DATA(deadline) * self, __u64 at)
{
	if (in_ms(0) < at)
		return false;
	kill_actor(&self->member);
	close_pair(&self->pair);
	close(self->ctl);
	bind_for_deadline(_metadata, self);
	return true;
}

TEST_F(deadline, comes)
{
	__u64 at = in_ms(200);
	struct chan_scope_wait arg;

	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_parked(self->pair.recv, 0, 1));
	ASSERT_EQ(0, set_deadline(self->ctl, at));
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
	EXPECT_LE(at, in_ms(0));
	EXPECT_TRUE(canceled_with(self->ctl, ETIMEDOUT));
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(ETIMEDOUT, arg.cause);
}

TEST_F(deadline, has_passed_already)
{
	ASSERT_EQ(0, set_deadline(self->ctl, in_ms(-1000)));
	EXPECT_TRUE(wait_until(is_canceled(self->ctl)));
	EXPECT_TRUE(canceled_with(self->ctl, ETIMEDOUT));
}

TEST_F(deadline, is_long_past)
{
	ASSERT_EQ(0, set_deadline(self->ctl, 1));
	EXPECT_TRUE(wait_until(is_canceled(self->ctl)));
	EXPECT_TRUE(canceled_with(self->ctl, ETIMEDOUT));
}

TEST_F(deadline, is_moved_away)
{
	__u64 soon, later;
	long ms = 250, ret;

	do {
		ms *= 2;
		soon = in_ms(ms);
		later = in_ms(3 * ms);
		ASSERT_EQ(0, set_deadline(self->ctl, soon));
		ret = set_deadline(self->ctl, later);
	} while (too_late(_metadata, self, soon));
	ASSERT_EQ(0, ret);
	EXPECT_TRUE(wait_until(is_canceled(self->ctl)));
	EXPECT_LE(later, in_ms(0));
	EXPECT_TRUE(canceled_with(self->ctl, ETIMEDOUT));
}

TEST_F(deadline, is_moved_near)
{
	ASSERT_EQ(0, set_deadline(self->ctl, in_ms(10 * DEADLINE_MS)));
	ASSERT_EQ(0, set_deadline(self->ctl, in_ms(50)));
	EXPECT_TRUE(wait_until(is_canceled(self->ctl)));
	EXPECT_TRUE(canceled_with(self->ctl, ETIMEDOUT));
}

static void take_deadline_away(struct __test_metadata *_metadata, FIXTURE_DATA(deadline) * self,
			       __u64 none)
{
	long ms = 200, ret;
	__u64 at;

	do {
		ms *= 2;
		at = in_ms(ms);
		ASSERT_EQ(0, set_deadline(self->ctl, at));
		ret = set_deadline(self->ctl, none);
	} while (too_late(_metadata, self, at));
	ASSERT_EQ(0, ret);
	let_pass(ms + A_WHILE_MS);
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
	EXPECT_TRUE(works(&self->pair));
}

TEST_F(deadline, is_taken_away)
{
	take_deadline_away(_metadata, self, 0);
}

TEST_F(deadline, is_put_off_for_ever)
{
	take_deadline_away(_metadata, self, FOREVER);
}

TEST_F(deadline, that_no_clock_reaches)
{
	ASSERT_EQ(0, set_deadline(self->ctl, FOREVER - 1));
	ASSERT_EQ(0, set_deadline(self->ctl, 1ULL << 63));
	ASSERT_EQ(0, set_deadline(self->ctl, (1ULL << 63) - 1));
	let_pass(A_WHILE_MS);
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
}

TEST_F(deadline, comes_after_the_cancel)
{
	long ms = 100, ret;
	__u64 at;

	do {
		ms *= 2;
		at = in_ms(ms);
		ASSERT_EQ(0, set_deadline(self->ctl, at));
		ret = cancel_scope(self->ctl, EIO);
	} while (too_late(_metadata, self, at));
	ASSERT_EQ(0, ret);
	let_pass(ms + A_WHILE_MS);
	EXPECT_TRUE(canceled_with(self->ctl, EIO));
}

/* The timer has nothing left to come for. */
TEST_F(deadline, of_a_scope_that_has_ended)
{
	int i, ctl;

	for (i = 0; i < 20; i++) {
		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_deadline(ctl, in_ms(20)));
		close(ctl);
	}
	let_pass(20 + A_WHILE_MS);
	EXPECT_TRUE(works(&self->pair));
}

TEST_F(deadline, without_members)
{
	int ctl = open_scope(_metadata);

	ASSERT_EQ(0, set_deadline(ctl, in_ms(50)));
	EXPECT_TRUE(wait_until(is_canceled(ctl)));
	EXPECT_TRUE(canceled_with(ctl, ETIMEDOUT));
	EXPECT_EQ(-ECANCELED, bind_scope(ctl, self->member.pid));
}

/* Who waits for the members is told when it has come and they have gone. */
TEST_F(deadline, while_the_owner_waits)
{
	__u64 at = in_ms(200);
	struct chan_scope_wait arg;

	ASSERT_EQ(0, set_scope(self->ctl, at, 0, 0, 0));
	EXPECT_EQ(0, wait_scope(self->ctl, FOREVER, &arg));
	EXPECT_LE(at, in_ms(0));
	EXPECT_EQ(ETIMEDOUT, arg.cause);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

/* --- What it does to processes --- */

FIXTURE(grace) {
	int ctl;
	struct actor member;
};

FIXTURE_SETUP(grace)
{
	adopt_orphans();
	share_notes(_metadata);
	self->ctl = open_scope(_metadata);
	self->member = bound_actor(_metadata, self->ctl, keep_none);
}

FIXTURE_TEARDOWN(grace)
{
	kill_actor(&self->member);
}

TEST_F(grace, a_signal_and_then_the_end)
{
	__u64 began;

	/* It may not get to run in the time of grace, so it is not to handle the signal. */
	ASSERT_EQ(0, block_signals_as(&self->member));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(700), SIGTERM, 0));
	EXPECT_FALSE(was_sent(&self->member, SIGTERM));
	began = in_ms(0);
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(was_sent(&self->member, SIGTERM));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_LE(began + MS(700), in_ms(0));
	EXPECT_TRUE(was_sent(&self->member, SIGTERM));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

/* In the time of grace it does as it likes. */
TEST_F(grace, lasts)
{
	long end;

	ASSERT_EQ(0, note_signals_as(&self->member, SIGUSR1));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(3000), SIGUSR1, 0));
	end = now_ms() + 2500;
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	/* This process may sleep too long, even in the middle of asking. */
	while (now_ms() < end)
		ASSERT_TRUE(lives(&self->member) || now_ms() > end + 500);
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_LE(end + 500, now_ms());
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

TEST_F(grace, who_goes_by_itself_is_not_killed)
{
	struct chan_scope_wait arg;

	ASSERT_EQ(0, note_signals_as(&self->member, SIGTERM));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(DEADLINE_MS), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_TRUE(wait_until(signals_noted()));
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, in_ms(50), NULL));
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_scope(self->ctl, FOREVER, &arg));
	EXPECT_EQ(EIO, arg.cause);
}

TEST_F(grace, the_signal_alone_may_do)
{
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, SIGTERM));
}

TEST_F(grace, without_a_signal)
{
	__u64 began;

	ASSERT_EQ(0, note_signals_as(&self->member, SIGTERM));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(300), 0, 0));
	began = in_ms(0);
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_LE(began + MS(300), in_ms(0));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_EQ(0, signals_noted());
}

TEST_F(grace, none)
{
	ASSERT_EQ(0, note_signals_as(&self->member, SIGTERM));
	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

TEST_F(grace, never_ends)
{
	ASSERT_EQ(0, note_signals_as(&self->member, SIGTERM));
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(wait_until(signals_noted()));
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&self->member));
	EXPECT_EQ(1, signals_noted());
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_empty(self->ctl));
}

TEST_F(grace, that_no_clock_reaches)
{
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER - 1, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&self->member));
}

TEST_F(grace, by_default)
{
	__u64 began = in_ms(0);

	ASSERT_EQ(0, note_signals_as(&self->member, SIGTERM));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_LE(began + CHAN_SCOPE_GRACE_DEFAULT, in_ms(0));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_EQ(0, signals_noted());
}

/* What is set later than the cancel is not heard. */
TEST_F(grace, cannot_be_changed_any_more)
{
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(-ECANCELED, set_scope(self->ctl, 0, 0, SIGKILL, 0));
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&self->member));
}

TEST_F(grace, which_signals_there_are)
{
	EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, 65, 0));
	EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, -SIGTERM, 0));
	EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, SIGTERM, 2));
	EXPECT_EQ(0, set_scope(self->ctl, 0, NEVER, 64, 0));
	EXPECT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, 64));
}

TEST_F(grace, a_stopped_member)
{
	kill(self->member.pid, SIGSTOP);
	ASSERT_TRUE(wait_until(state_of(self->member.pid) == 'T'));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(100), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

TEST_F(grace, a_member_that_does_not_hear)
{
	ASSERT_EQ(0, block_signals_as(&self->member));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(100), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

static long act_spin(struct act *act)
{
	(void)act;
	__atomic_store_n(&notes->running, 1, __ATOMIC_RELEASE);
	for (;;)
		__atomic_add_fetch(&notes->count, 1, __ATOMIC_RELAXED);
	return 0;
}

static void start_spinning(struct __test_metadata *_metadata, struct actor *actor)
{
	struct act act = act_on(-1);

	tell(actor, &act, act_spin);
	ASSERT_TRUE(wait_until(__atomic_load_n(&notes->running, __ATOMIC_ACQUIRE)));
}

TEST_F(grace, a_member_that_runs)
{
	start_spinning(_metadata, &self->member);
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(100), 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

#define MORE	5

/* A signal that is queued, so that none is lost if there are too many. */
TEST_F(grace, each_member_once_and_nobody_else)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };
	struct actor other = start_actor(_metadata, NEW_GROUP, keep_none);
	struct actor more[MORE];
	int i;

	ASSERT_EQ(0, sigaction(SIGRTMIN, &action, NULL));
	ASSERT_EQ(0, note_signals_as(&other, SIGRTMIN));
	ASSERT_EQ(0, note_signals_as(&self->member, SIGRTMIN));
	for (i = 0; i < MORE; i++) {
		more[i] = start_actor(_metadata, self->member.pid, keep_none);
		ASSERT_EQ(0, note_signals_as(&more[i], SIGRTMIN));
	}
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER, SIGRTMIN, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(wait_until(signals_noted() == MORE + 1));
	/* Who answers has handled all that it was sent. */
	EXPECT_TRUE(lives(&self->member));
	EXPECT_TRUE(lives(&other));
	for (i = 0; i < MORE; i++)
		EXPECT_TRUE(lives(&more[i]));
	EXPECT_EQ(MORE + 1, signals_noted());
	EXPECT_TRUE(stop_actor(&other));
}

TEST_F(grace, each_member_is_killed_and_nobody_else)
{
	struct actor other = start_actor(_metadata, NEW_GROUP, keep_none);
	struct actor more[MORE];
	int i;

	ASSERT_EQ(0, block_signals_as(&other));
	ASSERT_EQ(0, block_signals_as(&self->member));
	for (i = 0; i < MORE; i++) {
		more[i] = start_actor(_metadata, self->member.pid, keep_none);
		ASSERT_EQ(0, block_signals_as(&more[i]));
	}
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(500), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(was_sent(&self->member, SIGTERM));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	for (i = 0; i < MORE; i++) {
		EXPECT_TRUE(was_sent(&more[i], SIGTERM));
		EXPECT_TRUE(killed_with(&more[i], SIGKILL));
	}
	EXPECT_FALSE(was_sent(&other, SIGTERM));
	EXPECT_TRUE(stop_actor(&other));
}

/* Who has left is none of the scope's business. */
TEST_F(grace, a_member_that_has_left)
{
	struct actor leaver = start_actor(_metadata, self->member.pid, keep_none);

	ASSERT_EQ(0, setpgid_as(&leaver, NEW_GROUP));
	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&leaver));
	EXPECT_TRUE(stop_actor(&leaver));
}

/* --- The same, with a scope inside --- */

FIXTURE(inherited) {
	int outer;
	int inner;
	struct actor host;
	struct actor member;	/* of the inner one */
};

static void open_outer(struct __test_metadata *_metadata, FIXTURE_DATA(inherited) * self)
{
	self->outer = open_scope(_metadata);
	self->host = bound_actor(_metadata, self->outer, keep_none);
}

FIXTURE_SETUP(inherited)
{
	adopt_orphans();
	share_notes(_metadata);
	self->member.sock = -1;
	open_outer(_metadata, self);
}

FIXTURE_TEARDOWN(inherited)
{
	kill_actor(&self->member);
	kill_actor(&self->host);
}

/* As the host has opened it. */
static void take_inner(struct __test_metadata *_metadata, FIXTURE_DATA(inherited) * self,
		       int there)
{
	self->inner = scope_from(&self->host, there);
	self->member = bound_actor(_metadata, self->inner, keep_none);
	ASSERT_EQ(0, note_signals_as(&self->member, SIGUSR1));
}

static void open_inner(struct __test_metadata *_metadata, FIXTURE_DATA(inherited) * self)
{
	take_inner(_metadata, self, open_scope_as(&self->host));
}

TEST_F(inherited, from_the_parent)
{
	__u64 began;

	ASSERT_EQ(0, set_scope(self->outer, 0, MS(300), SIGUSR1, 0));
	open_inner(_metadata, self);
	ASSERT_EQ(0, block_signals_as(&self->member));
	began = in_ms(0);
	ASSERT_EQ(0, cancel_scope(self->inner, 0));
	EXPECT_EQ(0, wait_empty(self->inner));
	EXPECT_LE(began + MS(300), in_ms(0));
	EXPECT_TRUE(was_sent(&self->member, SIGUSR1));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(lives(&self->host));
}

TEST_F(inherited, from_the_parent_but_sent_once)
{
	ASSERT_EQ(0, set_scope(self->outer, 0, NEVER, SIGRTMIN, 0));
	open_inner(_metadata, self);
	ASSERT_EQ(0, note_signals_as(&self->member, SIGRTMIN));
	ASSERT_EQ(0, note_signals_as(&self->host, SIGRTMIN));
	ASSERT_EQ(0, cancel_scope(self->inner, 0));
	EXPECT_TRUE(wait_until(signals_noted()));
	EXPECT_TRUE(lives(&self->member));
	EXPECT_TRUE(lives(&self->host));
	EXPECT_EQ(1, signals_noted());
}

TEST_F(inherited, at_the_time_of_the_open)
{
	ASSERT_EQ(0, set_scope(self->outer, 0, NEVER, 0, 0));
	open_inner(_metadata, self);
	ASSERT_EQ(0, set_scope(self->outer, 0, 0, SIGUSR1, 0));
	ASSERT_EQ(0, cancel_scope(self->inner, 0));
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&self->member));
	EXPECT_EQ(0, signals_noted());
}

TEST_F(inherited, not_the_deadline)
{
	long ms = 1500, ret;
	__u64 at;
	int there;

	for (;; ms *= 2) {
		at = in_ms(ms);
		ASSERT_EQ(0, set_scope(self->outer, at, NEVER, 0, 0));
		there = open_scope_as(&self->host);
		ret = set_scope(self->outer, 0, NEVER, 0, 0);
		if (in_ms(0) < at)
			break;
		/* Too late for it on a slow machine: again, with more time. */
		kill_actor(&self->host);
		close(self->outer);
		open_outer(_metadata, self);
	}
	ASSERT_LE(0, there);
	ASSERT_EQ(0, ret);
	take_inner(_metadata, self, there);
	let_pass(ms + A_WHILE_MS);
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->inner).state);
}

/* Members of the outer one are all within it. */
TEST_F(inherited, the_outer_grace_reaches_inside)
{
	ASSERT_EQ(0, set_scope(self->outer, 0, MS(200), 0, 0));
	open_inner(_metadata, self);
	ASSERT_EQ(0, set_scope(self->inner, 0, NEVER, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->outer, EIO));
	EXPECT_EQ(0, wait_empty(self->outer));
	EXPECT_TRUE(killed_with(&self->host, SIGKILL));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(canceled_with(self->inner, EIO));
}

TEST_F(inherited, the_outer_signal_reaches_inside)
{
	ASSERT_EQ(0, set_scope(self->outer, 0, NEVER, SIGUSR1, 0));
	open_inner(_metadata, self);
	ASSERT_EQ(0, set_scope(self->inner, 0, NEVER, 0, 0));
	ASSERT_EQ(0, note_signals_as(&self->host, SIGUSR1));
	ASSERT_EQ(0, cancel_scope(self->outer, EIO));
	EXPECT_TRUE(wait_until(signals_noted() == 2));
	EXPECT_TRUE(lives(&self->member));
}

TEST_F(inherited, the_inner_grace_is_kept_when_the_outer_one_is_cancelled)
{
	ASSERT_EQ(0, set_scope(self->outer, 0, NEVER, 0, 0));
	open_inner(_metadata, self);
	ASSERT_EQ(0, set_scope(self->inner, 0, MS(200), SIGUSR1, 0));
	ASSERT_EQ(0, block_signals_as(&self->member));
	ASSERT_EQ(0, cancel_scope(self->outer, EIO));
	EXPECT_EQ(0, wait_empty(self->inner));
	EXPECT_TRUE(was_sent(&self->member, SIGUSR1));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(lives(&self->host));
}

/* Its file is gone, and it is there all the same while members are. */
TEST_F(inherited, through_a_scope_without_file)
{
	ASSERT_EQ(0, set_scope(self->outer, 0, NEVER, 0, 0));
	open_inner(_metadata, self);
	close(self->inner);
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&self->member));
	EXPECT_EQ(2, scope_info(self->outer).members);
	EXPECT_TRUE(stop_actor(&self->host));
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->outer, in_ms(50), NULL));
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_empty(self->outer));
}

/* --- Death of the owner --- */

#define GRACE_MS	300

FIXTURE(owner) {
	struct actor owner;
	int held;		/* its file, as the owner has it */
	__u64 id;
	struct pair pair;
	struct actor member;
};

/* How it goes: whoever dies takes the same way out. */
FIXTURE_VARIANT(owner) {
	int way;
};

#define KILLED		0
#define EXITS		1
#define CLOSES		2
#define EXECUTES	3

FIXTURE_VARIANT_ADD(owner, killed) {
	.way = KILLED,
};

FIXTURE_VARIANT_ADD(owner, exits) {
	.way = EXITS,
};

FIXTURE_VARIANT_ADD(owner, closes) {
	.way = CLOSES,
};

FIXTURE_VARIANT_ADD(owner, executes) {
	.way = EXECUTES,
};

/*
 * Members are children of the test: they must go by the scope alone. The file
 * of the scope is here only as long as it is needed.
 */
FIXTURE_SETUP(owner)
{
	int ctl;

	adopt_orphans();
	share_notes(_metadata);
	self->owner = start_actor(_metadata, NEW_GROUP, keep_none);
	self->held = open_scope_as(&self->owner);
	ASSERT_EQ(0, set_as(&self->owner, self->held, 0, MS(GRACE_MS), 0, 0));
	ctl = take(&self->owner, self->held);
	self->id = scope_info(ctl).id;
	self->pair = pair_on(_metadata, ctl, 1);
	close(ctl);
}

FIXTURE_TEARDOWN(owner)
{
	kill_actor(&self->owner);
	if (self->member.pid)
		kill_actor(&self->member);
}

static void bind_member(struct __test_metadata *_metadata, FIXTURE_DATA(owner) * self,
			__u64 grace)
{
	int ctl = take(&self->owner, self->held);

	ASSERT_EQ(0, set_scope(ctl, 0, grace, 0, 0));
	self->member = bound_actor(_metadata, ctl, keep(self->pair.send, self->pair.recv));
	close(ctl);
}

static long act_exec_sleep(struct act *act)
{
	(void)act;
	execl("/bin/sleep", "sleep", "1000", NULL);
	return -errno;
}

static void lose_owner(FIXTURE_DATA(owner) * self, const FIXTURE_VARIANT(owner) * variant)
{
	struct act act = act_on(-1);

	switch (variant->way) {
	case EXITS:
		stop_actor(&self->owner);
		break;
	case CLOSES:
		close_as(&self->owner, self->held);
		break;
	case EXECUTES:
		tell(&self->owner, &act, act_exec_sleep);
		break;
	default:
		kill_actor(&self->owner);
	}
}

/* Nobody is in it, and nobody was kept out of its channels. */
TEST_F(owner, before_the_bind)
{
	lose_owner(self, variant);
	let_pass(A_WHILE_MS);
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.recv).state);
	EXPECT_TRUE(works(&self->pair));
	close_pair(&self->pair);
	if (!access(SCOPES_LIST, R_OK))
		EXPECT_TRUE(wait_until(!listed(self->id)));
}

TEST_F(owner, with_a_member)
{
	__u64 began;

	bind_member(_metadata, self, MS(GRACE_MS));
	began = in_ms(0);
	lose_owner(self, variant);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_LE(began + MS(GRACE_MS), in_ms(0));
	close_pair(&self->pair);
	if (!access(SCOPES_LIST, R_OK))
		EXPECT_TRUE(wait_until(!listed(self->id)));
}

/* It is told so. */
static void lose_with_member_in(struct __test_metadata *_metadata, FIXTURE_DATA(owner) * self,
				const FIXTURE_VARIANT(owner) * variant, act_fn fn,
				struct act *act)
{
	bind_member(_metadata, self, NEVER);
	if (fn == act_write)
		ASSERT_EQ(4, put_as(&self->member, self->pair.send, "full"));
	tell(&self->member, act, fn);
	ASSERT_TRUE(wait_asleep_in(&self->member, fn == act_write ? SYS_write :
						  fn == act_read ? SYS_read : SYS_ioctl));
	lose_owner(self, variant);
}

TEST_F(owner, with_a_member_in_read)
{
	struct act act = act_on(self->pair.recv);

	lose_with_member_in(_metadata, self, variant, act_read, &act);
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
	EXPECT_EQ(-ECANCELED, get_as(&self->member, self->pair.recv));
	EXPECT_TRUE(lives(&self->member));
}

TEST_F(owner, with_a_member_in_write)
{
	struct act act = act_text(self->pair.send, "more");

	lose_with_member_in(_metadata, self, variant, act_write, &act);
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
	EXPECT_EQ(-ECANCELED, put_as(&self->member, self->pair.send, "x"));
}

TEST_F(owner, with_a_member_in_select)
{
	struct chan_case cases[2] = {
		case_disabled(), case_recv(self->pair.recv, NULL, 0),
	};
	struct act act = act_of_cases(self->pair.recv, cases, 2);

	lose_with_member_in(_metadata, self, variant, act_select, &act);
	EXPECT_EQ(1, finish_select_as(&self->member, -ECANCELED));
}

/* Parked and killed: the message that it offered is nobody's. */
TEST_F(owner, with_a_member_in_read_that_is_killed)
{
	bind_member(_metadata, self, 0);
	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_asleep_in(&self->member, SYS_read));
	lose_owner(self, variant);
	/* It may have been told in time to say so. */
	finish_as(&self->member);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

TEST_F(owner, with_a_member_that_runs)
{
	bind_member(_metadata, self, MS(GRACE_MS));
	start_spinning(_metadata, &self->member);
	lose_owner(self, variant);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

TEST_F(owner, with_a_member_that_is_stopped)
{
	bind_member(_metadata, self, MS(GRACE_MS));
	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_asleep_in(&self->member, SYS_read));
	kill(self->member.pid, SIGSTOP);
	ASSERT_TRUE(wait_until(state_of(self->member.pid) == 'T'));
	lose_owner(self, variant);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

TEST_F(owner, in_the_middle_of_the_grace)
{
	__u64 began;
	int inner;

	bind_member(_metadata, self, MS(1000));
	inner = scope_by(&self->member);
	began = in_ms(0);
	ASSERT_EQ(0, cancel_as(&self->owner, self->held, EDOM));
	let_pass(200);
	lose_owner(self, variant);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_LE(began + MS(1000), in_ms(0));
	EXPECT_TRUE(canceled_with(inner, EDOM));
}

TEST_F(owner, with_a_scope_inside)
{
	struct actor inside;
	struct pair pair;
	int inner, idle;

	bind_member(_metadata, self, MS(GRACE_MS));
	inner = scope_by(&self->member);
	idle = scope_by(&self->member);
	pair = pair_on(_metadata, inner, 0);
	inside = bound_actor(_metadata, inner, keep(pair.recv));
	lose_owner(self, variant);
	EXPECT_TRUE(wait_until(is_canceled(inner)));
	EXPECT_TRUE(canceled_with(inner, EOWNERDEAD));
	EXPECT_TRUE(canceled_with(idle, EOWNERDEAD));
	EXPECT_EQ(-ECANCELED, put(pair.send, "x"));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(killed_with(&inside, SIGKILL));
}

/* Who has the file elsewhere owns it as well. */
TEST_F(owner, with_the_file_elsewhere)
{
	struct actor other;
	int ctl, inner;

	bind_member(_metadata, self, MS(GRACE_MS));
	inner = scope_by(&self->member);
	ctl = take(&self->owner, self->held);
	other = start_actor(_metadata, NEW_GROUP, keep(ctl));
	lose_owner(self, variant);
	close(ctl);
	let_pass(A_WHILE_MS);
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(inner).state);
	EXPECT_EQ(1, put_as(&self->member, self->pair.send, "x"));
	EXPECT_TRUE(got_as(&self->member, self->pair.recv, "x"));
	kill_actor(&other);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(canceled_with(inner, EOWNERDEAD));
}

/* On its way through a socket it is in nobody's hands, and there. */
TEST_F(owner, with_the_file_in_a_socket)
{
	struct act act = act_on(-1);
	int ctl, inner, sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	bind_member(_metadata, self, MS(GRACE_MS));
	inner = scope_by(&self->member);
	ctl = take(&self->owner, self->held);
	ASSERT_TRUE(send_act(sock[0], &act, ctl));
	close(ctl);
	lose_owner(self, variant);
	let_pass(A_WHILE_MS);
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(inner).state);
	EXPECT_TRUE(lives(&self->member));
	close(sock[1]);
	close(sock[0]);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(canceled_with(inner, EOWNERDEAD));
}

/* A member that holds the file keeps the scope. */
TEST_F(owner, with_the_file_in_it)
{
	struct actor holder;
	int ctl, inner;

	bind_member(_metadata, self, MS(GRACE_MS));
	inner = scope_by(&self->member);
	ctl = take(&self->owner, self->held);
	holder = start_actor(_metadata, self->member.pid, keep(ctl));
	close(ctl);
	lose_owner(self, variant);
	let_pass(A_WHILE_MS);
	EXPECT_TRUE(lives(&holder));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(inner).state);
	EXPECT_TRUE(stop_actor(&holder));
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_TRUE(canceled_with(inner, EOWNERDEAD));
}

TEST_F(owner, with_two_descriptors)
{
	int ctl, second, inner;

	bind_member(_metadata, self, MS(GRACE_MS));
	inner = scope_by(&self->member);
	ctl = take(&self->owner, self->held);
	second = give(&self->owner, ctl);
	close(ctl);
	EXPECT_EQ(0, close_as(&self->owner, second));
	let_pass(A_WHILE_MS);
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(inner).state);
	lose_owner(self, variant);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
}

/* The scope ends, and what was opened in it with it; nothing else does. */
TEST_F(owner, without_members)
{
	struct actor other = start_actor(_metadata, NEW_GROUP, keep_none);
	struct pair root, beside;
	int inner, ctl;

	make_pair(_metadata, &root, 1, 0);
	ctl = open_scope(_metadata);
	beside = pair_on(_metadata, ctl, 1);
	ASSERT_EQ(0, bind_scope(ctl, other.pid));
	bind_member(_metadata, self, MS(GRACE_MS));
	inner = scope_by(&self->member);
	EXPECT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(inner).state);
	lose_owner(self, variant);
	close_pair(&self->pair);
	EXPECT_TRUE(wait_until(is_canceled(inner)));
	EXPECT_TRUE(canceled_with(inner, EOWNERDEAD));
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(ctl).state);
	EXPECT_TRUE(works(&beside));
	EXPECT_TRUE(works(&root));
	EXPECT_TRUE(stop_actor(&other));
	close(inner);
	if (!access(SCOPES_LIST, R_OK))
		EXPECT_TRUE(wait_until(!listed(self->id)));
}

/* Generations of processes, none of which has anybody who waits for it. */
#define GENERATIONS	5

static long act_breed(struct act *act)
{
	int i;

	(void)act;
	for (i = 0; i < GENERATIONS; i++)
		if (fork())
			break;
	__atomic_add_fetch(&notes->count, 1, __ATOMIC_RELEASE);
	if (i % 2)
		signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
	return 0;
}

static int reap_group(pid_t pgid)
{
	int n = 0;

	while (waitpid(-pgid, NULL, 0) > 0)
		n++;
	return n;
}

TEST_F(owner, with_generations_of_members)
{
	struct act act = act_on(-1);
	pid_t group;

	bind_member(_metadata, self, MS(GRACE_MS));
	group = self->member.pid;
	tell(&self->member, &act, act_breed);
	ASSERT_TRUE(wait_until(__atomic_load_n(&notes->count, __ATOMIC_ACQUIRE) ==
			       GENERATIONS + 1));
	lose_owner(self, variant);
	EXPECT_TRUE(killed_with(&self->member, SIGKILL));
	EXPECT_EQ(GENERATIONS, reap_group(group));
	EXPECT_EQ(-ESRCH, result(kill(-group, 0)));
}

/* --- An adopted channel --- */

FIXTURE(adopted) {
	struct device dev;
	int ctl;
	int fd;		/* both ends */
	struct actor member;
};

FIXTURE_SETUP(adopted)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	adopt_orphans();
	ASSERT_EQ(0, device_add(&self->dev, 2, 0, 0600));
	self->ctl = open_scope(_metadata);
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER, 0, 0));
	self->fd = device_open(&self->dev, O_RDWR);
	ASSERT_EQ(0, adopt(self->ctl, self->fd));
	self->member = bound_actor(_metadata, self->ctl, keep(self->fd));
}

FIXTURE_TEARDOWN(adopted)
{
	kill_actor(&self->member);
	close(self->fd);
	device_remove(&self->dev);
}

/* Nobody has it open meanwhile. */
static bool is_new(struct device *dev)
{
	int fd = device_open(dev, O_RDWR);
	bool new = info(fd).state == CHAN_STATE_OPEN;

	close(fd);
	return new;
}

TEST_F(adopted, is_cancelled_with_the_scope)
{
	int again;

	ASSERT_EQ(4, put(self->fd, "kept"));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(CHAN_STATE_CANCELED, info(self->fd).state);
	EXPECT_EQ(0, info(self->fd).buffered);
	EXPECT_EQ(-ECANCELED, put(self->fd, "x"));
	EXPECT_EQ(-ECANCELED, get_as(&self->member, self->fd));
	EXPECT_EQ(IN | OUT | BROKEN, poll_events(self->fd, IN | OUT));
	/* Who opens it now is none the better. */
	again = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(-ECANCELED, put(again, "x"));
	close(again);
}

TEST_F(adopted, by_parked_members)
{
	start_read_as(&self->member, self->fd);
	ASSERT_TRUE(wait_parked(self->fd, 0, 1));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
}

/* Opened anew while the scope is there it is cancelled, and new when not. */
TEST_F(adopted, stays_cancelled_until_the_scope_ends)
{
	int again;

	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_TRUE(stop_actor(&self->member));
	close(self->fd);
	again = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(-ECANCELED, put(again, "x"));
	EXPECT_EQ(0, wait_empty(self->ctl));
	close(self->ctl);
	close(again);
	EXPECT_TRUE(wait_until(is_new(&self->dev)));
	self->fd = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(3, put(self->fd, "new"));
	EXPECT_TRUE(got(self->fd, "new"));
}

TEST_F(adopted, returns_after_the_owner_has_died)
{
	ASSERT_EQ(4, put(self->fd, "kept"));
	close(self->ctl);
	EXPECT_EQ(-ECANCELED, get_as(&self->member, self->fd));
	EXPECT_TRUE(stop_actor(&self->member));
	close(self->fd);
	EXPECT_TRUE(wait_until(is_new(&self->dev)));
	self->fd = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(0, info(self->fd).buffered);
	EXPECT_EQ(3, put(self->fd, "new"));
	EXPECT_TRUE(got(self->fd, "new"));
}

TEST_F(adopted, not_by_a_cancelled_scope)
{
	int ctl = open_scope(_metadata);

	EXPECT_TRUE(stop_actor(&self->member));
	close(self->ctl);
	close(self->fd);
	ASSERT_TRUE(wait_until(is_new(&self->dev)));
	self->fd = device_open(&self->dev, O_RDWR);
	ASSERT_EQ(0, cancel_scope(ctl, 0));
	EXPECT_EQ(-ECANCELED, adopt(ctl, self->fd));
	EXPECT_EQ(1, put(self->fd, "x"));
	EXPECT_TRUE(got(self->fd, "x"));
}

/* --- Against members that come and go --- */

/* One that parks, executes another program, or exits. */
static void live_shortly(const struct pair *pair, unsigned int how)
{
	char byte;

	switch (how % 5) {
	case 0:
		do_read(pair->recv, &byte, 1);
		break;
	case 1:
		do_write(pair->send, "x", 1);
		break;
	case 2:
		execl("/bin/true", "true", NULL);
		break;
	case 3:
		execl("/bin/sleep", "sleep", "1000", NULL);
		break;
	}
	__atomic_add_fetch(&notes->count, 1, __ATOMIC_RELEASE);
	_exit(0);
}

/* As fast as it can at first; but there is no end to it, so not for ever. */
static long act_churn(struct act *act)
{
	struct pair *pair = (struct pair *)act->data;
	unsigned int i;

	signal(SIGCHLD, SIG_IGN);
	for (i = 0; ; i++) {
		pid_t pid = fork();

		if (!pid)
			live_shortly(pair, i);
		if (pid < 0 || i > 100)
			nap();
	}
	return 0;
}

static void cancel_churn(struct __test_metadata *_metadata, __u64 grace, __u32 sig)
{
	struct act act = act_on(-1);
	int ctl = open_scope(_metadata);
	struct pair pair = pair_on(_metadata, ctl, 0);
	struct actor actor = bound_actor(_metadata, ctl, keep(pair.send, pair.recv));
	pid_t group = actor.pid;
	long count = notes->count;

	memcpy(act.data, &pair, sizeof(pair));
	ASSERT_EQ(0, set_scope(ctl, 0, grace, sig, 0));
	tell(&actor, &act, act_churn);
	ASSERT_TRUE(wait_until(__atomic_load_n(&notes->count, __ATOMIC_ACQUIRE) > count + 3));
	ASSERT_EQ(0, cancel_scope(ctl, 0));
	EXPECT_EQ(0, wait_empty(ctl));
	EXPECT_EQ(0, scope_info(ctl).members);
	EXPECT_TRUE(killed_with(&actor, sig ? sig : SIGKILL));
	/* What is left of the group is to be waited for, no more. */
	reap_group(group);
	/* Who reaps itself is gone for us a moment before it is for the kernel. */
	EXPECT_TRUE(wait_until(kill(-group, 0) && errno == ESRCH));
	EXPECT_EQ(1, info(pair.send).send_ends);
	EXPECT_EQ(1, info(pair.send).recv_ends);
	EXPECT_TRUE(parked_are(pair.send, 0, 0));
	close_pair(&pair);
	close(ctl);
}

static void churn_rounds(struct __test_metadata *_metadata, __u64 grace, __u32 sig)
{
	long end = now_ms() + BUDGET_MS;
	int round;

	adopt_orphans();
	share_notes(_metadata);
	for (round = 0; round < 30 && now_ms() < end; round++)
		cancel_churn(_metadata, grace, sig);
	TH_LOG("%d rounds", round);
}

TEST(members_that_come_and_go_are_killed)
{
	churn_rounds(_metadata, 0, 0);
}

TEST(members_that_come_and_go_are_signalled)
{
	churn_rounds(_metadata, MS(100), SIGTERM);
}

TEST(members_that_come_and_go_are_killed_after_a_while)
{
	churn_rounds(_metadata, MS(20), 0);
}

/* --- Races --- */

FIXTURE(race) {
	struct actor rival;
	__u64 random;
	long until_ms;
};

FIXTURE_SETUP(race)
{
	adopt_orphans();
	share_notes(_metadata);
	self->rival = start_actor(_metadata, NEW_GROUP, keep_none);
	self->random = in_ms(0);
	self->until_ms = now_ms() + BUDGET_MS;
	TH_LOG("seed %llu", (unsigned long long)self->random);
}

FIXTURE_TEARDOWN(race)
{
	kill_actor(&self->rival);
}

/* Both sides have been told, and one is late by a little. */
static void be_late(__u64 *random)
{
	int spin;

	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	for (spin = (*random >> 33) % 30000; spin; spin--)
		__asm__ volatile("" : : : "memory");
}

static void start_cancel(struct actor *rival, int ctl, __u32 error)
{
	struct act act = act_on(ctl);

	act.value = error;
	tell(rival, &act, act_cancel);
}

#define for_each_round(round)						\
	for ((round) = 0; (round) < ROUNDS && now_ms() < self->until_ms; (round)++)

/* Were we the first?  @inside: the rival cancels the scope in the one that we do. */
static bool two_cancel(struct __test_metadata *_metadata, FIXTURE_DATA(race) * self, bool inside)
{
	int ctl = open_scope(_metadata), inner, theirs;
	struct actor member;
	__u32 cause;

	ASSERT_EQ(0, set_scope(ctl, 0, NEVER, 0, 0));
	member = bound_actor(_metadata, ctl, keep_none);
	inner = scope_by(&member);
	theirs = give(&self->rival, inside ? inner : ctl);
	start_cancel(&self->rival, theirs, EIO);
	be_late(&self->random);
	EXPECT_EQ(0, cancel_scope(ctl, EDOM));
	/* Whose it is stands. */
	cause = scope_info(inside ? inner : ctl).cause;
	EXPECT_EQ(0, finish_as(&self->rival));
	EXPECT_TRUE(cause == EIO || cause == EDOM);
	EXPECT_TRUE(canceled_with(inner, cause));
	EXPECT_TRUE(canceled_with(ctl, inside ? EDOM : cause));
	close_as(&self->rival, theirs);
	EXPECT_TRUE(stop_actor(&member));
	close(inner);
	close(ctl);
	return cause == EDOM;
}

TEST_F(race, two_causes)
{
	int round, first = 0;

	for_each_round(round)
		first += two_cancel(_metadata, self, false);
	TH_LOG("%d of %d came first", first, round);
}

TEST_F(race, parent_and_child)
{
	int round, first = 0;

	for_each_round(round)
		first += two_cancel(_metadata, self, true);
	TH_LOG("%d of %d came first", first, round);
}

/* Bound and reached, or neither. */
TEST_F(race, against_bind)
{
	int round, ctl, theirs, bound = 0;
	long ret;

	for_each_round(round) {
		struct actor member = start_actor(_metadata, NEW_GROUP, keep_none);

		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_scope(ctl, 0, 0, 0, 0));
		theirs = give(&self->rival, ctl);
		start_cancel(&self->rival, theirs, EIO);
		be_late(&self->random);
		ret = bind_scope(ctl, member.pid);
		EXPECT_EQ(0, finish_as(&self->rival));
		EXPECT_TRUE(ret == 0 || ret == -ECANCELED);
		EXPECT_EQ(0, wait_empty(ctl));
		EXPECT_TRUE(ret ? stop_actor(&member) : killed_with(&member, SIGKILL));
		bound += !ret;
		close_as(&self->rival, theirs);
		close(ctl);
	}
	TH_LOG("%d of %d were bound", bound, round);
}

/* There are no channels that it did not reach. */
TEST_F(race, against_create)
{
	int round, ctl, theirs, i, fds, created = 0;
	struct chan_create arg[8];

	for_each_round(round) {
		ctl = open_scope(_metadata);
		theirs = give(&self->rival, ctl);
		fds = count_fds();
		start_cancel(&self->rival, theirs, EIO);
		be_late(&self->random);
		for (i = 0; i < 8; i++) {
			arg[i] = (struct chan_create){ .capacity = 1 };
			if (create(ctl, &arg[i]))
				break;
		}
		EXPECT_EQ(0, finish_as(&self->rival));
		EXPECT_EQ(fds + 2 * i, count_fds());
		EXPECT_EQ(i, scope_info(ctl).channels);
		created += i;
		while (i--) {
			EXPECT_EQ(-ECANCELED, put(arg[i].send_fd, "x"));
			close(arg[i].send_fd);
			close(arg[i].recv_fd);
		}
		close_as(&self->rival, theirs);
		close(ctl);
	}
	TH_LOG("%d channels in %d rounds", created, round);
}

static long act_open_many(struct act *act)
{
	int i, *fds = (int *)act->data;

	for (i = 0; i < act->value; i++)
		fds[i] = open(CONTROL, O_RDWR | O_CLOEXEC);
	return 0;
}

/* No scope is opened inside that it did not reach. */
TEST_F(race, against_open)
{
	int round, ctl, i, *fds, inner;

	for_each_round(round) {
		struct act act = act_on(-1);
		struct actor member;

		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_scope(ctl, 0, NEVER, 0, 0));
		member = bound_actor(_metadata, ctl, keep_none);
		act.value = 8;
		tell(&member, &act, act_open_many);
		be_late(&self->random);
		EXPECT_EQ(0, cancel_scope(ctl, EIO));
		EXPECT_EQ(0, answer(&member, &act));
		fds = (int *)act.data;
		for (i = 0; i < 8; i++) {
			inner = take(&member, fds[i]);
			EXPECT_TRUE(canceled_with(inner, EIO));
			close(inner);
		}
		EXPECT_TRUE(stop_actor(&member));
		close(ctl);
	}
}

/* Ends are closed while their channels are cancelled. */
TEST_F(race, against_the_close_of_ends)
{
	int round, ctl, theirs, i;
	struct pair pair[8];

	for_each_round(round) {
		ctl = open_scope(_metadata);
		for (i = 0; i < 8; i++) {
			pair[i] = pair_on(_metadata, ctl, 1);
			put(pair[i].send, "x");
		}
		theirs = give(&self->rival, ctl);
		start_cancel(&self->rival, theirs, EIO);
		be_late(&self->random);
		for (i = 0; i < 8; i++)
			close_pair(&pair[7 - i]);
		EXPECT_EQ(0, finish_as(&self->rival));
		EXPECT_EQ(0, scope_info(ctl).channels);
		EXPECT_TRUE(canceled_with(ctl, EIO));
		close_as(&self->rival, theirs);
		close(ctl);
	}
}

/* The last file goes while it is cancelled through another. */
TEST_F(race, against_the_close_of_the_scope)
{
	int round, ctl, theirs, inner;
	__u32 cause;

	for_each_round(round) {
		struct actor member;

		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_scope(ctl, 0, MS(10), 0, 0));
		member = bound_actor(_metadata, ctl, keep_none);
		inner = scope_by(&member);
		theirs = give(&self->rival, ctl);
		close(ctl);
		/* The deadline cancels it, or the owner's going. */
		ASSERT_EQ(0, set_as(&self->rival, theirs, in_ms(1), MS(10), 0, 0));
		be_late(&self->random);
		close_as(&self->rival, theirs);
		EXPECT_TRUE(killed_with(&member, SIGKILL));
		cause = scope_info(inner).cause;
		EXPECT_TRUE(cause == ETIMEDOUT || cause == EOWNERDEAD);
		close(inner);
	}
}

/* --- Against messages in flight --- */

/* Both return how many, when they meet what is not success. */
static long act_flood(struct act *act)
{
	__u64 number = 0;
	long ret;

	do {
		ret = do_write(act->fd, &number, sizeof(number));
		number += ret == sizeof(number);
	} while (ret == sizeof(number));
	act->value = number;
	return ret;
}

static long act_drain(struct act *act)
{
	__u64 number = 0, expected = 0;
	long ret;

	do {
		ret = do_read(act->fd, &number, sizeof(number));
		if (ret == sizeof(number) && number != expected++)
			return -EBADMSG;
		__atomic_store_n(&notes->count, expected, __ATOMIC_RELAXED);
	} while (ret == sizeof(number));
	act->value = expected;
	return ret;
}

/* Told to be sent is told to be received, but for what a buffer held. */
static void cancel_in_flight(struct __test_metadata *_metadata, FIXTURE_DATA(race) * self,
			     __u32 capacity)
{
	struct actor send, recv;
	struct act sent, received;
	struct pair pair;
	int round, ctl;
	long enough;

	for_each_round(round) {
		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_scope(ctl, 0, NEVER, 0, 0));
		pair = pair_on(_metadata, ctl, capacity);
		send = bound_actor(_metadata, ctl, keep(pair.send));
		recv = start_actor(_metadata, send.pid, keep(pair.recv));
		notes->count = 0;
		sent = act_on(pair.send);
		received = act_on(pair.recv);
		tell(&recv, &received, act_drain);
		tell(&send, &sent, act_flood);
		enough = self->random >> 60;
		ASSERT_TRUE(wait_until(__atomic_load_n(&notes->count, __ATOMIC_RELAXED) > enough));
		be_late(&self->random);
		EXPECT_EQ(0, cancel_scope(ctl, 0));
		EXPECT_EQ(-ECANCELED, answer(&send, &sent));
		EXPECT_EQ(-ECANCELED, answer(&recv, &received));
		EXPECT_EQ(sent.value, info(pair.send).sent);
		EXPECT_EQ(received.value, info(pair.send).received);
		EXPECT_LE(received.value, sent.value);
		EXPECT_GE(received.value + capacity, sent.value);
		EXPECT_EQ(0, info(pair.send).buffered);
		EXPECT_TRUE(stop_actor(&send));
		EXPECT_TRUE(stop_actor(&recv));
		close_pair(&pair);
		close(ctl);
	}
}

TEST_F(race, against_a_rendezvous)
{
	cancel_in_flight(_metadata, self, 0);
}

TEST_F(race, against_a_buffer)
{
	cancel_in_flight(_metadata, self, 3);
}

/* What is long is copied from process to process, with no lock held. */
static long act_flood_long(struct act *act)
{
	static char data[60000];
	long ret, count = 0;

	while ((ret = do_write(act->fd, data, sizeof(data))) == sizeof(data))
		count++;
	act->value = count;
	return ret;
}

static long act_drain_long(struct act *act)
{
	static char data[60000];
	long ret, count = 0;

	while ((ret = do_read(act->fd, data, sizeof(data))) == sizeof(data))
		__atomic_store_n(&notes->count, ++count, __ATOMIC_RELAXED);
	act->value = count;
	return ret;
}

TEST_F(race, against_long_messages)
{
	struct actor send, recv;
	struct act sent, received;
	struct pair pair;
	int round, ctl;

	for_each_round(round) {
		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_scope(ctl, 0, NEVER, 0, 0));
		pair = pair_on(_metadata, ctl, 0);
		send = bound_actor(_metadata, ctl, keep(pair.send));
		recv = start_actor(_metadata, send.pid, keep(pair.recv));
		notes->count = 0;
		sent = act_on(pair.send);
		received = act_on(pair.recv);
		tell(&recv, &received, act_drain_long);
		tell(&send, &sent, act_flood_long);
		ASSERT_TRUE(wait_until(__atomic_load_n(&notes->count, __ATOMIC_RELAXED)));
		be_late(&self->random);
		EXPECT_EQ(0, cancel_scope(ctl, 0));
		EXPECT_EQ(-ECANCELED, answer(&send, &sent));
		EXPECT_EQ(-ECANCELED, answer(&recv, &received));
		EXPECT_EQ(sent.value, received.value);
		EXPECT_EQ(sent.value, info(pair.send).sent);
		EXPECT_EQ(received.value, info(pair.send).received);
		EXPECT_TRUE(stop_actor(&send));
		EXPECT_TRUE(stop_actor(&recv));
		close_pair(&pair);
		close(ctl);
	}
}

/* As soon as one channel is cancelled, is another, to which value leads? */
static long act_hear_and_send(struct act *act)
{
	char text[8];
	long ret;

	do
		ret = do_read(act->fd, text, sizeof(text));
	while (ret == -EAGAIN);
	return ret == -ECANCELED ? do_write(act->value, "x", 1) : -EBADMSG;
}

#define MANY_CHANNELS	48

static void hear_and_send(struct __test_metadata *_metadata, FIXTURE_DATA(race) * self,
			  bool parked)
{
	struct pair pair[MANY_CHANNELS];
	int round, ctl, i;

	for_each_round(round) {
		struct act act;
		int first, last;

		ctl = open_scope(_metadata);
		for (i = 0; i < MANY_CHANNELS; i++)
			pair[i] = pair_on(_metadata, ctl, 1);
		first = give(&self->rival, pair[0].recv);
		last = give(&self->rival, pair[MANY_CHANNELS - 1].send);
		set_nonblock(pair[0].recv, !parked);
		act = act_on(first);
		act.value = last;
		tell(&self->rival, &act, act_hear_and_send);
		be_late(&self->random);
		if (parked)
			wait_parked(pair[0].send, 0, 1);
		EXPECT_EQ(0, cancel_scope(ctl, 0));
		EXPECT_EQ(-ECANCELED, finish_as(&self->rival));
		close_as(&self->rival, first);
		close_as(&self->rival, last);
		for (i = 0; i < MANY_CHANNELS; i++)
			close_pair(&pair[i]);
		close(ctl);
	}
}

TEST_F(race, who_was_parked_and_is_told_succeeds_nowhere)
{
	hear_and_send(_metadata, self, true);
}

TEST_F(race, who_comes_and_is_told_succeeds_nowhere)
{
	hear_and_send(_metadata, self, false);
}

TEST_HARNESS_MAIN
