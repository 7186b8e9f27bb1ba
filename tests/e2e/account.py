"""The system's sshd on a port of ours, and the throw-away account behind it: for tests that run as root."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess

import pytest

from farm import processes, wait_for

USER = "boruta-e2e-user"
# As whom the agent runs.
AGENT = "boruta-e2e-agent"
HOST_KEYS = sorted(pathlib.Path("/etc/ssh").glob("ssh_host_*_key"))
HOME = pathlib.Path("/home") / USER

needs_an_account = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes and removes an account: needs root"),
    pytest.mark.skipif(not HOST_KEYS, reason="the machine has no SSH host keys"),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="useradd is not installed"),
]


def exists():
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def pids_of(uid):
    """Living processes of `uid`, whatever they run."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            lines = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
            if str(uid) in lines["Uid"].split() and lines["State"].split()[0] not in "ZX":
                found.append(int(entry.name))
    return found


def account_config(port, user=USER):
    return f'ssh_address = "127.0.0.1:{port}"\nrun_as = "{AGENT}"\n[user]\nname = "{user}"\n'


def account_dryad(farm, name, port, caps=None, more="", **others):
    return farm.start_dryad(name, caps or {"board": "x"}, access="account", more=account_config(port) + more, **others)


def state_file(dryad):
    return dryad.state / "agent" / "state.json"


def end_agents(farm):
    """Also their root parts, which finish what they have in hand, and may be making the account anew."""
    for dryad in farm.dryads:
        if dryad.process:
            dryad.process.kill()
    directory = os.fsencode(farm.directory)

    def is_root_part(command):
        program, _, arguments = command.partition(b"\0")
        return program.rpartition(b"/")[2] == b"dryad-root" and directory in arguments
    wait_for(lambda: not any(is_root_part(command) for _, _, command in processes()), 60, "dryad-root having ended")


def remove_accounts():
    account = exists()
    if account and account.pw_uid >= 1000:
        for pid, _, _ in processes():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}").st_uid == account.pw_uid:
                    os.kill(pid, signal.SIGKILL)
        subprocess.run(["userdel", "--force", "--remove", USER], check=False, capture_output=True)
    subprocess.run(["userdel", "--force", AGENT], check=False, capture_output=True)


@contextlib.contextmanager
def system_sshd(farm):
    """Its port. The accounts are removed whatever happens."""
    if exists():
        pytest.fail(f"an account {USER} is there already, and not ours to remove")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = farm.directory / "sshd_config"
    config.write_text(f"ListenAddress 127.0.0.1\nPort {port}\nUsePAM no\nPasswordAuthentication no\n"
                      f"PidFile none\nAllowUsers {USER}\nSubsystem sftp internal-sftp\nMaxStartups 200\n" +
                      "".join(f"HostKey {key}\n" for key in HOST_KEYS))
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", AGENT],
                   check=True, capture_output=True)
    farm.spawn("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", config])
    try:
        yield port
    finally:
        try:
            end_agents(farm)
        finally:
            remove_accounts()


@pytest.fixture(name="sshd_port")
def a_system_sshd(farm):
    with system_sshd(farm) as port:
        yield port
