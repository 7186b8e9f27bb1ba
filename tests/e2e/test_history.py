"""What happened, what happens, and who had what: told by the client, whatever becomes of the server meanwhile."""

import json
import re
import signal
import time

import pytest

from farm import wait_for


def run_job(api, seconds=0.0):
    number = api.file({"board": "x"})
    api.acquire(number)
    time.sleep(seconds)
    api.close(number)
    return number


def test_the_history_of_a_job_and_of_its_worker_can_be_read(farm):
    farm.start_server()
    dryad = farm.start_dryad("rpi4-01", {"board": "x"})
    alice, admin = farm.user("alice"), farm.admin()
    number = alice.file({"board": "x"})
    alice.acquire(number)
    alice.need("POST", f"/api/v1/reqs/{number}/prolong")
    alice.close(number)
    admin.await_worker(dryad.uuid, "IDLE")

    told = farm.boruta(alice, "history", str(number))
    assert told.code == 0, told
    lines = told.out.splitlines()
    assert lines[0].split() == ["TIME", "CHANGE", "BY", "WORKER"]
    assert re.fullmatch(r"\d\d:\d\d:\d\d  WAITING +alice +-", lines[1]), told.out
    assert re.fullmatch(r"\d\d:\d\d:\d\d  WAITING → IN PROGRESS +\S+ +rpi4-01", lines[2]), told.out
    assert re.match(r"\d\d:\d\d:\d\d  IN PROGRESS → DONE +alice +-", lines[3]), told.out
    assert len(lines) == 4 and "prolonged" not in told.out
    assert "job prolonged" in farm.boruta(alice, "history", str(number), "--all").out

    events = json.loads(farm.boruta(alice, "history", str(number), "--json").out)
    assert events == alice.need("GET", f"/api/v1/reqs/{number}/events")
    assert [event["To"] for event in events if event["To"]] == ["WAITING", "IN PROGRESS", "DONE"]

    by_name = farm.boruta(alice, "history", "rpi4-01")
    assert by_name.out == farm.boruta(alice, "history", dryad.uuid).out
    assert re.search(rf"IDLE → RUNNING +\S+ +{number}\n", by_name.out), by_name.out
    assert dryad.uuid not in by_name.out

    for unknown in ("99", "rpi4-09"):
        refused = farm.boruta(alice, "history", unknown)
        assert refused.code == 65 and refused.out == "", refused


def test_watch_sees_a_job_begin_and_end(farm):
    farm.start_server()
    farm.start_dryad("rpi4-01", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    holder = alice.file({"board": "x"})
    alice.acquire(holder)
    number, other = bob.file({"board": "x"}), bob.file({"board": "x"})
    watching = farm.start_boruta(bob, "watch", str(number))
    watching_other = farm.start_boruta(bob, "watch", str(other))
    wait_for(lambda: f"watching request {number}, WAITING" in watching.text(), 10, "the watch")
    wait_for(lambda: "watching" in watching_other.text(), 10, "the other watch")
    alice.close(holder)
    wait_for(lambda: re.search(rf"  request {number} +WAITING → IN PROGRESS · on rpi4-01", watching.text()), 20,
             "the beginning")
    bob.close(other)
    assert watching_other.wait() == 123, "it was cancelled"
    assert "WAITING → CANCELLED · by bob" in watching_other.text()
    bob.close(number)
    assert watching.wait() == 0
    assert "IN PROGRESS → DONE · by bob" in watching.text()
    assert f"request {other} " not in watching.text()

    late = farm.boruta(bob, "watch", str(number))
    assert late.code == 0 and late.out == "" and "is DONE already" in late.err, late
    assert farm.boruta(bob, "watch", str(other)).code == 123
    assert farm.boruta(bob, "watch", "99").code == 65


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_of_a_worker_ends_by_a_signal(farm, number):
    farm.start_server(auth="off")
    dryad = farm.start_dryad("rpi4-01", {"board": "x"})
    watching = farm.start_boruta(farm.admin(), "watch", "rpi4-01")
    wait_for(lambda: "watching rpi4-01" in watching.text(), 10, "the watch")
    farm.admin().set_state(dryad.uuid, "MAINTENANCE", Reason="SD card broken")
    wait_for(lambda: re.search(r"  rpi4-01 +\S+ → MAINTENANCE.*SD card broken", watching.text()), 10, "the change")
    watching.signal(number)
    assert watching.wait() == 130


def seen(process):
    return [json.loads(line) for line in process.text().splitlines() if line.startswith("{")]


def test_watch_outlives_a_killed_server_without_a_gap_or_a_repeat(farm):
    server = farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    admin, alice = farm.admin(), farm.user("alice")
    job = alice.file({"board": "x"})
    alice.acquire(job)
    all_of_it = farm.start_boruta(admin, "watch", "--json")
    one = farm.start_boruta(alice, "watch", str(job))
    for process in (all_of_it, one):
        wait_for(lambda process=process: "watching" in process.text(), 10, "the watch")
    filed = []
    for _ in range(3):
        filed += [alice.file({"none": "such"}) for _ in range(20)]
        server.process.kill()
        wait_for(lambda: "trying on" in all_of_it.text(), 10, "the loss being told")
        server.start()
        filed += [alice.file({"none": "such"}) for _ in range(20)]
    alice.close(job)
    wait_for(lambda: {event["ReqID"] for event in seen(all_of_it)} >= set(filed), 30, "all being told")
    wait_for(lambda: any(event["To"] == "DONE" for event in seen(all_of_it)), 10, "the end being told")
    assert one.wait() == 0 and "IN PROGRESS → DONE" in one.text()
    all_of_it.signal(signal.SIGINT)
    assert all_of_it.wait() == 130
    assert "the server is back; nothing was missed" in all_of_it.text()

    # An admin hears of everything, so that a number left out would be a gap.
    numbers = [event["Seq"] for event in seen(all_of_it)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert filed == [event["ReqID"] for event in seen(all_of_it) if event["Type"] == "request created"]


def test_watch_ends_when_its_token_is_revoked(farm):
    farm.start_server()
    alice, admin = farm.user("alice"), farm.admin()
    watching = farm.start_boruta(alice, "watch")
    wait_for(lambda: "watching the farm" in watching.text(), 10, "the watch")
    admin.need("DELETE", "/api/v1/users/alice")
    assert watching.wait() == 77
    assert "does not accept the token" in watching.text()


def test_usage_adds_up(farm):
    farm.start_server()
    farm.start_dryad("rpi4-01", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    assert "no job ran" in farm.boruta(alice, "usage").err
    run_job(alice, 1.1)
    run_job(bob, 3.1)
    last = run_job(alice)
    listed = json.loads(farm.boruta(alice, "usage", "--json").out)
    assert len(listed) == 3
    total = sum(job["Seconds"] for job in listed)
    assert total >= 4

    by_owner = farm.boruta(alice, "usage", "--since", "1h")
    rows = [line.split() for line in by_owner.out.splitlines()]
    assert rows[0] == ["OWNER", "JOBS", "TIME", "SHARE"]
    assert [row[:2] for row in rows[1:]] == [["bob", "1"], ["alice", "2"]]
    assert sum(int(row[2]) for row in rows[1:]) == total
    assert sum(float(row[4]) for row in rows[1:]) == pytest.approx(100, abs=0.2)
    assert by_owner.err == f"3 jobs, {total} s in all\n"

    by_worker = farm.boruta(alice, "usage", "--by", "worker").out.splitlines()
    assert re.fullmatch(rf"rpi4-01 +3 +{total} s +100.0 %", by_worker[1]) and len(by_worker) == 2
    by_request = farm.boruta(alice, "usage", "--by", "request").out.splitlines()
    assert len(by_request) == 4
    assert re.match(rf"{last} +alice +rpi4-01 .* DONE", by_request[-1]), by_request
    assert farm.boruta(alice, "usage", "--since", "2000-01-01T00:00:00Z").out == by_owner.out
