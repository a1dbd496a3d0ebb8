// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl graph: scopes, processes and channels, and who waits for whom.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chanctl.h"
#include "command.h"
#include "graph.h"
#include "holders.h"

struct settings {
	const char *svg;
	bool json;
};

/* --- What there is --- */

static void add_process(struct graph *g, const struct process *process,
			unsigned long long scope)
{
	for (size_t i = 0; i < g->n_processes; i++) {
		if (g->processes[i].pid == process->pid)
			return;
	}
	g->processes =
		append(g->processes, &g->n_processes, sizeof(*g->processes));
	g->processes[g->n_processes - 1] = (struct vertex){
		.pid = process->pid,
		.comm = process->comm,
		.scope = scope,
	};
}

static void add_edge(struct graph *g, enum edge_kind kind, int pid,
		     unsigned long long other, unsigned long long ms)
{
	g->edges = append(g->edges, &g->n_edges, sizeof(*g->edges));
	g->edges[g->n_edges - 1] = (struct edge){
		.kind = kind,
		.pid = pid,
		.other = other,
		.ms = ms,
	};
}

/* It may have several files of the same kind. */
static void add_edge_once(struct graph *g, enum edge_kind kind, int pid,
			  unsigned long long other)
{
	for (size_t i = 0; i < g->n_edges; i++) {
		const struct edge *e = &g->edges[i];

		if (e->kind == kind && e->pid == pid && e->other == other)
			return;
	}
	add_edge(g, kind, pid, other, 0);
}

/* Members first, so that a process is drawn in its scope. */
static void add_scopes(struct graph *g)
{
	const struct snapshot *s = g->s;

	for (size_t i = 0; i < s->n_scopes; i++) {
		const struct scope *scope = &s->scopes[i];

		for (size_t j = 0; j < scope->n_members; j++)
			add_process(g, &scope->members[j], scope->id);
	}
	for (size_t i = 0; i < s->n_scopes; i++) {
		add_process(g, &s->scopes[i].owner, 0);
		add_edge(g, EDGE_OWNS, s->scopes[i].owner.pid, s->scopes[i].id,
			 0);
	}
}

static void add_holders(struct graph *g, const struct holders *h)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct holder *holder = &h->list[i];

		if (!holder->channel || !snapshot_find(g->s, holder->channel))
			continue;
		add_process(g, &holder->process, 0);
		if (holder->sends)
			add_edge_once(g, EDGE_SENDS, holder->process.pid,
				      holder->channel);
		if (holder->receives)
			add_edge_once(g, EDGE_RECEIVES, holder->process.pid,
				      holder->channel);
	}
}

/* Whoever has an end of the other kind could be the partner. */
static void add_waits_for(struct graph *g, const struct channel *ch,
			  const struct parked *parked, const struct holders *h)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct holder *holder = &h->list[i];

		if (holder->channel == ch->id &&
		    holder->process.pid != parked->process.pid &&
		    (parked->sends ? holder->receives : holder->sends))
			add_edge_once(g, EDGE_WAITS_FOR, parked->process.pid,
				      holder->process.pid);
	}
}

static void add_waits(struct graph *g, const struct holders *h)
{
	for (size_t i = 0; i < g->s->n_channels; i++) {
		const struct channel *ch = &g->s->channels[i];

		for (size_t j = 0; j < ch->n_parked; j++) {
			const struct parked *p = &ch->parked[j];

			add_process(g, &p->process, 0);
			add_edge(g,
				 p->sends ? EDGE_WAITS_TO_SEND :
					    EDGE_WAITS_TO_RECEIVE,
				 p->process.pid, ch->id, p->ms);
			add_waits_for(g, ch, p, h);
		}
	}
}

bool graph_shows(const struct channel *ch)
{
	return ch->scope || !ch->name || ch->send_ends || ch->recv_ends ||
	       ch->buffered;
}

/* --- Where it goes --- */

/* Starts dot(1), which reads from the pipe that is returned in *to. */
static int start_dot(const char *svg, pid_t *pid, FILE **to)
{
	const char *const argv[] = { "dot", "-Tsvg", "-o", svg, NULL };
	posix_spawn_file_actions_t actions;
	int pipe[2], error;

	if (pipe2(pipe, O_CLOEXEC))
		return errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe[0], STDIN_FILENO);
	error = posix_spawnp(pid, argv[0], &actions, NULL, (char **)argv,
			     environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe[0]);
	*to = error ? NULL : fdopen(pipe[1], "w");
	if (!*to)
		close(pipe[1]);
	return error;
}

static int draw(const struct graph *g, const char *svg)
{
	FILE *file = NULL;
	pid_t pid;
	int error, status = 0;

	error = start_dot(svg, &pid, &file);
	if (error == ENOENT) {
		complain("dot is not there, which draws it; install graphviz");
		return STATUS_FAILED;
	}
	if (error) {
		complain("dot: %s", strerror(error));
		return STATUS_FAILED;
	}
	/* If it does not read all, it has said why. */
	signal(SIGPIPE, SIG_IGN);
	if (file) {
		graph_print_dot(g, file);
		fclose(file);
	}
	if (waitpid(pid, &status, 0) == pid && status == 0)
		return STATUS_GOOD;
	complain("dot has failed");
	return STATUS_FAILED;
}

static int print(const struct graph *g, const struct settings *set)
{
	if (set->svg)
		return draw(g, set->svg);
	if (set->json)
		graph_print_json(g);
	else
		graph_print_dot(g, stdout);
	return STATUS_GOOD;
}

static int graph_main(void *settings, int argc, char **argv)
{
	struct graph g = { 0 };
	struct holders holders;
	struct snapshot s;
	int status;

	(void)argc;
	(void)argv;
	if (snapshot_take(&s))
		return STATUS_FAILED;
	holders_find(&holders);
	g.s = &s;
	add_scopes(&g);
	add_holders(&g, &holders);
	add_waits(&g, &holders);
	status = print(&g, settings);
	free(g.edges);
	free(g.processes);
	holders_release(&holders);
	snapshot_release(&s);
	return status;
}

static const struct option_spec options[] = {
	{ 's', "svg", "FILE", .parse = option_text,
	  .offset = offsetof(struct settings, svg), .completion = COMPLETE_FILE,
	  .help = "have dot(1), of graphviz, draw it into FILE" },
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON instead" },
	{ 0 },
};

const struct command graph_command = {
	.name = "graph",
	.summary = "draw who waits for whom",
	.synopsis = "[OPTION]...",
	.description =
		"Print a graph, in the language of dot(1): scopes, the processes in them, and the\n"
		"channels that somebody uses.  An arrow from a process to a channel, or back, is\n"
		"an end to send or to receive; a thick one, that it waits there; a dashed one,\n"
		"from process to process, who could end that.  Only root may look.",
	.options = options,
	.notes =
		"Exit status: 0; 1 could not look, or dot has failed; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.main = graph_main,
};
