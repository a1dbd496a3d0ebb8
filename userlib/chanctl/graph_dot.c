// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl graph: in the language of dot(1).
 */
#include <stdlib.h>
#include <string.h>

#include "chanctl.h"
#include "graph.h"

/* A name in a string: dot takes UTF-8, and has its own use for a backslash. */
static void print_name(FILE *file, const char *s)
{
	while (*s) {
		size_t len = utf8_length(s);

		if (!len)
			putc('?', file);
		else if (*s == '"' || *s == '\\')
			fprintf(file, "\\%c", *s);
		else
			fwrite(s, 1, len, file);
		s += len ? len : 1;
	}
}

static void print_process(FILE *file, const char *margin,
			  const struct vertex *process)
{
	fprintf(file, "%sp%d [shape=box label=\"%d ", margin, process->pid,
		process->pid);
	print_name(file, process->comm);
	fputs("\"]\n", file);
}

static void print_channel(FILE *file, const char *margin,
			  const struct channel *ch)
{
	char *title = channel_title(ch);

	fprintf(file, "%sc%llu [shape=ellipse label=\"", margin, ch->id);
	print_name(file, title);
	if (ch->capacity)
		fprintf(file, "\\n%llu of %llu buffered", ch->buffered,
			ch->capacity);
	if (strcmp(ch->state, "open"))
		fprintf(file, "\\n%s", ch->state);
	fputs("\"]\n", file);
	free(title);
}

static void print_contents(const struct graph *g, FILE *file,
			   const char *margin, unsigned long long scope)
{
	for (size_t i = 0; i < g->n_processes; i++) {
		if (g->processes[i].scope == scope)
			print_process(file, margin, &g->processes[i]);
	}
	for (size_t i = 0; i < g->s->n_channels; i++) {
		const struct channel *ch = &g->s->channels[i];

		if (ch->scope == scope && graph_shows(ch))
			print_channel(file, margin, ch);
	}
}

/* The point is what an owner points to: an edge cannot end at a cluster. */
static void print_scope(const struct graph *g, FILE *file,
			const struct scope *scope, const char *margin)
{
	char *inside = text("%s\t", margin);

	fprintf(file, "%ssubgraph cluster_%llu {\n", margin, scope->id);
	fprintf(file, "%slabel=\"scope %llu, %s", inside, scope->id,
		scope->state);
	if (scope->pgid)
		fprintf(file, "\\nprocess group %llu", scope->pgid);
	if (scope->cause) {
		char *cause = error_name((int)scope->cause);

		fprintf(file, "\\n%s", cause);
		free(cause);
	}
	fprintf(file, "\"\n%ss%llu [shape=point]\n", inside, scope->id);
	print_contents(g, file, inside, scope->id);
	for (size_t i = 0; i < g->s->n_scopes && !scope->more; i++) {
		if (g->s->scopes[i].parent == scope->id)
			print_scope(g, file, &g->s->scopes[i], inside);
	}
	fprintf(file, "%s}\n", margin);
	free(inside);
}

static void print_edge(FILE *file, const struct edge *e)
{
	switch (e->kind) {
	case EDGE_OWNS:
		fprintf(file, "\tp%d -> s%llu [label=owns style=dotted]\n",
			e->pid, e->other);
		break;
	case EDGE_SENDS:
		fprintf(file, "\tp%d -> c%llu\n", e->pid, e->other);
		break;
	case EDGE_RECEIVES:
		fprintf(file, "\tc%llu -> p%d\n", e->other, e->pid);
		break;
	case EDGE_WAITS_TO_SEND:
		fprintf(file,
			"\tp%d -> c%llu [penwidth=3 label=\"waits to send\\n%s\"]\n",
			e->pid, e->other, time_text(e->ms));
		break;
	case EDGE_WAITS_TO_RECEIVE:
		fprintf(file,
			"\tc%llu -> p%d [penwidth=3 label=\"waits to receive\\n%s\"]\n",
			e->other, e->pid, time_text(e->ms));
		break;
	case EDGE_WAITS_FOR:
		fprintf(file,
			"\tp%d -> p%llu [style=dashed constraint=false label=\"waits for\"]\n",
			e->pid, e->other);
		break;
	}
}

void graph_print_dot(const struct graph *g, FILE *file)
{
	fputs("digraph chan {\n\trankdir=LR\n\tnode [fontname=\"sans-serif\"]\n"
	      "\tedge [fontname=\"sans-serif\" fontsize=10]\n",
	      file);
	print_contents(g, file, "\t", 0);
	for (size_t i = 0; i < g->s->n_scopes; i++) {
		if (!g->s->scopes[i].parent)
			print_scope(g, file, &g->s->scopes[i], "\t");
	}
	for (size_t i = 0; i < g->n_edges; i++)
		print_edge(file, &g->edges[i]);
	fputs("}\n", file);
}
