/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named channels: their device nodes and sysfs attributes.
 */
#ifndef _CHAN_NAMED_H
#define _CHAN_NAMED_H

#include <linux/types.h>

struct chan_request;
struct chan_scope;
struct channel;

long named_adopt(struct chan_scope *scope, struct channel *ch, fmode_t mode);
long named_ioctl_add(struct chan_request *req);
long named_ioctl_remove(struct chan_request *req);

int named_init(void);
void named_go_live(void);
void named_exit(void);

#endif /* _CHAN_NAMED_H */
