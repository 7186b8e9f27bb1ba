"""Checks of the hardware: of idle workers every so often, and in full after a failure."""

import signal
import time

import pytest

from farm import tell, wait_for

EVERY = 'healthcheck_every = "1s"'


def checked_board(directory, script):
    """A board whose health check is a script that can be replaced while all runs; it notes each check by a word."""
    check = directory / "check.sh"
    check.write_text(f"echo $1 >> {directory}/checks\n{script}\n")
    board = (f'[board]\ndriver = "exec"\nhealthcheck = ["/bin/sh", "{check}", "idle"]\n'
             f'healthcheck_full = ["/bin/sh", "{check}", "full"]')
    return check, board


def checks(farm):
    noted = farm.directory / "checks"
    return noted.read_text().split() if noted.exists() else []


def history(farm, worker):
    return farm.boruta(farm.admin(), "history", worker, "--all").out


def test_idle_workers_are_checked_warn_and_fail(farm):
    farm.start_server(EVERY)
    admin = farm.admin()
    check, board = checked_board(farm.directory, "exit 0")
    dryad = farm.start_dryad("w1", more=board)
    wait_for(lambda: len(checks(farm)) >= 3, 15, "three checks")
    assert set(checks(farm)) == {"idle"}, "the full one is for after failures"
    assert "check" not in history(farm, "w1")

    check.write_text("echo 'the fan is slow' >&2; exit 1\n")
    wait_for(lambda: "the fan is slow" in history(farm, "w1"), 10, "a warning in the history")
    time.sleep(3)
    assert history(farm, "w1").count("the fan is slow") == 1
    assert admin.worker(dryad.uuid)["State"] == "IDLE"

    check.write_text("echo 'the relay is gone' >&2; exit 2\n")
    assert "the relay is gone" in admin.await_worker(dryad.uuid, "FAILED")["Reason"]

    # Its agent registers anew: all is checked before it serves again.
    check.write_text(f"echo $1 >> {farm.directory}/checks\n")
    before = len(checks(farm))
    dryad.stop(signal.SIGKILL)
    dryad.start()
    admin.await_worker(dryad.uuid, "IDLE")
    assert checks(farm)[before] == "full"


def test_a_job_breaks_a_check_off(farm):
    farm.start_server(EVERY)
    _, board = checked_board(farm.directory, "sleep 40")
    farm.start_dryad("w1", more=board)
    wait_for(lambda: checks(farm) == ["idle"], 15, "a check")
    alice = farm.user("alice")
    start = time.monotonic()
    number = alice.file()
    access = alice.acquire(number)
    took = time.monotonic() - start
    tell(f"a job that comes while a health check of 40 s runs: access after {took:.2f} s")
    assert took < 3
    assert farm.ssh(access, "true").code == 0
    assert "sleep" not in history(farm, "w1") and "stopped" not in history(farm, "w1")
    alice.close(number)


@pytest.mark.limit(90)
def test_a_worker_that_fails_everybody_is_quarantined(farm):
    farm.start_server('lost_after = "1s"\nlost_grace = "0s"\n[quarantine]\nowners = 2\npercent = 50\n')
    admin = farm.admin()
    bad = farm.start_dryad("bad", {"board": "x"})
    farm.start_dryad("good", {"board": "x"}, enable=False)
    for name in ("alice", "bob"):
        user = farm.user(name)
        number = user.file({"board": "x"})
        user.await_state(number, "IN PROGRESS")
        bad.stop(signal.SIGKILL)
        user.await_state(number, "FAILED")
        bad.start()
        if name == "alice":
            admin.await_worker(bad.uuid, "IDLE")
    worker = admin.await_worker(bad.uuid, "MAINTENANCE")
    assert worker["By"] == "server"
    assert worker["Reason"].startswith("quarantined: jobs of 2 owners failed in a row: 1 (alice), 2 (bob)")
    admin.set_state(bad.uuid, "IDLE")
    admin.await_worker(bad.uuid, "IDLE")
