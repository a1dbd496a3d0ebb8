// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a message on any of several links, and CHAN_IOC_SELECT with one
 * case in the place of read and write.
 *
 * A fan is links side by side, which messages go over in turn. What receives
 * finds out which of them has one: a select takes the message in the same call,
 * poll and epoll tell where it is and a read follows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/chan.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"

/* Files of the benchmark beside those of a fan. */
#define OTHER_DESCRIPTORS	64

/**
 * struct fan - links that messages go over in turn
 * @carrier: what each of them is.
 * @width: how many.
 * @next: the one that the sender takes next.
 * @epoll_fd: knows them all; -1 where nothing has to.
 * @links: all of them.
 */
struct fan {
	const struct mechanism *carrier;
	unsigned int width;
	unsigned int next;
	int epoll_fd;
	struct link links[];
};

/* --- What all fans do --- */

static int open_fan(struct link *link, const struct mechanism *via, size_t size)
{
	struct fan *fan;
	unsigned int i;

	if (allow_descriptors(2 * via->width + OTHER_DESCRIPTORS))
		return -1;
	fan = page_aligned(sizeof(*fan) + via->width * sizeof(fan->links[0]));
	*fan = (struct fan){ .carrier = via->carrier, .width = via->width, .epoll_fd = -1 };
	for (i = 0; i < fan->width; i++) {
		if (open_link(&fan->links[i], fan->carrier, size))
			return -1;
	}
	link->fan = fan;
	link->send_fd = fan->links[0].send_fd;
	link->recv_fd = fan->links[0].recv_fd;
	return 0;
}

void close_fan(struct fan *fan)
{
	unsigned int i;

	for (i = 0; i < fan->width; i++)
		close_link(&fan->links[i]);
	if (fan->epoll_fd >= 0)
		close(fan->epoll_fd);
	free(fan);
}

static void send_in_turn(const struct link *link, const void *buf, size_t size)
{
	struct fan *fan = link->fan;

	fan->carrier->send(&fan->links[fan->next], buf, size);
	if (++fan->next == fan->width)
		fan->next = 0;
}

/* --- Select --- */

static __u64 address(const void *pointer)
{
	return (uintptr_t)pointer;
}

static struct chan_case *select_case(int fd, struct chan_case *cases, unsigned int ncases)
{
	struct chan_select select = {
		.cases = address(cases),
		.ncases = ncases,
		.case_size = sizeof(*cases),
		.deadline = CHAN_SELECT_FOREVER,
	};
	struct chan_case *chosen;

	if (ioctl(fd, CHAN_IOC_SELECT, &select))
		die("CHAN_IOC_SELECT");
	chosen = &cases[select.index];
	if (chosen->status) {
		errno = -chosen->status;
		die("chosen case");
	}
	return chosen;
}

static void check_length(const struct chan_case *chosen, size_t size)
{
	if (chosen->len != size) {
		errno = EBADMSG;
		die("length of the message");
	}
}

static void watch_by_select(struct link *link, void *room, size_t size)
{
	const struct fan *fan = link->fan;
	struct chan_case *cases = page_aligned(fan->width * sizeof(*cases));
	unsigned int i;

	for (i = 0; i < fan->width; i++) {
		cases[i] = (struct chan_case){
			.fd = fan->links[i].recv_fd,
			.op = CHAN_RECV,
			.buf = address(room),
			.len = size,
		};
	}
	link->watched = cases;
}

static void recv_by_select(const struct link *link, void *buf, size_t size)
{
	(void)buf;
	check_length(select_case(link->recv_fd, link->watched, link->fan->width), size);
}

static void try_by_select(const struct link *link)
{
	struct chan_select select = {
		.cases = address(link->watched),
		.ncases = link->fan->width,
		.case_size = sizeof(struct chan_case),
	};

	if (!ioctl(link->recv_fd, CHAN_IOC_SELECT, &select) || errno != EAGAIN)
		die("CHAN_IOC_SELECT of nothing");
}

/* --- Poll --- */

static void watch_by_poll(struct link *link, void *room, size_t size)
{
	const struct fan *fan = link->fan;
	struct pollfd *polled = page_aligned(fan->width * sizeof(*polled));
	unsigned int i;

	(void)room;
	(void)size;
	for (i = 0; i < fan->width; i++) {
		polled[i] = (struct pollfd){
			.fd = fan->links[i].recv_fd,
			.events = POLLIN,
		};
	}
	link->watched = polled;
}

static void recv_by_poll(const struct link *link, void *buf, size_t size)
{
	const struct fan *fan = link->fan;
	struct pollfd *polled = link->watched;
	unsigned int i = 0;

	if (poll(polled, fan->width, -1) < 1)
		die("poll");
	while (!polled[i].revents)
		i++;
	fan->carrier->recv(&fan->links[i], buf, size);
}

static void try_by_poll(const struct link *link)
{
	if (poll(link->watched, link->fan->width, 0))
		die("poll of nothing");
}

/* --- Epoll --- */

static int open_epoll(struct link *link, const struct mechanism *via, size_t size)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct fan *fan;
	unsigned int i;

	if (open_fan(link, via, size))
		return -1;
	fan = link->fan;
	fan->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < fan->width; i++) {
		event.data.u32 = i;
		if (epoll_ctl(fan->epoll_fd, EPOLL_CTL_ADD, fan->links[i].recv_fd, &event))
			die("epoll_ctl");
	}
	return 0;
}

static void recv_by_epoll(const struct link *link, void *buf, size_t size)
{
	const struct fan *fan = link->fan;
	struct epoll_event event;

	if (epoll_wait(fan->epoll_fd, &event, 1, -1) < 1)
		die("epoll_wait");
	fan->carrier->recv(&fan->links[event.data.u32], buf, size);
}

static void try_by_epoll(const struct link *link)
{
	struct epoll_event event;

	if (epoll_wait(link->fan->epoll_fd, &event, 1, 0))
		die("epoll_wait of nothing");
}

/* --- One link out of many --- */

struct mechanism select_over(enum select_way way, unsigned int width)
{
	static const struct mechanism ways[] = {
		[BY_SELECT] = { .name = "chan", .open = open_fan, .watch = watch_by_select,
				.recv = recv_by_select, .try = try_by_select },
		[BY_POLL] = { .name = "poll", .open = open_fan, .watch = watch_by_poll,
			      .recv = recv_by_poll, .try = try_by_poll },
		[BY_EPOLL] = { .name = "epoll", .open = open_epoll,
			       .recv = recv_by_epoll, .try = try_by_epoll },
	};
	struct mechanism over = ways[way];

	over.carrier = find_mechanism(way == BY_SELECT ? "chan" : "pipe");
	over.width = width;
	over.send = send_in_turn;
	return over;
}

int try_links(const struct mechanism *via, unsigned int count, struct cost *cost)
{
	char room[8];
	struct link link;
	unsigned int i;
	__u64 start;

	if (open_link(&link, via, sizeof(room)))
		return -1;
	watch_link(&link, via, room, sizeof(room));
	for (i = 0; i < count; i++)
		via->try(&link);
	start = now();
	for (i = 0; i < count; i++)
		via->try(&link);
	*cost = (struct cost){ .ticks = (double)(now() - start) / count };
	close_link(&link);
	return 0;
}

/* --- One link alone --- */

static void send_alone(const struct link *link, const void *buf, size_t size)
{
	struct chan_case one = {
		.fd = link->send_fd,
		.op = CHAN_SEND,
		.buf = address(buf),
		.len = size,
	};

	select_case(link->send_fd, &one, 1);
}

static void recv_alone(const struct link *link, void *buf, size_t size)
{
	struct chan_case one = {
		.fd = link->recv_fd,
		.op = CHAN_RECV,
		.buf = address(buf),
		.len = size,
	};

	check_length(select_case(link->recv_fd, &one, 1), size);
}

/* select_alone: over what @carrier is, with selects instead of its calls. */
struct mechanism select_alone(const char *carrier)
{
	struct mechanism alone = *find_mechanism(carrier);

	alone.send = send_alone;
	alone.recv = recv_alone;
	return alone;
}
