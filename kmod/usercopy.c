// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving the bytes of a message between user memory and a payload.  The ways
 * are described in payload.h.
 *
 * No function here is called with a lock held.
 */
#include <linux/capability.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>

#include <asm/futex.h>

#include "user.h"
#include "usercopy.h"

/* So that a spare message suits others of about its length. */
#define CHAN_ROOM_STEP 64

static struct chan_msg *msg_alloc(u32 len, gfp_t gfp)
{
	struct chan_msg *msg;
	size_t size = ALIGN(struct_size(msg, data, len), CHAN_ROOM_STEP);

	msg = chan_alloc(size, gfp);
	if (msg) {
		msg->len = len;
		msg->room = size - sizeof(*msg);
	}
	return msg;
}

/* How many pages a message touches. */
static u32 pin_span(unsigned long addr, u32 len)
{
	return DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE);
}

/* As much as the process may lock in memory. */
static bool pin_charge(u32 nr)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	atomic64_t *pinned = &current->mm->pinned_vm;

	if (atomic64_add_return(nr, pinned) <= limit ||
	    ns_capable_noaudit(&init_user_ns, CAP_IPC_LOCK))
		return true;
	atomic64_sub(nr, pinned);
	return false;
}

/* By the sender's task, which has been here all the time. */
static void pin_uncharge(struct chan_pin *pin, u32 nr)
{
	if (pin->pages != pin->few)
		kvfree(pin->pages);
	atomic64_sub(nr, &current->mm->pinned_vm);
}

static void pin_free(struct chan_pin *pin)
{
	unpin_user_pages(pin->pages, pin->nr);
	pin_uncharge(pin, pin->nr);
}

static struct page **pin_room(struct chan_pin *pin, u32 nr)
{
	if (nr <= ARRAY_SIZE(pin->few))
		return pin->few;
	return chan_alloc(array_size(nr, sizeof(*pin->pages)), GFP_CHAN);
}

/*
 * Return: false if this memory cannot be pinned, in which case copying has to
 * tell whether it can be read.
 */
static bool pin_user_message(struct chan_pin *pin, unsigned long addr, u32 len)
{
	u32 nr = pin_span(addr, len);
	int pinned = 0;

	if (!pin_charge(nr))
		return false;
	pin->offset = offset_in_page(addr);
	pin->nr = nr;
	pin->pages = pin_room(pin, nr);
	/* How long it takes is up to the receivers, hence long-term. */
	if (pin->pages)
		pinned = pin_user_pages_fast(addr & PAGE_MASK, nr,
					     FOLL_LONGTERM, pin->pages);
	if (pinned == nr)
		return true;

	if (pinned > 0)
		unpin_user_pages(pin->pages, pinned);
	pin_uncharge(pin, nr);
	return false;
}

/* In line, like copy_out(): these are on the way of every message. */
static __always_inline bool copy_in(void *to, const struct chan_buf *from)
{
	if (likely(!from->iter))
		return !copy_from_user(to, from->base, from->len);
	return copy_from_iter_full(to, from->len, from->iter);
}

/**
 * usercopy_borrow - make a payload of the sender's own pages
 * @p: the payload
 * @from: the sender's memory
 *
 * Return: false, with nothing changed, if the message is in pieces, or in memory
 * that cannot be pinned.
 */
bool usercopy_borrow(struct chan_payload *p, const struct chan_buf *from)
{
	if (from->iter)
		return false;
	if (!access_ok(from->base, from->len) ||
	    !pin_user_message(p->pin, untagged_addr((unsigned long)from->base),
			      from->len))
		return false;
	p->kind = CHAN_PAYLOAD_PAGES;
	p->len = from->len;
	return true;
}

/**
 * usercopy_heap - make a payload on the heap from the sender's memory
 * @p: the payload, which knows already who sends it
 * @from: the sender's memory
 *
 * Return: 0, -ENOMEM or -EFAULT.
 */
int usercopy_heap(struct chan_payload *p, const struct chan_buf *from)
{
	struct chan_msg *msg = msg_alloc(from->len, GFP_CHAN);

	if (!msg)
		return -ENOMEM;
	if (!copy_in(msg->data, from)) {
		kvfree(msg);
		return -EFAULT;
	}
	msg->from = p->from;
	p->len = from->len;
	payload_on_heap(p, msg);
	return 0;
}

/**
 * usercopy_inline - make a payload of a short message
 * @p: the payload
 * @from: the sender's memory, at most %CHAN_INLINE bytes
 *
 * Return: 0 or -EFAULT.
 */
int usercopy_inline(struct chan_payload *p, const struct chan_buf *from)
{
	if (!copy_in(p->bytes, from))
		return -EFAULT;
	p->kind = CHAN_PAYLOAD_INLINE;
	p->len = from->len;
	return 0;
}

static struct chan_msg *msg_from_inline(const struct chan_payload *p, gfp_t gfp)
{
	struct chan_msg *msg = msg_alloc(p->len, gfp);

	if (msg)
		payload_inline_to_msg(p, msg);
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
	struct chan_msg *msg = msg_from_inline(p, GFP_CHAN);

	if (!msg)
		return -ENOMEM;
	payload_on_heap(p, msg);
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
	msg->seq = p->seq;
	p->kind = CHAN_PAYLOAD_NONE;
	return msg;
}

/* Can this word be written?  Adding nothing to it changes nothing. */
static bool probe_word(unsigned long addr)
{
	u32 __user *word = (u32 __user *)(addr & ~(sizeof(u32) - 1));
	int old;

	return arch_futex_atomic_op_inuser(FUTEX_OP_ADD, 0, &old, word) !=
	       -EFAULT;
}

/**
 * usercopy_probe - see that the receiver's memory can be written
 * @to: the receiver's memory
 *
 * A sender that hands a short message to a parked receiver does not wait for it
 * to be copied, so what the receiver finds out later, the sender never hears.
 * Hence this check before parking, of as much memory as a short message takes,
 * which also brings the pages in.
 *
 * Return: false if that memory cannot be written.
 */
bool usercopy_probe(const struct chan_buf *to)
{
	size_t len = min_t(size_t, to->len, CHAN_BORROW_MIN);
	unsigned long addr = (unsigned long)to->base;
	unsigned long last = addr + len - 1;

	if (!len)
		return true;
	if (unlikely(to->iter))
		return usercopy_fault_in(to, len);
	return probe_word(addr) &&
	       ((addr ^ last) < PAGE_SIZE || probe_word(last));
}

/**
 * usercopy_writable - see that all of some memory can be written
 * @base: where it begins
 * @len: bytes
 *
 * Return: false if not.
 */
bool usercopy_writable(void __user *base, size_t len)
{
	unsigned long addr = (unsigned long)base;
	unsigned long end = addr + len;

	if (end < addr)
		return false;
	for (; addr < end; addr = (addr | ~PAGE_MASK) + 1) {
		if (!probe_word(addr))
			return false;
	}
	return true;
}

/**
 * usercopy_fault_in - bring in the receiver's memory
 * @to: the receiver's memory
 * @len: how much of it
 *
 * May take as long as the user's page fault handler likes.
 *
 * Return: false if that memory cannot be written.
 */
bool usercopy_fault_in(const struct chan_buf *to, size_t len)
{
	if (to->iter)
		return !fault_in_iov_iter_writeable(to->iter, len);
	return !fault_in_safe_writeable(to->base, len);
}

static __always_inline bool copy_out(const struct chan_buf *to, size_t at,
				     const void *from, size_t len)
{
	if (likely(!to->iter))
		return !copy_to_user(to->base + at, from, len);
	return copy_to_iter(from, len, to->iter) == len;
}

static bool pin_copy_out(const struct chan_pin *pin, u32 len,
			 const struct chan_buf *to)
{
	u32 offset = pin->offset;
	u32 done = 0;
	u32 i;

	for (i = 0; i < pin->nr; i++) {
		u32 part = min_t(u32, len - done, PAGE_SIZE - offset);
		void *from = kmap_local_page(pin->pages[i]);
		bool copied = copy_out(to, done, from + offset, part);

		kunmap_local(from);
		if (!copied)
			return false;
		done += part;
		offset = 0;
	}
	return true;
}

static bool payload_copy_out(const struct chan_payload *p,
			     const struct chan_buf *to)
{
	switch (p->kind) {
	case CHAN_PAYLOAD_INLINE:
		return copy_out(to, 0, p->bytes, p->len);
	case CHAN_PAYLOAD_HEAP:
		return copy_out(to, 0, p->msg->data, p->len);
	default:
		return pin_copy_out(p->pin, p->len, to);
	}
}

/**
 * usercopy_out - give a message to the receiver's memory
 * @p: the payload
 * @to: the receiver's memory, with room enough
 *
 * Sleeps on page faults unless the caller has disabled them.
 *
 * Return: false if that memory cannot be written.
 */
bool usercopy_out(const struct chan_payload *p, const struct chan_buf *to)
{
	if (likely(payload_copy_out(p, to)))
		return true;
	if (to->iter)
		iov_iter_revert(to->iter, to->len - iov_iter_count(to->iter));
	return false;
}

/**
 * payload_release - let go of what a payload holds outside itself
 * @p: the payload; holds nothing afterwards
 */
void payload_release(struct chan_payload *p)
{
	if (p->kind == CHAN_PAYLOAD_HEAP)
		kvfree(p->msg);
	else if (p->kind == CHAN_PAYLOAD_PAGES)
		pin_free(p->pin);
	p->kind = CHAN_PAYLOAD_NONE;
}

/**
 * msg_free_list - free messages
 * @msgs: list of &struct chan_msg
 */
void msg_free_list(struct list_head *msgs)
{
	struct chan_msg *msg, *next;

	list_for_each_entry_safe(msg, next, msgs, node) {
		kvfree(msg);
		cond_resched();
	}
}
