// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl graph: as JSON.
 */
#include "chanctl.h"
#include "graph.h"
#include "json.h"
#include "tree_json.h"

static const char *const kinds[] = {
	[EDGE_OWNS] = "owns",
	[EDGE_SENDS] = "sends",
	[EDGE_RECEIVES] = "receives",
	[EDGE_WAITS_TO_SEND] = "waits_to_send",
	[EDGE_WAITS_TO_RECEIVE] = "waits_to_receive",
	[EDGE_WAITS_FOR] = "waits_for",
};

static void print_scope(const struct scope *scope)
{
	json_object(NULL);
	json_number("id", scope->id);
	json_number("parent", scope->parent);
	json_string("state", scope->state);
	json_number("cause", scope->cause);
	json_number("pgid", scope->pgid);
	json_end_object();
}

static void print_process(const struct vertex *process)
{
	json_object(NULL);
	json_number("pid", process->pid);
	json_string("comm", process->comm);
	json_number("scope", process->scope);
	json_end_object();
}

/* What the other end is called follows from what it is. */
static void print_edge(const struct edge *e)
{
	json_object(NULL);
	json_string("kind", kinds[e->kind]);
	json_number("pid", e->pid);
	json_number(e->kind == EDGE_OWNS      ? "scope" :
		    e->kind == EDGE_WAITS_FOR ? "other_pid" :
						"channel",
		    e->other);
	if (e->kind == EDGE_WAITS_TO_SEND || e->kind == EDGE_WAITS_TO_RECEIVE)
		json_number("ms", e->ms);
	json_end_object();
}

void graph_print_json(const struct graph *g)
{
	json_object(NULL);
	json_array("scopes");
	for (size_t i = 0; i < g->s->n_scopes; i++)
		print_scope(&g->s->scopes[i]);
	json_end_array();
	json_array("processes");
	for (size_t i = 0; i < g->n_processes; i++)
		print_process(&g->processes[i]);
	json_end_array();
	json_array("channels");
	for (size_t i = 0; i < g->s->n_channels; i++) {
		if (graph_shows(&g->s->channels[i]))
			channel_json_print(&g->s->channels[i]);
	}
	json_end_array();
	json_array("edges");
	for (size_t i = 0; i < g->n_edges; i++)
		print_edge(&g->edges[i]);
	json_end_array();
	json_end_object();
}
