// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: anonymous channels, and the end of any channel.
 */
#include "internal.h"

int pair_on(int ctl, unsigned int capacity, unsigned int max_msg,
	    unsigned int flags, struct chan_tx *tx, struct chan_rx *rx)
{
	struct chan_create arg = {
		.capacity = capacity,
		.max_msg = max_msg,
		.flags = flags,
	};
	int ret = sys_ioctl(ctl, CHAN_IOC_CREATE, &arg);

	tx->fd = ret ? -1 : arg.send_fd;
	rx->fd = ret ? -1 : arg.recv_fd;
	return ret;
}

CHAN_API int chan_pair(unsigned int capacity, unsigned int max_msg,
		       unsigned int flags, struct chan_tx *tx,
		       struct chan_rx *rx)
{
	int ctl = ctl_open();
	int ret = pair_on(ctl, capacity, max_msg, flags, tx, rx);

	if (ctl < 0)
		return ctl;
	sys_close(ctl);
	return ret;
}

CHAN_API int chan_close(struct chan_tx tx, int cause)
{
	/* A negative cause becomes a large one, which the kernel refuses. */
	struct chan_close arg = { .error = cause };

	return sys_ioctl(tx.fd, CHAN_IOC_CLOSE, &arg);
}
