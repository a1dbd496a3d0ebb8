// SPDX-License-Identifier: GPL-2.0-only
/*
 * For observe.sh: make each tracepoint of the module fire, and write down which
 * events that has to give, one a line, as
 *
 *	PID EVENT FIELD=VALUE FIELD=VALUE...
 *
 *	observed FILE NAME	the lines go to FILE; /dev/chan-NAME is there, with
 *				room for one message, and is removed
 *
 * The events come in this order and no other: all processes share one CPU, where
 * who is woken never takes the place of who woke it, and who is to wait is asleep
 * before the next goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/chan.h>

#define DEADLINE_S	60
#define MESSAGE		"a message"

struct pair {
	int send;
	int recv;
	unsigned long long id;
};

typedef long (*part_fn)(const struct pair *pair);

static FILE *expected;

static void die(const char *what)
{
	fprintf(stderr, "observed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long must(long ret, const char *what)
{
	if (ret < 0)
		die(what);
	return ret;
}

/* @ret as of a system call: it has to end like this. */
static void ends_with(long ret, long wanted, const char *what)
{
	if (ret < 0)
		ret = -errno;
	if (ret == wanted)
		return;
	fprintf(stderr, "observed: %s: %ld instead of %ld\n", what, ret, wanted);
	exit(1);
}

/* expect(pid, "EVENT FIELD=%d ...", ...): without the chan_ that all begin with. */
#define expect(pid, ...)						\
({									\
	fprintf(expected, "%d chan_", pid);				\
	fprintf(expected, __VA_ARGS__);					\
	fputc('\n', expected);						\
})

/* --- Channels --- */

static int open_scope(void)
{
	return must(open("/dev/chanctl", O_RDWR | O_CLOEXEC), "/dev/chanctl");
}

static struct chan_info info_of(const struct pair *pair)
{
	struct chan_info info = { 0 };

	must(ioctl(pair->recv, CHAN_IOC_INFO, &info), "CHAN_IOC_INFO");
	return info;
}

static struct pair pair_on(int ctl, unsigned int capacity)
{
	struct chan_create arg = { .capacity = capacity };
	struct pair pair;

	must(ioctl(ctl, CHAN_IOC_CREATE, &arg), "CHAN_IOC_CREATE");
	pair = (struct pair){ .send = arg.send_fd, .recv = arg.recv_fd };
	pair.id = info_of(&pair).id;
	return pair;
}

static struct pair make_pair(unsigned int capacity)
{
	int ctl = open_scope();
	struct pair pair = pair_on(ctl, capacity);

	close(ctl);
	return pair;
}

static void end_channel(const struct pair *pair, unsigned int error)
{
	struct chan_close arg = { .error = error };

	must(ioctl(pair->send, CHAN_IOC_CLOSE, &arg), "CHAN_IOC_CLOSE");
}

static void dont_wait(const struct pair *pair)
{
	must(fcntl(pair->send, F_SETFL, O_NONBLOCK), "F_SETFL");
	must(fcntl(pair->recv, F_SETFL, O_NONBLOCK), "F_SETFL");
}

static long send_bytes(const struct pair *pair, size_t len)
{
	return write(pair->send, MESSAGE, len);
}

static long recv_bytes(const struct pair *pair, size_t room)
{
	char data[64];

	return read(pair->recv, data, room);
}

/* --- Others, who wait --- */

static pid_t fork_child(void)
{
	pid_t pid = must(fork(), "fork");

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t start(part_fn part, const struct pair *pair)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(part(pair) < 0 ? errno : 0);
	return pid;
}

/* Who is counted as parked may not be asleep yet. */
static bool asleep(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		die(path);
	fclose(file);
	return state == 'S';
}

static void await_parked(const struct pair *pair, pid_t pid)
{
	struct timespec nap = { .tv_nsec = 2000000 };
	time_t end = time(NULL) + DEADLINE_S;
	struct chan_info info;

	do {
		if (time(NULL) > end) {
			errno = ETIMEDOUT;
			die("nobody has parked");
		}
		nanosleep(&nap, NULL);
		info = info_of(pair);
	} while (info.parked_senders + info.parked_receivers != 1 || !asleep(pid));
}

static pid_t start_parked(part_fn part, const struct pair *pair)
{
	pid_t pid = start(part, pair);

	await_parked(pair, pid);
	return pid;
}

/* Wait for @pid to end, with @error. */
static void finish(pid_t pid, int error)
{
	int status;

	must(waitpid(pid, &status, 0), "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != error) {
		fprintf(stderr, "observed: a child has ended with %#x\n", status);
		exit(1);
	}
}

/* --- What happens --- */

static long part_recv(const struct pair *pair)
{
	return recv_bytes(pair, 64);
}

static long part_send(const struct pair *pair)
{
	return send_bytes(pair, 7);
}

static void two_meet(void)
{
	struct pair pair = make_pair(0);
	pid_t me = getpid(), other;

	other = start_parked(part_recv, &pair);
	ends_with(send_bytes(&pair, 5), 5, "to a receiver");
	finish(other, 0);
	expect(other, "park id=%llu send=0", pair.id);
	expect(me, "wake id=%llu pid=%d", pair.id, other);
	expect(me, "send id=%llu len=5 ret=0", pair.id);
	expect(other, "recv id=%llu len=64 ret=5", pair.id);

	other = start_parked(part_send, &pair);
	ends_with(recv_bytes(&pair, 32), 7, "from a sender");
	finish(other, 0);
	expect(other, "park id=%llu send=1", pair.id);
	expect(me, "wake id=%llu pid=%d", pair.id, other);
	expect(me, "recv id=%llu len=32 ret=7", pair.id);
	expect(other, "send id=%llu len=7 ret=0", pair.id);

	/* When the last of its receivers goes, it is broken. */
	close(pair.recv);
	expect(me, "close id=%llu state=%u cause=0", pair.id, CHAN_STATE_BROKEN);
	ends_with(send_bytes(&pair, 1), -EPIPE, "to nobody");
	expect(me, "send id=%llu len=1 ret=%d", pair.id, -EPIPE);
	close(pair.send);
}

static void a_buffer_is_drained(void)
{
	struct pair pair = make_pair(1);
	pid_t me = getpid();

	dont_wait(&pair);
	ends_with(send_bytes(&pair, 3), 3, "into the buffer");
	expect(me, "send id=%llu len=3 ret=0", pair.id);
	ends_with(send_bytes(&pair, 4), -EAGAIN, "into a full buffer");
	expect(me, "send id=%llu len=4 ret=%d", pair.id, -EAGAIN);
	ends_with(recv_bytes(&pair, 2), -EMSGSIZE, "too little room");
	expect(me, "recv id=%llu len=2 ret=%d", pair.id, -EMSGSIZE);
	end_channel(&pair, EIO);
	expect(me, "close id=%llu state=%u cause=%u", pair.id, CHAN_STATE_FAILED, EIO);
	ends_with(recv_bytes(&pair, 8), 3, "from the buffer");
	expect(me, "recv id=%llu len=8 ret=3", pair.id);
	ends_with(recv_bytes(&pair, 8), -EIO, "the reason");
	expect(me, "recv id=%llu len=8 ret=%d", pair.id, -EIO);
	close(pair.send);
	close(pair.recv);
}

/* The last sender closes it, and that is the end of file. */
static void it_closes(void)
{
	struct pair pair = make_pair(0);
	pid_t me = getpid();

	dont_wait(&pair);
	ends_with(recv_bytes(&pair, 16), -EAGAIN, "nobody is there");
	expect(me, "recv id=%llu len=16 ret=%d", pair.id, -EAGAIN);
	close(pair.send);
	expect(me, "close id=%llu state=%u cause=0", pair.id, CHAN_STATE_CLOSED);
	ends_with(recv_bytes(&pair, 16), 0, "the end of file");
	expect(me, "recv id=%llu len=16 ret=0", pair.id);
	close(pair.recv);
}

/* --- Select --- */

static struct chan_case recv_case(int fd, char *room)
{
	return (struct chan_case){
		.fd = fd, .op = CHAN_RECV, .buf = (uintptr_t)room, .len = 48,
	};
}

/* The index of the case that happened. */
static long do_select(struct chan_case *cases, unsigned int n, unsigned long long deadline)
{
	struct chan_select arg = {
		.cases = (uintptr_t)cases, .ncases = n, .case_size = sizeof(*cases),
		.deadline = deadline,
	};
	long ret = ioctl(cases[0].fd, CHAN_IOC_SELECT, &arg);

	return ret ? ret : arg.index;
}

static long part_select(const struct pair *pair)
{
	char room[2][48];
	struct chan_case cases[] = {
		recv_case(pair[0].recv, room[0]), recv_case(pair[1].recv, room[1]),
	};

	/* The second, or it fails. */
	return do_select(cases, 2, CHAN_SELECT_FOREVER) - 1;
}

static void a_select_waits(void)
{
	struct pair pair[] = { make_pair(0), make_pair(0) };
	pid_t me = getpid(), other;

	other = start_parked(part_select, pair);
	ends_with(send_bytes(&pair[1], 6), 6, "to a select");
	finish(other, 0);
	expect(other, "park id=%llu send=0", pair[0].id);
	expect(other, "park id=%llu send=0", pair[1].id);
	expect(me, "wake id=%llu pid=%d", pair[1].id, other);
	expect(me, "send id=%llu len=6 ret=0", pair[1].id);
	expect(other, "recv id=%llu len=48 ret=6", pair[1].id);
	expect(other, "select ncases=2 index=1 ret=0");
	end_channel(&pair[0], 0);
	end_channel(&pair[1], 0);
	expect(me, "close id=%llu state=%u cause=0", pair[0].id, CHAN_STATE_CLOSED);
	expect(me, "close id=%llu state=%u cause=0", pair[1].id, CHAN_STATE_CLOSED);
}

static void a_select_gives_up(void)
{
	struct pair pair = make_pair(0);
	char room[48];
	struct chan_case cases[] = { recv_case(pair.recv, room), { .fd = -1 } };
	pid_t me = getpid();

	ends_with(do_select(cases, 2, 0), -EAGAIN, "a select that does not wait");
	expect(me, "select ncases=2 index=-1 ret=%d", -EAGAIN);
	ends_with(do_select(cases, 1, 1), -ETIMEDOUT, "a receive that is too late");
	expect(me, "park id=%llu send=0", pair.id);
	expect(me, "recv id=%llu len=48 ret=%d", pair.id, -ETIMEDOUT);
	expect(me, "select ncases=1 index=-1 ret=%d", -ETIMEDOUT);
	end_channel(&pair, 0);
	expect(me, "close id=%llu state=%u cause=0", pair.id, CHAN_STATE_CLOSED);
}

/* --- Scopes --- */

/* A process group of its own, which goes on when it is told to. */
static pid_t start_member(int ctl, const struct pair *pair)
{
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		close(ctl);
		setpgid(0, 0);
		raise(SIGSTOP);
		_exit(part_recv(pair) < 0 ? errno : 0);
	}
	must(waitpid(pid, &status, WUNTRACED), "waitpid");
	return pid;
}

static void a_scope_is_cancelled(void)
{
	int ctl = open_scope();
	struct pair pair = pair_on(ctl, 0);
	struct chan_scope_cancel cancel = { .error = ECONNRESET };
	struct chan_scope_bind bind = { 0 };
	struct chan_scope_info scope = { 0 };
	pid_t me = getpid(), member = start_member(ctl, &pair);

	bind.pgid = member;
	must(ioctl(ctl, CHAN_IOC_SCOPE_BIND, &bind), "CHAN_IOC_SCOPE_BIND");
	must(ioctl(ctl, CHAN_IOC_SCOPE_INFO, &scope), "CHAN_IOC_SCOPE_INFO");
	expect(me, "scope_bind id=%llu parent=%llu pgid=%d", scope.id, scope.parent, member);
	kill(member, SIGCONT);
	await_parked(&pair, member);
	expect(member, "park id=%llu send=0", pair.id);
	must(ioctl(ctl, CHAN_IOC_SCOPE_CANCEL, &cancel), "CHAN_IOC_SCOPE_CANCEL");
	expect(me, "scope_cancel id=%llu cause=%u", scope.id, ECONNRESET);
	expect(me, "close id=%llu state=%u cause=%u", pair.id, CHAN_STATE_CANCELED, ECANCELED);
	finish(member, ECANCELED);
	expect(member, "recv id=%llu len=64 ret=%d", pair.id, -ECANCELED);
	close(pair.send);
	close(pair.recv);
	close(ctl);
	expect(me, "scope_end id=%llu", scope.id);
}

/* --- A device --- */

static void a_device_is_removed(const char *name)
{
	struct chan_dev_remove arg = { 0 };
	struct pair pair;
	pid_t me = getpid();
	char path[64];

	snprintf(path, sizeof(path), "/dev/chan-%s", name);
	snprintf(arg.name, sizeof(arg.name), "%s", name);
	pair.send = must(open(path, O_RDWR), path);
	pair.recv = pair.send;
	pair.id = info_of(&pair).id;
	ends_with(send_bytes(&pair, 9), 9, path);
	expect(me, "send id=%llu len=9 ret=0", pair.id);
	ends_with(recv_bytes(&pair, 10), 9, path);
	expect(me, "recv id=%llu len=10 ret=9", pair.id);
	must(ioctl(open_scope(), CHAN_IOC_DEV_REMOVE, &arg), "CHAN_IOC_DEV_REMOVE");
	expect(me, "close id=%llu state=%u cause=%u", pair.id, CHAN_STATE_REMOVED, ENODEV);
	close(pair.send);
}

static void share_one_cpu(void)
{
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(must(sched_getcpu(), "sched_getcpu"), &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
	must(sched_setscheduler(0, SCHED_FIFO, &param), "sched_setscheduler");
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: observed FILE NAME\n", stderr);
		return 2;
	}
	expected = fopen(argv[1], "w");
	if (!expected)
		die(argv[1]);
	/* Or a child would have, and write, what its parent has not written yet. */
	setlinebuf(expected);
	share_one_cpu();

	two_meet();
	a_buffer_is_drained();
	it_closes();
	a_select_waits();
	a_select_gives_up();
	a_scope_is_cancelled();
	a_device_is_removed(argv[2]);
	return 0;
}
