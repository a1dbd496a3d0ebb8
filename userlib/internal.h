/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libchan share.
 */
#ifndef _LIBCHAN_INTERNAL_H
#define _LIBCHAN_INTERNAL_H

#include <chan.h>

/* The rest is hidden: the library is built with -fvisibility=hidden. */
#define CHAN_API	__attribute__((__visibility__("default")))

/*
 * System calls as the library reports them: 0 or more, or a negative error
 * number, and errno as it was.
 */
int sys_open(const char *path, int flags);
int sys_close(int fd);
int sys_ioctl(int fd, unsigned long request, void *arg);

int ctl_ioctl(unsigned long request, void *arg);
int get_info(int fd, struct chan_info *info, size_t size);
int query_ioctl(unsigned int nr, size_t size, unsigned long *request);

#endif /* _LIBCHAN_INTERNAL_H */
