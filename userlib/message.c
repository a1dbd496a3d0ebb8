// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: messages, one system call each.
 */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

static int send_result(ssize_t ret, int saved_errno)
{
	if (ret >= 0)
		return 0;
	ret = -errno;
	errno = saved_errno;
	return ret;
}

CHAN_API int chan_send(struct chan_tx tx, const void *buf, size_t len)
{
	int saved_errno = errno;

	/* write() would say 0, and send nothing. */
	if (!len)
		return -EOPNOTSUPP;
	return send_result(write(tx.fd, buf, len), saved_errno);
}

CHAN_API int chan_try_send(struct chan_tx tx, const void *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	int saved_errno = errno;

	if (!len)
		return -EOPNOTSUPP;
	return send_result(pwritev2(tx.fd, &iov, 1, -1, RWF_NOWAIT),
			   saved_errno);
}

static int recv_result(ssize_t ret, size_t *len, int saved_errno)
{
	*len = ret > 0 ? ret : 0;
	if (ret >= 0)
		return ret > 0;
	ret = -errno;
	errno = saved_errno;
	return ret;
}

CHAN_API int chan_recv(struct chan_rx rx, void *buf, size_t size, size_t *len)
{
	int saved_errno = errno;

	return recv_result(read(rx.fd, buf, size), len, saved_errno);
}

/*
 * With no room at all preadv2() returns 0 without asking the module.  No message
 * can be taken that way, so to look is all there is to do.
 */
static int try_recv_nothing(int fd)
{
	struct chan_info info;
	int ret;

	ret = get_info(fd, &info, sizeof(info));
	if (ret)
		return ret;
	if (!(info.flags & CHAN_INFO_RECV))
		return -EBADF;
	if (info.state != CHAN_STATE_CANCELED &&
	    (info.buffered || info.parked_senders))
		return -EMSGSIZE;
	return info.state == CHAN_STATE_OPEN ? -EAGAIN : -(int)info.cause;
}

CHAN_API int chan_try_recv(struct chan_rx rx, void *buf, size_t size,
			   size_t *len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	int saved_errno = errno;

	if (!size) {
		*len = 0;
		return try_recv_nothing(rx.fd);
	}
	return recv_result(preadv2(rx.fd, &iov, 1, -1, RWF_NOWAIT), len,
			   saved_errno);
}
