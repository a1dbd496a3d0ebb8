// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anonymous channels: how they are made, and how their ends are shared.
 */
#include "chan_test.h"

FIXTURE(anonymous) {
	int ctl;
	struct chan_create arg;
};

FIXTURE_SETUP(anonymous)
{
	self->ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->ctl);
	ASSERT_EQ(0, create(self->ctl, &self->arg));
}

FIXTURE_TEARDOWN(anonymous)
{
	close(self->arg.send_fd);
	close(self->arg.recv_fd);
	close(self->ctl);
}

TEST_F(anonymous, defaults)
{
	struct chan_info now = info(self->arg.send_fd);

	EXPECT_EQ(CHAN_STATE_OPEN, now.state);
	EXPECT_EQ(0, now.cause);
	EXPECT_EQ(0, now.capacity);
	EXPECT_EQ(65536, now.max_msg);
	EXPECT_EQ(1, now.send_ends);
	EXPECT_EQ(1, now.recv_ends);
	EXPECT_EQ(0, now.buffered);
	EXPECT_EQ(0, now.parked_senders);
	EXPECT_EQ(0, now.parked_receivers);
	EXPECT_EQ(0, now.sent);
	EXPECT_EQ(0, now.received);
}

TEST_F(anonymous, what_was_asked_for)
{
	struct chan_create arg = { .capacity = 7, .max_msg = 1234 };
	struct chan_info now;

	ASSERT_EQ(0, create(self->ctl, &arg));
	now = info(arg.recv_fd);
	EXPECT_EQ(7, now.capacity);
	EXPECT_EQ(1234, now.max_msg);
}

TEST_F(anonymous, two_files_one_for_each_direction)
{
	EXPECT_NE(self->arg.send_fd, self->arg.recv_fd);
	EXPECT_EQ(O_WRONLY, fcntl(self->arg.send_fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(O_RDONLY, fcntl(self->arg.recv_fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(CHAN_INFO_SEND, info(self->arg.send_fd).flags &
		  (CHAN_INFO_SEND | CHAN_INFO_RECV | CHAN_INFO_NAMED));
	EXPECT_EQ(CHAN_INFO_RECV, info(self->arg.recv_fd).flags &
		  (CHAN_INFO_SEND | CHAN_INFO_RECV | CHAN_INFO_NAMED));
	EXPECT_EQ(info(self->arg.send_fd).id, info(self->arg.recv_fd).id);
}

TEST_F(anonymous, it_ends_when_one_side_has_no_file_left)
{
	EXPECT_EQ(CHAN_INFO_HANGUP, info(self->arg.send_fd).flags & CHAN_INFO_HANGUP);
}

TEST_F(anonymous, wrong_direction)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };

	EXPECT_EQ(-EBADF, do_read(self->arg.send_fd, &byte, 1));
	EXPECT_EQ(-EBADF, do_write(self->arg.recv_fd, &byte, 1));
	EXPECT_EQ(-EBADF, result(readv(self->arg.send_fd, &iov, 1)));
	EXPECT_EQ(-EBADF, result(writev(self->arg.recv_fd, &iov, 1)));
}

TEST_F(anonymous, no_seeking)
{
	char byte = 0;

	EXPECT_EQ(-ESPIPE, result(lseek(self->arg.send_fd, 0, SEEK_SET)));
	EXPECT_EQ(-ESPIPE, result(lseek(self->arg.recv_fd, 0, SEEK_CUR)));
	EXPECT_EQ(-ESPIPE, result(lseek(self->arg.recv_fd, 0, SEEK_END)));
	EXPECT_EQ(-ESPIPE, result(pwrite(self->arg.send_fd, &byte, 1, 0)));
	EXPECT_EQ(-ESPIPE, result(pread(self->arg.recv_fd, &byte, 1, 0)));
}

TEST_F(anonymous, close_on_exec_always)
{
	struct chan_create arg = { .flags = CHAN_CREATE_NONBLOCK };

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->arg.send_fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->arg.recv_fd, F_GETFD));
	ASSERT_EQ(0, create(self->ctl, &arg));
	EXPECT_EQ(FD_CLOEXEC, fcntl(arg.send_fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(arg.recv_fd, F_GETFD));
}

TEST_F(anonymous, exec_closes_the_ends)
{
	pid_t pid = fork_child();
	int status = 0;

	ASSERT_LE(0, pid);
	if (!pid) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	/* The child lives, and has none: ours is the last. */
	close(self->arg.send_fd);
	self->arg.send_fd = -1;
	EXPECT_TRUE(wait_until(info(self->arg.recv_fd).state == CHAN_STATE_CLOSED));
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	EXPECT_TRUE(ended(pid, &status));
}

TEST_F(anonymous, nonblock_flag)
{
	struct chan_create arg = { .flags = CHAN_CREATE_NONBLOCK };
	char byte = 0;

	EXPECT_EQ(0, fcntl(self->arg.send_fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fcntl(self->arg.recv_fd, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(0, create(self->ctl, &arg));
	EXPECT_EQ(O_NONBLOCK, fcntl(arg.send_fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(O_NONBLOCK, fcntl(arg.recv_fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(-EAGAIN, do_write(arg.send_fd, &byte, 1));
	EXPECT_EQ(-EAGAIN, do_read(arg.recv_fd, &byte, 1));
}

TEST_F(anonymous, ids_are_never_used_twice)
{
	__u64 last = info(self->arg.send_fd).id;
	struct pair pair;
	int i;

	for (i = 0; i < 50; i++) {
		make_pair(_metadata, &pair, 0, 0);
		EXPECT_LT(last, info(pair.send).id);
		last = info(pair.send).id;
		close_pair(&pair);
	}
}

TEST_F(anonymous, outlives_its_scope_file)
{
	struct op *op;

	close(self->ctl);
	op = park_text(_metadata, self->arg.send_fd, "still here");
	EXPECT_TRUE(got(self->arg.recv_fd, "still here"));
	EXPECT_EQ(10, finish(op));
	self->ctl = -1;
}

TEST_F(anonymous, channels_are_separate)
{
	struct chan_create arg = { .capacity = 1 };
	char byte;

	ASSERT_EQ(0, create(self->ctl, &arg));
	EXPECT_EQ(1, put(arg.send_fd, "x"));
	EXPECT_EQ(-EAGAIN, try_read(self->arg.recv_fd, &byte, 1));
	EXPECT_TRUE(got(arg.recv_fd, "x"));
}

TEST_F(anonymous, dup_shares_an_end)
{
	int copy = dup(self->arg.send_fd);

	ASSERT_LE(0, copy);
	EXPECT_EQ(1, info(copy).send_ends);
	close(self->arg.send_fd);
	EXPECT_EQ(CHAN_STATE_OPEN, info(copy).state);
	close(copy);
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->arg.recv_fd).state);
	self->arg.send_fd = -1;
}

TEST_F(anonymous, fork_shares_an_end)
{
	struct op *op = park_text(_metadata, self->arg.send_fd, "from the child");

	EXPECT_EQ(1, info(self->arg.recv_fd).send_ends);
	close(self->arg.send_fd);
	self->arg.send_fd = -1;
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->arg.recv_fd).state);
	EXPECT_TRUE(got(self->arg.recv_fd, "from the child"));
	EXPECT_EQ(14, finish(op));
	EXPECT_TRUE(wait_until(info(self->arg.recv_fd).state == CHAN_STATE_CLOSED));
}

static long pass_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return result(sendmsg(sock, &msg, 0));
}

static int take_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

TEST_F(anonymous, scm_rights_shares_an_end)
{
	int sock[2], passed;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(1, pass_fd(sock[0], self->arg.send_fd));
	close(self->arg.send_fd);
	self->arg.send_fd = -1;
	/* In flight it is an end all the same. */
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->arg.recv_fd).state);
	EXPECT_EQ(1, info(self->arg.recv_fd).send_ends);
	passed = take_fd(sock[1]);
	ASSERT_LE(0, passed);
	EXPECT_EQ(1, info(passed).send_ends);
	EXPECT_EQ(-EAGAIN, put(passed, "x"));
	close(passed);
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->arg.recv_fd).state);
}

TEST_HARNESS_MAIN
