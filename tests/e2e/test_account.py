"""The throw-away account behind the system's sshd, for real: needs root, and touches only an account of its own."""

import fcntl
import json
import os
import pathlib
import pty
import pwd
import shlex
import signal
import socket
import subprocess
import termios
import time

import pytest

from account import AGENT, USER, a_system_sshd, account_config, account_dryad, exists, needs_an_account, state_file
from farm import BIN, pids_with, tell, wait_for

assert a_system_sshd, "the fixture sshd_port"
pytestmark = needs_an_account


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
    dryad = account_dryad(farm, "real", sshd_port)
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


def test_access_is_ready_before_the_match(farm, sshd_port):
    farm.start_server()
    dryad = account_dryad(farm, "real", sshd_port)
    alice = farm.user("alice")
    took = []
    for _ in range(3):
        farm.admin().await_worker(dryad.uuid, "IDLE")
        start = time.monotonic()
        number = alice.file({"board": "x"})
        access = alice.acquire(number)
        took.append(time.monotonic() - start)
        # As clients of v1 need it.
        assert access["Key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert farm.ssh(access, "true").code == 0
        alice.close(number)
    tell(f"filed and acquired within {max(took) * 1000:.0f} ms")
    assert max(took) < 0.5


def test_a_changed_host_key_is_refused_and_said_in_words(farm, sshd_port):
    farm.start_server()
    account_dryad(farm, "real", sshd_port)
    alice = farm.user("alice")
    assert farm.boruta(alice, "run", "board=x", "--", "true").code == 0
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    # Somebody else answers at the worker's address.
    farm.started[0].kill()
    other = farm.directory / "other_host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    config = farm.directory / "sshd_config"
    config.write_text("".join(line for line in config.read_text().splitlines(keepends=True)
                              if not line.startswith("HostKey")) + f"HostKey {other}\n")
    farm.spawn("other sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", config])
    wait_for(lambda: socket.create_connection(("127.0.0.1", sshd_port), 1).close() is None, 5, "the other sshd")
    refused = farm.boruta(alice, "ssh", str(number), "--", "echo", "let in")
    assert refused.code == 122 and "let in" not in refused.out, refused
    came = subprocess.run(["ssh-keygen", "-lf", f"{other}.pub"], capture_output=True, text=True, check=True).stdout
    expected = next(line for line in access["HostKeys"] if line.startswith("ssh-ed25519"))
    (farm.directory / "expected.pub").write_text(expected + "\n")
    known = subprocess.run(["ssh-keygen", "-lf", farm.directory / "expected.pub"], capture_output=True, text=True,
                           check=True).stdout
    assert f"ED25519 {came.split()[1]}" in refused.err.split("came")[1], refused.err
    assert f"ED25519 {known.split()[1]}" in refused.err.split("expected")[1].split("came")[0], refused.err
    assert "Tell an admin" in refused.err


def test_an_account_that_was_there_is_never_touched(farm, sshd_port):
    farm.start_server()
    before = pwd.getpwnam("nobody")
    dryad = farm.make_dryad("greedy", access="account", more=account_config(sshd_port, "nobody")).start()
    assert dryad.process.wait() == 77
    assert "nobody" in dryad.process.text()
    assert pwd.getpwnam("nobody") == before


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def start_again(dryad):
    dryad.start()
    wait_for(lambda: "registered" in dryad.process.text(), 10, "registering")


def root_part_of(dryad):
    children = pathlib.Path(f"/proc/{dryad.process.pid}/task/{dryad.process.pid}/children").read_text().split()
    found, = [pid for pid in children if os.readlink(f"/proc/{pid}/exe") == str(BIN / "dryad-root")]
    return int(found)


def test_what_speaks_with_the_network_has_no_rights(farm, sshd_port):
    farm.start_server()
    dryad = account_dryad(farm, "real", sshd_port)
    agent = status_of(dryad.process.pid)
    account = pwd.getpwnam(AGENT)
    assert agent["Uid"].split() == [str(account.pw_uid)] * 4 and agent["Gid"].split() == [str(account.pw_gid)] * 4
    assert agent["Groups"].split() == []
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(agent[kind], 16) == 0, (kind, agent[kind])
    assert agent["NoNewPrivs"].strip() == "1"
    # Of every thread, since each has its own.
    for task in pathlib.Path(f"/proc/{dryad.process.pid}/task").iterdir():
        thread = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
        assert [thread[key] for key in ("Uid", "CapEff", "CapPrm", "NoNewPrivs")] == [
            agent[key] for key in ("Uid", "CapEff", "CapPrm", "NoNewPrivs")]
    root = status_of(root_part_of(dryad))
    assert root["Uid"].split() == ["0"] * 4
    loaded = pathlib.Path(f"/proc/{root_part_of(dryad)}/maps").read_text()
    for library in ("grpc", "protobuf", "libssl", "libcrypto"):
        assert library not in loaded
    for file, owner, mode in ((dryad.state, 0, 0o700), (dryad.state / "instance", 0, 0o600),
                              (dryad.state / "account", 0, 0o600), (dryad.state / "agent", account.pw_uid, 0o700),
                              (state_file(dryad), account.pw_uid, 0o600)):
        assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (owner, mode), file


def test_either_part_ends_with_the_other(farm, sshd_port):
    farm.start_server()
    dryad = account_dryad(farm, "real", sshd_port)
    root = root_part_of(dryad)
    os.kill(root, signal.SIGKILL)
    assert dryad.process.wait() == 1, "a fault, so that it is started again"
    assert "dryad-root has ended" in dryad.process.text()
    start_again(dryad)
    root = root_part_of(dryad)
    dryad.process.kill()
    wait_for(lambda: not pathlib.Path(f"/proc/{root}").exists(), 5, "the root part being gone")
    start_again(dryad)
    farm.admin().await_worker(dryad.uuid, "IDLE")
    access = farm.user("alice")
    number = access.file({"board": "x"})
    assert farm.ssh(access.acquire(number), "id", "-un").out.strip() == USER


def in_terminal(farm, dryad):
    """Its agent, started by a shell that root has open in a terminal of its own; and what is typed into that."""
    typed, terminal = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    # The shell itself leads the session.
    argv = ["sh", "-c", '"$@"; exit', "sh", BIN / "dryad", "--config", dryad.config]
    shell = subprocess.Popen(argv, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=take_terminal)
    os.close(terminal)
    farm.admin().await_worker(dryad.uuid, "MAINTENANCE")
    return shell, typed


def test_an_agent_without_rights_has_no_terminal_to_type_into(farm, sshd_port):
    farm.start_server()
    dryad = farm.make_dryad("real", {"board": "x"}, access="account", more=account_config(sshd_port))
    shell, typed = in_terminal(farm, dryad)
    try:
        agent, = pathlib.Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
        assert status_of(agent)["Uid"].split()[0] == str(pwd.getpwnam(AGENT).pw_uid)
        terminal_of = {pid: int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[4])
                       for pid in (shell.pid, agent)}
        assert terminal_of[shell.pid] != 0 and terminal_of[agent] == 0
        os.write(typed, b"\x03")
        wait_for(lambda: not pathlib.Path(f"/proc/{agent}").exists(), 10, "Ctrl-C ending it all the same")
    finally:
        shell.kill()
        shell.wait()
        os.close(typed)


@pytest.mark.parametrize("owner, mode", [(1, 0o644), (0, 0o664), (0, 0o646)])
def test_a_config_that_others_can_change_is_refused(farm, sshd_port, owner, mode):
    farm.start_server()
    dryad = farm.make_dryad("real", access="account", more=account_config(sshd_port))
    os.chown(dryad.config, owner, 0)
    dryad.config.chmod(mode)
    dryad.start()
    assert dryad.process.wait() == 77
    assert f"chown root {dryad.config} && chmod go-w {dryad.config}" in dryad.process.text()
    checked = subprocess.run([BIN / "dryad", "check", "--config", dryad.config], capture_output=True, text=True,
                             timeout=20, check=False)
    assert checked.returncode == 77 and "wrong  config " in checked.stdout, checked


def test_an_agent_that_was_root_hands_its_state_over(farm, sshd_port):
    farm.start_server()
    dryad = account_dryad(farm, "real", sshd_port)
    dryad.stop()
    # As before there were two parts: all of it root's, side by side.
    instance = json.loads(state_file(dryad).read_text())["instance"]
    for file in (state_file(dryad), dryad.state / "agent"):
        os.chown(file, 0, 0)
    state_file(dryad).rename(dryad.state / "state.json")
    (dryad.state / "agent").rmdir()
    (dryad.state / "instance").unlink()
    subprocess.run(["usermod", "--comment", f"Boruta job account {instance}", USER], check=True)
    start_again(dryad)
    farm.admin().await_worker(dryad.uuid, "IDLE")
    assert (dryad.state / "instance").read_text().strip() == instance
    assert not (dryad.state / "state.json").exists()
    assert json.loads(state_file(dryad).read_text())["instance"] == instance


def test_a_reload_reads_the_config_that_only_root_may(farm, sshd_port):
    farm.start_server()
    dryad = account_dryad(farm, "real", sshd_port)
    dryad.config.chmod(0o600)
    dryad.config.write_text(dryad.config.read_text().replace('board = "x"', 'board = "y"'))
    dryad.process.signal(signal.SIGHUP)
    wait_for(lambda: farm.admin().worker(dryad.uuid)["Caps"]["board"] == "y", 10, "the changed capability")


def test_check_tells_what_start_would(farm, sshd_port):
    farm.start_server()
    dryad = farm.make_dryad("checked", access="account", more=account_config(sshd_port))
    checked = subprocess.run([BIN / "dryad", "check", "--config", dryad.config], capture_output=True, text=True,
                             timeout=20, check=False)
    assert checked.returncode == 0, checked
    assert "account: fine" in checked.stdout
    assert exists() is None
