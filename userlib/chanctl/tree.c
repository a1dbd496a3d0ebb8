// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl tree: draw the scopes, what is in them, and who waits where.
 */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "snapshot.h"
#include "tree_json.h"
#include "watch.h"

/* One line of the drawing, with the lines below it. */
struct node {
	char *text;
	struct node *below;
	size_t n_below;
};

/* How a line is led up to, and those below it past it. */
struct lines {
	const char *branch, *pass, *last_branch, *last_pass;
};

static const struct lines utf8_lines = { "├─ ", "│  ", "└─ ", "   " };
static const struct lines ascii_lines = { "|- ", "|  ", "`- ", "   " };

/* Takes the text over. Good until the next call for the same node. */
static struct node *add_below(struct node *above, char *text)
{
	above->below =
		append(above->below, &above->n_below, sizeof(*above->below));
	above->below[above->n_below - 1].text = text;
	return &above->below[above->n_below - 1];
}

static void release_node(struct node *node)
{
	for (size_t i = 0; i < node->n_below; i++)
		release_node(&node->below[i]);
	free(node->below);
	free(node->text);
}

static void draw(const struct node *node, const struct lines *lines,
		 const char *margin)
{
	for (size_t i = 0; i < node->n_below; i++) {
		bool last = i + 1 == node->n_below;
		char *next = text("%s%s", margin,
				  last ? lines->last_pass : lines->pass);

		printf("%s%s%s\n", margin,
		       last ? lines->last_branch : lines->branch,
		       node->below[i].text);
		draw(&node->below[i], lines, next);
		free(next);
	}
}

/* ", cancelled: ETIMEDOUT", to be freed; nothing of one that is open. */
static char *cause_text(const char *state, unsigned long long cause)
{
	const char *name = strerrorname_np((int)cause);

	if (strcmp(state, "open") == 0 || strcmp(state, "bound") == 0)
		return text("%s", "");
	if (!cause)
		return text(", %s", state);
	if (!name)
		return text(", %s: error %llu", state, cause);
	return text(", %s: %s", state, name);
}

static char *channel_text(const struct channel *ch)
{
	char *cause = cause_text(ch->state, ch->cause), *name, *room, *line;

	name = ch->name ? text("/dev/%s", ch->name) :
			  text("channel %llu", ch->id);
	room = ch->capacity ? text("%llu of %llu buffered", ch->buffered,
				   ch->capacity) :
			      text("rendezvous");
	line = text("%s: %s, %llu send end%s, %llu receive end%s%s", name, room,
		    ch->send_ends, plural(ch->send_ends), ch->recv_ends,
		    plural(ch->recv_ends), cause);
	free(cause);
	free(name);
	free(room);
	return line;
}

static void add_channel(struct node *node, const struct channel *ch)
{
	node = add_below(node, channel_text(ch));
	for (size_t i = 0; i < ch->n_parked; i++) {
		const struct parked *parked = &ch->parked[i];

		add_below(node, text("%d %s waits to %s for %s",
				     parked->process.pid, parked->process.comm,
				     parked->sends ? "send" : "receive",
				     time_text(parked->ms)));
	}
	if (ch->parked_more)
		add_below(node, text("..."));
}

/* Named channels are always there; one that nobody uses is no news. */
static bool in_use(const struct channel *ch)
{
	return ch->scope || ch->send_ends || ch->recv_ends || ch->buffered;
}

static char *scope_text(const struct scope *scope)
{
	char *cause = cause_text(scope->state, scope->cause), *group, *line;

	group = scope->pgid ? text("process group %llu", scope->pgid) :
			      text("no process group");
	line = text("scope %llu: %s, owned by %d %s%s", scope->id, group,
		    scope->owner.pid, scope->owner.comm,
		    strcmp(scope->state, "unbound") ? cause : "");
	free(cause);
	free(group);
	return line;
}

static void add_scopes_below(struct node *node, const struct snapshot *s,
			     unsigned long long id);

static void add_channels_of(struct node *node, const struct snapshot *s,
			    unsigned long long id)
{
	for (size_t i = 0; i < s->n_channels; i++) {
		if (s->channels[i].scope == id && in_use(&s->channels[i]))
			add_channel(node, &s->channels[i]);
	}
}

static void add_scope(struct node *node, const struct snapshot *s,
		      const struct scope *scope)
{
	node = add_below(node, scope_text(scope));
	for (size_t i = 0; i < scope->n_members; i++)
		add_below(node, text("%d %s", scope->members[i].pid,
				     scope->members[i].comm));
	add_channels_of(node, s, scope->id);
	if (scope->more)
		add_below(node, text("..."));
	else
		add_scopes_below(node, s, scope->id);
}

static void add_scopes_below(struct node *node, const struct snapshot *s,
			     unsigned long long id)
{
	for (size_t i = 0; i < s->n_scopes; i++) {
		if (s->scopes[i].parent == id)
			add_scope(node, s, &s->scopes[i]);
	}
}

static void draw_snapshot(const struct snapshot *s)
{
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	struct node root = { 0 };

	add_channels_of(&root, s, 0);
	add_scopes_below(&root, s, 0);
	puts("root scope");
	draw(&root, utf8 ? &utf8_lines : &ascii_lines, "");
	release_node(&root);
}

static int show(void *json)
{
	struct snapshot s;

	if (snapshot_take(&s))
		return STATUS_FAILED;
	if (*(bool *)json)
		tree_json_print(&s);
	else
		draw_snapshot(&s);
	snapshot_release(&s);
	return STATUS_GOOD;
}

struct settings {
	bool json;
	uint64_t interval;
};

static int tree_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;

	(void)argc;
	(void)argv;
	if (!set->interval)
		return show(&set->json);
	return watch(show, &set->json, set->interval, 0, set->json);
}

static const struct option_spec options[] = {
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON instead" },
	{ 'w', "watch", "INTERVAL", true, .parse = option_interval,
	  .offset = offsetof(struct settings, interval),
	  .help = "draw it again and again, each second if not told" },
	{ 0 },
};

const struct command tree_command = {
	.name = "tree",
	.summary = "draw the scopes, and who waits where",
	.synopsis = "[OPTION]...",
	.description =
		"Draw the scopes: the processes and channels in each, and who waits for a\n"
		"partner on a channel, and for how long.  Only root may look.",
	.options = options,
	.notes = "Exit status: 0; 1 could not look; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.main = tree_main,
};
