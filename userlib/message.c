// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: messages, one at a time.
 *
 * Without a deadline one read() or write() does it.  What these cannot express
 * takes a select of one case: a deadline, an empty message, the room that would
 * be needed, the sender.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

/* When a plain send or receive on this file gives up waiting. */
static uint64_t own_deadline(int fd)
{
	int flags = sys_getfl(fd);

	return flags >= 0 && flags & O_NONBLOCK ? 0 : CHAN_SELECT_FOREVER;
}

static int send_result(ssize_t ret, int saved_errno)
{
	if (ret >= 0)
		return 0;
	ret = -errno;
	errno = saved_errno;
	return ret;
}

CHAN_API int chan_send_until(struct chan_tx tx, const void *buf, size_t len,
			     uint64_t deadline)
{
	struct chan_case c = chan_case_send(tx, buf, len);

	return select_one(&c, deadline) ?: c.status;
}

CHAN_API int chan_send(struct chan_tx tx, const void *buf, size_t len)
{
	int saved_errno = errno;

	/* write() would say 0, and send nothing. */
	if (!len)
		return chan_send_until(tx, buf, len, own_deadline(tx.fd));
	return send_result(write(tx.fd, buf, len), saved_errno);
}

CHAN_API int chan_try_send(struct chan_tx tx, const void *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	int saved_errno = errno;

	if (!len)
		return chan_send_until(tx, buf, len, 0);
	return send_result(pwritev2(tx.fd, &iov, 1, -1, RWF_NOWAIT),
			   saved_errno);
}

CHAN_API int chan_recv_from(struct chan_rx rx, void *buf, size_t size,
			    size_t *len, struct chan_sender *sender,
			    uint64_t deadline)
{
	struct chan_case c = chan_case_recv(rx, buf, size);
	int ret;

	*len = 0;
	ret = select_one(&c, deadline);
	if (!ret)
		ret = chan_case_received(&c, len);
	if (sender) {
		sender->pid = ret > 0 ? c.pid : 0;
		sender->uid = ret > 0 ? c.uid : (uid_t)-1;
	}
	return ret;
}

CHAN_API int chan_recv_until(struct chan_rx rx, void *buf, size_t size,
			     size_t *len, uint64_t deadline)
{
	return chan_recv_from(rx, buf, size, len, NULL, deadline);
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

/*
 * read() can neither hand out an empty message nor tell how much room is missing.
 * Another receiver may have been faster meanwhile; then this is like a receive that
 * has come a little later.
 */
static int recv_again(int error, struct chan_rx rx, void *buf, size_t size,
		      size_t *len, uint64_t deadline)
{
	int ret = chan_recv_until(rx, buf, size, len, deadline);

	return ret == -EOPNOTSUPP ? error : ret;
}

CHAN_API int chan_recv(struct chan_rx rx, void *buf, size_t size, size_t *len)
{
	int saved_errno = errno;
	int ret = recv_result(read(rx.fd, buf, size), len, saved_errno);

	if (ret == -EBADMSG || ret == -EMSGSIZE)
		return recv_again(ret, rx, buf, size, len, own_deadline(rx.fd));
	return ret;
}

CHAN_API int chan_try_recv(struct chan_rx rx, void *buf, size_t size,
			   size_t *len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	int saved_errno = errno;
	int ret;

	/* preadv2() would say 0, without asking the module. */
	if (!size)
		return chan_recv_until(rx, buf, size, len, 0);
	ret = recv_result(preadv2(rx.fd, &iov, 1, -1, RWF_NOWAIT), len,
			  saved_errno);
	if (ret == -EBADMSG || ret == -EMSGSIZE)
		return recv_again(ret, rx, buf, size, len, 0);
	return ret;
}
