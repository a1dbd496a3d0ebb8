// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be said about a measure that swings by half: the median of ratios
 * of neighbours in time, and where the true median lies.
 */
#include <stdlib.h>

#include "bench.h"

/* Both sides together may miss the true median this often. */
#define MISS	0.05

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * outer_rank: the true median lies between the values of this rank from below
 * and from above, 95 times of 100 or more. Each value is below it with a
 * chance of one half, so the number below it is binomial, whatever the
 * distribution of the values.
 */
static size_t outer_rank(size_t count)
{
	double chance = 1, sum = 0;
	size_t i, rank = 0;

	for (i = 0; i < count; i++)
		chance /= 2;
	for (i = 0; i < count / 2; i++) {
		sum += chance;
		if (2 * sum > MISS)
			break;
		rank = i;
		chance *= (double)(count - i) / (i + 1);
	}
	return rank;
}

/* median_interval: sorts @values. */
struct interval median_interval(double *values, size_t count)
{
	size_t rank = outer_rank(count);
	struct interval interval;

	qsort(values, count, sizeof(*values), compare);
	interval.median = (values[(count - 1) / 2] + values[count / 2]) / 2;
	interval.low = values[rank];
	interval.high = values[count - 1 - rank];
	return interval;
}
