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

static int open_pipe(struct link *link, size_t size, unsigned int capacity)
{
	int fds[2];
	size_t room = size * PIPE_MESSAGES;

	(void)capacity;
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

static int open_chan(struct link *link, size_t size, unsigned int capacity)
{
	struct chan_create create = { .capacity = capacity, .max_msg = size };
	int ret, ctl = open("/dev/chanctl", O_RDWR | O_CLOEXEC);

	if (ctl < 0)
		return -1;
	ret = ioctl(ctl, CHAN_IOC_CREATE, &create);
	if (ret)
		die("CHAN_IOC_CREATE");
	close(ctl);
	link->send_fd = create.send_fd;
	link->recv_fd = create.recv_fd;
	return 0;
}

/* --- Sockets --- */

static int open_seqpacket(struct link *link, size_t size, unsigned int capacity)
{
	int fds[2];

	(void)size;
	(void)capacity;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		return -1;
	link->send_fd = fds[0];
	link->recv_fd = fds[1];
	return 0;
}

/* --- POSIX message queues --- */

static int open_mqueue(struct link *link, size_t size, unsigned int capacity)
{
	struct mq_attr attr = { .mq_maxmsg = capacity, .mq_msgsize = size };
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

static int open_eventfd(struct link *link, size_t size, unsigned int capacity)
{
	(void)size;
	(void)capacity;
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
	{ "pipe", 0, 0, open_pipe, send_bytes, recv_bytes },
	{ "chan", 0, 0, open_chan, send_message, recv_message },
	{ "chan64", BUFFERED, 0, open_chan, send_message, recv_message },
	{ "seqpacket", 0, 0, open_seqpacket, send_message, recv_message },
	{ "mqueue", BUFFERED, 0, open_mqueue, send_mqueue, recv_mqueue },
	{ "eventfd", 0, sizeof(__u64), open_eventfd, send_event, recv_message },
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

void close_link(struct link *link)
{
	close(link->send_fd);
	close(link->recv_fd);
}
