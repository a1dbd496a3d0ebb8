/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables on standard output, with columns as wide as what is in them.
 */
#ifndef _TABLE_H
#define _TABLE_H

#include <stddef.h>

/**
 * struct table - rows of cells
 * @align: one character for each column: 'l' left, 'r' right.
 * @cells: row by row.
 * @n_cells: how many.
 */
struct table {
	const char *align;
	char **cells;
	size_t n_cells;
};

/* Takes the text over, and makes it harmless for a terminal. */
void table_add(struct table *t, char *cell);
/* "key:" and a value, for a table of two columns.  Takes the value over. */
void table_add_pair(struct table *t, const char *key, char *value);
void table_add_row(struct table *t, const char *const *cells);
/* Lines beyond the limit, 0 for none, are left out.  Also releases it. */
void table_print(struct table *t, size_t limit);

#endif /* _TABLE_H */
