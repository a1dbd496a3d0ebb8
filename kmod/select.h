/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CHAN_IOC_SELECT.
 */
#ifndef _CHAN_SELECT_H
#define _CHAN_SELECT_H

struct chan_request;
struct chan_select;

int select_init(void);
void select_exit(void);
long select_ioctl(struct chan_request *req);
long select_known(struct chan_select __user *user);

#endif /* _CHAN_SELECT_H */
