// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scopes against those who mean no good: numbers that are used again, pid
 * namespaces, programs of another user, members that do not go, members that
 * come and go, and very many scopes.
 */
#include <glob.h>
#include <linux/sched.h>

#include "scope_test.h"

#define SCOPES_LIST	"/sys/kernel/debug/chan/scopes"
#define PARAMETER(name)	"/sys/module/chan/parameters/" name

#define ROUNDS		100
#define NEVER		CHAN_SCOPE_GRACE_NEVER
#define MS(n)		((n) * NS_PER_MS)

FIXTURE(hostile) {
	int ctl;
	struct pair pair;
	struct actor member;
};

static void bind_member(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self)
{
	self->ctl = open_scope(_metadata);
	self->pair = pair_on(_metadata, self->ctl, 4);
	self->member = start_actor(_metadata, NEW_GROUP, keep(self->pair.send, self->pair.recv));
	ASSERT_EQ(0, set_scope(self->ctl, 0, NEVER, 0, 0));
	ASSERT_EQ(0, bind_scope(self->ctl, self->member.pid));
}

static void end_scope(FIXTURE_DATA(hostile) * self)
{
	kill_actor(&self->member);
	close_pair(&self->pair);
	close(self->ctl);
}

FIXTURE_SETUP(hostile)
{
	if (!is_root())
		SKIP(return, "namespaces and other users take root");
	bind_member(_metadata, self);
}

FIXTURE_TEARDOWN(hostile)
{
	end_scope(self);
}

/* Killed by @signal, or about to be. */
static bool dies_of(struct actor *actor, int signal)
{
	long ret = finish_as(actor);

	if (ret == OP_KILLED(signal))
		return true;
	fprintf(stderr, "# instead of killed by %d: %ld\n", signal, ret);
	return false;
}

static bool is_well(struct actor *actor)
{
	return !ask_on(actor, -1, act_nothing);
}

/* --- Numbers that are used again --- */

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = address(&pid), .set_tid_size = 1,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* Somebody else, whose process and group have the number of one that has gone. */
static struct actor start_as(struct __test_metadata *_metadata, pid_t pid, const int *fds)
{
	struct actor actor = { 0 };
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	actor.sock = sock[0];
	actor.pid = fork_as(pid);
	if (!actor.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(sock[0]);
		become_actor(sock[1], NEW_GROUP, fds);
	}
	ASSERT_EQ(pid, actor.pid)
		TH_LOG("clone3: %s", strerror(errno));
	close(sock[1]);
	ASSERT_TRUE(greeted(&actor));
	return actor;
}

TEST_F(hostile, a_number_that_is_used_again_is_another_group)
{
	struct actor other;

	EXPECT_EQ(1, put_as(&self->member, self->pair.send, "x"));
	ASSERT_TRUE(stop_actor(&self->member));
	other = start_as(_metadata, self->member.pid, keep(self->pair.send, self->pair.recv));
	EXPECT_EQ(self->member.pid, getpgid(other.pid));
	EXPECT_EQ(-EACCES, put_as(&other, self->pair.send, "x"));
	EXPECT_EQ(-EACCES, get_as(&other, self->pair.recv));
	EXPECT_EQ(0, scope_info(self->ctl).members);
	EXPECT_EQ(0, wait_scope(self->ctl, 0, NULL));
	EXPECT_EQ(POLLIN, poll_events(self->ctl, POLLIN));
	/* It can be bound like any other. */
	ASSERT_EQ(0, bind_scope(self->ctl, other.pid));
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_EQ(1, put_as(&other, self->pair.send, "x"));
	kill_actor(&other);
}

TEST_F(hostile, a_number_that_is_used_again_is_not_killed)
{
	struct actor other;

	ASSERT_TRUE(stop_actor(&self->member));
	other = start_as(_metadata, self->member.pid, keep_none);
	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(is_well(&other));
	EXPECT_EQ(0, wait_scope(self->ctl, 0, NULL));
	close(self->ctl);
	self->ctl = -1;
	EXPECT_TRUE(is_well(&other));
	kill_actor(&other);
}

/* Between the signal and the kill. */
TEST_F(hostile, a_number_that_is_used_again_in_the_time_of_grace)
{
	struct actor second = start_actor(_metadata, SAME_GROUP, keep_none), other;
	int ctl = open_scope(_metadata);

	/* One that outlives the grace tells when that is over. */
	ASSERT_EQ(0, ignore_as(&second, SIGTERM));
	ASSERT_EQ(second.pid, setsid_as(&second));
	ASSERT_EQ(0, bind_scope(ctl, second.pid));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(200), SIGTERM, 0));
	ASSERT_EQ(0, set_scope(ctl, 0, MS(300), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	ASSERT_TRUE(dies_of(&self->member, SIGTERM));
	other = start_as(_metadata, self->member.pid, keep_none);
	ASSERT_EQ(0, cancel_scope(ctl, 0));
	EXPECT_TRUE(dies_of(&second, SIGKILL));
	EXPECT_TRUE(is_well(&other));
	kill_actor(&other);
}

/* A scope may end long after its group; what has the number then is free. */
TEST_F(hostile, a_number_that_is_used_again_can_be_bound_elsewhere)
{
	int ctl = open_scope(_metadata);
	struct actor other;

	ASSERT_TRUE(stop_actor(&self->member));
	other = start_as(_metadata, self->member.pid, keep(self->pair.send));
	ASSERT_EQ(0, bind_scope(ctl, other.pid));
	EXPECT_EQ(1, scope_info(ctl).members);
	EXPECT_EQ(0, scope_info(self->ctl).members);
	EXPECT_EQ(-EACCES, put_as(&other, self->pair.send, "x"));
	kill_actor(&other);
}

/* --- pid namespaces --- */

static long act_fork_in_namespace(struct act *act)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -errno;
	pid = fork();
	if (pid) {
		close(act->fd);
		return result(pid);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	become_actor(act->fd, act->value, (int *)act->data);
	return 0;
}

/* Process 1 of a new namespace, a child of @parent. */
static struct actor start_namespace(struct __test_metadata *_metadata, struct actor *parent,
				    pid_t group, const int *fds)
{
	return start_by(_metadata, parent, act_fork_in_namespace, group, fds);
}

TEST_F(hostile, a_member_in_a_namespace_of_its_own)
{
	struct actor inside;

	inside = start_namespace(_metadata, &self->member, SAME_GROUP,
				 keep(self->ctl, self->pair.send, self->pair.recv));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	EXPECT_EQ(1, put_as(&inside, self->pair.send, "x"));
	EXPECT_EQ(1, get_as(&inside, self->pair.recv));
	kill_actor(&inside);
	EXPECT_EQ(1, scope_info(self->ctl).members);
}

/* The group has no number there: for who looks from there it is 0. */
TEST_F(hostile, a_group_of_another_namespace)
{
	struct actor parent = start_actor(_metadata, NEW_GROUP, keep(self->ctl)), inside;

	inside = start_namespace(_metadata, &parent, NEW_GROUP, keep(self->ctl));
	EXPECT_EQ(self->member.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(0, info_as(&inside, self->ctl).pgid);
	EXPECT_EQ(CHAN_SCOPE_BOUND, info_as(&inside, self->ctl).state);
	EXPECT_EQ(1, info_as(&inside, self->ctl).members);
	kill_actor(&inside);
}

TEST_F(hostile, the_numbers_are_those_of_the_caller)
{
	struct actor parent = start_actor(_metadata, NEW_GROUP, keep_none), inside;
	int first = open_scope(_metadata), second = open_scope(_metadata), there;
	struct actor child;

	inside = start_namespace(_metadata, &parent, NEW_GROUP, keep_none);
	EXPECT_EQ(inside.pid, getpgid(inside.pid));
	there = give(&inside, first);
	/* The numbers outside are none in there. */
	EXPECT_EQ(-EPERM, bind_as(&inside, there, inside.pid));
	EXPECT_EQ(-EPERM, bind_as(&inside, there, getpgrp()));
	ASSERT_EQ(0, bind_as(&inside, there, 1));
	EXPECT_EQ(1, info_as(&inside, there).pgid);
	EXPECT_EQ(inside.pid, scope_info(first).pgid);
	EXPECT_EQ(-EBUSY, bind_as(&inside, give(&inside, second), 0));
	/* A child there is its number 2. */
	child = start_below(_metadata, &inside, NEW_GROUP, keep_none);
	ASSERT_EQ(2, child.pid);
	there = give(&inside, second);
	ASSERT_EQ(0, bind_as(&inside, there, 2));
	EXPECT_EQ(2, info_as(&inside, there).pgid);
	EXPECT_EQ(2, info_as(&child, give(&child, second)).pgid);
	EXPECT_LT(2, scope_info(second).pgid);
	EXPECT_EQ(1, scope_info(second).members);
	/* With its first process a namespace goes. */
	kill_actor(&inside);
	EXPECT_EQ(0, wait_empty(first));
	EXPECT_EQ(0, wait_empty(second));
}

/* The first process of a namespace is deaf to all signals but one from outside. */
TEST_F(hostile, the_first_process_of_a_namespace_is_killed)
{
	struct actor parent = start_actor(_metadata, NEW_GROUP, keep_none), inside;
	int ctl = open_scope(_metadata);

	inside = start_namespace(_metadata, &parent, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_as(&inside, give(&inside, ctl), 0));
	ASSERT_EQ(0, set_scope(ctl, 0, MS(50), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(ctl, 0));
	EXPECT_EQ(0, wait_empty(ctl));
	EXPECT_EQ(ACT_GONE, finish_as(&inside));
}

/* Also if it was cancelled from within, by a child of it. */
TEST_F(hostile, the_first_process_is_killed_from_within)
{
	struct actor parent = start_actor(_metadata, NEW_GROUP, keep_none), inside, child;
	int ctl = open_scope(_metadata);

	inside = start_namespace(_metadata, &parent, NEW_GROUP, keep_none);
	child = start_below(_metadata, &inside, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_as(&inside, give(&inside, ctl), 0));
	ASSERT_EQ(0, set_scope(ctl, 0, MS(50), SIGTERM, 0));
	ASSERT_EQ(0, cancel_as(&child, give(&child, ctl), 0));
	EXPECT_EQ(0, wait_empty(ctl));
	EXPECT_EQ(ACT_GONE, finish_as(&inside));
}

/* Nor is that of a namespace around it bound from one inside. */
TEST_F(hostile, the_first_process_is_not_bound_from_a_namespace_inside)
{
	struct actor parent = start_actor(_metadata, NEW_GROUP, keep_none), outer, child, inner;

	outer = start_namespace(_metadata, &parent, NEW_GROUP, keep_none);
	child = start_below(_metadata, &outer, SAME_GROUP, keep_none);
	EXPECT_EQ(-EPERM, bind_as(&child, open_scope_as(&child), 0));
	inner = start_namespace(_metadata, &child, SAME_GROUP, keep_none);
	EXPECT_EQ(-EPERM, bind_as(&inner, open_scope_as(&inner), 0));
	kill_actor(&outer);
}

/* --- Other users --- */

/* A copy of this program that runs as root, whoever starts it. */
struct setuid_copy {
	char path[64];
};

static bool copy_file(const char *from, int to)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	char data[65536];
	ssize_t len;

	if (fd < 0)
		return false;
	while ((len = read(fd, data, sizeof(data))) > 0)
		if (write(to, data, len) != len)
			break;
	close(fd);
	return !len;
}

static struct setuid_copy make_setuid_copy(struct __test_metadata *_metadata)
{
	struct setuid_copy copy;
	int fd;

	snprintf(copy.path, sizeof(copy.path), "/tmp/chan-test-setuid-%d", getpid());
	fd = open(copy.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(copy_file("/proc/self/exe", fd));
	ASSERT_EQ(0, fchmod(fd, 04755));
	close(fd);
	return copy;
}

static long act_effective_user(struct act *act)
{
	(void)act;
	return geteuid();
}

/*
 * A user's scope with two members: one is that user's own, the other a program
 * that this user may start, but not kill.
 */
FIXTURE(users) {
	struct setuid_copy copy;
	struct actor owner;
	struct actor own;
	struct actor setuid;
	int there;	/* the scope, in the owner */
	int ctl;	/* the same here */
};

FIXTURE_SETUP(users)
{
	if (!is_root())
		SKIP(return, "a setuid program takes root");
	self->copy = make_setuid_copy(_metadata);
	self->owner = start_actor(_metadata, NEW_GROUP, keep_none);
	ASSERT_EQ(0, become_as(&self->owner, NOBODY));
	self->there = open_scope_as(&self->owner);
	self->ctl = take(&self->owner, self->there);
	self->setuid = start_below(_metadata, &self->owner, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_as(&self->owner, self->there, self->setuid.pid));
	self->own = start_below(_metadata, &self->owner, self->setuid.pid, keep_none);
	ASSERT_TRUE(exec_as(&self->setuid, self->copy.path));
	ASSERT_EQ(0, ask_on(&self->setuid, -1, act_effective_user))
		TH_LOG("%s is not allowed to be setuid", self->copy.path);
}

FIXTURE_TEARDOWN(users)
{
	kill_actor(&self->own);
	kill_actor(&self->setuid);
	kill_actor(&self->owner);
	unlink(self->copy.path);
}

/* That it was started anew, as another, changes nothing about where it is. */
TEST_F(users, a_setuid_program_is_a_member)
{
	struct pair pair = pair_on(_metadata, self->ctl, 1);
	int send = give(&self->setuid, pair.send);

	EXPECT_EQ(2, scope_info(self->ctl).members);
	EXPECT_EQ(1, put_as(&self->setuid, send, "x"));
	ASSERT_EQ(0, become_as(&self->setuid, 0));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	EXPECT_TRUE(got(pair.recv, "x"));
	EXPECT_EQ(1, put_as(&self->setuid, send, "y"));
}

TEST_F(users, who_may_not_kill_it_does_not_by_a_scope)
{
	struct pair pair = pair_on(_metadata, self->ctl, 1);
	int send = give(&self->setuid, pair.send);
	struct chan_scope_wait arg;

	ASSERT_EQ(0, become_as(&self->setuid, 0));
	ASSERT_EQ(0, set_as(&self->owner, self->there, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, cancel_as(&self->owner, self->there, 0));
	/* It has reached the one, so it has passed the other. */
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_TRUE(is_well(&self->setuid));
	EXPECT_EQ(-ECANCELED, put_as(&self->setuid, send, "x"));
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, in_ms(200), &arg));
	EXPECT_EQ(1, arg.members);
	EXPECT_TRUE(is_well(&self->setuid));
	stop_actor(&self->setuid);
	EXPECT_EQ(0, wait_empty(self->ctl));
}

TEST_F(users, nor_after_the_time_of_grace)
{
	ASSERT_EQ(0, become_as(&self->setuid, 0));
	ASSERT_EQ(0, ignore_as(&self->own, SIGTERM));
	ASSERT_EQ(0, set_as(&self->owner, self->there, 0, MS(50), SIGTERM, 0));
	ASSERT_EQ(0, cancel_as(&self->owner, self->there, 0));
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, in_ms(200), NULL));
	EXPECT_TRUE(is_well(&self->setuid));
}

/* The scope does not act as who cancels it, but as who opened it. */
TEST_F(users, nor_if_root_cancels_it)
{
	ASSERT_EQ(0, become_as(&self->setuid, 0));
	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, in_ms(200), NULL));
	EXPECT_TRUE(is_well(&self->setuid));
}

TEST_F(users, nor_by_its_owners_death)
{
	int inner = open_scope_as(&self->setuid);

	ASSERT_EQ(0, become_as(&self->setuid, 0));
	ASSERT_EQ(0, set_as(&self->owner, self->there, 0, 0, SIGTERM, 0));
	close(self->ctl);
	self->ctl = -1;
	ASSERT_EQ(0, close_as(&self->owner, self->there));
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_TRUE(is_well(&self->setuid));
	EXPECT_EQ(EOWNERDEAD, info_as(&self->setuid, inner).cause);
}

/* Nor by its own hand, as who lets go of the last file. */
TEST_F(users, nor_as_the_last_owner)
{
	int ctl = give(&self->setuid, self->ctl);

	ASSERT_EQ(0, become_as(&self->setuid, 0));
	ASSERT_EQ(0, set_as(&self->owner, self->there, 0, 0, SIGTERM, 0));
	close(self->ctl);
	self->ctl = -1;
	ASSERT_EQ(0, close_as(&self->owner, self->there));
	ASSERT_EQ(0, close_as(&self->setuid, ctl));
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_TRUE(is_well(&self->setuid));
}

/* Nor by way of a scope that it has opened itself. */
TEST_F(users, nor_does_one_reach_inside)
{
	struct actor child;
	int inner;

	ASSERT_EQ(0, set_as(&self->owner, self->there, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, become_as(&self->setuid, 0));
	inner = open_scope_as(&self->setuid);
	child = start_below(_metadata, &self->setuid, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_as(&self->setuid, inner, child.pid));
	ASSERT_EQ(0, cancel_as(&self->owner, self->there, EIO));
	EXPECT_EQ(EIO, info_as(&self->setuid, inner).cause);
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_TRUE(is_well(&child));
	EXPECT_TRUE(is_well(&self->setuid));
}

/* Who runs it may, until it has made itself root's altogether. */
TEST_F(users, who_may_kill_it_does)
{
	ASSERT_EQ(0, set_as(&self->owner, self->there, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, cancel_as(&self->owner, self->there, 0));
	EXPECT_EQ(ACT_GONE, finish_as(&self->own));
	EXPECT_EQ(ACT_GONE, finish_as(&self->setuid));
	EXPECT_EQ(0, wait_empty(self->ctl));
}

/* The other way round: given away by root, it does what root may. */
TEST_F(hostile, a_scope_of_root_in_the_hands_of_a_stranger)
{
	struct actor stranger = start_actor(_metadata, NEW_GROUP, keep_none);
	int there;

	ASSERT_EQ(0, become_as(&stranger, NOBODY));
	there = give(&stranger, self->ctl);
	ASSERT_EQ(0, set_as(&stranger, there, 0, 0, 0, 0));
	ASSERT_EQ(0, cancel_as(&stranger, there, EIO));
	EXPECT_TRUE(dies_of(&self->member, SIGKILL));
	EXPECT_EQ(EIO, scope_info(self->ctl).cause);
}

/* What root's scope cancels is sent signals by root: nobody gets others into it. */
TEST_F(hostile, a_stranger_inside_binds_only_whom_it_could_kill)
{
	struct actor stranger, victim;
	int inner;

	stranger = start_below(_metadata, &self->member, SAME_GROUP, keep_none);
	victim = start_actor(_metadata, NEW_GROUP, keep_none);
	ASSERT_EQ(0, become_as(&stranger, NOBODY));
	inner = open_scope_as(&stranger);
	ASSERT_EQ(0, setpgid_as(&stranger, victim.pid));
	EXPECT_EQ(-EPERM, bind_as(&stranger, inner, 0));
	ASSERT_EQ(0, setpgid_as(&stranger, 0));
	EXPECT_EQ(0, bind_as(&stranger, inner, 0));
	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(ACT_GONE, finish_as(&stranger));
	EXPECT_TRUE(is_well(&victim));
	kill_actor(&victim);
}

/* --- A scope passed to a stranger --- */

TEST_F(hostile, a_stranger_with_the_scope_is_an_owner)
{
	struct actor stranger = start_actor(_metadata, NEW_GROUP, keep(self->pair.send));
	struct pair own;
	int there;

	ASSERT_EQ(0, become_as(&stranger, NOBODY));
	EXPECT_EQ(-EACCES, put_as(&stranger, self->pair.send, "x"));
	there = give(&stranger, self->ctl);
	EXPECT_EQ(1, put_as(&stranger, self->pair.send, "x"));
	EXPECT_EQ(scope_info(self->ctl).id, info_as(&stranger, there).id);
	EXPECT_EQ(0, create_as(&stranger, there, 0, &own));
	EXPECT_EQ(2, scope_info(self->ctl).channels);
	EXPECT_EQ(-EAGAIN, wait_as(&stranger, there, 0));
	/* No more than others may it bind what is not its own. */
	ASSERT_TRUE(stop_actor(&self->member));
	EXPECT_EQ(0, wait_as(&stranger, there, 0));
	EXPECT_EQ(-EPERM, bind_as(&stranger, there, getpgrp()));
	EXPECT_EQ(0, bind_as(&stranger, there, 0));
	EXPECT_EQ(stranger.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(-EDEADLK, wait_as(&stranger, there, 0));
}

/* The last one to have it, whoever that is, is the owner whose death counts. */
TEST_F(hostile, a_stranger_that_is_the_last_owner)
{
	struct actor stranger = start_actor(_metadata, NEW_GROUP, keep_none);

	give(&stranger, self->ctl);
	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_parked(self->pair.send, 0, 1));
	close(self->ctl);
	self->ctl = -1;
	EXPECT_FALSE(has_answered(&self->member));
	EXPECT_EQ(-EACCES, put(self->pair.send, "x"));
	kill_actor(&stranger);
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
}

/*
 * Who comes after an owner gets what that had in memory, its table of descriptors
 * among it, but not its rights.
 */
TEST_F(hostile, those_who_come_after_an_owner)
{
	struct actor owner, stranger;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		owner = start_actor(_metadata, NEW_GROUP, keep(self->ctl, self->pair.send));
		ASSERT_EQ(0, put_as(&owner, self->pair.send, ""));
		ASSERT_EQ(1, put_as(&owner, self->pair.send, "x"));
		if (i & 1)
			kill_actor(&owner);
		else
			stop_actor(&owner);
		stranger = start_actor(_metadata, NEW_GROUP, keep(self->pair.send));
		ASSERT_EQ(-EACCES, put_as(&stranger, self->pair.send, "x"));
		stop_actor(&stranger);
		ASSERT_TRUE(got(self->pair.recv, "x"));
	}
}

/* --- Members that do not go --- */

#define GRACE_MS	100

TEST_F(hostile, one_that_ignores_the_signal)
{
	long start;

	ASSERT_EQ(0, ignore_as(&self->member, SIGTERM));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(GRACE_MS), SIGTERM, 0));
	start = now_ms();
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(dies_of(&self->member, SIGKILL));
	EXPECT_LE(GRACE_MS, now_ms() - start + 1);
	EXPECT_EQ(0, wait_empty(self->ctl));
}

TEST_F(hostile, one_that_is_stopped)
{
	kill(self->member.pid, SIGSTOP);
	ASSERT_TRUE(wait_until(state_of(self->member.pid) == 'T'));
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(GRACE_MS), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(dies_of(&self->member, SIGKILL));
	EXPECT_EQ(0, wait_empty(self->ctl));
}

/* Its child ignores it too, and so on; all are there when the grace is over. */
TEST_F(hostile, a_family_that_ignores_the_signal)
{
	struct actor child[4];
	int i;

	ASSERT_EQ(0, ignore_as(&self->member, SIGTERM));
	for (i = 0; i < 4; i++)
		child[i] = start_below(_metadata, i ? &child[i - 1] : &self->member,
				       SAME_GROUP, keep_none);
	ASSERT_EQ(5, scope_info(self->ctl).members);
	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(GRACE_MS), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_TRUE(dies_of(&self->member, SIGKILL));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(ACT_GONE, finish_as(&child[i]));
	EXPECT_EQ(0, wait_empty(self->ctl));
}

/* --- Members that come and go --- */

TEST_F(hostile, one_that_leaves_before_the_signal)
{
	struct actor leaver = start_actor(_metadata, self->member.pid, keep(self->pair.send));

	ASSERT_EQ(0, setpgid_as(&leaver, NEW_GROUP));
	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(is_well(&leaver));
	EXPECT_EQ(-EACCES, put_as(&leaver, self->pair.send, "x"));
}

/* Begin a grace of @ms; when it can be over at the earliest. */
static __u64 cancel_with_grace(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self,
			       long ms)
{
	__u64 end = in_ms(ms);

	ASSERT_EQ(0, set_scope(self->ctl, 0, MS(ms), SIGTERM, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	return end;
}

/*
 * Was what is to come before @end not done by then?  The processes may not have run
 * for a while; the test is to try again, with another scope and a longer grace.
 */
static bool too_late(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self,
		     struct actor *leaver, __u64 end)
{
	if (in_ms(0) < end)
		return false;
	kill_actor(leaver);
	end_scope(self);
	bind_member(_metadata, self);
	return true;
}

TEST_F(hostile, one_that_leaves_in_the_time_of_grace)
{
	long ms = 500, ret, left;
	struct actor leaver;
	__u64 end;

	do {
		ms *= 2;
		leaver = start_actor(_metadata, self->member.pid, keep(self->pair.send));
		ASSERT_EQ(0, ignore_as(&self->member, SIGTERM));
		ASSERT_EQ(0, ignore_as(&leaver, SIGTERM));
		end = cancel_with_grace(_metadata, self, ms);
		ret = put_as(&leaver, self->pair.send, "x");
		/* One that was killed is not asked again. */
		left = leaver.sock < 0 ? ACT_GONE : setpgid_as(&leaver, NEW_GROUP);
	} while (too_late(_metadata, self, &leaver, end));
	EXPECT_EQ(-ECANCELED, ret);
	ASSERT_EQ(0, left);
	EXPECT_EQ(-EACCES, put_as(&leaver, self->pair.send, "x"));
	EXPECT_TRUE(dies_of(&self->member, SIGKILL));
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_TRUE(is_well(&leaver));
}

TEST_F(hostile, one_that_comes_back_in_the_time_of_grace)
{
	long ms = 500, ret, back;
	struct actor leaver;
	__u64 end;

	do {
		ms *= 2;
		leaver = start_actor(_metadata, self->member.pid, keep(self->pair.send));
		ASSERT_EQ(0, ignore_as(&self->member, SIGTERM));
		ASSERT_EQ(0, setpgid_as(&leaver, NEW_GROUP));
		end = cancel_with_grace(_metadata, self, ms);
		back = setpgid_as(&leaver, self->member.pid);
		ret = leaver.sock < 0 ? ACT_GONE : put_as(&leaver, self->pair.send, "x");
	} while (too_late(_metadata, self, &leaver, end));
	ASSERT_EQ(0, back);
	EXPECT_EQ(-ECANCELED, ret);
	EXPECT_TRUE(dies_of(&leaver, SIGKILL));
	EXPECT_TRUE(dies_of(&self->member, SIGKILL));
}

/* The group is there as long as a zombie is in it, and lets others in. */
TEST_F(hostile, one_that_comes_when_the_others_are_dead)
{
	struct actor late = start_actor(_metadata, SAME_GROUP, keep(self->pair.send));

	ASSERT_EQ(0, set_scope(self->ctl, 0, 0, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	ASSERT_TRUE(wait_until(state_of(self->member.pid) == 'Z'));
	EXPECT_EQ(0, wait_scope(self->ctl, 0, NULL));
	ASSERT_EQ(0, setpgid(late.pid, self->member.pid));
	/* Be it killed at once, or never: it can do nothing there. */
	EXPECT_NE(1, put_as(&late, self->pair.send, "x"));
	EXPECT_EQ(EIO, scope_info(self->ctl).cause);
	if (late.sock >= 0)
		setpgid_as(&late, getpgrp());
	EXPECT_EQ(0, wait_empty(self->ctl));
}

/* Out and in again, as fast as it can. */
static long act_in_and_out(struct act *act)
{
	pid_t group = getpgrp();
	long i;

	for (i = 0; i < act->more; i++)
		if (setpgid(0, act->value) || setpgid(0, group))
			return -errno;
	return 0;
}

TEST_F(hostile, one_that_comes_and_goes)
{
	struct actor restless = start_actor(_metadata, self->member.pid, keep(self->pair.send));
	struct act act = act_on(-1);
	__u32 members;

	act.value = getpgrp();
	act.more = 20000;
	tell(&restless, &act, act_in_and_out);
	while (!has_answered(&restless)) {
		members = scope_info(self->ctl).members;
		ASSERT_TRUE(members == 1 || members == 2);
		ASSERT_EQ(-EAGAIN, wait_scope(self->ctl, 0, NULL));
	}
	ASSERT_EQ(0, answer(&restless, &act));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	EXPECT_EQ(1, put_as(&restless, self->pair.send, "x"));
}

/* --- Members that fork while they are cancelled --- */

/* Never more than this of them at a time. */
#define BROOD_MOST	30
/* If nobody else ends them. */
#define BREED_SECONDS	100

/*
 * Children that run away, and children that stay, without end. That they go
 * with their parent would make it too easy.
 */
static long act_breed(struct act *act)
{
	int brood = 0;
	pid_t pid;

	(void)act;
	for (;;) {
		pid = fork();
		if (!pid)
			_exit(brood & 1 && setsid() < 0);
		brood += pid > 0;
		if (brood == BROOD_MOST)
			while (waitpid(-1, NULL, 0) > 0)
				brood = 0;
	}
	return 0;
}

/* Some who do that together. */
static long act_breed_deep(struct act *act)
{
	int i;

	for (i = 0; i < 3; i++)
		if (!fork())
			break;
	alarm(BREED_SECONDS);
	return act_breed(act);
}

#define BREEDERS	20

/* Who was born in the group, or is being born, does not get away by that. */
TEST_F(hostile, those_that_fork_all_the_time)
{
	struct actor member;
	struct act act;
	int i, ctl;

	for (i = 0; i < BREEDERS; i++) {
		act = act_on(-1);
		ctl = open_scope(_metadata);
		ASSERT_EQ(0, set_scope(ctl, 0, i & 1 ? 0 : MS(20), SIGTERM, 0));
		member = start_actor(_metadata, NEW_GROUP, keep_none);
		ASSERT_EQ(0, ignore_as(&member, SIGTERM));
		ASSERT_EQ(0, bind_scope(ctl, member.pid));
		tell(&member, &act, act_breed_deep);
		ASSERT_TRUE(wait_until(scope_info(ctl).members >= 4));
		ASSERT_EQ(0, cancel_scope(ctl, 0));
		ASSERT_EQ(0, wait_empty(ctl));
		ASSERT_EQ(0, scope_info(ctl).members);
		ASSERT_TRUE(dies_of(&member, SIGKILL));
		/* What is left of it waits to be reaped, and does not grow. */
		ASSERT_TRUE(wait_until(kill(-member.pid, 0) && errno == ESRCH));
		close(ctl);
	}
}

/* --- Two who want the same group --- */

/* At the same time as others who got the same @act. */
static long act_bind_at(struct act *act)
{
	struct timespec ts = {
		.tv_sec = act->more / 1000, .tv_nsec = act->more % 1000 * NS_PER_MS,
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	return bind_scope(act->fd, act->value);
}

/* The parent binds the group of its child, the child its own. */
TEST_F(hostile, two_processes_bind_one_group)
{
	struct actor parent = start_actor(_metadata, NEW_GROUP, keep_none), child;
	struct act one, two;
	int own, others, i;
	long ret;

	others = open_scope_as(&parent);
	for (i = 0; i < ROUNDS; i++) {
		child = start_below(_metadata, &parent, NEW_GROUP, keep_none);
		own = open_scope_as(&child);
		one = act_on(own);
		two = act_on(others);
		one.value = 0;
		two.value = child.pid;
		one.more = now_ms() + 3;
		two.more = one.more;
		tell(&child, &one, act_bind_at);
		tell(&parent, &two, act_bind_at);
		ret = answer(&child, &one);
		ASSERT_EQ(ret ? 0 : -EBUSY, answer(&parent, &two));
		ASSERT_TRUE(ret == 0 || ret == -EBUSY);
		ASSERT_EQ(ret ? 1 : 0, info_as(&parent, others).members);
		ASSERT_EQ(ret ? 0 : 1, info_as(&child, own).members);
		kill_actor(&child);
	}
	/* Its scope must not go while a test after this one counts them. */
	stop_actor(&parent);
}

/* --- Very many --- */

/* How many scopes debugfs lists, or -1. */
static long scopes_listed(void)
{
	FILE *file = fopen(SCOPES_LIST, "r");
	char line[256];
	long count = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		count += line[0] >= '0' && line[0] <= '9';
	fclose(file);
	return count;
}

/* What the allocator keeps for objects to come is in no use. */
static void shrink_slabs(void)
{
	glob_t found;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		write_text(found.gl_pathv[i], "1");
	globfree(&found);
}

/* Kernel memory that cannot be reclaimed, in KiB. */
static long kernel_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long size = -1;

	if (!file)
		return -1;
	shrink_slabs();
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SUnreclaim: %ld", &size) == 1)
			break;
	fclose(file);
	return size;
}

/* One scope with a member that uses its channel, from its opening to its end. */
static long short_scope(void)
{
	struct chan_create arg = { .capacity = 1 };
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	char byte = 0;
	long ret;
	pid_t pid;

	if (ctl < 0)
		return -errno;
	if (create(ctl, &arg))
		return -errno;
	/* This process has to go on only when the other is in its exit. */
	pid = vfork();
	if (!pid) {
		if (setpgid(0, 0) || bind_scope(ctl, 0))
			_exit(1);
		_exit(do_write(arg.send_fd, "x", 1) == 1 ? 0 : 1);
	}
	close(arg.send_fd);
	ret = do_read(arg.recv_fd, &byte, 1) == 1 ? 0 : -EIO;
	if (!ret)
		ret = wait_scope(ctl, FOREVER, NULL);
	close(arg.recv_fd);
	close(ctl);
	waitpid(pid, NULL, 0);
	return ret;
}

/* One that ends by its owner's end, with a member and an inner scope in it. */
static long orphaned_scope(void)
{
	struct chan_create arg = { .capacity = 1 };
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC), status = 0;
	pid_t pid;
	long ret;

	if (ctl < 0)
		return -errno;
	if (set_scope(ctl, 0, 0, 0, 0) || create(ctl, &arg))
		return -errno;
	pid = fork_child();
	if (!pid) {
		close(ctl);
		setpgid(0, 0);
		open(CONTROL, O_RDWR);
		pause();
		_exit(0);
	}
	setpgid(pid, pid);
	ret = bind_scope(ctl, pid);
	close_pair(&(struct pair){ arg.send_fd, arg.recv_fd });
	close(ctl);
	waitpid(pid, &status, 0);
	if (!ret && WTERMSIG(status) != SIGKILL)
		ret = -EIO;
	return ret;
}

static long repeat(long (*once)(void), int times)
{
	long ret = 0;

	while (!ret && times--)
		ret = once();
	return ret;
}

/* By a user with a quota far below what passes. */
static long act_short_scopes(struct act *act)
{
	return repeat(short_scope, act->value);
}

static long act_orphaned_scopes(struct act *act)
{
	return repeat(orphaned_scope, act->value);
}

#define MANY		2000
#define MANY_SLOW	500
/* Those cost more. */
#define MANY_ORPHANS	500
/* What a scope that is not freed takes at the very least, in bytes. */
#define SCOPE_LEAST	256

/* KASAN keeps back for a while what was freed, and all takes its time. */
static bool is_instrumented(void)
{
	return !access("/proc/lockdep_stats", F_OK);
}

/* Nothing is listed, nothing is charged, and no memory is used that was not. */
static void leaves_nothing(struct __test_metadata *_metadata, act_fn run, int many)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep_none);
	long quota = read_number(PARAMETER("max_scopes"));
	long listed = scopes_listed(), memory;
	struct act act = act_on(-1);

	if (listed < 0)
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, become_as(&actor, NOBODY));
	ASSERT_GT(many, quota);
	act.value = many / 10;
	ASSERT_EQ(0, ask(&actor, &act, run));
	memory = kernel_memory();
	/* Many more than there is memory for, if they were kept. */
	for (act.value = many / 10; act.more < 10; act.more++) {
		ASSERT_EQ(0, ask(&actor, &act, run));
		ASSERT_TRUE(wait_until(scopes_listed() <= listed));
	}
	EXPECT_EQ(listed, scopes_listed());
	/* There kmemleak looks, when all is over. */
	if (is_instrumented())
		return;
	EXPECT_TRUE(wait_until(kernel_memory() - memory < many * SCOPE_LEAST / 1024))
		TH_LOG("%ld KiB instead of %ld", kernel_memory(), memory);
}

TEST_F_TIMEOUT(hostile, short_scopes_leave_nothing, 600)
{
	leaves_nothing(_metadata, act_short_scopes,
		       is_instrumented() ? MANY_SLOW : MANY);
}

TEST_F_TIMEOUT(hostile, orphaned_scopes_leave_nothing, 600)
{
	leaves_nothing(_metadata, act_orphaned_scopes, MANY_ORPHANS);
}

/* --- The limit --- */

static long act_open_many(struct act *act)
{
	struct rlimit limit = { act->value + 100, act->value + 100 };
	long fd = 0;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	act->more = 0;
	while (act->more <= act->value) {
		fd = result(open(CONTROL, O_RDWR | O_CLOEXEC));
		if (fd < 0)
			break;
		act->fd = fd;
		act->more++;
	}
	return fd;
}

/* In whose hands it is, and in what state, does not matter: it is there. */
TEST_F(hostile, no_more_scopes_than_the_limit)
{
	struct actor user = start_actor(_metadata, NEW_GROUP, keep_none), child;
	long quota = read_number(PARAMETER("max_scopes"));
	struct act act = act_on(-1);
	int taken;

	ASSERT_EQ(0, become_as(&user, NOBODY));
	act.value = quota;
	EXPECT_EQ(-EDQUOT, ask(&user, &act, act_open_many));
	EXPECT_EQ(quota, act.more);
	/* Not in a child, */
	child = start_below(_metadata, &user, NEW_GROUP, keep_none);
	EXPECT_EQ(-EDQUOT, open_scope_as(&child));
	/* not because one is cancelled or bound, */
	ASSERT_EQ(0, cancel_as(&user, act.fd, 0));
	EXPECT_EQ(-EDQUOT, open_scope_as(&child));
	ASSERT_EQ(0, bind_as(&user, act.fd - 1, child.pid));
	EXPECT_EQ(-EDQUOT, open_scope_as(&child));
	EXPECT_EQ(-EDQUOT, open_scope_as(&user));
	/* and not because somebody else has it. */
	taken = take(&user, act.fd);
	ASSERT_EQ(0, close_as(&user, act.fd));
	EXPECT_EQ(-EDQUOT, open_scope_as(&user));
	close(taken);
	EXPECT_LE(0, open_scope_as(&child));
	EXPECT_EQ(-EDQUOT, open_scope_as(&user));
}

TEST_HARNESS_MAIN
