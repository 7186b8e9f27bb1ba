"""Whatever ends a job, nothing of its user stays: cut off within a second, and gone within five."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest

from account import HOME, USER, a_system_sshd, account_dryad, exists, needs_an_account, pids_of, state_file
from farm import tell, wait_for

assert a_system_sshd, "the fixture sshd_port"
pytestmark = needs_an_account

CUT_WITHIN = 1.0
GONE_WITHIN = 5.0
HERE = pathlib.Path(__file__).parent


class Hostile:
    """A user with a job, who has dug in on the worker and keeps every kind of connection open."""

    def __init__(self, farm, api, port, lease=None):
        self.farm, self.api, self.port = farm, api, port
        self.mark = f"hostile-{os.getpid()}-{int(time.monotonic())}"
        self.number = api.file({"board": "x"}, **({"Lease": lease} if lease else {}))
        self.access = api.acquire(self.number)
        self.uid = exists().pw_uid
        self.tunnel = (self.access["Addr"]["IP"], int(self.access["Addr"]["Port"]))
        self.key = farm.directory / f"{self.mark}.key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.mark, "-f", self.key], check=True)
        self.files = farm.directory / self.mark
        self.files.mkdir(mode=0o700)
        (self.files / "key").write_text(self.access["Key"])
        (self.files / "key").chmod(0o600)
        (self.files / "known_hosts").write_text("".join(f"worker {line}\n" for line in self.access["HostKeys"]))
        self.sessions = []

    def argv(self, *more, key=None, port=None, host="127.0.0.1"):
        options = ["ssh", "-F", "/dev/null", "-i", key or self.files / "key", "-p", port or self.tunnel[1]]
        for option in ("IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "HostKeyAlias=worker",
                       f"UserKnownHostsFile={self.files}/known_hosts", "ConnectTimeout=5", "LogLevel=ERROR"):
            options += ["-o", option]
        return [*options, *more, f"{USER}@{host}"]

    def open_sessions(self):
        """A shell, a master with one more session over it, forwards both ways, and a connection that says nothing."""
        socket_path = self.files / "master"
        self.back_port, self.forward_port = free_port(), free_port()
        self._start("shell", "-tt", words=["sleep 1000"])
        self._start("master", "-M", "-S", str(socket_path), words=["echo in; sleep 1000"])
        wait_for(socket_path.exists, 10, "the master")
        self._start("over the master", "-S", str(socket_path), words=["sleep 1000"])
        self._start("forwards", "-N", "-o", "ExitOnForwardFailure=yes", "-L",
                    f"{self.forward_port}:127.0.0.1:{self.port}", "-R", f"{self.back_port}:127.0.0.1:{self.port}")
        wait_for(lambda: connects(self.forward_port) and connects(self.back_port), 10, "the forwards")
        self.forwarded = socket.create_connection(("127.0.0.1", self.forward_port), 5)
        assert self.forwarded.recv(4) == b"SSH-"
        self.silent = socket.create_connection(self.tunnel, 5)
        assert self.silent.recv(4) == b"SSH-"

    def _start(self, name, *options, words=()):
        self.sessions.append(self.farm.spawn(f"ssh {name}", [*self.argv(*options), *words]))

    def dig_in(self):
        script = (HERE / "hostile_user.py").read_text()
        public = self.key.with_suffix(".key.pub").read_text().strip()
        done = subprocess.run([*map(str, self.argv()), f"python3 - {self.mark} '{public}'"], input=script, text=True,
                              capture_output=True, timeout=30, check=False)
        assert done.returncode == 0 and done.stdout.endswith("ready\n"), done
        # With the key that it wrote for itself, past the server and its tunnel.
        self.direct = self.farm.spawn("ssh direct", [*self.argv("-o", "ControlPath=none", key=self.key, port=self.port),
                                                     "echo in; sleep 1000"])
        self.sessions.append(self.direct)
        wait_for(lambda: "in\n" in self.direct.text(), 10, "the login past the server")
        wait_for(lambda: len(pids_of(self.uid)) > 40, 10, "the user's processes")
        return [line.removeprefix("tried ") for line in done.stdout.splitlines() if line.startswith("tried ")]

    def keep_knocking(self):
        """Logs in over and over, straight at the worker, with the key of its own: in between, if it can."""
        loop = 'while :; do "$@" >/dev/null 2>&1 </dev/null & sleep 0.05; done'
        argv = [*self.argv("-o", "ControlPath=none", key=self.key, port=self.port), "setsid -f sleep 1000; sleep 1000"]
        self.knocking = self.farm.spawn("knocking", ["sh", "-c", loop, "knock", *argv])

    def stop_knocking(self):
        with contextlib.suppress(OSError):
            os.killpg(self.knocking.pid, signal.SIGKILL)
        self.knocking.wait()

    def logs_in(self, key, port=None):
        argv = self.argv("-o", "ControlPath=none", key=key, port=port or self.port)
        return subprocess.run([*map(str, argv), "true"], capture_output=True, timeout=20, check=False).returncode == 0

    def cut(self):
        silent = ended(self.silent) and ended(self.forwarded)
        return silent and all(session.popen.poll() is not None for session in self.sessions if session != self.direct)

    def left(self):
        """What is still there of the user, by kind."""
        found = {"processes": len(pids_of(self.uid)), "files": len(self.files_left()), "ipc": ipc_of(self.uid)}
        return {kind: count for kind, count in found.items() if count}

    def files_left(self):
        places = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/spool/cron/crontabs", "/var/spool/cron/atjobs"]
        found = [entry.path for place in places if os.path.isdir(place) for entry in os.scandir(place)
                 if owner_of(entry) == self.uid]
        return found


def owner_of(entry):
    with contextlib.suppress(OSError):
        return entry.stat(follow_symlinks=False).st_uid
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connects(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def ended(connection):
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def ipc_of(uid):
    count = 0
    for kind, column in (("shm", 7), ("msg", 7), ("sem", 4)):
        with contextlib.suppress(OSError):
            for line in pathlib.Path("/proc/sysvipc", kind).read_text().splitlines()[1:]:
                count += line.split()[column] == str(uid)
    return count


def message_queues_of(uid, directory):
    point = directory / "mqueue"
    point.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "mqueue", "none", point], capture_output=True, check=False).returncode:
        return []
    try:
        return [entry.name for entry in point.iterdir() if entry.stat().st_uid == uid]
    finally:
        subprocess.run(["umount", point], check=True)


def everything_of(uid):
    """All that `uid` owns, on every disk and tmpfs, beside its home and the mailbox that useradd makes."""
    skip = ["/proc", "/sys", "/usr", "/work", str(HOME)]
    prune = [word for path in skip for word in ("-path", path, "-prune", "-o")]
    found = subprocess.run(["find", "/", *prune, "-uid", str(uid), "-print"], capture_output=True, text=True,
                           errors="replace", check=False).stdout.splitlines()
    return [path for path in found if path not in (f"/var/mail/{USER}", f"/var/spool/mail/{USER}")]


def measure(conditions, seconds):
    """Seconds until each condition came true for the first time."""
    start, took = time.monotonic(), {}
    while len(took) < len(conditions) and time.monotonic() - start < seconds:
        for name, holds in conditions.items():
            if name not in took and holds():
                took[name] = time.monotonic() - start
        time.sleep(0.01)
    missing = [name for name in conditions if name not in took]
    assert not missing, f"not within {seconds} s: {missing}"
    return took


def tell_all(what, took):
    tell(f"{what}: " + ", ".join(f"{name} after {seconds * 1000:.0f} ms" for name, seconds in took.items()))


@contextlib.contextmanager
def farm_with_hostile_user(farm, port, settings="", lease=None):
    farm.start_server(settings)
    dryad = account_dryad(farm, "real", port)
    user = Hostile(farm, farm.user("mallory"), port, lease)
    try:
        user.open_sessions()
        user.tried = user.dig_in()
        user.keep_knocking()
        yield dryad, user
    finally:
        if hasattr(user, "knocking"):
            user.stop_knocking()
        for pid in pids_of(user.uid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def conditions_of(user):
    return {"listener closed": lambda: not connects(user.tunnel[1]), "connections cut": user.cut,
            "all gone": lambda: not user.left()}


def check_nothing_is_left(farm, user, took):
    assert max(took["listener closed"], took["connections cut"]) < CUT_WITHIN, took
    assert took["all gone"] < GONE_WITHIN, took
    # Whoever knocked at the wrong moment has not slipped in.
    time.sleep(0.3)
    user.stop_knocking()
    assert not user.left()
    assert not message_queues_of(user.uid, farm.directory)
    assert not everything_of(user.uid)
    assert not connects(user.back_port)
    assert not user.logs_in(user.key) and not user.logs_in(user.files / "key")
    assert user.direct.popen.poll() is not None


def end_by_closing(user, admin, dryad):
    user.api.close(user.number)


def end_by_maintenance(user, admin, dryad):
    admin.set_state(dryad.uuid, "MAINTENANCE", Reason="fire")


ENDS = {"closed": (end_by_closing, "IDLE", "DONE"), "maintenance": (end_by_maintenance, "MAINTENANCE", "FAILED")}


@pytest.mark.parametrize("how", ENDS)
def test_nothing_of_a_hostile_user_outlives_the_job(farm, sshd_port, how):
    end, worker_state, request_state = ENDS[how]
    with farm_with_hostile_user(farm, sshd_port) as (dryad, user):
        tell("hostile user tried: " + "; ".join(user.tried))
        end(user, farm.admin(), dryad)
        took = measure(conditions_of(user), 20)
        tell_all(f"hostile user, ended by {how}", took)
        farm.admin().await_worker(dryad.uuid, worker_state)
        assert user.api.request(user.number)["State"] == request_state
        check_nothing_is_left(farm, user, took)
        account = exists()
        if worker_state == "MAINTENANCE":
            assert account is None, "MAINTENANCE comes after EndJob"
        else:
            keys = (HOME / ".ssh" / "authorized_keys").read_text()
            assert user.mark not in keys and keys.count("\n") == 1
            assert stat.S_IMODE(HOME.stat().st_mode) == 0o700
            again = farm.boruta(farm.user("bob"), "run", "board=x", "--", "sh", "-c",
                                "ps -o comm= -u $(id -u); ls -A /tmp")
            assert again.code == 0 and user.mark not in again.out, again


def test_nothing_of_a_hostile_user_outlives_the_time_of_the_job(farm, sshd_port):
    with farm_with_hostile_user(farm, sshd_port, lease="8s") as (dryad, user):
        wait_for(lambda: user.api.request(user.number)["State"] == "DONE", 20, "the end", every=0.005)
        took = measure(conditions_of(user), 20)
        tell_all("hostile user, ended by its timeout", took)
        check_nothing_is_left(farm, user, took)


def test_nothing_of_a_hostile_user_stays_on_a_worker_that_failed(farm, sshd_port):
    with farm_with_hostile_user(farm, sshd_port) as (dryad, user):
        dryad.process.kill()
        # The agent comes back without a memory of its job.
        state = json.loads(state_file(dryad).read_text())
        state_file(dryad).write_text(json.dumps({**state, "job": 0}))
        dryad.start()
        wait_for(lambda: user.api.request(user.number)["State"] == "FAILED", 10, "the failure", every=0.005)
        took = measure(conditions_of(user), 20)
        tell_all("hostile user, ended by the worker's failure", took)
        assert "does not know its job" in farm.admin().worker(dryad.uuid)["Reason"]
        check_nothing_is_left(farm, user, took)
        wait_for(lambda: exists() is None, 1, "the account being gone too")


def test_an_agent_without_its_server_ends_the_job_by_itself(farm, sshd_port):
    grace = 2.0
    with farm_with_hostile_user(farm, sshd_port, f'lost_grace = "{grace:.0f}s"\n', lease="8s") as (dryad, user):
        ends = json.loads(state_file(dryad).read_text())["job_end_us"] / 1e6
        farm.server.process.kill()
        took = measure({"connections cut": user.cut}, 5)
        assert took["connections cut"] < CUT_WITHIN
        assert pids_of(user.uid), "the job's time is not up yet"
        wait_for(lambda: not user.left(), ends + grace + GONE_WITHIN - time.time(), "the user being gone")
        late = time.time() - ends - grace
        tell(f"cut off from the server: all gone {late * 1000:.0f} ms after the job's end and the grace of {grace} s")
        assert -0.1 < late < GONE_WITHIN
        wait_for(lambda: exists() is None, 1, "the account being gone too")
        user.stop_knocking()
        assert not everything_of(user.uid) and not message_queues_of(user.uid, farm.directory)


@pytest.mark.parametrize("moment", [0.05, 0.2, 0.5])
def test_an_agent_killed_while_it_cleans_up_finishes_that(farm, sshd_port, moment):
    with farm_with_hostile_user(farm, sshd_port) as (dryad, user):
        user.api.close(user.number)
        time.sleep(moment)
        dryad.process.kill()
        start = time.monotonic()
        dryad.start()
        farm.admin().await_worker(dryad.uuid, "IDLE", seconds=GONE_WITHIN + 5)
        tell(f"killed {moment * 1000:.0f} ms into it: ready for the next after {time.monotonic() - start:.2f} s")
        user.stop_knocking()
        assert not user.left() and not everything_of(user.uid)
        assert not user.logs_in(user.key)
