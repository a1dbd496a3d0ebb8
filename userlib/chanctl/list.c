// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl list: the channels, a line for each.
 */
#include <stdlib.h>
#include <string.h>

#include "chanctl.h"
#include "command.h"
#include "json.h"
#include "snapshot.h"
#include "table.h"
#include "tree_json.h"

struct settings {
	bool all;
	bool json;
};

static void add_line(struct table *t, const struct channel *ch)
{
	table_add(t, channel_title(ch));
	table_add(t, text("%s", ch->state));
	table_add(t, text("%llu", ch->capacity));
	table_add(t, size_text(ch->max_msg));
	table_add(t, text("%llu", ch->buffered));
	table_add(t, text("%llu", ch->parked_senders));
	table_add(t, text("%llu", ch->parked_receivers));
	table_add(t, text("%llu", ch->send_ends));
	table_add(t, text("%llu", ch->recv_ends));
	table_add(t, text("%llu", ch->sent));
	table_add(t, text("%llu", ch->received));
}

static void print_table(struct channel *const *list, size_t n)
{
	static const char *const head[] = {
		"CHANNEL",   "STATE",	"CAPACITY",  "MAX-MSG",
		"BUFFERED",  "SENDERS", "RECEIVERS", "SEND-ENDS",
		"RECV-ENDS", "SENT",	"RECEIVED",
	};
	struct table t = { .align = "llrrrrrrrrr" };

	table_add_row(&t, head);
	for (size_t i = 0; i < n; i++)
		add_line(&t, list[i]);
	table_print(&t, 0);
}

static void print_json(struct channel *const *list, size_t n)
{
	json_array(NULL);
	for (size_t i = 0; i < n; i++)
		channel_json_print(list[i]);
	json_end_array();
}

static int list_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct channel **list;
	struct snapshot s;

	(void)argc;
	(void)argv;
	if (set->all ? snapshot_take(&s) : snapshot_take_named(&s))
		return STATUS_FAILED;
	list = snapshot_by_name(&s);
	if (set->json)
		print_json(list, s.n_channels);
	else
		print_table(list, s.n_channels);
	free(list);
	snapshot_release(&s);
	return STATUS_GOOD;
}

static const struct option_spec options[] = {
	{ 'a', "all", .parse = option_flag,
	  .offset = offsetof(struct settings, all),
	  .help = "anonymous channels too, as #ID; only root may look" },
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON, an array, instead" },
	{ 0 },
};

const struct command list_command = {
	.name = "list",
	.summary = "list the named channels",
	.synopsis = "[OPTION]...",
	.description =
		"List the named channels.  CAPACITY and BUFFERED are numbers of messages, SENDERS\n"
		"and RECEIVERS those who wait for a partner, ENDS open files; SENT and RECEIVED\n"
		"are the messages so far.",
	.options = options,
	.notes = "Exit status: 0; 1 could not look; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.main = list_main,
};
