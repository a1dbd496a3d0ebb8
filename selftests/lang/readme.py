#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run every example of README.md that is followed by its output.

README.md and what the examples are compiled with are beside this file, where
the Makefile puts them. TAP on standard output.
"""
import os
import re
import subprocess
import sys
import tempfile

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


def compile_c(source, folder):
    program = os.path.join(folder, "example")
    with open(program + ".c", "w", encoding="utf-8") as file:
        file.write(source)
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, program + ".c",
                    "-I", beside("include"),
                    beside("userlib/libchan.a", "../userlib/build/libchan.a")], check=True)
    return [program]


def command(language, source, folder):
    if language == "c":
        return compile_c(source, folder)
    if language == "python":
        return [sys.executable, "-c", source]
    return ["bash", "-euc", source]


def run(language, source):
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command(language, source, folder), timeout=LIMIT, text=True,
                              check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE).stdout


def failure(language, source, expected):
    """What is wrong with an example, or None."""
    try:
        output = run(language, source)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if output != expected:
        return f"expected {expected!r}, got {output!r}"
    return None


def main():
    with open(beside("README.md"), encoding="utf-8") as file:
        text = file.read()
    examples = EXAMPLE.findall(text)
    shown = len(re.findall(r"^```(?:sh|python|c)$", text, re.MULTILINE))

    print("TAP version 13")
    print(f"1..{len(examples) + 1}")
    failed = len(examples) != shown
    print("not ok" if failed else "ok", 1, f"each of the {shown} examples shows its output")
    for number, (language, source, expected) in enumerate(examples, 2):
        first = source.strip().splitlines()[0]
        why = failure(language, source, expected)
        if why:
            print(f"# {why}")
            failed = True
        print("not ok" if why else "ok", number, f"{language}: {first}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
