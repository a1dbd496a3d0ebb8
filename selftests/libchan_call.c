// SPDX-License-Identifier: GPL-2.0-only
/*
 * libchan: request and reply.
 *
 * A request is a number. What the handler does with it the test says through the
 * stage; servers are children, callers are children or threads.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "libchan_stage.h"

FIXTURE(service)
{
	struct chan_scope *scope;
	struct chan_client *client;
	struct chan_server *server;
	int files;
};

FIXTURE_SETUP(service)
{
	stage = shared(_metadata, sizeof(*stage));
	self->files = count_fds();
	ASSERT_EQ(0, CALL(chan_scope_open(NULL, &self->scope)));
}

FIXTURE_TEARDOWN(service)
{
	chan_client_release(self->client);
	chan_server_release(self->server);
	chan_scope_close(self->scope);
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
}

/* --- Servers --- */

struct sides {
	struct chan_client *client;
	struct chan_server *server;
	int (*handler)(const struct chan_request *request, void *reply, size_t *len, void *arg);
};

/* A server is over when no client is left, so it must not have that side. */
static int be_server(void *arg)
{
	struct sides *sides = arg;
	int ret;

	chan_client_release(sides->client);
	count_up(&stage->started);
	ret = chan_serve(sides->server, sides->handler, NULL);
	count_up(&stage->count);
	return ret == CHAN_STOP ? 0 : ret;
}

#define OPEN(...)							\
do {									\
	struct chan_service_options __options = {			\
		.size = sizeof(__options), __VA_ARGS__			\
	};								\
									\
	ASSERT_EQ(0, CALL(chan_service_open(self->scope, &__options,	\
					    &self->client, &self->server))); \
} while (0)

#define SPAWN_SERVER(fn)						\
do {									\
	struct sides __sides = { self->client, self->server, fn };	\
									\
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, be_server, &__sides))); \
} while (0)

/* Only the children serve. */
#define LEAVE_SERVING_TO_CHILDREN()		\
do {						\
	chan_server_release(self->server);	\
	self->server = NULL;			\
} while (0)

#define EXPECT_SERVERS_END()						\
do {									\
	chan_client_release(self->client);				\
	self->client = NULL;						\
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));		\
} while (0)

static long number_of(const struct chan_request *request)
{
	long n = -1;

	if (request->len == sizeof(n))
		memcpy(&n, request->data, sizeof(n));
	return n;
}

static int reply_number(long n, void *reply, size_t *len)
{
	memcpy(reply, &n, sizeof(n));
	*len = sizeof(n);
	return 0;
}

static int square(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	long n = number_of(request);

	(void)arg;
	return reply_number(n * n, reply, len);
}

/* Request N below 8 is held until child N may go on. */
static int hold(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	long n = number_of(request);

	count_up(&stage->most);
	while (n >= 0 && n < 8 && !may_go(n))
		nap();
	return square(request, reply, len, arg);
}

/* --- Calls --- */

static long call_until(struct chan_client *client, long n, uint64_t deadline)
{
	size_t len;
	long reply;
	int ret;

	ret = chan_call(client, &n, sizeof(n), &reply, sizeof(reply), &len, deadline);
	if (ret)
		return ret;
	return len == sizeof(reply) ? reply : -1000;
}

static long call(struct chan_client *client, long n)
{
	return call_until(client, n, CHAN_SELECT_FOREVER);
}

static long call_for(struct chan_client *client, long n, int64_t timeout)
{
	return call_until(client, n, chan_deadline(timeout));
}

struct caller {
	pthread_t thread;
	struct chan_client *client;
	long n;
	long ret;
};

static void *call_one(void *arg)
{
	struct caller *caller = arg;

	caller->ret = call(caller->client, caller->n);
	return NULL;
}

static void start_call(struct __test_metadata *_metadata, struct caller *caller,
		       struct chan_client *client, long n)
{
	caller->client = client;
	caller->n = n;
	ASSERT_EQ(0, pthread_create(&caller->thread, NULL, call_one, caller));
}

static long join(struct caller *caller)
{
	pthread_join(caller->thread, NULL);
	return caller->ret;
}

/* Requests that handlers have begun with. */
static bool begun(int n)
{
	return wait_until(read_int(&stage->most) == n);
}

/* Servers that wait for a request: it is the only channel without a buffer. */
static int idle_servers(void)
{
	struct chan_info info = {};
	int fd;

	for (fd = 0; fd < 1024; fd++)
		if (!ioctl(fd, CHAN_IOC_INFO, &info) && !info.capacity)
			return info.parked_receivers;
	return -1;
}

/* --- A call, and its answer --- */

TEST_F(service, is_answered)
{
	long n;

	OPEN(0);
	SPAWN_SERVER(square);
	LEAVE_SERVING_TO_CHILDREN();
	for (n = 1; n <= 20; n++)
		EXPECT_EQ(n * n, CALL(call(self->client, n)));
	EXPECT_SERVERS_END();
	EXPECT_EQ(1, stage->count);
}

TEST_F(service, files_it_takes)
{
	int before = count_fds();

	OPEN(.lines = 5);
	EXPECT_EQ(before + 3 + 1 + 2 * 5, count_fds());
}

static int count_bytes(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	size_t room = *len;

	(void)arg;
	stage->seen[0] = request->len;
	stage->seen[1] = room;
	memset(reply, 'r', room);
	*len = request->len ? filled(request->data, request->len, 7) ? room : 0 : 0;
	return 0;
}

TEST_F(service, longest_and_shortest)
{
	char request[1000], reply[2000];
	size_t len;

	OPEN(.max_request = sizeof(request), .max_reply = sizeof(reply));
	SPAWN_SERVER(count_bytes);
	LEAVE_SERVING_TO_CHILDREN();
	fill(request, sizeof(request), 7);
	EXPECT_EQ(0, CALL(chan_call(self->client, request, sizeof(request), reply,
				    sizeof(reply), &len, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(sizeof(request), stage->seen[0]);
	EXPECT_EQ(sizeof(reply), stage->seen[1]);
	EXPECT_EQ(sizeof(reply), len);
	EXPECT_TRUE(all_bytes(reply, len, 'r'));
	EXPECT_EQ(0, CALL(chan_call(self->client, NULL, 0, NULL, 0, &len, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(-EMSGSIZE, CALL(chan_call(self->client, request, sizeof(request) + 1, reply,
					    sizeof(reply), &len, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(0, len);
}

TEST_F(service, reply_is_too_long_for_the_caller)
{
	char reply[2001];
	long n = 3;
	size_t len;

	OPEN(.lines = 1);
	SPAWN_SERVER(square);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_EQ(-EMSGSIZE, CALL(chan_call(self->client, &n, sizeof(n), reply, 7, &len,
					    CHAN_SELECT_FOREVER)));
	EXPECT_EQ(sizeof(n), len);
	EXPECT_EQ(16, CALL(call(self->client, 4)));
}

static int return_number(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	(void)reply;
	(void)arg;
	if (number_of(request) == 2)
		++*len;
	return number_of(request);
}

TEST_F(service, handler_fails)
{
	OPEN(.lines = 1);
	SPAWN_SERVER(return_number);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_EQ(-EACCES, CALL(call(self->client, -EACCES)));
	EXPECT_EQ(-EINVAL, CALL(call(self->client, -100000)));
	EXPECT_EQ(-EINVAL, CALL(call(self->client, 3)));
	EXPECT_EQ(-EMSGSIZE, CALL(call(self->client, 2)));
	EXPECT_SERVERS_END();
}

static int stop_after_it(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	square(request, reply, len, arg);
	return CHAN_STOP;
}

TEST_F(service, handler_stops)
{
	OPEN(.lines = 2);
	SPAWN_SERVER(stop_after_it);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_EQ(9, CALL(call(self->client, 3)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(-EPIPE, CALL(call(self->client, 4)));
}

static int tell_request(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	(void)arg;
	stage->seen[0] = request->sender.pid;
	stage->seen[1] = request->sender.uid;
	stage->seen[2] = request->deadline;
	return reply_number((uintptr_t)request->data % 8, reply, len);
}

TEST_F(service, handler_is_told)
{
	uint64_t deadline = chan_deadline(100 * CHAN_SECOND);

	OPEN(0);
	SPAWN_SERVER(tell_request);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_EQ(0, CALL(call_until(self->client, 1, deadline)));
	EXPECT_EQ(getpid(), stage->seen[0]);
	EXPECT_EQ(getuid(), stage->seen[1]);
	EXPECT_EQ(deadline, stage->seen[2]);
}

/* --- Answers that come late --- */

/* The line is the same, and so is the server. */
TEST_F(service, late_answer_is_not_the_next)
{
	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_TRUE(wait_until(idle_servers() == 1));
	EXPECT_EQ(-ETIMEDOUT, CALL(call_for(self->client, 3, 100 * CHAN_MILLISECOND)));
	EXPECT_TRUE(begun(1));
	let_go(3);
	EXPECT_EQ(100, CALL(call(self->client, 10)));
	EXPECT_EQ(121, CALL(call(self->client, 11)));
	EXPECT_SERVERS_END();
}

/* It comes while the next call on that line waits for its own. */
TEST_F(service, late_answer_comes_during_the_next_call)
{
	struct caller caller;

	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_TRUE(wait_until(idle_servers() == 2));
	EXPECT_EQ(-ETIMEDOUT, CALL(call_for(self->client, 3, 100 * CHAN_MILLISECOND)));
	start_call(_metadata, &caller, self->client, 4);
	EXPECT_TRUE(begun(2));
	let_go(3);
	/* Its server has answered when it serves again. */
	EXPECT_TRUE(wait_until(idle_servers() == 1));
	let_go(4);
	EXPECT_EQ(16, join(&caller));
	EXPECT_SERVERS_END();
}

/* A server does not wait for those who have gone. */
TEST_F(service, server_goes_on_without_the_caller)
{
	long n;

	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	for (n = 0; n < 8; n++) {
		EXPECT_EQ(-ETIMEDOUT, CALL(call_for(self->client, n, 20 * CHAN_MILLISECOND)));
		let_go(n);
		EXPECT_EQ(10000, CALL(call(self->client, 100)));
	}
	EXPECT_SERVERS_END();
}

static int call_and_die(void *arg)
{
	struct chan_client **client = arg;

	call(*client, 2);
	return 0;
}

static int kill_from_outside(const struct chan_request *request, void *reply, size_t *len,
			     void *arg)
{
	if (number_of(request) == 2)
		kill(request->sender.pid, SIGKILL);
	return square(request, reply, len, arg);
}

/* Its line is lost, and nothing else. */
TEST_F(service, caller_is_killed)
{
	pid_t pgid = scope_info(self->scope).pgid, pid;
	int status;

	OPEN(.lines = 2);
	SPAWN_SERVER(kill_from_outside);
	LEAVE_SERVING_TO_CHILDREN();
	pid = fork_child();
	if (!pid)
		_exit(setpgid(0, pgid) || call_and_die(&self->client));
	setpgid(pid, pgid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(9, CALL(call(self->client, 3)));
	EXPECT_SERVERS_END();
}

/* --- Time, signals, cancellation --- */

TEST_F(service, no_server_takes_it)
{
	OPEN(.lines = 1);
	EXPECT_EQ(-ETIMEDOUT, CALL(call_for(self->client, 1, 20 * CHAN_MILLISECOND)));
	EXPECT_EQ(-EINVAL, CALL(call_until(self->client, 1, 0)));
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_EQ(-EPIPE, CALL(call(self->client, 1)));
}

TEST_F(service, waits_for_a_line)
{
	struct caller caller;

	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	start_call(_metadata, &caller, self->client, 3);
	EXPECT_TRUE(begun(1));
	EXPECT_EQ(-ETIMEDOUT, CALL(call_for(self->client, 20, 50 * CHAN_MILLISECOND)));
	EXPECT_EQ(1, read_int(&stage->most));
	let_go(3);
	EXPECT_EQ(9, join(&caller));
	EXPECT_EQ(400, CALL(call(self->client, 20)));
	EXPECT_SERVERS_END();
}

static int die_at_it(const struct chan_request *request, void *reply, size_t *len, void *arg)
{
	(void)request;
	(void)reply;
	(void)len;
	(void)arg;
	raise(SIGKILL);
	return 0;
}

/* The answer cannot come any more, and the call does not wait for it. */
TEST_F(service, server_dies)
{
	OPEN(.lines = 1);
	SPAWN_SERVER(die_at_it);
	LEAVE_SERVING_TO_CHILDREN();
	EXPECT_EQ(-EPIPE, CALL(call(self->client, 1)));
	EXPECT_EQ(-EPIPE, CALL(call(self->client, 1)));
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(service, scope_is_canceled)
{
	struct caller caller;

	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	start_call(_metadata, &caller, self->client, 3);
	EXPECT_TRUE(begun(1));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	EXPECT_EQ(-ECANCELED, join(&caller));
	EXPECT_EQ(-ECANCELED, CALL(call(self->client, 1)));
	EXPECT_EQ(-EPROTO, CALL(chan_scope_wait(self->scope, NULL)));
}

/*
 * The channel of the requests is cancelled before the lines are, and has many to
 * tell.
 */
TEST_F(service, scope_is_canceled_bit_by_bit)
{
	struct caller callers[40];
	int i;

	OPEN(.lines = 40);
	for (i = 0; i < 40; i++)
		SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	for (i = 0; i < 40; i++)
		start_call(_metadata, &callers[i], self->client, i % 8);
	EXPECT_TRUE(begun(40));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	for (i = 0; i < 40; i++)
		EXPECT_EQ(-ECANCELED, join(&callers[i]));
}

static void no_handler(int sig)
{
	(void)sig;
}

TEST_F(service, is_interrupted)
{
	struct sigaction action = { .sa_handler = no_handler };
	struct caller caller;

	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	sigaction(SIGUSR1, &action, NULL);
	start_call(_metadata, &caller, self->client, 3);
	EXPECT_TRUE(begun(1));
	/* Until it is received, that it is asleep cannot be known for sure. */
	while (pthread_tryjoin_np(caller.thread, NULL)) {
		pthread_kill(caller.thread, SIGUSR1);
		nap();
	}
	EXPECT_EQ(-EINTR, caller.ret);
	let_go(3);
	EXPECT_EQ(400, CALL(call(self->client, 20)));
	EXPECT_SERVERS_END();
}

/* The line is given back by a thread that is cancelled. */
TEST_F(service, thread_is_canceled)
{
	struct caller caller;

	OPEN(.lines = 1);
	SPAWN_SERVER(hold);
	LEAVE_SERVING_TO_CHILDREN();
	start_call(_metadata, &caller, self->client, 3);
	EXPECT_TRUE(begun(1));
	pthread_cancel(caller.thread);
	pthread_join(caller.thread, NULL);
	let_go(3);
	EXPECT_EQ(400, CALL(call(self->client, 20)));
	EXPECT_SERVERS_END();
}

/* --- Many at once --- */

#define CALLS	100

static void *call_many(void *arg)
{
	struct caller *caller = arg;
	long i, n, reply;

	for (i = 0; i < CALLS; i++) {
		n = caller->n * 1000 + i;
		/* Some give up, as soon as it has been taken or before. */
		reply = call_for(caller->client, n, i % 5 ? 100 * CHAN_SECOND : 1);
		if (reply != n * n && (i % 5 || reply != -ETIMEDOUT))
			caller->ret = -1;
	}
	return NULL;
}

static int be_caller(void *arg)
{
	struct caller *original = arg;
	struct caller callers[3];
	int i, ret = 0;

	for (i = 0; i < 3; i++) {
		callers[i].client = original->client;
		callers[i].n = original->n * 3 + i + 1;
		callers[i].ret = 0;
		if (pthread_create(&callers[i].thread, NULL, call_many, &callers[i]))
			return -ENOMEM;
	}
	for (i = 0; i < 3; i++)
		if (join(&callers[i]))
			ret = -EPROTO;
	return ret;
}

/* Fewer lines than callers, and calls that are given up all the time. */
TEST_F(service, many_clients_and_servers)
{
	struct caller caller;
	int i;

	OPEN(.lines = 5);
	for (i = 0; i < 3; i++)
		SPAWN_SERVER(square);
	LEAVE_SERVING_TO_CHILDREN();
	caller.client = self->client;
	for (i = 0; i < 4; i++) {
		caller.n = i;
		ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, be_caller, &caller)));
	}
	EXPECT_SERVERS_END();
	EXPECT_EQ(3, stage->count);
}

/* --- Opening --- */

TEST_F(service, options_that_are_none)
{
	struct {
		struct chan_service_options known;
		uint64_t more;
	} options = { .known.size = sizeof(options), .more = 1 };

	EXPECT_EQ(-E2BIG, CALL(chan_service_open(self->scope, &options.known, &self->client,
						 &self->server)));
	options.known.size = sizeof(options.known) - 1;
	EXPECT_EQ(-EINVAL, CALL(chan_service_open(self->scope, &options.known, &self->client,
						  &self->server)));
	options.known.size = sizeof(options.known);
	options.known.max_reply = CHAN_MAX_MSG;
	EXPECT_EQ(-EINVAL, CALL(chan_service_open(self->scope, &options.known, &self->client,
						  &self->server)));
	options.known.max_reply = 0;
	options.known.lines = 100000;
	EXPECT_EQ(-EINVAL, CALL(chan_service_open(self->scope, &options.known, &self->client,
						  &self->server)));
	EXPECT_EQ(NULL, self->client);
	EXPECT_EQ(NULL, self->server);
}

TEST_F(service, no_files_are_left)
{
	struct rlimit all, limit;
	int files = count_fds(), ret = -EMFILE;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	limit = all;
	for (limit.rlim_cur = files; ret == -EMFILE; limit.rlim_cur++) {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		ret = CALL(chan_service_open(self->scope, NULL, &self->client, &self->server));
		if (!ret)
			break;
		EXPECT_EQ(-EMFILE, ret);
		EXPECT_EQ(NULL, self->client);
		EXPECT_EQ(NULL, self->server);
		EXPECT_EQ(files, count_fds());
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	EXPECT_EQ(0, ret);
}

TEST_F(service, none_can_be_released)
{
	chan_client_release(NULL);
	chan_server_release(NULL);
}

TEST_HARNESS_MAIN
