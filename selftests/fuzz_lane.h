/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the steps of a random program share: files, memory good and bad, choices,
 * and the judgement of results.
 */
#ifndef FUZZ_LANE_H
#define FUZZ_LANE_H

#include <pthread.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/timerfd.h>

#include "fuzz_kcov.h"
#include "fuzz_program.h"
#include "ring_test.h"

#define TROUBLES	10
#define RUNNERS		6
#define MOST_OPS	64
#define DEVICES		2	/* names for them in a program */

/* Most that forks in one program, and of these, remembered by their parent. */
#define MOST_FORKS	20
#define MOST_CHILDREN	8

struct shared {
	atomic_bool stop;
	atomic_bool overdue;	/* for some kind of step to work */
	atomic_ullong programs;
	atomic_ullong made[MOST_OPS];
	atomic_ullong worked[MOST_OPS];
	atomic_uint troubles;
	char trouble[TROUBLES][320];
	struct places places;
	struct runner {
		struct program program;
		atomic_uint forks;
		atomic_uint progress;	/* steps begun */
		char devices[16];	/* what the names of its devices begin with */
	} runner[RUNNERS];
};

static struct shared *all;

/* --- Kinds of files; the bits combine to what is wanted --- */

#define K_SEND		0x1
#define K_RECV		0x2
#define K_BOTH		0x4
#define K_SCOPE		0x8
#define K_OTHER		0x10
#define K_NAMED		0x20	/* and one of those above */
#define K_SENDS		(K_SEND | K_BOTH)
#define K_RECVS		(K_RECV | K_BOTH)
#define K_ENDS		(K_SEND | K_RECV | K_BOTH)
#define K_OURS		(K_ENDS | K_SCOPE)
#define K_ANY		(K_OURS | K_OTHER)

#define SLOTS		48
#define KIND_SHIFT	16

/* Of this process: a kind and a descriptor each, or 0. */
static atomic_int files[SLOTS];
/* Over which the processes of a program pass files. */
static int passage[2];

/* --- A lane: a task that does steps --- */

#define PAGE		4096UL
/* For structures, which are looked at afterwards: no message gets there. */
#define STRUCTS		(64 * PAGE)
#define MESSAGES	(264 * PAGE)
#define ARENA		(STRUCTS + MESSAGES + 4 * PAGE)

struct lane {
	struct runner *runner;
	struct covers *covers;
	__u64 random;		/* of the step */
	unsigned char *arena;	/* good memory, vanishing, read-only, none */
	pid_t child[MOST_CHILDREN];
	int children;
	bool lenient;		/* the file may be of another kind */
	bool vanished;		/* memory may have gone or changed under the call */
	atomic_int racing;
	atomic_uintptr_t flip;	/* the word that a racing thread changes */
	__u64 flip_value[2];
};

/* The lane of this thread. */
static __thread struct lane *self;

static inline __u32 draw(struct lane *me, __u32 below)
{
	return draw_from(&me->random, below);
}

static inline bool one_in(struct lane *me, __u32 n)
{
	return draw(me, n) == 0;
}

/* --- What is wrong --- */

/* It is noted with the program, and no more are run. */
static inline void __printf(2, 3) trouble(struct runner *runner, const char *format, ...)
{
	unsigned int n = all->troubles++;
	char chain[CHAIN_TEXT] = "", what[64];
	va_list args;

	all->stop = true;
	if (n >= TROUBLES)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	print_chain(chain, runner->program.chain, runner->program.links);
	snprintf(all->trouble[n], sizeof(all->trouble[n]), "%s: --seed %s", what, chain);
}

/* --- Results --- */

#define KNOWN(...)	((const short[]){ __VA_ARGS__, 0 })

/* What a file of another kind may say, where threads close and open. */
static const short of_others[] = {
	EAGAIN, EINTR, EFAULT, EINVAL, EPERM, EPIPE, ESPIPE, ENXIO, ENOTTY, ENODEV, ELOOP,
	EMSGSIZE, ENOTCONN, ECONNRESET, ECONNREFUSED, ENOBUFS, EOPNOTSUPP, EDESTADDRREQ, 0,
};

/* The errors that channels are closed with here mean nothing else. */
#define FIRST_CAUSE	300

static inline bool is_among(const short *known, int error)
{
	for (; *known; known++)
		if (*known == error)
			return true;
	return false;
}

static inline bool may_be(const struct lane *me, const short *known, int error)
{
	if (error == ENOMEM || error == EBADF || is_among(known, error))
		return true;
	return me->lenient && is_among(of_others, error);
}

/* @what: -1 or more, or a negative error number. */
static inline void judge(struct lane *me, int op, const char *what, long ret, const short *known)
{
	const char *name;

	all->made[op]++;
	if (ret >= 0) {
		all->worked[op]++;
		return;
	}
	if (may_be(me, known, -ret))
		return;
	name = strerrorname_np(-ret);
	trouble(me->runner, "%s: %ld %s", what, ret, name ? name : "");
}

/* --- Files --- */

static inline void close_slot(int slot)
{
	int entry = atomic_exchange(&files[slot], 0);

	if (entry)
		close(entry & ((1 << KIND_SHIFT) - 1));
}

static inline int keep_file(struct lane *me, int fd, int kind)
{
	int slot = draw(me, SLOTS), i;

	if (fd < 3 || fd >= COVER_FD)
		return fd;
	for (i = 0; i < SLOTS / 2 && files[slot]; i++)
		slot = (slot + 1) % SLOTS;
	close_slot(slot);
	files[slot] = kind << KIND_SHIFT | fd;
	return fd;
}

/* A place in the table with a file of that kind, or -1. */
static inline int find_slot(struct lane *me, int kinds)
{
	int from = draw(me, SLOTS), i;

	for (i = 0; i < SLOTS; i++)
		if (files[(from + i) % SLOTS] >> KIND_SHIFT & kinds)
			return (from + i) % SLOTS;
	return -1;
}

static inline int kind_of(int slot)
{
	return slot < 0 ? 0 : files[slot] >> KIND_SHIFT;
}

static inline int fd_of(int slot)
{
	return slot < 0 ? -1 : files[slot] & ((1 << KIND_SHIFT) - 1);
}

static inline bool in_threads(const struct lane *me)
{
	return me->runner->program.manner & IN_THREADS;
}

/* Mostly a file of that kind, sometimes another, and now and then none. */
static inline int pick(struct lane *me, int kinds)
{
	static const int none[] = { -1, -2, 899, 9999, INT_MAX };
	int slot;

	me->lenient = in_threads(me);
	if (one_in(me, 64))
		return none[draw(me, ARRAY_SIZE(none))];
	slot = find_slot(me, one_in(me, 10) ? K_ANY : kinds);
	if (!(kind_of(slot) & K_OURS))
		me->lenient = true;
	return fd_of(slot);
}

/* --- Memory --- */

static inline unsigned char *structs_of(struct lane *me)
{
	return me->arena;
}

static inline unsigned char *messages_of(struct lane *me)
{
	return me->arena + STRUCTS;
}

static inline unsigned char *vanishing_page(struct lane *me)
{
	return me->arena + STRUCTS + MESSAGES + PAGE;
}

static inline bool new_arena(struct lane *me)
{
	unsigned char *arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (arena == MAP_FAILED)
		return false;
	me->arena = arena;
	/* One page is missing before it, one behind it; the last cannot be written. */
	mprotect(arena + STRUCTS + MESSAGES, PAGE, PROT_NONE);
	mprotect(vanishing_page(me) + PAGE, PAGE, PROT_NONE);
	mprotect(vanishing_page(me) + 2 * PAGE, PAGE, PROT_READ);
	return true;
}

/* Memory that is not good, or not for long. */
static inline void *bad_memory(struct lane *me)
{
	switch (draw(me, 8)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffff888000000000;
	case 2:
		return (void *)0x8000000000000000;
	case 3:
		return (void *)(~0UL - draw(me, 100));
	case 4:
		return vanishing_page(me) + 2 * PAGE + draw(me, 64);
	case 5:
		return messages_of(me) + MESSAGES - draw(me, 64);
	case 6:
		return vanishing_page(me) + PAGE - draw(me, 64);
	}
	return vanishing_page(me) + draw(me, 64);
}

/* For a message or room: anywhere in good memory, at any alignment, or bad. */
static inline void *message_memory(struct lane *me)
{
	if (one_in(me, 10))
		return bad_memory(me);
	return messages_of(me) + draw(me, 3 * PAGE);
}

static inline __u32 message_length(struct lane *me)
{
	static const __u32 special[] = {
		0, 0, 1, 4095, 4096, 4097, 65535, 65536, 65537, CHAN_MAX_MSG, CHAN_MAX_MSG + 1,
		0x7fffffff, 0x80000000, ~0U,
	};

	if (one_in(me, 12))
		return special[draw(me, ARRAY_SIZE(special))];
	return 1 + draw(me, one_in(me, 8) ? 5000 : 100);
}

/* A value for a field that does not expect it. */
static inline __u32 odd_value(struct lane *me)
{
	static const __u32 odd[] = {
		0, 1, 2, 7, 64, 0xff, 0x100, 0x401, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0xfffffffe, ~0U,
	};

	return one_in(me, 4) ? me->random : odd[draw(me, ARRAY_SIZE(odd))];
}

/* Not long ago, at once, soon, or never. */
static inline __u64 some_deadline(struct lane *me)
{
	switch (draw(me, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return 1;
	case 3:
		return CHAN_SELECT_FOREVER;
	case 4:
		return one_in(me, 4) ? me->random : CHAN_SELECT_FOREVER - 1;
	}
	return now_ns() + draw(me, 4000) * 1000;
}

/* --- Another thread, under the hands of the call --- */

static inline void flip_once(struct lane *me, int round)
{
	__u64 *word = (__u64 *)atomic_load(&me->flip);

	if (word)
		__atomic_store_n(word, me->flip_value[round & 1], __ATOMIC_RELAXED);
}

static inline void vanish_once(struct lane *me, int round)
{
	if (round & 1)
		mmap(vanishing_page(me), PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	else
		mprotect(vanishing_page(me), PAGE, PROT_NONE);
}

static void *race(void *arg)
{
	struct lane *me = arg;
	int round, rounds = atomic_load(&me->racing);

	for (round = 0; round < rounds; round++) {
		flip_once(me, round);
		if (round % 16 == 0)
			vanish_once(me, round / 16);
	}
	/* An even number, so that the memory is there again. */
	vanish_once(me, 1);
	atomic_store(&me->racing, 0);
	return NULL;
}

static inline void start_race(struct lane *me)
{
	pthread_t thread;
	int none = 0;

	if (!atomic_compare_exchange_strong(&me->racing, &none, 32 * (1 + draw(me, 200))))
		return;
	if (pthread_create(&thread, NULL, race, me))
		atomic_store(&me->racing, 0);
	else
		pthread_detach(thread);
}

/* While the call runs, a word of @len bytes at @data changes, if there is a race. */
static inline void expose(struct lane *me, void *data, size_t len)
{
	__u64 *word = (__u64 *)data + draw(me, len / sizeof(*word));

	me->vanished = atomic_load(&me->racing);
	if (!me->vanished)
		return;
	me->flip_value[0] = *word;
	me->flip_value[1] = *word ^ ((__u64)odd_value(me) << (one_in(me, 2) ? 32 : 0));
	atomic_store(&me->flip, (uintptr_t)word);
}

static inline void cover_up(struct lane *me)
{
	atomic_store(&me->flip, 0);
}

#endif /* FUZZ_LANE_H */
