/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of scopes share.
 *
 * Who may do what is decided by the process that does it. So a test keeps
 * processes at hand, each a &struct actor in a group of its choice, and tells
 * them over a socket what to do: a function of the suite and a &struct act, its
 * argument and result. start_actor() makes one with the files of a list and no
 * others, because who has the file of a scope owns it. An actor goes when its
 * socket does, so none outlives its test.
 *
 *	struct actor member = start_actor(_metadata, NEW_GROUP, keep(pair.send));
 *
 *	ASSERT_EQ(0, bind_scope(ctl, member.pid));
 *	EXPECT_EQ(1, put_as(&member, pair.send, "x"));
 */
#ifndef SCOPE_TEST_H
#define SCOPE_TEST_H

#include "select_test.h"

/* For the group of a new actor: one of its own, or that of its parent. */
#define NEW_GROUP	0
#define SAME_GROUP	-1

/* What an answer is from an actor that exited instead. */
#define ACT_GONE	(-2000000L)

#define FOREVER		CHAN_SELECT_FOREVER

/* --- Scopes --- */

static inline int open_scope(struct __test_metadata *_metadata)
{
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, ctl)
		TH_LOG("%s: %s", CONTROL, strerror(errno));
	return ctl;
}

/* Anonymous, with its ends in this process. */
static inline struct pair pair_on(struct __test_metadata *_metadata, int ctl, __u32 capacity)
{
	struct chan_create arg = { .capacity = capacity };

	ASSERT_EQ(0, create(ctl, &arg));
	return (struct pair){ .send = arg.send_fd, .recv = arg.recv_fd };
}

static inline long bind_scope(int ctl, pid_t pgid)
{
	struct chan_scope_bind arg = { .pgid = pgid };

	return do_ioctl(ctl, CHAN_IOC_SCOPE_BIND, &arg);
}

static inline long set_scope(int ctl, __u64 deadline, __u64 grace_ns, __u32 signal, __u32 flags)
{
	struct chan_scope_set arg = {
		.deadline = deadline, .grace_ns = grace_ns, .signal = signal, .flags = flags,
	};

	return do_ioctl(ctl, CHAN_IOC_SCOPE_SET, &arg);
}

static inline long cancel_scope(int ctl, __u32 error)
{
	struct chan_scope_cancel arg = { .error = error };

	return do_ioctl(ctl, CHAN_IOC_SCOPE_CANCEL, &arg);
}

/* The results are in @arg, if it is wanted, whatever the call returns. */
static inline long wait_scope(int ctl, __u64 deadline, struct chan_scope_wait *arg)
{
	struct chan_scope_wait own;

	if (!arg)
		arg = &own;
	*arg = (struct chan_scope_wait){ .deadline = deadline, .cause = 7777, .members = 7777 };
	return do_ioctl(ctl, CHAN_IOC_SCOPE_WAIT, arg);
}

/* Wait for the last member, but not for ever. */
static inline long wait_empty(int ctl)
{
	return wait_scope(ctl, in_ms(DEADLINE_MS), NULL);
}

static inline struct chan_scope_info scope_info(int ctl)
{
	struct chan_scope_info info;

	memset(&info, 0xff, sizeof(info));
	if (ioctl(ctl, CHAN_IOC_SCOPE_INFO, &info))
		fprintf(stderr, "# CHAN_IOC_SCOPE_INFO: %s\n", strerror(errno));
	return info;
}

static inline long adopt(int ctl, int fd)
{
	struct chan_adopt arg = { .fd = fd };

	return do_ioctl(ctl, CHAN_IOC_ADOPT, &arg);
}

static inline short poll_events(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

/* --- What an actor is told --- */

struct act;
typedef long (*act_fn)(struct act *act);

struct act {
	long run;	/* place of the function, the same in every process */
	long ret;	/* what it returned */
	int fd;		/* what it is about; a file that was given */
	int pass;	/* in the answer: a file for the test, or -1 */
	long value;	/* for the function to use, in and out */
	long more;	/* the same */
	size_t len;	/* how much of @data counts */
	char data[400];
};

struct actor {
	pid_t pid;
	int sock;	/* -1: gone, with @status */
	int status;	/* as waitpid() tells; 0 for who is not a child */
};

static inline struct act act_on(int fd)
{
	return (struct act){ .fd = fd, .pass = -1 };
}

static inline struct act act_text(int fd, const char *text)
{
	struct act act = act_on(fd);

	act.len = strlen(text);
	memcpy(act.data, text, act.len);
	return act;
}

/*
 * Also a program that was started anew, wherever it was loaded, has all its
 * functions at the same distance from each other.
 */
static inline long act_nothing(struct act *act)
{
	(void)act;
	return 0;
}

static inline long place_of(act_fn fn)
{
	return (long)((intptr_t)fn - (intptr_t)act_nothing);
}

static inline act_fn function_at(long place)
{
	return (act_fn)((intptr_t)act_nothing + place);
}

/* --- The socket --- */

static inline bool send_act(int sock, struct act *act, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { act, sizeof(*act) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == sizeof(*act);
}

/* A file that comes along goes to @fd. */
static inline bool recv_act(int sock, struct act *act, int *fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { act, sizeof(*act) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t got;

	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*act))
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return true;
}

/* --- In the actor --- */

static inline bool say_hello(int sock)
{
	struct act act = act_on(-1);

	act.value = getpid();
	return send_act(sock, &act, -1);
}

/* The socket of this process, if it is an actor. */
static int served = -1;

static inline void serve(int sock)
{
	struct act act;
	act_fn run;

	served = sock;
	if (!say_hello(sock))
		_exit(1);
	while (recv_act(sock, &act, &act.fd)) {
		act.pass = -1;
		run = function_at(act.run);
		act.ret = run(&act);
		if (!send_act(sock, &act, act.pass))
			break;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	_exit(0);
}

/* The actors of a program that was started anew by act_exec(). */
#define SERVE_VARIABLE	"CHAN_TEST_SERVE"

static void __attribute__((constructor)) serve_after_exec(void)
{
	const char *sock = getenv(SERVE_VARIABLE);

	if (sock)
		serve(atoi(sock));
}

#define keep(...)	((const int[]){ __VA_ARGS__, -1 })
#define keep_none	((const int[]){ -1 })

/* The smallest of @fds from @from on. */
static inline int next_kept(const int *fds, int from)
{
	int best = INT_MAX;

	for (; *fds >= 0; fds++)
		if (*fds >= from && *fds < best)
			best = *fds;
	return best;
}

/* All other files beyond the standard streams are closed. */
static inline void keep_these(const int *fds)
{
	int from = 3, next;

	while ((next = next_kept(fds, from)) != INT_MAX) {
		if (next > from)
			syscall(SYS_close_range, from, next - 1, 0);
		from = next + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
}

#define KEPT_MOST	32

static inline void become_actor(int sock, pid_t group, const int *fds)
{
	int kept[KEPT_MOST + 2], n;

	for (n = 0; n < KEPT_MOST && fds[n] >= 0; n++)
		kept[n] = fds[n];
	kept[n++] = sock;
	kept[n] = -1;
	keep_these(kept);
	if (group != SAME_GROUP && setpgid(0, group))
		_exit(1);
	serve(sock);
}

/* --- From the test --- */

static inline void tell(struct actor *actor, struct act *act, act_fn fn)
{
	act->run = place_of(fn);
	act->ret = OP_STUCK;
	send_act(actor->sock, act, -1);
}

static inline long actor_gone(struct actor *actor)
{
	close(actor->sock);
	actor->sock = -1;
	/* Who is not a child may have been reaped already. */
	if (kill(actor->pid, 0) && errno == ESRCH)
		return ACT_GONE;
	if (!ended(actor->pid, &actor->status))
		return OP_STUCK;
	if (WIFSIGNALED(actor->status))
		return OP_KILLED(WTERMSIG(actor->status));
	return ACT_GONE;
}

/* The result of what it was told last; all else is in @act. */
static inline long answer(struct actor *actor, struct act *act)
{
	struct pollfd pfd = { .fd = actor->sock, .events = POLLIN };
	int passed = -1;

	if (poll(&pfd, 1, DEADLINE_MS) != 1)
		return OP_STUCK;
	if (!recv_act(actor->sock, act, &passed))
		return actor_gone(actor);
	act->pass = passed;
	return act->ret;
}

static inline long ask(struct actor *actor, struct act *act, act_fn fn)
{
	tell(actor, act, fn);
	return answer(actor, act);
}

/* For what needs a file alone. */
static inline long ask_on(struct actor *actor, int fd, act_fn fn)
{
	struct act act = act_on(fd);

	return ask(actor, &act, fn);
}

/* What there is to be told of an operation that was started and waits. */
static inline long finish_as(struct actor *actor)
{
	struct act act;

	return answer(actor, &act);
}

static inline bool has_answered(struct actor *actor)
{
	struct pollfd pfd = { .fd = actor->sock, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* Has it said that it is there? */
static inline bool greeted(struct actor *actor)
{
	struct act act;

	return answer(actor, &act) == 0;
}

/* A child in @group, with the files in @fds and no others. */
static inline struct actor start_actor(struct __test_metadata *_metadata, pid_t group,
				       const int *fds)
{
	struct actor actor = { 0 };
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	actor.sock = sock[0];
	actor.pid = fork_child();
	ASSERT_LE(0, actor.pid);
	if (!actor.pid) {
		close(sock[0]);
		become_actor(sock[1], group, fds);
	}
	close(sock[1]);
	ASSERT_TRUE(greeted(&actor));
	return actor;
}

/* It lets go of everything and exits. True if it did that by itself. */
static inline bool stop_actor(struct actor *actor)
{
	if (actor->sock >= 0)
		actor_gone(actor);
	return WIFEXITED(actor->status) && !WEXITSTATUS(actor->status);
}

static inline void kill_actor(struct actor *actor)
{
	if (actor->sock < 0)
		return;
	kill(actor->pid, SIGKILL);
	actor_gone(actor);
}

/* --- Giving and taking files --- */

static inline long act_keep(struct act *act)
{
	return act->fd;
}

/* Over the socket; the number that @fd has there. */
static inline int give(struct actor *actor, int fd)
{
	struct act act = act_on(-1);

	act.run = place_of(act_keep);
	send_act(actor->sock, &act, fd);
	return answer(actor, &act);
}

static inline long act_pass(struct act *act)
{
	act->pass = act->fd;
	return 0;
}

/* Over the socket; what its file @fd is here. */
static inline int take(struct actor *actor, int fd)
{
	struct act act = act_on(fd);

	ask(actor, &act, act_pass);
	return act.pass;
}

static inline long act_close(struct act *act)
{
	return result(close(act->fd));
}

static inline long close_as(struct actor *actor, int fd)
{
	return ask_on(actor, fd, act_close);
}

/* --- Actors of actors --- */

static inline long act_fork(struct act *act)
{
	pid_t pid = fork_child();

	if (pid) {
		close(act->fd);
		return result(pid);
	}
	become_actor(act->fd, act->value, (int *)act->data);
	return 0;
}

/* A child that @parent makes by @forks, with files by their numbers there. */
static inline struct actor start_by(struct __test_metadata *_metadata, struct actor *parent,
				    act_fn forks, pid_t group, const int *fds)
{
	struct act act = act_on(-1);
	struct actor actor = { 0 };
	int sock[2], n = 0;

	while (fds[n] >= 0)
		n++;
	act.value = group;
	act.run = place_of(forks);
	memcpy(act.data, fds, (n + 1) * sizeof(*fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	ASSERT_TRUE(send_act(parent->sock, &act, sock[1]));
	close(sock[1]);
	actor.sock = sock[0];
	actor.pid = answer(parent, &act);
	ASSERT_LT(0, actor.pid)
		TH_LOG("fork: %s", strerror(-actor.pid));
	ASSERT_TRUE(greeted(&actor));
	return actor;
}

static inline struct actor start_below(struct __test_metadata *_metadata, struct actor *parent,
				       pid_t group, const int *fds)
{
	return start_by(_metadata, parent, act_fork, group, fds);
}

/* --- What actors are often told --- */

static inline long act_put(struct act *act)
{
	return try_write(act->fd, act->data, act->len);
}

static inline long act_get(struct act *act)
{
	return try_read(act->fd, act->data, sizeof(act->data));
}

static inline long act_write(struct act *act)
{
	return do_write(act->fd, act->data, act->len);
}

static inline long act_read(struct act *act)
{
	return do_read(act->fd, act->data, sizeof(act->data));
}

/* Without waiting. */
static inline long put_as(struct actor *actor, int fd, const char *text)
{
	struct act act = act_text(fd, text);

	return ask(actor, &act, act_put);
}

static inline long get_as(struct actor *actor, int fd)
{
	return ask_on(actor, fd, act_get);
}

/* Did it receive @text, without waiting? */
static inline bool got_as(struct actor *actor, int fd, const char *text)
{
	struct act act = act_on(fd);
	long ret = ask(actor, &act, act_get);

	return text_is(act.data, ret, text);
}

/* Waiting; finish_as() tells the result. */
static inline void start_write_as(struct actor *actor, int fd, const char *text)
{
	struct act act = act_text(fd, text);

	tell(actor, &act, act_write);
}

static inline void start_read_as(struct actor *actor, int fd)
{
	struct act act = act_on(fd);

	tell(actor, &act, act_read);
}

static inline bool finish_text_as(struct actor *actor, const char *text)
{
	struct act act;
	long ret = answer(actor, &act);

	return text_is(act.data, ret, text);
}

static inline long act_open_scope(struct act *act)
{
	(void)act;
	return result(open(CONTROL, O_RDWR | O_CLOEXEC));
}

static inline int open_scope_as(struct actor *actor)
{
	return ask_on(actor, -1, act_open_scope);
}

static inline long act_bind(struct act *act)
{
	return bind_scope(act->fd, act->value);
}

static inline long bind_as(struct actor *actor, int ctl, pid_t pgid)
{
	struct act act = act_on(ctl);

	act.value = pgid;
	return ask(actor, &act, act_bind);
}

static inline long act_cancel(struct act *act)
{
	return cancel_scope(act->fd, act->value);
}

static inline long cancel_as(struct actor *actor, int ctl, __u32 error)
{
	struct act act = act_on(ctl);

	act.value = error;
	return ask(actor, &act, act_cancel);
}

static inline long act_set(struct act *act)
{
	return do_ioctl(act->fd, CHAN_IOC_SCOPE_SET, act->data);
}

static inline long set_as(struct actor *actor, int ctl, __u64 deadline, __u64 grace_ns,
			  __u32 signal, __u32 flags)
{
	struct act act = act_on(ctl);
	struct chan_scope_set arg = {
		.deadline = deadline, .grace_ns = grace_ns, .signal = signal, .flags = flags,
	};

	memcpy(act.data, &arg, sizeof(arg));
	return ask(actor, &act, act_set);
}

/* Its answer has the cause in @value and the members in @more. */
static inline long act_wait(struct act *act)
{
	struct chan_scope_wait arg;
	__u64 deadline;
	long ret;

	memcpy(&deadline, act->data, sizeof(deadline));
	ret = wait_scope(act->fd, deadline, &arg);
	act->value = arg.cause;
	act->more = arg.members;
	return ret;
}

static inline struct act act_wait_until(int ctl, __u64 deadline)
{
	struct act act = act_on(ctl);

	memcpy(act.data, &deadline, sizeof(deadline));
	return act;
}

static inline long wait_as(struct actor *actor, int ctl, __u64 deadline)
{
	struct act act = act_wait_until(ctl, deadline);

	return ask(actor, &act, act_wait);
}

static inline void start_wait_as(struct actor *actor, int ctl)
{
	struct act act = act_wait_until(ctl, FOREVER);

	tell(actor, &act, act_wait);
}

static inline long act_create(struct act *act)
{
	struct chan_create arg = { .capacity = act->value };
	long ret = create(act->fd, &arg);

	act->value = arg.send_fd;
	act->more = arg.recv_fd;
	return ret;
}

/* The numbers are those of the actor. */
static inline long create_as(struct actor *actor, int ctl, __u32 capacity, struct pair *pair)
{
	struct act act = act_on(ctl);
	long ret;

	act.value = capacity;
	ret = ask(actor, &act, act_create);
	*pair = (struct pair){ .send = act.value, .recv = act.more };
	return ret;
}

static inline long act_info(struct act *act)
{
	struct chan_scope_info now = scope_info(act->fd);

	memcpy(act->data, &now, sizeof(now));
	return 0;
}

static inline struct chan_scope_info info_as(struct actor *actor, int ctl)
{
	struct chan_scope_info now;
	struct act act = act_on(ctl);

	ask(actor, &act, act_info);
	memcpy(&now, act.data, sizeof(now));
	return now;
}

static inline long act_setpgid(struct act *act)
{
	return result(setpgid(0, act->value));
}

/* NEW_GROUP, or one that exists. */
static inline long setpgid_as(struct actor *actor, pid_t group)
{
	struct act act = act_on(-1);

	act.value = group;
	return ask(actor, &act, act_setpgid);
}

static inline long act_setsid(struct act *act)
{
	(void)act;
	return result(setsid());
}

static inline long setsid_as(struct actor *actor)
{
	return ask_on(actor, -1, act_setsid);
}

static inline void act_note_signal(int sig)
{
	(void)sig;
}

static inline long act_handle(struct act *act)
{
	struct sigaction action = { .sa_handler = act_note_signal };

	action.sa_flags = act->more;
	if (act->fd == 1)
		action.sa_handler = SIG_IGN;
	return result(sigaction(act->value, &action, NULL));
}

/* From now on @signal is handled, by nothing; @flags: SA_RESTART or 0. */
static inline long handle_as(struct actor *actor, int signal, int flags)
{
	struct act act = act_on(0);

	act.value = signal;
	act.more = flags;
	return ask(actor, &act, act_handle);
}

static inline long ignore_as(struct actor *actor, int signal)
{
	struct act act = act_on(1);

	act.value = signal;
	return ask(actor, &act, act_handle);
}

/* The kernel forgets then that it is to go with its parent. */
static inline long act_become(struct act *act)
{
	if (!become(act->value))
		return -EPERM;
	return result(prctl(PR_SET_PDEATHSIG, SIGKILL));
}

static inline long become_as(struct actor *actor, uid_t uid)
{
	struct act act = act_on(-1);

	act.value = uid;
	return ask(actor, &act, act_become);
}

/* Start the program @data, another copy of this one, in place of this one. */
static inline long act_exec(struct act *act)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", served);
	fcntl(served, F_SETFD, 0);
	setenv(SERVE_VARIABLE, number, 1);
	execl(act->data, act->data, NULL);
	return -errno;
}

/* Files that are not close-on-exec go along. */
static inline bool exec_as(struct actor *actor, const char *path)
{
	struct act act = act_text(-1, path);

	tell(actor, &act, act_exec);
	return greeted(actor);
}

/* --- Where a process is --- */

/* The system call that it is asleep in, and not on its way to; else -1. */
static inline long call_of(pid_t pid)
{
	char path[64], line[32] = "";
	long nr = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file) && line[0] != 'r')
		nr = atol(line);
	fclose(file);
	return state_of(pid) == 'S' ? nr : -1;
}

static inline bool wait_asleep_in(struct actor *actor, long nr)
{
	return wait_until(call_of(actor->pid) == nr);
}

#endif /* SCOPE_TEST_H */
