/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which places of the module have been reached, if the kernel has KCOV and the
 * module was built for it (KCOV_INSTRUMENT=y).
 *
 * A runner opens a few instances and maps their buffers. The processes of a
 * program inherit both, and each takes an instance for itself; so what one has
 * reached is there even if it was killed. A kernel without KCOV has none.
 */
#ifndef FUZZ_KCOV_H
#define FUZZ_KCOV_H

#include <stdatomic.h>
#include <sys/ioctl.h>

#include <linux/kcov.h>

#include "stress_test.h"

#define COVERS		12
#define COVER_WORDS	8192
/* Above what the program has open. */
#define COVER_FD	900
#define PLACES		16384

/* The set of all places, by open addressing. */
struct places {
	atomic_uint count;
	atomic_ullong place[PLACES];
};

struct cover {
	int fd;
	__u64 *word;	/* the first tells how many follow */
};

struct covers {
	int count;
	atomic_uint *next;	/* to be taken, in shared memory */
	struct cover cover[COVERS];
};

/* True if it is the first time. */
static inline bool add_place(struct places *places, __u64 pc)
{
	unsigned int at = mix(pc) % PLACES, tries;
	unsigned long long seen;

	for (tries = 0; tries < PLACES; tries++) {
		seen = 0;
		if (atomic_compare_exchange_strong(&places->place[at], &seen, pc)) {
			places->count++;
			return true;
		}
		if (seen == pc)
			return false;
		at = (at + 1) % PLACES;
	}
	return false;
}

static inline bool open_cover(struct cover *cover)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	cover->fd = fcntl(fd, F_DUPFD_CLOEXEC, COVER_FD);
	close(fd);
	if (cover->fd < 0 || ioctl(cover->fd, KCOV_INIT_TRACE, COVER_WORDS))
		return false;
	cover->word = mmap(NULL, COVER_WORDS * sizeof(__u64), PROT_READ | PROT_WRITE,
			   MAP_SHARED, cover->fd, 0);
	return cover->word != MAP_FAILED;
}

static inline void open_covers(struct covers *covers)
{
	covers->next = map_shared(sizeof(*covers->next));
	while (covers->count < COVERS && open_cover(&covers->cover[covers->count]))
		covers->count++;
}

static inline void close_covers(struct covers *covers)
{
	while (covers->count--) {
		munmap(covers->cover[covers->count].word, COVER_WORDS * sizeof(__u64));
		close(covers->cover[covers->count].fd);
	}
	munmap(covers->next, sizeof(*covers->next));
}

static inline void clear_covers(struct covers *covers)
{
	int i;

	*covers->next = 0;
	for (i = 0; i < covers->count; i++)
		__atomic_store_n(covers->cover[i].word, 0, __ATOMIC_RELAXED);
}

/* From now on what this task does is recorded, if there is an instance left. */
static inline void take_cover(struct covers *covers)
{
	unsigned int i = (*covers->next)++;

	if (i < covers->count)
		ioctl(covers->cover[i].fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

/* How many places are new. */
static inline unsigned int collect_covers(struct covers *covers, struct places *places)
{
	unsigned int new = 0;
	__u64 n, k;
	int i;

	for (i = 0; i < covers->count; i++) {
		n = __atomic_load_n(covers->cover[i].word, __ATOMIC_RELAXED);
		for (k = 1; k <= n && k < COVER_WORDS; k++)
			new += add_place(places, covers->cover[i].word[k]);
	}
	return new;
}

#endif /* FUZZ_KCOV_H */
