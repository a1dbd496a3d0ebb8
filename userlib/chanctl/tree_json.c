// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: what a snapshot has in it, as JSON; and the tree as one line of it,
 * the root scope with what is in it below it.
 */
#include "json.h"
#include "snapshot.h"
#include "tree_json.h"

static void print_members_of(const struct process *process)
{
	json_number("pid", process->pid);
	json_string("comm", process->comm);
}

void process_json_print(const char *name, const struct process *process)
{
	json_object(name);
	print_members_of(process);
	json_end_object();
}

static void print_parked(const struct parked *parked)
{
	json_object(NULL);
	print_members_of(&parked->process);
	json_string("waits_to", parked->sends ? "send" : "receive");
	json_number("ms", parked->ms);
	json_end_object();
}

void channel_json_fields(const struct channel *ch)
{
	json_number("id", ch->id);
	json_string("name", ch->name);
	json_number("scope", ch->scope);
	json_string("state", ch->state);
	json_number("cause", ch->cause);
	json_number("capacity", ch->capacity);
	json_number("max_msg", ch->max_msg);
	json_number("buffered", ch->buffered);
	json_number("send_ends", ch->send_ends);
	json_number("recv_ends", ch->recv_ends);
	json_number("sent", ch->sent);
	json_number("received", ch->received);
	json_number("parked_senders", ch->parked_senders);
	json_number("parked_receivers", ch->parked_receivers);
	json_array("parked");
	for (size_t i = 0; i < ch->n_parked; i++)
		print_parked(&ch->parked[i]);
	json_end_array();
	json_bool("parked_more", ch->parked_more);
}

void channel_json_print(const struct channel *ch)
{
	json_object(NULL);
	channel_json_fields(ch);
	json_end_object();
}

static void print_channels(const struct snapshot *s, unsigned long long scope)
{
	json_array("channels");
	for (size_t i = 0; i < s->n_channels; i++) {
		if (s->channels[i].scope == scope)
			channel_json_print(&s->channels[i]);
	}
	json_end_array();
}

static void print_scopes(const struct snapshot *s, const struct scope *parent);

static void print_scope(const struct snapshot *s, const struct scope *scope)
{
	json_object(NULL);
	json_number("id", scope->id);
	json_string("state", scope->state);
	json_number("cause", scope->cause);
	json_number("pgid", scope->pgid);
	process_json_print("owner", &scope->owner);
	json_array("members");
	for (size_t i = 0; i < scope->n_members; i++)
		process_json_print(NULL, &scope->members[i]);
	json_end_array();
	print_channels(s, scope->id);
	print_scopes(s, scope);
	json_end_object();
}

/* Those inside a scope; NULL for the root. */
static void print_scopes(const struct snapshot *s, const struct scope *parent)
{
	json_array("scopes");
	for (size_t i = 0; i < s->n_scopes; i++) {
		if (parent && parent->more)
			break;
		if (s->scopes[i].parent == (parent ? parent->id : 0))
			print_scope(s, &s->scopes[i]);
	}
	json_end_array();
	if (parent && parent->more)
		json_bool("scopes_more", true);
}

void tree_json_print(const struct snapshot *s)
{
	json_object(NULL);
	json_number("id", 0);
	print_channels(s, 0);
	print_scopes(s, NULL);
	json_end_object();
}
