#!/usr/bin/python3
"""Fails for each C++ file that clang-format would change. Usage: clang_format.py [root]

Versions of clang-format disagree, so only the one of .clang-format's author judges; without it the exit
code is 77, which ctest shows as skipped.
"""
import collections
import pathlib
import re
import shutil
import subprocess
import sys

from tree import CPP, Tree

MAJOR = 14
SKIPPED = 77
BATCH = 50


def program():
    for name in (f"clang-format-{MAJOR}", "clang-format"):
        path = shutil.which(name)
        if not path:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
        if re.search(rf"version {MAJOR}\.", said):
            return path
    return None


def differing(tree, formatter):
    """path -> lines at which clang-format would change something."""
    paths, found = tree.having(CPP), collections.defaultdict(list)
    for first in range(0, len(paths), BATCH):
        done = subprocess.run([formatter, "--dry-run", *paths[first:first + BATCH]], cwd=tree.root,
                              capture_output=True, text=True, errors="replace", timeout=300, check=True)
        for path, line in re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): ", done.stderr, re.MULTILINE):
            found[path].append(int(line))
    return found


def main(arguments):
    tree = Tree(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2])
    formatter = program()
    if not formatter:
        print(f"clang-format {MAJOR} is not installed: skipped")
        return SKIPPED
    found = differing(tree, formatter)
    for path, lines in sorted(found.items()):
        print(f"{path}:{lines[0]}: format: {len(lines)} places; {pathlib.Path(formatter).name} -i {path}")
    print(f"tidy.format: {len(tree.having(CPP))} files, {len(found)} to be formatted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
