/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What root can see of all channels and scopes.
 */
#ifndef _CHAN_DEBUGFS_H
#define _CHAN_DEBUGFS_H

void chan_debugfs_init(void);
void chan_debugfs_exit(void);

#endif /* _CHAN_DEBUGFS_H */
