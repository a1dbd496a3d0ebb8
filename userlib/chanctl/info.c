// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl info: all about a channel, and who uses it.
 */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "device.h"
#include "holders.h"
#include "json.h"
#include "snapshot.h"
#include "table.h"
#include "tree_json.h"

struct settings {
	bool json;
};

/* What is shown: a channel, its node if it has one, and who has it open. */
struct view {
	const struct channel *ch;
	struct stat node;
	bool has_node;
	const struct holders *holders;
};

static void add_number(struct table *t, const char *key,
		       unsigned long long number, const char *unit)
{
	table_add_pair(t, key, text("%llu%s", number, unit));
}

static char *owner_text(const struct stat *node)
{
	const struct passwd *user = getpwuid(node->st_uid);
	const struct group *group = getgrgid(node->st_gid);
	char *u = user ? text("%s", user->pw_name) : text("%u", node->st_uid);
	char *g = group ? text("%s", group->gr_name) : text("%u", node->st_gid);
	char *both = text("%04o, %s:%s", node->st_mode & 07777, u, g);

	free(u);
	free(g);
	return both;
}

static void add_limits(struct table *t, const struct channel *ch)
{
	table_add_pair(t, "capacity",
		       ch->capacity ? text("%llu message%s", ch->capacity,
					   plural(ch->capacity)) :
				      text("0, a rendezvous"));
	table_add_pair(t, "longest message", size_text(ch->max_msg));
	if (ch->name)
		table_add_pair(t, "hangup",
			       text("%s",
				    ch->hangup ?
					    "1, ends when one side is gone" :
					    "0, stays"));
}

static void add_counts(struct table *t, const struct channel *ch)
{
	add_number(t, "buffered", ch->buffered, "");
	add_number(t, "sent", ch->sent, "");
	add_number(t, "received", ch->received, "");
	add_number(t, "send ends", ch->send_ends, " open");
	add_number(t, "receive ends", ch->recv_ends, " open");
	add_number(t, "senders", ch->parked_senders, " waiting");
	add_number(t, "receivers", ch->parked_receivers, " waiting");
}

static char *state_text(const struct channel *ch)
{
	char *cause, *both;

	if (!ch->cause)
		return text("%s", ch->state);
	cause = error_name((int)ch->cause);
	both = text("%s, %s (%s)", ch->state, cause, strerror((int)ch->cause));
	free(cause);
	return both;
}

static void add_users(struct table *t, const struct view *v)
{
	for (size_t i = 0; i < v->ch->n_parked; i++) {
		const struct parked *p = &v->ch->parked[i];

		table_add_pair(t, "waits",
			       text("%d %s, to %s for %s", p->process.pid,
				    p->process.comm,
				    p->sends ? "send" : "receive",
				    time_text(p->ms)));
	}
	for (size_t i = 0; i < v->holders->n; i++) {
		const struct holder *h = &v->holders->list[i];

		if (h->channel == v->ch->id)
			table_add_pair(t, "open in",
				       text("%d %s, as file %d, to %s",
					    h->process.pid, h->process.comm,
					    h->fd,
					    !h->sends	 ? "receive" :
					    !h->receives ? "send" :
							   "send and receive"));
	}
}

static void print_table(const struct view *v)
{
	struct table t = { .align = "ll" };

	table_add_pair(&t, "channel", channel_title(v->ch));
	add_number(&t, "id", v->ch->id, "");
	if (v->has_node)
		table_add_pair(&t, "mode", owner_text(&v->node));
	table_add_pair(&t, "state", state_text(v->ch));
	add_limits(&t, v->ch);
	if (v->ch->scope)
		add_number(&t, "scope", v->ch->scope, "");
	add_counts(&t, v->ch);
	add_users(&t, v);
	table_print(&t, 0);
}

static void print_holder(const struct holder *h)
{
	json_object(NULL);
	json_number("pid", h->process.pid);
	json_string("comm", h->process.comm);
	json_number("fd", h->fd);
	json_bool("sends", h->sends);
	json_bool("receives", h->receives);
	json_end_object();
}

static void print_json(const struct view *v)
{
	json_object(NULL);
	channel_json_fields(v->ch);
	if (v->has_node) {
		json_number("mode", v->node.st_mode & 07777);
		json_number("uid", v->node.st_uid);
		json_number("gid", v->node.st_gid);
		json_bool("hangup", v->ch->hangup);
	}
	json_array("open_in");
	for (size_t i = 0; i < v->holders->n; i++) {
		if (v->holders->list[i].channel == v->ch->id)
			print_holder(&v->holders->list[i]);
	}
	json_end_array();
	json_end_object();
}

/* "12", the whole of it; else 0, which no channel has. */
static unsigned long long parse_id(const char *s)
{
	bool is_number = *s && !s[strspn(s, "0123456789")];

	return is_number ? strtoull(s, NULL, 10) : 0;
}

static const struct channel *find_name(const struct snapshot *s,
				       const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel *ch = &s->channels[i];

		if (ch->name && strcmp(ch->name, name) == 0)
			return ch;
	}
	return NULL;
}

static bool has_number(const struct channel *ch, const char *number)
{
	char *path = text(SYSFS_CLASS "/%s/dev", ch->name);
	char *line = read_line(path);
	bool same = line && strcmp(line, number) == 0;

	free(line);
	free(path);
	return same;
}

/* A node of the channel may be anywhere, and be called anything. */
static const struct channel *find_node(const struct snapshot *s,
				       const char *path)
{
	const struct channel *found = NULL;
	struct stat node;
	char *number;

	if (stat(path, &node) || !S_ISCHR(node.st_mode))
		return NULL;
	number = text("%u:%u", major(node.st_rdev), minor(node.st_rdev));
	for (size_t i = 0; i < s->n_channels && !found; i++) {
		const struct channel *ch = &s->channels[i];

		if (ch->name && has_number(ch, number))
			found = ch;
	}
	free(number);
	return found;
}

/* "#12": by identity.  Else as in the other commands. */
static const struct channel *find(const struct snapshot *s, const char *given)
{
	const struct channel *found;
	char *name;

	if (*given == '#')
		return snapshot_find(s, parse_id(given + 1));
	if (strchr(given, '/'))
		return find_node(s, given);
	name = device_opened(given);
	found = find_name(s, name);
	free(name);
	return found;
}

static int show(const struct snapshot *s, const struct holders *holders,
		const char *given, bool json)
{
	struct view v = { .ch = find(s, given), .holders = holders };
	char *path;

	if (!v.ch) {
		complain("no channel '%s'; see chanctl list%s", given,
			 *given == '#' ? " --all" : "");
		return STATUS_FAILED;
	}
	if (v.ch->name) {
		path = text("/dev/%s", v.ch->name);
		v.has_node = stat(path, &v.node) == 0;
		free(path);
	}
	if (json)
		print_json(&v);
	else
		print_table(&v);
	return STATUS_GOOD;
}

static int info_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct holders holders;
	struct snapshot s;
	int status = STATUS_GOOD;

	if (snapshot_take_some(&s))
		return STATUS_FAILED;
	holders_find(&holders);
	for (int i = 0; i < argc; i++) {
		if (show(&s, &holders, argv[i], set->json))
			status = STATUS_FAILED;
	}
	holders_release(&holders);
	snapshot_release(&s);
	return status;
}

static const struct option_spec options[] = {
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON for each instead" },
	{ 0 },
};

const struct command info_command = {
	.name = "info",
	.summary = "tell all about a channel, and who uses it",
	.synopsis = "[OPTION]... CHANNEL...",
	.description =
		"Tell all about channels: a name, or #ID for one that is anonymous.  Who waits on\n"
		"it, anonymous ones, and the files of others are for root alone to see.",
	.options = options,
	.notes =
		"Exit status: 0; 1 there is no such channel, or could not look; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = ANY_NUMBER,
	.missing = "channel",
	.arguments = COMPLETE_CHANNEL,
	.main = info_main,
};
