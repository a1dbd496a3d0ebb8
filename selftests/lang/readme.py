#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run every example of README.md that is followed by its output.

README.md and chanctl are beside this file, where the Makefile puts them, and so
are the programs of the examples in C: it calls this with --compile DIRECTORY. TAP
on standard output.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = re.compile(r"^```(sh|python|c)\n(.*?)^```\n```output\n(.*?)^```$",
                     re.MULTILINE | re.DOTALL)
LIMIT = 60


def beside(*names):
    """The first of these that is there."""
    for name in names:
        path = os.path.join(HERE, name)
        if os.path.exists(path):
            return path
    sys.exit(f"Bail out! no {' or '.join(names)} in {HERE}")


def read_examples():
    """(number, language, source, output) of each, and how many there are to see."""
    with open(beside("README.md"), encoding="utf-8") as file:
        text = file.read()
    examples = [(number, *match) for number, match in enumerate(EXAMPLE.findall(text), 2)]
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


def run_all():
    examples, shown = read_examples()
    tools = os.path.dirname(beside("chanctl", "../userlib/build/chanctl"))
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    print("TAP version 13")
    print(f"1..{len(examples) + 1}")
    failed = len(examples) != shown
    print("not ok" if failed else "ok", 1, f"each of the {shown} examples shows its output")
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
