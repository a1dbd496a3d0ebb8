/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of libchan share.
 */
#ifndef LIBCHAN_TEST_H
#define LIBCHAN_TEST_H

#include <chan.h>

#include "chan_test.h"

#define ERRNO_BEFORE	1234
#define ERRNO_CHANGED	(-2000000L)

/* The result of a call to the library, which never changes errno. */
#define CALL(call)						\
({								\
	long __ret;						\
								\
	errno = ERRNO_BEFORE;					\
	__ret = (call);						\
	errno == ERRNO_BEFORE ? __ret : ERRNO_CHANGED;		\
})

#endif /* LIBCHAN_TEST_H */
