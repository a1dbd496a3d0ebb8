// SPDX-License-Identifier: GPL-2.0-only
/*
 * A million messages among processes that are killed, signalled, stopped and
 * given bad memory, over channels that end under their hands: is every single
 * message either delivered once or reported to its sender as not delivered? In
 * which order, and when, is what the oracle asks of fewer messages.
 *
 *	stress				all of it
 *	stress --self-test		only: does the audit notice doctored books?
 *
 *	CHAN_STRESS_MESSAGES=N		how many are to be delivered
 *	CHAN_STRESS_SEED=N		make the same choices as a run before
 *
 * Several troupes work side by side. A troupe is a leader, which is never
 * killed, and its workers. It makes a channel, has its workers send and receive
 * on it, disturbs them, ends the channel in the midst of that, and closes the
 * books: see stress_log.h. Then comes the next channel.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress_log.h"
#include "stress_test.h"

#define TROUPES			6
#define MAX_WORKERS		6
#define MAX_THREADS		3
#define MESSAGES		1000000
/* Real-time kernels are slower, and instrumented ones by far. */
#define MESSAGES_RT		300000
#define MESSAGES_DEBUG		10000
#define ROOM			(CHAN_DEFAULT_MAX_MSG + 64)

enum ending {
	END_CLOSE,
	END_ERROR,
	END_SENDERS_GONE,
	END_RECEIVERS_GONE,
	END_REMOVE,
	ENDINGS
};

static const char * const ending_names[] = {
	[END_CLOSE] = "closed",
	[END_ERROR] = "closed with an error",
	[END_SENDERS_GONE] = "by the last send end",
	[END_RECEIVERS_GONE] = "by the last receive end",
	[END_REMOVE] = "by removal of the device",
};

/* Things that must have happened, or the test was none. */
enum event {
	GOT_EAGAIN,
	GOT_EINTR,
	GOT_EFAULT,
	GOT_EMSGSIZE,
	GOT_END,
	EVENTS
};

static const char * const event_names[] = {
	[GOT_EAGAIN] = "would have waited",
	[GOT_EINTR] = "interrupted",
	[GOT_EFAULT] = "bad memory",
	[GOT_EMSGSIZE] = "too long",
	[GOT_END] = "ended",
};

struct shared {
	atomic_ullong delivered;
	atomic_bool abort;
	atomic_ullong events[EVENTS];
	struct {
		struct tally tally;
		__u64 lives;
		__u64 endings[ENDINGS];
		char scene[160];
		struct life life;
	} troupe[TROUPES];
};

struct worker {
	pid_t pid;
	__u32 first_task;
	int threads;
	bool sends;
	bool receives;
	bool nonblock;
	bool stopped;
	bool killed;
};

/* One channel as its troupe sees it; the workers have a copy by fork(). */
struct stage {
	struct life *life;
	__u64 seed;
	enum ending ending;
	bool named;
	char name[CHAN_NAME_SIZE];
	char path[64];
	int send_fd;
	int recv_fd;
	int workers;
	struct worker worker[MAX_WORKERS];
};

/* One thread at work. */
struct actor {
	struct stage *stage;
	struct life *life;
	struct task *task;
	bool sends;
	int fd;
	__u64 random;
	__u8 *memory;
	__u8 *bad_memory;
};

static struct shared *shared;
static __u64 wanted;

/* --- Small things --- */

static bool one_in(__u64 *state, __u32 n)
{
	return draw_from(state, n) == 0;
}

static long now_ms(void)
{
	return now_ns() / MS;
}

static void on_signal(int signo)
{
	(void)signo;
}

static void catch(int signo, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(signo, &action, NULL);
}

static void saw(enum event event)
{
	shared->events[event]++;
}

static void *map(size_t size, int prot, int flags)
{
	void *memory = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		ksft_exit_fail_msg("no memory: %s\n", strerror(errno));
	return memory;
}

/* --- Sending --- */

/* Mostly small, with a liking for the places where the module changes ways. */
static __u32 choose_size(struct actor *me)
{
	__u64 *random = &me->random;

	switch (draw_from(random, 256)) {
	case 0 ... 123:
		return 2 + draw_from(random, 62);
	case 124 ... 187:
		return 250 + draw_from(random, 13);
	case 188 ... 227:
		return 4090 + draw_from(random, 13);
	case 228 ... 251:
		return 2 + draw_from(random, 8192);
	default:
		if (one_in(random, 4))
			return CHAN_DEFAULT_MAX_MSG - draw_from(random, 2);
		return 2 + draw_from(random, CHAN_DEFAULT_MAX_MSG - 1);
	}
}

/* The name of a new message, or -1 if the book is full. */
static int new_message(struct actor *me, __u32 *size)
{
	__u32 name;

	if (one_in(&me->random, 16)) {
		name = me->life->next_tiny++;
		*size = 1;
		if (name < TINY_MESSAGES)
			return name;
	}
	name = me->life->next++;
	*size = choose_size(me);
	return name < MAX_MESSAGES ? (int)name : -1;
}

/*
 * Cut @size bytes at @buf into up to three pieces; on request the last one is
 * memory that cannot be accessed.
 */
static int cut(struct actor *me, struct iovec *iov, __u8 *buf, __u32 size,
	       bool spoil)
{
	__u32 first = draw_from(&me->random, size + 1), second = 0;

	if (!spoil && one_in(&me->random, 2)) {
		iov[0] = (struct iovec){ buf, size };
		return 1;
	}
	if (first == size && spoil)
		first--;
	if (!spoil)
		second = draw_from(&me->random, size - first + 1);
	iov[0] = (struct iovec){ buf, first };
	iov[1] = (struct iovec){ buf + first, second };
	iov[2] = (struct iovec){ spoil ? me->bad_memory : buf + first + second,
				 size - first - second };
	return 3;
}

static __u8 *place(struct actor *me)
{
	return me->memory + draw_from(&me->random, 64);
}

/* 0 or a negative error number. */
static int offer(struct actor *me, __u32 size, __u32 name)
{
	bool spoil = one_in(&me->random, 64);
	__u8 *buf = place(me);
	struct iovec iov[3];
	ssize_t ret;
	int pieces;

	compose(buf, name, size);
	pieces = cut(me, iov, buf, size, spoil);
	me->life->note[name].fate = OFFERED;
	ret = writev(me->fd, iov, pieces);
	ret = ret < 0 ? -errno : ret;
	me->life->note[name].fate = ret < 0 ? REFUSED : SENT;
	if (ret == -EFAULT && spoil)
		saw(GOT_EFAULT);
	else if (ret == -EFAULT || (ret >= 0 && (spoil || ret != size)))
		trouble(me->life, "send of %u bytes%s: %zd", size,
			spoil ? " in bad memory" : "", ret);
	return ret < 0 ? ret : 0;
}

static void wait_ready(struct actor *me, short events)
{
	struct pollfd pfd = { .fd = me->fd, .events = events };

	/* A poller is nobody's partner: two of them must not wait for long. */
	poll(&pfd, 1, 2);
}

/* True if it was an error that work goes on after. */
static bool carry_on(struct actor *me, int error, short events)
{
	switch (error) {
	case 0:
	case -EFAULT:
		return true;
	case -EINTR:
		saw(GOT_EINTR);
		return true;
	case -EAGAIN:
		saw(GOT_EAGAIN);
		wait_ready(me, events);
		return true;
	case -EMSGSIZE:
		saw(GOT_EMSGSIZE);
		return true;
	}
	return false;
}

static void send_messages(struct actor *me)
{
	__u32 size, end = me->stage->ending == END_REMOVE ? ENODEV : EPIPE;
	bool too_long;
	int name, error;

	while (!me->life->stop_senders) {
		name = new_message(me, &size);
		if (name < 0)
			return;
		too_long = size > 1 && one_in(&me->random, 256);
		if (too_long)
			size = CHAN_DEFAULT_MAX_MSG + 1;
		me->life->note[name].size = size;
		error = offer(me, size, name);
		if ((error == -EMSGSIZE) != too_long &&
		    error != -EPIPE && error != -ENODEV && error != -EFAULT)
			trouble(me->life, "send of %u bytes: %d", size, error);
		if (carry_on(me, error, POLLOUT))
			continue;
		if (error != -(int)end || !me->life->ended)
			trouble(me->life, "a sender got %d", error);
		saw(GOT_END);
		return;
	}
}

/* --- Receiving --- */

/* The length of a message, 0 at the end, or a negative error number. */
static int take(struct actor *me)
{
	bool spoil = one_in(&me->random, 32);
	__u32 room = CHAN_DEFAULT_MAX_MSG;
	__u8 *buf = place(me);
	struct iovec iov[3];
	int pieces;
	ssize_t ret;

	if (one_in(&me->random, 32))
		room = 1 + draw_from(&me->random, 512);
	pieces = cut(me, iov, buf, room, spoil);
	me->task->receiving = true;
	ret = readv(me->fd, iov, pieces);
	ret = ret < 0 ? -errno : ret;
	if (ret > 0)
		enter_delivery(me->life, buf, ret);
	me->task->receiving = false;
	if (ret > 0)
		shared->delivered++;
	if (ret == -EFAULT && !spoil)
		trouble(me->life, "receive into good memory: %zd", ret);
	if (ret == -EMSGSIZE && room == CHAN_DEFAULT_MAX_MSG)
		trouble(me->life, "receive with room for all: %zd", ret);
	if (ret == -EFAULT)
		saw(GOT_EFAULT);
	return ret;
}

static void receive_messages(struct actor *me)
{
	int ret;

	while (!me->life->stop_receivers) {
		ret = take(me);
		if (ret > 0 || (ret && carry_on(me, ret, POLLIN)))
			continue;
		if (ret != -(int)me->life->end_cause || !me->life->ended)
			trouble(me->life, "a receiver got %d", ret);
		saw(GOT_END);
		return;
	}
}

/* --- Workers --- */

static void init_actor(struct actor *me, struct stage *stage, __u32 number)
{
	memset(me, 0, sizeof(*me));
	me->stage = stage;
	me->life = stage->life;
	me->task = &stage->life->task[number];
	me->random = mix(stage->seed + number);
	me->memory = map(ROOM + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	me->bad_memory = map(ROOM, PROT_NONE, MAP_PRIVATE);
}

static void *act(void *arg)
{
	struct actor *me = arg;

	if (me->sends)
		send_messages(me);
	else
		receive_messages(me);
	return NULL;
}

/* False if the channel's device has gone already. */
static bool open_named(struct stage *stage, struct worker *worker)
{
	int flags = O_CLOEXEC | (worker->nonblock ? O_NONBLOCK : 0);

	close(stage->send_fd);
	close(stage->recv_fd);
	if (worker->sends && worker->receives)
		flags |= O_RDWR;
	else
		flags |= worker->sends ? O_WRONLY : O_RDONLY;
	stage->send_fd = open(stage->path, flags);
	stage->recv_fd = stage->send_fd;
	if (stage->send_fd < 0 && !(stage->ending == END_REMOVE && stage->life->ended))
		trouble(stage->life, "%s: %s", stage->path, strerror(errno));
	return stage->send_fd >= 0;
}

/* Ends that a worker holds without using them would keep the channel open. */
static bool take_ends(struct stage *stage, struct worker *worker)
{
	if (stage->named)
		return open_named(stage, worker);
	if (!worker->sends)
		close(stage->send_fd);
	if (!worker->receives)
		close(stage->recv_fd);
	return true;
}

static void work(struct stage *stage, struct worker *worker)
{
	static struct actor actors[MAX_THREADS];
	pthread_t threads[MAX_THREADS];
	struct actor *me;
	sigset_t signals;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (worker->first_task % 2)
		catch(SIGUSR1, SA_RESTART);
	if (!take_ends(stage, worker))
		_exit(0);
	for (int i = 0; i < worker->threads; i++) {
		me = &actors[i];
		init_actor(me, stage, worker->first_task + i);
		me->sends = worker->sends && (!worker->receives || i % 2 == 0);
		me->fd = me->sends ? stage->send_fd : stage->recv_fd;
		if (pthread_create(&threads[i], NULL, act, me)) {
			trouble(stage->life, "no thread");
			_exit(1);
		}
	}
	/* Signals are for those at work. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	for (int i = 0; i < worker->threads; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void spawn(struct stage *stage, struct worker *worker)
{
	worker->first_task = stage->life->tasks;
	stage->life->tasks += worker->threads;
	worker->killed = false;
	worker->pid = fork();
	if (!worker->pid)
		work(stage, worker);
	if (worker->pid < 0)
		trouble(stage->life, "fork: %s", strerror(errno));
}

static bool may_spawn(const struct stage *stage)
{
	/* The whole cast may come back, and the leader needs one itself. */
	return stage->life->tasks + MAX_WORKERS * MAX_THREADS < MAX_TASKS;
}

/* Collect those that have gone. How many are there still? */
static int collect(struct stage *stage)
{
	int status, alive = 0;

	for (int i = 0; i < stage->workers; i++) {
		struct worker *worker = &stage->worker[i];

		if (worker->pid <= 0)
			continue;
		if (waitpid(worker->pid, &status, WNOHANG) == 0) {
			alive++;
			continue;
		}
		worker->pid = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			for (int t = 0; t < worker->threads; t++)
				stage->life->task[worker->first_task + t].killed = true;
		else if (status)
			trouble(stage->life, "a worker ended with status %#x", status);
	}
	return alive;
}

/* Is one still there that was killed? */
static bool await_killed(struct stage *stage)
{
	bool there = false;

	collect(stage);
	for (int i = 0; i < stage->workers; i++)
		there |= stage->worker[i].killed && stage->worker[i].pid > 0;
	return there;
}

static void signal_all(struct stage *stage, int signo, bool senders, bool receivers)
{
	for (int i = 0; i < stage->workers; i++) {
		struct worker *worker = &stage->worker[i];

		if (worker->pid > 0 && ((senders && worker->sends) ||
					(receivers && worker->receives)))
			kill(worker->pid, signo);
	}
}

/* --- Channels --- */

static int control(unsigned long request, void *arg)
{
	int fd = open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, request, arg))
		error = -errno;
	close(fd);
	return error;
}

static int make_anonymous(struct stage *stage)
{
	struct chan_create arg = { .capacity = stage->life->capacity };
	int error = control(CHAN_IOC_CREATE, &arg);

	stage->send_fd = arg.send_fd;
	stage->recv_fd = arg.recv_fd;
	return error;
}

static int set_hangup(struct stage *stage)
{
	char path[96];
	int fd, error;

	snprintf(path, sizeof(path), "/sys/class/chan/chan-%s/hangup", stage->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return error;
}

static int make_named(struct stage *stage)
{
	struct chan_dev_add arg = {
		.mode = 0600,
		.capacity = stage->life->capacity,
	};
	int error;

	memcpy(arg.name, stage->name, sizeof(arg.name));
	error = control(CHAN_IOC_DEV_ADD, &arg);
	if (error)
		return error;
	if (stage->ending == END_SENDERS_GONE || stage->ending == END_RECEIVERS_GONE) {
		error = set_hangup(stage);
		if (error)
			return error;
	}
	stage->send_fd = open(stage->path, O_WRONLY | O_CLOEXEC);
	stage->recv_fd = open(stage->path, O_RDONLY | O_CLOEXEC);
	return stage->send_fd < 0 || stage->recv_fd < 0 ? -errno : 0;
}

static int remove_named(struct stage *stage)
{
	struct chan_dev_remove arg = {};

	memcpy(arg.name, stage->name, sizeof(arg.name));
	return control(CHAN_IOC_DEV_REMOVE, &arg);
}

/* --- A life --- */

static void expect_end(struct stage *stage, __u64 *random)
{
	/* None that a receiver gets for other reasons too. */
	static const __u32 causes[] = { EPERM, EIO, EPIPE, ECANCELED, CHAN_MAX_ERROR };
	struct life *life = stage->life;

	switch (stage->ending) {
	case END_ERROR:
		life->end_state = CHAN_STATE_FAILED;
		life->end_cause = causes[draw_from(random, ARRAY_SIZE(causes))];
		break;
	case END_RECEIVERS_GONE:
		life->end_state = CHAN_STATE_BROKEN;
		break;
	case END_REMOVE:
		life->end_state = CHAN_STATE_REMOVED;
		life->end_cause = ENODEV;
		break;
	default:
		life->end_state = CHAN_STATE_CLOSED;
	}
}

static void plan(struct stage *stage, int troupe, __u64 *random)
{
	static const __u32 capacities[] = { 0, 0, 0, 0, 1, 3, 64, 1024 };

	stage->seed = mix(*random);
	/* By turns, so that even a short run meets all of them. */
	stage->ending = (troupe + shared->troupe[troupe].lives) % ENDINGS;
	stage->named = stage->ending == END_REMOVE || one_in(random, 2);
	stage->life->capacity = capacities[draw_from(random, ARRAY_SIZE(capacities))];
	snprintf(stage->name, sizeof(stage->name), "stress-%d-%d", getppid(), troupe);
	snprintf(stage->path, sizeof(stage->path), "/dev/chan-%s", stage->name);
	expect_end(stage, random);
}

/*
 * The first two workers, one for each direction, are there to wait: where
 * all others only poll, nobody would ever meet.
 */
static void cast(struct stage *stage, __u64 *random)
{
	bool by_going = stage->ending == END_SENDERS_GONE ||
			stage->ending == END_RECEIVERS_GONE;
	int threads = 0;

	stage->workers = 2 + draw_from(random, MAX_WORKERS - 1);
	for (int i = 0; i < stage->workers; i++) {
		struct worker *worker = &stage->worker[i];
		__u32 role = draw_from(random, by_going ? 2 : 3);

		if (i < 2)
			role = i;
		worker->threads = 1 + draw_from(random, MAX_THREADS);
		worker->sends = role != 1;
		worker->receives = role != 0;
		worker->nonblock = stage->named && i >= 2 && one_in(random, 2);
		threads += worker->receives ? worker->threads : 0;
	}
	stage->life->may_put_back = threads;
}

static void kill_worker(struct worker *worker)
{
	if (worker->pid <= 0)
		return;
	kill(worker->pid, SIGKILL);
	worker->killed = true;
}

/* For a moment all calls on a file shared by all are non-blocking. */
static void toggle_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	pause_us(500);
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Whoever was killed or stopped by the last disturbance is back for the next. */
static void restore_cast(struct stage *stage)
{
	for (int i = 0; i < stage->workers; i++) {
		struct worker *worker = &stage->worker[i];

		if (worker->stopped && worker->pid > 0)
			kill(worker->pid, SIGCONT);
		worker->stopped = false;
		if (worker->pid <= 0)
			spawn(stage, worker);
	}
}

static void disturb(struct stage *stage, __u64 *random)
{
	struct worker *worker = &stage->worker[draw_from(random, stage->workers)];
	__u32 what = draw_from(random, 16);

	if (worker->pid <= 0)
		return;
	if (what < 10) {
		kill(worker->pid, SIGUSR1);
	} else if (what < 12) {
		if (may_spawn(stage))
			kill_worker(worker);
	} else if (what < 13) {
		kill(worker->pid, SIGSTOP);
		worker->stopped = true;
	} else if (!stage->named) {
		toggle_nonblock(what == 15 ? stage->send_fd : stage->recv_fd);
	}
}

static void report_stall(struct stage *stage, const char *when)
{
	struct chan_info info = {};

	ioctl(stage->send_fd >= 0 ? stage->send_fd : stage->recv_fd, CHAN_IOC_INFO,
	      &info);
	trouble(stage->life,
		"stalled %s: state %u, %u buffered of %u, %u+%u parked, %u+%u ends, %ju sent, %ju received",
		when, info.state, info.buffered, info.capacity, info.parked_senders,
		info.parked_receivers, info.send_ends, info.recv_ends,
		(uintmax_t)info.sent, (uintmax_t)info.received);
}

/*
 * Some messages between two disturbances, however slow this machine may be; but
 * do not wait for long, for it may be the disturbed that all others wait for.
 */
static void let_them_work(const struct stage *stage, __u64 *random)
{
	__u32 goal = stage->life->delivered + draw_from(random, 200);
	long until = now_ms() + 300;

	do {
		pause_us(draw_from(random, 4000));
	} while (stage->life->delivered < goal && now_ms() < until);
}

static void live(struct stage *stage, __u64 *random)
{
	/* Many lives in a short run too. */
	__u32 most = wanted < 160000 ? wanted / 20 + 1 : 8000;
	__u32 quota = 100 + draw_from(random, most), last = 0;
	struct life *life = stage->life;
	long moved = now_ms();

	while (life->delivered < quota && life->next < MAX_MESSAGES / 2 &&
	       shared->delivered < wanted && !life->troubles && !shared->abort) {
		disturb(stage, random);
		let_them_work(stage, random);
		collect(stage);
		restore_cast(stage);
		if (life->delivered != last) {
			last = life->delivered;
			moved = now_ms();
		} else if (now_ms() > moved + STALL_MS) {
			report_stall(stage, "at work");
		}
	}
}

static void end_by_ioctl(struct stage *stage)
{
	struct chan_close arg = { .error = stage->life->end_cause };

	if (ioctl(stage->send_fd, CHAN_IOC_CLOSE, &arg))
		trouble(stage->life, "close: %s", strerror(errno));
}

static void end_by_removal(struct stage *stage)
{
	int error = remove_named(stage);

	if (error)
		trouble(stage->life, "remove: %d", error);
}

/* One side goes, and the leader's end with it. */
static void end_by_going(struct stage *stage, bool senders)
{
	struct life *life = stage->life;
	int *fd = senders ? &stage->send_fd : &stage->recv_fd;

	if (senders)
		life->stop_senders = true;
	else
		life->stop_receivers = true;
	close(*fd);
	*fd = -1;
}

/*
 * Perhaps the receivers are killed right before, or the senders where the
 * channel ends by their going. What receivers had in hand is then in line again.
 */
static void end(struct stage *stage, __u64 *random)
{
	bool senders = stage->ending == END_SENDERS_GONE;

	/* One that was killed a moment ago may not have gone yet. */
	while (await_killed(stage))
		pause_us(1000);
	restore_cast(stage);
	stage->life->ended = true;
	if (one_in(random, 2))
		signal_all(stage, SIGKILL, senders, !senders);
	switch (stage->ending) {
	case END_CLOSE:
	case END_ERROR:
		end_by_ioctl(stage);
		break;
	case END_REMOVE:
		end_by_removal(stage);
		break;
	default:
		end_by_going(stage, senders);
	}
}

/*
 * Those that wait notice the end. Receivers asked to stop may sleep, and a
 * signal only wakes them if it does not come just before they fall asleep.
 */
static void see_off(struct stage *stage, __u64 *random)
{
	bool by_going = stage->send_fd < 0 || stage->recv_fd < 0;
	long until = now_ms() + STALL_MS;

	while (collect(stage)) {
		if (stage->life->stop_receivers)
			signal_all(stage, SIGUSR2, false, true);
		else if (!by_going && one_in(random, 16))
			kill_worker(&stage->worker[draw_from(random, stage->workers)]);
		pause_us(1000);
		if (now_ms() < until)
			continue;
		report_stall(stage, "at the end");
		signal_all(stage, SIGKILL, true, true);
		until = now_ms() + STALL_MS;
	}
}

/* Whatever the receivers have left, all others being gone. */
static void drain(struct stage *stage)
{
	static struct actor me;

	if (stage->recv_fd < 0)
		return;
	init_actor(&me, stage, stage->life->tasks++);
	me.fd = stage->recv_fd;
	fcntl(me.fd, F_SETFL, 0);
	receive_messages(&me);
	munmap(me.memory, ROOM + 64);
	munmap(me.bad_memory, ROOM);
}

static void close_book(struct stage *stage, struct tally *tally)
{
	int fd = stage->send_fd >= 0 ? stage->send_fd : stage->recv_fd;
	struct chan_info info = {};

	if (ioctl(fd, CHAN_IOC_INFO, &info))
		trouble(stage->life, "info: %s", strerror(errno));
	audit(stage->life, &info, tally);
}

static void strike(struct stage *stage)
{
	if (stage->send_fd >= 0)
		close(stage->send_fd);
	if (stage->recv_fd >= 0)
		close(stage->recv_fd);
	if (stage->named && !(stage->ending == END_REMOVE))
		end_by_removal(stage);
}

static void describe(const struct stage *stage, char *text, size_t size)
{
	int at = snprintf(text, size, "%s channel, capacity %u, ended %s;",
			  stage->named ? "named" : "anonymous", stage->life->capacity,
			  ending_names[stage->ending]);

	for (int i = 0; i < stage->workers; i++)
		at += snprintf(text + at, size - at, " %s%s%s%d",
			       stage->worker[i].sends ? "s" : "",
			       stage->worker[i].receives ? "r" : "",
			       stage->worker[i].nonblock ? "n" : "",
			       stage->worker[i].threads);
}

/* One channel from beginning to end. False if something was wrong. */
static bool play(int number, __u64 seed)
{
	struct stage stage = { .life = &shared->troupe[number].life };
	__u64 random = seed;
	int error;

	open_book(stage.life);
	plan(&stage, number, &random);
	cast(&stage, &random);
	error = stage.named ? make_named(&stage) : make_anonymous(&stage);
	if (error) {
		trouble(stage.life, "making the channel: %s", strerror(-error));
	} else {
		for (int i = 0; i < stage.workers; i++)
			spawn(&stage, &stage.worker[i]);
		live(&stage, &random);
		end(&stage, &random);
		see_off(&stage, &random);
		drain(&stage);
		close_book(&stage, &shared->troupe[number].tally);
		strike(&stage);
	}
	shared->troupe[number].lives++;
	shared->troupe[number].endings[stage.ending]++;
	if (!stage.life->troubles)
		return true;
	describe(&stage, shared->troupe[number].scene, sizeof(shared->troupe[number].scene));
	return false;
}

static void lead_troupe(int number, __u64 seed)
{
	__u64 random = mix(seed + number);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Before there are workers: one may be signalled as soon as it lives. */
	catch(SIGUSR1, 0);
	catch(SIGUSR2, 0);
	while (shared->delivered < wanted && !shared->abort) {
		random = mix(random);
		if (!play(number, random))
			shared->abort = true;
	}
	_exit(0);
}

/* --- Does the audit notice? --- */

/* An honest book: ten messages sent and delivered, one refused, none lost. */
static void write_book(struct life *life, struct chan_info *info)
{
	__u8 buf[64];

	open_book(life);
	life->end_state = CHAN_STATE_CLOSED;
	life->tasks = 2;
	for (__u32 i = 0; i < 10; i++) {
		struct note *note = &life->note[TINY_MESSAGES + i];

		*note = (struct note){ .fate = SENT, .size = 40 };
		compose(buf, TINY_MESSAGES + i, 40);
		enter_delivery(life, buf, 40);
	}
	life->note[0] = (struct note){ .fate = REFUSED, .size = 1 };
	*info = (struct chan_info){
		.state = CHAN_STATE_CLOSED, .sent = 10, .received = 10,
	};
}

enum doctoring {
	NOTHING,
	HONEST_KILLS,
	TWICE,
	REFUSED_YET_DELIVERED,
	LOST,
	LOST_BEYOND_KILLS,
	VANISHED_INSIDE,
	NO_FATE,
	GARBLED,
	CUT_SHORT,
	NEVER_OFFERED,
	LEFT_OVER,
	WRONG_END,
	DOCTORINGS
};

static const char * const doctoring_names[] = {
	[NOTHING] = "accepts an honest book",
	[HONEST_KILLS] = "accepts what kills leave open",
	[TWICE] = "notices a message delivered twice",
	[REFUSED_YET_DELIVERED] = "notices a message refused and delivered",
	[LOST] = "notices a lost message",
	[LOST_BEYOND_KILLS] = "notices a lost message beside one that a kill explains",
	[VANISHED_INSIDE] = "notices a message that the kernel has lost",
	[NO_FATE] = "notices a message without a fate",
	[GARBLED] = "notices a garbled message",
	[CUT_SHORT] = "notices a message cut short",
	[NEVER_OFFERED] = "notices a message from nowhere",
	[LEFT_OVER] = "notices what was left in the channel",
	[WRONG_END] = "notices a wrong end",
};

static void doctor(struct life *life, struct chan_info *info, enum doctoring how)
{
	struct note *note = &life->note[TINY_MESSAGES];
	__u8 buf[64];

	compose(buf, TINY_MESSAGES, 40);
	switch (how) {
	case TWICE:
		note->delivered++;
		break;
	case REFUSED_YET_DELIVERED:
		note->fate = REFUSED;
		info->sent--;
		break;
	case LOST:
		note->delivered = 0;
		info->received--;
		break;
	case HONEST_KILLS:
	case LOST_BEYOND_KILLS:
		/* The sender of the last and the receiver of the first. */
		note[9].fate = OFFERED;
		note->delivered = 0;
		life->task[0].killed = true;
		life->task[1].killed = true;
		life->task[1].receiving = true;
		note[1].delivered = how == HONEST_KILLS;
		break;
	case VANISHED_INSIDE:
		note->fate = OFFERED;
		note->delivered = 0;
		life->task[0].killed = true;
		info->received--;
		break;
	case NO_FATE:
		note->fate = OFFERED;
		break;
	case GARBLED:
		buf[17] ^= 4;
		enter_delivery(life, buf, 40);
		break;
	case CUT_SHORT:
		enter_delivery(life, buf, 39);
		break;
	case NEVER_OFFERED:
		compose(buf, TINY_MESSAGES + 10, 40);
		enter_delivery(life, buf, 40);
		break;
	case LEFT_OVER:
		info->buffered = 1;
		break;
	case WRONG_END:
		info->state = CHAN_STATE_FAILED;
		break;
	default:
		break;
	}
}

static void test_audit(void)
{
	struct life *life = &shared->troupe[0].life;
	struct tally tally = {};
	struct chan_info info;

	for (enum doctoring how = NOTHING; how < DOCTORINGS; how++) {
		write_book(life, &info);
		doctor(life, &info, how);
		audit(life, &info, &tally);
		if (life->troubles)
			ksft_print_msg("the audit says: %s\n", life->trouble[0]);
		ksft_test_result(!life->troubles == (how <= HONEST_KILLS),
				 "the audit %s\n", doctoring_names[how]);
	}
}

/* --- The whole --- */

static __u64 default_messages(void)
{
	if (!access("/proc/lockdep_stats", F_OK))
		return MESSAGES_DEBUG;
	if (!access("/sys/kernel/realtime", F_OK))
		return MESSAGES_RT;
	return MESSAGES;
}

static void watch_troupes(void)
{
	long next = now_ms() + 10000;

	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		pause_us(50000);
		if (now_ms() < next)
			continue;
		next += 10000;
		ksft_print_msg("%ju of %ju messages\n", (uintmax_t)shared->delivered,
			       (uintmax_t)wanted);
	}
}

static void report_kinds(void)
{
	__u64 count;

	for (int i = 0; i < ENDINGS; i++) {
		count = 0;
		for (int t = 0; t < TROUPES; t++)
			count += shared->troupe[t].endings[i];
		ksft_test_result(count, "channels ended %s: %ju\n", ending_names[i],
				 (uintmax_t)count);
	}
	for (int i = 0; i < EVENTS; i++)
		ksft_test_result(shared->events[i], "calls met '%s': %ju\n",
				 event_names[i], (uintmax_t)shared->events[i]);
}

static bool report_trouble(int troupe)
{
	const struct life *life = &shared->troupe[troupe].life;

	if (!life->troubles)
		return false;
	ksft_print_msg("troupe %d: %s\n", troupe, shared->troupe[troupe].scene);
	for (unsigned int i = 0; i < life->troubles && i < MAX_TROUBLES; i++)
		ksft_print_msg("  %s\n", life->trouble[i]);
	return true;
}

static void report(long took)
{
	struct tally sum = {};
	__u64 lives = 0;
	bool good = true;

	for (int t = 0; t < TROUPES; t++) {
		const struct tally *one = &shared->troupe[t].tally;

		lives += shared->troupe[t].lives;
		sum.sent += one->sent;
		sum.refused += one->refused;
		sum.delivered += one->delivered;
		sum.unknown_sent += one->unknown_sent;
		sum.unknown_received += one->unknown_received;
		sum.dropped += one->dropped;
		sum.killed += one->killed;
		good &= !report_trouble(t);
	}
	ksft_print_msg("%ju channels, %ju threads killed, %ld s\n", (uintmax_t)lives,
		       (uintmax_t)sum.killed, took / 1000);
	ksft_print_msg("sent: %ju by word of the sender, %ju in calls that a kill cut off\n",
		       (uintmax_t)sum.sent, (uintmax_t)sum.unknown_sent);
	ksft_print_msg("received: %ju by word of the receiver, %ju in calls that a kill cut off\n",
		       (uintmax_t)sum.delivered, (uintmax_t)sum.unknown_received);
	ksft_print_msg("dropped with the last receive end: %ju\n", (uintmax_t)sum.dropped);
	ksft_test_result(good && sum.delivered >= wanted && sum.killed &&
			 sum.sent + sum.unknown_sent == sum.delivered +
			 sum.unknown_received + sum.dropped,
			 "every message accounted for: %ju delivered once, %ju refused\n",
			 (uintmax_t)sum.delivered, (uintmax_t)sum.refused);
}

static void test_channels(void)
{
	__u64 seed = number_from("CHAN_STRESS_SEED", time(NULL));
	long began = now_ms();

	wanted = number_from("CHAN_STRESS_MESSAGES", default_messages());
	ksft_print_msg("CHAN_STRESS_MESSAGES=%ju CHAN_STRESS_SEED=%ju\n",
		       (uintmax_t)wanted, (uintmax_t)seed);
	for (int t = 0; t < TROUPES; t++) {
		pid_t pid = fork();

		if (!pid)
			lead_troupe(t, mix(seed));
		if (pid < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	}
	watch_troupes();
	report(now_ms() - began);
	report_kinds();
}

int main(int argc, char **argv)
{
	bool self_test = argc > 1 && !strcmp(argv[1], "--self-test");

	ksft_print_header();
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = map(sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED);
	ksft_set_plan(DOCTORINGS + (self_test ? 0 : 1 + ENDINGS + EVENTS));
	test_audit();
	if (!self_test)
		test_channels();
	ksft_finished();
}
