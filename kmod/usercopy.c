// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving the bytes of a message between user memory and a payload.  The ways
 * are described in payload.h.
 *
 * No function here is called with a lock held.
 */
#include <asm/futex.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "usercopy.h"

/*
 * Below this, pinning and unpinning the pages costs more than the copy that it
 * saves.
 */
#define CHAN_BORROW_MIN	2048

static struct chan_msg *msg_alloc(u32 len)
{
	struct chan_msg *msg;

	msg = kvmalloc(struct_size(msg, data, len), GFP_KERNEL_ACCOUNT);
	if (msg)
		msg->len = len;
	return msg;
}

/* How many pages a message touches. */
static u32 pin_span(unsigned long addr, u32 len)
{
	return DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE);
}

static void pin_free(struct chan_pin *pin)
{
	unpin_user_pages(pin->pages, pin->nr);
	if (pin->pages != pin->few)
		kvfree(pin->pages);
}

/*
 * Return: false if this memory cannot be pinned, in which case copying has to
 * tell whether it can be read.
 */
static bool pin_user_message(struct chan_pin *pin, unsigned long addr, u32 len)
{
	u32 nr = pin_span(addr, len);
	int pinned;

	pin->pages = pin->few;
	if (nr > ARRAY_SIZE(pin->few)) {
		pin->pages = kvmalloc_array(nr, sizeof(*pin->pages),
					    GFP_KERNEL_ACCOUNT);
		if (!pin->pages)
			return false;
	}
	pin->offset = offset_in_page(addr);
	pin->nr = nr;

	pinned = pin_user_pages_fast(addr & PAGE_MASK, nr, 0, pin->pages);
	if (pinned == nr)
		return true;

	pin->nr = max(pinned, 0);
	pin_free(pin);
	return false;
}

/**
 * usercopy_borrow - make a payload of the sender's own pages
 * @p: the payload
 * @from: the sender's memory
 *
 * Return: false, with nothing changed, if the message is too short for that or
 * its memory not of a kind that can be pinned.
 */
bool usercopy_borrow(struct chan_payload *p, const struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	unsigned long addr;

	if (len < CHAN_BORROW_MIN || !iter_is_ubuf(from))
		return false;
	addr = untagged_addr((unsigned long)from->ubuf + from->iov_offset);
	if (!access_ok((void __user *)addr, len) ||
	    !pin_user_message(&p->pin, addr, len))
		return false;
	p->kind = CHAN_PAYLOAD_PAGES;
	p->len = len;
	return true;
}

/**
 * usercopy_heap - make a payload on the heap from the sender's memory
 * @p: the payload
 * @from: the sender's memory
 *
 * Return: 0, -ENOMEM or -EFAULT.
 */
int usercopy_heap(struct chan_payload *p, struct iov_iter *from)
{
	u32 len = iov_iter_count(from);
	struct chan_msg *msg = msg_alloc(len);

	if (!msg)
		return -ENOMEM;
	if (!copy_from_iter_full(msg->data, len, from)) {
		kvfree(msg);
		return -EFAULT;
	}
	payload_from_msg(p, msg);
	return 0;
}

/**
 * usercopy_inline - make a payload of a short message
 * @p: the payload
 * @from: the sender's memory, at most %CHAN_INLINE bytes
 *
 * Return: 0 or -EFAULT.
 */
int usercopy_inline(struct chan_payload *p, struct iov_iter *from)
{
	u32 len = iov_iter_count(from);

	if (!copy_from_iter_full(p->bytes, len, from))
		return -EFAULT;
	p->kind = CHAN_PAYLOAD_INLINE;
	p->len = len;
	return 0;
}

static struct chan_msg *msg_from_inline(const struct chan_payload *p, gfp_t gfp)
{
	struct chan_msg *msg;

	msg = kmalloc(struct_size(msg, data, p->len), gfp);
	if (!msg)
		return NULL;
	msg->len = p->len;
	memcpy(msg->data, p->bytes, p->len);
	return msg;
}

/**
 * payload_to_heap - let a short message wait in line
 * @p: an inline payload
 *
 * Return: 0 or -ENOMEM.
 */
int payload_to_heap(struct chan_payload *p)
{
	struct chan_msg *msg = msg_from_inline(p, GFP_KERNEL_ACCOUNT);

	if (!msg)
		return -ENOMEM;
	payload_from_msg(p, msg);
	return 0;
}

/**
 * payload_to_msg - take a received message out of its payload
 * @p: an inline or heap payload
 *
 * Its sender has been told that it is delivered, so this must not fail.  It
 * allocates at most %CHAN_INLINE bytes and a header.
 *
 * Return: the message, owned by the caller.
 */
struct chan_msg *payload_to_msg(struct chan_payload *p)
{
	struct chan_msg *msg = p->msg;

	if (p->kind == CHAN_PAYLOAD_INLINE)
		msg = msg_from_inline(p, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	p->kind = CHAN_PAYLOAD_NONE;
	return msg;
}

/* Can this word be written?  Adding nothing to it changes nothing. */
static bool probe_word(unsigned long addr)
{
	u32 __user *word = (u32 __user *)(addr & ~(sizeof(u32) - 1));
	int old;

	return !arch_futex_atomic_op_inuser(FUTEX_OP_ADD, 0, &old, word);
}

/**
 * usercopy_probe - see that the receiver's memory can be written
 * @to: the receiver's memory
 *
 * A sender that meets a parked receiver does not wait for it, so what the
 * receiver finds out later, the sender never hears.  Hence this check before
 * parking.  It covers as much as such a sender copies, and brings the pages in.
 *
 * Return: false if that memory cannot be written.
 */
bool usercopy_probe(const struct iov_iter *to)
{
	size_t len = min_t(size_t, iov_iter_count(to), CHAN_BORROW_MIN);
	unsigned long addr, last;

	if (!len)
		return true;
	if (!iter_is_ubuf(to))
		return !fault_in_iov_iter_writeable(to, len);
	addr = (unsigned long)to->ubuf + to->iov_offset;
	last = addr + len - 1;
	return probe_word(addr) &&
	       ((addr ^ last) < PAGE_SIZE || probe_word(last));
}

static bool pin_copy_out(const struct chan_pin *pin, u32 len,
			 struct iov_iter *to)
{
	u32 offset = pin->offset;
	u32 i;

	for (i = 0; i < pin->nr; i++) {
		u32 part = min_t(u32, len, PAGE_SIZE - offset);
		void *from = kmap_local_page(pin->pages[i]);
		size_t copied = copy_to_iter(from + offset, part, to);

		kunmap_local(from);
		if (copied != part)
			return false;
		len -= part;
		offset = 0;
	}
	return true;
}

/**
 * usercopy_out - give a message to the receiver's memory
 * @p: the payload
 * @to: the receiver's memory, with room enough; advanced only on success
 *
 * Sleeps on page faults unless the caller has disabled them.
 *
 * Return: false if that memory cannot be written.
 */
bool usercopy_out(const struct chan_payload *p, struct iov_iter *to)
{
	size_t room = iov_iter_count(to);
	bool copied;

	switch (p->kind) {
	case CHAN_PAYLOAD_INLINE:
		copied = copy_to_iter(p->bytes, p->len, to) == p->len;
		break;
	case CHAN_PAYLOAD_HEAP:
		copied = copy_to_iter(p->msg->data, p->len, to) == p->len;
		break;
	default:
		copied = pin_copy_out(&p->pin, p->len, to);
		break;
	}
	if (unlikely(!copied))
		iov_iter_revert(to, room - iov_iter_count(to));
	return copied;
}

/**
 * payload_free - let go of what a payload holds
 * @p: the payload; holds nothing afterwards
 */
void payload_free(struct chan_payload *p)
{
	if (p->kind == CHAN_PAYLOAD_HEAP)
		kvfree(p->msg);
	else if (p->kind == CHAN_PAYLOAD_PAGES)
		pin_free(&p->pin);
	p->kind = CHAN_PAYLOAD_NONE;
}

/**
 * msg_free_list - free messages
 * @msgs: list of &struct chan_msg
 */
void msg_free_list(struct list_head *msgs)
{
	struct chan_msg *msg, *next;

	list_for_each_entry_safe(msg, next, msgs, node)
		kvfree(msg);
}
