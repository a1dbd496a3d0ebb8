// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scopes as files: binding a group, nesting, looking at one, waiting for the
 * last member, polling, and what becomes of it when its owner goes.
 */
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/select.h>

#include "scope_test.h"

/* Within this the module notices who has left without a notice. */
#define NOTICE_MS	100

FIXTURE(scope) {
	int ctl;
};

FIXTURE_SETUP(scope)
{
	self->ctl = open_scope(_metadata);
}

FIXTURE_TEARDOWN(scope)
{
	close(self->ctl);
}

static struct actor start_member(struct __test_metadata *_metadata, int ctl)
{
	struct actor member = start_actor(_metadata, NEW_GROUP, keep_none);

	ASSERT_EQ(0, bind_scope(ctl, member.pid));
	return member;
}

/* Somebody outside who has the scope, under the same number. */
static struct actor start_owner(struct __test_metadata *_metadata, int ctl)
{
	return start_actor(_metadata, SAME_GROUP, keep(ctl));
}

/* --- Values --- */

TEST_F(scope, version_tells_of_it)
{
	struct chan_version version = { 0 };

	ASSERT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_VERSION, &version));
	EXPECT_EQ(CHAN_FEATURE_SCOPE, version.features & CHAN_FEATURE_SCOPE);
}

TEST_F(scope, unknown_flags)
{
	struct chan_scope_bind bind_arg;
	struct chan_scope_cancel cancel_arg;
	struct chan_scope_wait wait_arg;
	struct chan_adopt adopt_arg;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		bind_arg = (struct chan_scope_bind){ .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_SCOPE_BIND, &bind_arg));
		cancel_arg = (struct chan_scope_cancel){ .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_SCOPE_CANCEL, &cancel_arg));
		adopt_arg = (struct chan_adopt){ .fd = 0, .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_ADOPT, &adopt_arg));
	}
	for (bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, 0, 1U << bit));
		EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, 0,
					     CHAN_SCOPE_DETECT_DEADLOCK | 1U << bit));
		wait_arg = (struct chan_scope_wait){ .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_SCOPE_WAIT, &wait_arg));
		wait_arg = (struct chan_scope_wait){ .flags = CHAN_SCOPE_WAIT_EXIT | 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_SCOPE_WAIT, &wait_arg));
	}
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(self->ctl).state);
	EXPECT_EQ(0, set_scope(self->ctl, 0, 0, 0, CHAN_SCOPE_DETECT_DEADLOCK));
}

TEST_F(scope, values_that_are_none)
{
	EXPECT_EQ(-EINVAL, bind_scope(self->ctl, -1));
	EXPECT_EQ(-EINVAL, bind_scope(self->ctl, -getpgrp()));
	EXPECT_EQ(-EINVAL, bind_scope(self->ctl, INT_MIN));
	EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, 65, 0));
	EXPECT_EQ(-EINVAL, set_scope(self->ctl, 0, 0, ~0U, 0));
	EXPECT_EQ(-EINVAL, cancel_scope(self->ctl, CHAN_MAX_ERROR + 1));
	EXPECT_EQ(-EINVAL, cancel_scope(self->ctl, ~0U));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(self->ctl).state);
	EXPECT_EQ(0, cancel_scope(self->ctl, CHAN_MAX_ERROR));
}

TEST_F(scope, an_end_is_not_a_scope)
{
	struct pair pair = pair_on(_metadata, self->ctl, 0);
	int named = open("/dev/chan0", O_RDWR | O_CLOEXEC);
	int file[] = { pair.send, pair.recv, named };
	struct chan_scope_info arg;
	int i;

	for (i = 0; i < 3; i++) {
		if (file[i] < 0)
			continue;
		EXPECT_EQ(-ENOTTY, bind_scope(file[i], 0));
		EXPECT_EQ(-ENOTTY, set_scope(file[i], 0, 0, 0, 0));
		EXPECT_EQ(-ENOTTY, cancel_scope(file[i], 0));
		EXPECT_EQ(-ENOTTY, wait_scope(file[i], 0, NULL));
		EXPECT_EQ(-ENOTTY, do_ioctl(file[i], CHAN_IOC_SCOPE_INFO, &arg));
		EXPECT_EQ(-ENOTTY, adopt(file[i], named));
	}
	EXPECT_EQ(CHAN_STATE_OPEN, info(pair.send).state);
}

/* --- Binding --- */

TEST_F(scope, binds_the_group_of_the_caller)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep(self->ctl));

	EXPECT_EQ(0, bind_as(&actor, self->ctl, 0));
	EXPECT_EQ(actor.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(1, scope_info(self->ctl).members);
}

TEST_F(scope, binds_the_group_of_the_caller_by_number)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep(self->ctl));

	EXPECT_EQ(0, bind_as(&actor, self->ctl, actor.pid));
	EXPECT_EQ(actor.pid, scope_info(self->ctl).pgid);
}

TEST_F(scope, binds_the_group_of_a_child)
{
	struct actor child = start_actor(_metadata, NEW_GROUP, keep_none);

	EXPECT_EQ(0, bind_scope(self->ctl, child.pid));
	EXPECT_EQ(child.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
}

/* The leader may be anybody, as long as a child is in it. */
TEST_F(scope, binds_a_group_that_a_child_has_joined)
{
	struct actor middle = start_actor(_metadata, NEW_GROUP, keep_none);
	struct actor leader = start_below(_metadata, &middle, NEW_GROUP, keep_none);
	struct actor child = start_actor(_metadata, leader.pid, keep_none);

	EXPECT_EQ(0, bind_scope(self->ctl, leader.pid));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	stop_actor(&child);
	EXPECT_EQ(1, scope_info(self->ctl).members);
}

TEST_F(scope, does_not_bind_the_group_of_a_grandchild)
{
	struct actor middle = start_actor(_metadata, NEW_GROUP, keep(self->ctl));
	struct actor leaf = start_below(_metadata, &middle, NEW_GROUP, keep_none);

	EXPECT_EQ(-EPERM, bind_scope(self->ctl, leaf.pid));
	EXPECT_EQ(0, bind_as(&middle, self->ctl, leaf.pid));
}

TEST_F(scope, does_not_bind_the_group_of_a_parent_or_a_sibling)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep(self->ctl));
	struct actor sibling = start_actor(_metadata, NEW_GROUP, keep_none);

	EXPECT_EQ(-EPERM, bind_as(&actor, self->ctl, getpgrp()));
	EXPECT_EQ(-EPERM, bind_as(&actor, self->ctl, sibling.pid));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(self->ctl).state);
}

TEST_F(scope, does_not_bind_a_group_that_is_none)
{
	struct actor leader = start_actor(_metadata, NEW_GROUP, keep_none);
	struct actor other = start_actor(_metadata, leader.pid, keep_none);

	/* A process, but not a group. */
	EXPECT_EQ(-EPERM, bind_scope(self->ctl, other.pid));
	EXPECT_EQ(-EPERM, bind_scope(self->ctl, INT_MAX));
	stop_actor(&other);
	stop_actor(&leader);
	EXPECT_EQ(-EPERM, bind_scope(self->ctl, leader.pid));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(self->ctl).state);
}

/* A child that has ended, and nobody has waited for it. */
static pid_t leave_zombie(struct __test_metadata *_metadata)
{
	pid_t pid = fork_child();

	ASSERT_LE(0, pid);
	if (!pid) {
		setpgid(0, 0);
		_exit(0);
	}
	ASSERT_TRUE(wait_until(state_of(pid) == 'Z'));
	return pid;
}

TEST_F(scope, binds_the_group_of_a_zombie)
{
	pid_t pid = leave_zombie(_metadata);

	ASSERT_EQ(0, bind_scope(self->ctl, pid));
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
	EXPECT_EQ(0, scope_info(self->ctl).members);
	EXPECT_EQ(0, wait_scope(self->ctl, 0, NULL));
	EXPECT_EQ(POLLIN, poll_events(self->ctl, POLLIN));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-EPERM, bind_scope(self->ctl, pid));
}

TEST_F(scope, a_group_is_bound_once)
{
	struct actor member = start_member(_metadata, self->ctl);
	int other = open_scope(_metadata);

	EXPECT_EQ(-EBUSY, bind_scope(self->ctl, member.pid));
	EXPECT_EQ(-EBUSY, bind_scope(other, member.pid));
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, scope_info(other).state);
	EXPECT_EQ(0, scope_info(other).pgid);
}

TEST_F(scope, a_scope_has_one_group)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, NEW_GROUP, keep_none);

	EXPECT_EQ(-EBUSY, bind_scope(self->ctl, other.pid));
	EXPECT_EQ(member.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(1, scope_info(self->ctl).members);
}

TEST_F(scope, can_be_bound_again_when_all_have_left)
{
	struct pair pair = pair_on(_metadata, self->ctl, 1);
	struct actor member, other;

	member = start_actor(_metadata, NEW_GROUP, keep(pair.send));
	other = start_actor(_metadata, NEW_GROUP, keep(pair.send));
	ASSERT_EQ(0, bind_scope(self->ctl, member.pid));
	EXPECT_EQ(-EACCES, put_as(&other, pair.send, "x"));
	stop_actor(&member);
	ASSERT_EQ(0, bind_scope(self->ctl, other.pid));
	EXPECT_EQ(other.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_EQ(1, put_as(&other, pair.send, "x"));
}

TEST_F(scope, can_be_bound_again_when_all_have_gone_elsewhere)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, SAME_GROUP, keep_none);

	ASSERT_EQ(other.pid, setsid_as(&other));
	EXPECT_EQ(-EBUSY, bind_scope(self->ctl, other.pid));
	ASSERT_EQ(0, setpgid_as(&member, getpgrp()));
	EXPECT_EQ(0, bind_scope(self->ctl, other.pid));
}

TEST_F(scope, a_group_is_free_when_its_scope_has_ended)
{
	struct actor member = start_member(_metadata, self->ctl);
	int second = open_scope(_metadata);

	ASSERT_EQ(0, setpgid_as(&member, getpgrp()));
	close(self->ctl);
	self->ctl = -1;
	ASSERT_EQ(0, setpgid_as(&member, NEW_GROUP));
	EXPECT_EQ(0, bind_scope(second, member.pid));
	EXPECT_EQ(1, scope_info(second).members);
}

TEST_F(scope, a_canceled_scope_binds_nobody)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep_none);
	int other = open_scope(_metadata);

	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(-ECANCELED, bind_scope(self->ctl, actor.pid));
	EXPECT_EQ(0, bind_scope(other, actor.pid));
}

/* --- Binding at once --- */

#define ROUNDS	200

struct binder {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int ctl;
	pid_t pgid;
	long ret;
};

static void *run_binder(void *arg)
{
	struct binder *binder = arg;

	pthread_barrier_wait(binder->barrier);
	binder->ret = bind_scope(binder->ctl, binder->pgid);
	return NULL;
}

/* Exactly one of the two wins, and it is told to the other. */
static int race_to_bind(struct __test_metadata *_metadata, struct binder *binder)
{
	pthread_barrier_t barrier;
	int i, winner;

	pthread_barrier_init(&barrier, NULL, 2);
	for (i = 0; i < 2; i++) {
		binder[i].barrier = &barrier;
		ASSERT_EQ(0, pthread_create(&binder[i].thread, NULL, run_binder, &binder[i]));
	}
	for (i = 0; i < 2; i++)
		pthread_join(binder[i].thread, NULL);
	winner = binder[0].ret ? 1 : 0;
	EXPECT_EQ(0, binder[winner].ret);
	EXPECT_EQ(-EBUSY, binder[!winner].ret);
	return winner;
}

TEST_F(scope, two_scopes_race_for_a_group)
{
	struct binder binder[2];
	struct actor actor;
	int i, winner;

	for (i = 0; i < ROUNDS; i++) {
		actor = start_actor(_metadata, NEW_GROUP, keep_none);
		binder[0] = (struct binder){ .ctl = open_scope(_metadata), .pgid = actor.pid };
		binder[1] = (struct binder){ .ctl = open_scope(_metadata), .pgid = actor.pid };
		winner = race_to_bind(_metadata, binder);
		ASSERT_EQ(1, scope_info(binder[winner].ctl).members);
		ASSERT_EQ(CHAN_SCOPE_UNBOUND, scope_info(binder[!winner].ctl).state);
		stop_actor(&actor);
		close(binder[0].ctl);
		close(binder[1].ctl);
	}
}

TEST_F(scope, two_groups_race_for_a_scope)
{
	struct binder binder[2];
	struct actor actor[2];
	int i, winner;

	actor[0] = start_actor(_metadata, NEW_GROUP, keep_none);
	actor[1] = start_actor(_metadata, NEW_GROUP, keep_none);
	for (i = 0; i < ROUNDS; i++) {
		binder[0] = (struct binder){ .ctl = open_scope(_metadata), .pgid = actor[0].pid };
		binder[1] = (struct binder){ .ctl = binder[0].ctl, .pgid = actor[1].pid };
		winner = race_to_bind(_metadata, binder);
		ASSERT_EQ(binder[winner].pgid, scope_info(binder[0].ctl).pgid);
		ASSERT_EQ(1, scope_info(binder[0].ctl).members);
		stop_actor(&actor[winner]);
		close(binder[0].ctl);
		actor[winner] = start_actor(_metadata, NEW_GROUP, keep_none);
	}
}

/* --- Nesting --- */

TEST_F(scope, the_parent_is_the_root_for_who_is_in_no_scope)
{
	struct actor member = start_member(_metadata, self->ctl);
	int other = open_scope(_metadata);

	EXPECT_EQ(0, scope_info(self->ctl).parent);
	/* To own one is not to be in it. */
	EXPECT_EQ(0, scope_info(other).parent);
	stop_actor(&member);
}

TEST_F(scope, the_parent_is_the_scope_of_the_opener)
{
	struct actor member = start_member(_metadata, self->ctl);
	int inner = open_scope_as(&member);

	ASSERT_LE(0, inner);
	EXPECT_EQ(scope_info(self->ctl).id, info_as(&member, inner).parent);
	/* It stays so, wherever the opener and the file go. */
	ASSERT_LE(0, setpgid_as(&member, getpgrp()));
	EXPECT_EQ(scope_info(self->ctl).id, info_as(&member, inner).parent);
	inner = take(&member, inner);
	EXPECT_EQ(scope_info(self->ctl).id, scope_info(inner).parent);
}

TEST_F(scope, who_has_left_opens_in_the_root)
{
	struct actor member = start_member(_metadata, self->ctl);

	ASSERT_LE(0, setpgid_as(&member, getpgrp()));
	EXPECT_EQ(0, info_as(&member, open_scope_as(&member)).parent);
}

TEST_F(scope, a_child_of_a_member_opens_inside_too)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor child = start_below(_metadata, &member, SAME_GROUP, keep_none);

	EXPECT_EQ(scope_info(self->ctl).id, info_as(&child, open_scope_as(&child)).parent);
}

/* The group of a scope that was never bound is as it was before. */
TEST_F(scope, an_unbound_scope_is_nobodys_parent)
{
	struct actor actor = start_actor(_metadata, NEW_GROUP, keep(self->ctl));

	EXPECT_EQ(0, info_as(&actor, open_scope_as(&actor)).parent);
}

#define DEPTH	8

TEST_F(scope, scopes_in_scopes)
{
	struct actor actor[DEPTH];
	int ctl[DEPTH], inner, i;
	__u64 parent;

	actor[0] = start_member(_metadata, self->ctl);
	ctl[0] = self->ctl;
	for (i = 1; i < DEPTH; i++) {
		inner = open_scope_as(&actor[i - 1]);
		ASSERT_LE(0, inner);
		actor[i] = start_below(_metadata, &actor[i - 1], NEW_GROUP, keep_none);
		ASSERT_EQ(0, bind_as(&actor[i - 1], inner, actor[i].pid));
		ctl[i] = take(&actor[i - 1], inner);
		parent = scope_info(ctl[i - 1]).id;
		EXPECT_EQ(parent, scope_info(ctl[i]).parent);
	}
	/* Each has all that are further in. */
	for (i = 0; i < DEPTH; i++)
		EXPECT_EQ(DEPTH - i, scope_info(ctl[i]).members);
	stop_actor(&actor[DEPTH - 1]);
	for (i = 0; i < DEPTH; i++)
		EXPECT_EQ(DEPTH - 1 - i, scope_info(ctl[i]).members);
}

/* --- Looking at one --- */

TEST_F(scope, a_fresh_one)
{
	struct chan_scope_info now = scope_info(self->ctl);

	EXPECT_NE(0, now.id);
	EXPECT_EQ(0, now.parent);
	EXPECT_EQ(0, now.pgid);
	EXPECT_EQ(CHAN_SCOPE_UNBOUND, now.state);
	EXPECT_EQ(0, now.cause);
	EXPECT_EQ(0, now.members);
	EXPECT_EQ(0, now.channels);
	EXPECT_EQ(0, now.reserved);
}

TEST_F(scope, every_one_has_an_id_of_its_own)
{
	__u64 last = scope_info(self->ctl).id, now;
	int i, other;

	for (i = 0; i < 100; i++) {
		other = open_scope(_metadata);
		now = scope_info(other).id;
		ASSERT_LT(last, now);
		last = now;
		close(other);
	}
}

TEST_F(scope, info_does_not_look_at_what_comes_out)
{
	struct chan_scope_info one, other;

	memset(&one, 0, sizeof(one));
	memset(&other, 0xff, sizeof(other));
	EXPECT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_SCOPE_INFO, &one));
	EXPECT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_SCOPE_INFO, &other));
	EXPECT_EQ(0, memcmp(&one, &other, sizeof(one)));
}

TEST_F(scope, state_and_cause)
{
	struct actor member = start_member(_metadata, self->ctl);

	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
	EXPECT_EQ(0, scope_info(self->ctl).cause);
	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(CHAN_SCOPE_CANCELED, scope_info(self->ctl).state);
	EXPECT_EQ(EIO, scope_info(self->ctl).cause);
	EXPECT_EQ(1, scope_info(self->ctl).members);
	stop_actor(&member);
	EXPECT_EQ(CHAN_SCOPE_CANCELED, scope_info(self->ctl).state);
	EXPECT_EQ(EIO, scope_info(self->ctl).cause);
	EXPECT_EQ(0, scope_info(self->ctl).members);
}

TEST_F(scope, counts_the_members)
{
	struct actor first = start_member(_metadata, self->ctl);
	struct actor second = start_actor(_metadata, first.pid, keep_none);
	struct actor third = start_below(_metadata, &first, SAME_GROUP, keep_none);

	EXPECT_EQ(3, scope_info(self->ctl).members);
	ASSERT_EQ(0, setpgid_as(&second, NEW_GROUP));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	ASSERT_EQ(0, setpgid_as(&second, first.pid));
	EXPECT_EQ(3, scope_info(self->ctl).members);
	ASSERT_LE(0, setsid_as(&second));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	stop_actor(&third);
	EXPECT_EQ(1, scope_info(self->ctl).members);
	stop_actor(&first);
	EXPECT_EQ(0, scope_info(self->ctl).members);
}

TEST_F(scope, the_group_outlives_its_leader)
{
	struct actor leader = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, leader.pid, keep_none);

	stop_actor(&leader);
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_EQ(leader.pid, scope_info(self->ctl).pgid);
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, NULL));
	stop_actor(&other);
	EXPECT_EQ(0, scope_info(self->ctl).members);
}

TEST_F(scope, a_stopped_member_is_one)
{
	struct actor member = start_member(_metadata, self->ctl);

	kill(member.pid, SIGSTOP);
	ASSERT_TRUE(wait_until(state_of(member.pid) == 'T'));
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, NULL));
	kill(member.pid, SIGCONT);
	stop_actor(&member);
	EXPECT_EQ(0, wait_scope(self->ctl, 0, NULL));
}

TEST_F(scope, counts_its_channels)
{
	struct actor member;
	struct pair pair[3];
	int i, inner;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i, scope_info(self->ctl).channels);
		pair[i] = pair_on(_metadata, self->ctl, i);
	}
	close(pair[0].send);
	EXPECT_EQ(3, scope_info(self->ctl).channels);
	close(pair[0].recv);
	EXPECT_TRUE(wait_until(scope_info(self->ctl).channels == 2));
	/* Those of a scope inside it are not its own. */
	member = start_member(_metadata, self->ctl);
	inner = open_scope_as(&member);
	ASSERT_EQ(0, create_as(&member, inner, 0, &pair[0]));
	EXPECT_EQ(2, scope_info(self->ctl).channels);
	EXPECT_EQ(1, info_as(&member, inner).channels);
}

/* --- Waiting for the last --- */

TEST_F(scope, waiting_for_nobody)
{
	struct chan_scope_wait arg;

	EXPECT_EQ(0, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(0, arg.cause);
	EXPECT_EQ(0, arg.members);
	EXPECT_EQ(0, wait_scope(self->ctl, FOREVER, NULL));
	EXPECT_EQ(0, wait_scope(self->ctl, 1, NULL));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(0, wait_scope(self->ctl, FOREVER, &arg));
	EXPECT_EQ(EIO, arg.cause);
}

TEST_F(scope, not_waiting)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, member.pid, keep_none);
	struct chan_scope_wait arg;

	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(0, arg.cause);
	EXPECT_EQ(2, arg.members);
	stop_actor(&other);
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(1, arg.members);
	stop_actor(&member);
	EXPECT_EQ(0, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(0, arg.members);
}

TEST_F(scope, waiting_until_a_deadline)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct chan_scope_wait arg;
	long before = now_ms();

	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, in_ms(50), &arg));
	EXPECT_LE(before + 50, now_ms() + 1);
	EXPECT_EQ(0, arg.cause);
	EXPECT_EQ(1, arg.members);
	/* One that has passed. */
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, 1, &arg));
	EXPECT_EQ(1, arg.members);
	stop_actor(&member);
	EXPECT_EQ(0, wait_scope(self->ctl, 1, &arg));
}

TEST_F(scope, waiting_until_the_last_has_left)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, member.pid, keep_none);
	struct actor owner = start_owner(_metadata, self->ctl);
	struct act act;

	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	stop_actor(&member);
	EXPECT_FALSE(has_answered(&owner));
	EXPECT_EQ(1, scope_info(self->ctl).members);
	stop_actor(&other);
	EXPECT_EQ(0, answer(&owner, &act));
	EXPECT_EQ(0, act.value);
	EXPECT_EQ(0, act.more);
}

TEST_F(scope, all_who_wait_are_told)
{
	struct actor member = start_member(_metadata, self->ctl), owner[4];
	int i;

	for (i = 0; i < 4; i++) {
		owner[i] = start_owner(_metadata, self->ctl);
		start_wait_as(&owner[i], self->ctl);
		ASSERT_TRUE(wait_asleep_in(&owner[i], SYS_ioctl));
	}
	kill_actor(&member);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, finish_as(&owner[i]));
}

TEST_F(scope, waiting_goes_on_after_a_cancel)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor owner = start_owner(_metadata, self->ctl);
	struct chan_scope_wait arg;
	struct act act;

	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(EIO, arg.cause);
	EXPECT_EQ(1, arg.members);
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, 1, &arg));
	EXPECT_EQ(EIO, arg.cause);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	EXPECT_FALSE(has_answered(&owner));
	stop_actor(&member);
	EXPECT_EQ(0, answer(&owner, &act));
	EXPECT_EQ(EIO, act.value);
	EXPECT_EQ(0, act.more);
}

/* --- Waiting for the next one to leave --- */

static long wait_exit(int ctl, __u64 deadline, __u32 exits, struct chan_scope_wait *arg)
{
	*arg = (struct chan_scope_wait){
		.deadline = deadline, .flags = CHAN_SCOPE_WAIT_EXIT, .exits = exits,
	};
	return do_ioctl(ctl, CHAN_IOC_SCOPE_WAIT, arg);
}

/* @value: the exits that are known, and then those there are. */
static long act_wait_exit(struct act *act)
{
	struct chan_scope_wait arg;
	long ret = wait_exit(act->fd, FOREVER, act->value, &arg);

	act->value = arg.exits;
	act->more = arg.members;
	return ret;
}

TEST_F(scope, the_exits_are_counted)
{
	struct actor member = start_member(_metadata, self->ctl), other;
	struct chan_scope_wait arg;

	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(0, arg.exits);
	other = start_actor(_metadata, member.pid, keep_none);
	stop_actor(&other);
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(1, arg.exits);
	/* To go elsewhere is not to exit. */
	other = start_actor(_metadata, member.pid, keep_none);
	ASSERT_EQ(0, setpgid_as(&other, getpgrp()));
	stop_actor(&other);
	EXPECT_EQ(-ETIMEDOUT, wait_scope(self->ctl, 1, &arg));
	EXPECT_EQ(1, arg.exits);
	stop_actor(&member);
	EXPECT_EQ(0, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(2, arg.exits);
}

TEST_F(scope, waiting_for_one_exit)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, member.pid, keep_none);
	struct actor owner = start_owner(_metadata, self->ctl);
	struct act act = act_on(self->ctl);

	tell(&owner, &act, act_wait_exit);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	kill_actor(&other);
	EXPECT_EQ(0, answer(&owner, &act));
	EXPECT_EQ(1, act.value);
	EXPECT_EQ(1, act.more);
	/* Not for the same one again. */
	tell(&owner, &act, act_wait_exit);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	EXPECT_FALSE(has_answered(&owner));
	kill_actor(&member);
	EXPECT_EQ(0, answer(&owner, &act));
	EXPECT_EQ(2, act.value);
	EXPECT_EQ(0, act.more);
}

/* The number says what is known; time is not a matter. */
TEST_F(scope, waiting_for_an_exit_that_was_before)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor other = start_actor(_metadata, member.pid, keep_none);
	struct chan_scope_wait arg;

	EXPECT_EQ(-EAGAIN, wait_exit(self->ctl, 0, 0, &arg));
	stop_actor(&other);
	EXPECT_EQ(0, wait_exit(self->ctl, 0, 0, &arg));
	EXPECT_EQ(1, arg.exits);
	EXPECT_EQ(1, arg.members);
	EXPECT_EQ(0, wait_exit(self->ctl, FOREVER, 77, &arg));
	EXPECT_EQ(-EAGAIN, wait_exit(self->ctl, 0, 1, &arg));
	EXPECT_EQ(-ETIMEDOUT, wait_exit(self->ctl, in_ms(50), 1, &arg));
	EXPECT_EQ(1, arg.exits);
	stop_actor(&member);
	EXPECT_EQ(0, wait_exit(self->ctl, FOREVER, 2, &arg));
	EXPECT_EQ(2, arg.exits);
}

TEST_F(scope, exits_in_inner_scopes_count)
{
	struct actor member = start_member(_metadata, self->ctl), child;
	int inner = open_scope_as(&member);
	struct chan_scope_wait arg;

	child = start_below(_metadata, &member, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_as(&member, inner, child.pid));
	kill_actor(&child);
	EXPECT_EQ(0, wait_exit(self->ctl, in_ms(DEADLINE_MS), 0, &arg));
	EXPECT_EQ(1, arg.exits);
	EXPECT_EQ(1, arg.members);
}

/* A child that a wait tells of is there for who waits for it. */
TEST_F(scope, who_has_exited_can_be_waited_for)
{
	struct actor member = start_member(_metadata, self->ctl), other;
	struct chan_scope_wait arg;
	long end = now_ms() + 5000;
	__u32 exits = 0;
	int i;

	/* As many as go into some seconds, where everything takes its time. */
	for (i = 0; i < 200 && now_ms() < end; i++) {
		other = start_actor(_metadata, member.pid, keep_none);
		kill(other.pid, SIGKILL);
		ASSERT_EQ(0, wait_exit(self->ctl, in_ms(DEADLINE_MS), exits, &arg));
		exits = arg.exits;
		ASSERT_EQ(other.pid, waitpid(other.pid, NULL, WNOHANG));
		close(other.sock);
	}
	EXPECT_EQ(i, exits);
}

static void *linger(void *arg)
{
	usleep(100);
	return arg;
}

/* The process goes on in another thread. */
static long leave_it_to(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg))
		return -1;
	pthread_exit(NULL);
}

/* One whose first thread is not the last to go. */
static pid_t start_thread_in(pid_t group, void *(*run)(void *), void *arg)
{
	pid_t pid = fork_child();

	if (!pid) {
		setpgid(0, group);
		_exit(leave_it_to(run, arg));
	}
	setpgid(pid, group);
	return pid;
}

/* It may be told of twice, and the first time before it is there: not the last time. */
TEST_F(scope, who_has_exited_thread_by_thread_can_be_waited_for)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct chan_scope_wait arg = { .exits = 0 };
	long end = now_ms() + 5000;
	pid_t pid;
	int i;

	for (i = 0; i < 500 && now_ms() < end; i++) {
		pid = start_thread_in(member.pid, linger, NULL);
		do {
			ASSERT_EQ(0, wait_exit(self->ctl, in_ms(DEADLINE_MS), arg.exits, &arg));
		} while (waitpid(pid, NULL, WNOHANG) != pid);
	}
	stop_actor(&member);
}

static void *show_and_stay(void *arg)
{
	__atomic_store_n((pid_t *)arg, syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (pause())
		;
	return arg;
}

/* Then it is gone, but its parent is told as late as the tracer likes. */
TEST_F(scope, who_has_exited_with_a_traced_thread_can_be_waited_for)
{
	struct actor member = start_member(_metadata, self->ctl);
	pid_t *tid = shared(_metadata, sizeof(*tid));
	pid_t pid = start_thread_in(member.pid, show_and_stay, tid);
	struct chan_scope_wait arg;

	ASSERT_TRUE(wait_until(__atomic_load_n(tid, __ATOMIC_ACQUIRE)));
	/* Of two that exit at once both may be taken for the last. */
	ASSERT_TRUE(wait_until(state_of(pid) == 'Z'));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, *tid, NULL, NULL));
	kill(pid, SIGKILL);
	ASSERT_TRUE(wait_until(state_of(*tid) == 'Z'));
	EXPECT_EQ(-ETIMEDOUT, wait_exit(self->ctl, in_ms(300), 0, &arg));
	EXPECT_EQ(1, arg.members);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	EXPECT_EQ(*tid, waitpid(*tid, NULL, __WALL));
	EXPECT_EQ(0, wait_exit(self->ctl, in_ms(DEADLINE_MS), 0, &arg));
	EXPECT_EQ(pid, waitpid(pid, NULL, WNOHANG));
	stop_actor(&member);
}

/* --- Who may not wait --- */

TEST_F(scope, a_member_does_not_wait_for_itself)
{
	struct actor member = start_actor(_metadata, NEW_GROUP, keep(self->ctl));
	struct actor child = start_below(_metadata, &member, SAME_GROUP, keep(self->ctl));

	ASSERT_EQ(0, bind_scope(self->ctl, member.pid));
	EXPECT_EQ(-EDEADLK, wait_as(&member, self->ctl, FOREVER));
	EXPECT_EQ(-EDEADLK, wait_as(&child, self->ctl, FOREVER));
	EXPECT_EQ(-EDEADLK, wait_as(&child, self->ctl, 0));
	/* Out of it, it may. */
	ASSERT_LE(0, setsid_as(&child));
	EXPECT_EQ(-EAGAIN, wait_as(&child, self->ctl, 0));
}

TEST_F(scope, a_member_of_an_inner_scope_does_not_wait_for_the_outer)
{
	struct actor member = start_actor(_metadata, NEW_GROUP, keep(self->ctl)), child;
	int inner;

	ASSERT_EQ(0, bind_scope(self->ctl, member.pid));
	inner = open_scope_as(&member);
	child = start_below(_metadata, &member, NEW_GROUP, keep(self->ctl));
	ASSERT_EQ(0, bind_as(&member, inner, child.pid));
	EXPECT_EQ(-EDEADLK, wait_as(&child, self->ctl, FOREVER));
	/* The other way round is what nesting is for. */
	EXPECT_EQ(-EAGAIN, wait_as(&member, inner, 0));
	start_wait_as(&member, inner);
	ASSERT_TRUE(wait_asleep_in(&member, SYS_ioctl));
	kill_actor(&child);
	EXPECT_EQ(0, finish_as(&member));
}

/* It was none when it began to wait. */
TEST_F(scope, who_becomes_a_member_does_not_wait_on)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor owner = start_owner(_metadata, self->ctl);

	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	ASSERT_EQ(0, setpgid(owner.pid, member.pid));
	EXPECT_EQ(-EDEADLK, finish_as(&owner));
}

/* --- Signals --- */

TEST_F(scope, a_signal_ends_the_waiting)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor owner = start_owner(_metadata, self->ctl);

	ASSERT_EQ(0, handle_as(&owner, SIGUSR1, 0));
	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	kill(owner.pid, SIGUSR1);
	EXPECT_EQ(-EINTR, finish_as(&owner));
	EXPECT_EQ(-EAGAIN, wait_as(&owner, self->ctl, 0));
	stop_actor(&member);
	EXPECT_EQ(0, wait_as(&owner, self->ctl, 0));
}

TEST_F(scope, a_signal_that_restarts)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor owner = start_owner(_metadata, self->ctl);
	long sleeps;

	ASSERT_EQ(0, handle_as(&owner, SIGUSR1, SA_RESTART));
	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	sleeps = sleeps_of(owner.pid);
	kill(owner.pid, SIGUSR1);
	ASSERT_TRUE(wait_until(sleeps_of(owner.pid) > sleeps));
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	EXPECT_FALSE(has_answered(&owner));
	stop_actor(&member);
	EXPECT_EQ(0, finish_as(&owner));
}

/* The deadline is a point in time, so starting again does not move it. */
TEST_F(scope, a_restarted_wait_ends_at_its_deadline)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor owner = start_owner(_metadata, self->ctl);
	struct act act = act_wait_until(self->ctl, in_ms(400));

	ASSERT_EQ(0, handle_as(&owner, SIGUSR1, SA_RESTART));
	tell(&owner, &act, act_wait);
	while (!has_answered(&owner)) {
		kill(owner.pid, SIGUSR1);
		nap();
	}
	EXPECT_EQ(-ETIMEDOUT, answer(&owner, &act));
	EXPECT_EQ(1, act.more);
	stop_actor(&member);
}

TEST_F(scope, who_waits_can_be_killed)
{
	struct actor member = start_member(_metadata, self->ctl);
	struct actor owner = start_owner(_metadata, self->ctl);

	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	kill(owner.pid, SIGKILL);
	EXPECT_EQ(OP_KILLED(SIGKILL), finish_as(&owner));
	stop_actor(&member);
	EXPECT_EQ(0, wait_empty(self->ctl));
}

/* --- Ways to leave --- */

static long leave_by_session(struct actor *actor)
{
	return setsid_as(actor) < 0 ? -1 : 0;
}

static long leave_by_group(struct actor *actor)
{
	return setpgid_as(actor, getpgrp());
}

#define ROUNDS_OF_NOTICE	5

/*
 * Nobody tells the module. The best of some rounds is free of what the machine
 * is busy with otherwise.
 */
static long best_notice(struct __test_metadata *_metadata, long (*leave)(struct actor *actor))
{
	long best = LONG_MAX, start, took;
	struct actor first, leaver;
	int ctl, i;

	for (i = 0; i < ROUNDS_OF_NOTICE; i++) {
		ctl = open_scope(_metadata);
		first = start_member(_metadata, ctl);
		leaver = start_actor(_metadata, first.pid, keep_none);
		stop_actor(&first);
		ASSERT_EQ(-EAGAIN, wait_scope(ctl, 0, NULL));
		ASSERT_EQ(0, leave(&leaver));
		start = now_ms();
		ASSERT_EQ(0, wait_empty(ctl));
		took = now_ms() - start;
		best = took < best ? took : best;
		ASSERT_TRUE(stop_actor(&leaver));
		close(ctl);
	}
	return best;
}

TEST_F(scope, leaving_by_setsid_before_the_wait)
{
	EXPECT_GE(NOTICE_MS, best_notice(_metadata, leave_by_session));
}

TEST_F(scope, leaving_by_setpgid_before_the_wait)
{
	EXPECT_GE(NOTICE_MS, best_notice(_metadata, leave_by_group));
}

static long best_notice_asleep(struct __test_metadata *_metadata,
			       long (*leave)(struct actor *actor))
{
	long best = LONG_MAX, start, took;
	struct actor first, leaver, owner;
	int ctl, i;

	for (i = 0; i < ROUNDS_OF_NOTICE; i++) {
		ctl = open_scope(_metadata);
		first = start_member(_metadata, ctl);
		leaver = start_actor(_metadata, first.pid, keep_none);
		owner = start_owner(_metadata, ctl);
		stop_actor(&first);
		start_wait_as(&owner, ctl);
		ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
		/* Who waits has the module look now and then: not when it has just begun. */
		usleep(i * NOTICE_MS * 1000 / ROUNDS_OF_NOTICE);
		ASSERT_EQ(0, leave(&leaver));
		start = now_ms();
		ASSERT_EQ(0, finish_as(&owner));
		took = now_ms() - start;
		best = took < best ? took : best;
		stop_actor(&owner);
		ASSERT_TRUE(stop_actor(&leaver));
		close(ctl);
	}
	return best;
}

TEST_F(scope, leaving_by_setsid_while_one_waits)
{
	EXPECT_GE(NOTICE_MS, best_notice_asleep(_metadata, leave_by_session));
}

TEST_F(scope, leaving_by_setpgid_while_one_waits)
{
	EXPECT_GE(NOTICE_MS, best_notice_asleep(_metadata, leave_by_group));
}

/* A parent that does not care for it keeps nobody. */
TEST_F(scope, a_zombie_has_left)
{
	struct actor member = start_member(_metadata, self->ctl);

	kill(member.pid, SIGKILL);
	EXPECT_EQ(0, wait_empty(self->ctl));
	EXPECT_EQ(0, scope_info(self->ctl).members);
	EXPECT_TRUE(wait_until(state_of(member.pid) == 'Z'));
	kill_actor(&member);
}

static void *run_serve(void *arg)
{
	(void)arg;
	serve(served);
	return NULL;
}

/* The greeting of the thread is the answer. */
static long act_leave_it_to_a_thread(struct act *act)
{
	(void)act;
	return leave_it_to(run_serve, NULL);
}

TEST_F(scope, a_process_leaves_with_its_last_thread)
{
	struct actor member = start_member(_metadata, self->ctl);

	ASSERT_EQ(0, ask_on(&member, -1, act_leave_it_to_a_thread));
	ASSERT_TRUE(wait_until(state_of(member.pid) == 'Z'));
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, NULL));
	EXPECT_EQ(0, poll_events(self->ctl, POLLIN));
	EXPECT_TRUE(stop_actor(&member));
	EXPECT_EQ(0, wait_scope(self->ctl, 0, NULL));
}

TEST_F(scope, members_of_inner_scopes_count)
{
	struct actor member = start_member(_metadata, self->ctl), child;
	struct actor owner = start_owner(_metadata, self->ctl);
	int inner = open_scope_as(&member);
	struct chan_scope_wait arg;

	child = start_below(_metadata, &member, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_as(&member, inner, child.pid));
	/* So that it does not end with its opener. */
	inner = take(&member, inner);
	start_wait_as(&owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&owner, SYS_ioctl));
	EXPECT_EQ(2, scope_info(self->ctl).members);
	ASSERT_EQ(0, setpgid_as(&member, getpgrp()));
	EXPECT_EQ(-EAGAIN, wait_scope(self->ctl, 0, &arg));
	EXPECT_EQ(1, arg.members);
	EXPECT_EQ(1, scope_info(self->ctl).members);
	EXPECT_FALSE(has_answered(&owner));
	kill_actor(&child);
	EXPECT_EQ(0, finish_as(&owner));
	EXPECT_EQ(0, wait_scope(inner, 0, NULL));
}

/* Whose last end was in a member, that channel has ended when WAIT returns. */
TEST_F(scope, what_the_members_had_open_is_closed)
{
	struct actor member;
	struct pair pair;
	int ctl, i;
	char byte;

	for (i = 0; i < 100; i++) {
		ctl = open_scope(_metadata);
		pair = pair_on(_metadata, ctl, 1);
		member = start_actor(_metadata, NEW_GROUP, keep(pair.send));
		ASSERT_EQ(0, bind_scope(ctl, member.pid));
		close(pair.send);
		ASSERT_EQ(-EAGAIN, try_read(pair.recv, &byte, 1));
		kill(member.pid, SIGKILL);
		ASSERT_EQ(0, wait_empty(ctl));
		ASSERT_EQ(0, try_read(pair.recv, &byte, 1));
		kill_actor(&member);
		close(pair.recv);
		close(ctl);
	}
}

/* --- Polling --- */

#define ALL	(POLLIN | POLLRDNORM | POLLOUT | POLLPRI)

TEST_F(scope, polling_through_its_life)
{
	struct actor member, other;

	EXPECT_EQ(0, poll_events(self->ctl, ALL));
	member = start_member(_metadata, self->ctl);
	EXPECT_EQ(0, poll_events(self->ctl, ALL));
	stop_actor(&member);
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_events(self->ctl, ALL));
	other = start_member(_metadata, self->ctl);
	EXPECT_EQ(0, poll_events(self->ctl, ALL));
	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(POLLHUP, poll_events(self->ctl, ALL));
	stop_actor(&other);
	EXPECT_EQ(POLLHUP | POLLIN | POLLRDNORM, poll_events(self->ctl, ALL));
	EXPECT_EQ(POLLHUP, poll_events(self->ctl, 0));
}

TEST_F(scope, polling_one_that_was_never_bound)
{
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(POLLHUP, poll_events(self->ctl, ALL));
}

static long act_poll_wait(struct act *act)
{
	struct pollfd pfd = { .fd = act->fd, .events = act->value };
	long ret = result(poll(&pfd, 1, -1));

	act->value = pfd.revents;
	return ret;
}

static long act_select_wait(struct act *act)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(act->fd, &set);
	act->value = POLLIN;
	return result(select(act->fd + 1, &set, NULL, NULL, NULL));
}

static long act_epoll_wait(struct act *act)
{
	struct epoll_event event = { .events = EPOLLET | act->value };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	long ret;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, act->fd, &event))
		return -errno;
	ret = result(epoll_wait(epoll, &event, 1, -1));
	act->value = event.events;
	close(epoll);
	return ret;
}

/* In a select, with a case beside it that never happens. */
static long act_case_wait(struct act *act)
{
	struct chan_case cases[2] = { case_disabled(), case_poll(act->fd, act->value) };
	long ret = do_select(act->fd, cases, 2, FOREVER);

	act->value = cases[1].events;
	return ret;
}

FIXTURE(poller) {
	int ctl;
	struct actor member;
	struct actor owner;
	struct act act;
	long idle;	/* what the owner is in when it has nothing to do */
};

FIXTURE_VARIANT(poller) {
	act_fn wait;
};

FIXTURE_VARIANT_ADD(poller, poll) {
	.wait = act_poll_wait,
};

FIXTURE_VARIANT_ADD(poller, select) {
	.wait = act_select_wait,
};

FIXTURE_VARIANT_ADD(poller, epoll) {
	.wait = act_epoll_wait,
};

FIXTURE_VARIANT_ADD(poller, select_case) {
	.wait = act_case_wait,
};

FIXTURE_SETUP(poller)
{
	self->ctl = open_scope(_metadata);
	self->member = start_member(_metadata, self->ctl);
	self->owner = start_owner(_metadata, self->ctl);
	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	self->act = act_on(self->ctl);
	self->act.value = POLLIN;
	ASSERT_TRUE(wait_until(call_of(self->owner.pid) >= 0));
	self->idle = call_of(self->owner.pid);
}

FIXTURE_TEARDOWN(poller)
{
	kill_actor(&self->owner);
	kill_actor(&self->member);
	close(self->ctl);
}

/* Which call that is depends on the C library. */
static bool polls(struct actor *owner, long idle)
{
	long now = call_of(owner->pid);

	return now >= 0 && now != idle;
}

TEST_F(poller, is_woken_by_the_last_member)
{
	struct actor other = start_actor(_metadata, self->member.pid, keep_none);

	tell(&self->owner, &self->act, variant->wait);
	ASSERT_TRUE(wait_until(polls(&self->owner, self->idle)));
	stop_actor(&self->member);
	EXPECT_FALSE(has_answered(&self->owner));
	stop_actor(&other);
	EXPECT_EQ(1, answer(&self->owner, &self->act));
	EXPECT_EQ(POLLIN, self->act.value);
}

TEST_F(poller, is_woken_by_a_cancel)
{
	tell(&self->owner, &self->act, variant->wait);
	ASSERT_TRUE(wait_until(polls(&self->owner, self->idle)));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(1, answer(&self->owner, &self->act));
	if (variant->wait != act_select_wait)
		EXPECT_EQ(POLLHUP, self->act.value);
}

TEST_F(poller, is_woken_by_who_leaves)
{
	tell(&self->owner, &self->act, variant->wait);
	ASSERT_TRUE(wait_until(polls(&self->owner, self->idle)));
	ASSERT_EQ(0, leave_by_group(&self->member));
	EXPECT_EQ(1, answer(&self->owner, &self->act));
	EXPECT_EQ(POLLIN, self->act.value);
}

TEST_F(poller, finds_it_ready)
{
	stop_actor(&self->member);
	EXPECT_EQ(1, ask(&self->owner, &self->act, variant->wait));
	EXPECT_EQ(POLLIN, self->act.value);
}

TEST_F(scope, many_scopes_in_one_select)
{
	struct chan_case cases[16];
	struct actor member[16];
	int ctl[16], i;

	for (i = 0; i < 16; i++) {
		ctl[i] = open_scope(_metadata);
		member[i] = start_member(_metadata, ctl[i]);
	}
	for (i = 0; i < 16; i++)
		cases[i] = case_poll(ctl[i], POLLIN);
	EXPECT_EQ(-EAGAIN, try_select(self->ctl, cases, 16));
	stop_actor(&member[11]);
	EXPECT_EQ(11, do_select(self->ctl, cases, 16, in_ms(DEADLINE_MS)));
	EXPECT_EQ(POLLIN, cases[11].events);
	for (i = 0; i < 16; i++)
		stop_actor(&member[i]);
}

/* --- Owners --- */

/* A member with a channel in which it is parked, and a scope of its own. */
FIXTURE(owned) {
	int ctl;
	struct pair pair;
	struct actor owner;
	struct actor member;
	int inner;
};

FIXTURE_SETUP(owned)
{
	self->ctl = open_scope(_metadata);
	self->pair = pair_on(_metadata, self->ctl, 0);
	self->owner = start_owner(_metadata, self->ctl);
	self->member = start_actor(_metadata, NEW_GROUP,
				   keep(self->pair.send, self->pair.recv));
	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	ASSERT_EQ(0, bind_scope(self->ctl, self->member.pid));
	self->inner = open_scope_as(&self->member);
	ASSERT_LE(0, self->inner);
	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_parked(self->pair.send, 0, 1));
}

FIXTURE_TEARDOWN(owned)
{
	kill_actor(&self->owner);
	kill_actor(&self->member);
}

/* The member is told, and can tell why. */
static bool lost_its_owner(struct actor *member, int inner, int send)
{
	long ret = finish_as(member);

	if (ret == -ECANCELED && info_as(member, inner).cause == EOWNERDEAD &&
	    info_as(member, inner).state == CHAN_SCOPE_CANCELED &&
	    put_as(member, send, "x") == -ECANCELED)
		return true;
	fprintf(stderr, "# instead of %d: %ld, cause %d\n", -ECANCELED, ret,
		info_as(member, inner).cause);
	return false;
}

TEST_F(owned, the_last_close_cancels)
{
	close(self->ctl);
	ASSERT_EQ(0, close_as(&self->owner, self->ctl));
	EXPECT_TRUE(lost_its_owner(&self->member, self->inner, self->pair.send));
}

TEST_F(owned, the_death_of_the_owner_cancels)
{
	close(self->ctl);
	kill_actor(&self->owner);
	EXPECT_TRUE(lost_its_owner(&self->member, self->inner, self->pair.send));
}

TEST_F(owned, the_death_of_an_owner_that_waits_cancels)
{
	close(self->ctl);
	start_wait_as(&self->owner, self->ctl);
	ASSERT_TRUE(wait_asleep_in(&self->owner, SYS_ioctl));
	kill(self->owner.pid, SIGKILL);
	EXPECT_TRUE(lost_its_owner(&self->member, self->inner, self->pair.send));
}

TEST_F(owned, another_owner_keeps_it)
{
	kill_actor(&self->owner);
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
	EXPECT_EQ(1, put(self->pair.send, "x"));
	EXPECT_EQ(1, finish_as(&self->member));
}

TEST_F(owned, a_copy_of_the_descriptor_keeps_it)
{
	int copy = dup(self->ctl);

	kill_actor(&self->owner);
	close(self->ctl);
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(copy).state);
	EXPECT_EQ(1, put(self->pair.send, "x"));
	EXPECT_EQ(1, finish_as(&self->member));
	start_read_as(&self->member, self->pair.recv);
	close(copy);
	EXPECT_TRUE(lost_its_owner(&self->member, self->inner, self->pair.send));
}

/* On its way from hand to hand it is nobody's, but not gone. */
TEST_F(owned, a_file_in_flight_keeps_it)
{
	struct act act = act_on(-1);
	int sock[2], fd = -1;

	kill_actor(&self->owner);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	ASSERT_TRUE(send_act(sock[0], &act, self->ctl));
	close(self->ctl);
	EXPECT_FALSE(has_answered(&self->member));
	ASSERT_TRUE(recv_act(sock[1], &act, &fd));
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(fd).state);
	EXPECT_EQ(1, put(self->pair.send, "x"));
	EXPECT_EQ(1, finish_as(&self->member));
	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(send_act(sock[0], &act, fd));
	close(fd);
	close(sock[0]);
	close(sock[1]);
	EXPECT_TRUE(lost_its_owner(&self->member, self->inner, self->pair.send));
}

/* Members do not keep it by being there, but by having the file. */
TEST_F(owned, a_member_with_the_file_keeps_it)
{
	int copy;

	EXPECT_EQ(1, put(self->pair.send, "x"));
	EXPECT_EQ(1, finish_as(&self->member));
	copy = give(&self->member, self->ctl);
	kill_actor(&self->owner);
	close(self->ctl);
	EXPECT_EQ(CHAN_SCOPE_BOUND, info_as(&self->member, copy).state);
	EXPECT_EQ(-EAGAIN, put_as(&self->member, self->pair.send, "x"));
	ASSERT_EQ(0, close_as(&self->member, copy));
	EXPECT_EQ(-ECANCELED, put_as(&self->member, self->pair.send, "x"));
	EXPECT_EQ(EOWNERDEAD, info_as(&self->member, self->inner).cause);
}

/* The first cause stands. */
TEST_F(owned, an_owner_that_goes_after_a_cancel)
{
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
	EXPECT_EQ(EIO, info_as(&self->member, self->inner).cause);
	close(self->ctl);
	kill_actor(&self->owner);
	EXPECT_EQ(EIO, info_as(&self->member, self->inner).cause);
}

/* With nobody in it, there is nothing to be cancelled for. */
TEST_F(owned, an_owner_that_goes_last)
{
	long ret;

	kill_actor(&self->member);
	kill_actor(&self->owner);
	ASSERT_EQ(0, wait_scope(self->ctl, 0, NULL));
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->ctl).state);
	close(self->ctl);
	/* The channel is of no use to anybody any more. */
	ret = put(self->pair.send, "x");
	EXPECT_TRUE(ret == -EACCES || ret == -ECANCELED);
}

/* An owner that is a member too goes with the others. */
TEST_F(scope, an_owner_among_its_members)
{
	struct pair pair = pair_on(_metadata, self->ctl, 0);
	struct actor owner = start_actor(_metadata, NEW_GROUP, keep(self->ctl));
	struct actor member = start_actor(_metadata, owner.pid, keep(pair.recv));

	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	ASSERT_EQ(0, bind_as(&owner, self->ctl, 0));
	start_read_as(&member, pair.recv);
	ASSERT_TRUE(wait_parked(pair.send, 0, 1));
	close(self->ctl);
	kill_actor(&owner);
	EXPECT_EQ(-ECANCELED, finish_as(&member));
}

TEST_HARNESS_MAIN
