"""The serial console of a device: many read it, one writes it, and what it printed outlives its job."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import time
import tty

import pytest

from account import a_system_sshd, account_dryad, needs_an_account
from farm import BIN, Refused, wait_for

assert a_system_sshd, "the fixture sshd_port"


class Device:
    """The other end of a serial line."""

    def __init__(self):
        self.master, self._slave = os.openpty()
        tty.setraw(self.master)
        self.tty = os.ttyname(self._slave)

    def say(self, text):
        os.write(self.master, text.encode())

    def hear(self, wanted, seconds=10.0):
        heard = b""
        give_up = time.monotonic() + seconds
        while wanted.encode() not in heard:
            assert time.monotonic() < give_up, heard
            if select.select([self.master], [], [], 0.05)[0]:
                heard += os.read(self.master, 4096)
        return heard.decode()

    def close(self):
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture(name="device")
def a_device():
    device = Device()
    yield device
    device.close()


def acquire(api, number):
    """The worker's agent knows of the job, so that what is printed from now on is the job's."""
    api.acquire(number)
    wait_for(lambda: "job granted" in [event["Type"] for event in api.need("GET", f"/api/v1/reqs/{number}/events")], 10,
             "the agent knowing of the job")


def start(farm, device):
    farm.start_server()
    dryad = farm.start_dryad("w1", more=f'[board]\nconsole = "{device.tty}"')
    alice = farm.user("alice")
    number = alice.file()
    acquire(alice, number)
    return dryad, alice, number


def open_console(farm, api, number):
    """`boruta console`, whose input is a pipe."""
    return farm.spawn("boruta console", [BIN / "boruta", "console", str(number)], env=farm.environment(api),
                      cwd=farm.directory, stdin=subprocess.PIPE)


def type_into(console, text):
    console.popen.stdin.write(text.encode())
    console.popen.stdin.flush()


def test_one_writes_and_the_others_read(farm, device):
    _, alice, number = start(farm, device)
    first = open_console(farm, alice, number)
    type_into(first, "root\n")
    assert "root" in device.hear("root\n")
    second = open_console(farm, alice, number)
    wait_for(lambda: "another writes to this console already: you only read" in second.text(), 10, "being told so")
    device.say("login: ")
    wait_for(lambda: "login: " in first.text() and "login: " in second.text(), 10, "both reading it")
    type_into(second, "sneak\n")
    type_into(first, "uname\n")
    assert "sneak" not in device.hear("uname\n")
    # Without a terminal nobody tells the worker's end of it: it sees that nobody reads any more.
    first.signal(signal.SIGTERM)
    wait_for(lambda: writes_alone(farm, alice, number, device), 15, "the next one writing")

    alice.close(number)
    assert second.wait() in (0, 121)


def writes_alone(farm, alice, number, device):
    third = open_console(farm, alice, number)
    type_into(third, "third\n")
    try:
        return "third" in device.hear("third\n", 1.5)
    finally:
        third.signal(signal.SIGTERM)
        third.wait()


def test_what_it_printed_is_kept_after_the_job(farm, device):
    dryad, alice, number = start(farm, device)
    bob = farm.user("bob")
    device.say("panic: at the disco\n")
    wait_for(lambda: "panic" in farm.boruta(alice, "logs", str(number)).out, 10, "the log")
    alice.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE")
    device.say("said between jobs\n")
    other = bob.file()
    acquire(bob, other)
    device.say("to bob\n")
    wait_for(lambda: "to bob" in farm.boruta(bob, "logs", str(other)).out, 10, "bob's log")
    assert farm.boruta(alice, "logs", str(number)).out == "panic: at the disco\n"
    assert "panic" not in farm.boruta(bob, "logs", str(other)).out
    assert farm.boruta(bob, "logs", str(number)).code == 77
    assert farm.boruta(farm.admin(), "logs", str(number)).out == "panic: at the disco\n"

    # It outlives dryad too; without an agent there is nobody to ask.
    dryad.stop(signal.SIGKILL)
    wait_for(lambda: not farm.admin().worker(dryad.uuid)["Connected"], 15, "the agent being missed")
    with pytest.raises(Refused) as caught:
        alice.need("GET", f"/api/v1/reqs/{number}/logs")
    assert caught.value.status == 503
    dryad.start()
    wait_for(lambda: farm.boruta(alice, "logs", str(number)).out == "panic: at the disco\n", 15, "the log again")


def test_a_terminal_is_raw_and_left_by_its_escape(farm, device):
    _, alice, number = start(farm, device)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(farm.directory)
        os.execve(BIN / "boruta", ["boruta", "console", str(number)], farm.environment(alice))
    shown = b""

    def see(text):
        nonlocal shown
        while select.select([terminal], [], [], 0)[0]:
            shown += os.read(terminal, 4096)
        return text.encode() in shown

    wait_for(lambda: see("Ctrl-] leaves it"), 15, "the console")
    os.write(terminal, b"\x03ls\r")
    assert device.hear("ls\r") == "\x03ls\r", "Ctrl-C and Enter as they are typed"
    device.say("bin\r\n")
    wait_for(lambda: see("bin"), 10, "what was printed")
    os.write(terminal, b"\x1d")
    ended, status = wait_for(lambda: next((got for got in [os.waitpid(pid, os.WNOHANG)] if got[0]), None), 10, "its end")
    os.close(terminal)
    assert (ended, os.waitstatus_to_exitcode(status)) == (pid, 0)


def test_a_board_without_a_console_says_so(farm):
    farm.start_server()
    farm.start_dryad("w1")
    alice = farm.user("alice")
    number = alice.file()
    acquire(alice, number)
    for words in (("logs", str(number)), ("console", str(number))):
        refused = farm.boruta(alice, *words)
        assert refused.code in (65, 77) and "board.console is not set in the config of its agent" in refused.err + refused.out


class TestAccount:
    pytestmark = needs_an_account

    def test_a_line_that_only_root_may_open_is_read_by_an_agent_without_rights(self, farm, sshd_port, device):
        farm.start_server()
        os.chmod(device.tty, 0o600)
        account_dryad(farm, "w1", sshd_port, more=f'[board]\nconsole = "{device.tty}"\n')
        alice = farm.user("alice")
        number = alice.file()
        acquire(alice, number)
        wait_for(lambda: is_exclusive(device.tty), 10, "the console being open")
        device.say("panic: at the disco\n")
        wait_for(lambda: "panic" in farm.boruta(alice, "logs", str(number)).out, 10, "the log")
        alice.close(number)
        wait_for(lambda: not is_exclusive(device.tty), 10, "the console being closed")


def is_exclusive(path):
    line = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    try:
        fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(line)
