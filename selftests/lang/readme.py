#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run every example of README.md that is followed by its output.

README.md and chanctl are beside this file, where the Makefile puts them, and so
are the programs of the examples in C: it calls this with --compile DIRECTORY. TAP
on standard output.

The commands of README.md cannot all be run here. Each has to stand in one of the
tables below: with the test that runs it, or among those that none does.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = re.compile(r"^```(sh|python|c)\n(.*?)^```\n```output\n(.*?)^```$",
                     re.MULTILINE | re.DOTALL)
LIMIT = 60
FIRST_EXAMPLE = 4

# What is typed: lines that are indented, and such pieces of a sentence.
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)
PIECE = re.compile(r"`([^`]+)`")
TYPED = re.compile(r"\./scripts/|"
                   r"(sudo|make|man|chanctl|cc|dkms|apt|dpkg-buildpackage|modprobe|insmod) ")
# Where it leads, and the lines that tell where what is.
LINK = re.compile(r"\]\(([^):]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
PLACE = re.compile(r"^(\S+) +\S", re.MULTILINE)

WATCH_WAITS = ("sudo bpftrace -e 't:chan:chan_park { @[tid] = nsecs; } "
               "t:chan:chan_send,t:chan:chan_recv /@[tid]/ "
               "{ @us[comm] = hist((nsecs - @[tid]) / 1000); delete(@[tid]); }'")

# Command, the file that runs it or what it is made of, and where in it.
RUN_BY = {
    "./scripts/demo": ("selftests/lang/demo.sh", "/wordcount/run"),
    "./scripts/test": (".ci/run", "run scripts/test "),
    "./scripts/vm": ("scripts/test", "scripts/vm"),
    "./scripts/vm -- COMMAND": ("selftests/package.sh", "scripts/vm"),
    "make": ("selftests/install.sh", "quiet_make install DESTDIR"),
    "make -C userlib": ("selftests/Makefile", "$(MAKE) -C $(USERLIB)"),
    "sudo make install": ("selftests/package.sh", "in_checkout install"),
    "sudo make uninstall": ("selftests/package.sh", "in_checkout uninstall"),
    "sudo modprobe chan": ("debian/tests/installed", "modprobe chan"),
    "sudo make install-userlib install-python install-system":
        ("selftests/install.sh", "quiet_make install-userlib install-python install-system"),
    "sudo make install-dkms": ("selftests/install.sh", "quiet_make install-dkms"),
    "sudo dkms install chan/VERSION": ("selftests/package.sh", "in_dkms install"),
    "dpkg-buildpackage -us -uc -b": ("selftests/package.sh", "dpkg-buildpackage -us -uc -b"),
    "sudo apt install ../{chan-dkms,libchan0,libchan-dev,chanctl,python3-chan}_VERSION_*.deb":
        ("selftests/package.sh", "dpkg -i $(debs)"),
    "sudo perf trace -e 'chan:*'": ("selftests/observe.sh", "perf_trace -e 'chan:*'"),
    WATCH_WAITS: ("selftests/observe.sh", WATCH_WAITS.split("'")[1]),
    "cc example.c -lchan": ("debian/tests/installed", "pkg-config --libs libchan"),
    "cc -o /tmp/example /tmp/example.c -Iuserlib/include -Iuapi userlib/build/libchan.a":
        ("userlib/Makefile", "-o $${src%.c} $$src $(OUTPUT)/libchan.a"),
}
# They take a machine of one's own, change the one they run on, or take long.
RUN_BY_NONE = {
    "./scripts/demo --host",
    "./scripts/test --host",
    "./scripts/test --proof",
    "./scripts/bench",
    "make demo",
    "make test",
    "sudo make -C selftests run_tests KSELFTESTS=/usr/src/linux/tools/testing/selftests",
    "sudo apt build-dep .",
}


def beside(*names):
    """The first of these that is there."""
    for name in names:
        path = os.path.join(HERE, name)
        if os.path.exists(path):
            return path
    sys.exit(f"Bail out! no {' or '.join(names)} in {HERE}")


def content(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def read_examples():
    """(number, language, source, output) of each, and how many there are to see."""
    text = content(beside("README.md"))
    examples = [(number, *match)
                for number, match in enumerate(EXAMPLE.findall(text), FIRST_EXAMPLE)]
    return examples, len(re.findall(r"^```(?:sh|python|c)$", text, re.MULTILINE))


def program(folder, number):
    return os.path.join(folder, f"README-{number}")


def compile_all(folder):
    for number, language, source, _ in read_examples()[0]:
        if language != "c":
            continue
        subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program(folder, number),
                        "-x", "c", "-", "-I", beside("include"), "-x", "none",
                        beside("userlib/libchan.a", "../userlib/build/libchan.a")],
                       input=source, text=True, check=True)


def command(number, language, source):
    if language == "c":
        return [program(beside("examples"), number)]
    if language == "python":
        return [sys.executable, "-c", source]
    return ["bash", "-euc", source]


def failure(number, language, source, expected):
    """What is wrong with an example, or None."""
    try:
        output = subprocess.run(command(number, language, source), timeout=LIMIT, text=True,
                                check=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if output != expected:
        return f"expected {expected!r}, got {output!r}"
    return None


def checkout():
    """The tree that these tests were built in; none if they were taken elsewhere."""
    for up in ("..", "../.."):
        tree = os.path.join(HERE, up)
        if os.path.exists(os.path.join(tree, "debian", "control")):
            return tree
    return None


def commands(text):
    """What README.md has people type, apart from the examples."""
    text = FENCED.sub("", text)
    pieces = (" ".join(piece.split()) for piece in PIECE.findall(text))
    return INDENTED.findall(text) + [piece for piece in pieces if TYPED.match(piece)]


def is_run(tree, command):
    """By a test. Of manual pages and of chanctl it is seen below that they are there."""
    if command in RUN_BY_NONE or re.match("(sudo )?(man|chanctl) ", command):
        return True
    if command not in RUN_BY:
        return False
    path, words = RUN_BY[command]
    return words in content(tree, path)


def unknown_commands(tree, text):
    """Those that nobody runs, and those in the tables that nobody types any more."""
    version = re.search(r'LIBCHAN_VERSION\s+"(.*)"', content(beside("include"), "chan.h"))[1]
    typed = {command.replace(version, "VERSION") for command in commands(text)}
    return [command for command in sorted(typed) if not is_run(tree, command)] + \
        [command for command in [*RUN_BY, *RUN_BY_NONE] if command not in typed]


def has_help(words, *program):
    """Does the program know these words?"""
    told = subprocess.run([*program, "--help"], timeout=LIMIT, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return told.returncode == 0 and all(word in told.stdout for word in words)


def is_there(tree, command):
    """What it names, of the tree."""
    program, *words = command.removeprefix("sudo ").split()
    if program == "man":
        return os.path.exists(os.path.join(tree, words[-1]))
    if program == "chanctl":
        return has_help([words[0]], "chanctl", words[0])
    if program.startswith("./"):
        options = [word for word in words if re.match("--.", word)]
        return has_help(options, os.path.join(tree, program))
    if program == "make" and words and "-C" not in words:
        makefile = content(tree, "Makefile")
        return all(re.search(rf"^(.* )?{word}( .*)?:", makefile, re.MULTILINE)
                   for word in words)
    return True


def places(text):
    """What README.md leads to, or says where it is."""
    listing = re.search(r"^## Where what is\n+```text\n(.*?)^```$", text,
                        re.MULTILINE | re.DOTALL)[1]
    return PLACE.findall(listing) + LINK.findall(text)


def leads_somewhere(tree, place, text):
    if not place.startswith("#"):
        return os.path.exists(os.path.join(tree, place))
    return place[1:] in (re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
                         for heading in HEADING.findall(FENCED.sub("", text)))


def missing_things(tree, text):
    return [command for command in sorted(set(commands(text))) if not is_there(tree, command)] + \
        [place for place in places(text) if not leads_somewhere(tree, place, text)]


def look_at(number, name, find):
    """A test of the text: FIND lists what is wrong with it."""
    tree = checkout()
    if not tree:
        print("ok", number, name, "# SKIP not in a checkout")
        return False
    found = find(tree, content(beside("README.md")))
    for what in found:
        print("#", what)
    print("not ok" if found else "ok", number, name, flush=True)
    return bool(found)


def run_all():
    examples, shown = read_examples()
    tools = os.path.dirname(beside("chanctl", "../userlib/build/chanctl"))
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    print("TAP version 13")
    print(f"1..{len(examples) + FIRST_EXAMPLE - 1}")
    failed = len(examples) != shown
    print("not ok" if failed else "ok", 1, f"each of the {shown} examples shows its output")
    failed |= look_at(2, "it is known of each command which test runs it", unknown_commands)
    failed |= look_at(3, "what it names is there", missing_things)
    for number, language, source, expected in examples:
        first = source.strip().splitlines()[0]
        why = failure(number, language, source, expected)
        if why:
            print(f"# {why}")
            failed = True
        print("not ok" if why else "ok", number, f"{language}: {first}", flush=True)
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compile"]:
        compile_all(sys.argv[2])
    else:
        sys.exit(run_all())
