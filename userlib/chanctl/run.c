// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl run: what is to be run, and how.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chanctl.h"
#include "command.h"
#include "nursery.h"

/* As with timeout(1), 0 is no timeout. */
static int set_timeout(const char *value, void *field)
{
	struct nursery *n = field;
	uint64_t ns;

	if (parse_duration(value, &ns))
		return bad_value("duration", value, "5s or 200ms");
	n->timeout = value;
	n->options.deadline = ns ? deadline_after(ns) : 0;
	return 0;
}

static int set_grace(const char *value, void *field)
{
	struct nursery *n = field;

	if (strcmp(value, "never") == 0)
		n->options.grace = CHAN_SCOPE_GRACE_NEVER;
	else if (parse_duration(value, &n->options.grace))
		return bad_value("duration", value, "2s, 200ms, 0 or never");
	else if (!n->options.grace)
		n->options.grace = CHAN_SCOPE_GRACE_NONE;
	return 0;
}

static int set_signal(const char *value, void *field)
{
	struct nursery *n = field;
	int signal = strcmp(value, "none") ? parse_signal(value) : 0;

	if (signal < 0)
		return bad_value("signal", value, "TERM, 15 or none");
	n->options.signal = signal ? signal : CHAN_SCOPE_NO_SIGNAL;
	return 0;
}

static int set_limit(const char *value, void *field)
{
	struct nursery *n = field;
	char *end;
	unsigned long limit = strtoul(value, &end, 10);

	if (*value < '1' || *value > '9' || *end || limit > UINT32_MAX)
		return bad_value("limit", value, "1 or 4");
	n->options.limit = limit;
	return 0;
}

static int add_adopted(const char *value, void *field)
{
	struct nursery *n = field;

	n->adopted = append(n->adopted, &n->n_adopted, sizeof(*n->adopted));
	n->adopted[n->n_adopted - 1] = value;
	return 0;
}

static int set_deadlock(const char *value, void *field)
{
	struct nursery *n = field;

	(void)value;
	n->options.flags |= CHAN_SCOPE_DETECT_DEADLOCK;
	return 0;
}

static void add_words(struct nursery *n, char **argv)
{
	n->commands = append(n->commands, &n->n_commands, sizeof(*n->commands));
	n->commands[n->n_commands - 1] = argv;
}

static void complain_of_none(bool separated)
{
	if (separated)
		complain("there is no command at one side of a ':::'");
	else
		complain("no command given; see chanctl run --help");
}

/* Each ":::" that is a word of its own ends a command, and becomes its NULL. */
static int split_commands(struct nursery *n, char **argv)
{
	char **begin = argv;
	bool more = true;

	for (; more; argv++) {
		more = *argv;
		if (more && strcmp(*argv, ":::"))
			continue;
		if (argv == begin) {
			complain_of_none(more || n->n_commands);
			return -1;
		}
		*argv = NULL;
		add_words(n, begin);
		begin = argv + 1;
	}
	return 0;
}

static int run_main(void *settings, int argc, char **argv)
{
	struct nursery *n = settings;
	int status = STATUS_OWN;

	(void)argc;
	if (split_commands(n, argv) == 0)
		status = nursery_run(n);
	free(n->adopted);
	free(n->commands);
	return status;
}

static const struct option_spec options[] = {
	{ 't', "timeout", "DURATION", .parse = set_timeout,
	  .help = "cancel them after that time" },
	{ 'g', "grace", "DURATION", .parse = set_grace,
	  .help = "how long after that who is left is killed; default 5s;\n"
		  "0 at once, \"never\" for never" },
	{ 's', "signal", "SIGNAL", .parse = set_signal,
	  .completion = COMPLETE_SIGNAL,
	  .help = "what they are sent on cancel; default TERM; \"none\"" },
	{ 'n', "limit", "N", .parse = set_limit,
	  .help = "run at most N at a time" },
	{ 'a', "adopt", "CHANNEL", .parse = add_adopted,
	  .completion = COMPLETE_CHANNEL,
	  .help = "let nobody else use that channel; may be repeated" },
	{ 'd', "deadlock", .parse = set_deadlock,
	  .help = "cancel them when they all wait for each other" },
	{ 0 },
};

static const struct nursery defaults = {
	.options.size = sizeof(defaults.options),
};

const struct command run_command = {
	.name = "run",
	.summary = "run commands that end together",
	.synopsis =
		"[OPTION]... [--] COMMAND [ARGUMENT]... [::: COMMAND...]...",
	.description =
		"Run the commands, all at once, in a scope: when one fails, the others are\n"
		"ended, and so are they when this program is, by whatever.  None is left.",
	.options = options,
	.notes =
		"A DURATION is a number, with one of ms, s, m, h, d behind it; seconds if none.\n"
		"\n"
		"Exit status: 0 if all have succeeded; else that of the first that failed, which\n"
		"is 128 + N if signal N killed it; 123 deadlock; 124 timeout; 125 run itself\n"
		"failed; 126 a command cannot be executed; 127 a command was not found.\n"
		"INT, TERM, HUP and QUIT go to the commands, and end run too.",
	.defaults = &defaults,
	.settings_size = sizeof(defaults),
	.usage_status = STATUS_OWN,
	.most = ANY_NUMBER,
	.arguments = COMPLETE_COMMAND,
	.options_first = true,
	.main = run_main,
};
