/* SPDX-License-Identifier: GPL-2.0-only */
/* All in <linux/sched.h>. */
