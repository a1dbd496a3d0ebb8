/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel tells in files of lines, each a name and a number: meminfo,
 * vmstat, memory.stat.
 */
#ifndef PROC_H
#define PROC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number behind @name in a file of such lines, or -1. */
static inline long number_in(const char *path, const char *name)
{
	size_t len = strlen(name);
	long number = -1;
	char line[256];
	FILE *file;

	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) || !strchr(": \t", line[len]))
			continue;
		number = strtol(line + len + 1, NULL, 10);
		break;
	}
	if (file)
		fclose(file);
	return number;
}

#endif /* PROC_H */
