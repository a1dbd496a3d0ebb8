/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Payloads and user memory: what the matching must not know of.
 */
#ifndef _CHAN_USERCOPY_H
#define _CHAN_USERCOPY_H

#include "payload.h"

struct iov_iter;

/**
 * struct chan_buf - memory of a user program: a message, or room for one
 * @base: where it begins, if it is in one piece
 * @len: bytes
 * @iter: its pieces, if it is not; %NULL otherwise
 */
struct chan_buf {
	void __user *base;
	size_t len;
	struct iov_iter *iter;
};

bool usercopy_borrow(struct chan_payload *p, const struct chan_buf *from);
int usercopy_inline(struct chan_payload *p, const struct chan_buf *from);
int usercopy_heap(struct chan_payload *p, const struct chan_buf *from);
int payload_to_heap(struct chan_payload *p);
struct chan_msg *payload_to_msg(struct chan_payload *p);
bool usercopy_probe(const struct chan_buf *to);
bool usercopy_writable(void __user *base, size_t len);
bool usercopy_fault_in(const struct chan_buf *to, size_t len);
bool usercopy_out(const struct chan_payload *p, const struct chan_buf *to);
void payload_release(struct chan_payload *p);
void msg_free_list(struct list_head *msgs);

static inline void payload_free(struct chan_payload *p)
{
	if (p->kind >= CHAN_PAYLOAD_HEAP)
		payload_release(p);
}

#endif /* _CHAN_USERCOPY_H */
