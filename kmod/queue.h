/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue of parked operations: first in, first out, or out of the middle.
 *
 * What <linux/list.h> lacks for it is a hlist that knows its end.  A select of
 * many cases goes through here twice for each of them, and with the kernels that
 * distributions build, a list_head costs an out-of-line check each time.  To go
 * through it, hlist_for_each_entry() will do.
 */
#ifndef _CHAN_QUEUE_H
#define _CHAN_QUEUE_H

#include <linux/list.h>
#include <linux/types.h>

/**
 * struct queue - a queue, under the lock of its owner
 * @first: in line
 * @last: where the next one is to be linked: @first, or the last node's @next
 * @nr: how many stand in it
 */
struct queue {
	struct hlist_node *first;
	struct hlist_node **last;
	u32 nr;
};

static inline void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->nr = 0;
}

static inline void queue_add_tail(struct queue *q, struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = q->last;
	*q->last = node;
	q->last = &node->next;
	q->nr++;
}

static inline bool queue_empty(const struct queue *q)
{
	return !q->first;
}

/* The one before @node, %NULL if that is the first. */
static inline struct hlist_node *queue_prev(const struct queue *q,
					    const struct hlist_node *node)
{
	if (node->pprev == &q->first)
		return NULL;
	return container_of(node->pprev, struct hlist_node, next);
}

static inline void queue_add_before(struct queue *q, struct hlist_node *node,
				    struct hlist_node *next)
{
	hlist_add_before(node, next);
	q->nr++;
}

/* Afterwards hlist_unhashed(). */
static inline void queue_del(struct queue *q, struct hlist_node *node)
{
	struct hlist_node **pprev = node->pprev;
	struct hlist_node *next = node->next;

	*pprev = next;
	if (next)
		next->pprev = pprev;
	else
		q->last = pprev;
	node->pprev = NULL;
	q->nr--;
}

#endif /* _CHAN_QUEUE_H */
