"""Fixtures; a test that hangs fails, and one that fails shows what its processes said."""

import os
import pathlib
import signal
import subprocess

import pytest

from farm import BIN, DRYAD, MEASURED, Farm

LIMIT_SECONDS = 60


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): the test may take so long")


def pytest_sessionstart(session):
    del session
    for program in (BIN / "borutad", pathlib.Path(DRYAD[-1]), BIN / "boruta"):
        if not program.is_file():
            pytest.exit(f"{program} is missing: build it, or set BORUTA_BIN", returncode=1)


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("measured")
    for line in MEASURED:
        terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("limit")
    limit = marker.args[0] if marker else LIMIT_SECONDS

    def give_up(number, frame):
        del number, frame
        raise TimeoutError(f"the test took longer than {limit} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(limit)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    farm = item.funcargs.get("farm")
    if farm is not None and call.when == "call" and report.failed:
        report.sections.append(("processes", farm.logs()))


@pytest.fixture(name="farm")
def a_farm():
    made = Farm()
    yield made
    made.close()


@pytest.fixture(name="busy_machine")
def a_busy_machine():
    loops = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    yield loops
    for loop in loops:
        loop.kill()
        loop.wait()
