"""Real processes for end-to-end tests: a server, agents and the client, in one directory that goes with them."""

import contextlib
import datetime
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from typing import NamedTuple

from described import DESCRIPTION

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BORUTA_BIN", ROOT / "build/dev/bin"))
# The agent; one for another processor with its emulator before it.
DRYAD = shlex.split(os.environ.get("BORUTA_DRYAD", str(BIN / "dryad")))
TUNNEL_PORTS = 40
# Whose libraries must be loaded first, so that nothing else can be put before a program.
SANITIZED = bool(os.environ.get("BORUTA_SANITIZE"))
# What the tests measured, a line each: shown when all have run.
MEASURED = []
ENDED = ("CANCELLED", "TIMEOUT", "INVALID", "DONE", "FAILED")


def tell(text):
    MEASURED.append(text)


def wait_for(look, seconds=10.0, what="it", every=0.02):
    """Calls `look` until it returns something true, which is returned. Its own failures count as not yet."""
    give_up = time.monotonic() + seconds
    last = None
    while True:
        try:
            last = look()
            if last:
                return last
        except (OSError, AssertionError, KeyError, Refused) as error:
            last = repr(error)
        assert time.monotonic() < give_up, f"{what}: not within {seconds} s; last seen: {last}"
        time.sleep(every)


def instant(text):
    """An RFC 3339 time as seconds since 1970; fractions of any length."""
    match = re.fullmatch(r"(.+?)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    whole = datetime.datetime.fromisoformat(match.group(1) + match.group(3).replace("Z", "+00:00"))
    return whole.timestamp() + float(match.group(2) or 0)


def in_seconds(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def processes():
    """(pid, environment, command line) of all that can be read."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()


def pids_with(text):
    wanted = text.encode()
    return [pid for pid, _, command in processes() if wanted in command and pid != os.getpid()]


def free_port_range():
    """A range below the ports that the system gives out by itself."""
    while True:
        first = random.randrange(20000, 32000 - TUNNEL_PORTS)
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + TUNNEL_PORTS):
                    probe = held.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port))
                return first, first + TUNNEL_PORTS - 1
            except OSError:
                continue


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Answer(NamedTuple):
    status: int
    body: object
    headers: dict


class Api:
    """The HTTP API as one user."""

    def __init__(self, url, token="", ca=None):
        self.url = url
        self.token = token
        self.trust = ssl.create_default_context(cafile=ca) if ca else None

    def call(self, method, path, body=None, raw=None, timeout=30.0, more=None):
        """Any answer of the server, which must be as it is described. `raw` is sent as it is, in place of `body`,
        and `more` are further headers."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if data is None and method == "POST":
            data = b""
        headers = {"Content-Type": "application/json", **(more or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self.trust) as answer:
                return self._answer(request, answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return self._answer(request, error.code, error.read(), error.headers)

    @staticmethod
    def _answer(request, status, content, headers):
        DESCRIPTION.check(request.get_method(), request.selector, status, headers.items(), content)
        try:
            body = json.loads(content) if content else None
        except ValueError:
            body = content.decode(errors="replace")
        return Answer(status, body, dict(headers))

    def need(self, method, path, body=None, timeout=30.0):
        answer = self.call(method, path, body, timeout=timeout)
        if answer.status >= 300:
            message = answer.body.get("message") if isinstance(answer.body, dict) else answer.body
            raise Refused(answer.status, message)
        return answer.body

    def file(self, caps=None, **fields):
        body = {"Caps": caps or {}, "Priority": fields.pop("priority", 8), **fields}
        return self.need("POST", "/api/v1/reqs/", body)["ReqID"]

    def request(self, number):
        return self.need("GET", f"/api/v1/reqs/{number}")

    def requests(self, **wanted):
        return self.need("POST", "/api/v1/reqs/list", {"Filter": wanted})

    def acquire(self, number, wait="20s"):
        return self.need("POST", f"/api/v1/reqs/{number}/acquire_worker?wait={wait}", timeout=60)

    def close(self, number):
        self.need("POST", f"/api/v1/reqs/{number}/close")

    def workers(self):
        return self.need("GET", "/api/v1/workers/")

    def worker(self, number):
        return self.need("GET", f"/api/v1/workers/{number}")

    def set_state(self, number, state, **more):
        self.need("POST", f"/api/v1/workers/{number}/setstate", {"WorkerState": state, **more})

    def await_state(self, number, *states, seconds=15.0):
        def look():
            seen = self.request(number)
            assert seen["State"] in states, seen
            return seen

        return wait_for(look, seconds, f"request {number} being {' or '.join(states)}")

    def await_worker(self, number, *states, seconds=20.0):
        def look():
            seen = self.worker(number)
            assert seen["State"] in states, seen
            return seen

        return wait_for(look, seconds, f"worker {number} being {' or '.join(states)}")


class Process:
    """A program of ours, with its output in a file."""

    def __init__(self, name, argv, log, env=None, stdin=subprocess.DEVNULL, cwd=None, stdout=None):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self.popen = subprocess.Popen([str(word) for word in argv], stdin=stdin, stdout=stdout or output, stderr=output,
                                          env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=20.0):
        return self.popen.wait(seconds)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)


class Ran(NamedTuple):
    code: int
    out: str
    err: str
    seconds: float


class Dryad:
    """A worker whose access is an sshd of its own."""

    def __init__(self, farm, name, config, directory):
        self.farm = farm
        self.name = name
        self.config = config
        self.directory = directory
        self.state = directory / "state"
        self.uuid = re.search(r'^UUID = "(.+)"', config.read_text(), re.MULTILINE).group(1)
        self.process = None

    def start(self):
        argv = [*DRYAD, "--config", self.config]
        self.process = self.farm.spawn(f"dryad {self.name}", argv)
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.signal(number)
        return self.process.wait()

    @property
    def job_dir(self):
        return self.state / "job"

    def sshd_pid(self):
        with contextlib.suppress(OSError, ValueError):
            return int((self.state / "sshd" / "sshd.pid").read_text())
        return 0

    def remove(self):
        """Its sshd outlives it, and so may what a job left: both are found by what only they carry."""
        if self.process:
            self.process.kill()
        mark = f"{self.state}/job".encode()
        for pid, environment, command in processes():
            if mark in environment or str(self.state).encode() in command:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


class Server:
    def __init__(self, farm, settings, auth, tunnel_ports, tunnel, ca=None):
        self.farm = farm
        self.auth = auth
        self.ca = ca
        self.data = farm.directory / "data"
        self.config = farm.directory / "borutad.toml"
        self.config.write_text(f'{settings}\n[tunnel]\nports = "{tunnel_ports[0]}-{tunnel_ports[1]}"\n'
                               f'{tunnel}\n')
        self.endpoints = {"http": "127.0.0.1:0", "agent": "127.0.0.1:0"}
        self.process = None

    def argv(self):
        return [BIN / "borutad", "--config", self.config, "--data-dir", self.data, "--http-listen",
                self.endpoints["http"], "--agent-listen", self.endpoints["agent"], "--auth", self.auth]

    def start(self):
        """Starts it, again on the addresses that it had before."""
        with contextlib.suppress(OSError):
            (self.data / "endpoints.json").unlink()
        self.process = self.farm.spawn("borutad", self.argv())
        wait_for(self._look, 15, "borutad being ready")
        return self

    def _look(self):
        assert self.process.popen.poll() is None, f"borutad ended: {self.process.text()[-2000:]}"
        self.endpoints = json.loads((self.data / "endpoints.json").read_text())
        return self.api().call("GET", "/readyz", timeout=2).status == 200

    def api(self, token=""):
        return Api(self.url, token, self.ca)

    @property
    def url(self):
        return ("https://" if self.ca else "http://") + self.endpoints["http"]

    def admin_token(self):
        return (self.data / "admin-token").read_text().split()[0]


class Farm:
    """One server, its agents and users. `close` ends all that was started, whatever happened."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="boruta-e2e-", dir="/tmp"))
        self.started = []
        self.dryads = []
        self.server = None
        self._number = 0

    def spawn(self, name, argv, **more):
        self._number += 1
        log = self.directory / f"{self._number:02}-{name.replace(' ', '-')}.log"
        process = Process(name, argv, log, **more)
        self.started.append(process)
        return process

    def start_server(self, settings="", auth="on", tunnel="", ca=None, ports=None):
        """With `ca` the settings have it speak TLS. `ports`: of tunnels, first and last; else some dozens."""
        self.server = Server(self, settings, auth, ports or free_port_range(), tunnel, ca).start()
        return self.server

    def admin(self):
        return self.server.api(self.server.admin_token() if self.server.auth == "on" else "")

    def user(self, name, *groups):
        answer = self.admin().need("POST", "/api/v1/users/", {"Name": name, "Groups": list(groups)})
        return self.server.api(answer["Token"])

    def worker_token(self, name, **more):
        answer = self.admin().need("POST", "/api/v1/tokens/", {"Role": "worker", "Name": name, **more})
        file = self.directory / f"{name}.token"
        file.write_text(answer["Token"] + "\n")
        file.chmod(0o600)
        return file

    def make_dryad(self, name, caps=None, access="private", more="", address=None, timing="", head=""):
        directory = self.directory / name
        directory.mkdir()
        capabilities = {"UUID": str(uuid.uuid4()), "name": name, **(caps or {})}
        token = f'token_file = "{self.worker_token(name)}"\n' if self.server.auth == "on" else ""
        config = directory / "dryad.conf"
        config.write_text(f'boruta_address = "{address or self.server.endpoints["agent"]}"\naccess = "{access}"\n'
                          f'state_dir = "{directory}/state"\n{token}{head}{more}\n[caps]\n' +
                          "".join(f'{key} = "{value}"\n' for key, value in capabilities.items()) +
                          f'[timing]\nbackoff_min = "50ms"\nbackoff_max = "500ms"\n{timing}')
        dryad = Dryad(self, name, config, directory)
        self.dryads.append(dryad)
        return dryad

    def start_dryad(self, name, caps=None, enable=True, **more):
        """A worker in service, or in maintenance."""
        dryad = self.make_dryad(name, caps, **more).start()
        admin = self.admin()
        admin.await_worker(dryad.uuid, "MAINTENANCE")
        if enable:
            admin.set_state(dryad.uuid, "IDLE")
            admin.await_worker(dryad.uuid, "IDLE")
        return dryad

    def simulate(self, count, *flags):
        argv = [BIN / "dryad", "--simulate", count, "--boruta", self.server.endpoints["agent"], *flags]
        return self.spawn("dryad simulated", argv)

    def environment(self, api):
        """As a user has it who has only what they were given."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("BORUTA", "XDG", "SSH"))}
        return {**kept, "HOME": str(home), "TMPDIR": str(home), "BORUTA_URL": api.url, "BORUTA_TOKEN": api.token}

    def boruta(self, api, *words, seconds=30.0, cwd=None, stdin=None, env=None):
        start = time.monotonic()
        done = subprocess.run([BIN / "boruta", *words], env={**self.environment(api), **(env or {})},
                              cwd=cwd or self.directory, text=True,
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, timeout=seconds, check=False)
        return Ran(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def start_boruta(self, api, *words):
        return self.spawn(f"boruta {words[0]}", [BIN / "boruta", *words], env=self.environment(api),
                          cwd=self.directory)

    def ssh(self, access, *words, key=None, seconds=20.0):
        """What the API's access opens, without the client's help."""
        process = self.start_ssh(access, *words, key=key)
        code = process.wait(seconds)
        return Ran(code, process.text(), "", 0.0)

    def start_ssh(self, access, *words, key=None, **more):
        self._number += 1
        folder = self.directory / f"ssh-{self._number}"
        folder.mkdir(mode=0o700)
        (folder / "key").write_text(key or access["Key"])
        (folder / "key").chmod(0o600)
        (folder / "known_hosts").write_text("".join(f"worker {line}\n" for line in access["HostKeys"]))
        argv = ["ssh", "-F", "/dev/null", "-i", folder / "key", "-p", access["Addr"]["Port"]]
        for option in ("IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "StrictHostKeyChecking=yes",
                       "HostKeyAlias=worker", f"UserKnownHostsFile={folder}/known_hosts", "LogLevel=ERROR",
                       "ConnectTimeout=10"):
            argv += ["-o", option]
        return self.spawn("ssh", [*argv, f"{access['Username']}@{access['Addr']['IP']}", *words], **more)

    def logs(self):
        return "\n".join(f"--- {process.name} (pid {process.pid}, code {process.popen.poll()})\n"
                         f"{process.text()[-6000:]}" for process in self.started)

    def close(self):
        for process in reversed(self.started):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                process.kill()
        for dryad in self.dryads:
            dryad.remove()
        findings = self.findings_of_sanitizers()
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not findings, findings

    def findings_of_sanitizers(self):
        """What was told while a program ran need not show in how it ended: most are killed."""
        for log in self.directory.glob("*.log") if SANITIZED else ():
            _, told, report = log.read_text(errors="replace").partition("Sanitizer: ")
            if told:
                return f"{log.name}: {report[:8000]}"
        return ""
