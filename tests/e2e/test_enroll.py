"""A board from nothing to a worker that serves: enrolment, what check says, approval, and a reload of its config."""

import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from farm import BIN, ROOT, SANITIZED, wait_for


def enrol(farm, name, *flags, more="", line=None):
    """Runs the line that the admin was given, with this test's places in it. Returns (process, config)."""
    directory = farm.directory / name
    if line is None:
        made = farm.boruta(farm.admin(), "workers", "enroll", name, "--server", farm.server.endpoints["agent"],
                           "--access", "private", *flags)
        assert made.code == 0, made
        line = made.out.strip()
        assert "\n" not in line
    config = directory / "etc" / "dryad.conf"
    here = line.replace("dryad enroll", f"{BIN}/dryad --config {config} --state-dir {directory}/state enroll")
    ran = subprocess.run(["sh", "-c", here + more], capture_output=True, text=True, timeout=60, check=False)
    return ran, config, line


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def start(farm, name, config, **more):
    return farm.spawn(f"dryad {name}", [BIN / "dryad", "--config", config], **more)


def uuid_in(config):
    return re.search(r'^UUID = "(.+)"', config.read_text(), re.MULTILINE).group(1)


def remove_sshd(farm, name):
    for entry in (farm.directory / name / "state" / "sshd").glob("sshd.pid"):
        try:
            os.kill(int(entry.read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            pass


@pytest.fixture(autouse=True)
def sshds_go(farm):
    yield
    for process in farm.started:
        process.kill()
    for directory in farm.directory.iterdir():
        if (directory / "state").is_dir():
            remove_sshd(farm, directory.name)


def test_a_board_becomes_a_worker_that_an_admin_lets_in(farm):
    farm.start_server()
    ran, config, line = enrol(farm, "b1", "--cap", "board=it's new")
    assert ran.returncode == 0, ran
    token = line.split()[1]
    token_file = config.parent / "dryad.token"
    assert token_file.read_text() == token + "\n"
    assert (mode(token_file), mode(config)) == (0o600, 0o600)
    assert token not in config.read_text() + ran.stdout + ran.stderr
    assert "boruta workers approve b1" in ran.stdout
    admin = farm.admin()
    assert admin.workers() == [], "enrolling registers nothing"

    start(farm, "b1", config)
    uuid = uuid_in(config)
    admin.await_worker(uuid, "MAINTENANCE")
    listed = farm.boruta(admin, "workers")
    assert re.search(r"^b1 +MAINTENANCE +it's new .*waits for approval$", listed.out, re.MULTILINE), listed
    assert "boruta workers approve b1" in listed.err
    approved = farm.boruta(admin, "workers", "approve", "b1")
    assert (approved.code, approved.out) == (0, "b1  IDLE\n"), approved
    assert "waits for approval" not in farm.boruta(admin, "workers").out


def test_the_line_works_once(farm):
    farm.start_server()
    ran, config, line = enrol(farm, "b1")
    assert ran.returncode == 0, ran
    uuid = uuid_in(config)
    again, _, _ = enrol(farm, "b1", line=line)
    assert again.returncode == 78, again
    assert "--replace" in again.stderr
    anew, _, _ = enrol(farm, "b1", line=line, more=" --replace")
    assert (anew.returncode, uuid_in(config)) == (0, uuid), anew
    start(farm, "b1", config)
    farm.admin().await_worker(uuid, "MAINTENANCE")
    other, other_config, _ = enrol(farm, "b2", line=line)
    assert other.returncode == 77, other
    assert f"belongs to worker {uuid}" in other.stderr
    assert not other_config.exists()


def test_a_reusable_line_lets_in_any_number(farm):
    farm.start_server()
    admin = farm.admin()
    made = farm.boruta(admin, "workers", "enroll", "--reusable", "--server", farm.server.endpoints["agent"], "--access",
                       "private")
    for name in ("b1", "b2"):
        ran, config, _ = enrol(farm, name, line=made.out.strip())
        assert ran.returncode == 0, ran
        start(farm, name, config)
        admin.await_worker(uuid_in(config), "MAINTENANCE")


def test_nothing_is_written_for_a_wrong_token_or_a_server_that_is_not_there(farm):
    farm.start_server()
    address = farm.server.endpoints["agent"]
    ran, config, _ = enrol(farm, "b1", line=f"echo boruta_wrong | dryad enroll --server {address} --token-stdin")
    assert ran.returncode == 77, ran
    assert "unknown, expired or revoked" in ran.stderr
    ran, _, _ = enrol(farm, "b1", line="echo boruta_wrong | dryad enroll --server 127.0.0.1:1 --token-stdin")
    assert ran.returncode == 1, ran
    assert "does not answer" in ran.stderr
    assert not config.parent.exists()


def check(config, env=None):
    ran = subprocess.run([BIN / "dryad", "check", "--config", config], capture_output=True, text=True, timeout=60,
                         env=env, check=False)
    return ran.returncode, ran.stdout


def test_check_says_what_is_wrong_and_what_to_do(farm):
    farm.start_server()
    _, config, _ = enrol(farm, "b1")
    code, said = check(config)
    assert code == 0, said
    for what in ("state", "access", "sshd", "board", "server", "token", "clock"):
        assert re.search(rf"^ok +{what} ", said, re.MULTILINE), said

    good = config.read_text()
    token = config.parent / "dryad.token"
    token.chmod(0o644)
    code, said = check(config)
    assert code == 77 and "chmod 600" in said, said
    token.chmod(0o600)
    for change, expected, words in (
            ('sshd = "/no/sshd"', 77, r"wrong +sshd .*install openssh-server"),
            ('sshd = "/bin/false"', 77, r"wrong +sshd .*exit code 1"),
            (f'board = {{driver = "exec", prepare = ["{config.parent}/none"]}}', 78, r"wrong +board .*No such file"),
            (f'board = {{driver = "exec", power_off = ["{config.parent}/none"]}}', 78, r"wrong +board .*No such file"),
            ('board = {driver = "exec", healthcheck = ["sh", "-c", "echo relay is dead >&2; exit 2"]}', 77,
             r"wrong +board .*relay is dead"),
            ('board = {driver = "exec", healthcheck_full = ["sh", "-c", "exit 2"]}', 0, r"ok +board")):
        config.write_text(change + "\n" + good)
        code, said = check(config)
        assert code == expected, (change, said)
        assert re.search(rf"^{words}", said, re.MULTILINE), said
    config.write_text(good)
    token.write_text("boruta_wrong\n")
    code, said = check(config)
    assert code == 77, said
    assert re.search("^wrong +token .*unknown, expired or revoked.*workers enroll", said, re.MULTILINE), said
    assert farm.admin().workers() == [], "check registers nothing"
    farm.server.process.signal(signal.SIGTERM)
    farm.server.process.wait()
    code, said = check(config)
    assert code == 1, said
    assert re.search("^wrong +server .*does not answer", said, re.MULTILINE), said


SHIFTED_CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += 200;
  return result;
}
"""


@pytest.mark.skipif(SANITIZED, reason="a library cannot be put before those of the sanitizers")
def test_check_compares_the_clocks(farm):
    farm.start_server()
    _, config, _ = enrol(farm, "b1")
    source = farm.directory / "clock.c"
    source.write_text(SHIFTED_CLOCK)
    shifted = farm.directory / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shifted, source], check=True, timeout=60)
    code, said = check(config, env={**os.environ, "LD_PRELOAD": str(shifted)})
    assert code == 77, said
    ahead, = re.findall(r"^wrong +clock +3 m (\d+) s ahead of the server's: have it set by NTP", said, re.MULTILINE)
    assert 15 <= int(ahead) <= 25, said
    assert said.count("wrong ") == 1, said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_check_knows_what_account_mode_needs(farm):
    farm.start_server()
    _, config, _ = enrol(farm, "b1")
    config.write_text(config.read_text().replace('"private"', '"account"') + '[user]\ngroups = ["no-such-group"]\n')
    code, said = check(config)
    assert code == 77, said
    assert re.search('^wrong +access .*"no-such-group".*groupadd no-such-group', said, re.MULTILINE), said
    config.write_text('run_as = "no-such-agent"\n' + config.read_text())
    code, said = check(config)
    assert code == 77, said
    assert re.search('^wrong +agent .*run_as = "no-such-agent".*useradd --system .* no-such-agent$', said, re.MULTILINE), said


class Manager:
    """A service manager's end of the notification socket."""

    def __init__(self, farm):
        self.path = str(farm.directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def environment(self, **more):
        return {**os.environ, "NOTIFY_SOCKET": self.path, **more}

    def await_word(self, word, seconds=15):
        def look():
            self.socket.settimeout(0.05)
            try:
                while True:
                    self.heard.append(self.socket.recv(4096).decode())
            except TimeoutError:
                pass
            return any(word in text for text in self.heard)

        wait_for(look, seconds, f"the manager hearing {word}, not only {self.heard}")


def test_a_reload_registers_changed_capabilities_and_refuses_a_broken_config(farm):
    farm.start_server()
    _, config, _ = enrol(farm, "b1", "--cap", "board=rpi4")
    manager = Manager(farm)
    dryad = start(farm, "b1", config, env=manager.environment())
    manager.await_word("READY=1")
    manager.await_word("STATUS=registered")
    admin = farm.admin()
    uuid = uuid_in(config)
    assert farm.boruta(admin, "workers", "approve", "b1").code == 0
    good = config.read_text()

    manager.heard.clear()
    config.write_text(good + "[caps\n")
    dryad.signal(signal.SIGHUP)
    manager.await_word("READY=1")
    assert manager.heard[0].startswith("RELOADING=1\nMONOTONIC_USEC="), manager.heard
    assert "the config was not taken, the old one stays: " + str(config) in dryad.text()
    config.write_text(good.replace(uuid, uuid[:-1] + ("0" if uuid[-1] != "0" else "1")))
    dryad.signal(signal.SIGHUP)
    wait_for(lambda: "another UUID" in dryad.text(), what="the refusal of another UUID")
    assert admin.worker(uuid)["State"] == "IDLE"

    # A job goes on; the change waits for its end.
    number = admin.file({"board": "rpi4"})
    access = admin.acquire(number)
    config.write_text(good.replace('"rpi4"', '"rpi5"').replace("access =", "log_format = \"json\"\naccess ="))
    dryad.signal(signal.SIGHUP)
    wait_for(lambda: "registering with changed capabilities" in dryad.text(), what="the reload")
    assert "log_format" in dryad.text().split("only capabilities are taken up")[1]
    wait_for(lambda: admin.worker(uuid)["Connected"], what="the worker being back")
    assert farm.ssh(access, "echo", "still", "here").out.strip() == "still here"
    assert admin.request(number)["State"] == "IN PROGRESS"
    admin.close(number)
    admin.await_worker(uuid, "MAINTENANCE")
    assert admin.worker(uuid)["Caps"]["board"] == "rpi5"
    assert "waits for approval: its capabilities or ports changed" in farm.boruta(admin, "workers").out
    dryad.signal(signal.SIGTERM)
    assert dryad.wait() == 0
    manager.await_word("STOPPING=1")


def test_the_server_tells_its_manager_when_it_is_ready_and_alive(farm):
    manager = Manager(farm)
    farm.start_server()
    farm.server.process.signal(signal.SIGTERM)
    farm.server.process.wait()
    server = farm.spawn("borutad managed", farm.server.argv(), env=manager.environment(WATCHDOG_USEC="400000"))
    manager.await_word("READY=1")
    assert farm.admin().call("GET", "/readyz").status == 200
    manager.heard.clear()
    manager.await_word("WATCHDOG=1")
    assert f"NOTIFY_SOCKET={manager.path}".encode() in open(f"/proc/{server.pid}/environ", "rb").read()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    manager.await_word("STOPPING=1")


UNITS = ROOT / "packaging" / "systemd"


@pytest.fixture(name="units")
def installed_units(farm):
    """Both units, with the programs where they are."""
    made = []
    for name in ("borutad", "dryad"):
        text = (UNITS / f"{name}.service.in").read_text().replace("@CMAKE_INSTALL_FULL_BINDIR@", str(BIN))
        file = farm.directory / f"{name}.service"
        file.write_text(text.replace("@CMAKE_INSTALL_FULL_DOCDIR@", "/usr/share/doc/boruta"))
        made.append(file)
    return made


def analyze(*words):
    try:
        ran = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False,
                             env={**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""})
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not here")
    return ran.returncode, ran.stdout + ran.stderr


def test_units_are_what_systemd_takes(units):
    code, said = analyze("verify", "--man=no", *units)
    own = [line for line in said.splitlines() if "borutad.service" in line or "dryad.service" in line]
    assert (code, own) == (0, []), said


def test_install_puts_programs_and_units_in_place(farm):
    root = farm.directory / "root"
    ran = subprocess.run(["cmake", "--install", BIN.parent], capture_output=True, text=True, timeout=120, check=False,
                         env={**os.environ, "DESTDIR": str(root)})
    assert ran.returncode == 0, ran
    prefix = root / "usr/local"
    for name in ("borutad", "dryad"):
        start_line, = re.findall(r"^ExecStart=(.+)$", (prefix / f"lib/systemd/system/{name}.service").read_text(),
                                 re.MULTILINE)
        program = root / start_line.lstrip("/")
        assert subprocess.run([program, "--version"], capture_output=True, timeout=20, check=False).returncode == 0
    assert "boruta" in (prefix / "lib/sysusers.d/boruta.conf").read_text()
    assert (prefix / "share/doc/boruta/admin.md").exists()


def test_the_servers_unit_is_hardened(units):
    assert "\nLimitCORE=0\n" in units[0].read_text()
    code, said = analyze("security", "--offline=yes", "--threshold=20", units[0])
    assert code == 0, said
