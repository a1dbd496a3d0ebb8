/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_uring by its system calls: as much of it as the suites need.
 */
#ifndef RING_TEST_H
#define RING_TEST_H

#include <linux/io_uring.h>

#include "chan_test.h"

struct ring {
	int fd;
	struct io_uring_params params;
	unsigned char *sq;
	unsigned char *cq;
	struct io_uring_sqe *sqes;
};

static inline size_t sq_size(struct io_uring_params *p)
{
	return p->sq_off.array + p->sq_entries * sizeof(__u32);
}

static inline size_t cq_size(struct io_uring_params *p)
{
	return p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
}

static inline size_t sqes_size(struct io_uring_params *p)
{
	return p->sq_entries * sizeof(struct io_uring_sqe);
}

static inline bool ring_init(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 8, p);
	if (ring->fd < 0)
		return false;
	ring->sq = mmap(NULL, sq_size(p), PROT_READ | PROT_WRITE, MAP_SHARED,
			ring->fd, IORING_OFF_SQ_RING);
	ring->cq = mmap(NULL, cq_size(p), PROT_READ | PROT_WRITE, MAP_SHARED,
			ring->fd, IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, sqes_size(p), PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, IORING_OFF_SQES);
	return ring->sq != MAP_FAILED && ring->cq != MAP_FAILED && ring->sqes != MAP_FAILED;
}

static inline void ring_exit(struct ring *ring)
{
	munmap(ring->sq, sq_size(&ring->params));
	munmap(ring->cq, cq_size(&ring->params));
	munmap(ring->sqes, sqes_size(&ring->params));
	close(ring->fd);
}

static inline __u32 *sq_field(struct ring *ring, __u32 offset)
{
	return (__u32 *)(ring->sq + offset);
}

static inline __u32 *cq_field(struct ring *ring, __u32 offset)
{
	return (__u32 *)(ring->cq + offset);
}

/* @flags: IOSQE_ASYNC, to have a worker do it, or 0. */
static inline long ring_submit_how(struct ring *ring, __u8 opcode, __u8 flags, int fd,
				   const void *data, __u32 len, __u64 user_data)
{
	struct io_uring_params *p = &ring->params;
	__u32 tail = *sq_field(ring, p->sq_off.tail);
	__u32 slot = tail & *sq_field(ring, p->sq_off.ring_mask);
	struct io_uring_sqe *sqe = &ring->sqes[slot];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->flags = flags;
	sqe->fd = fd;
	sqe->off = opcode == IORING_OP_ASYNC_CANCEL ? 0 : -1;
	sqe->addr = (unsigned long)data;
	sqe->len = len;
	sqe->user_data = user_data;
	sq_field(ring, p->sq_off.array)[slot] = slot;
	__atomic_store_n(sq_field(ring, p->sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	return result(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0));
}

static inline long ring_submit(struct ring *ring, __u8 opcode, int fd, const void *data,
			       __u32 len, __u64 user_data)
{
	return ring_submit_how(ring, opcode, 0, fd, data, len, user_data);
}

/* Wait for one result; @user_data tells whose. */
static inline long ring_wait(struct ring *ring, __u64 *user_data)
{
	struct io_uring_params *p = &ring->params;
	__u32 head = *cq_field(ring, p->cq_off.head);
	struct io_uring_cqe *cqe;
	long ret;

	ret = syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	if (ret < 0)
		return -errno;
	if (head == __atomic_load_n(cq_field(ring, p->cq_off.tail), __ATOMIC_ACQUIRE))
		return OP_STUCK;
	cqe = (struct io_uring_cqe *)(ring->cq + p->cq_off.cqes) +
	      (head & *cq_field(ring, p->cq_off.ring_mask));
	*user_data = cqe->user_data;
	ret = cqe->res;
	__atomic_store_n(cq_field(ring, p->cq_off.head), head + 1, __ATOMIC_RELEASE);
	return ret;
}

static inline bool ring_empty(struct ring *ring)
{
	return *cq_field(ring, ring->params.cq_off.head) ==
	       __atomic_load_n(cq_field(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE);
}

#endif /* RING_TEST_H */
