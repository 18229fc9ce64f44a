"""Rules that other programs know: shellcheck and systemd-analyze. Where one is missing, its rule is left out."""
import functools
import pathlib
import re
import shutil
import subprocess
import tempfile

from tree import Finding


def run(*command):
    # Bounded, for a checker that hangs would be taken for a test that hangs.
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)


def shell_scripts(tree):
    for path in tree.paths:
        first = tree.text(path).partition("\n")[0]
        if re.match(r"#!\s*/\S*\b(ba|da)?sh\b", first) or path.endswith(".sh"):
            yield path


def scripts_pass_shellcheck(tree):
    scripts = list(shell_scripts(tree))
    if not scripts or not shutil.which("shellcheck"):
        return
    done = run("shellcheck", "--format=gcc", *(str(tree.root / path) for path in scripts))
    for path, line, text in re.findall(r"^(.+?):(\d+):\d+: (.+)$", done.stdout, re.MULTILINE):
        yield Finding(pathlib.Path(path).relative_to(tree.root).as_posix(), int(line), "shellcheck", text)


@functools.lru_cache(maxsize=None)
def systemd_works():
    """False also where systemd-analyze is installed and refuses everything, as in some containers."""
    if not shutil.which("systemd-analyze"):
        return False
    with tempfile.TemporaryDirectory(prefix="repld-tidy-") as place:
        probe = pathlib.Path(place, "probe.service")
        probe.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
        return run("systemd-analyze", "verify", "--man=no", str(probe)).returncode == 0


def units_pass_systemd(tree):
    """The programs of a unit need not be installed here: they are replaced by one that is."""
    units = tree.having([".service", ".socket", ".timer", ".slice"])
    if not units or not systemd_works():
        return
    with tempfile.TemporaryDirectory(prefix="repld-tidy-") as place:
        for path in units:
            text = re.sub(r"^(Exec\w+=[-@:+!]*)(/\S+)", r"\1/bin/true", tree.text(path), flags=re.MULTILINE)
            pathlib.Path(place, pathlib.Path(path).name).write_text(text, encoding="utf-8")
        for path in units:
            copy = pathlib.Path(place, pathlib.Path(path).name)
            done = run("systemd-analyze", "verify", "--man=no", str(copy))
            said = [text for text in done.stderr.splitlines() if copy.name in text]
            if done.returncode and not said:
                said = done.stderr.splitlines() or ["refused"]
            for text in said:
                match = re.search(r":(\d+): (.*)", text)
                yield Finding(path, int(match[1]) if match else 1, "systemd", match[2] if match else text)


RULES = [scripts_pass_shellcheck, units_pass_systemd]


def missing():
    """Programs without which a rule is left out."""
    there = {"shellcheck": shutil.which("shellcheck"), "systemd-analyze": systemd_works()}
    return [name for name in there if not there[name]]
