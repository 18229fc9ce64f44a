"""Wrong configuration files: refused whole, with file, line, key, what was found and what was expected."""
import pytest

from conftest import needs_product
from lab import settings


@pytest.fixture
def host(new_lab):
    needs_product()
    return new_lab().add("n1", 1)


WRONG = {
    # name: (text found in a right file, its replacement, words the message must have besides file:line)
    "unknown key": ("  role: data", "  role: data\n  prioritty: 100", ["prioritty"]),
    "unknown section": ("log: {", "logging: {", ["logging"]),
    "text for a number": ("  id: 1", "  id: one", ["id", "one"]),
    "id zero": ("  id: 1", "  id: 0", ["id"]),
    "unknown role": ("  role: data", "  role: primary", ["role", "primary", "witness"]),
    "no data directory": ("  data_directory:", "  data_dir:", ["data_dir"]),
    "port out of range": (":7432", ":99999", ["listen", "99999"]),
    "unknown log level": ("level: info", "level: loud", ["level", "loud"]),
    "not yaml": ("node:", "node: [", []),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_file_is_refused(host, case):
    found, replacement, words = WRONG[case]
    text = settings.repld_text(host)
    assert found in text
    host.options["yaml"] = text.replace(found, replacement)
    settings.write_repld(host)
    daemon = host.run(host.lab.binary("repld"), "--config", host.config, check=False, limit=10)
    check = host.replctl("config", "check", check=False)
    for outcome in (daemon, check):
        message = outcome.err + outcome.out
        assert outcome.code == 1, message
        assert f"{host.config}:" in message and any(
            f"{host.config}:{line}" in message for line in range(1, 40)), message
        for word in words:
            assert word in message, message


def test_right_file_is_accepted(host):
    assert host.replctl("config", "check").code == 0


def test_missing_file(host):
    outcome = host.run(host.lab.binary("repld"), "--config", "/nonexistent/repld.yaml", check=False, limit=10)
    assert outcome.code == 1 and "/nonexistent/repld.yaml" in outcome.err + outcome.out


def test_usage(host):
    for words in (["no-such-command"], ["cluster", "no-such-command"], ["cluster", "show", "--no-such-flag"]):
        outcome = host.replctl(*words, check=False)
        assert outcome.code == 1, outcome
    for program in ("repld", "replctl"):
        assert host.run(host.lab.binary(program), "--version").code == 0
        assert host.run(host.lab.binary(program), "--help").code == 0


def test_daemon_down(host):
    outcome = host.replctl("daemon", "status", check=False)
    assert outcome.code == 3 and outcome.seconds < 5, outcome
