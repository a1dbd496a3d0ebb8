/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Payloads and user memory: what the matching must not know of.
 */
#ifndef _CHAN_USERCOPY_H
#define _CHAN_USERCOPY_H

#include "payload.h"

struct iov_iter;

bool usercopy_borrow(struct chan_payload *p, const struct iov_iter *from);
int usercopy_inline(struct chan_payload *p, struct iov_iter *from);
int usercopy_heap(struct chan_payload *p, struct iov_iter *from);
int payload_to_heap(struct chan_payload *p);
struct chan_msg *payload_to_msg(struct chan_payload *p);
bool usercopy_probe(const struct iov_iter *to);
bool usercopy_out(const struct chan_payload *p, struct iov_iter *to);
void payload_free(struct chan_payload *p);
void msg_free_list(struct list_head *msgs);

#endif /* _CHAN_USERCOPY_H */
