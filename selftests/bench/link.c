// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mechanisms that are compared, each in the way it is meant to be used.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/chan.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define BUFFERED	64
/* What a pipe holds unless asked, and the most one may ask for. */
#define PIPE_DEFAULT	65536
#define PIPE_MAX	1048576
#define PIPE_MESSAGES	16

/* --- Messages that the kernel keeps apart: one call carries one whole --- */

static void send_message(const struct link *link, const void *buf, size_t size)
{
	if (write(link->send_fd, buf, size) != (ssize_t)size)
		die("write");
}

static void recv_message(const struct link *link, void *buf, size_t size)
{
	if (read(link->recv_fd, buf, size) != (ssize_t)size)
		die("read");
}

/* --- A stream of bytes: go on until the message is complete --- */

static void send_bytes(const struct link *link, const void *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(link->send_fd, (const char *)buf + done, size - done);
		if (n <= 0)
			die("write");
		done += n;
	}
}

static void recv_bytes(const struct link *link, void *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(link->recv_fd, (char *)buf + done, size - done);
		if (n <= 0)
			die("read");
		done += n;
	}
}

static int open_pipe(struct link *link, const struct mechanism *via, size_t size)
{
	int fds[2];
	size_t room = size * PIPE_MESSAGES;

	(void)via;
	if (pipe(fds))
		return -1;
	link->recv_fd = fds[0];
	link->send_fd = fds[1];
	if (room > PIPE_MAX)
		room = PIPE_MAX;
	if (room > PIPE_DEFAULT && fcntl(fds[1], F_SETPIPE_SZ, room) < 0)
		die("F_SETPIPE_SZ");
	return 0;
}

/* --- Channels --- */

/* Where channels are made; none is a scope of their own that is not bound. */
static int scope = -1;

/*
 * enter_scope: make channels from now on in a scope that is bound to a group: to
 * that of @member, 0 for the caller's own. Who is not in it is an owner.
 */
void enter_scope(pid_t member)
{
	struct chan_scope_bind bind = { .pgid = member };

	scope = open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	if (scope < 0)
		die("/dev/chanctl");
	if (ioctl(scope, CHAN_IOC_SCOPE_BIND, &bind))
		die("CHAN_IOC_SCOPE_BIND");
}

static int open_chan(struct link *link, const struct mechanism *via, size_t size)
{
	struct chan_create create = { .capacity = via->capacity, .max_msg = size };
	int ctl = scope < 0 ? open("/dev/chanctl", O_RDWR | O_CLOEXEC) : scope;

	if (ctl < 0)
		return -1;
	if (ioctl(ctl, CHAN_IOC_CREATE, &create))
		die("CHAN_IOC_CREATE");
	if (ctl != scope)
		close(ctl);
	link->send_fd = create.send_fd;
	link->recv_fd = create.recv_fd;
	return 0;
}

/* --- Sockets --- */

static int open_seqpacket(struct link *link, const struct mechanism *via, size_t size)
{
	int fds[2];

	(void)via;
	(void)size;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		return -1;
	link->send_fd = fds[0];
	link->recv_fd = fds[1];
	return 0;
}

/* --- POSIX message queues --- */

static int open_mqueue(struct link *link, const struct mechanism *via, size_t size)
{
	struct mq_attr attr = { .mq_maxmsg = via->capacity, .mq_msgsize = size };
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char name[NAME_MAX];

	if (setrlimit(RLIMIT_MSGQUEUE, &limit))
		return -1;
	snprintf(name, sizeof(name), "/chan-bench-%d", getpid());
	link->send_fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (link->send_fd < 0)
		return -1;
	link->recv_fd = mq_open(name, O_RDONLY);
	if (link->recv_fd < 0)
		die("mq_open");
	mq_unlink(name);
	return 0;
}

static void send_mqueue(const struct link *link, const void *buf, size_t size)
{
	if (mq_send(link->send_fd, buf, size, 0))
		die("mq_send");
}

static void recv_mqueue(const struct link *link, void *buf, size_t size)
{
	if (mq_receive(link->recv_fd, buf, size, NULL) != (ssize_t)size)
		die("mq_receive");
}

/* --- Event counters: eight bytes, which are a number --- */

static int open_eventfd(struct link *link, const struct mechanism *via, size_t size)
{
	(void)via;
	(void)size;
	link->send_fd = eventfd(0, EFD_SEMAPHORE);
	if (link->send_fd < 0)
		return -1;
	link->recv_fd = dup(link->send_fd);
	return link->recv_fd < 0 ? -1 : 0;
}

static void send_event(const struct link *link, const void *buf, size_t size)
{
	static const __u64 one = 1;

	(void)buf;
	send_message(link, &one, size);
}

/* --- All of them --- */

const struct mechanism mechanisms[] = {
	{ .name = "pipe", .open = open_pipe, .send = send_bytes, .recv = recv_bytes },
	{ .name = "chan", .open = open_chan, .send = send_message, .recv = recv_message },
	{ .name = "chan64", .capacity = BUFFERED, .open = open_chan, .send = send_message,
	  .recv = recv_message },
	{ .name = "seqpacket", .open = open_seqpacket, .send = send_message,
	  .recv = recv_message },
	{ .name = "mqueue", .capacity = BUFFERED, .open = open_mqueue, .send = send_mqueue,
	  .recv = recv_mqueue },
	{ .name = "eventfd", .only_size = sizeof(__u64), .open = open_eventfd,
	  .send = send_event, .recv = recv_message },
};

const size_t nmechanisms = ARRAY_SIZE(mechanisms);

const struct mechanism *find_mechanism(const char *name)
{
	size_t i;

	for (i = 0; i < nmechanisms; i++) {
		if (!strcmp(mechanisms[i].name, name))
			return &mechanisms[i];
	}
	errno = ENOENT;
	die(name);
}

int open_link(struct link *link, const struct mechanism *via, size_t size)
{
	*link = (struct link){ .fan = NULL };
	return via->open(link, via, size);
}

/* watch_link: once in each task that receives, on a copy of its own. */
void watch_link(struct link *link, const struct mechanism *via, void *room, size_t size)
{
	if (via->watch)
		via->watch(link, room, size);
}

void close_link(struct link *link)
{
	free(link->watched);
	if (link->fan) {
		close_fan(link->fan);
		return;
	}
	close(link->send_fd);
	close(link->recv_fd);
}
