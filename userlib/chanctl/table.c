// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: tables on standard output.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "chanctl.h"
#include "table.h"

#define MOST_COLUMNS 16

void table_add(struct table *t, char *cell)
{
	make_printable(cell);
	t->cells = append(t->cells, &t->n_cells, sizeof(*t->cells));
	t->cells[t->n_cells - 1] = cell;
}

void table_add_pair(struct table *t, const char *key, char *value)
{
	table_add(t, text("%s:", key));
	table_add(t, value);
}

void table_add_row(struct table *t, const char *const *cells)
{
	for (size_t i = 0; t->align[i]; i++)
		table_add(t, text("%s", cells[i]));
}

/* Columns of the terminal; a byte that is no character takes one. */
static int width_of(const char *s)
{
	wchar_t wide[256];
	size_t len = mbstowcs(wide, s, 256);
	int width = len == (size_t)-1 ? -1 : wcswidth(wide, len);

	return width < 0 ? (int)strlen(s) : width;
}

/* Nothing is padded at the end of a line. */
static void print_cell(const char *cell, char align, int width, bool last)
{
	int pad = width - width_of(cell);

	if (align == 'r')
		printf("%*s%s", pad, "", cell);
	else
		printf("%s%*s", cell, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *t, size_t limit)
{
	size_t columns = strlen(t->align), i;
	int widths[MOST_COLUMNS] = { 0 };

	for (i = 0; i < t->n_cells; i++) {
		int width = width_of(t->cells[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
	for (i = 0; i < t->n_cells; i++) {
		if (!limit || i / columns < limit)
			print_cell(t->cells[i], t->align[i % columns],
				   widths[i % columns], (i + 1) % columns == 0);
		free(t->cells[i]);
	}
	free(t->cells);
	t->cells = NULL;
	t->n_cells = 0;
}
