// SPDX-License-Identifier: GPL-2.0-only
/*
 * Process groups: who is in one, and signals to it.
 *
 * DOC: Looking at a process group
 *
 * A group is the list of its processes, and modules have no lock for it: it is
 * walked under RCU while processes come and go.
 *
 * A process is *live* until the last of its threads has closed its files and
 * become a zombie.  Whether the parent has waited for it does not matter; that it
 * could, or has been told through a pidfd, does: who learns from us that a process
 * is gone wants to know how it ended.  If its first thread is not the last to go,
 * that is so when the others have been taken from the list of threads.  They do that
 * themselves at once, unless they are traced: then the tracer does, as late as it
 * likes, and meanwhile the process is *dying*, but not live.
 *
 * That nobody is live must not be said by mistake.  What could be missed?
 *
 * * A child of a process that is seen dead.  fork() puts it at the head of the
 *   list before its parent can die; so do setpgid() and whoever else joins.  So
 *   the head is read once before the walk and once after: as long as that is the
 *   same, nobody has joined ahead of those who were found dead.
 * * The rest of the list, if a process is moved to another group under our feet.
 *   If it is live it has been counted, so that can only be a zombie, moved by its
 *   parent.  After a step ahead we check that it was one within this group.
 *   Whoever moves zombies of his own out and in at the right instants can hide
 *   members all the same; he could take them out of the group as well.
 * * A thread.  New ones go to the end of the list of threads, before their maker
 *   can die.
 *
 * Memory of a task that has been seen stays, and is not used for another one,
 * for as long as we are under RCU.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "group.h"

/* How often a walk is begun anew because the list has changed. */
#define WALK_TRIES 3

/**
 * group_holds_child - is the caller, or a child of it, in a group?
 * @pgrp: the group
 *
 * Return: true if so, be the child a zombie already.
 */
bool group_holds_child(struct pid *pgrp)
{
	struct task_struct *p;
	bool found;

	found = task_pgrp(current) == pgrp;
	rcu_read_lock();
	hlist_for_each_entry_rcu(p, &pgrp->tasks[PIDTYPE_PGID],
				 pid_links[PIDTYPE_PGID]) {
		if (same_thread_group(rcu_dereference(p->real_parent), current))
			found = true;
	}
	rcu_read_unlock();
	return found;
}

/**
 * group_holds_init - does a group hold an init of the caller?
 * @pgrp: the group
 *
 * That is the init of its pid namespace, or of one around it.
 *
 * Return: true if so, unless that is the caller.
 */
bool group_holds_init(struct pid *pgrp)
{
	struct pid_namespace *ns;
	bool holds = false;

	rcu_read_lock();
	for (ns = task_active_pid_ns(current); ns && !holds; ns = ns->parent) {
		struct task_struct *init = ns->child_reaper;

		holds = task_pgrp(init) == pgrp &&
			!same_thread_group(init, current);
	}
	rcu_read_unlock();
	return holds;
}

/* The permission that kill(2) asks for. */
static bool may_signal(struct task_struct *process, void *data)
{
	const struct cred *own = current_cred(), *other = __task_cred(process);

	return uid_eq(own->euid, other->suid) ||
	       uid_eq(own->euid, other->uid) || uid_eq(own->uid, other->suid) ||
	       uid_eq(own->uid, other->uid) ||
	       ns_capable(other->user_ns, CAP_KILL);
}

/**
 * current_may_be_signaled - may somebody else send signals to this process?
 * @cred: with these permissions
 *
 * Return: true if so; that everybody may signal itself does not count.
 */
bool current_may_be_signaled(const struct cred *cred)
{
	const struct cred *own = override_creds(cred);
	bool may;

	rcu_read_lock();
	/* Whose permissions kill_pgrp() looks at. */
	may = may_signal(current->group_leader, NULL);
	rcu_read_unlock();
	revert_creds(own);
	return may;
}

/**
 * group_may_be_signaled - may the caller send signals to a group?
 * @pgrp: the group
 *
 * Return: true if it may to each process that is in it now.
 */
bool group_may_be_signaled(struct pid *pgrp)
{
	return group_for_each(pgrp, may_signal, NULL);
}

/* One that is kept is gone, but for who traces a thread of it. */
enum process_state {
	PROCESS_GONE,
	PROCESS_KEPT,
	PROCESS_LIVE,
};

/* Under RCU. */
static enum process_state state_of(struct task_struct *process)
{
	enum process_state state = PROCESS_GONE;
	struct task_struct *t;

	/* for_each_thread() names a lock that modules do not have. */
	list_for_each_entry_rcu(t, &process->signal->thread_head, thread_node) {
		/* Before the next one is looked for. */
		if (!smp_load_acquire(&t->exit_state))
			return PROCESS_LIVE;
		if (t == process)
			continue;
		if (!READ_ONCE(t->ptrace))
			return PROCESS_LIVE;
		state = PROCESS_KEPT;
	}
	return state;
}

static void count_process(struct task_struct *process,
			  struct group_census *census)
{
	enum process_state state = state_of(process);

	census->live += state == PROCESS_LIVE;
	census->dying += state != PROCESS_GONE &&
			 !atomic_read(&process->signal->live);
}

/* One walk along the list, under RCU.  Return: false if it went astray. */
static bool walk(struct pid *pgrp, struct hlist_node *node,
		 struct group_census *census)
{
	struct task_struct *p;

	while (node) {
		p = hlist_entry(node, struct task_struct,
				pid_links[PIDTYPE_PGID]);
		count_process(p, census);
		node = rcu_dereference(hlist_next_rcu(node));
		/* The step first, then whether it was one in this group. */
		smp_rmb();
		if (task_pgrp(p) != pgrp)
			return false;
	}
	return true;
}

/*
 * Return: false if the group has changed such that somebody may have been missed.
 */
static bool walk_all(struct pid *pgrp, struct group_census *census)
{
	struct hlist_node __rcu **head =
		&hlist_first_rcu(&pgrp->tasks[PIDTYPE_PGID]);
	struct hlist_node *first = rcu_dereference(*head);
	bool exact;

	*census = (struct group_census){};
	exact = walk(pgrp, first, census);
	/* The walk first, then whether somebody has joined. */
	smp_rmb();
	return census->live || (exact && rcu_access_pointer(*head) == first);
}

/**
 * group_count - count the live processes of a group
 * @pgrp: the group
 * @census: they are added to what is in there
 *
 * Any number but none is a snapshot.  In a group that changes too fast to be
 * sure there is said to be somebody.
 */
void group_count(struct pid *pgrp, struct group_census *census)
{
	struct group_census found;
	int tries = WALK_TRIES;
	bool sure;

	rcu_read_lock();
	do {
		sure = walk_all(pgrp, &found);
	} while (!sure && --tries);
	rcu_read_unlock();
	census->live += found.live + !sure;
	census->dying += found.dying + !sure;
}

/**
 * group_for_each - visit the processes of a group
 * @pgrp: the group
 * @visit: called under RCU for each, returns false to stop
 * @data: for @visit
 *
 * Who comes or goes meanwhile may be visited or not.
 *
 * Return: false if @visit has stopped.
 */
bool group_for_each(struct pid *pgrp,
		    bool (*visit)(struct task_struct *process, void *data),
		    void *data)
{
	struct task_struct *p;
	bool go_on = true;

	rcu_read_lock();
	hlist_for_each_entry_rcu(p, &pgrp->tasks[PIDTYPE_PGID],
				 pid_links[PIDTYPE_PGID]) {
		go_on = go_on && visit(p, data);
	}
	rcu_read_unlock();
	return go_on;
}

/**
 * group_signal - send a signal to all processes of a group
 * @pgrp: the group
 * @sig: the signal, 0 for none
 * @cred: with whose permissions
 */
void group_signal(struct pid *pgrp, int sig, const struct cred *cred)
{
	const struct cred *own;

	if (!sig)
		return;
	own = override_creds(cred);
	kill_pgrp(pgrp, sig, 0);
	revert_creds(own);
}

/**
 * show_name - show the name of a task, which may be anything
 * @m: where to
 * @comm: the name
 */
void show_name(struct seq_file *m, const char *comm)
{
	seq_escape(m, comm, "\n\\");
}

static bool show_process(struct task_struct *process, void *data)
{
	struct seq_file *m = data;

	if (state_of(process) == PROCESS_LIVE) {
		seq_printf(m, "  member pid %d ", task_pid_nr(process));
		show_name(m, process->comm);
		seq_putc(m, '\n');
	}
	return true;
}

/**
 * group_show - list the live processes of a group
 * @m: where to
 * @pgrp: the group
 */
void group_show(struct seq_file *m, struct pid *pgrp)
{
	group_for_each(pgrp, show_process, m);
}
