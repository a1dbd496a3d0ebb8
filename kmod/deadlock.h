/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does everybody in a scope wait for everybody?
 */
#ifndef _CHAN_DEADLOCK_H
#define _CHAN_DEADLOCK_H

void deadlock_watch(void);
void deadlock_stop(void);

#endif /* _CHAN_DEADLOCK_H */
