// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: a stage of a stream, from when it is made to when it ends.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scope.h"
#include "stage.h"

/* --- In the child: ends --- */

static bool is_own(const struct stage *stage, int fd)
{
	unsigned int i;

	for (i = 0; i < stage->nin; i++)
		if (stage->in[i].fd == fd)
			return true;
	for (i = 0; i < stage->nout; i++)
		if (stage->out[i].fd == fd)
			return true;
	for (i = 0; i < stage->options.nkeep; i++)
		if (stage->options.keep[i] == fd)
			return true;
	for (i = 0; i < sizeof(stage->links) / sizeof(*stage->links); i++)
		if (stage->links[i] == fd)
			return true;
	return fd <= STDERR_FILENO;
}

/* An end of a scope that the child is not in tells nothing else than -EACCES. */
static void close_foreign_end(const struct stage *stage, int fd)
{
	struct chan_info info;
	int ret;

	if (is_own(stage, fd))
		return;
	ret = query_ioctl(fd, CHAN_IOC_INFO, &info, sizeof(info));
	if (!ret || ret == -EACCES)
		sys_close(fd);
}

static void close_foreign_ends_below(const struct stage *stage, int limit)
{
	int fd;

	for (fd = STDERR_FILENO + 1; fd < limit; fd++)
		close_foreign_end(stage, fd);
}

/* Where there is no /proc, this looks at every number that a file can have. */
static void close_foreign_ends(const struct stage *stage)
{
	struct dirent *entry;
	struct rlimit limit;
	DIR *dir;
	int fd;

	dir = opendir("/proc/self/fd");
	if (!dir) {
		getrlimit(RLIMIT_NOFILE, &limit);
		close_foreign_ends_below(stage, limit.rlim_cur);
		return;
	}
	while ((entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		if (fd > STDERR_FILENO && fd != dirfd(dir))
			close_foreign_end(stage, fd);
	}
	closedir(dir);
}

/* --- In the child: messages --- */

int stage_leave_out(struct stage *stage, unsigned int i)
{
	chan_tx_release(&stage->out[i]);
	for (i = 0; i < stage->nout; i++)
		if (stage->out[i].fd >= 0)
			return 0;
	return STAGE_GONE;
}

static int look_at_demand(struct stage *stage, const struct chan_case *c,
			  unsigned int i)
{
	if (c->events & (POLLERR | POLLHUP))
		return stage_leave_out(stage, i);
	return 1;
}

/* On a channel without a buffer a send is possible when somebody waits for it. */
int stage_await_demand(struct stage *stage)
{
	struct chan_case *cases;
	unsigned int i;
	int ret;

	cases = calloc(stage->nout, sizeof(*cases));
	if (!cases)
		return -ENOMEM;
	do {
		for (i = 0; i < stage->nout; i++)
			cases[i] = chan_case_poll(stage->out[i].fd, POLLOUT);
		ret = chan_select_until(cases, stage->nout, 0,
					CHAN_SELECT_FOREVER, NULL);
		if (ret >= 0)
			ret = look_at_demand(stage, &cases[ret], ret);
	} while (!ret);
	free(cases);
	return ret > 0 ? 0 : ret;
}

int stage_recv(struct stage *stage, uint64_t deadline, size_t *len)
{
	struct chan_case cases[] = {
		chan_case_recv(stage->in[0], stage->msg, stage->max_in),
		chan_case_poll(stage->out[0].fd, 0),
	};
	int chosen = chan_select_until(cases, 2, 0, deadline, NULL);

	if (chosen == -ETIMEDOUT || chosen == -EAGAIN)
		return STAGE_LATE;
	if (chosen < 0)
		return chosen;
	return chosen ? STAGE_GONE : chan_case_received(&cases[0], len);
}

int stage_send(struct stage *stage, const void *msg, size_t len)
{
	int ret = chan_send(stage->out[0], msg, len);

	return ret == -EPIPE || ret == -ECANCELED ? STAGE_GONE : ret;
}

int stage_use_each(struct stage *stage)
{
	size_t len;
	int ret;

	ret = stage_await_demand(stage);
	while (!ret) {
		ret = stage_recv(stage, chan_deadline(stage->timeout), &len);
		if (ret <= 0)
			return ret == STAGE_LATE ? -ETIMEDOUT : ret;
		ret = stage->use(stage, len);
	}
	return ret == CHAN_STOP ? 0 : ret;
}

int stage_result(int ret)
{
	return ret > 0 || ret < -CHAN_MAX_ERROR ? -EINVAL : ret;
}

void stage_close(struct stage *stage, int ret)
{
	int cause = ret == STAGE_GONE ? 0 : -ret;
	unsigned int i;

	for (i = 0; i < stage->nout; i++)
		if (stage->out[i].fd >= 0)
			chan_close(stage->out[i], cause);
}

/* What is wrong is told down the stream, and is not a failure in the scope. */
static int be_stage(void *arg)
{
	struct stage *stage = arg;
	int ret;

	close_foreign_ends(stage);
	stage->msg = malloc(stage->max_in ?: 1);
	stage->result = malloc(stage->max_out);
	ret = stage->msg && stage->result ? stage->run(stage) : -ENOMEM;
	if (!stage->crew || crew_leave(stage->crew, &ret))
		stage_close(stage, ret);
	return 0;
}

/* --- In the parent --- */

#define OPTIONS_SIZE_VER0 sizeof(struct chan_stream_options)

static int look_at_input(struct stage *stage, struct chan_rx rx)
{
	struct chan_info info;
	int ret;

	ret = chan_rx_info(rx, &info, sizeof(info));
	if (ret)
		return ret;
	if (!(info.flags & CHAN_INFO_RECV))
		return -EBADF;
	if (info.max_msg > stage->max_in)
		stage->max_in = info.max_msg;
	return 0;
}

int stage_set(struct stage *stage, const struct chan_stream_options *options)
{
	unsigned int i;
	int ret;

	ret = copy_sized(&stage->options, sizeof(stage->options), options,
			 options ? options->size : 0, OPTIONS_SIZE_VER0);
	for (i = 0; i < stage->nin && !ret; i++)
		if (stage->in[i].fd >= 0)
			ret = look_at_input(stage, stage->in[i]);
	stage->max_out = stage->options.max_msg ?:
				 stage->max_in	?:
						  CHAN_DEFAULT_MAX_MSG;
	return ret;
}

int stage_spawn(struct stage *stage)
{
	pid_t pid =
		scope_spawn_stage(stage->scope, be_stage, stage, stage->arg);

	return pid < 0 ? pid : 0;
}

int stage_open(struct stage *stage, struct chan_rx *rx,
	       int (*start)(struct stage *stage))
{
	struct chan_rx result;
	struct chan_tx tx;
	int ret;

	ret = chan_scope_pair(stage->scope, stage->options.capacity,
			      stage->max_out, 0, &tx, &result);
	if (ret)
		return ret;
	stage->out = &tx;
	stage->nout = 1;
	ret = start(stage);
	chan_tx_release(&tx);
	if (ret) {
		chan_rx_release(&result);
		return ret;
	}
	chan_rx_release(rx);
	*rx = result;
	return 0;
}
