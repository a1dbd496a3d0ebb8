// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: who has files of the module open.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chanctl.h"
#include "holders.h"

/* What a link of /proc/PID/fd is; NULL, it is not of this module. */
static char *kind_of(const char *link)
{
	if (strncmp(link, "/dev/chan", strlen("/dev/chan")) == 0)
		return text("%s", link);
	if (strncmp(link, "anon_inode:[chan:", strlen("anon_inode:[chan:")) ==
	    0)
		return text("anonymous channel");
	return NULL;
}

static void set_direction(struct holder *h, int flags)
{
	h->sends = (flags & O_ACCMODE) != O_RDONLY;
	h->receives = (flags & O_ACCMODE) != O_WRONLY;
}

/* False if it is none of the module's, whatever it is called, or gone. */
static bool read_fdinfo(struct holder *h)
{
	char *path = text("/proc/%d/fdinfo/%d", h->process.pid, h->fd);
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	unsigned long flags = 0;

	while (file && getline(&line, &size, file) > 0) {
		if (strncmp(line, "flags:", 6) == 0)
			flags = strtoul(line + 6, NULL, 8);
		else if (strncmp(line, "chan-id:", 8) == 0)
			h->channel = strtoull(line + 8, NULL, 10);
	}
	free(line);
	free(path);
	if (!file)
		return false;
	fclose(file);
	set_direction(h, (int)flags);
	return h->channel || strcmp(h->path, "/dev/chanctl") == 0;
}

static char *read_comm(int pid)
{
	char *path = text("/proc/%d/comm", pid);
	char *comm = read_line(path);

	free(path);
	if (!comm)
		return text("?");
	make_printable(comm);
	return comm;
}

static void look_at(struct holders *all, int dir, int pid, const char *fd)
{
	struct holder h = { .process.pid = pid, .fd = atoi(fd) };
	char link[PATH_MAX];
	ssize_t len = readlinkat(dir, fd, link, sizeof(link) - 1);

	if (len < 0)
		return;
	link[len] = '\0';
	h.path = kind_of(link);
	if (!h.path)
		return;
	make_printable(h.path);
	if (!read_fdinfo(&h)) {
		free(h.path);
		return;
	}
	h.process.comm = read_comm(pid);
	all->list = append(all->list, &all->n, sizeof(h));
	all->list[all->n - 1] = h;
}

static void look_into(struct holders *all, int pid)
{
	char *path = text("/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	struct dirent *entry;

	free(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			look_at(all, dirfd(dir), pid, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

void holders_find(struct holders *h)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	*h = (struct holders){ 0 };
	while (dir && (entry = readdir(dir))) {
		int pid = atoi(entry->d_name);

		if (pid > 0 && pid != getpid())
			look_into(h, pid);
	}
	if (dir)
		closedir(dir);
}

void holders_release(struct holders *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->list[i].process.comm);
		free(h->list[i].path);
	}
	free(h->list);
	*h = (struct holders){ 0 };
}
