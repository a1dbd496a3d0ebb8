#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""chanctl's words completed by bash and zsh, each in a terminal, by the tabulator key.

TAP on standard output.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from chanctl_terminal import HERE, PROMPT, Missing, Terminal

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


def completed(terminals, start, typed, wanted):
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


def tests(terminals):
    for shell, start in (("bash", bash), ("zsh", zsh)):
        if not shutil.which(shell):
            yield f"{shell} # SKIP it is not here", None
            continue
        yield f"{shell} reads it", lambda shell=shell: without_warnings(shell, "-n")
        for what, typed, wanted in WORDS:
            yield (f"{shell}: {what}",
                   lambda s=start, t=typed, w=wanted: completed(terminals, s, t, w))


def run_test(number, name, test):
    try:
        if test:
            test()
    except Missing as missing:
        print("#", str(missing).replace("\n", "\n# "))
        print(f"not ok {number} {name}", flush=True)
        return False
    print(f"ok {number} {name}", flush=True)
    return True


def main():
    if not os.path.exists("/dev/chanctl"):
        print("1..0 # SKIP chan is not loaded")
        return 4
    print("TAP version 13")
    terminals = {}
    every = list(tests(terminals))
    print(f"1..{len(every)}")
    good = True
    subprocess.run([CHANCTL, "add", "completed"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        with open("only_file", "w", encoding="utf-8"):
            pass
        shutil.copy(shutil.which("cat"), "parrot")
        for number, (name, test) in enumerate(every, 1):
            good &= run_test(number, name, test)
        for terminal in terminals.values():
            hang_up(terminal)
        os.chdir(HERE)
    subprocess.run([CHANCTL, "remove", "completed"], check=True)
    return not good


if __name__ == "__main__":
    sys.exit(main())
