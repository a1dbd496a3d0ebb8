/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command of chanctl is: one table, from which come its options, its help
 * and the completion in shells.
 */
#ifndef _COMMAND_H
#define _COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a shell can complete an argument to. */
enum completion {
	COMPLETE_NOTHING,
	COMPLETE_CHANNEL,
	COMPLETE_ADDED,		/* a channel that can be removed */
	COMPLETE_FILE,
	COMPLETE_DIRECTORY,
	COMPLETE_COMMAND,	/* a program, and what that takes */
	COMPLETE_SIGNAL,
	COMPLETE_ERROR,
	COMPLETE_PARAMETER,	/* of the module */
	COMPLETE_SHELL,
};

/**
 * struct option_spec - an option of a command
 * @letter: after a single dash; 0 for the end of the table.
 * @name: after two.
 * @value: what the help calls its value; NULL if it takes none.
 * @optional: the value may be left out.
 * @completion: what the value can be.
 * @help: what it does; a newline in it begins another line.
 * @parse: puts the value, NULL if there is none, into the field.  Returns 0, or
 *	-1 after a complaint.
 * @offset: of the field in the settings of the command.
 */
struct option_spec {
	char letter;
	const char *name;
	const char *value;
	bool optional;
	enum completion completion;
	const char *help;
	int (*parse)(const char *value, void *field);
	size_t offset;
};

/**
 * struct command - a command of chanctl
 * @name: the word after chanctl.
 * @summary: one line for the list of all.
 * @synopsis: what stands behind the name in its usage.
 * @description: what it does, in lines, without the last newline.
 * @options: up to one with no letter; --help is there without being told.
 * @notes: what there is to say below the options; exit statuses.
 * @defaults: the settings before the first option; NULL for all zero.
 * @settings_size: their size.
 * @usage_status: the exit status for wrong usage.
 * @least: how many arguments there are, but for options.
 * @most: the same.
 * @missing: what is missing if there are fewer.
 * @arguments: what these can be.
 * @options_first: what stands behind the first argument is no option.
 * @main: does it; returns the exit status.
 */
struct command {
	const char *name;
	const char *summary;
	const char *synopsis;
	const char *description;
	const struct option_spec *options;
	const char *notes;
	const void *defaults;
	size_t settings_size;
	int usage_status;
	int least, most;
	const char *missing;
	enum completion arguments;
	bool options_first;
	int (*main)(void *settings, int argc, char **argv);
};

#define ANY_NUMBER 1000000000

extern const struct command add_command, bench_command, close_command,
	completion_command, graph_command, info_command, list_command,
	load_command, recv_command, remove_command, run_command, send_command,
	status_command, top_command, tree_command, unload_command;

/* All of them, then NULL. */
extern const struct command *const commands[];

int command_run(const struct command *command, int argc, char **argv);

/* The ways to parse a value, by the type of the field. */
int option_flag(const char *value, void *field);	/* bool */
int option_text(const char *value, void *field);	/* const char * */
int option_count(const char *value, void *field);	/* uint64_t, from 1 on */
int option_number(const char *value, void *field);	/* uint32_t */
int option_size(const char *value, void *field);	/* uint32_t, "64K" */
int option_duration(const char *value, void *field);	/* uint64_t, ns */
int option_interval(const char *value, void *field);	/* uint64_t, ns, not 0 */
int option_error(const char *value, void *field);	/* int, an errno */

/* For a value that is none: the complaint, and -1. */
int bad_value(const char *what, const char *value, const char *hint);

#endif /* _COMMAND_H */
