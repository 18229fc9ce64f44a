"""Runs the tests inside a sandbox (see tests/lab/README.md) and hands out clusters.

A cluster serves all tests of a file. Each test leaves it whole; one that fails takes it down, and the next
test gets a new one.
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import sandbox  # noqa: E402
from lab.lab import Lab, NotInTime, find_program  # noqa: E402
from lab.network import Skipped  # noqa: E402

# Short, so that the tests are; the relations between them are those of the defaults.
LEASE = 2.0
SETTINGS = {"lease_duration": "2s", "heartbeat_interval": "400ms", "failover_limit": "off"}


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if sandbox.mode() or config.option.help or config.option.version or config.option.collectonly:
        return None
    words = [sys.executable, "-B", "-m", "pytest", *config.invocation_params.args]
    return sandbox.run(words)


def pytest_report_header():
    return f"sandbox: {sandbox.mode()}, in {sandbox.directory() if sandbox.mode() else '-'}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.excinfo is not None and call.excinfo.errisinstance(Skipped):
        report.outcome = "skipped"
        report.longrepr = (str(item.fspath), item.location[1] or 0, str(call.excinfo.value))
    if report.failed:
        for lab in _labs:
            report.sections.append((f"lab {lab.dir}", lab.diagnosis()))
        item.session.broken = True


# Every lab that lives, for the report of a failure.
_labs = []


def needs_product():
    if find_program("repld") is None or find_program("replctl") is None:
        pytest.fail("repld and replctl are not built; build the release preset or set REPLD_BUILD")


@pytest.fixture
def new_lab():
    """new_lab(label) makes an empty lab that ends with the test."""
    made = []

    def make(label="lab"):
        lab = Lab(label)
        made.append(lab)
        _labs.append(lab)
        return lab
    yield make
    for lab in made:
        _labs.remove(lab)
        lab.close()


class Shelf:
    """Holds one standing cluster and builds it anew when a test has broken it."""

    def __init__(self, build):
        self._build = build
        self._lab = None

    def take(self):
        if self._lab is None:
            self._lab = Lab("lab")
            _labs.append(self._lab)
            self._build(self._lab)
        return self._lab

    def drop(self):
        if self._lab is not None:
            _labs.remove(self._lab)
            self._lab.close(keep=sandbox.keep_on_failure())
            self._lab = None


@pytest.fixture(scope="module")
def trio_shelf():
    needs_product()
    shelf = Shelf(lambda lab: lab.build(data=3, witness=True, settings_=SETTINGS))
    yield shelf
    shelf.drop()


@pytest.fixture
def trio(trio_shelf, request):
    """n1, n2, n3 and the witness w, whole, with lease_duration 2 s."""
    session = request.session
    if getattr(session, "broken", False):
        session.broken = False
        trio_shelf.drop()
    try:
        lab = trio_shelf.take()
    except BaseException:
        session.broken = True
        raise
    yield lab
    lab.network.heal()
    try:
        lab.wait_healthy(60)
    except NotInTime:
        session.broken = True
        raise

