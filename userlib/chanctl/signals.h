/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What run is told by signals, and how it sleeps until there is one.
 */
#ifndef _SIGNALS_H
#define _SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

struct chan_scope;

int signals_open(struct chan_scope *scope);
void signals_close(void);
void signals_await(struct chan_scope *scope, bool by_channel);
uint64_t signals_take(int signal);
bool signals_stop(int signal, bool all);
void signals_die(int signal);

#endif /* _SIGNALS_H */
