// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: JSON on standard output.
 */
#include <stdio.h>

#include "chanctl.h"
#include "json.h"

/* How deep it is in objects and arrays, and if something stands before it. */
static unsigned int depth;
static bool comma;

/* The name of a process can be any bytes, but JSON is UTF-8. */
static void print_string(const char *string)
{
	const unsigned char *s = (const unsigned char *)string;

	putchar('"');
	while (*s) {
		size_t len = utf8_length((const char *)s);

		if (!len)
			fputs("\\ufffd", stdout);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < ' ' || *s == 0x7f)
			printf("\\u%04x", *s);
		else
			fwrite(s, 1, len, stdout);
		s += len ? len : 1;
	}
	putchar('"');
}

/* What stands in front of a value. */
static void begin_value(const char *name)
{
	if (comma)
		putchar(',');
	if (name) {
		print_string(name);
		putchar(':');
	}
	comma = true;
}

static void end_value(void)
{
	if (depth)
		return;
	putchar('\n');
	comma = false;
}

static void open_with(const char *name, char bracket)
{
	begin_value(name);
	putchar(bracket);
	depth++;
	comma = false;
}

static void close_with(char bracket)
{
	putchar(bracket);
	depth--;
	comma = true;
	end_value();
}

void json_object(const char *name)
{
	open_with(name, '{');
}

void json_end_object(void)
{
	close_with('}');
}

void json_array(const char *name)
{
	open_with(name, '[');
}

void json_end_array(void)
{
	close_with(']');
}

/* NULL becomes null. */
void json_string(const char *name, const char *value)
{
	begin_value(name);
	if (value)
		print_string(value);
	else
		fputs("null", stdout);
	end_value();
}

void json_number(const char *name, unsigned long long value)
{
	begin_value(name);
	printf("%llu", value);
	end_value();
}

void json_real(const char *name, double value)
{
	begin_value(name);
	printf("%.3f", value);
	end_value();
}

void json_bool(const char *name, bool value)
{
	begin_value(name);
	fputs(value ? "true" : "false", stdout);
	end_value();
}
