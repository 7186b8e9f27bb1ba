"""What was acknowledged is there afterwards, once, whatever happens to the process, its disk and its clock."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time
import uuid

import pytest

from farm import SANITIZED, Api, Refused, in_seconds, instant, tell, wait_for

# scripts/soak asks for more.
KILLS = int(os.environ.get("BORUTA_KILLS", "20"))
CLIENTS = 8
# One user files all that they can.
UNLIMITED = "[limits]\nrequests_per_second = 0\nwaiting_per_user = 0\n"


class Client(threading.Thread):
    """Changes the farm as fast as it is answered, and keeps what it was promised. What it was not answered it does not
    know: that may have happened or not."""

    def __init__(self, url, admin_token, promised):
        super().__init__()
        self.address = url.removeprefix("http://")
        self.admin_token = admin_token
        self.promised = promised
        self.halt = threading.Event()
        self.error = None

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            while not self.halt.is_set():
                self._act(connection)

    def _call(self, connection, method, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json", **headers}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status in (500, 503):
            raise OSError("the server stops")
        if answer.status >= 300:
            self.error = f"{method} {path}: {answer.status} {content}"
            self.halt.set()
            raise OSError(self.error)
        return json.loads(content) if content else None

    def _act(self, connection):
        what = random.random()
        mine = self.promised
        if what < 0.6 or not mine.requests:
            key = str(uuid.uuid4())
            with mine.lock:
                mine.tried.add(key)
            body = {"Caps": {"none": "such"}, "Priority": random.randint(1, 16), "Deadline": in_seconds(86400)}
            number = self._call(connection, "POST", "/api/v1/reqs/", body, **{"Idempotency-Key": key})["ReqID"]
            with mine.lock:
                mine.requests[number] = {"key": key, "priority": body["Priority"], "states": {"WAITING"}}
        elif what < 0.8:
            with mine.lock:
                number = random.choice(list(mine.requests))
                request = mine.requests[number]
                if request["states"] != {"WAITING"}:
                    return
                request["states"] = {"WAITING", "CANCELLED"}
            self._call(connection, "POST", f"/api/v1/reqs/{number}/close")
            request["states"] = {"CANCELLED"}
        else:
            answer = self._call(connection, "POST", "/api/v1/tokens/", {"Name": f"t{random.randrange(10**9)}"})
            with mine.lock:
                mine.tokens.append(answer["Token"])


class Promised:
    def __init__(self):
        self.lock = threading.Lock()
        self.tried = set()
        self.requests = {}
        self.tokens = []

    def check(self, admin):
        known = {}
        border = None
        while True:
            query = {"Sorter": {"Item": "id", "Order": "Ascending"}, "Paginator": {"Limit": 5000}}
            if border is not None:
                query["Paginator"] |= {"ID": border, "Direction": "forward"}
            page = admin.need("POST", "/api/v1/reqs/list", query)
            known.update((request["ID"], request) for request in page)
            if len(page) < 5000:
                break
            border = page[-1]["ID"]
        lost = self.requests.keys() - known.keys()
        assert not lost, f"acknowledged requests are lost: {sorted(lost)[:5]}"
        for number, promise in self.requests.items():
            seen = known[number]
            assert seen["State"] in promise["states"], (number, seen["State"], promise)
            assert seen["Priority"] == promise["priority"]
            promise["states"] = {seen["State"]}
        assert len(known) <= len(self.tried), "a request was filed twice"
        for token in random.sample(self.tokens, min(len(self.tokens), 50)):
            assert Api(admin.url, token).call("GET", "/api/v1/whoami").status == 200, "a token is lost"
        return len(known)


def under_load(server, promised, seconds, end):
    clients = [Client(server.url, server.admin_token(), promised) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(seconds)
    end()
    for client in clients:
        client.halt.set()
    for client in clients:
        client.join(30)
        assert client.error is None, client.error


@pytest.mark.limit(60 + 5 * KILLS)
def test_kills_at_any_moment_under_load_lose_nothing(farm):
    server = farm.start_server(UNLIMITED)
    promised = Promised()
    restarts = []
    filed = 0
    for _ in range(KILLS):
        under_load(server, promised, random.uniform(0.02, 0.5), server.process.kill)
        begin = time.monotonic()
        server.start()
        restarts.append(time.monotonic() - begin)
        filed = promised.check(farm.admin())
    # A key that was tried before a kill is one request still, whether or not its answer came.
    admin = farm.admin()
    for number, promise in random.sample(sorted(promised.requests.items()), 20):
        again = admin.call("POST", "/api/v1/reqs/", {"Caps": {"other": "body"}, "Priority": 8},
                           more={"Idempotency-Key": promise["key"]})
        assert again.status == 422, again
        assert admin.request(number)["Priority"] == promise["priority"]
    tell(f"{KILLS} kills under the load of {CLIENTS} clients: {filed} requests and {len(promised.tokens)} tokens, none "
         f"lost, none twice; restart {sorted(restarts)[len(restarts) // 2]:.2f} s, at most {max(restarts):.2f} s")


def test_a_stop_under_load_answers_what_was_accepted_and_is_quick(farm):
    server = farm.start_server(UNLIMITED)
    promised = Promised()
    took = []

    def stop():
        begin = time.monotonic()
        server.process.signal(signal.SIGTERM)
        assert server.process.wait() == 0
        took.append(time.monotonic() - begin)

    for _ in range(3):
        under_load(server, promised, 0.5, stop)
        server.start()
        promised.check(farm.admin())
    assert max(took) < 5
    tell(f"SIGTERM under load: the server ends within {max(took):.2f} s")


@pytest.fixture(name="small_disk")
def a_small_disk(tmp_path):
    """A file system of 16 MiB that can be filled and made read-only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this needs the right to mount")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def start_on(farm, disk):
    server = farm.start_server('store_patience = "1m"\n')
    server.process.kill()
    server.data = disk / "data"
    return server.start()


def await_refusal(admin):
    """What the server says when it can't write; nothing that it acknowledged before may be lost."""
    acknowledged = []

    def look():
        while True:
            answer = admin.call("POST", "/api/v1/reqs/", {"Caps": {"none": "such", "filler": "x" * 200}, "Priority": 8},
                                timeout=3)
            if answer.status == 503:
                return answer
            acknowledged.append(answer.body["ReqID"])

    return wait_for(look, 40, "changes being refused"), acknowledged


def check_outage(farm, server, harm, mend):
    admin = farm.admin()
    before = admin.file({"none": "such"})
    harm()
    refusal, acknowledged = await_refusal(admin)
    assert "stor" in refusal.body["message"], refusal
    assert admin.request(before)["State"] == "WAITING", "reads are answered all the same"
    past = admin.call("GET", f"/api/v1/reqs/{before}/events", timeout=3)
    assert past.status == 200 and past.body, "and so is what only the store knows"
    assert admin.call("GET", "/readyz").status == 503
    assert server.process.popen.poll() is None
    mend()
    wait_for(lambda: admin.call("GET", "/readyz").status == 200, 10, "the server being ready again")
    after = admin.file({"none": "such"})
    server.process.kill()
    server.start()
    known = {request["ID"] for request in farm.admin().requests()}
    assert {before, after, *acknowledged} <= known


def fill(disk):
    """All but a bit; the file that takes the room."""
    ballast = disk / "ballast"
    with open(ballast, "wb") as file, contextlib.suppress(OSError):
        while shutil.disk_usage(disk).free > 200 * 1024:
            file.write(b"\0" * 65536)
            file.flush()
    return ballast


def test_a_full_disk_refuses_changes_until_there_is_room(farm, small_disk):
    server = start_on(farm, small_disk)
    check_outage(farm, server, lambda: fill(small_disk), (small_disk / "ballast").unlink)


def test_a_server_on_a_full_disk_stops_as_quickly_as_any(farm, small_disk):
    server = start_on(farm, small_disk)
    ballast = fill(small_disk)
    _, acknowledged = await_refusal(farm.admin())
    begin = time.monotonic()
    server.process.signal(signal.SIGTERM)
    assert server.process.wait() == 74, "what it could not write is lost, and nobody was told otherwise"
    assert time.monotonic() - begin < 5
    ballast.unlink()
    server.start()
    assert set(acknowledged) <= {request["ID"] for request in farm.admin().requests()}


def test_a_write_that_fails_half_way_ends_the_server_and_loses_nothing(farm):
    server = farm.start_server()
    admin = farm.admin()
    acknowledged = [admin.file({"none": "such"})]
    # A limit on the size of its files: whether what was being written is there only the next start can tell.
    subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=1:unlimited"], check=True)
    with contextlib.suppress(OSError, http.client.HTTPException, Refused):
        while True:
            acknowledged.append(admin.file({"none": "such"}))
    assert server.process.wait() == 74, "of sysexits.h: an error on doing I/O"
    server.start()
    assert set(acknowledged) <= {request["ID"] for request in farm.admin().requests()}


def test_a_server_on_a_read_only_disk_says_so_and_ends(farm, small_disk):
    server = start_on(farm, small_disk)
    server.process.kill()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    said = damaged_start(farm, server)
    assert str(server.data) in said and "Read-only file system" in said, said
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    server.start()


def damaged_start(farm, server):
    """Starts the server, which must refuse; what it says."""
    process = farm.spawn("borutad damaged", server.argv())
    assert process.wait(20) != 0
    return process.text()


def filled_database(farm):
    """The files of a server that is stopped, with a few hundred requests."""
    server = farm.start_server(UNLIMITED)
    promised = Promised()
    under_load(server, promised, 1.0, lambda: None)
    server.process.signal(signal.SIGTERM)
    server.process.wait()
    return server, server.data / "boruta.db"


@pytest.mark.parametrize("left", [0.3, 0.9])
def test_a_torn_database_is_refused_in_words(farm, left):
    server, database = filled_database(farm)
    os.truncate(database, int(database.stat().st_size * left))
    said = damaged_start(farm, server)
    assert str(database) in said and "Restore it from a backup" in said, said


def test_a_database_of_zeros_and_one_that_is_none_are_refused_in_words(farm):
    server, database = filled_database(farm)
    size = database.stat().st_size
    for content in (b"\0" * size, b"This is not a database. " * (size // 24)):
        database.write_bytes(content)
        said = damaged_start(farm, server)
        assert str(database) in said and "Restore it from a backup" in said, said


@pytest.fixture(name="wrong_clock")
def a_wrong_clock(tmp_path, monkeypatch):
    """Sets the wall clock of processes that start from now on, also while they run; the monotonic one goes on."""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None or SANITIZED:
        pytest.skip("needs libfaketime and programs without sanitizers")
    file = tmp_path / "time"

    def set_clock(hours):
        new = tmp_path / "time.new"
        new.write_text(f"{hours:+}h\n")
        new.rename(file)

    set_clock(0)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return set_clock


def newest_event(api, number):
    return instant(api.need("GET", f"/api/v1/reqs/{number}/events")[-1]["Time"])


def test_a_wall_clock_that_is_set_moves_no_lease_and_never_goes_back(farm, wrong_clock):
    server = farm.start_server('lease = "8s"\nclaim_within = "0s"\n')
    del os.environ["LD_PRELOAD"]
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    running = alice.file({"board": "x"})
    alice.acquire(running)
    begin = time.monotonic()
    soon = alice.file({"none": "such"}, Deadline=in_seconds(1800))

    wrong_clock(+1)
    alice.await_state(soon, "TIMEOUT", seconds=5)
    assert alice.request(running)["State"] == "IN PROGRESS", "a lease does not follow the wall clock"
    ahead = newest_event(alice, soon)
    wrong_clock(-1)
    later = alice.file({"none": "such"})
    assert newest_event(alice, later) >= ahead, "time does not go back while the server runs"
    alice.await_state(running, "DONE", seconds=15)
    assert 7.5 < time.monotonic() - begin < 10

    server.process.kill()
    server.start()
    assert alice.request(later)["State"] == "WAITING"
    again = alice.file({"board": "x"})
    alice.acquire(again)
    alice.close(again)
