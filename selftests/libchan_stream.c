// SPDX-License-Identifier: GPL-2.0-only
/*
 * libchan: loops over messages, timers, and streams.
 *
 * What holds for every stage is tested with each of them in turn, see all_stages.
 * Each test has a scope of its own, and when that is closed nothing may be left: no
 * child, no zombie, no file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>

#include <sys/resource.h>

#include "libchan_stage.h"

/* --- What sources do --- */

/* @arg: send 1, 2 ... up to this. */
static int count_to(struct chan_tx tx, void *arg)
{
	long n, last = (intptr_t)arg;
	int ret = 0;

	count_up(&stage->started);
	for (n = 1; n <= last && !ret; n++)
		ret = chan_send(tx, &n, sizeof(n));
	return ret;
}

static int count_for_ever(struct chan_tx tx, void *arg)
{
	(void)arg;
	return count_to(tx, number(LONG_MAX));
}

static int count_and_fail(struct chan_tx tx, void *arg)
{
	return count_to(tx, arg) ?: -EIO;
}

static int count_and_die(struct chan_tx tx, void *arg)
{
	int ret = count_to(tx, arg);

	raise(SIGKILL);
	return ret;
}

/* What it returns is what it is handed. */
static int only_return(struct chan_tx tx, void *arg)
{
	(void)tx;
	return (int)(intptr_t)arg;
}

/* Send as many, and the rest when child 0 may go on. */
static int count_and_pause(struct chan_tx tx, void *arg)
{
	long n, pause_after = (intptr_t)arg;
	int ret;

	ret = count_to(tx, arg);
	while (!may_go(0))
		nap();
	for (n = pause_after + 1; n <= pause_after + 2 && !ret; n++)
		ret = chan_send(tx, &n, sizeof(n));
	return ret;
}

/* --- What stages do --- */

static int copy(const void *msg, size_t len, void *out, size_t *out_len, void *arg)
{
	(void)arg;
	memcpy(out, msg, len);
	*out_len = len;
	return 0;
}

static int keep_all(const void *msg, size_t len, void *arg)
{
	(void)msg;
	(void)len;
	(void)arg;
	return 1;
}

/* --- Stages that hand on what comes in --- */

enum kind {
	SOURCE, MAP, MAP_CREW, ORDERED, ORDERED_RING, FILTER, TAKE, TIMEOUT, BATCH,
	MERGE, TEE,
};

static int add_merge(struct chan_scope *scope, struct chan_rx *rx,
		     const struct chan_stream_options *options)
{
	struct chan_rx in[] = { CHAN_RX_INIT, *rx };
	int ret = chan_merge(scope, in, 2, rx, options);

	if (ret)
		*rx = in[1];
	return ret;
}

static int add_tee(struct chan_scope *scope, struct chan_rx *rx,
		   const struct chan_stream_options *options)
{
	struct chan_rx out[2];
	int ret = chan_tee(scope, rx, out, 2, options);

	if (ret)
		return ret;
	chan_rx_release(&out[0]);
	*rx = out[1];
	return 0;
}

static int add_stage(enum kind kind, struct chan_scope *scope, struct chan_rx *rx,
		     const struct chan_stream_options *options)
{
	switch (kind) {
	case SOURCE:
		return 0;
	case MAP:
		return chan_map(scope, rx, 1, copy, NULL, options);
	case MAP_CREW:
		return chan_map(scope, rx, 3, copy, NULL, options);
	case ORDERED:
		return chan_map_ordered(scope, rx, 1, copy, NULL, options);
	case ORDERED_RING:
		return chan_map_ordered(scope, rx, 3, copy, NULL, options);
	case FILTER:
		return chan_filter(scope, rx, keep_all, NULL, options);
	case TAKE:
		return chan_take(scope, rx, UINT64_MAX, options);
	case TIMEOUT:
		return chan_timeout(scope, rx, CHAN_FOREVER, options);
	case BATCH:
		return chan_batch(scope, rx, 1, CHAN_FOREVER, options);
	case MERGE:
		return add_merge(scope, rx, options);
	case TEE:
		return add_tee(scope, rx, options);
	}
	return -EINVAL;
}

/* A source takes the place of what is there. */
static int add_stage_or_source(enum kind kind, struct chan_scope *scope, struct chan_rx *rx)
{
	if (kind != SOURCE)
		return add_stage(kind, scope, rx, NULL);
	chan_rx_release(rx);
	return chan_source(scope, rx, count_to, NULL, NULL);
}

/* The number in a message, be it a batch. */
static long message_number(const void *buf, size_t len)
{
	const void *item = buf;
	size_t at = 0;
	long n = -1;

	if (len == CHAN_BATCH_ROOM(sizeof(n)))
		item = chan_batch_next(buf, len, &at, &len);
	if (item && len == sizeof(n))
		memcpy(&n, item, sizeof(n));
	return n;
}

struct got {
	long sum;	/* of the numbers */
	long count;
	bool in_order;
	int error;
};

/* Receive at most @most. */
static struct got receive(struct chan_rx rx, long most)
{
	struct got got = { .in_order = true };
	long buf[32];
	struct chan_iter it = chan_iter(rx, buf, sizeof(buf));
	long n, last = 0;

	while (got.count < most && chan_next(&it)) {
		n = message_number(buf, it.len);
		got.count++;
		got.sum += n;
		got.in_order &= n > last;
		last = n;
	}
	got.error = chan_iter_error(&it);
	return got;
}

static struct got receive_all(struct chan_rx rx)
{
	return receive(rx, LONG_MAX);
}

#define EXPECT_COUNTED(received, to, error_)			\
do {								\
	struct got __got = (received);				\
								\
	EXPECT_EQ(to, __got.count);				\
	EXPECT_EQ((to) * ((to) + 1) / 2, __got.sum);		\
	EXPECT_EQ(error_, __got.error);				\
} while (0)

/* How many processes of the group are in @state. */
static int count_processes(pid_t pgid, char state)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int count = 0;
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && getpgid(pid) == pgid && state_of(pid) == state)
			count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* --- A scope, and a channel that the test sends on --- */

FIXTURE(stream)
{
	struct chan_scope *scope;
	struct chan_tx tx;
	struct chan_rx rx;
	int files;
};

FIXTURE_SETUP(stream)
{
	stage = shared(_metadata, sizeof(*stage));
	self->files = count_fds();
	self->rx.fd = -1;
	self->tx.fd = -1;
	ASSERT_EQ(0, CALL(chan_scope_open(NULL, &self->scope)));
}

/* The children end, and nothing of them, or of the streams, is left. */
FIXTURE_TEARDOWN(stream)
{
	chan_tx_release(&self->tx);
	chan_rx_release(&self->rx);
	chan_scope_close(self->scope);
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
}

#define OPEN_PAIR(capacity)						\
	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, capacity, 64, 0,	\
					  &self->tx, &self->rx)))
#define ADD_SOURCE(fn, arg)						\
	ASSERT_EQ(0, CALL(chan_source(self->scope, &self->rx, fn, number(arg), NULL)))

/* The stages have ended by themselves. */
#define EXPECT_ALL_WELL()						\
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)))

static bool all_asleep(struct chan_scope *scope, int n)
{
	pid_t pgid = scope_info(scope).pgid;

	return wait_until(count_processes(pgid, 'S') == n);
}

static long send_number(struct chan_tx tx, long n)
{
	return CALL(chan_send(tx, &n, sizeof(n)));
}

/* --- What holds for every stage --- */

FIXTURE(all_stages)
{
	struct chan_scope *scope;
	struct chan_tx tx;
	struct chan_rx rx;
	int files;
};

FIXTURE_VARIANT(all_stages)
{
	enum kind kind;
	int children;
	bool in_order;
};

#define STAGE(name, kind_, children_, in_order_)		\
FIXTURE_VARIANT_ADD(all_stages, name)				\
{								\
	.kind = kind_,						\
	.children = children_,					\
	.in_order = in_order_,					\
}

STAGE(source, SOURCE, 0, true);
STAGE(map, MAP, 1, true);
STAGE(map_crew, MAP_CREW, 3, false);
STAGE(ordered, ORDERED, 1, true);
STAGE(ordered_ring, ORDERED_RING, 3, true);
STAGE(filter, FILTER, 1, true);
STAGE(take, TAKE, 1, true);
STAGE(timeout, TIMEOUT, 1, true);
STAGE(batch, BATCH, 1, true);
STAGE(merge, MERGE, 1, true);
STAGE(tee, TEE, 1, true);

FIXTURE_SETUP(all_stages)
{
	stage = shared(_metadata, sizeof(*stage));
	self->files = count_fds();
	self->rx.fd = -1;
	self->tx.fd = -1;
	ASSERT_EQ(0, CALL(chan_scope_open(NULL, &self->scope)));
}

FIXTURE_TEARDOWN(all_stages)
{
	chan_tx_release(&self->tx);
	chan_rx_release(&self->rx);
	chan_scope_close(self->scope);
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
}

#define ADD_STAGE()	\
	ASSERT_EQ(0, CALL(add_stage(variant->kind, self->scope, &self->rx, NULL)))

TEST_F(all_stages, hand_on_all)
{
	struct got got;

	ADD_SOURCE(count_to, 100);
	ADD_STAGE();
	got = receive_all(self->rx);
	EXPECT_COUNTED(got, 100, 0);
	if (variant->in_order)
		EXPECT_TRUE(got.in_order);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, an_empty_stream)
{
	ADD_SOURCE(only_return, 0);
	ADD_STAGE();
	EXPECT_COUNTED(receive_all(self->rx), 0, 0);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, an_error_in_the_middle)
{
	ADD_SOURCE(count_and_fail, 7);
	ADD_STAGE();
	EXPECT_COUNTED(receive_all(self->rx), 7, -EIO);
	EXPECT_COUNTED(receive_all(self->rx), 0, -EIO);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, an_error_at_once)
{
	ADD_SOURCE(only_return, -EPROTO);
	ADD_STAGE();
	EXPECT_COUNTED(receive_all(self->rx), 0, -EPROTO);
	EXPECT_ALL_WELL();
}

/* Errors that selects, or ends that are gone, have a use for as well. */
TEST_F(all_stages, errors_with_another_meaning)
{
	static const int errors[] = { EPIPE, ETIMEDOUT, EAGAIN, ECANCELED };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		OPEN_PAIR(8);
		ASSERT_EQ(0, send_number(self->tx, 1));
		ASSERT_EQ(0, CALL(chan_close(self->tx, errors[i])));
		ADD_STAGE();
		EXPECT_COUNTED(receive_all(self->rx), 1, -errors[i]);
		chan_rx_release(&self->rx);
		chan_tx_release(&self->tx);
		EXPECT_ALL_WELL();
	}
}

TEST_F(all_stages, left_early)
{
	ADD_SOURCE(count_for_ever, 0);
	ADD_STAGE();
	EXPECT_EQ(3, receive(self->rx, 3).count);
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
}

/* Nothing comes in any more, so the end that was released has to be noticed. */
TEST_F(all_stages, left_early_while_nothing_comes)
{
	OPEN_PAIR(1);
	ADD_STAGE();
	ASSERT_EQ(0, send_number(self->tx, 1));
	EXPECT_COUNTED(receive(self->rx, 1), 1, 0);
	EXPECT_TRUE(all_asleep(self->scope, variant->children));
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
	EXPECT_EQ(-EPIPE, send_number(self->tx, 2));
}

TEST_F(all_stages, never_consumed)
{
	ADD_SOURCE(count_to, 3);
	ADD_STAGE();
	EXPECT_TRUE(all_asleep(self->scope, 1 + variant->children));
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
	EXPECT_EQ(0, stage->started);
}

TEST_F(all_stages, start_when_consumed)
{
	struct pollfd pfd = { .events = POLLIN };

	ADD_SOURCE(count_to, 3);
	ADD_STAGE();
	pfd.fd = self->rx.fd;
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_TRUE(all_asleep(self->scope, 1 + variant->children));
	EXPECT_EQ(0, stage->started);
	EXPECT_COUNTED(receive_all(self->rx), 3, 0);
	EXPECT_EQ(1, stage->started);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, with_a_capacity)
{
	struct chan_stream_options options = { .size = sizeof(options), .capacity = 4 };

	OPEN_PAIR(0);
	ASSERT_EQ(0, add_stage(variant->kind, self->scope, &self->rx, &options));
	if (variant->kind == SOURCE)
		return;
	ASSERT_EQ(0, send_number(self->tx, 1));
	ASSERT_EQ(0, send_number(self->tx, 2));
	EXPECT_TRUE(wait_until(info(self->rx.fd).buffered == 2));
	chan_tx_release(&self->tx);
	EXPECT_COUNTED(receive_all(self->rx), 2, 0);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, slow_consumer)
{
	long n;

	ADD_SOURCE(count_to, 20);
	ADD_STAGE();
	for (n = 0; n < 20; n++) {
		nap();
		EXPECT_EQ(1, receive(self->rx, 1).count);
	}
	EXPECT_COUNTED(receive_all(self->rx), 0, 0);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, canceled)
{
	ADD_SOURCE(count_for_ever, 0);
	ADD_STAGE();
	EXPECT_EQ(3, receive(self->rx, 3).count);
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	EXPECT_EQ(-ECANCELED, receive_all(self->rx).error);
	EXPECT_EQ(-EPROTO, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(-ECANCELED, CALL(add_stage_or_source(variant->kind, self->scope, &self->rx)));
}

TEST_F(all_stages, canceled_before_it_starts)
{
	ADD_SOURCE(count_to, 1);
	ADD_STAGE();
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	EXPECT_EQ(-EPROTO, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(0, stage->started);
}

/* The stream ends as if all was well, but the scope knows. */
TEST_F(all_stages, a_source_that_dies)
{
	struct chan_child first;

	ADD_SOURCE(count_and_die, 2);
	ADD_STAGE();
	EXPECT_COUNTED(receive_all(self->rx), 2, 0);
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, &first)));
	EXPECT_EQ(CHAN_CHILD_KILLED, first.end);
	EXPECT_EQ(SIGKILL, first.status);
	EXPECT_EQ(number(2), first.arg);
}

/* Also if who made it still has the sender of what comes in, and of others. */
TEST_F(all_stages, keep_no_ends_of_others)
{
	struct chan_tx other_tx;
	struct chan_rx other;

	ASSERT_EQ(0, CALL(chan_pair(0, 0, 0, &other_tx, &other)));
	OPEN_PAIR(1);
	ADD_STAGE();
	ASSERT_EQ(0, send_number(self->tx, 1));
	EXPECT_EQ(1, receive(self->rx, 1).count);
	chan_tx_release(&other_tx);
	EXPECT_EQ(0, receive_all(other).count);
	chan_rx_release(&other);
	chan_tx_release(&self->tx);
	EXPECT_COUNTED(receive_all(self->rx), 0, 0);
	EXPECT_ALL_WELL();
}

/* A stage that cannot be made has taken nothing, and leaves nobody. */
TEST_F(all_stages, no_place_in_the_scope)
{
	struct chan_scope_options options = { .size = sizeof(options) };
	int limit;

	if (variant->kind == SOURCE)
		return;
	for (limit = 1; limit <= variant->children; limit++) {
		ASSERT_EQ(0, CALL(chan_scope_close(self->scope)));
		options.limit = limit;
		ASSERT_EQ(0, CALL(chan_scope_open(&options, &self->scope)));
		ADD_SOURCE(count_to, 3);
		EXPECT_EQ(-EBUSY, CALL(add_stage(variant->kind, self->scope, &self->rx, NULL)));
		EXPECT_COUNTED(receive_all(self->rx), 3, 0);
		chan_rx_release(&self->rx);
		EXPECT_ALL_WELL();
	}
}

TEST_F(all_stages, no_files_are_left)
{
	struct rlimit all, limit;
	int ret = -EMFILE;

	ADD_SOURCE(count_to, 3);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	limit = all;
	for (limit.rlim_cur = count_fds(); ret == -EMFILE; limit.rlim_cur++) {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		ret = CALL(add_stage(variant->kind, self->scope, &self->rx, NULL));
		if (ret)
			EXPECT_EQ(-EMFILE, ret);
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	EXPECT_COUNTED(receive_all(self->rx), 3, 0);
	EXPECT_ALL_WELL();
}

TEST_F(all_stages, of_what_is_no_end)
{
	struct chan_rx none = { open("/dev/null", O_RDONLY | O_CLOEXEC) };
	struct chan_rx wrong;

	OPEN_PAIR(0);
	wrong.fd = self->tx.fd;
	if (variant->kind != SOURCE) {
		EXPECT_EQ(-ENOTTY, CALL(add_stage(variant->kind, self->scope, &none, NULL)));
		EXPECT_EQ(-EBADF, CALL(add_stage(variant->kind, self->scope, &wrong, NULL)));
		EXPECT_EQ(self->tx.fd, wrong.fd);
	}
	chan_rx_release(&none);
}

TEST_F(all_stages, options_that_are_none)
{
	struct {
		struct chan_stream_options known;
		uint64_t more;
	} options = { .known.size = sizeof(options), .more = 1 };

	if (variant->kind == SOURCE)
		return;
	OPEN_PAIR(0);
	EXPECT_EQ(-E2BIG, CALL(add_stage(variant->kind, self->scope, &self->rx, &options.known)));
	options.known.size = sizeof(options.known) - 1;
	EXPECT_EQ(-EINVAL, CALL(add_stage(variant->kind, self->scope, &self->rx, &options.known)));
	options.known.size = sizeof(options.known);
	options.known.capacity = CHAN_MAX_CAPACITY + 1;
	EXPECT_EQ(-EINVAL, CALL(add_stage(variant->kind, self->scope, &self->rx, &options.known)));
	EXPECT_EQ(0, scope_info(self->scope).members);
	options.known.size = sizeof(options);
	options.known.capacity = 0;
	options.more = 0;
	EXPECT_EQ(0, CALL(add_stage(variant->kind, self->scope, &self->rx, &options.known)));
}

/* A stage that comes after another one, of every kind. */
TEST_F(all_stages, after_one_another)
{
	enum kind kind;

	ADD_SOURCE(count_for_ever, 0);
	for (kind = MAP; kind <= TEE; kind++)
		if (kind != BATCH)
			ASSERT_EQ(0, CALL(add_stage(kind, self->scope, &self->rx, NULL)));
	ADD_STAGE();
	EXPECT_EQ(10, receive(self->rx, 10).count);
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
}

/* --- Sources --- */

TEST_F(stream, source_runs_in_the_scope)
{
	ADD_SOURCE(count_to, 1);
	EXPECT_EQ(1, scope_info(self->scope).members);
	EXPECT_EQ(1, scope_info(self->scope).channels);
	EXPECT_COUNTED(receive_all(self->rx), 1, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, source_returns_what_is_no_error)
{
	ADD_SOURCE(only_return, 1);
	EXPECT_EQ(-EINVAL, receive_all(self->rx).error);
	chan_rx_release(&self->rx);
	ADD_SOURCE(only_return, -100000);
	EXPECT_EQ(-EINVAL, receive_all(self->rx).error);
	chan_rx_release(&self->rx);
	ADD_SOURCE(only_return, -EPIPE);
	EXPECT_EQ(0, receive_all(self->rx).error);
	EXPECT_ALL_WELL();
}

TEST_F(stream, source_fails_and_no_end_is_left)
{
	struct chan_stream_options options = { .size = 1 };

	self->rx.fd = 0;
	EXPECT_EQ(-EINVAL, CALL(chan_source(self->scope, &self->rx, count_to, NULL, &options)));
	EXPECT_EQ(-1, self->rx.fd);
}

static int consume(void *arg)
{
	struct chan_rx *rx = arg;

	stage->count = receive_all(*rx).count;
	return 0;
}

/* A select starts it too, and so does whoever has the end. */
TEST_F(stream, source_is_consumed_by_another_child)
{
	ADD_SOURCE(count_to, 5);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, consume, &self->rx)));
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
	EXPECT_EQ(5, stage->count);
}

/* --- Map --- */

static int square(const void *msg, size_t len, void *out, size_t *out_len, void *arg)
{
	long n = message_number(msg, len);

	(void)arg;
	n *= n;
	memcpy(out, &n, sizeof(n));
	*out_len = sizeof(n);
	return 0;
}

static long next_number(struct chan_rx rx)
{
	size_t len;
	long n;
	int ret = chan_recv(rx, &n, sizeof(n), &len);

	return ret > 0 && len == sizeof(n) ? n : ret - 1000;
}

TEST_F(stream, map_hands_results_on)
{
	ADD_SOURCE(count_to, 3);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 1, square, NULL, NULL)));
	EXPECT_EQ(1, next_number(self->rx));
	EXPECT_EQ(4, next_number(self->rx));
	EXPECT_EQ(9, next_number(self->rx));
	EXPECT_EQ(-1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

/* One receive in a thread of its own, for who is in the scope is not in the test. */
struct receiver {
	pthread_t thread;
	struct chan_rx rx;
	long n;
};

static void *receive_one(void *arg)
{
	struct receiver *receiver = arg;

	receiver->n = next_number(receiver->rx);
	return NULL;
}

static void start_receiver(struct __test_metadata *_metadata, struct receiver *receiver,
			   struct chan_rx rx)
{
	receiver->rx = rx;
	ASSERT_EQ(0, pthread_create(&receiver->thread, NULL, receive_one, receiver));
	ASSERT_TRUE(wait_parked(rx.fd, 0, 1));
}

static long join(struct receiver *receiver)
{
	pthread_join(receiver->thread, NULL);
	return receiver->n;
}

/* Number 1 waits until child 0 may go on. */
static int hold_up_first(const void *msg, size_t len, void *out, size_t *out_len, void *arg)
{
	count_up(&stage->count);
	while (message_number(msg, len) == 1 && !may_go(0))
		nap();
	return copy(msg, len, out, out_len, arg);
}

TEST_F(stream, map_as_results_are_ready)
{
	ADD_SOURCE(count_to, 3);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 2, hold_up_first, NULL, NULL)));
	EXPECT_EQ(2, next_number(self->rx));
	EXPECT_EQ(3, next_number(self->rx));
	let_go(0);
	EXPECT_EQ(1, next_number(self->rx));
	EXPECT_EQ(-1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

/* All three are worked on, and still come in order. */
TEST_F(stream, map_in_order)
{
	struct receiver receiver;

	ADD_SOURCE(count_to, 5);
	ASSERT_EQ(0, CALL(chan_map_ordered(self->scope, &self->rx, 3, hold_up_first, NULL, NULL)));
	start_receiver(_metadata, &receiver, self->rx);
	EXPECT_TRUE(wait_until(read_int(&stage->count) == 3));
	EXPECT_EQ(0, read_int(&stage->go));
	let_go(0);
	EXPECT_EQ(1, join(&receiver));
	EXPECT_EQ(2, next_number(self->rx));
	EXPECT_EQ(3, next_number(self->rx));
	EXPECT_EQ(4, next_number(self->rx));
	EXPECT_EQ(5, next_number(self->rx));
	EXPECT_EQ(-1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

/* The error is known while a result is still worked on, and comes behind it. */
TEST_F(stream, map_error_comes_in_behind_all_results)
{
	struct receiver receiver;

	ADD_SOURCE(count_and_fail, 2);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 2, hold_up_first, NULL, NULL)));
	EXPECT_EQ(2, next_number(self->rx));
	start_receiver(_metadata, &receiver, self->rx);
	EXPECT_TRUE(wait_until(count_processes(scope_info(self->scope).pgid, 'Z') == 3));
	EXPECT_TRUE(parked_are(self->rx.fd, 0, 1));
	let_go(0);
	EXPECT_EQ(1, join(&receiver));
	EXPECT_EQ(-EIO - 1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

static int fail_at_three(const void *msg, size_t len, void *out, size_t *out_len, void *arg)
{
	if (message_number(msg, len) == 3)
		return (int)(intptr_t)arg;
	return copy(msg, len, out, out_len, arg);
}

TEST_F(stream, map_error_of_the_function)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 1, fail_at_three, number(-EPROTO),
				   NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 2, -EPROTO);
	EXPECT_ALL_WELL();
}

TEST_F(stream, map_error_of_one_of_many)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 4, fail_at_three, number(-EPROTO),
				   NULL)));
	EXPECT_EQ(-EPROTO, receive_all(self->rx).error);
	EXPECT_ALL_WELL();
}

TEST_F(stream, map_error_stands_in_order)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_map_ordered(self->scope, &self->rx, 4, fail_at_three,
					   number(-EPROTO), NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 2, -EPROTO);
	EXPECT_ALL_WELL();
}

TEST_F(stream, map_returns_what_is_no_error)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 1, fail_at_three, number(1), NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 2, -EINVAL);
	EXPECT_ALL_WELL();
}

static int too_long(const void *msg, size_t len, void *out, size_t *out_len, void *arg)
{
	(void)msg;
	(void)len;
	(void)out;
	(void)arg;
	stage->count = *out_len;
	++*out_len;
	return 0;
}

TEST_F(stream, map_result_too_long)
{
	struct chan_stream_options options = { .size = sizeof(options), .max_msg = 100 };

	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 2, too_long, NULL, &options)));
	EXPECT_EQ(-EMSGSIZE, receive_all(self->rx).error);
	EXPECT_EQ(100, stage->count);
	EXPECT_ALL_WELL();
}

static int die_at_three(const void *msg, size_t len, void *out, size_t *out_len, void *arg)
{
	if (message_number(msg, len) == 3)
		raise(SIGKILL);
	return copy(msg, len, out, out_len, arg);
}

TEST_F(stream, map_worker_dies)
{
	ADD_SOURCE(count_to, 10);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 3, die_at_three, NULL, NULL)));
	EXPECT_EQ(9, receive_all(self->rx).count);
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, NULL)));
}

/* Who waits in the ring for it sees that it is gone. */
TEST_F(stream, map_worker_of_a_ring_dies)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_map_ordered(self->scope, &self->rx, 3, die_at_three, NULL, NULL)));
	EXPECT_EQ(2, receive_all(self->rx).count);
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(stream, map_without_workers)
{
	OPEN_PAIR(0);
	EXPECT_EQ(-EINVAL, CALL(chan_map(self->scope, &self->rx, 0, copy, NULL, NULL)));
	EXPECT_EQ(-EINVAL, CALL(chan_map_ordered(self->scope, &self->rx, 0, copy, NULL, NULL)));
}

TEST_F(stream, map_ordered_with_more_workers_than_there_can_be)
{
	struct rlimit few = { 64, 64 };
	int ret;

	OPEN_PAIR(0);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	ret = CALL(chan_map_ordered(self->scope, &self->rx, 1U << 31, copy, NULL, NULL));
	EXPECT_TRUE(ret == -ENOMEM || ret == -EMFILE)
		TH_LOG("%d", ret);
}

/* Numbers that go through many workers are neither lost nor doubled. */
TEST_F(stream, map_many)
{
	struct got got;

	ADD_SOURCE(count_to, 2000);
	ASSERT_EQ(0, CALL(chan_map(self->scope, &self->rx, 8, copy, NULL, NULL)));
	ASSERT_EQ(0, CALL(chan_map_ordered(self->scope, &self->rx, 8, copy, NULL, NULL)));
	got = receive_all(self->rx);
	EXPECT_COUNTED(got, 2000, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, map_many_in_order)
{
	struct got got;

	ADD_SOURCE(count_to, 2000);
	ASSERT_EQ(0, CALL(chan_map_ordered(self->scope, &self->rx, 8, copy, NULL, NULL)));
	got = receive_all(self->rx);
	EXPECT_COUNTED(got, 2000, 0);
	EXPECT_TRUE(got.in_order);
	EXPECT_ALL_WELL();
}

/* --- Filter, take, timeout --- */

static int is_even(const void *msg, size_t len, void *arg)
{
	long n = message_number(msg, len);

	if (n == (intptr_t)arg)
		return -EPROTO;
	return n % 2 == 0;
}

TEST_F(stream, filter_drops)
{
	ADD_SOURCE(count_to, 5);
	ASSERT_EQ(0, CALL(chan_filter(self->scope, &self->rx, is_even, NULL, NULL)));
	EXPECT_EQ(2, next_number(self->rx));
	EXPECT_EQ(4, next_number(self->rx));
	EXPECT_EQ(-1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

TEST_F(stream, filter_fails)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_filter(self->scope, &self->rx, is_even, number(5), NULL)));
	EXPECT_EQ(2, next_number(self->rx));
	EXPECT_EQ(4, next_number(self->rx));
	EXPECT_EQ(-EPROTO - 1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

static int tell(const void *msg, size_t len, void *arg)
{
	struct chan_tx *tx = arg;

	return chan_send(*tx, msg, len) ?: 1;
}

/* On another channel than its own a function can send only if it is kept. */
TEST_F(stream, filter_uses_another_channel)
{
	struct chan_stream_options options = { .size = sizeof(options), .nkeep = 1 };
	struct chan_tx told_tx;
	struct chan_rx told;

	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 4, 0, 0, &told_tx, &told)));
	ADD_SOURCE(count_to, 2);
	ASSERT_EQ(0, CALL(chan_filter(self->scope, &self->rx, tell, &told_tx, NULL)));
	EXPECT_EQ(-EBADF, receive_all(self->rx).error);
	chan_rx_release(&self->rx);
	ADD_SOURCE(count_to, 2);
	options.keep = &told_tx.fd;
	ASSERT_EQ(0, CALL(chan_filter(self->scope, &self->rx, tell, &told_tx, &options)));
	EXPECT_COUNTED(receive_all(self->rx), 2, 0);
	EXPECT_ALL_WELL();
	chan_tx_release(&told_tx);
	EXPECT_COUNTED(receive_all(told), 2, 0);
	chan_rx_release(&told);
}

TEST_F(stream, take_some)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_take(self->scope, &self->rx, 4, NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 4, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, take_more_than_there_are)
{
	ADD_SOURCE(count_and_fail, 2);
	ASSERT_EQ(0, CALL(chan_take(self->scope, &self->rx, 4, NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 2, -EIO);
	EXPECT_ALL_WELL();
}

TEST_F(stream, take_none)
{
	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_take(self->scope, &self->rx, 0, NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 0, 0);
	EXPECT_ALL_WELL();
	EXPECT_EQ(0, stage->started);
}

/* What comes after the last is left to others. */
TEST_F(stream, take_no_more_than_asked_for)
{
	OPEN_PAIR(4);
	ASSERT_EQ(0, send_number(self->tx, 1));
	ASSERT_EQ(0, send_number(self->tx, 2));
	ASSERT_EQ(0, CALL(chan_take(self->scope, &self->rx, 1, NULL)));
	EXPECT_EQ(1, receive(self->rx, 1).count);
	EXPECT_ALL_WELL();
	EXPECT_EQ(-EPIPE, send_number(self->tx, 3));
}

TEST_F(stream, timeout_is_over)
{
	OPEN_PAIR(2);
	ASSERT_EQ(0, send_number(self->tx, 1));
	ASSERT_EQ(0, send_number(self->tx, 2));
	ASSERT_EQ(0, CALL(chan_timeout(self->scope, &self->rx, 100 * CHAN_MILLISECOND, NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 2, -ETIMEDOUT);
	EXPECT_ALL_WELL();
	EXPECT_EQ(-EPIPE, send_number(self->tx, 3));
}

TEST_F(stream, timeout_of_nothing)
{
	ADD_SOURCE(count_and_pause, 0);
	ASSERT_EQ(0, CALL(chan_timeout(self->scope, &self->rx, 0, NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 0, -ETIMEDOUT);
	let_go(0);
	EXPECT_ALL_WELL();
}

/* The time that it takes to consume does not count; it is long over here. */
TEST_F(stream, timeout_is_not_the_consumers)
{
	long end, n;

	OPEN_PAIR(3);
	for (n = 1; n <= 3; n++)
		ASSERT_EQ(0, send_number(self->tx, n));
	chan_tx_release(&self->tx);
	ASSERT_EQ(0, CALL(chan_timeout(self->scope, &self->rx, 100 * CHAN_MILLISECOND, NULL)));
	for (n = 1; n <= 3; n++) {
		EXPECT_EQ(n, next_number(self->rx));
		end = now_ms() + 300;
		while (now_ms() < end)
			nap();
	}
	EXPECT_EQ(-1000, next_number(self->rx));
	EXPECT_ALL_WELL();
}

/* --- Batch --- */

/* Of the next batch: how many are in it, or what came instead. */
static int next_batch(struct chan_rx rx, long *sum)
{
	static _Alignas(8) char buf[65536];
	size_t len, item_len, at = 0;
	const void *item;
	int ret, count = 0;

	*sum = 0;
	ret = chan_recv(rx, buf, sizeof(buf), &len);
	if (ret <= 0)
		return ret - 1000;
	while ((item = chan_batch_next(buf, len, &at, &item_len))) {
		if ((uintptr_t)item % 8)
			return -2000;
		*sum += message_number(item, item_len);
		count++;
	}
	return at == len ? count : -3000;
}

#define EXPECT_BATCH(count, sum_)					\
do {									\
	long __sum;							\
									\
	EXPECT_EQ(count, next_batch(self->rx, &__sum));			\
	EXPECT_EQ(sum_, __sum);						\
} while (0)

TEST_F(stream, batch_by_count)
{
	ADD_SOURCE(count_to, 10);
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 4, CHAN_FOREVER, NULL)));
	EXPECT_BATCH(4, 10);
	EXPECT_BATCH(4, 26);
	EXPECT_BATCH(2, 19);
	EXPECT_BATCH(-1000, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, batch_by_time)
{
	int i;

	OPEN_PAIR(4);
	for (i = 1; i <= 3; i++)
		ASSERT_EQ(0, send_number(self->tx, i));
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 100, 200 * CHAN_MILLISECOND, NULL)));
	EXPECT_BATCH(3, 6);
	ASSERT_EQ(0, send_number(self->tx, 4));
	EXPECT_BATCH(1, 4);
	chan_tx_release(&self->tx);
	EXPECT_BATCH(-1000, 0);
	EXPECT_ALL_WELL();
}

/* Two are in the buffer when it looks. */
TEST_F(stream, batch_of_what_is_there)
{
	OPEN_PAIR(2);
	ASSERT_EQ(0, send_number(self->tx, 1));
	ASSERT_EQ(0, send_number(self->tx, 2));
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 100, 0, NULL)));
	EXPECT_BATCH(2, 3);
	chan_tx_release(&self->tx);
	EXPECT_BATCH(-1000, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, batch_before_an_error)
{
	ADD_SOURCE(count_and_fail, 3);
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 100, CHAN_FOREVER, NULL)));
	EXPECT_BATCH(3, 6);
	EXPECT_BATCH(-EIO - 1000, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, batch_by_room)
{
	struct chan_stream_options options = {
		.size = sizeof(options), .max_msg = 2 * CHAN_BATCH_ROOM(64),
	};
	int i;

	OPEN_PAIR(16);
	for (i = 1; i <= 16; i++)
		ASSERT_EQ(0, send_number(self->tx, i));
	chan_tx_release(&self->tx);
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 100, CHAN_FOREVER, &options)));
	/* Until there is no room for one of 64 bytes. */
	EXPECT_BATCH(5, 15);
	EXPECT_BATCH(5, 40);
	EXPECT_BATCH(5, 65);
	EXPECT_BATCH(1, 16);
	EXPECT_BATCH(-1000, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, batch_left_while_it_collects)
{
	OPEN_PAIR(2);
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 2, CHAN_FOREVER, NULL)));
	ASSERT_EQ(0, send_number(self->tx, 1));
	ASSERT_EQ(0, send_number(self->tx, 2));
	EXPECT_BATCH(2, 3);
	ASSERT_EQ(0, send_number(self->tx, 3));
	EXPECT_TRUE(wait_until(!info(self->tx.fd).buffered));
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
}

TEST_F(stream, batch_of_messages_of_every_length)
{
	char buf[64 * CHAN_BATCH_ROOM(64)], msg[64];
	size_t len, item_len, at = 0;
	const void *item;
	int i;

	OPEN_PAIR(64);
	for (i = 0; i < 64; i++) {
		fill(msg, i, i);
		ASSERT_EQ(0, CALL(chan_send(self->tx, msg, i)));
	}
	chan_tx_release(&self->tx);
	ASSERT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 64, CHAN_FOREVER, NULL)));
	ASSERT_EQ(1, CALL(chan_recv(self->rx, buf, sizeof(buf), &len)));
	for (i = 0; (item = chan_batch_next(buf, len, &at, &item_len)); i++) {
		EXPECT_EQ(i, item_len);
		EXPECT_TRUE(filled(item, item_len, i));
	}
	EXPECT_EQ(64, i);
}

TEST_F(stream, batch_that_cannot_be)
{
	struct chan_stream_options options = {
		.size = sizeof(options), .max_msg = CHAN_BATCH_ROOM(64) - 1,
	};

	OPEN_PAIR(0);
	EXPECT_EQ(-EINVAL, CALL(chan_batch(self->scope, &self->rx, 0, 0, NULL)));
	EXPECT_EQ(-EMSGSIZE, CALL(chan_batch(self->scope, &self->rx, 1, 0, &options)));
	options.max_msg++;
	EXPECT_EQ(0, CALL(chan_batch(self->scope, &self->rx, 1, 0, &options)));
}

TEST(batch_that_is_cut_off)
{
	_Alignas(8) char batch[32] = "";
	struct chan_batch_item item = { .len = 5 };
	size_t at, len, size;

	memcpy(batch, &item, sizeof(item));
	for (size = 0; size < sizeof(item) + 5; size++) {
		at = 0;
		EXPECT_EQ(NULL, chan_batch_next(batch, size, &at, &len));
		EXPECT_EQ(0, len);
	}
	at = 0;
	EXPECT_EQ(batch + sizeof(item), (char *)chan_batch_next(batch, size, &at, &len));
	EXPECT_EQ(5, len);
	EXPECT_EQ(NULL, chan_batch_next(batch, size, &at, &len));
	item.len = UINT32_MAX;
	memcpy(batch, &item, sizeof(item));
	at = 0;
	EXPECT_EQ(NULL, chan_batch_next(batch, sizeof(batch), &at, &len));
}

/* --- Merge --- */

TEST_F(stream, merge_several)
{
	struct chan_rx in[3];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, CALL(chan_source(self->scope, &in[i], count_to, number(10), NULL)));
	ASSERT_EQ(0, CALL(chan_merge(self->scope, in, 3, &self->rx, NULL)));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-1, in[i].fd);
	EXPECT_EQ(3 * 55, receive_all(self->rx).sum);
	EXPECT_ALL_WELL();
}

TEST_F(stream, merge_none)
{
	ASSERT_EQ(0, CALL(chan_merge(self->scope, NULL, 0, &self->rx, NULL)));
	EXPECT_COUNTED(receive_all(self->rx), 0, 0);
	EXPECT_ALL_WELL();
}

TEST_F(stream, merge_too_many)
{
	static struct chan_rx in[CHAN_SELECT_MAX];

	EXPECT_EQ(-EINVAL, CALL(chan_merge(self->scope, in, CHAN_SELECT_MAX, &self->rx, NULL)));
	EXPECT_EQ(-1, self->rx.fd);
}

/* One that has ended does not keep the others, and an error does not wait for them. */
TEST_F(stream, merge_with_one_that_fails)
{
	struct chan_rx in[3];

	ASSERT_EQ(0, CALL(chan_source(self->scope, &in[0], only_return, NULL, NULL)));
	ASSERT_EQ(0, CALL(chan_source(self->scope, &in[1], count_and_pause, number(2), NULL)));
	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 0, 0, 0, &self->tx, &in[2])));
	ASSERT_EQ(0, CALL(chan_merge(self->scope, in, 3, &self->rx, NULL)));
	EXPECT_EQ(2, receive(self->rx, 2).count);
	ASSERT_EQ(0, CALL(chan_close(self->tx, EPROTO)));
	EXPECT_COUNTED(receive_all(self->rx), 0, -EPROTO);
	let_go(0);
	EXPECT_ALL_WELL();
}

/* --- Tee --- */

TEST_F(stream, tee_to_several)
{
	struct chan_rx out[3];
	long n;
	int i;

	ADD_SOURCE(count_to, 5);
	ASSERT_EQ(0, CALL(chan_tee(self->scope, &self->rx, out, 3, NULL)));
	EXPECT_EQ(-1, self->rx.fd);
	/* In another order each time. */
	for (n = 1; n <= 5; n++)
		for (i = 0; i < 3; i++)
			EXPECT_EQ(n, next_number(out[(i + n) % 3]));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-1000, next_number(out[i]));
		chan_rx_release(&out[i]);
	}
	EXPECT_ALL_WELL();
}

TEST_F(stream, tee_keeps_the_pace_of_the_slowest)
{
	struct chan_stream_options options = { .size = sizeof(options), .capacity = 2 };
	struct chan_rx out[2];

	ADD_SOURCE(count_for_ever, 0);
	ASSERT_EQ(0, CALL(chan_tee(self->scope, &self->rx, out, 2, &options)));
	/* Two are in each buffer, and the third is offered to both. */
	EXPECT_EQ(3, receive(out[0], 3).count);
	EXPECT_TRUE(wait_until(info(out[1].fd).parked_senders == 1));
	EXPECT_EQ(-EAGAIN, try_read(out[0].fd, &options, sizeof(options)));
	EXPECT_EQ(1, receive(out[1], 1).count);
	EXPECT_EQ(1, receive(out[0], 1).count);
	chan_rx_release(&out[0]);
	chan_rx_release(&out[1]);
	EXPECT_ALL_WELL();
}

/* Be it waiting to send to it, or for a message. */
TEST_F(stream, tee_goes_on_when_one_leaves)
{
	struct receiver receiver;
	struct chan_rx out[3];

	OPEN_PAIR(0);
	ASSERT_EQ(0, CALL(chan_tee(self->scope, &self->rx, out, 3, NULL)));
	chan_rx_release(&out[0]);
	self->rx = out[2];
	start_receiver(_metadata, &receiver, self->rx);
	ASSERT_EQ(0, send_number(self->tx, 1));
	EXPECT_EQ(1, join(&receiver));
	EXPECT_TRUE(wait_until(info(out[1].fd).parked_senders == 1));
	chan_rx_release(&out[1]);
	ASSERT_EQ(0, send_number(self->tx, 2));
	EXPECT_EQ(2, next_number(self->rx));
	chan_rx_release(&self->rx);
	EXPECT_ALL_WELL();
	EXPECT_EQ(-EPIPE, send_number(self->tx, 3));
}

TEST_F(stream, tee_tells_all_the_error)
{
	struct chan_rx out[2];

	ADD_SOURCE(only_return, -EIO);
	ASSERT_EQ(0, CALL(chan_tee(self->scope, &self->rx, out, 2, NULL)));
	EXPECT_EQ(-EIO - 1000, next_number(out[0]));
	EXPECT_EQ(-EIO - 1000, next_number(out[1]));
	chan_rx_release(&out[0]);
	chan_rx_release(&out[1]);
	EXPECT_ALL_WELL();
}

TEST_F(stream, tee_to_none_or_too_many)
{
	static struct chan_rx out[CHAN_SELECT_MAX];

	OPEN_PAIR(0);
	EXPECT_EQ(-EINVAL, CALL(chan_tee(self->scope, &self->rx, out, 0, NULL)));
	EXPECT_EQ(-EINVAL, CALL(chan_tee(self->scope, &self->rx, out, CHAN_SELECT_MAX, NULL)));
	EXPECT_EQ(-1, out[CHAN_SELECT_MAX - 1].fd);
}

/* --- Loops --- */

TEST_F(stream, loop_until_a_deadline)
{
	char buf[64];
	struct chan_iter it;

	OPEN_PAIR(1);
	ASSERT_EQ(0, send_number(self->tx, 1));
	it = chan_iter_until(self->rx, buf, sizeof(buf), chan_deadline(50 * CHAN_MILLISECOND));
	EXPECT_EQ(1, CALL(chan_next(&it)));
	EXPECT_EQ(0, CALL(chan_next(&it)));
	EXPECT_EQ(-ETIMEDOUT, chan_iter_error(&it));
	ASSERT_EQ(0, send_number(self->tx, 2));
	EXPECT_EQ(0, CALL(chan_next(&it)));
	EXPECT_EQ(-ETIMEDOUT, chan_iter_error(&it));
	EXPECT_EQ(2, next_number(self->rx));
}

TEST_F(stream, loop_with_too_little_room)
{
	char buf[4];
	struct chan_iter it;

	OPEN_PAIR(1);
	it = chan_iter(self->rx, buf, sizeof(buf));
	EXPECT_EQ(0, chan_iter_error(&it));
	ASSERT_EQ(0, send_number(self->tx, 1));
	EXPECT_EQ(0, CALL(chan_next(&it)));
	EXPECT_EQ(-EMSGSIZE, chan_iter_error(&it));
	EXPECT_EQ(sizeof(long), it.len);
	EXPECT_EQ(1, next_number(self->rx));
}

TEST_F(stream, loop_left_early)
{
	char buf[64];
	struct chan_iter it;

	OPEN_PAIR(2);
	ASSERT_EQ(0, send_number(self->tx, 1));
	ASSERT_EQ(0, CALL(chan_send(self->tx, "", 0)));
	it = chan_iter(self->rx, buf, sizeof(buf));
	EXPECT_EQ(1, CALL(chan_next(&it)));
	EXPECT_EQ(sizeof(long), it.len);
	EXPECT_EQ(0, chan_iter_error(&it));
	EXPECT_EQ(1, CALL(chan_next(&it)));
	EXPECT_EQ(0, it.len);
}

/* @arg: how many to see, and what to return then. */
struct seeing {
	int left;
	int ret;
};

static int see(void *msg, size_t len, void *arg)
{
	struct seeing *seeing = arg;

	stage->seen[0] += message_number(msg, len);
	return --seeing->left ? 0 : seeing->ret;
}

TEST_F(stream, callback_stops)
{
	struct seeing seeing = { .left = 2, .ret = CHAN_STOP };
	char buf[64];

	ADD_SOURCE(count_for_ever, 0);
	EXPECT_EQ(CHAN_STOP, CALL(chan_for_each(self->rx, buf, sizeof(buf), see, &seeing)));
	EXPECT_EQ(3, stage->seen[0]);
	EXPECT_EQ(3, next_number(self->rx));
}

TEST_F(stream, callback_fails)
{
	struct seeing seeing = { .left = 1, .ret = -EPROTO };
	char buf[64];

	ADD_SOURCE(count_for_ever, 0);
	EXPECT_EQ(-EPROTO, CALL(chan_for_each(self->rx, buf, sizeof(buf), see, &seeing)));
	EXPECT_EQ(2, next_number(self->rx));
}

TEST_F(stream, callback_sees_all)
{
	struct seeing seeing = { .left = -1 };
	char buf[64];

	ADD_SOURCE(count_to, 4);
	EXPECT_EQ(0, CALL(chan_for_each(self->rx, buf, sizeof(buf), see, &seeing)));
	EXPECT_EQ(10, stage->seen[0]);
}

TEST_F(stream, callback_is_told_no_error)
{
	struct seeing seeing = { .left = -1 };
	char buf[64];

	ADD_SOURCE(count_and_fail, 4);
	EXPECT_EQ(-EIO, CALL(chan_for_each(self->rx, buf, sizeof(buf), see, &seeing)));
	EXPECT_EQ(10, stage->seen[0]);
}

/* --- Timers --- */

FIXTURE(timer)
{
	struct chan_timer timer;
	struct chan_case c;
	int files;
};

FIXTURE_SETUP(timer)
{
	self->files = count_fds();
	self->timer.fd = -1;
}

FIXTURE_TEARDOWN(timer)
{
	EXPECT_EQ(0, CALL(chan_timer_release(&self->timer)));
	EXPECT_EQ(-1, self->timer.fd);
	EXPECT_EQ(self->files, count_fds());
}

#define SELECT_TIMER(timeout)						\
({									\
	self->c = chan_case_timer(self->timer);				\
	CALL(chan_select(&self->c, 1, timeout));			\
})

TEST_F(timer, after_once)
{
	long began = now_ms();

	ASSERT_EQ(0, CALL(chan_after(50 * CHAN_MILLISECOND, &self->timer)));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->timer.fd, F_GETFD));
	EXPECT_EQ(0, SELECT_TIMER(CHAN_FOREVER));
	EXPECT_LE(50, now_ms() - began + 1);
	EXPECT_EQ(0, SELECT_TIMER(0));
	EXPECT_EQ(1, CALL(chan_timer_ticks(self->timer)));
	EXPECT_EQ(0, CALL(chan_timer_ticks(self->timer)));
	EXPECT_EQ(-ETIMEDOUT, SELECT_TIMER(100 * CHAN_MILLISECOND));
}

TEST_F(timer, after_no_time)
{
	ASSERT_EQ(0, CALL(chan_after(0, &self->timer)));
	EXPECT_EQ(0, SELECT_TIMER(CHAN_FOREVER));
	EXPECT_EQ(1, CALL(chan_timer_ticks(self->timer)));
}

TEST_F(timer, tick)
{
	long began = now_ms(), ticks = 0, n;

	ASSERT_EQ(0, CALL(chan_tick(10 * CHAN_MILLISECOND, &self->timer)));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->timer.fd, F_GETFD));
	while (ticks < 5) {
		EXPECT_EQ(0, SELECT_TIMER(CHAN_FOREVER));
		n = CALL(chan_timer_ticks(self->timer));
		ASSERT_LT(0, n);
		ticks += n;
	}
	EXPECT_LE(10 * ticks, now_ms() - began + 1);
}

/* None of those is missed that came meanwhile. */
TEST_F(timer, late_for_a_tick)
{
	long end;

	ASSERT_EQ(0, CALL(chan_tick(10 * CHAN_MILLISECOND, &self->timer)));
	/* From when it runs, and more than 59 ms, for now_ms() rounds down. */
	end = now_ms() + 60;
	while (now_ms() < end)
		nap();
	/* The processor whose interrupt it is may be late, and none counts before the first. */
	EXPECT_EQ(0, SELECT_TIMER(CHAN_FOREVER));
	EXPECT_LE(5, CALL(chan_timer_ticks(self->timer)));
}

TEST_F(timer, never)
{
	ASSERT_EQ(0, CALL(chan_after(CHAN_FOREVER, &self->timer)));
	EXPECT_EQ(-1, self->timer.fd);
	EXPECT_EQ(-EAGAIN, SELECT_TIMER(0));
	EXPECT_EQ(0, CALL(chan_timer_ticks(self->timer)));
	ASSERT_EQ(0, CALL(chan_tick(CHAN_FOREVER, &self->timer)));
	EXPECT_EQ(-EAGAIN, SELECT_TIMER(0));
	self->c = chan_case_never();
	EXPECT_EQ(-EAGAIN, CALL(chan_select(&self->c, 1, 0)));
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_select(&self->c, 1, 20 * CHAN_MILLISECOND)));
}

TEST_F(timer, that_cannot_be)
{
	struct rlimit limit;

	EXPECT_EQ(-EINVAL, CALL(chan_tick(0, &self->timer)));
	EXPECT_EQ(-1, self->timer.fd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = self->files;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, CALL(chan_after(1, &self->timer)));
	EXPECT_EQ(-EMFILE, CALL(chan_tick(1, &self->timer)));
	EXPECT_EQ(-1, self->timer.fd);
	self->timer.fd = 1000;
	EXPECT_EQ(-EBADF, CALL(chan_timer_ticks(self->timer)));
	EXPECT_EQ(-EBADF, CALL(chan_timer_release(&self->timer)));
}

/* A message, or the time is over, or a tick: one list. */
TEST_F(timer, beside_a_channel)
{
	struct chan_timer over;
	struct chan_tx tx;
	struct chan_rx rx;
	char c;

	ASSERT_EQ(0, CALL(chan_pair(1, 1, 0, &tx, &rx)));
	ASSERT_EQ(0, CALL(chan_after(30 * CHAN_MILLISECOND, &over)));
	struct chan_case cases[] = {
		chan_case_recv(rx, &c, 1), chan_case_timer(over), chan_case_never(),
	};

	EXPECT_EQ(1, CALL(chan_select(cases, 3, CHAN_FOREVER)));
	EXPECT_EQ(1, CALL(chan_timer_ticks(over)));
	ASSERT_EQ(0, CALL(chan_send(tx, "x", 1)));
	EXPECT_EQ(0, CALL(chan_select(cases, 3, CHAN_FOREVER)));
	EXPECT_EQ(0, CALL(chan_timer_release(&over)));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

TEST_HARNESS_MAIN
