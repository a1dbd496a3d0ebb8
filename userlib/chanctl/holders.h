/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has files of the module open, as far as the caller may see: root all, others
 * their own processes.
 */
#ifndef _HOLDERS_H
#define _HOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "snapshot.h"

/**
 * struct holder - a file of the module, in a process
 * @process: which.
 * @fd: the file, as the process numbers it.
 * @path: what it is: "/dev/chan0", "/dev/chanctl", "anonymous channel".
 * @channel: the identity of its channel; 0 for a scope.
 * @sends: it can send.
 * @receives: it can receive.
 */
struct holder {
	struct process process;
	int fd;
	char *path;
	unsigned long long channel;
	bool sends, receives;
};

struct holders {
	struct holder *list;
	size_t n;
};

void holders_find(struct holders *h);
void holders_release(struct holders *h);

#endif /* _HOLDERS_H */
