// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl top: how fast messages cross, and where they do not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "json.h"
#include "snapshot.h"
#include "table.h"
#include "tree_json.h"
#include "watch.h"

/* The line above the table, the one below, and the head. */
#define OTHER_LINES 3

struct settings {
	uint64_t interval;
	uint64_t count;
	bool all;
	bool json;

	struct snapshot before;
	uint64_t before_ns;
};

/* A channel, and messages per second. */
struct row {
	const struct channel *ch;
	double sent, received;
};

static uint64_t now(void)
{
	return chan_deadline(1);
}

/* One that was not there has done all that it has done since. */
static struct row row_of(const struct settings *set, const struct channel *ch,
			 double seconds)
{
	const struct channel *before = snapshot_find(&set->before, ch->id);

	return (struct row){
		.ch = ch,
		.sent = (ch->sent - (before ? before->sent : 0)) / seconds,
		.received = (ch->received - (before ? before->received : 0)) /
			    seconds,
	};
}

static bool is_idle(const struct row *row)
{
	const struct channel *ch = row->ch;

	return !ch->send_ends && !ch->recv_ends && !ch->buffered &&
	       row->sent == 0 && row->received == 0;
}

/* The busiest first, then those on which somebody waits. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *ra = a, *rb = b;
	unsigned long long pa, pb;

	if (ra->received != rb->received)
		return ra->received < rb->received ? 1 : -1;
	if (ra->sent != rb->sent)
		return ra->sent < rb->sent ? 1 : -1;
	pa = ra->ch->parked_senders + ra->ch->parked_receivers;
	pb = rb->ch->parked_senders + rb->ch->parked_receivers;
	if (pa != pb)
		return pa < pb ? 1 : -1;
	return (ra->ch->id > rb->ch->id) - (ra->ch->id < rb->ch->id);
}

static void add_line(struct table *t, const struct row *row)
{
	const struct channel *ch = row->ch;

	table_add(t, channel_title(ch));
	table_add(t, ch->scope ? text("%llu", ch->scope) : text("root"));
	table_add(t, text("%s", ch->state));
	table_add(t, text("%.1f", row->sent));
	table_add(t, text("%.1f", row->received));
	table_add(t, text("%llu/%llu", ch->buffered, ch->capacity));
	table_add(t, text("%llu", ch->parked_senders));
	table_add(t, text("%llu", ch->parked_receivers));
	table_add(t, text("%llu", ch->received));
}

static void print_table(const struct row *rows, size_t n, const char *title)
{
	static const char *const head[] = {
		"CHANNEL",  "SCOPE",   "STATE",	    "SENT/S",	"RECEIVED/S",
		"BUFFERED", "SENDERS", "RECEIVERS", "RECEIVED",
	};
	struct table t = { .align = "lllrrrrrr" };
	size_t lines = isatty(STDOUT_FILENO) ? terminal_lines() : 0;

	printf("%s\n", title);
	table_add_row(&t, head);
	for (size_t i = 0; i < n; i++)
		add_line(&t, &rows[i]);
	table_print(&t, lines > OTHER_LINES ? lines - OTHER_LINES + 1 : lines);
}

static void print_json(const struct row *rows, size_t n, double seconds)
{
	json_object(NULL);
	json_real("seconds", seconds);
	json_array("channels");
	for (size_t i = 0; i < n; i++) {
		json_object(NULL);
		json_real("sent_per_second", rows[i].sent);
		json_real("received_per_second", rows[i].received);
		channel_json_fields(rows[i].ch);
		json_end_object();
	}
	json_end_array();
	json_end_object();
}

static void print(const struct settings *set, const struct snapshot *s,
		  double seconds)
{
	struct row *rows = zeroed(s->n_channels * sizeof(*rows));
	double sent = 0, received = 0;
	char *title;
	size_t n = 0;

	for (size_t i = 0; i < s->n_channels; i++) {
		struct row row = row_of(set, &s->channels[i], seconds);

		sent += row.sent;
		received += row.received;
		if (set->all || !is_idle(&row))
			rows[n++] = row;
	}
	qsort(rows, n, sizeof(*rows), compare_rows);
	title = text("%zu %schannel%s: %.1f messages/s in, %.1f out, in %.1f s",
		     s->n_channels, s->all ? "" : "named ",
		     plural(s->n_channels), sent, received, seconds);
	if (set->json)
		print_json(rows, n, seconds);
	else
		print_table(rows, n, title);
	free(title);
	free(rows);
}

static int show(void *settings)
{
	struct settings *set = settings;
	struct snapshot s;
	uint64_t ns;

	if (snapshot_take_some(&s))
		return STATUS_FAILED;
	ns = now();
	print(set, &s, (double)(ns - set->before_ns) / CHAN_SECOND);
	snapshot_release(&set->before);
	set->before = s;
	set->before_ns = ns;
	return STATUS_GOOD;
}

static int top_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	int status;

	(void)argc;
	(void)argv;
	if (snapshot_take_some(&set->before))
		return STATUS_FAILED;
	set->before_ns = now();
	sleep_for(set->interval);
	status = watch(show, set, set->interval, set->count, set->json);
	snapshot_release(&set->before);
	return status;
}

static int set_once(const char *value, void *field)
{
	(void)value;
	*(uint64_t *)field = 1;
	return 0;
}

static const struct option_spec options[] = {
	{ 'd', "delay", "INTERVAL", .parse = option_interval,
	  .offset = offsetof(struct settings, interval),
	  .help = "how long each look takes; default 1s" },
	{ 'n', "count", "COUNT", .parse = option_count,
	  .offset = offsetof(struct settings, count),
	  .help = "stop after so many" },
	{ '1', "once", .parse = set_once,
	  .offset = offsetof(struct settings, count),
	  .help = "the same as --count=1" },
	{ 'a', "all", .parse = option_flag,
	  .offset = offsetof(struct settings, all),
	  .help = "channels that nobody uses, too" },
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON for each look" },
	{ 0 },
};

static const struct settings defaults = { .interval = CHAN_SECOND };

const struct command top_command = {
	.name = "top",
	.summary = "show how fast messages cross, again and again",
	.synopsis = "[OPTION]...",
	.description =
		"Show for each channel in use the messages per second, what is buffered, of what\n"
		"capacity, and how many senders and receivers wait; the busiest first, again and\n"
		"again.  Anonymous channels are for root alone to see.",
	.options = options,
	.notes = "Exit status: 0; 1 could not look; 2 wrong usage.",
	.defaults = &defaults,
	.settings_size = sizeof(defaults),
	.usage_status = STATUS_USAGE,
	.main = top_main,
};
