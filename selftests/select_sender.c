// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHAN_IOC_SELECT: who has sent it, as the receiver is told.
 */
#include "select_test.h"

#define SOMEBODY	1234

enum path {
	TO_A_PARKED_RECEIVER,
	FROM_A_PARKED_SENDER,
	FROM_A_BUFFER,
};

FIXTURE(sender) {
	struct pair pair;
	struct select_op *receiver;
	struct op *op;
	bool stays;	/* the sender does not end after it has sent */
};

FIXTURE_VARIANT(sender) {
	enum path path;
};

FIXTURE_VARIANT_ADD(sender, to_a_parked_receiver) {
	.path = TO_A_PARKED_RECEIVER,
};

FIXTURE_VARIANT_ADD(sender, from_a_parked_sender) {
	.path = FROM_A_PARKED_SENDER,
};

FIXTURE_VARIANT_ADD(sender, from_a_buffer) {
	.path = FROM_A_BUFFER,
};

static void new_parties(struct __test_metadata *_metadata, FIXTURE_DATA(sender) * self)
{
	self->receiver = new_select(_metadata, self->pair.recv, 1, ROOM);
	add_recv(self->receiver, self->pair.recv);
	self->op = new_op(_metadata, self->pair.send, ROOM);
	memcpy(self->op->data, "hello", 5);
	self->op->len = 5;
}

FIXTURE_SETUP(sender)
{
	make_pair(_metadata, &self->pair, variant->path == FROM_A_BUFFER ? 4 : 0, 0);
	new_parties(_metadata, self);
}

FIXTURE_TEARDOWN(sender)
{
	close_pair(&self->pair);
}

static void run_writev(struct op *op)
{
	struct iovec iov[2] = { { op->data, 2 }, { op->data + 2, op->len - 2 } };

	op->ret = result(writev(op->fd, iov, 2));
}

static void run_send_case(struct op *op)
{
	struct chan_case one = case_send(op->fd, op->data, op->len);
	long ret = do_select(op->fd, &one, 1, CHAN_SELECT_FOREVER);

	op->ret = ret ? ret : one.status ? one.status : (long)op->len;
}

static void run_send_and_stay(struct op *op)
{
	run_send(op);
	__atomic_store_n(&op->ready, 2, __ATOMIC_RELEASE);
	pause();
}

static bool has_sent(FIXTURE_DATA(sender) * self)
{
	if (self->stays)
		return wait_ready(self->op, 2) && self->op->ret == 5;
	return finish(self->op) == 5;
}

/* @run in the sender's process, and who that was as the receiver is told. */
static void cross(struct __test_metadata *_metadata, FIXTURE_DATA(sender) * self,
		  const FIXTURE_VARIANT(sender) * variant, op_fn run)
{
	if (variant->path == TO_A_PARKED_RECEIVER) {
		start_select(_metadata, self->receiver, self->receiver->how);
		ASSERT_TRUE(wait_parked(self->pair.recv, 0, 1));
	}
	start_op(_metadata, self->op, run);
	if (variant->path != FROM_A_PARKED_SENDER)
		ASSERT_TRUE(has_sent(self));
	if (variant->path == FROM_A_PARKED_SENDER)
		ASSERT_TRUE(wait_parked(self->pair.recv, 1, 0));
	if (variant->path != TO_A_PARKED_RECEIVER)
		start_select(_metadata, self->receiver, self->receiver->how);
	ASSERT_TRUE(chose_text(self->receiver, 0, "hello"));
	if (variant->path == FROM_A_PARKED_SENDER)
		ASSERT_TRUE(has_sent(self));
}

static void expect_sender(struct __test_metadata *_metadata, FIXTURE_DATA(sender) * self,
			  pid_t pid, uid_t uid)
{
	EXPECT_EQ(pid, self->receiver->cases[0].pid);
	EXPECT_EQ(uid, self->receiver->cases[0].uid);
}

/* By the time that the receiver looks, it has ended and been waited for. */
TEST_F(sender, whichever_way_it_sends)
{
	static const op_fn run[] = { run_send, run_writev, run_send_case };
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(run); i++) {
		new_parties(_metadata, self);
		self->receiver->how = i % 2 ? IN_THREAD : 0;
		cross(_metadata, self, variant, run[i / 2]);
		expect_sender(_metadata, self, self->op->pid, getuid());
	}
}

static void *send_in_thread(void *arg)
{
	run_send(arg);
	return NULL;
}

static void run_thread(struct op *op)
{
	pthread_t thread;

	pthread_create(&thread, NULL, send_in_thread, op);
	pthread_join(thread, NULL);
}

TEST_F(sender, a_thread_has_the_number_of_its_process)
{
	cross(_metadata, self, variant, run_thread);
	expect_sender(_metadata, self, self->op->pid, getuid());
}

static void run_as_somebody(struct op *op)
{
	if (become(SOMEBODY))
		run_send(op);
}

static void run_case_as_somebody(struct op *op)
{
	if (become(SOMEBODY))
		run_send_case(op);
}

/* What counts is who sends, not who opened the file. */
TEST_F(sender, with_another_user)
{
	if (!is_root())
		SKIP(return, "changing the user takes CAP_SETUID");
	cross(_metadata, self, variant, run_as_somebody);
	expect_sender(_metadata, self, self->op->pid, SOMEBODY);
	new_parties(_metadata, self);
	cross(_metadata, self, variant, run_case_as_somebody);
	expect_sender(_metadata, self, self->op->pid, SOMEBODY);
}

static void run_really_somebody(struct op *op)
{
	if (!setresuid(SOMEBODY, -1, -1))
		run_send(op);
}

/* Of its users the real one, not the one whose rights it has. */
TEST_F(sender, with_two_users)
{
	if (!is_root())
		SKIP(return, "changing the user takes CAP_SETUID");
	cross(_metadata, self, variant, run_really_somebody);
	expect_sender(_metadata, self, self->op->pid, SOMEBODY);
}

static void run_then_become_somebody(struct op *op)
{
	run_send(op);
	become(SOMEBODY);
	__atomic_store_n(&op->ready, 2, __ATOMIC_RELEASE);
	pause();
}

/* The user is that of the moment when it was sent. */
TEST_F(sender, that_changes_its_user_afterwards)
{
	if (!is_root())
		SKIP(return, "changing the user takes CAP_SETUID");
	if (variant->path != FROM_A_BUFFER)
		SKIP(return, "it has been received by then");
	start_op(_metadata, self->op, run_then_become_somebody);
	ASSERT_TRUE(wait_ready(self->op, 2));
	EXPECT_EQ(5, self->op->ret);
	start_select(_metadata, self->receiver, 0);
	ASSERT_TRUE(chose_text(self->receiver, 0, "hello"));
	expect_sender(_metadata, self, self->op->pid, 0);
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(self->op));
}

/* --- In other namespaces --- */

/* Go on as the first process of a new pid namespace; its number here. */
static pid_t fork_in_pid_namespace(void)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -1;
	pid = fork();
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void receive_in_pid_namespace(struct select_op *op)
{
	pid_t pid = fork_in_pid_namespace();

	(void)op;
	if (!pid)
		return;
	waitpid(pid, NULL, 0);
	_exit(0);
}

TEST_F(sender, from_outside_has_no_number_inside)
{
	if (!is_root())
		SKIP(return, "a pid namespace takes CAP_SYS_ADMIN");
	self->receiver->first = receive_in_pid_namespace;
	self->receiver->cases[0].pid = 77;
	cross(_metadata, self, variant, run_send);
	expect_sender(_metadata, self, 0, 0);
}

static void run_in_pid_namespace(struct op *op)
{
	pid_t pid = fork_in_pid_namespace();

	if (pid) {
		op->flag = pid;
		waitpid(pid, NULL, 0);
		return;
	}
	run_send(op);
	_exit(0);
}

TEST_F(sender, from_inside_has_its_number_outside)
{
	if (!is_root())
		SKIP(return, "a pid namespace takes CAP_SYS_ADMIN");
	cross(_metadata, self, variant, run_in_pid_namespace);
	EXPECT_LT(0, self->op->flag);
	expect_sender(_metadata, self, self->op->flag, 0);
}

/* Sender and receiver in one new pid namespace, below the initial one. */
static void cross_inside(struct __test_metadata *_metadata, FIXTURE_DATA(sender) * self,
			 const FIXTURE_VARIANT(sender) * variant, op_fn run)
{
	pid_t pid = fork_in_pid_namespace();
	int status = 0;

	ASSERT_LE(0, pid);
	if (!pid) {
		cross(_metadata, self, variant, run);
		_exit(getpid() == 1 ? 0 : 1);
	}
	ASSERT_TRUE(ended(pid, &status));
	ASSERT_EQ(0, status);
	/* The number is that which its parent has for it, in there. */
	ASSERT_LT(1, self->op->pid);
	ASSERT_GT(10, self->op->pid);
}

TEST_F(sender, both_inside)
{
	if (!is_root())
		SKIP(return, "a pid namespace takes CAP_SYS_ADMIN");
	self->stays = true;
	cross_inside(_metadata, self, variant, run_send_and_stay);
	expect_sender(_metadata, self, self->op->pid, 0);
}

/* Below the initial namespace, one that has ended has no number any more. */
TEST_F(sender, both_inside_and_the_sender_has_ended)
{
	if (!is_root())
		SKIP(return, "a pid namespace takes CAP_SYS_ADMIN");
	if (variant->path != FROM_A_BUFFER)
		SKIP(return, "it may not have ended when it is received from");
	cross_inside(_metadata, self, variant, run_send);
	expect_sender(_metadata, self, 0, 0);
}

static void enter_user_namespace(struct select_op *op)
{
	char map[64];

	if (unshare(CLONE_NEWUSER))
		_exit(1);
	if (!op->flag)
		return;
	snprintf(map, sizeof(map), "5 %d 1", op->flag - 1);
	if (write_text("/proc/self/uid_map", map))
		_exit(1);
}

/* Here 0 is called 5, and there is nobody else. */
TEST_F(sender, users_are_numbered_as_the_receiver_has_them)
{
	if (!is_root())
		SKIP(return, "a user namespace takes privileges");
	self->receiver->first = enter_user_namespace;
	self->receiver->flag = 1;
	cross(_metadata, self, variant, run_send);
	expect_sender(_metadata, self, self->op->pid, 5);
	new_parties(_metadata, self);
	self->receiver->first = enter_user_namespace;
	self->receiver->flag = 1;
	cross(_metadata, self, variant, run_as_somebody);
	expect_sender(_metadata, self, self->op->pid,
		      read_number("/proc/sys/kernel/overflowuid"));
}

TEST_F(sender, users_without_a_number)
{
	if (!is_root())
		SKIP(return, "a user namespace takes privileges");
	self->receiver->first = enter_user_namespace;
	cross(_metadata, self, variant, run_send);
	expect_sender(_metadata, self, self->op->pid,
		      read_number("/proc/sys/kernel/overflowuid"));
}

TEST_HARNESS_MAIN
