#!/usr/bin/python3
"""Reads the code base and fails on bad form, with file, line and rule. Usage: tidy.py [root]"""
import pathlib
import sys

import rules_code
import rules_docs
import rules_text
import rules_tools
from tree import Tree

RULES = rules_code.RULES + rules_text.RULES + rules_docs.RULES + rules_tools.RULES


def findings(tree, rules=None):
    return sorted({finding for rule in rules or RULES for finding in rule(tree)})


def main(arguments):
    if len(arguments) > 1 or arguments and not pathlib.Path(arguments[0]).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    tree = Tree(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2])
    if not tree.paths:
        print(f"tidy: no files below {tree.root}", file=sys.stderr)
        return 2
    for name in rules_tools.missing():
        print(f"note: {name} is not there or does not work; its rule is left out")
    for text in rules_code.long_functions(tree):
        print(f"note: {text}; {rules_code.FUNCTION_AIM} are the aim")
    found = findings(tree)
    for finding in found:
        print(finding)
    print(f"tidy: {len(tree.paths)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
