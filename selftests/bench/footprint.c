// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of an idle anonymous channel.
 *
 * Counted in objects of the slab caches, which hold all that a channel is made
 * of: many channels are made, and the growth of every cache shared out among
 * them. Two files that are not a channel, signalfds, give the share of the
 * files; such a file has eight bytes of its own, which are taken off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/chan.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bench.h"

#define FILES_PER_CHANNEL	2
#define OWN_OF_SIGNALFD		8
/* Objects freed by others a moment ago are gone by then. */
#define QUIET_SECONDS		2

typedef int (*make_fn)(int *fds);

/* slab_bytes: in use now, in all caches together; -1 if that cannot be read. */
static long long slab_bytes(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	long long objects, size, sum = 0;
	char line[512];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %lld %*d %lld", &objects, &size) == 2)
			sum += objects * size;
	}
	fclose(file);
	return sum;
}

static int make_channel(int *fds)
{
	static int ctl = -1;
	struct chan_create create = { .capacity = 0 };

	if (ctl < 0)
		ctl = open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	if (ctl < 0 || ioctl(ctl, CHAN_IOC_CREATE, &create))
		return -1;
	fds[0] = create.send_fd;
	fds[1] = create.recv_fd;
	return 0;
}

static int make_files(int *fds)
{
	sigset_t none;

	sigemptyset(&none);
	fds[0] = signalfd(-1, &none, 0);
	fds[1] = signalfd(-1, &none, 0);
	return fds[1] < 0 ? -1 : 0;
}

static int make_all(make_fn make, int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (make(&fds[FILES_PER_CHANNEL * i]))
			return -1;
	}
	return 0;
}

static void close_all(const int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < FILES_PER_CHANNEL * count; i++)
		close(fds[i]);
}

/* share: bytes for each of @count things made by @make. */
static int share(make_fn make, int *fds, unsigned int count, double *bytes)
{
	long long before, after;

	if (make_all(make, fds, 1))
		return -1;
	close_all(fds, 1);
	settle(QUIET_SECONDS);
	before = slab_bytes();
	if (before < 0 || make_all(make, fds, count))
		return -1;
	settle(QUIET_SECONDS);
	after = slab_bytes();
	close_all(fds, count);
	*bytes = (double)(after - before) / count;
	return 0;
}

int footprint(unsigned int channels, struct footprint *footprint)
{
	unsigned int descriptors = FILES_PER_CHANNEL * channels;
	int *fds = page_aligned(descriptors * sizeof(*fds));
	int ret = -1;

	if (!allow_descriptors(descriptors + 64) &&
	    !share(make_files, fds, channels, &footprint->files) &&
	    !share(make_channel, fds, channels, &footprint->channel)) {
		footprint->files -= FILES_PER_CHANNEL * OWN_OF_SIGNALFD;
		footprint->channel -= footprint->files;
		ret = 0;
	}
	free(fds);
	return ret;
}
