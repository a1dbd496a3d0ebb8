// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl completion: what makes a shell complete our words, out of the tables of
 * the commands.
 *
 * For bash that is a function with a list of options for each command, and with
 * what the value of an option can be; for zsh it is a specification for _arguments.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chanctl.h"
#include "command.h"

struct shell {
	const char *name;
	void (*print)(void);
};

/* --- bash --- */

/* What is run to list the words that something can be. */
static const char *bash_words(enum completion completion)
{
	switch (completion) {
	case COMPLETE_CHANNEL:
		return "_chanctl_words \"$(_chanctl_channels)\"";
	case COMPLETE_ADDED:
		return "_chanctl_words \"$(_chanctl_channels chan-)\"";
	case COMPLETE_FILE:
		return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))";
	case COMPLETE_DIRECTORY:
		return "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\"))";
	case COMPLETE_COMMAND:
		return "COMPREPLY=($(compgen -c -- \"$cur\"))";
	case COMPLETE_SIGNAL:
		return "_chanctl_words \"$_chanctl_signals\"";
	case COMPLETE_ERROR:
		return "_chanctl_words \"$_chanctl_errors\"";
	case COMPLETE_PARAMETER:
		return "_chanctl_parameters";
	case COMPLETE_SHELL:
		return "_chanctl_words 'bash zsh'";
	default:
		return ":";
	}
}

static void print_bash_options(const struct command *command)
{
	const struct option_spec *option = command->options;

	printf("\t%s) echo '", command->name);
	for (; option && option->letter; option++)
		printf("-%c --%s%s ", option->letter, option->name,
		       option->value && !option->optional ? "=" : "");
	puts("-h --help' ;;");
}

/* A value that may be left out is a word of its own only behind "=". */
static void print_bash_values(const struct command *command)
{
	const struct option_spec *option = command->options;

	for (; option && option->letter; option++) {
		if (!option->value)
			continue;
		printf("\t%s:--%s=", command->name, option->name);
		if (!option->optional)
			printf("|%s:--%s|%s:-%c", command->name, option->name,
			       command->name, option->letter);
		printf(") %s ;;\n", bash_words(option->completion));
	}
}

static void print_errors(const char *separator)
{
	for (int error = 1; error < 134; error++) {
		const char *name = strerrorname_np(error);

		if (name)
			printf("%s%s", error == 1 ? "" : separator, name);
	}
}

/* The shells know more of them, and some by names that parse_signal() does not. */
static void print_signals(const char *prefix)
{
	fputs("none", stdout);
	for (int signal = 1; signal < NSIG; signal++) {
		const char *name = sigabbrev_np(signal);

		if (name)
			printf(" %s%s", prefix, name);
	}
}

static void for_each(void (*print)(const struct command *command))
{
	for (size_t i = 0; commands[i]; i++)
		print(commands[i]);
}

static void print_bash_argument(const struct command *command)
{
	printf("\t%s) %s ;;\n", command->name, bash_words(command->arguments));
}

static void print_bash_command(const struct command *command)
{
	printf("%s ", command->name);
}

static void print_bash(void)
{
	fputs("# Completion of chanctl in bash, made by chanctl completion bash.\n"
	      "\n"
	      "_chanctl_errors='",
	      stdout);
	print_errors(" ");
	fputs("'\n"
	      "\n"
	      "_chanctl_signals='",
	      stdout);
	print_signals("SIG");
	fputs("'\n"
	      "\n"
	      "_chanctl_words()\n"
	      "{\n"
	      "\tCOMPREPLY=($(compgen -W \"$1\" -- \"$cur\"))\n"
	      "}\n"
	      "\n"
	      "# The named channels; those that begin so.\n"
	      "_chanctl_channels()\n"
	      "{\n"
	      "\tlocal node\n"
	      "\tfor node in " SYSFS_CLASS "/\"${1:-chan}\"*; do\n"
	      "\t\t[[ ! -e $node ]] || echo \"${node##*/}\"\n"
	      "\tdone\n"
	      "}\n"
	      "\n"
	      "_chanctl_parameters()\n"
	      "{\n"
	      "\tcompopt -o nospace\n"
	      "\t_chanctl_words 'channels= max_channels= max_scopes= mode='\n"
	      "}\n"
	      "\n"
	      "_chanctl_options()\n"
	      "{\n"
	      "\tcase $1 in\n",
	      stdout);
	for_each(print_bash_options);
	fputs("\tesac\n"
	      "}\n"
	      "\n"
	      "# The value of an option; fails if it has none.\n"
	      "_chanctl_value()\n"
	      "{\n"
	      "\tcase $1 in\n",
	      stdout);
	for_each(print_bash_values);
	fputs("\t*) return 1 ;;\n"
	      "\tesac\n"
	      "}\n"
	      "\n"
	      "_chanctl_argument()\n"
	      "{\n"
	      "\tcase $1 in\n",
	      stdout);
	for_each(print_bash_argument);
	fputs("\tesac\n"
	      "}\n"
	      "\n"
	      "_chanctl()\n"
	      "{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal command=${COMP_WORDS[1]}\n"
	      "\tCOMPREPLY=()\n"
	      "\tif ((COMP_CWORD == 1)); then\n"
	      "\t\t_chanctl_words '",
	      stdout);
	for_each(print_bash_command);
	fputs("--help --version'\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\t# bash makes --option=value three words.\n"
	      "\tif [[ $cur == = ]]; then\n"
	      "\t\tcur= prev=$prev=\n"
	      "\telif [[ $prev == = ]]; then\n"
	      "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}=\n"
	      "\tfi\n"
	      "\t_chanctl_value \"$command:$prev\" && return\n"
	      "\tif [[ $cur == -* ]]; then\n"
	      "\t\t_chanctl_words \"$(_chanctl_options \"$command\")\"\n"
	      "\t\t[[ ${COMPREPLY[0]:-} != *= ]] || compopt -o nospace\n"
	      "\telse\n"
	      "\t\t_chanctl_argument \"$command\"\n"
	      "\tfi\n"
	      "}\n"
	      "\n"
	      "complete -F _chanctl chanctl",
	      stdout);
	putchar('\n');
}

/* --- zsh --- */

/* The action of _arguments for a value; a blank first keeps its own words out. */
static const char *zsh_action(enum completion completion)
{
	switch (completion) {
	case COMPLETE_CHANNEL:
		return " _chanctl_channels";
	case COMPLETE_ADDED:
		return " _chanctl_channels chan-";
	case COMPLETE_FILE:
		return "_files";
	case COMPLETE_DIRECTORY:
		return "_files -/";
	case COMPLETE_SIGNAL:
		return " _chanctl_signals";
	case COMPLETE_ERROR:
		return " _chanctl_errors";
	case COMPLETE_PARAMETER:
		return " _chanctl_parameters";
	case COMPLETE_SHELL:
		return "(bash zsh)";
	default:
		return " ";
	}
}

/* In a description, brackets and colons are the shell's, a quote ends it. */
static void print_zsh_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else if (*s == '\n')
			putchar(' ');
		else if (strchr("[]:\\", *s))
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

static void print_zsh_option(char letter, const char *name, const char *after,
			     const struct option_spec *option)
{
	if (name)
		printf("\t\t\t'--%s%s[", name, after);
	else
		printf("\t\t\t'-%c%s[", letter, after);
	print_zsh_text(option->help);
	putchar(']');
	if (option->value)
		printf("%s%s:%s", option->optional ? "::" : ":", option->value,
		       zsh_action(option->completion));
	puts("' \\");
}

static void print_zsh_options(const struct option_spec *option)
{
	for (; option && option->letter; option++) {
		const char *value = option->optional ? "-" : "+";

		print_zsh_option(option->letter, NULL,
				 option->value ? value : "", option);
		value = option->optional ? "=-" : "=";
		print_zsh_option(0, option->name, option->value ? value : "",
				 option);
	}
}

static void print_zsh_case(const struct command *command)
{
	printf("\t%s)\n\t\t_arguments -s -S \\\n", command->name);
	print_zsh_options(command->options);
	fputs("\t\t\t'(- *)'{-h,--help}'[print help]'", stdout);
	if (command->arguments == COMPLETE_COMMAND)
		fputs(" \\\n\t\t\t'(-)*::argument: _normal'", stdout);
	else if (command->arguments)
		printf(" \\\n\t\t\t'*:argument:%s'",
		       zsh_action(command->arguments));
	putchar('\n');
	puts("\t\t;;");
}

static void print_zsh_command(const struct command *command)
{
	printf("\t\t'%s:", command->name);
	print_zsh_text(command->summary);
	puts("'");
}

static void print_zsh(void)
{
	fputs("#compdef chanctl\n"
	      "# Completion of chanctl in zsh, made by chanctl completion zsh.\n"
	      "\n"
	      "_chanctl_channels()\n"
	      "{\n"
	      "\tlocal -a names=(" SYSFS_CLASS "/${1:-chan}*(N:t))\n"
	      "\tcompadd -a names\n"
	      "}\n"
	      "\n"
	      "_chanctl_signals()\n"
	      "{\n"
	      "\tcompadd ",
	      stdout);
	print_signals("");
	fputs("\n"
	      "}\n"
	      "\n"
	      "_chanctl_errors()\n"
	      "{\n"
	      "\tcompadd ",
	      stdout);
	print_errors(" ");
	fputs("\n"
	      "}\n"
	      "\n"
	      "_chanctl_parameters()\n"
	      "{\n"
	      "\tcompadd -S = channels max_channels max_scopes mode\n"
	      "}\n"
	      "\n"
	      "_chanctl()\n"
	      "{\n"
	      "\tlocal -a ours=(\n",
	      stdout);
	for_each(print_zsh_command);
	fputs("\t)\n"
	      "\tif ((CURRENT == 2)); then\n"
	      "\t\t_describe command ours\n"
	      "\t\tcompadd -- --help --version\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tshift words\n"
	      "\t((CURRENT--))\n"
	      "\tcase $words[1] in\n",
	      stdout);
	for_each(print_zsh_case);
	puts("\tesac\n"
	     "}\n"
	     "\n"
	     "_chanctl \"$@\"");
}

static const struct shell shells[] = {
	{ "bash", print_bash },
	{ "zsh", print_zsh },
};

static int completion_main(void *settings, int argc, char **argv)
{
	(void)settings;
	(void)argc;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[0], shells[i].name) == 0) {
			shells[i].print();
			return STATUS_GOOD;
		}
	}
	bad_value("shell", argv[0], "bash or zsh");
	return STATUS_USAGE;
}

const struct command completion_command = {
	.name = "completion",
	.summary = "print what makes a shell complete our words",
	.synopsis = "SHELL",
	.description =
		"Print the completion for a shell, bash or zsh.  Where chanctl is installed it is\n"
		"installed, too.  For bash, this has it now: source <(chanctl completion bash)",
	.notes = "Exit status: 0; 2 wrong usage.",
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = 1,
	.missing = "shell",
	.arguments = COMPLETE_SHELL,
	.main = completion_main,
};
