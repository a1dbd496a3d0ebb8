/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libchan share.
 */
#ifndef _LIBCHAN_INTERNAL_H
#define _LIBCHAN_INTERNAL_H

#include <chan.h>

/* The rest is hidden: the library is built with -fvisibility=hidden. */
#define CHAN_API	__attribute__((__visibility__("default")))

/* Zeroed memory or %NULL, and errno as it was. */
void *sys_calloc(size_t n, size_t size);

/*
 * System calls as the library reports them: 0 or more, or a negative error
 * number, and errno as it was.
 */
int sys_open(const char *path, int flags);
int sys_close(int fd);
int sys_getfl(int fd);
int sys_ioctl(int fd, unsigned long request, void *arg);
int sys_ioctl_wait(int fd, unsigned long request, void *arg);

int ctl_open(void);
int ctl_ioctl(unsigned long request, void *arg);
int query_ioctl(int fd, unsigned long request, void *arg, size_t size);

/*
 * Take what is there of @options, be it of an older or a newer program: they have
 * @size bytes, and never had less than @oldest.  None at all are all 0.
 */
int copy_sized(void *copy, size_t known, const void *options, size_t size,
	       size_t oldest);

/* An anonymous channel made on @ctl, a file of /dev/chanctl. */
int pair_on(int ctl, unsigned int capacity, unsigned int max_msg,
	    unsigned int flags, struct chan_tx *tx, struct chan_rx *rx);

/* A select made on @fd, which is any file of the module. */
int select_on(int fd, struct chan_case *cases, unsigned int n,
	      uint64_t deadline);
/* A select of one case, made on its end; that there is none is %-EBADF. */
int select_one(struct chan_case *c, uint64_t deadline);

#endif /* _LIBCHAN_INTERNAL_H */
