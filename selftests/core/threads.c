// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core of the module in user space, with threads for tasks: matching, calls,
 * waiting, transfers and selects are the module's own files, the kernel below them
 * is kernel.h.  To be run under ThreadSanitizer, and under AddressSanitizer.
 *
 * threads SECONDS SEED [PATIENCE]: rounds of senders, receivers and selects on a few
 * channels, while somebody sends signals and kills.  In every other round copying
 * fails now and then; every third is cancelled in the middle; some are quiet, without
 * signals or deadlines, so that who is not woken sleeps for ever.  After each round
 * every message must have arrived once, and everybody must have come home.
 */
#include <kmod/select.c>

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHANNELS	3
#define SENDERS		3
#define RECEIVERS	3
#define SELECTS		3
#define WORKERS		(SENDERS + RECEIVERS + SELECTS)
#define QUOTA		120
#define CASES_MAX	4
#define LEN_MAX		2500
/* A round that takes so many seconds has left somebody over. */
#define PATIENCE	60

/* What a message begins with. */
struct head {
	u32 from;
	u32 channel;
	u32 seq;
	u32 len;
};

/**
 * struct worker - a thread
 * @task: what the module sees of it
 * @thread: it
 * @work: what it does
 * @sent: to each channel
 * @drained: channels that have come to their end
 * @last: the last message from each worker by each channel
 * @buf: where it receives
 */
struct worker {
	struct task_struct task;
	pthread_t thread;
	void (*work)(struct worker *w);
	u32 sent[CHANNELS];
	bool drained[CHANNELS];
	u32 last[CHANNELS][WORKERS];
	u8 buf[LEN_MAX];
};

__thread struct task_struct *current;
unsigned long core_jiffies;
const struct file_operations end_fops;
struct mutex scopes_lock = { PTHREAD_MUTEX_INITIALIZER };

static __thread u64 random_state;
static struct worker workers[WORKERS];
static struct channel *channels[CHANNELS];
/* How often each message has arrived. */
static int arrived[CHANNELS][WORKERS][QUOTA + 1];
static bool faults, ends_early, quiet, stopping;
static int sending;
static unsigned long total;

static void fail(const char *what)
{
	fprintf(stderr, "threads: %s\n", what);
	fflush(stderr);
	_exit(1);
}

static u32 random_to(u32 n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

/* --- The kernel: sleeping and waking, without a word to the sanitizer --- */

static long futex(int *word, int op, int value, const struct timespec *until)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, until, NULL,
		       FUTEX_BITSET_MATCH_ANY);
}

/* Return: false if the time has come. */
static bool sleep_in_state(const struct timespec *until)
{
	int state;

	while ((state = READ_ONCE(current->state)) != TASK_RUNNING) {
		if (state == TASK_INTERRUPTIBLE && signal_pending(current))
			break;
		if (futex(&current->state, FUTEX_WAIT_BITSET, state, until) &&
		    errno == ETIMEDOUT) {
			__set_current_state(TASK_RUNNING);
			return false;
		}
	}
	__set_current_state(TASK_RUNNING);
	return true;
}

void schedule(void)
{
	sleep_in_state(NULL);
}

int schedule_hrtimeout_range(ktime_t *expires, u64 slack, int mode)
{
	struct timespec until = {
		.tv_sec = *expires / 1000000000,
		.tv_nsec = *expires % 1000000000,
	};

	return sleep_in_state(&until) ? -EINTR : 0;
}

static void wake_up_state(struct task_struct *task, int states)
{
	int state;

	/* Pairs with set_current_state(), as in the kernel. */
	smp_mb();
	state = READ_ONCE(task->state);
	while (state & states) {
		if (!__atomic_compare_exchange_n(&task->state, &state, TASK_RUNNING,
						 false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		futex(&task->state, FUTEX_WAKE, 1, NULL);
		return;
	}
}

void wake_up_process(struct task_struct *task)
{
	wake_up_state(task, TASK_NORMAL);
}

/* --- User memory: what is borrowed stays where it is, and copying may fail --- */

bool usercopy_borrow(struct chan_payload *p, const struct chan_buf *from)
{
	p->kind = CHAN_PAYLOAD_PAGES;
	p->len = from->len;
	p->pin->pages = from->base;
	return true;
}

int usercopy_inline(struct chan_payload *p, const struct chan_buf *from)
{
	p->kind = CHAN_PAYLOAD_INLINE;
	p->len = from->len;
	memcpy(p->bytes, from->base, from->len);
	return 0;
}

static struct chan_msg *msg_of(const struct chan_payload *p, const void *data)
{
	struct chan_msg *msg = malloc(sizeof(*msg) + p->len);

	msg->len = p->len;
	msg->room = p->len;
	msg->seq = p->seq;
	msg->from = p->from;
	memcpy(msg->data, data, p->len);
	return msg;
}

int usercopy_heap(struct chan_payload *p, const struct chan_buf *from)
{
	p->len = from->len;
	payload_on_heap(p, msg_of(p, from->base));
	return 0;
}

int payload_to_heap(struct chan_payload *p)
{
	payload_on_heap(p, msg_of(p, p->bytes));
	return 0;
}

struct chan_msg *payload_to_msg(struct chan_payload *p)
{
	struct chan_msg *msg = p->msg;

	if (p->kind == CHAN_PAYLOAD_INLINE)
		msg = msg_of(p, p->bytes);
	msg->seq = p->seq;
	p->kind = CHAN_PAYLOAD_NONE;
	return msg;
}

void payload_release(struct chan_payload *p)
{
	if (p->kind == CHAN_PAYLOAD_HEAP)
		free(p->msg);
}

void msg_free_list(struct list_head *msgs)
{
	struct chan_msg *msg, *next;

	list_for_each_entry_safe(msg, next, msgs, node)
		free(msg);
}

bool usercopy_probe(const struct chan_buf *to)
{
	return true;
}

bool usercopy_writable(void *base, size_t len)
{
	return true;
}

bool usercopy_fault_in(const struct chan_buf *to, size_t len)
{
	return true;
}

bool usercopy_out(const struct chan_payload *p, const struct chan_buf *to)
{
	const void *from = p->bytes;

	if (p->kind == CHAN_PAYLOAD_HEAP)
		from = p->msg->data;
	else if (p->kind == CHAN_PAYLOAD_PAGES)
		from = p->pin->pages;
	if (!random_to(4))
		sched_yield();
	if (faults && !random_to(6))
		return false;
	memcpy(to->base, from, p->len);
	return true;
}

/* --- What belongs to the parts of the module that are not here --- */

int scope_add_channel(struct chan_scope *scope, struct channel *ch)
{
	return 0;
}

void scope_await_cancel(void)
{
}

void scope_drop_channel(struct channel *ch)
{
}

int scope_admits_others(const struct chan_scope *guard, struct chan_scope *scope)
{
	return 0;
}

void *chan_alloc(size_t size, gfp_t gfp)
{
	return malloc(size);
}

void chan_user_uncharge_channel(struct chan_user *user)
{
}

void show_name(struct seq_file *m, const char *comm)
{
}

int cases_load(struct select_case *cases, u32 n, struct case_space *space, u32 *loaded)
{
	return -EFAULT;
}

int case_load_single(struct select_case *c, struct chan_case *user, size_t size)
{
	return -EFAULT;
}

int case_store(const struct select_case *c, const struct chan_details *details,
	       struct chan_case *user)
{
	return 0;
}

void case_release(struct select_case *c)
{
	if (c->kind == CHAN_SEND)
		payload_free(&c->op.payload);
}

/* --- The workers --- */

static u64 soon(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec + random_to(200000);
}

static u64 some_deadline(void)
{
	if (quiet)
		return CHAN_FOREVER;
	switch (random_to(4)) {
	case 0:
		return CHAN_NOWAIT;
	case 1:
		return CHAN_FOREVER;
	default:
		return soon();
	}
}

/* A signal is delivered; who is killed is followed by another like it. */
static void take_signals(struct worker *w)
{
	WRITE_ONCE(w->task.signal, false);
	WRITE_ONCE(w->task.fatal, false);
}

static bool nothing_happened(int err)
{
	return err == -EAGAIN || err == -ETIMEDOUT || err == -ERESTARTSYS ||
	       err == -EFAULT;
}

/* The next message of this worker to this channel. */
static u32 compose(struct worker *w, u32 ch, u8 *bytes)
{
	static const u32 lengths[] = { sizeof(struct head), 200, 300, LEN_MAX };
	u32 len = lengths[random_to(4)];
	struct head head = {
		.from = w->task.nr,
		.channel = ch,
		.seq = w->sent[ch] + 1,
		.len = len,
	};

	memset(bytes, head.seq, len);
	memcpy(bytes, &head, sizeof(head));
	return len;
}

static void has_arrived(struct worker *w, u32 ch, u32 len, struct chan_origin from)
{
	struct head head;

	memcpy(&head, w->buf, sizeof(head));
	if (head.len != len || head.channel != ch || head.from != from.pid ||
	    (len > sizeof(head) && w->buf[len - 1] != (u8)head.seq))
		fail("a message is not what was sent");
	if (__atomic_fetch_add(&arrived[ch][head.from][head.seq], 1, __ATOMIC_RELAXED))
		fail("a message has arrived twice");
	/* What was put back may be overtaken. */
	if (!faults && head.seq <= w->last[ch][head.from])
		fail("messages of one sender have arrived out of order");
	w->last[ch][head.from] = head.seq;
	__atomic_fetch_add(&total, 1, __ATOMIC_RELAXED);
}

/* Of a case that has happened. */
static void has_ended(struct worker *w, u32 ch, int status)
{
	if (status != CHAN_EOF && status != -ECANCELED && status != -EPIPE)
		fail("an operation has ended with what it cannot end with");
	w->drained[ch] = true;
}

static bool all_drained(const struct worker *w)
{
	u32 ch;

	for (ch = 0; ch < CHANNELS && w->drained[ch]; ch++)
		;
	return ch == CHANNELS;
}

static bool send_one(struct worker *w, u32 ch)
{
	u8 bytes[LEN_MAX];
	struct chan_buf from = { .base = bytes, .len = compose(w, ch, bytes) };
	struct chan_details details = { .deadline = some_deadline() };
	bool nowait = details.deadline == CHAN_NOWAIT;
	ssize_t ret;

	ret = channel_send(channels[ch], &from, nowait, &details);
	if (nothing_happened(ret))
		return false;
	if (ret != from.len)
		fail("a send has returned what it cannot return");
	if (details.status)
		has_ended(w, ch, details.status);
	else
		w->sent[ch]++;
	return true;
}

static void send_all(struct worker *w)
{
	u32 left = QUOTA;

	while (left && !all_drained(w)) {
		if (send_one(w, random_to(CHANNELS)))
			left--;
		take_signals(w);
	}
	__atomic_fetch_sub(&sending, 1, __ATOMIC_RELAXED);
}

static void recv_one(struct worker *w, u32 ch)
{
	struct chan_buf to = { .base = w->buf, .len = sizeof(w->buf) };
	struct chan_details details = { .deadline = some_deadline() };
	bool nowait = details.deadline == CHAN_NOWAIT;
	ssize_t ret;

	ret = channel_recv(channels[ch], &to, nowait, &details);
	if (nothing_happened(ret))
		return;
	if (ret)
		fail("a receive has returned what it cannot return");
	if (details.status)
		has_ended(w, ch, details.status);
	else
		has_arrived(w, ch, details.len, details.from);
}

/* In quiet, on each channel somebody receives all the time. */
static void recv_all(struct worker *w)
{
	u32 own = w->task.nr - SENDERS;
	u32 ch;

	for (ch = 0; ch < CHANNELS; ch++)
		w->drained[ch] = quiet && ch != own;
	while (!all_drained(w)) {
		recv_one(w, quiet ? own : random_to(CHANNELS));
		take_signals(w);
	}
}

/* What lies beside the cases of a select. */
struct select_space {
	struct select_case cases[CASES_MAX];
	union chan_space recv;
	u8 send[CASES_MAX][CHAN_INLINE];
	u8 bytes[CASES_MAX][LEN_MAX];
};

static void load_case(struct worker *w, struct select *s, struct select_space *space,
		      u32 i, bool send)
{
	struct select_case *c = &space->cases[i];
	u32 ch = random_to(CHANNELS);
	struct chan_buf from = { .base = space->bytes[i] };

	memset(c, 0, sizeof(*c));
	c->ch = channels[ch];
	op_init(&c->op, &s->call, space->recv.bytes);
	c->base = w->buf;
	c->op.room = sizeof(w->buf);
	c->kind = CHAN_RECV;
	if (!send)
		return;
	c->kind = CHAN_SEND;
	c->base = space->bytes[i];
	c->op.payload.bytes = space->send[i];
	from.len = compose(w, ch, space->bytes[i]);
	c->len = from.len;
	transfer_load(&c->op.payload, &from, CHAN_INLINE);
}

static u32 number_of(const struct channel *ch)
{
	u32 i;

	for (i = 0; channels[i] != ch; i++)
		;
	return i;
}

/* Return: has something been sent? */
static bool select_result(struct worker *w, const struct select_case *c)
{
	u32 ch = number_of(c->ch);

	if (c->op.status) {
		has_ended(w, ch, c->op.status);
		return false;
	}
	if (c->kind == CHAN_SEND) {
		w->sent[ch]++;
		return true;
	}
	has_arrived(w, ch, c->op.payload.len, c->op.payload.from);
	return false;
}

static bool select_once(struct worker *w, bool may_send)
{
	struct select_space space;
	struct select s = {
		.cases = space.cases,
		.n = 2 + random_to(CASES_MAX - 1),
		.ordered = random_to(2),
		.ready = random_to(2),
		.deadline = some_deadline(),
	};
	bool sent = false;
	u32 i;
	int err;

	/* In quiet there may be nobody left who sends: do it oneself. */
	for (i = 0; i < s.n; i++)
		load_case(w, &s, &space, i,
			  may_send && (random_to(2) || (quiet && !i)));
	err = select_run(&s);
	if (!err)
		sent = select_result(w, s.chosen);
	else if (!nothing_happened(err))
		fail("a select has returned what it cannot return");
	for (i = 0; i < s.n; i++)
		case_release(&space.cases[i]);
	return sent;
}

static void select_all(struct worker *w)
{
	u32 left = QUOTA;

	while (left && !all_drained(w)) {
		if (select_once(w, true))
			left--;
		take_signals(w);
	}
	__atomic_fetch_sub(&sending, 1, __ATOMIC_RELAXED);
	while (!all_drained(w)) {
		select_once(w, false);
		take_signals(w);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	current = &w->task;
	random_state += w->task.nr;
	select_random = random_to(UINT_MAX);
	w->work(w);
	return NULL;
}

/* --- Those who disturb them --- */

static void signal_one(struct task_struct *task)
{
	bool *kind = !random_to(8) && faults ? &task->fatal : &task->signal;

	WRITE_ONCE(*kind, true);
	wake_up_state(task, TASK_INTERRUPTIBLE);
}

/* As debugfs and poll(2) do. */
static void look_at(struct channel *ch)
{
	struct file file = { .f_mode = FMODE_READ | FMODE_WRITE };
	struct chan_info info;

	channel_info(ch, &info);
	channel_poll(ch, &file, NULL, NULL);
	channel_show(NULL, ch, 0);
	if (info.capacity < info.buffered && !faults)
		fail("there is more in a buffer than it can hold");
}

static void *disturb(void *unused)
{
	struct task_struct self = {};
	const struct timespec pause = { .tv_nsec = 20000 };

	current = &self;
	while (!READ_ONCE(stopping)) {
		if (!quiet)
			signal_one(&workers[random_to(WORKERS)].task);
		look_at(channels[random_to(CHANNELS)]);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* --- A round --- */

static void start(struct worker *w, int nr, void (*what)(struct worker *w))
{
	memset(w, 0, sizeof(*w));
	w->task.nr = nr;
	w->work = what;
}

static void begin(int round)
{
	static const u32 capacities[CHANNELS] = { 0, 0, 2 };
	struct chan_user nobody;
	int i;

	faults = round % 2;
	ends_early = round % 3 == 2;
	quiet = round / 2 % 2;
	stopping = false;
	sending = SENDERS + SELECTS;
	memset(arrived, 0, sizeof(arrived));
	for (i = 0; i < CHANNELS; i++) {
		channels[i] = channel_create(NULL, &nobody, capacities[i], LEN_MAX);
		channel_attach(channels[i], FMODE_READ | FMODE_WRITE);
	}
	for (i = 0; i < WORKERS; i++)
		start(&workers[i], i,
		      i < SENDERS ? send_all :
		      i < SENDERS + RECEIVERS ? recv_all : select_all);
}

/* All have sent what they wanted, or half of it. */
static void end_channels(void)
{
	unsigned long half = (SENDERS + SELECTS) * QUOTA / 2;
	unsigned long before = READ_ONCE(total);
	LIST_HEAD(dropped);
	int i;

	while (READ_ONCE(sending) &&
	       !(ends_early && READ_ONCE(total) - before > half))
		sched_yield();
	for (i = 0; i < CHANNELS; i++) {
		if (ends_early)
			channel_begin_cancel(channels[i], 0, &dropped);
		else
			channel_end(channels[i], CHAN_STATE_CLOSED, 0);
	}
	for (i = 0; ends_early && i < CHANNELS; i++)
		channel_finish_cancel(channels[i]);
	msg_free_list(&dropped);
}

static void check_arrived(void)
{
	u32 ch, from, seq;

	for (ch = 0; ch < CHANNELS; ch++) {
		for (from = 0; from < WORKERS; from++) {
			for (seq = 1; seq <= workers[from].sent[ch]; seq++) {
				if (!arrived[ch][from][seq] && !ends_early)
					fail("a message has been lost");
			}
			for (; seq <= QUOTA; seq++) {
				if (arrived[ch][from][seq])
					fail("what was not sent has arrived");
			}
		}
	}
}

/* Nobody is left, and nothing but what was dropped. */
static void check_channels(void)
{
	struct chan_info info;
	int i;

	for (i = 0; i < CHANNELS; i++) {
		struct match *m = &channels[i]->match;

		channel_info(channels[i], &info);
		if (m->senders.nr || m->receivers.nr || info.buffered)
			fail("somebody is left over");
		if (!ends_early && info.sent != info.received)
			fail("the totals differ");
		channel_detach(channels[i], FMODE_READ | FMODE_WRITE);
		msg_free_list(&m->line);
		msg_free_list(&m->spares);
		free(channels[i]);
	}
	for (i = 0; i < WORKERS; i++) {
		if (workers[i].task.refs)
			fail("a reference to a task is left");
	}
}

/* The round takes too long: who is it that sleeps? */
static void tell_who_is_left(int sig)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		fprintf(stderr, "worker %d: state %d%s\n", i,
			READ_ONCE(workers[i].task.state),
			all_drained(&workers[i]) ? ", has seen all ends" : "");
	for (i = 0; i < CHANNELS; i++)
		fprintf(stderr, "channel %d: state %u, in line %u, queued %u and %u\n", i,
			channels[i]->match.state, channels[i]->match.nr_msgs,
			channels[i]->match.senders.nr,
			channels[i]->match.receivers.nr);
	fail("somebody sleeps for ever");
}

static void run_round(int round, int patience)
{
	pthread_t other;
	int i;

	alarm(patience);
	begin(round);
	for (i = 0; i < WORKERS; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	pthread_create(&other, NULL, disturb, NULL);
	end_channels();
	for (i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	WRITE_ONCE(stopping, true);
	pthread_join(other, NULL);
	check_arrived();
	check_channels();
}

int main(int argc, char **argv)
{
	time_t until = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	int patience = argc > 3 ? atoi(argv[3]) : PATIENCE;
	int round = 0;

	signal(SIGALRM, tell_who_is_left);
	random_state = argc > 2 ? atoi(argv[2]) : 1;
	do {
		run_round(round++, patience);
	} while (time(NULL) < until || round < 6);
	printf("%d rounds, %lu messages\n", round, total);
	return 0;
}
