// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: options and help of the commands, as their tables have them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"

/* Where the help of an option begins. */
#define HELP_COLUMN 26

static const struct option_spec help_option = { .letter = 'h',
						.name = "help",
						.help = "print this" };

/* --- Help --- */

static void print_option(const struct option_spec *option)
{
	const char *help = option->help;
	int width = printf("  -%c, --%s", option->letter, option->name);

	if (option->value)
		width += printf(option->optional ? "[=%s]" : "=%s",
				option->value);
	if (width > HELP_COLUMN - 2) {
		putchar('\n');
		width = 0;
	}
	for (;;) {
		size_t len = strcspn(help, "\n");

		printf("%*s%.*s\n", HELP_COLUMN - width, "", (int)len, help);
		if (!help[len])
			return;
		help += len + 1;
		width = 0;
	}
}

static int print_help(const struct command *command)
{
	const struct option_spec *option = command->options;

	printf("Usage: chanctl %s %s\n\n%s\n\n", command->name,
	       command->synopsis, command->description);
	for (; option && option->letter; option++)
		print_option(option);
	print_option(&help_option);
	printf("\n%s\n", command->notes);
	return STATUS_GOOD;
}

/* --- Options --- */

struct getopt_tables {
	char letters[128];
	struct option names[32];
};

static void add_option(struct getopt_tables *t, size_t n,
		       const struct option_spec *option)
{
	size_t len = strlen(t->letters);

	snprintf(t->letters + len, sizeof(t->letters) - len, "%c%s",
		 option->letter,
		 !option->value	  ? "" :
		 option->optional ? "::" :
				    ":");
	t->names[n] = (struct option){
		.name = option->name,
		.has_arg = !option->value   ? no_argument :
			   option->optional ? optional_argument :
					      required_argument,
		.val = option->letter,
	};
}

static void fill_tables(const struct command *command, struct getopt_tables *t)
{
	const struct option_spec *option = command->options;
	size_t n = 0;

	*t = (struct getopt_tables){ 0 };
	if (command->options_first)
		strcpy(t->letters, "+");
	for (; option && option->letter; option++)
		add_option(t, n++, option);
	add_option(t, n, &help_option);
}

static int set_option(const struct command *command, int letter, void *settings)
{
	const struct option_spec *option = command->options;

	for (; option && option->letter; option++) {
		if (option->letter == letter)
			return option->parse(optarg,
					     (char *)settings + option->offset);
	}
	complain("see chanctl %s --help", command->name);
	return -1;
}

/* Returns -1, or a status: that is all there was to do. */
static int parse_options(const struct command *command, int argc, char **argv,
			 void *settings)
{
	struct getopt_tables t;
	int letter;

	fill_tables(command, &t);
	while ((letter = getopt_long(argc, argv, t.letters, t.names, NULL)) >=
	       0) {
		if (letter == 'h')
			return print_help(command);
		if (set_option(command, letter, settings))
			return command->usage_status;
	}
	return -1;
}

static int check_arguments(const struct command *command, int argc, char **argv)
{
	if (argc < command->least)
		complain("no %s given; see chanctl %s --help", command->missing,
			 command->name);
	else if (argc > command->most)
		complain("'%s' is too much; see chanctl %s --help",
			 argv[command->most], command->name);
	else
		return 0;
	return -1;
}

int command_run(const struct command *command, int argc, char **argv)
{
	void *settings = zeroed(command->settings_size);
	int status;

	command_name = command->name;
	/* What getopt_long() begins its complaints with. */
	argv[0] = text("chanctl: %s", command_name);
	if (command->defaults)
		memcpy(settings, command->defaults, command->settings_size);
	status = parse_options(command, argc, argv, settings);
	if (status < 0) {
		argc -= optind;
		argv += optind;
		if (check_arguments(command, argc, argv))
			status = command->usage_status;
		else
			status = command->main(settings, argc, argv);
	}
	free(settings);
	return status;
}

/* --- Values --- */

int bad_value(const char *what, const char *value, const char *hint)
{
	complain("'%s' is no %s, such as %s", value, what, hint);
	return -1;
}

int option_flag(const char *value, void *field)
{
	(void)value;
	*(bool *)field = true;
	return 0;
}

int option_text(const char *value, void *field)
{
	*(const char **)field = value;
	return 0;
}

/* Returns 0, or -1: it is no number, or a greater one. */
static int parse_number(const char *s, uint64_t most, uint64_t *number,
			char **end)
{
	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	*number = strtoull(s, end, 10);
	return errno || *number > most ? -1 : 0;
}

int option_count(const char *value, void *field)
{
	uint64_t number;
	char *end;

	if (parse_number(value, UINT64_MAX, &number, &end) || *end || !number)
		return bad_value("count", value, "1 or 100");
	*(uint64_t *)field = number;
	return 0;
}

int option_number(const char *value, void *field)
{
	uint64_t number;
	char *end;

	if (parse_number(value, UINT32_MAX, &number, &end) || *end)
		return bad_value("number", value, "0 or 16");
	*(uint32_t *)field = (uint32_t)number;
	return 0;
}

int option_size(const char *value, void *field)
{
	uint64_t number, factor = 1;
	char *end;

	if (parse_number(value, UINT32_MAX, &number, &end))
		return bad_value("size", value, "512, 64K or 1M");
	if (strcmp(end, "K") == 0 || strcmp(end, "KiB") == 0)
		factor = 1024;
	else if (strcmp(end, "M") == 0 || strcmp(end, "MiB") == 0)
		factor = 1024 * 1024;
	else if (*end)
		return bad_value("size", value, "512, 64K or 1M");
	number *= factor;
	*(uint32_t *)field = number < UINT32_MAX ? (uint32_t)number :
						   UINT32_MAX;
	return 0;
}

int option_duration(const char *value, void *field)
{
	if (parse_duration(value, field))
		return bad_value("duration", value, "5s or 200ms");
	return 0;
}

int option_interval(const char *value, void *field)
{
	uint64_t *interval = field;

	*interval = CHAN_SECOND;
	if (!value || (parse_duration(value, interval) == 0 && *interval))
		return 0;
	return bad_value("interval", value, "2s or 500ms");
}

/* By name, or by number. */
int option_error(const char *value, void *field)
{
	uint64_t number;
	char *end;

	if (parse_number(value, CHAN_MAX_ERROR, &number, &end) == 0 && !*end) {
		*(int *)field = (int)number;
		return 0;
	}
	for (int error = 1; error <= CHAN_MAX_ERROR; error++) {
		const char *name = strerrorname_np(error);

		if (name && strcasecmp(name, value) == 0) {
			*(int *)field = error;
			return 0;
		}
	}
	return bad_value("error", value, "ECONNRESET or 104");
}
