"""What a job's user scheduled with cron and at really runs, ends with the job, and never runs again."""

import contextlib
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from account import USER, a_system_sshd, account_dryad, exists, needs_an_account, pids_of
from farm import tell, wait_for

assert a_system_sshd, "the fixture sshd_port"
pytestmark = [
    *needs_an_account,
    pytest.mark.skipif(not shutil.which("cron") or not shutil.which("atd"), reason="cron or at is not installed"),
]

# Both daemons look at their clocks once a minute.
FIRES_WITHIN = 65.0
LINGER = pathlib.Path("/var/lib/systemd/linger")
# Without what the machine itself has scheduled, which is none of the test's business.
CRON = """
mount -t tmpfs none /etc/cron.d && mount --bind /dev/null /etc/crontab && exec cron -f
"""
# Each marks that it ran, and leaves a process that has nothing to do with the daemon any more.
SCHEDULE = """
set -e
echo '* * * * * date >> /tmp/{mark}-cron; setsid -f sh -c "exec sleep 1000"' | crontab -
for minutes in 1 2 3; do
  echo "date >> /tmp/{mark}-at; setsid -f sh -c 'exec sleep 1000'" | at now + $minutes minutes 2>&1
done
"""


@pytest.fixture(name="schedulers")
def real_schedulers(farm):
    for name, file in (("cron", "/run/crond.pid"), ("atd", "/run/atd.pid")):
        if running(file):
            pytest.fail(f"{name} runs already, as {file} says; stop it, since the test starts its own")
    cron = farm.spawn("cron", ["unshare", "--mount", "sh", "-c", CRON])
    atd = farm.spawn("atd", ["atd", "-f"])
    yield
    ended = [daemon.name for daemon in (cron, atd) if daemon.popen.poll() is not None]
    for daemon in (cron, atd):
        daemon.kill()
    for file in ("/run/crond.pid", "/run/atd.pid", f"/var/spool/cron/crontabs/{USER}"):
        pathlib.Path(file).unlink(missing_ok=True)
    for job in queue():
        subprocess.run(["atrm", job.split()[0]], check=True)
    assert not ended, f"{ended} did not last, so the test saw nothing"


@pytest.fixture(name="linger")
def a_directory_of_lingering_users():
    there = LINGER.is_dir()
    LINGER.mkdir(parents=True, exist_ok=True)
    yield LINGER
    (LINGER / USER).unlink(missing_ok=True)
    if not there:
        LINGER.rmdir()


def running(pid_file):
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pathlib.Path(pid_file).read_text()), 0)
        return True
    return False


def queue():
    """The user's lines of at's queue, which begin with the job's number."""
    lines = subprocess.run(["atq"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if re.search(rf"\b{USER}$", line)]


def scheduled():
    """What cron and at hold of the user."""
    return [path.name for path in pathlib.Path("/var/spool/cron/crontabs").iterdir() if path.name == USER] + queue()


def seconds_to_next_minute():
    now = datetime.datetime.now()
    return 60 - now.second - now.microsecond / 1e6


@pytest.mark.limit(150)
def test_what_was_scheduled_runs_while_the_job_does_and_never_again(farm, sshd_port, schedulers, linger):
    farm.start_server()
    dryad = account_dryad(farm, "real", sshd_port)
    mallory = farm.user("mallory")
    number = mallory.file({"board": "x"})
    access = mallory.acquire(number)
    uid = exists().pw_uid
    mark = f"scheduled-{os.getpid()}"
    marks = [pathlib.Path(f"/tmp/{mark}-{kind}") for kind in ("cron", "at")]

    done = farm.ssh(access, SCHEDULE.format(mark=mark))
    assert done.code == 0 and len(scheduled()) == 4, done
    # As `loginctl enable-linger` leaves it.
    (linger / USER).touch()
    wait_for(lambda: all(path.exists() for path in marks), FIRES_WITHIN + 60, "cron and at running the user's commands")
    wait_for(lambda: len(pids_of(uid)) >= 2, 5, "the processes that they left")
    assert all(path.stat().st_uid == uid for path in marks)

    start = time.monotonic()
    mallory.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE", seconds=25)
    tell(f"cron and at: all gone {time.monotonic() - start:.2f} s after the job's end")
    assert not scheduled() and not (linger / USER).exists()
    assert not pids_of(uid) and not [path for path in marks if path.exists()]

    # The next job's account has the same name, and may have the same number: that is whom it would run for.
    assert exists()
    time.sleep(seconds_to_next_minute() + 5)
    assert not [path for path in marks if path.exists()], "it ran once more"
    assert not pids_of(exists().pw_uid) and not pids_of(uid)
