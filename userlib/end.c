// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: ends, from where they come to where they go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "internal.h"

#define NODE_DIR "/dev/"
#define NODE_PREFIX "chan-"
/* CHAN_NAME_SIZE and both of the others count a NUL, one of which is needed. */
#define NODE_PATH_SIZE (sizeof(NODE_DIR NODE_PREFIX) + CHAN_NAME_SIZE - 1)

/* "chan0", "chan-NAME": no other node of the module looks like these. */
static bool is_node_name(const char *name)
{
	size_t digits;

	if (strncmp(name, NODE_PREFIX, strlen(NODE_PREFIX)) == 0)
		return true;
	if (strncmp(name, "chan", 4))
		return false;
	digits = strspn(name + 4, "0123456789");
	return digits && !name[4 + digits];
}

static int node_path(const char *name, char path[NODE_PATH_SIZE])
{
	const char *prefix = is_node_name(name) ? NODE_DIR :
						  NODE_DIR NODE_PREFIX;
	size_t prefix_len = strlen(prefix);
	size_t name_len = strlen(name);

	if (!name_len)
		return -ENOENT;
	if (prefix_len + name_len >= NODE_PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(path, prefix, prefix_len);
	memcpy(path + prefix_len, name, name_len + 1);
	return 0;
}

static int open_node(const char *name, unsigned int flags, int direction)
{
	int open_flags = direction | O_CLOEXEC | O_NOCTTY;
	char path[NODE_PATH_SIZE];
	int ret;

	if (flags & ~CHAN_OPEN_NONBLOCK)
		return -EINVAL;
	if (flags & CHAN_OPEN_NONBLOCK)
		open_flags |= O_NONBLOCK;
	if (strchr(name, '/'))
		return sys_open(name, open_flags);
	ret = node_path(name, path);
	return ret ?: sys_open(path, open_flags);
}

/* Whether @fd is a file on a channel that can do what @able says. */
static int check_end(int fd, __u32 able)
{
	struct chan_info info;
	int ret;

	ret = query_ioctl(fd, CHAN_IOC_INFO, &info, sizeof(info));
	if (ret)
		return ret;
	return info.flags & able ? 0 : -EBADF;
}

static int open_end(const char *name, unsigned int flags, int direction,
		    __u32 able)
{
	int fd, ret;

	fd = open_node(name, flags, direction);
	if (fd < 0)
		return fd;
	ret = check_end(fd, able);
	if (ret) {
		sys_close(fd);
		return ret;
	}
	return fd;
}

static int release_end(int *fd)
{
	int ret = 0;

	if (*fd >= 0)
		ret = sys_close(*fd);
	*fd = -1;
	return ret;
}

CHAN_API int chan_tx_open(const char *name, unsigned int flags,
			  struct chan_tx *tx)
{
	int fd = open_end(name, flags, O_WRONLY, CHAN_INFO_SEND);

	tx->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

CHAN_API int chan_rx_open(const char *name, unsigned int flags,
			  struct chan_rx *rx)
{
	int fd = open_end(name, flags, O_RDONLY, CHAN_INFO_RECV);

	rx->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

CHAN_API int chan_tx_from_fd(int fd, struct chan_tx *tx)
{
	int ret = check_end(fd, CHAN_INFO_SEND);

	tx->fd = ret ? -1 : fd;
	return ret;
}

CHAN_API int chan_rx_from_fd(int fd, struct chan_rx *rx)
{
	int ret = check_end(fd, CHAN_INFO_RECV);

	rx->fd = ret ? -1 : fd;
	return ret;
}

CHAN_API int chan_tx_release(struct chan_tx *tx)
{
	return release_end(&tx->fd);
}

CHAN_API int chan_rx_release(struct chan_rx *rx)
{
	return release_end(&rx->fd);
}

CHAN_API int chan_tx_info(struct chan_tx tx, struct chan_info *info,
			  size_t size)
{
	return query_ioctl(tx.fd, CHAN_IOC_INFO, info, size);
}

CHAN_API int chan_rx_info(struct chan_rx rx, struct chan_info *info,
			  size_t size)
{
	return query_ioctl(rx.fd, CHAN_IOC_INFO, info, size);
}
