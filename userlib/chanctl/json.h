/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON on standard output: one value a line, whatever bytes its strings are.
 *
 * In an object each value follows a key; the name is NULL in an array, and for
 * the value that is the whole line.
 */
#ifndef _JSON_H
#define _JSON_H

#include <stdbool.h>

void json_object(const char *name);
void json_end_object(void);
void json_array(const char *name);
void json_end_array(void);
void json_string(const char *name, const char *value);
void json_number(const char *name, unsigned long long value);
void json_real(const char *name, double value);
void json_bool(const char *name, bool value);

#endif /* _JSON_H */
