"""What a job's user switches: from anywhere by the client, and on the worker by boruta-board."""

import pwd
import statistics
import subprocess
import time

import pytest

from account import a_system_sshd, account_dryad, needs_an_account
from emulated_stm import EmulatedStm
from farm import BIN, Refused, tell, wait_for

assert a_system_sshd, "the fixture sshd_port"
BOARD = BIN / "boruta-board"


def exec_board(directory, more=""):
    """A board whose programs note what they are asked for."""
    noted = directory / "noted"
    noted.touch()
    noted.chmod(0o666)
    note = lambda word: f'["/bin/sh", "-c", "echo {word} >> {noted}"]'
    return noted, (f'[board]\ndriver = "exec"\npower_on = {note("on")}\npower_off = {note("off")}\n'
                   f'power_cycle = {note("cycle")}\nsd_host = {note("host")}\ncurrent = ["echo", "240"]\n{more}')


@pytest.fixture(name="stm")
def an_emulated_stm():
    stm = EmulatedStm()
    yield stm
    stm.close()


def test_the_owner_switches_the_board_with_the_client(farm):
    farm.start_server()
    noted, board = exec_board(farm.directory)
    farm.start_dryad("w1", more=board)
    alice, bob = farm.user("alice"), farm.user("bob")
    number = alice.file()
    alice.acquire(number)
    for words in (("power", "on"), ("power", "off"), ("power", "cycle"), ("sd", "host")):
        done = farm.boruta(alice, words[0], str(number), words[1])
        assert (done.code, done.out) == (0, ""), done
    assert noted.read_text().split() == ["on", "off", "cycle", "host"]
    assert farm.boruta(alice, "current", str(number)).out == "240 mA\n"
    assert farm.boruta(alice, "current", str(number), "--json").out == '{"Milliamperes":240}\n'

    refused = farm.boruta(alice, "sd", str(number), "dut")
    assert refused.code == 65
    assert "this worker's board can't do \"sd dut\": board.sd_dut is not set in the config of its agent" in refused.err
    assert farm.boruta(bob, "power", str(number), "off").code == 77
    assert farm.boruta(farm.admin(), "power", str(number), "on").code == 0
    alice.close(number)
    over = farm.boruta(alice, "power", str(number), "off")
    assert over.code == 65 and "worker not assigned" in over.err
    assert noted.read_text().split()[4:] == ["on"]


def test_watching_the_current_goes_on_until_interrupted(farm):
    farm.start_server()
    _, board = exec_board(farm.directory)
    farm.start_dryad("w1", more=board)
    alice = farm.user("alice")
    number = alice.file()
    alice.acquire(number)
    watching = farm.start_boruta(alice, "current", str(number), "--watch")
    wait_for(lambda: watching.text().count("240 mA\n") >= 3, 10, "three readings")
    assert watching.popen.poll() is None
    alice.close(number)
    assert watching.wait() == 65


def test_the_jobs_user_switches_the_board_on_the_worker(farm):
    farm.start_server()
    noted, board = exec_board(farm.directory)
    dryad = farm.start_dryad("w1", more=board)
    socket = dryad.state / "board.sock"
    environment = {"BORUTA_BOARD_SOCKET": str(socket)}
    idle = subprocess.run([BOARD, "power", "on"], env=environment, capture_output=True, text=True, check=False)
    assert (idle.returncode, idle.stderr) == (77, "boruta-board: no job runs on this worker\n")

    alice = farm.user("alice")
    number = alice.file()
    access = alice.acquire(number)
    for words in (("power", "on"), ("power", "cycle"), ("sd", "host")):
        done = farm.ssh(access, BOARD, *words)
        assert (done.code, done.out) == (0, ""), done
    assert noted.read_text().split() == ["on", "cycle", "host"]
    assert farm.ssh(access, BOARD, "current").out == "240 mA\n"
    refused = farm.ssh(access, BOARD, "sd", "dut")
    assert refused.code == 77 and "board.sd_dut is not set" in refused.out
    assert farm.ssh(access, BOARD, "sd", "card").code == 64

    alice.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE")
    assert subprocess.run([BOARD, "power", "off"], env=environment, capture_output=True, check=False).returncode == 77
    dryad.stop()
    assert not socket.exists()
    gone = subprocess.run([BOARD, "power", "off"], env=environment, capture_output=True, text=True, check=False)
    assert gone.returncode == 69 and str(socket) in gone.stderr


def test_boruta_board_starts_fast(farm):
    farm.start_server()
    _, board = exec_board(farm.directory)
    dryad = farm.start_dryad("w1", more=board)
    environment = {"BORUTA_BOARD_SOCKET": str(dryad.state / "board.sock")}
    took = []
    for _ in range(30):
        start = time.monotonic()
        subprocess.run([BOARD, "power", "on"], env=environment, capture_output=True, check=False)
        took.append(time.monotonic() - start)
    median = statistics.median(took)
    tell(f"boruta-board, from its start to a refusal by dryad: {median * 1000:.1f} ms (median of 30)")
    assert median < 0.1


def test_an_action_under_way_ends_with_the_job(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", more='[board]\ndriver = "exec"\npower_on = ["sleep", "300"]')
    alice = farm.user("alice")
    number = alice.file()
    alice.acquire(number)
    asked = farm.start_boruta(alice, "power", str(number), "on")
    time.sleep(1)
    start = time.monotonic()
    alice.close(number)
    assert asked.wait() == 65 and "the job is over" in asked.text()
    farm.admin().await_worker(dryad.uuid, "IDLE")
    took = time.monotonic() - start
    tell(f"a job closed while a program of its board hangs: the worker is IDLE again after {took:.2f} s")
    assert took < 5


@pytest.mark.limit(90)
def test_an_action_that_hangs_is_given_up(farm):
    farm.start_server()
    farm.start_dryad("w1", more='[board]\ndriver = "exec"\npower_on = ["sleep", "300"]\npower_off = ["true"]')
    alice = farm.user("alice")
    number = alice.file()
    alice.acquire(number)
    start = time.monotonic()
    with pytest.raises(Refused) as caught:
        alice.need("POST", f"/api/v1/reqs/{number}/power", {"Power": "on"}, timeout=60)
    took = time.monotonic() - start
    tell(f"an action of a board that hangs is given up after {took:.2f} s")
    assert (caught.value.status, caught.value.message) == (503, "the board failed: not done within 20s")
    assert 19.5 < took < 24
    assert farm.boruta(alice, "power", str(number), "off").code == 0


def test_a_muxpi_shows_its_maintenance_and_serves_its_user(farm, stm):
    farm.start_server()
    admin, alice = farm.admin(), farm.user("alice")
    dryad = farm.start_dryad("w1", more=f'[board]\ndriver = "muxpi"\ntty = "{stm.tty}"')
    number = alice.file()
    access = alice.acquire(number)
    assert not stm.power and not stm.sd_at_dut
    assert farm.boruta(alice, "sd", str(number), "dut").code == 0
    assert stm.power and stm.sd_at_dut
    assert farm.ssh(access, BOARD, "current").out == "240 mA\n"
    assert farm.boruta(alice, "power", str(number), "cycle").code == 0
    assert stm.ticks == 1
    admin.set_state(dryad.uuid, "MAINTENANCE", Reason="SD card broken, ask bob")
    admin.await_worker(dryad.uuid, "MAINTENANCE")
    assert stm.display == ["SD card broken,", "ask bob"]
    lit = [wait_for(lambda led=led: stm.leds[led] == "96 144 0", 3, f"LED {led}") for led in ("1", "2", "1")]
    assert all(lit)
    admin.set_state(dryad.uuid, "IDLE")
    admin.await_worker(dryad.uuid, "IDLE")
    assert stm.display == ["", ""] and set(stm.leds.values()) == {"0 0 0"}
    assert not stm.power and not stm.sd_at_dut


def test_a_muxpi_that_does_not_answer_fails_its_worker_with_words(farm, stm):
    farm.start_server()
    admin = farm.admin()
    stm.silent = True
    dryad = farm.start_dryad("w1", enable=False, more=f'[board]\ndriver = "muxpi"\ntty = "{stm.tty}"')
    admin.set_state(dryad.uuid, "IDLE")
    assert "the STM does not answer" in admin.await_worker(dryad.uuid, "FAILED")["Reason"]


class TestAccount:
    pytestmark = needs_an_account

    def test_no_other_account_of_the_worker_is_served(self, farm, sshd_port):
        farm.start_server()
        farm.directory.chmod(0o755)
        socket = farm.directory / "run" / "board.sock"
        noted, board = exec_board(farm.directory, f'socket = "{socket}"')
        account_dryad(farm, "w1", sshd_port, more=board)
        alice = farm.user("alice")
        number = alice.file()
        access = alice.acquire(number)
        ask = ["env", f"BORUTA_BOARD_SOCKET={socket}", str(BOARD), "power", "on"]
        done = farm.ssh(access, *ask)
        assert done.code == 0, done
        nobody = pwd.getpwnam("nobody").pw_uid
        for uid in (0, nobody):
            other = subprocess.run(ask, user=uid, capture_output=True, text=True, check=False)
            assert other.returncode == 77, other
            assert "only the user of the job that runs on this worker may do this" in other.stderr
        assert noted.read_text().split() == ["on"]
