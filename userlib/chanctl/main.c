// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: scopes and channels from the shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"

/* In the order of the help: the module, devices, messages, scopes, the rest. */
const struct command *const commands[] = {
	&load_command,
	&unload_command,
	&status_command,
	&add_command,
	&remove_command,
	&list_command,
	&info_command,
	&send_command,
	&recv_command,
	&close_command,
	&run_command,
	&tree_command,
	&top_command,
	&graph_command,
	&bench_command,
	&completion_command,
	NULL,
};

static int print_help(void)
{
	puts("Usage: chanctl COMMAND [OPTION]... [ARGUMENT]...\n"
	     "       chanctl COMMAND --help\n"
	     "       chanctl --version\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-10s  %s\n", commands[i]->name,
		       commands[i]->summary);
	puts("\nAll of it: man chanctl");
	return STATUS_GOOD;
}

static int print_version(void)
{
	printf("chanctl %s\n", LIBCHAN_VERSION);
	return STATUS_GOOD;
}

static int dispatch(int argc, char **argv)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(argv[0], commands[i]->name) == 0)
			return command_run(commands[i], argc, argv);
	}
	if (argv[0][0] == '-')
		complain("unknown option '%s'; see chanctl --help", argv[0]);
	else
		complain("no command '%s'; see chanctl --help", argv[0]);
	return STATUS_USAGE;
}

/* What did not reach stdout, such as to a full disk, was not said. */
static int check_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	complain("write: %s", strerror(errno));
	return status ? status : STATUS_FAILED;
}

/*
 * Where one of these is not open, a channel would get its number, and what we say
 * would be sent into it.  To read from what is put there, or to write to it, fails
 * as it would have.
 */
static int open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null",
			 fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (open_standard_files()) {
		complain("/dev/null: %s", strerror(errno));
		return STATUS_OWN;
	}
	setlocale(LC_ALL, "");
	/* Numbers are written the same everywhere. */
	setlocale(LC_NUMERIC, "C");
	if (argc < 2) {
		complain("no command given; see chanctl --help");
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return check_output(print_help());
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return check_output(print_version());
	return check_output(dispatch(argc - 1, argv + 1));
}
