"""Rules about documentation: a README per folder, and everything that one names is there."""
import posixpath
import re

from tree import SOURCES, Finding

FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")
OURS = re.compile(r"^(?:\.\./|lib/|daemon/|cli/|tests/|docs/|docker/|config/|systemd/)[\w./*-]+$")
FILE_COLUMNS = {"file", "files", "folder"}


def folders_have_readme(tree):
    folders = {}
    for path in tree.having(SOURCES + ("Dockerfile",)):
        folders.setdefault(posixpath.dirname(path), path)
    for folder, path in sorted(folders.items()):
        if not tree.exists(posixpath.join(folder, "README.md")):
            yield Finding(posixpath.join(folder, "README.md"), 1, "readme-missing", f"{path} has none beside it")


def prose(tree, path):
    """Lines outside of code fences."""
    fenced = False
    for line, text in tree.lines(path):
        if FENCE.match(text):
            fenced = not fenced
        elif not fenced:
            yield line, text


def anchors(tree, path):
    for _, text in prose(tree, path):
        if text.startswith("#"):
            title = text.lstrip("#").strip().lower()
            yield re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


def links_lead_somewhere(tree):
    for path in tree.having([".md"]):
        for line, text in prose(tree, path):
            for match in LINK.finditer(text):
                name, _, anchor = match["target"].partition("#")
                if re.match(r"[a-z]+:", name):
                    continue
                target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) if name else path
                if not tree.exists(target):
                    yield Finding(path, line, "dead-link", f'"{match["target"]}"')
                elif anchor and target.endswith(".md") and anchor not in anchors(tree, target):
                    yield Finding(path, line, "dead-link", f'"{match["target"]}": no such heading')


def is_there(tree, folder, name):
    """A file or folder of that name, with any suffix; `*` stands for anything."""
    where, last = posixpath.split(posixpath.normpath(posixpath.join(folder, name)))
    place = tree.root / where
    return place.is_dir() and (any(place.glob(last)) or any(place.glob(last + ".*")))


def tables_name_what_exists(tree):
    """The first column of a table whose heading says that it lists files."""
    for path in tree.having(["README.md"]):
        before, listing = "", False
        for line, text in prose(tree, path):
            if not text.startswith("|"):
                listing = False
            elif re.fullmatch(r"[|\s:-]+", text) and before.startswith("|"):
                listing = before.split("|")[1].strip().lower() in FILE_COLUMNS
            elif listing:
                for name in CODE.findall(text.split("|")[1]):
                    if not is_there(tree, posixpath.dirname(path), name):
                        yield Finding(path, line, "dead-name", f'"{name}" is not in this folder')
            before = text


def paths_in_prose_exist(tree):
    """A path in backquotes that begins with a folder of ours."""
    for path in tree.having([".md"]):
        for line, text in prose(tree, path):
            for code in CODE.findall(text):
                name = (code.split() or [""])[0]
                if OURS.match(name) and not any(
                        is_there(tree, base, name) for base in (posixpath.dirname(path), "", "lib", "tests")):
                    yield Finding(path, line, "dead-name", f'"{name}" does not exist')


RULES = [folders_have_readme, links_lead_somewhere, tables_name_what_exists, paths_in_prose_exist]
