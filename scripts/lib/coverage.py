# SPDX-License-Identifier: GPL-2.0-only
"""Add up what gcov tells of several runs, and judge it.

scripts/coverage starts this. Each RUN is a directory with the counts of one run
(.gcda) and the compiler's notes (.gcno). A line counts once, in however many
objects and runs it was compiled and reached. A line that is not reached is
looked up in a list, by file, function and text: these stay when lines move.
"""
import argparse
import collections
import glob
import json
import os
import subprocess
import sys


class Source:
    """One file: how often its lines and branches were taken."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.text = [""] + [line.strip() for line in file]
        self.lines = collections.Counter()
        self.branches = collections.Counter()
        self.functions = {}

    def add(self, data):
        for function in data["functions"]:
            name = function["demangled_name"].split(".")[0]
            for line in range(function["start_line"], function["end_line"] + 1):
                self.functions[line] = name
        for line in data["lines"]:
            number = line["line_number"]
            self.lines[number] += line["count"]
            for place, branch in enumerate(line["branches"]):
                self.branches[number, place] += branch["count"]

    def unreached(self):
        for number in sorted(self.lines):
            if not self.lines[number]:
                yield number, self.functions.get(number, "-"), self.text[number]


def reached(counter):
    return sum(1 for count in counter.values() if count), len(counter)


def read_runs(runs, directory):
    """The sources in that directory, by name."""
    sources = {}
    for run in runs:
        counts = sorted(glob.glob("*.gcda", root_dir=run))
        output = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--stdout", *counts],
            cwd=run, check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in output.splitlines():
            notes = json.loads(line)
            for data in notes["files"]:
                path = os.path.normpath(os.path.join(
                    notes["current_working_directory"], data["file"]))
                if os.path.dirname(path) == directory:
                    name = os.path.basename(path)
                    sources.setdefault(name, Source(path)).add(data)
    return sources


def read_explained(path):
    """(file, function, text): the reason."""
    explained = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            columns = line.rstrip("\n").split("\t")
            if len(columns) != 4 or not all(columns):
                sys.exit(f"{path}: four columns wanted: {line!r}")
            explained[tuple(columns[:3])] = columns[3]
    return explained


def percent(part, whole):
    return 100 * part / whole if whole else 100


def print_table(sources):
    """Per file and together; the latter in percent of the lines."""
    together = collections.Counter()
    print(f"{'file':16} {'lines':>12} {'':6} {'branches':>12}")
    for name in sorted(sources):
        lines, all_lines = reached(sources[name].lines)
        branches, all_branches = reached(sources[name].branches)
        together.update(lines=lines, all_lines=all_lines, branches=branches,
                        all_branches=all_branches)
        print(f"{name:16} {lines:6}/{all_lines:<5} {percent(lines, all_lines):5.1f} % "
              f"{branches:6}/{all_branches:<5}")
    share = percent(together["lines"], together["all_lines"])
    print(f"{'all':16} {together['lines']:6}/{together['all_lines']:<5} {share:5.1f} % "
          f"{together['branches']:6}/{together['all_branches']:<5} "
          f"{percent(together['branches'], together['all_branches']):5.1f} %")
    return share


def print_unreached(sources, explained):
    """Each line, with its reason. Return those without, and reasons without a line.

    What takes a race may be reached, now and then.
    """
    unexplained, used = 0, set()
    for name in sorted(sources):
        for number, function, text in sources[name].unreached():
            key = (name, function, text)
            used.add(key)
            unexplained += key not in explained
            print(f"{name}:{number}\t{function}\t{text}\t"
                  f"{explained.get(key, 'NOT EXPLAINED')}")
    return unexplained, [key for key, reason in explained.items()
                         if key not in used and not reason.startswith("race: ")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sources", required=True)
    parser.add_argument("--explained", required=True)
    parser.add_argument("--minimum", type=float, required=True)
    parser.add_argument("--complete", type=int, required=True)
    parser.add_argument("runs", nargs="+")
    args = parser.parse_args()
    explained = read_explained(args.explained)
    sources = read_runs(args.runs, os.path.abspath(args.sources))
    unexplained, stale = print_unreached(sources, explained)
    share = print_table(sources)
    if not args.complete:
        print("Not all suites were run: this is not held against the list.")
        return 0
    for key in stale:
        print("explained, but reached or gone:", *key, sep="\t")
    print(f"{share:.1f} % of the lines reached ({args.minimum:g} % wanted), "
          f"{unexplained} not explained, {len(stale)} explained in vain")
    return int(share < args.minimum or unexplained > 0 or bool(stale))


sys.exit(main())
