#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""chanctl run in a terminal: ^C, ^Z, commands that read, jobs in the background.

Each test has a terminal of its own, with bash in it that controls jobs, and types
what a user would. TAP on standard output.
"""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 120
PROMPT = "PROMPT> "


class Missing(Exception):
    """What did not come up in the terminal."""


class Terminal:
    """A terminal with a shell, or another program, in it."""

    def __init__(self, *command):
        self.said = ""
        self.seen = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for ignored in signal.SIGINT, signal.SIGQUIT:
                signal.signal(ignored, signal.SIG_DFL)
            os.environ.update(PS1=PROMPT, TERM="dumb", PATH=f"{HERE}:{os.environ['PATH']}")
            os.execvp(command[0], command)

    def expect(self, pattern):
        """Read on until it is there, behind what was expected before."""
        end = time.monotonic() + LIMIT
        while not (match := re.search(pattern, self.said[self.seen:])):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            try:
                new = os.read(self.fd, 65536) if ready else b""
            except OSError:
                new = b""
            if not new:
                raise Missing(f"no {pattern!r} in:\n{self.said}")
            self.said += new.decode(errors="replace").replace("\r\n", "\n")
        self.seen += match.end()
        return match

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        """Hang up.  Returns how its program has ended."""
        os.close(self.fd)
        return os.waitpid(self.pid, 0)[1]


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


def run_tests(tests, surroundings):
    """Each a name and a function, or None to skip it; all in a directory that has what
    belongs there.  The exit status."""
    if not os.path.exists("/dev/chanctl"):
        print("1..0 # SKIP chan is not loaded")
        return 4
    tests = list(tests)
    print("TAP version 13")
    print(f"1..{len(tests)}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with surroundings():
            for number, (name, test) in enumerate(tests, 1):
                good &= run_test(number, name, test)
        os.chdir(HERE)
    return not good


def shell():
    terminal = Terminal("bash", "--norc", "--noprofile", "--noediting", "-i")
    terminal.expect(PROMPT)
    return terminal


def wait_until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise Missing(what)
        time.sleep(0.05)


def named(name):
    """The processes that are called so, but for those that are zombies."""
    result = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                stat = file.read()
        except OSError:
            continue
        comm, state = re.fullmatch(r"\d+ \((.*)\) (\w) .*", stat, re.DOTALL).groups()
        if comm == name and state != "Z":
            result.append((int(pid), state))
    return result


def status(terminal, wanted):
    """Back at the prompt, what was the exit status?"""
    terminal.expect(PROMPT)
    terminal.type("echo status $?.\n")
    terminal.expect(rf"status {wanted}\.\n{PROMPT}")


def a_command_reads(terminal):
    """A command that asks is lent the terminal, which then comes back"""
    terminal.type("chanctl run ./parrot\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x04")
    status(terminal, 0)


def several_read(terminal):
    """Several commands that ask"""
    terminal.type("chanctl run ./parrot ::: ./parrot ::: ./parrot\n")
    terminal.type("one\n")
    terminal.expect("one\none\n")
    terminal.type("\x04\x04\x04")
    status(terminal, 0)


def a_command_sets(terminal):
    """A command that sets the terminal is lent it"""
    terminal.type("chanctl run stty -echoctl\n")
    status(terminal, 0)
    if termios.tcgetattr(terminal.fd)[3] & termios.ECHOCTL:
        raise Missing("echoctl is still set")


def one_after_the_other(terminal):
    """It is lent to each one in turn"""
    terminal.type("chanctl run --limit 1 -- head -n 1 ::: head -n 1\n")
    terminal.type("one\n")
    terminal.expect("one\none\n")
    terminal.type("two\n")
    terminal.expect("two\ntwo\n")
    status(terminal, 0)


def interrupt(terminal):
    """^C cancels commands that do not read"""
    terminal.type("chanctl run ./slumber 1000 ::: ./slumber 1000\n")
    wait_until(lambda: len(named("slumber")) == 2, "both sleep")
    terminal.type("\x03")
    status(terminal, 130)


def interrupt_who_reads(terminal):
    """^C reaches a command that reads, and the others are cancelled"""
    terminal.type("chanctl run sh -c 'trap \"\" INT; exec ./slumber 1000' ::: ./parrot\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    wait_until(lambda: named("slumber"), "it ignores ^C")
    terminal.type("\x03")
    terminal.expect(r"'./parrot' \(pid \d+\) was killed by SIGINT; cancelled 1 other\n")
    status(terminal, 130)


def interrupt_a_loop(terminal):
    """^C at a command that reads ends the shell's loop around it too"""
    terminal.type("for i in 1 2 3; do chanctl run ./parrot; echo next $i; done\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x03")
    terminal.expect(PROMPT)
    if re.search(r"next \d", terminal.said[terminal.seen:]) or "next 1" in \
            terminal.said.split("hello\nhello\n")[1]:
        raise Missing(f"the end of the loop in:\n{terminal.said}")


def quit_key(terminal):
    """^\\ cancels as well"""
    terminal.type("chanctl run ./slumber 1000\n")
    wait_until(lambda: named("slumber"), "it sleeps")
    terminal.type("\x1c")
    status(terminal, 131)


def all_stopped(name, n):
    return [state for _, state in named(name)] == ["T"] * n


def stop(terminal):
    """^Z stops all, fg continues all"""
    terminal.type("chanctl run ./slumber 1000 ::: ./slumber 1000\n")
    wait_until(lambda: len(named("slumber")) == 2, "both sleep")
    terminal.type("\x1a")
    terminal.expect("Stopped .*chanctl run")
    terminal.expect(PROMPT)
    wait_until(lambda: all_stopped("slumber", 2), "both are stopped")
    terminal.type("fg\n")
    wait_until(lambda: [s for _, s in named("slumber")] == ["S"] * 2, "both go on")
    terminal.type("\x03")
    status(terminal, 130)


def stop_who_reads(terminal):
    """^Z at a command that reads stops all; fg lends the terminal again"""
    terminal.type("chanctl run ./slumber 1000 ::: sh -c './parrot; exit 3'\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x1a")
    terminal.expect("Stopped .*chanctl run")
    terminal.expect(PROMPT)
    wait_until(lambda: all_stopped("slumber", 1) and all_stopped("parrot", 1), "all stopped")
    terminal.type("fg\n")
    terminal.expect("fg\n.*exit 3'\n")
    terminal.type("again\n")
    terminal.expect("again\nagain\n")
    terminal.type("\x04")
    status(terminal, 3)


def background_reads(terminal):
    """One that reads in the background is stopped, and fg lends it the terminal"""
    terminal.type("chanctl run ./parrot &\n")
    terminal.expect(PROMPT)
    wait_until(lambda: all_stopped("chanctl", 1), "it is stopped")
    terminal.type("jobs\n")
    terminal.expect("Stopped .*chanctl run ./parrot")
    terminal.expect(PROMPT)
    terminal.type("fg\n")
    terminal.expect("fg\nchanctl run ./parrot\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x04")
    status(terminal, 0)


def stop_a_pipeline(terminal):
    """^Z at a command that reads stops what is behind it in a pipeline, too"""
    terminal.type("chanctl run ./parrot | cat\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x1a")
    terminal.expect("Stopped .*chanctl run ./parrot . cat")
    terminal.expect(PROMPT)
    wait_until(lambda: all_stopped("parrot", 1) and all_stopped("chanctl", 1), "all stopped")
    terminal.type("fg\n")
    terminal.expect("fg\nchanctl run ./parrot . cat\n")
    terminal.type("again\n")
    terminal.expect("again\nagain\n")
    terminal.type("\x04")
    status(terminal, 0)


def background_pipeline_reads(terminal):
    """A pipeline in the background that reads is stopped, and fg lends it the terminal"""
    terminal.type("chanctl run ./parrot | cat &\n")
    terminal.expect(PROMPT)
    wait_until(lambda: all_stopped("chanctl", 1), "it is stopped")
    terminal.type("jobs\n")
    terminal.expect("Stopped .*chanctl run ./parrot . cat")
    terminal.expect(PROMPT)
    terminal.type("fg\n")
    terminal.expect("fg\nchanctl run ./parrot . cat\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x04")
    status(terminal, 0)


def background_does_not_read(terminal):
    """One in the background leaves the terminal alone"""
    terminal.type("chanctl run ./slumber 1000 &\n")
    terminal.expect(PROMPT)
    wait_until(lambda: named("slumber"), "it sleeps")
    terminal.type("echo typed\n")
    terminal.expect(f"typed\ntyped\n{PROMPT}")
    terminal.type("kill %1; wait %1\n")
    status(terminal, 143)


def continued_in_the_background(terminal):
    """^Z and bg: commands that do not read go on"""
    terminal.type("chanctl run ./slumber 1000\n")
    wait_until(lambda: named("slumber"), "it sleeps")
    terminal.type("\x1a")
    terminal.expect("Stopped .*chanctl run")
    terminal.expect(PROMPT)
    wait_until(lambda: all_stopped("slumber", 1), "it is stopped")
    terminal.type("bg\n")
    terminal.expect(PROMPT)
    wait_until(lambda: [s for _, s in named("slumber")] == ["S"], "it goes on")
    terminal.type("kill %1; wait %1\n")
    status(terminal, 143)


def pager_behind(terminal):
    """A program behind it in a pipeline keeps the terminal"""
    terminal.type("chanctl run -- sh -c 'echo from run' | sh -c 'cat; head -n 1 </dev/tty'\n")
    terminal.expect("from run\n")
    terminal.type("typed\n")
    terminal.expect("typed\ntyped\n")
    status(terminal, 0)


def inside_another(terminal):
    """One inside another lends on what it was lent"""
    terminal.type("chanctl run chanctl run ./parrot\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x04")
    status(terminal, 0)


def killed_while_lent(terminal):
    """It is killed while a command has the terminal: the shell has it back"""
    terminal.type("chanctl run --grace 0 ./parrot\n")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    os.kill(named("chanctl")[0][0], signal.SIGKILL)
    status(terminal, 137)


def hung_up(terminal):
    """The terminal goes: so do the commands"""
    terminal.type("chanctl run ./slumber 1000\n")
    wait_until(lambda: named("slumber"), "it sleeps")
    terminal.close()
    wait_until(lambda: not named("slumber") and not named("chanctl"), "all are gone")


def without_a_shell():
    """The first program of a terminal, with no shell around"""
    terminal = Terminal("chanctl", "run", "./parrot")
    terminal.type("hello\n")
    terminal.expect("hello\nhello\n")
    terminal.type("\x03")
    terminal.expect("was killed by SIGINT\n")
    if terminal.close() != signal.SIGINT:
        raise Missing("death by SIGINT")


TESTS = [a_command_reads, several_read, a_command_sets, one_after_the_other, interrupt,
         interrupt_who_reads, interrupt_a_loop, quit_key, stop, stop_who_reads,
         stop_a_pipeline, background_reads, background_pipeline_reads,
         background_does_not_read, continued_in_the_background,
         pager_behind, inside_another, killed_while_lent]


def with_shell(test):
    terminal = shell()
    try:
        test(terminal)
    except Missing:
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.close()
        raise
    terminal.type("exit\n")
    terminal.close()


def clean_up():
    for name in "slumber", "chanctl", "parrot":
        for pid, _ in named(name):
            os.kill(pid, signal.SIGKILL)


def leaves_nothing(test, *arguments):
    try:
        test(*arguments)
        left = named("slumber") + named("chanctl")
        if left:
            raise Missing(f"an end of {left}")
    except Missing:
        clean_up()
        raise


@contextlib.contextmanager
def programs():
    """Names that nobody else's processes have."""
    subprocess.run("cp $(command -v sleep) slumber && cp $(command -v cat) parrot",
                   shell=True, check=True)
    yield


def tests():
    for test in TESTS:
        yield test.__doc__, lambda test=test: leaves_nothing(with_shell, test)
    yield hung_up.__doc__, lambda: leaves_nothing(lambda: hung_up(shell()))
    yield without_a_shell.__doc__, lambda: leaves_nothing(without_a_shell)


if __name__ == "__main__":
    sys.exit(run_tests(tests(), programs))
