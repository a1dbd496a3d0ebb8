#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""chanctl's words completed by bash and zsh, each in a terminal, by the tabulator key.

TAP on standard output.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

from chanctl_terminal import HERE, PROMPT, Missing, Terminal, run_tests

CHANCTL = os.path.join(HERE, "chanctl")
# What is typed before the key, and what the line then begins with.
WORDS = [
    ("a command", "chanctl unl", "chanctl unload "),
    ("an option", "chanctl list --js", "chanctl list --json "),
    ("an option with a value", "chanctl run --gr", "chanctl run --grace="),
    ("an option every command has", "chanctl status --he", "chanctl status --help "),
    ("a channel", "chanctl recv chan-comp", "chanctl recv chan-completed "),
    ("a channel to remove", "chanctl remove chan-comp", "chanctl remove chan-completed "),
    ("a channel behind an option", "chanctl run --adopt chan-comp",
     "chanctl run --adopt chan-completed "),
    ("a channel behind =", "chanctl run --adopt=chan-comp", "chanctl run --adopt=chan-completed "),
    ("a channel behind a letter", "chanctl run -a chan-comp", "chanctl run -a chan-completed "),
    ("an error", "chanctl close --error=ENOTCON", "chanctl close --error=ENOTCONN "),
    ("a signal", "chanctl run --signal non", "chanctl run --signal none "),
    ("a parameter", "chanctl load max_s", "chanctl load max_scopes="),
    ("a file", "chanctl send --file only_", "chanctl send --file only_file "),
    ("a program", "chanctl run parr", "chanctl run parrot "),
    ("a shell", "chanctl completion z", "chanctl completion zsh "),
]


# Prints what is offered for a signal, out of the file "read".
SIGNALS = {
    "bash": ("-c", "source ./read; COMP_WORDS=(chanctl run --signal ''); COMP_CWORD=3; "
             "_chanctl; echo \"${COMPREPLY[@]}\""),
    "zsh": ("-f", "-c", "compadd() { echo $@; }; _arguments() { :; }; "
            "words=(chanctl run) CURRENT=3; source ./read; _chanctl_signals"),
}
SHOW = "show() { printf argument\\ ; printf '<%s>' \"$@\"; echo; }"


def write_completion(shell, name):
    with open(name, "wb") as file:
        subprocess.run([CHANCTL, "completion", shell], stdout=file, check=True)


def bash():
    write_completion("bash", "chanctl.bash")
    terminal = Terminal("bash", "--norc", "--noprofile", "-i")
    terminal.expect(PROMPT)
    terminal.type(f"{SHOW}; source ./chanctl.bash; complete -p chanctl\n")
    terminal.expect(f"complete -F _chanctl chanctl\n{PROMPT}")
    return terminal


def zsh():
    os.makedirs("functions", exist_ok=True)
    write_completion("zsh", "functions/_chanctl")
    terminal = Terminal("zsh", "-f", "-i")
    terminal.expect(PROMPT)
    # Only what our own needs: to read the completion of all there is takes a minute where
    # the machine is emulated.
    terminal.type(f"{SHOW}; autoload -U compinit; all=($fpath); "
                  "fpath=($PWD/functions ${(M)all:#*/Completion(|/Base|/Zsh)}); compinit -u -D; "
                  "fpath=($all); autoload -U ${(M)all:#*/Completion/Unix}/_*(:t); "
                  "echo $_comps[chanctl].\n")
    terminal.expect(f"\n_chanctl\\.\n(?s:.*){PROMPT}")
    return terminal


# The shell that each function has started.
terminals = {}


def completed(start, typed, wanted):
    """The line as the shell has it after the key; a dot marks where its end is."""
    if start not in terminals:
        terminals[start] = start()
    terminal = terminals[start]
    try:
        # What it is comes out by running it, whatever the terminal is made to show.
        terminal.type(typed + "\t" + ".\x01show \n")
        terminal.expect("\nargument " + "".join(
            f"<{re.escape(word)}>" for word in f"{wanted}.".split(" ")) + "\n")
        terminal.expect(PROMPT)
    except Missing:
        hang_up(terminals.pop(start))
        raise


def hang_up(terminal):
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.close()


def without_warnings(shell, *options):
    """The shell can read it all."""
    write_completion(shell, "read")
    result = subprocess.run([shell, *options, "read"], capture_output=True, check=False)
    if result.returncode or result.stderr:
        raise Missing(result.stderr.decode())


def signals_are_taken(shell):
    """What is offered for a signal is what run takes, and all of the usual ones."""
    write_completion(shell, "read")
    result = subprocess.run([shell, *SIGNALS[shell]], stdout=subprocess.PIPE, check=True)
    words = result.stdout.decode().split()
    if not {"none", "TERM", "USR1"} <= {word.removeprefix("SIG") for word in words}:
        raise Missing(f"signals in {words}")
    for word in words:
        result = subprocess.run([CHANCTL, "run", "--signal", word, "true"],
                                stderr=subprocess.PIPE, check=False)
        if result.returncode:
            raise Missing(f"{word}: {result.stderr.decode()}")


@contextlib.contextmanager
def what_there_is():
    """A channel, a file and a program with names to complete."""
    subprocess.run([CHANCTL, "add", "completed"], check=True)
    os.environ["PATH"] = f"{os.getcwd()}:{os.environ['PATH']}"
    with open("only_file", "w", encoding="utf-8"):
        pass
    shutil.copy(shutil.which("cat"), "parrot")
    yield
    for terminal in terminals.values():
        hang_up(terminal)
    subprocess.run([CHANCTL, "remove", "completed"], check=True)


def tests():
    for shell, start in (("bash", bash), ("zsh", zsh)):
        if not shutil.which(shell):
            yield f"{shell} # SKIP it is not here", None
            continue
        yield f"{shell} reads it", lambda shell=shell: without_warnings(shell, "-n")
        yield f"{shell}: each signal is one", lambda shell=shell: signals_are_taken(shell)
        for what, typed, wanted in WORDS:
            yield f"{shell}: {what}", lambda s=start, t=typed, w=wanted: completed(s, t, w)


if __name__ == "__main__":
    sys.exit(run_tests(tests(), what_there_is))
