// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: request and reply.
 *
 * DOC: Lines
 *
 * A call borrows a line, a channel for its replies, and nobody else uses that as
 * long as it lasts.  The lines that are free stand as messages in a buffered
 * channel, so that all processes and threads can borrow and give back, and wait.
 * With the line goes the id of the next request on it, which is therefore never one
 * that was there before: an answer that comes late has another id, and is dropped.
 *
 * DOC: Who never waits
 *
 * A server is not to wait for one who has given up.  Each line buffers %LATE_MAX
 * replies.  Who calls has emptied the buffer before, and receives all that comes
 * while it waits; and of a call that was given up there is one reply at most in each
 * server.  So the buffer has room for the replies of that many servers.  Beyond that
 * the deadline of the request limits what a reply may wait.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define LATE_MAX 64
#define LINES_DEFAULT 8
#define LINES_MAX 1024
#define LENGTH_DEFAULT 4096

/* Before a request. */
struct request_head {
	uint64_t id;
	uint64_t deadline;
	uint32_t line;
	uint32_t reserved;
};

/* Before a reply. */
struct reply_head {
	uint64_t id;
	int32_t status;
	uint32_t reserved;
};

/* For @free_line.line: none has been borrowed. */
#define NO_LINE UINT32_MAX

/* A line that is free; @dirty when a call on it was given up, ever. */
struct free_line {
	uint64_t next_id;
	uint32_t line;
	uint32_t dirty;
};

/**
 * struct chan_client - that side of a service which calls
 * @requests: where requests go.
 * @free: where lines are borrowed.
 * @back: and given back.
 * @n: how many lines there are.
 * @max_request: the longest request.
 * @room: how much there is of @rooms for a line.
 * @rooms: for each line, room for a request or a reply with its head.
 * @lines: where the replies come.
 */
struct chan_client {
	struct chan_tx requests;
	struct chan_rx free;
	struct chan_tx back;
	unsigned int n;
	size_t max_request;
	size_t room;
	char *rooms;
	struct chan_rx lines[];
};

/**
 * struct chan_server - that side of a service which answers
 * @requests: where requests come.
 * @n: how many lines there are.
 * @max_request: the longest request.
 * @max_reply: the longest reply.
 * @lines: where the replies go.
 */
struct chan_server {
	struct chan_rx requests;
	unsigned int n;
	size_t max_request;
	size_t max_reply;
	struct chan_tx lines[];
};

/* --- Opening and releasing --- */

CHAN_API void chan_client_release(struct chan_client *client)
{
	unsigned int i;

	if (!client)
		return;
	chan_tx_release(&client->requests);
	chan_rx_release(&client->free);
	chan_tx_release(&client->back);
	for (i = 0; i < client->n; i++)
		chan_rx_release(&client->lines[i]);
	free(client->rooms);
	free(client);
}

CHAN_API void chan_server_release(struct chan_server *server)
{
	unsigned int i;

	if (!server)
		return;
	chan_rx_release(&server->requests);
	for (i = 0; i < server->n; i++)
		chan_tx_release(&server->lines[i]);
	free(server);
}

static struct chan_client *client_alloc(const struct chan_service_options *o)
{
	struct chan_client *client;
	unsigned int i;
	size_t reply;

	client = sys_calloc(1, sizeof(*client) +
				       o->lines * sizeof(struct chan_rx));
	if (!client)
		return NULL;
	client->requests.fd = -1;
	client->free.fd = -1;
	client->back.fd = -1;
	client->n = o->lines;
	for (i = 0; i < client->n; i++)
		client->lines[i].fd = -1;
	client->max_request = o->max_request;
	client->room = sizeof(struct request_head) + o->max_request;
	reply = sizeof(struct reply_head) + o->max_reply;
	if (reply > client->room)
		client->room = reply;
	client->room = (client->room + 7) / 8 * 8;
	client->rooms = sys_calloc(client->n, client->room);
	return client;
}

static struct chan_server *server_alloc(const struct chan_service_options *o)
{
	struct chan_server *server;
	unsigned int i;

	server = sys_calloc(1, sizeof(*server) +
				       o->lines * sizeof(struct chan_tx));
	if (!server)
		return NULL;
	server->requests.fd = -1;
	server->n = o->lines;
	for (i = 0; i < server->n; i++)
		server->lines[i].fd = -1;
	server->max_request = o->max_request;
	server->max_reply = o->max_reply;
	return server;
}

static int make_line(struct chan_scope *scope, struct chan_client *client,
		     struct chan_server *server, unsigned int i)
{
	struct free_line line = { .line = i };
	int ret;

	ret = chan_scope_pair(scope, LATE_MAX,
			      sizeof(struct reply_head) + server->max_reply, 0,
			      &server->lines[i], &client->lines[i]);
	return ret ?: chan_try_send(client->back, &line, sizeof(line));
}

static int make_channels(struct chan_scope *scope, struct chan_client *client,
			 struct chan_server *server)
{
	unsigned int i;
	int ret;

	ret = chan_scope_pair(scope, 0,
			      sizeof(struct request_head) + client->max_request,
			      0, &client->requests, &server->requests);
	if (!ret)
		ret = chan_scope_pair(scope, client->n,
				      sizeof(struct free_line), 0,
				      &client->back, &client->free);
	for (i = 0; i < client->n && !ret; i++)
		ret = make_line(scope, client, server, i);
	return ret;
}

#define OPTIONS_SIZE_VER0 16

static int copy_options(const struct chan_service_options *options,
			struct chan_service_options *copy)
{
	int ret;

	ret = copy_sized(copy, sizeof(*copy), options,
			 options ? options->size : 0, OPTIONS_SIZE_VER0);
	if (ret)
		return ret;
	copy->lines = copy->lines ?: LINES_DEFAULT;
	copy->max_request = copy->max_request ?: LENGTH_DEFAULT;
	copy->max_reply = copy->max_reply ?: LENGTH_DEFAULT;
	return copy->lines > LINES_MAX || copy->max_request > CHAN_MAX_MSG ||
			       copy->max_reply > CHAN_MAX_MSG ?
		       -EINVAL :
		       0;
}

CHAN_API int chan_service_open(struct chan_scope *scope,
			       const struct chan_service_options *options,
			       struct chan_client **client,
			       struct chan_server **server)
{
	struct chan_service_options copy;
	int ret;

	*client = NULL;
	*server = NULL;
	ret = copy_options(options, &copy);
	if (ret)
		return ret;
	*client = client_alloc(&copy);
	*server = server_alloc(&copy);
	ret = -ENOMEM;
	if (*client && (*client)->rooms && *server)
		ret = make_channels(scope, *client, *server);
	if (!ret)
		return 0;
	chan_client_release(*client);
	chan_server_release(*server);
	*client = NULL;
	*server = NULL;
	return ret;
}

/* --- Calling --- */

struct call {
	struct chan_client *client;
	struct free_line line;
	char *room;
	size_t reply_len;
	uint64_t deadline;
	uint32_t was_dirty;
};

/* There is room for it, so this does not wait. */
static void give_back(void *arg)
{
	struct call *call = arg;
	int ret;

	if (call->line.line == NO_LINE)
		return;
	call->line.next_id++;
	ret = chan_send_until(call->client->back, &call->line,
			      sizeof(call->line), 0);
	/* With the scope the service is over. */
	(void)ret;
}

static int drop_late(struct call *call, struct chan_rx line)
{
	size_t len;
	int ret;

	do {
		ret = chan_recv_until(line, call->room, call->client->room,
				      &len, 0);
	} while (ret > 0);
	return ret == -EAGAIN ? 0 : ret ?: -EPIPE;
}

static int send_request(struct call *call, const void *request, size_t len)
{
	struct request_head head = {
		.id = call->line.next_id,
		.deadline = call->deadline,
		.line = call->line.line,
	};
	int ret;

	memcpy(call->room, &head, sizeof(head));
	if (len)
		memcpy(call->room + sizeof(head), request, len);
	ret = chan_send_until(call->client->requests, call->room,
			      sizeof(head) + len, call->deadline);
	if (!ret)
		call->line.dirty = 1;
	return ret;
}

/*
 * No request can be sent any more, and an attempt tells why.  The line may not tell
 * yet: the channels of a scope are cancelled one after the other.
 */
static int why_nobody_serves(const struct chan_client *client)
{
	return chan_send_until(client->requests, NULL, 0, 0);
}

/*
 * One reply, or word that there is no server any more; that comes after the
 * replies there are.
 */
static int recv_reply(struct call *call, struct chan_rx line, size_t *len)
{
	struct chan_client *client = call->client;
	struct chan_case cases[] = {
		chan_case_recv(line, call->room, client->room),
		chan_case_poll(client->requests.fd, 0),
	};
	int chosen, ret;

	chosen = chan_select_until(cases, 2, CHAN_SELECT_PRIORITY,
				   call->deadline, NULL);
	if (chosen < 0)
		return chosen;
	ret = chosen ? why_nobody_serves(client) :
		       chan_case_received(&cases[0], len);
	return ret ?: -EPIPE;
}

static int recv_answer(struct call *call, struct chan_rx line)
{
	struct reply_head head;
	size_t len;
	int ret;

	do {
		ret = recv_reply(call, line, &len);
		if (ret < 0)
			return ret;
		memcpy(&head, call->room, sizeof(head));
	} while (len < sizeof(head) || head.id != call->line.next_id);
	call->reply_len = len - sizeof(head);
	call->line.dirty = call->was_dirty;
	return head.status;
}

static int do_call(struct call *call, const void *request, size_t len)
{
	struct chan_rx line = call->client->lines[call->line.line];
	int ret = 0;

	call->room = call->client->rooms + call->line.line * call->client->room;
	call->was_dirty = call->line.dirty;
	if (call->line.dirty)
		ret = drop_late(call, line);
	if (!ret)
		ret = send_request(call, request, len);
	return ret ?: recv_answer(call, line);
}

static int take_reply(const struct call *call, void *reply, size_t size,
		      size_t *reply_len)
{
	*reply_len = call->reply_len;
	if (call->reply_len > size)
		return -EMSGSIZE;
	if (call->reply_len)
		memcpy(reply, call->room + sizeof(struct reply_head),
		       call->reply_len);
	return 0;
}

static int borrow_line(struct call *call)
{
	size_t len;
	int ret;

	ret = chan_recv_until(call->client->free, &call->line,
			      sizeof(call->line), &len, call->deadline);
	if (ret <= 0)
		return ret ?: -EPIPE;
	return 0;
}

CHAN_API int chan_call(struct chan_client *client, const void *request,
		       size_t len, void *reply, size_t size, size_t *reply_len,
		       uint64_t deadline)
{
	struct call call = {
		.client = client,
		.line = { .line = NO_LINE },
		.deadline = deadline,
	};
	int ret;

	*reply_len = 0;
	if (!deadline)
		return -EINVAL;
	if (len > client->max_request)
		return -EMSGSIZE;
	/* First: who is cancelled in the instant it gets a line has it. */
	pthread_cleanup_push(give_back, &call);
	ret = borrow_line(&call);
	if (!ret)
		ret = do_call(&call, request, len);
	if (!ret)
		ret = take_reply(&call, reply, size, reply_len);
	pthread_cleanup_pop(1);
	return ret;
}

/* --- Serving --- */

struct service {
	struct chan_server *server;
	int (*handler)(const struct chan_request *request, void *reply,
		       size_t *len, void *arg);
	void *arg;
	char *request;
	char *reply;
};

static int handle(const struct service *service,
		  const struct chan_request *request, size_t *len)
{
	int ret;

	*len = service->server->max_reply;
	ret = service->handler(request,
			       service->reply + sizeof(struct reply_head), len,
			       service->arg);
	if (ret >= 0 && *len > service->server->max_reply)
		ret = -EMSGSIZE;
	if (ret > CHAN_STOP || ret < -CHAN_MAX_ERROR)
		ret = -EINVAL;
	if (ret < 0)
		*len = 0;
	return ret;
}

/* That nobody waits for it any more is no matter. */
static void answer(const struct service *service,
		   const struct request_head *request, int status, size_t len)
{
	struct reply_head head = {
		.id = request->id,
		.status = status < 0 ? status : 0,
	};
	int ret;

	memcpy(service->reply, &head, sizeof(head));
	do {
		ret = chan_send_until(service->server->lines[request->line],
				      service->reply, sizeof(head) + len,
				      request->deadline);
	} while (ret == -EINTR);
}

/* What is no request can only come from who does not keep to this library. */
static int serve_request(const struct service *service, size_t len,
			 struct chan_request *request)
{
	struct request_head head;
	size_t reply_len;
	int ret;

	if (len < sizeof(head))
		return 0;
	memcpy(&head, service->request, sizeof(head));
	if (head.line >= service->server->n)
		return 0;
	request->data = service->request + sizeof(head);
	request->len = len - sizeof(head);
	request->deadline = head.deadline;
	ret = handle(service, request, &reply_len);
	answer(service, &head, ret, reply_len);
	return ret;
}

static int serve(const struct service *service)
{
	struct chan_server *server = service->server;
	size_t len, room = sizeof(struct request_head) + server->max_request;
	struct chan_request request;
	int ret;

	do {
		ret = chan_recv_from(server->requests, service->request, room,
				     &len, &request.sender,
				     CHAN_SELECT_FOREVER);
		if (ret <= 0)
			return ret;
		ret = serve_request(service, len, &request);
	} while (ret != CHAN_STOP);
	return ret;
}

CHAN_API int chan_serve(struct chan_server *server,
			int (*handler)(const struct chan_request *request,
				       void *reply, size_t *len, void *arg),
			void *arg)
{
	size_t request = sizeof(struct request_head) + server->max_request;
	size_t reply = sizeof(struct reply_head) + server->max_reply;
	struct service service = {
		.server = server,
		.handler = handler,
		.arg = arg,
	};
	char *rooms;
	int ret;

	request = (request + 7) / 8 * 8;
	rooms = sys_calloc(1, request + reply);
	if (!rooms)
		return -ENOMEM;
	service.request = rooms;
	service.reply = rooms + request;
	pthread_cleanup_push(free, rooms);
	ret = serve(&service);
	pthread_cleanup_pop(1);
	return ret;
}
