"""Rules about any text: blanks, words that stand for unfinished work, places that exist on one machine only."""
import re

from tree import SOURCES, Finding

TEXTS = SOURCES + (".in", ".json", ".yaml", ".yml", ".md", ".cmake", "CMakeLists.txt", "Dockerfile", ".dockerignore",
                   ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".ci/run", "LICENSE")
# The patterns are written so that this file does not match itself.
UNFINISHED = re.compile(
    r"\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b|\b(?i:[s]tub(?:s|bed)?|[u]nimplemented|[n]ot implemented)\b")
ONE_MACHINE = re.compile(r"(?<![\w.})$/*-])/(?:[w]ork|[r]oot|[h]ome/\w+|[U]sers/\w+)/")
AUTHORS = re.compile(r"\b[C]laude\b|\b[A]nthropic\b|\b[A]I[ -](?:agent|assistant|generated)", re.IGNORECASE)


def is_text(tree, path):
    return path.endswith(TEXTS) or tree.text(path).startswith("#!")


def clean_whitespace(tree):
    for path in filter(lambda path: is_text(tree, path), tree.paths):
        for line, text in tree.lines(path):
            if text != text.rstrip():
                yield Finding(path, line, "trailing-blank", "the line ends with a blank")
            if "\t" in text:
                yield Finding(path, line, "tab", "tabs are not used; write blanks, or \\t in a literal")
        if tree.text(path) and not tree.text(path).endswith("\n"):
            yield Finding(path, len(tree.text(path).splitlines()), "last-line", "no line feed at the end of the file")


def finished(tree):
    for path in tree.paths:
        if path.endswith(".md"):
            continue
        for line, text in tree.lines(path):
            match = UNFINISHED.search(text)
            if match:
                yield Finding(path, line, "unfinished", f'"{match.group()}"')


def belongs_to_nobody(tree):
    for path in tree.paths:
        for line, text in tree.lines(path):
            match = ONE_MACHINE.search(text)
            if match:
                yield Finding(path, line, "one-machine", f'"{match.group()}" is a path of one machine')
            match = AUTHORS.search(text)
            if match:
                yield Finding(path, line, "author", f'"{match.group()}"')


RULES = [clean_whitespace, finished, belongs_to_nobody]
