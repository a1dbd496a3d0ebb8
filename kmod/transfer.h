/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One message crosses a channel: the calls that send and receive.
 */
#ifndef _CHAN_TRANSFER_H
#define _CHAN_TRANSFER_H

#include <linux/types.h>

struct channel;
struct chan_buf;

ssize_t channel_send(struct channel *ch, const struct chan_buf *from, bool nowait);
ssize_t channel_recv(struct channel *ch, const struct chan_buf *to, bool nowait);

#endif /* _CHAN_TRANSFER_H */
