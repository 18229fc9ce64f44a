"""The files that are judged, and what a rule says about one of them."""
import dataclasses
import functools
import pathlib
import subprocess

SKIPPED_FOLDERS = {".git", ".ccache", "__pycache__", "build"}
CPP = (".cpp", ".hpp")
SOURCES = CPP + (".py", ".sh", ".service")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


class Tree:
    """The checkout below root. Paths are relative to it, with slashes."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.paths = sorted(self._listed() or self._walked())

    def _listed(self):
        """What git knows, and new files that it does not ignore; nothing without git or a repository."""
        # A checkout may belong to another user than the one who tests it.
        command = ["git", "-c", f"safe.directory={self.root}", "-C", str(self.root),
                   "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return []
        names = {name for name in done.stdout.decode().split("\0") if name}
        return [name for name in names if (self.root / name).is_file()]

    def _walked(self):
        for path in self.root.rglob("*"):
            relative = path.relative_to(self.root)
            if path.is_file() and not SKIPPED_FOLDERS.intersection(relative.parts):
                yield relative.as_posix()

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        """The file as text; empty when it is not UTF-8."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return ""

    def lines(self, path):
        """Pairs of line number and line, from 1."""
        return enumerate(self.text(path).splitlines(), 1)

    def having(self, suffixes, below=("",)):
        """Paths that end with one of the suffixes and begin with one of the folders."""
        return [path for path in self.paths if path.endswith(tuple(suffixes)) and path.startswith(tuple(below))]

    def exists(self, path):
        return (self.root / path).exists()
