"""A backup is whole, can be made while the server is used, and what it becomes is a farm that works."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
import time

from farm import BIN, Refused, tell, wait_for


def backup(server, file, seconds=60):
    done = subprocess.run([BIN / "borutad", "backup", file, "--data-dir", server.data], capture_output=True, text=True,
                          timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr


def restore(server, file):
    """As the admin's documentation says it: stop, put it in place of everything, start."""
    server.process.signal(signal.SIGTERM)
    assert server.process.wait() == 0
    token = (server.data / "admin-token").read_text()
    shutil.rmtree(server.data)
    server.data.mkdir(mode=0o700)
    shutil.copy(file, server.data / "boruta.db")
    (server.data / "admin-token").write_text(token)
    server.start()


class Load:
    """Users who file requests, and what was acknowledged to them so far, with how long it took."""

    def __init__(self, api, users=4):
        self.acknowledged = []
        self.waits = []
        self._api = api
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._file) for _ in range(users)]

    def _file(self):
        while not self._stop.is_set():
            begin = time.monotonic()
            number = self._api.file({"none": "such"})
            self.waits.append(time.monotonic() - begin)
            self.acknowledged.append(number)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_backup_under_load_has_all_that_was_acknowledged_before_it_and_ids_go_on_from_there(farm):
    server = farm.start_server("[limits]\nrequests_per_second = 0\nwaiting_per_user = 0\n")
    alice = farm.user("alice")
    file = farm.directory / "farm.backup"
    with Load(alice) as load:
        wait_for(lambda: len(load.acknowledged) > 1500, 30, "requests being filed")
        before = list(load.acknowledged)
        begin = time.monotonic()
        code, said = backup(server, file)
        tell(f"backup under load, {len(before)} requests: {time.monotonic() - begin:.2f} s")
        assert code == 0, said
        assert str(file) in said
        wait_for(lambda: len(load.acknowledged) > len(before) + 50, 20, "requests being filed afterwards")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in farm.directory.iterdir() if entry.name.startswith("farm.backup")) == [file.name]
    assert not (server.data / "boruta.db.backup").exists()
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)

    restore(server, file)
    known = {request["ID"] for request in alice.requests()}
    assert set(before) <= known, "what was acknowledged before the backup is not in it"
    highest = max(known)
    fresh = alice.file({"none": "such"})
    assert fresh == highest + 1


def test_no_writer_waits_long_for_a_backup(farm):
    server = farm.start_server("[limits]\nrequests_per_second = 0\nwaiting_per_user = 0\n")
    alice = farm.user("alice")
    with Load(alice) as load:
        wait_for(lambda: len(load.acknowledged) > 3000, 60, "requests being filed")
        calm = sorted(load.waits)
        del load.waits[:]
        for number in range(5):
            code, said = backup(server, farm.directory / f"{number}.backup")
            assert code == 0, said
        busy = sorted(load.waits)
    worst = busy[-1]
    tell(f"a request filed: p99 {calm[len(calm) * 99 // 100] * 1e3:.1f} ms calm, "
         f"{busy[len(busy) * 99 // 100] * 1e3:.1f} ms during backups, worst {worst * 1e3:.1f} ms")
    assert worst < 1.0


def test_a_backup_has_no_key_and_workers_of_a_restored_farm_get_new_ones(farm):
    server = farm.start_server()
    idle, busy = farm.start_dryad("w1", {"board": "idle"}), farm.start_dryad("w2", {"board": "busy"})
    alice = farm.user("alice")
    running = alice.file({"board": "busy"})
    assert "PRIVATE KEY" in alice.acquire(running)["Key"]
    file = farm.directory / "farm.backup"
    code, said = backup(server, file)
    assert code == 0, said
    assert b"PRIVATE KEY" not in file.read_bytes()
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM keys").fetchone() == (0,)

    restore(server, file)
    assert alice.await_state(running, "FAILED")["Reason"]
    admin = farm.admin()
    for dryad in (idle, busy):
        admin.await_worker(dryad.uuid, "IDLE")
    for board in ("idle", "busy"):
        number = alice.file({"board": board})
        access = alice.acquire(number)
        assert farm.ssh(access, "true").code == 0
        alice.close(number)


def test_a_stopped_and_a_killed_server_can_be_backed_up_too(farm):
    server = farm.start_server()
    alice = farm.user("alice")
    numbers = [alice.file({"none": "such"}) for _ in range(20)]
    server.process.kill()
    file = farm.directory / "killed.backup"
    code, said = backup(server, file)
    assert code == 0, said
    restored = server
    shutil.rmtree(server.data / "nothing", ignore_errors=True)
    restored.start()
    restore(server, file)
    assert set(numbers) <= {request["ID"] for request in alice.requests()}


def test_what_cannot_be_backed_up_is_said(farm):
    server = farm.start_server()
    file = farm.directory / "there"
    file.write_text("mine")
    code, said = backup(server, file)
    assert code == 69 and "there is there already: name another file, or remove it" in said, said
    assert file.read_text() == "mine"
    code, said = backup(server, farm.directory / "no-such-directory" / "x")
    assert code == 69 and "no-such-directory/x.partial: No such file or directory" in said, said
    server.data = farm.directory / "no-farm"
    code, said = backup(server, farm.directory / "y")
    assert code == 69 and "no-farm/boruta.db: No such file or directory: name the server's data directory" in said, said
    assert not (farm.directory / "no-farm").exists()


def test_a_server_that_stops_does_not_wait_for_who_holds_its_backup(farm):
    server = farm.start_server()
    file = os.fspath(server.data / "backup.sock")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600 or stat.S_IMODE(os.stat(file).st_mode) == 0o700
    import socket
    with socket.socket(socket.AF_UNIX) as holder:
        holder.connect(file)
        assert holder.makefile().readline() == "ok\n"
        server.process.signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
    assert not os.path.exists(file)
