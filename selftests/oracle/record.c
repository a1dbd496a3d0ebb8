// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recording what tasks do on channels.
 *
 * DOC: A life
 *
 * A leader makes some channels and has workers send, receive and select on them.
 * It disturbs them by signals and kills, after a while ends the channels one by
 * one or cancels their scope, and goes on until all have noticed. Then it drains
 * what is left, and asks for the totals.
 *
 * Each worker writes its operations to a log of its own in shared memory, which
 * stays when it is killed. An entry is there before the call, and completed after
 * it; so a worker that is killed leaves one that is not, at most.
 *
 * The memory of messages is shared and present from the beginning: a receiver
 * whose page is missing gives the message back for a moment, which would explain
 * too much.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/chan.h>

#include "kselftest.h"
#include "record.h"
#include "../stress_test.h"

#define MAX_TASKS	96
/* The last one is kept for who closes beside the leader. */
#define MAX_WORKING	(MAX_TASKS - 1)
#define LOG_SIZE	4096
#define MAX_WORKERS	8
/* Times that a worker wants to be told of the end before it goes. */
#define ENOUGH_ENDS	6
#define LIFE_MS		600
#define SHORT_MESSAGE	8
/* Long enough to be borrowed from its sender, and to need two pages. */
#define LONG_MESSAGE	6000
#define ROOM		8192
#define US		1000ULL

const char * const event_names[NR_EVENTS] = {
	[EVENT_AGAIN] = "would have waited",
	[EVENT_LATE] = "past their deadline",
	[EVENT_SIGNAL] = "interrupted",
	[EVENT_FAULT] = "bad memory",
	[EVENT_TOO_LONG] = "too little room",
	[EVENT_KILLED] = "killed",
	[EVENT_CLOSED] = "closed",
	[EVENT_FAILED] = "closed with an error",
	[EVENT_CANCELED] = "cancelled",
	[EVENT_SELECT_SENT] = "sent by a select",
	[EVENT_SELECT_RECEIVED] = "received by a select",
};

/* What one task did. */
struct task_log {
	atomic_uint used;
	struct operation op[LOG_SIZE];
};

struct shared {
	atomic_bool over;
	struct task_log log[MAX_TASKS];
};

struct worker {
	pid_t pid;
	__u32 task;
	bool sends;
};

/* One task at work. */
struct actor {
	const struct life *life;
	struct task_log *log;
	__u32 task;
	__u32 home;		/* the channel where it mostly is */
	bool sends;
	__u64 random;
	__u32 values;
	__u32 ends;
	__u8 *message[HISTORY_CASES];
	__u8 *room;
	__u8 *bad_room;
};

struct life {
	const struct mix *mix;
	int ctl;
	struct {
		int send;
		int recv;
	} end[HISTORY_CHANNELS];
	__u64 seed;
	__u64 random;
	__u32 tasks;
	struct worker worker[MAX_WORKERS];
	__u32 workers;
	struct actor leader;
};

static struct shared *shared;

/* --- Small things --- */

static bool one_in(__u64 *state, __u32 n)
{
	return n && draw_from(state, n) == 0;
}

static long now_ms(void)
{
	return now_ns() / MS;
}

static void *map_present(size_t size)
{
	return memset(map_shared(size), 0, size);
}

static void on_signal(int signo)
{
	(void)signo;
}

static void catch(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
}

/* --- The log --- */

/* What is to be done is in the entry; it is there when @used says so. */
static void begin(struct task_log *log, struct operation *op)
{
	op->fate = RUNNING;
	op->begin = now_ns();
	atomic_store_explicit(&log->used, log->used + 1, memory_order_release);
}

/* The result is in the entry. Who is killed before has told nothing. */
static void complete(struct operation *op)
{
	atomic_signal_fence(memory_order_seq_cst);
	op->fate = RETURNED;
}

/* Right after a call of which @error is all that came. */
static void end(struct operation *op, int error)
{
	op->end = now_ns();
	op->error = error;
	complete(op);
}

static struct operation *next_entry(struct task_log *log, __u32 task)
{
	struct operation *op = &log->op[log->used];

	memset(op, 0, sizeof(*op));
	op->task = task;
	return op;
}

static bool log_is_full(const struct task_log *log)
{
	return log->used == LOG_SIZE;
}

/* --- Messages --- */

static __u32 new_value(struct actor *me)
{
	return (me->task + 1) << 16 | me->values++;
}

/* Returns its length. */
static __u32 compose(struct actor *me, __u8 *buf, __u32 value)
{
	__u32 len = one_in(&me->random, me->life->mix->long_messages) ? LONG_MESSAGE :
			SHORT_MESSAGE;
	__u32 at;

	for (at = 0; at < len; at += sizeof(value))
		memcpy(buf + at, &value, sizeof(value));
	return len;
}

/* 0, which nobody sends, if it is none. */
static __u32 value_of(const __u8 *buf, long len)
{
	__u32 value, word;
	long at;

	if (len != SHORT_MESSAGE && len != LONG_MESSAGE)
		return 0;
	memcpy(&value, buf, sizeof(value));
	for (at = 0; at < len; at += sizeof(word)) {
		memcpy(&word, buf + at, sizeof(word));
		if (word != value)
			return 0;
	}
	return value;
}

/* --- One operation --- */

static struct history_case new_case(struct actor *me, bool send, __u32 channel)
{
	return (struct history_case){
		.op = send ? CASE_SEND : CASE_RECV,
		.channel = channel,
		.value = send ? new_value(me) : 0,
	};
}

/* Any channel, but of those who cannot choose each is mostly in one place. */
static struct history_case draw_case(struct actor *me, bool send, bool select)
{
	__u32 channel = draw_from(&me->random, me->life->mix->channels);

	if (!select && !one_in(&me->random, 8))
		channel = me->home;
	return new_case(me, send, channel);
}

static void set_result(struct operation *op, long ret, __u32 value)
{
	switch (-ret) {
	case EAGAIN:
	case EINTR:
	case EFAULT:
	case ENOMEM:
		op->error = -ret;
		return;
	}
	op->status = ret < 0 ? -ret : !ret ? EPIPE : 0;
	op->value = ret > 0 ? value : 0;
}

static void do_write(struct actor *me, struct operation *op)
{
	const struct history_case *one = &op->cases[0];
	struct iovec iov = { .iov_base = me->message[0] };
	long ret;

	iov.iov_len = compose(me, me->message[0], one->value);
	begin(me->log, op);
	ret = pwritev2(me->life->end[one->channel].send, &iov, 1, -1,
		       op->deadline ? 0 : RWF_NOWAIT);
	ret = ret < 0 ? -errno : ret;
	op->end = now_ns();
	set_result(op, ret, 0);
	complete(op);
}

/* Where to, how much room: sometimes it ends in bad memory, or is too little. */
static struct iovec draw_room(struct actor *me)
{
	const struct mix *mix = me->life->mix;

	if (one_in(&me->random, mix->faults))
		return (struct iovec){ me->bad_room, ROOM };
	if (one_in(&me->random, mix->short_rooms))
		return (struct iovec){ me->room, SHORT_MESSAGE / 2 };
	return (struct iovec){ me->room, ROOM };
}

static void do_read(struct actor *me, struct operation *op)
{
	const struct history_case *one = &op->cases[0];
	struct iovec iov = draw_room(me);
	long ret;

	begin(me->log, op);
	ret = preadv2(me->life->end[one->channel].recv, &iov, 1, -1,
		      op->deadline ? 0 : RWF_NOWAIT);
	ret = ret < 0 ? -errno : ret;
	op->end = now_ns();
	set_result(op, ret, value_of(iov.iov_base, ret));
	complete(op);
}

static struct chan_case fill_case(struct actor *me, const struct history_case *one,
				  __u8 *message, struct iovec *room)
{
	struct chan_case c = { .fd = -1 };

	if (one->op == CASE_SEND) {
		c.op = CHAN_SEND;
		c.fd = me->life->end[one->channel].send;
		c.buf = (uintptr_t)message;
		c.len = compose(me, message, one->value);
	} else if (one->op == CASE_RECV) {
		c.op = CHAN_RECV;
		c.fd = me->life->end[one->channel].recv;
		c.buf = (uintptr_t)room->iov_base;
		c.len = room->iov_len;
	}
	return c;
}

static void do_select(struct actor *me, struct operation *op)
{
	struct iovec room = draw_room(me);
	struct chan_case cases[HISTORY_CASES];
	struct chan_select arg = {
		.cases = (uintptr_t)cases,
		.ncases = op->ncases,
		.case_size = sizeof(cases[0]),
		.deadline = op->deadline,
	};
	const struct chan_case *chosen;
	__u32 i;

	if (op->ordered)
		arg.flags = CHAN_SELECT_PRIORITY;
	for (i = 0; i < op->ncases; i++)
		cases[i] = fill_case(me, &op->cases[i], me->message[i], &room);
	begin(me->log, op);
	op->error = ioctl(me->life->end[0].send, CHAN_IOC_SELECT, &arg) ? errno : 0;
	op->end = now_ns();
	if (!op->error) {
		op->chosen = arg.index;
		chosen = &cases[arg.index % HISTORY_CASES];
		op->status = -chosen->status;
		if (chosen->op == CHAN_RECV && !op->status)
			op->value = value_of(room.iov_base, chosen->len);
	}
	complete(op);
}

static __u64 draw_deadline(struct actor *me, bool select)
{
	const struct mix *mix = me->life->mix;

	if (one_in(&me->random, mix->nowait))
		return 0;
	if (select && one_in(&me->random, mix->deadlines))
		return now_ns() - 20 * US + draw_from(&me->random, 2000) * US;
	return NEVER;
}

static void draw_cases(struct actor *me, struct operation *op)
{
	__u32 i;

	op->ncases = 1 + draw_from(&me->random, HISTORY_CASES);
	for (i = 0; i < op->ncases; i++) {
		/* A select of disabled cases alone sleeps for ever. */
		if (i && one_in(&me->random, 16))
			continue;
		op->cases[i] = draw_case(me, me->sends != one_in(&me->random, 3), true);
	}
}

/* --- Workers --- */

/* True of what tells that a channel has ended. */
static bool told_the_end(const struct operation *op)
{
	return op_happened(op) && op->status && op->status != EMSGSIZE;
}

static void transfer(struct actor *me, struct operation *op, struct history_case one)
{
	op->ncases = 1;
	op->cases[0] = one;
	if (one.op == CASE_SEND) {
		op->kind = DID_WRITE;
		do_write(me, op);
	} else {
		op->kind = DID_READ;
		do_read(me, op);
	}
}

static void act_once(struct actor *me)
{
	const struct mix *mix = me->life->mix;
	struct operation *op = next_entry(me->log, me->task);
	bool select = one_in(&me->random, mix->selects);

	op->deadline = draw_deadline(me, select);
	if (select) {
		op->kind = DID_SELECT;
		op->ordered = one_in(&me->random, mix->ordered);
		draw_cases(me, op);
		do_select(me, op);
	} else {
		transfer(me, op, draw_case(me, me->sends, false));
	}
	me->ends += told_the_end(op);
	/* Who would have waited lets others have the processor. */
	if (op->error == EAGAIN && one_in(&me->random, 2))
		sched_yield();
}

static void init_actor(struct actor *me, const struct life *life, __u32 task, bool sends)
{
	int i;

	memset(me, 0, sizeof(*me));
	me->life = life;
	me->log = &shared->log[task];
	me->task = task;
	me->sends = sends;
	me->random = mix(life->seed + task);
	for (i = 0; i < HISTORY_CASES; i++)
		me->message[i] = map_present(ROOM);
	me->room = map_present(ROOM);
	me->bad_room = map_present(ROOM);
	mprotect(me->bad_room + ROOM / 2, ROOM / 2, PROT_NONE);
}

static void work(const struct life *life, const struct worker *worker)
{
	struct actor me;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	catch(worker->task % 2 ? SA_RESTART : 0);
	init_actor(&me, life, worker->task, worker->sends);
	me.home = (worker - life->worker) / 2 % life->mix->channels;
	while (!(shared->over && me.ends >= ENOUGH_ENDS) && !log_is_full(me.log))
		act_once(&me);
	_exit(0);
}

static void free_actor(struct actor *me)
{
	int i;

	for (i = 0; i < HISTORY_CASES; i++)
		munmap(me->message[i], ROOM);
	munmap(me->room, ROOM);
	munmap(me->bad_room, ROOM);
}

static void spawn(struct life *life, struct worker *worker)
{
	worker->task = life->tasks++;
	worker->pid = fork();
	if (!worker->pid)
		work(life, worker);
	if (worker->pid < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
}

/* --- Logs of those that have gone --- */

/* What it had begun is open for ever; @fate tells why. */
static void close_log(__u32 task, enum history_fate fate)
{
	struct task_log *log = &shared->log[task];
	struct operation *last = log->used ? &log->op[log->used - 1] : NULL;

	if (!last || last->fate != RUNNING)
		return;
	last->end = now_ns();
	last->fate = fate;
}

/* Collect those that have gone. How many are there still? */
static int collect(struct life *life)
{
	int status, alive = 0;
	__u32 i;

	for (i = 0; i < life->workers; i++) {
		struct worker *worker = &life->worker[i];

		if (worker->pid <= 0)
			continue;
		if (waitpid(worker->pid, &status, WNOHANG) == 0) {
			alive++;
			continue;
		}
		worker->pid = 0;
		close_log(worker->task, KILLED);
	}
	return alive;
}

/* --- The leader --- */

static void make_channels(struct life *life)
{
	struct chan_create arg;
	__u32 i;

	life->ctl = open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	for (i = 0; i < life->mix->channels; i++) {
		arg = (struct chan_create){ .capacity = life->mix->capacity[i] };
		if (ioctl(life->ctl, CHAN_IOC_CREATE, &arg))
			ksft_exit_fail_msg("no channel: %s\n", strerror(errno));
		life->end[i].send = arg.send_fd;
		life->end[i].recv = arg.recv_fd;
	}
}

static void drop_channels(struct life *life)
{
	__u32 i;

	for (i = 0; i < life->mix->channels; i++) {
		close(life->end[i].send);
		close(life->end[i].recv);
	}
	close(life->ctl);
}

static void disturb(struct life *life)
{
	struct worker *worker = &life->worker[draw_from(&life->random, life->workers)];
	__u32 i;

	for (i = 0; i < life->workers; i++)
		if (life->worker[i].pid > 0 && one_in(&life->random, life->mix->signals))
			kill(life->worker[i].pid, SIGUSR1);
	if (worker->pid <= 0)
		return;
	if (life->tasks == MAX_WORKING || !one_in(&life->random, life->mix->kills) ||
	    (life->mix->spare_receivers && !worker->sends))
		return;
	kill(worker->pid, SIGKILL);
	waitpid(worker->pid, NULL, 0);
	close_log(worker->task, KILLED);
	spawn(life, worker);
}

static void try_transfer(struct life *life, bool send, __u32 channel)
{
	struct actor *me = &life->leader;

	transfer(me, next_entry(me->log, 0), new_case(me, send, channel));
}

static void ask_counts(struct life *life, __u32 channel)
{
	struct task_log *log = life->leader.log;
	struct operation *op = next_entry(log, 0);
	struct chan_info info = {};
	int error;

	op->kind = DID_INFO;
	op->ncases = 4;
	begin(log, op);
	error = ioctl(life->end[channel].send, CHAN_IOC_INFO, &info) ? errno : 0;
	op->cases[0] = (struct history_case){ CASE_SEND, channel, info.sent };
	op->cases[1] = (struct history_case){ CASE_RECV, channel, info.received };
	op->cases[2] = (struct history_case){ CASE_SEND, channel, info.parked_senders };
	op->cases[3] = (struct history_case){ CASE_RECV, channel, info.parked_receivers };
	end(op, error);
}

/* All may wait where nobody is: the leader lends a hand. */
static void help_out(struct life *life)
{
	bool first = draw_from(&life->random, 2);
	__u32 i;

	for (i = 0; i < life->mix->channels; i++) {
		if (life->leader.log->used >= LOG_SIZE / 2)
			return;
		ask_counts(life, i);
		try_transfer(life, first, i);
		try_transfer(life, !first, i);
	}
}

static __u32 count_operations(const struct life *life)
{
	__u32 i, sum = 0;

	for (i = 0; i < life->tasks; i++)
		sum += shared->log[i].used;
	return sum;
}

static void live(struct life *life)
{
	__u32 quota = 200 + draw_from(&life->random, one_in(&life->random, 4) ? 20000 : 4000);
	long until = now_ms() + LIFE_MS;
	__u32 count = 0, before;

	while (count < quota && now_ms() < until && collect(life) == life->workers) {
		pause_us(draw_from(&life->random, 1000));
		disturb(life);
		before = count;
		count = count_operations(life);
		if (count == before)
			help_out(life);
	}
}

/* The leader and, at the same time, somebody else: the first cause stands. */
static void close_channel(const struct life *life, struct task_log *log, __u32 task,
			  __u32 channel, __u32 error)
{
	struct operation *op = next_entry(log, task);
	struct chan_close arg = { .error = error };

	op->kind = DID_CLOSE;
	op->deadline = NEVER;
	op->ncases = 1;
	op->cases[0] = (struct history_case){ CASE_SEND, channel, error };
	begin(log, op);
	end(op, ioctl(life->end[channel].send, CHAN_IOC_CLOSE, &arg) ? errno : 0);
}

static void close_channels(const struct life *life, struct task_log *log, __u32 task,
			   __u64 random)
{
	static const __u32 causes[] = { 0, EIO, EPROTO, ENOLINK };
	__u32 i;

	for (i = 0; i < life->mix->channels; i++)
		close_channel(life, log, task, i, causes[draw_from(&random, ARRAY_SIZE(causes))]);
}

static void close_all(struct life *life)
{
	__u32 task = life->tasks++;
	pid_t rival = fork();

	if (!rival) {
		close_channels(life, &shared->log[task], task, mix(life->seed + task));
		_exit(0);
	}
	if (draw_from(&life->random, 2))
		pause_us(draw_from(&life->random, 300));
	close_channels(life, life->leader.log, 0, life->random);
	waitpid(rival, NULL, 0);
}

static void cancel_all(struct life *life)
{
	struct task_log *log = life->leader.log;
	struct operation *op = next_entry(log, 0);
	struct chan_scope_cancel arg = { .error = 0 };

	op->kind = DID_CANCEL;
	op->deadline = NEVER;
	for (op->ncases = 0; op->ncases < life->mix->channels; op->ncases++)
		op->cases[op->ncases] = (struct history_case){ CASE_RECV, op->ncases, 0 };
	begin(log, op);
	end(op, ioctl(life->ctl, CHAN_IOC_SCOPE_CANCEL, &arg) ? errno : 0);
}

/* All notice the end; who does not in time is stuck. */
static void see_off(struct life *life)
{
	long until = now_ms() + STALL_MS;
	__u32 i;

	while (collect(life) && now_ms() < until)
		pause_us(500);
	for (i = 0; i < life->workers; i++) {
		if (life->worker[i].pid <= 0)
			continue;
		close_log(life->worker[i].task, RUNNING);
		kill(life->worker[i].pid, SIGKILL);
		waitpid(life->worker[i].pid, NULL, 0);
	}
}

static void drain(struct life *life)
{
	struct actor *me = &life->leader;
	struct operation *op;
	__u32 i;

	for (i = 0; i < life->mix->channels; i++) {
		do {
			if (log_is_full(me->log))
				return;
			op = next_entry(me->log, 0);
			op->deadline = NEVER;
			transfer(me, op, new_case(me, false, i));
		} while (!told_the_end(op));
	}
}

static bool is_calm(const struct mix *mix)
{
	return !mix->signals && !mix->kills && !mix->faults &&
	       !(mix->deadlines && mix->long_messages);
}

static void write_down(const struct life *life, struct history *h)
{
	const struct task_log *log;
	__u32 i, k;

	h->channels = life->mix->channels;
	h->calm = is_calm(life->mix);
	memcpy(h->capacity, life->mix->capacity, sizeof(h->capacity));
	for (i = 0; i < life->tasks; i++) {
		log = &shared->log[i];
		for (k = 0; k < log->used; k++)
			*history_add(h) = log->op[k];
	}
}

static void begin_life(struct life *life, const struct mix *wanted, __u64 seed)
{
	__u32 i;

	memset(life, 0, sizeof(*life));
	life->mix = wanted;
	life->seed = seed;
	life->random = mix(seed);
	life->tasks = 1;
	for (i = 0; i < MAX_TASKS; i++)
		shared->log[i].used = 0;
	shared->over = false;
	init_actor(&life->leader, life, 0, false);
	make_channels(life);
	life->workers = 2 + draw_from(&life->random, MAX_WORKERS - 1);
	for (i = 0; i < life->workers; i++) {
		life->worker[i].sends = i % 2 == 0;
		spawn(life, &life->worker[i]);
	}
}

/**
 * record_life - from the making of some channels to their end
 * @mix: what the tasks like to do
 * @seed: of all choices
 * @cancel: it ends by a cancel, not by closes
 * @h: the history, empty at first
 */
void record_life(const struct mix *mix, __u64 seed, bool cancel, struct history *h)
{
	struct life life;
	__u32 i;

	begin_life(&life, mix, seed);
	live(&life);
	shared->over = true;
	if (cancel)
		cancel_all(&life);
	else
		close_all(&life);
	see_off(&life);
	drain(&life);
	for (i = 0; i < mix->channels && !log_is_full(life.leader.log); i++)
		ask_counts(&life, i);
	drop_channels(&life);
	free_actor(&life.leader);
	write_down(&life, h);
}

/**
 * record_init - once, before the first life
 */
void record_init(void)
{
	shared = map_shared(sizeof(*shared));
	catch(SA_RESTART);
}

static enum event event_of_error(__u32 error)
{
	switch (error) {
	case EAGAIN:
		return EVENT_AGAIN;
	case ETIMEDOUT:
		return EVENT_LATE;
	case EINTR:
		return EVENT_SIGNAL;
	case EFAULT:
		return EVENT_FAULT;
	}
	return NR_EVENTS;
}

static enum event event_of_status(__u32 status)
{
	switch (status) {
	case EMSGSIZE:
		return EVENT_TOO_LONG;
	case EPIPE:
		return EVENT_CLOSED;
	case ECANCELED:
		return EVENT_CANCELED;
	}
	return EVENT_FAILED;
}

static enum event event_of(const struct operation *op)
{
	if (op->kind > DID_SELECT)
		return NR_EVENTS;
	if (op->fate == KILLED)
		return EVENT_KILLED;
	if (op->error)
		return event_of_error(op->error);
	if (op->status)
		return event_of_status(op->status);
	if (op->kind != DID_SELECT)
		return NR_EVENTS;
	if (op->cases[op->chosen].op == CASE_SEND)
		return EVENT_SELECT_SENT;
	return EVENT_SELECT_RECEIVED;
}

/**
 * count_events - what of those things that must happen has happened?
 * @h: a history that has been found sound
 * @events: the counts are added to it
 */
void count_events(const struct history *h, __u64 *events)
{
	enum event event;
	__u32 i;

	for (i = 0; i < h->nr; i++) {
		event = event_of(&h->ops[i]);
		if (event < NR_EVENTS)
			events[event]++;
	}
}
