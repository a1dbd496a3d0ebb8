/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random programs, and how each comes from a few numbers.
 *
 * A program is a list of steps. The first number of its chain makes one from
 * nothing, every further one changes some steps of what the numbers before it
 * made: so a program that reached something new can be changed on and on, and
 * its chain is all that it takes to run it again.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include "stress_test.h"

#define MOST_STEPS	64
#define FEWEST_STEPS	12
#define CHAIN		12
#define CHAIN_TEXT	(CHAIN * 19 + 1)
#define LANES		4

/* How a program is run; the bits combine. */
#define IN_THREADS	0x1	/* lanes are threads of one process */
#define NUDGED		0x2	/* a signal comes every few milliseconds */
#define RESTARTING	0x4	/* SA_RESTART */
#define IMPATIENT	0x8	/* the first process does not wait for its lanes */
#define HASTY		0x10	/* it is killed while it is at it */
#define MANNERS		0x20

struct step {
	__u8 op;
	__u8 lane;	/* 0: before the lanes part */
	__u64 arg;	/* what the step draws its choices from */
};

struct program {
	__u64 chain[CHAIN];
	int links;
	__u32 manner;
	__u32 limit_ms;	/* it is killed when it has made no step for so long */
	int steps;
	struct step step[MOST_STEPS];
};

/* Which step it may be, in that lane of that program, whose chain is known. */
typedef __u8 (*draw_step)(const struct program *program, __u64 *random, int lane);

static inline struct step random_step(const struct program *program, __u64 *random,
				      draw_step draw_step)
{
	struct step step = { .lane = draw_from(random, LANES + 1) };

	step.op = draw_step(program, random, step.lane);
	*random = mix(*random);
	step.arg = *random;
	return step;
}

static inline void make_program(struct program *program, __u64 random, draw_step draw_step)
{
	int i;

	program->manner = draw_from(&random, MANNERS);
	program->limit_ms = 20 + draw_from(&random, 250);
	program->steps = FEWEST_STEPS + draw_from(&random, MOST_STEPS - FEWEST_STEPS);
	for (i = 0; i < program->steps; i++)
		program->step[i] = random_step(program, &random, draw_step);
}

/* Another step, other choices for the same, another place, one more or less. */
static inline void change_step(struct program *program, __u64 *random, draw_step draw_step)
{
	struct step *step = &program->step[draw_from(random, program->steps)];
	struct step *other = &program->step[draw_from(random, program->steps)];
	struct step was = *step;

	switch (draw_from(random, 6)) {
	case 0:
		*step = random_step(program, random, draw_step);
		break;
	case 1:
		step->arg = mix(step->arg + draw_from(random, 1000));
		break;
	case 2:
		step->lane = 1 + draw_from(random, LANES);
		break;
	case 3:
		*step = *other;
		*other = was;
		break;
	case 4:
		if (program->steps < MOST_STEPS)
			program->step[program->steps++] = *step;
		break;
	default:
		if (program->steps > FEWEST_STEPS)
			*step = program->step[--program->steps];
	}
}

static inline void change_program(struct program *program, __u64 random, draw_step draw_step)
{
	int n = 1 + draw_from(&random, 6);

	if (draw_from(&random, 4) == 0)
		program->manner = draw_from(&random, MANNERS);
	while (n--)
		change_step(program, &random, draw_step);
}

static inline void program_of(struct program *program, const __u64 *chain, int links,
			      draw_step draw_step)
{
	int i;

	memset(program, 0, sizeof(*program));
	memcpy(program->chain, chain, links * sizeof(*chain));
	program->links = links;
	make_program(program, chain[0], draw_step);
	for (i = 1; i < links; i++)
		change_program(program, chain[i], draw_step);
}

static inline void print_chain(char *text, const __u64 *chain, int links)
{
	int i, at = 0;

	for (i = 0; i < links; i++)
		at += sprintf(text + at, "%s%jx", i ? ":" : "", (uintmax_t)chain[i]);
}

/* How many links there are in @text, 0 if it is none. */
static inline int read_chain(const char *text, __u64 *chain)
{
	int links = 0;
	char *end;

	while (links < CHAIN) {
		chain[links++] = strtoull(text, &end, 16);
		if (end == text || (*end && *end != ':'))
			return 0;
		if (!*end)
			return links;
		text = end + 1;
	}
	return 0;
}

#endif /* FUZZ_PROGRAM_H */
