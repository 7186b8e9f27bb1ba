"""The throw-away account behind the system's sshd, for real: needs root, and touches only an account of its own."""

import contextlib
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import time

import pytest

from farm import BIN, pids_with, processes

USER = "boruta-e2e-user"
HOST_KEYS = sorted(pathlib.Path("/etc/ssh").glob("ssh_host_*_key"))

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes and removes an account: needs root"),
    pytest.mark.skipif(not HOST_KEYS, reason="the machine has no SSH host keys"),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="useradd is not installed"),
]


def exists():
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


@pytest.fixture(name="sshd_port")
def a_system_sshd(farm):
    """The system's sshd with the system's keys, on a port of ours. The account is removed whatever happens."""
    if exists():
        pytest.fail(f"an account {USER} is there already, and not ours to remove")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = farm.directory / "sshd_config"
    config.write_text(f"ListenAddress 127.0.0.1\nPort {port}\nUsePAM no\nPasswordAuthentication no\n"
                      f"PidFile none\nAllowUsers {USER}\nSubsystem sftp internal-sftp\n" +
                      "".join(f"HostKey {key}\n" for key in HOST_KEYS))
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    farm.spawn("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", config])
    yield port
    account = exists()
    if account and account.pw_uid >= 1000:
        for pid, _, _ in processes():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}").st_uid == account.pw_uid:
                    os.kill(pid, signal.SIGKILL)
        subprocess.run(["userdel", "--force", "--remove", USER], check=False, capture_output=True)


HOSTILE = """
mkdir -p /tmp/{mark}.d/deep && echo x > /tmp/{mark}.d/deep/file && chmod 000 /tmp/{mark}.d
echo x > /tmp/{mark}; echo x > /dev/shm/{mark}; echo x > /var/tmp/{mark}
ln -s /etc/passwd /tmp/{mark}.link
echo 'echo hello' >> ~/.bashrc
trap '' HUP TERM INT
for i in 1 2 3; do (exec -a {mark} setsid nohup bash -c 'trap "" HUP TERM INT; while :; do sleep 1; done' {mark}) \
  >/dev/null 2>&1 </dev/null & done
setsid -f bash -c 'exec -a {mark} sleep 1000' >/dev/null 2>&1 </dev/null
echo done
"""


def test_a_user_who_daemonises_and_leaves_files_everywhere_is_gone_after_the_job(farm, sshd_port):
    farm.start_server()
    dryad = farm.start_dryad("real", {"board": "x"}, access="account",
                             more=f'ssh_address = "127.0.0.1:{sshd_port}"\n[user]\nname = "{USER}"')
    account = exists()
    assert account and account.pw_uid >= 1000
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    assert access["Username"] == USER
    assert farm.ssh(access, "id", "-un").out.strip() == USER
    assert farm.ssh(access, "sudo -n true || cat /etc/shadow").code != 0

    mark = f"hostile-{os.getpid()}"
    done = farm.ssh(access, "bash -c " + shlex.quote(HOSTILE.format(mark=mark)))
    assert "done" in done.out, done
    left = [pathlib.Path(place) / name for place in ("/tmp", "/dev/shm", "/var/tmp")
            for name in (mark, f"{mark}.d", f"{mark}.link")]
    assert sum(path.exists() for path in left) >= 4
    assert len(pids_with(mark)) >= 4

    start = time.monotonic()
    alice.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE", seconds=25)
    assert time.monotonic() - start < 15
    assert not pids_with(mark)
    assert not [path for path in left if path.exists() or path.is_symlink()]
    assert "hello" not in (pathlib.Path("/home") / USER / ".bashrc").read_text()
    assert farm.ssh(access, "true").code == 255

    # The next user is let in, and meets nobody.
    again = farm.boruta(alice, "run", "board=x", "--", "sh", "-c", "ls -A ~ | grep -v '^\\.'; ps -o comm= -u $(id -u)")
    assert again.code in (0, 1) and mark not in again.out, again

    farm.admin().await_worker(dryad.uuid, "IDLE")
    farm.admin().set_state(dryad.uuid, "MAINTENANCE")
    farm.admin().await_worker(dryad.uuid, "MAINTENANCE")


def test_an_account_that_was_there_is_never_touched(farm, sshd_port):
    farm.start_server()
    before = pwd.getpwnam("nobody")
    dryad = farm.make_dryad("greedy", access="account",
                            more=f'ssh_address = "127.0.0.1:{sshd_port}"\n[user]\nname = "nobody"').start()
    assert dryad.process.wait() == 77
    assert "nobody" in dryad.process.text()
    assert pwd.getpwnam("nobody") == before


def test_check_tells_what_start_would(farm, sshd_port):
    farm.start_server()
    dryad = farm.make_dryad("checked", access="account",
                            more=f'ssh_address = "127.0.0.1:{sshd_port}"\n[user]\nname = "{USER}"')
    checked = subprocess.run([BIN / "dryad", "check", "--config", dryad.config], capture_output=True, text=True,
                             timeout=20, check=False)
    assert checked.returncode == 0, checked
    assert "account: fine" in checked.stdout
    assert exists() is None
