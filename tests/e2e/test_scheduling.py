"""What people ask for and are told: requirements, ceilings, explanations, estimates, another try."""

import json
import re
import time

import pytest

from farm import Refused, instant, wait_for


def test_requirements_choose_the_worker_and_are_shown(farm):
    farm.start_server()
    farm.start_dryad("small", {"board": "rpi4", "ram": "2GiB"})
    farm.start_dryad("large", {"board": "rpi4", "ram": "8GiB", "serial": "9600,57600"})
    alice = farm.user("alice")
    ran = farm.boruta(alice, "run", "board=rpi4", "ram>=4GiB", "serial~57600", "!camera", "--", "true")
    assert ran.code == 0, ran
    assert "board=rpi4 !camera ram>=4GiB serial~57600 · priority 8" in ran.err
    assert re.search(r"started +on large", ran.err)
    request = alice.request(1)
    assert request["Caps"] == {"board": "rpi4"}
    assert request["Requirements"] == ["!camera", "ram>=4GiB", "serial~57600"]

    wrong = farm.boruta(alice, "run", "ram>=4Gi", "--", "true")
    assert wrong.code == 64
    assert "ram>=4Gi\n             ^ \"4Gi\" is no number, size" in wrong.err
    with pytest.raises(Refused, match=r'Requirements: "ram>=4Gi", character 6'):
        alice.file({"board": "rpi4"}, Requirements=["ram>=4Gi"])

    hopeless = farm.boruta(alice, "run", "board=rpi4", "ram>=16GiB", "--", "true")
    assert hopeless.code == 69
    assert "no registered worker has board=rpi4 ram>=16GiB; the nearest are" in hopeless.err
    assert "1 with ram=2GiB" in hopeless.err and "1 with ram=8GiB" in hopeless.err
    assert [one["ID"] for one in alice.requests()] == [1], "nothing was filed"


def test_a_request_that_waits_is_explained(farm):
    farm.start_server()
    busy = farm.start_dryad("busy", {"board": "rpi4", "ram": "4GiB"})
    farm.start_dryad("small", {"board": "rpi4", "ram": "2GiB"})
    farm.start_dryad("other", {"board": "odroid", "ram": "4GiB"})
    broken = farm.start_dryad("broken", {"board": "rpi4", "ram": "4GiB"})
    alice, bob, admin = farm.user("alice"), farm.user("bob"), farm.admin()
    admin.set_state(broken.uuid, "MAINTENANCE", Reason="SD card broken")
    admin.await_worker(broken.uuid, "MAINTENANCE")
    held = bob.file({"board": "rpi4"}, Requirements=["ram>=4GiB"])
    bob.acquire(held)
    first = bob.file({"board": "rpi4"}, Requirements=["ram>=4GiB"], Priority=4)
    waiting = alice.file({"board": "rpi4"}, Requirements=["ram>=4GiB"])

    told = farm.boruta(alice, "explain", str(waiting))
    assert told.code == 0, told
    lines = told.out.splitlines()
    assert re.fullmatch(rf"request {waiting} has waited \d+ s, 2nd of 2 for what it asks: board=rpi4 ram>=4GiB", lines[0])
    assert lines[1] == f"  comes first       1   request {first} (bob): more important: priority 4"
    assert re.fullmatch(rf"  busy              1   busy until \d\d:\d\d \(bob, request {held}\)", lines[2]), lines[2]
    assert re.fullmatch(r"  out of service    1   broken MAINTENANCE since \d\d:\d\d by admin: SD card broken", lines[3])
    assert lines[4] == "  almost fits       1   small: ram is 2GiB, needs >= 4GiB"
    assert lines[5] == "  does not fit      1   1 × board is odroid"
    assert re.match(rf"not later than .*, unless job {held} is prolonged or someone more important comes", lines[6])

    explanation = alice.need("GET", f"/api/v1/reqs/{waiting}/explain")
    assert [worker["Fitness"] for worker in explanation["Workers"]] == [
        "busy", "out of service", "almost fits", "does not fit"]
    assert explanation["Workers"][0]["WorkerUUID"] == busy.uuid
    bound = instant(explanation["NotLaterThan"]) - time.time()
    assert 3600 < bound < 3 * 3600, "the job that runs, and the one of an hour that comes first"
    assert instant(explanation["AtWorst"]) >= instant(explanation["NotLaterThan"])
    assert "Workers" not in alice.need("GET", f"/api/v1/reqs/{waiting}/explain?workers=false")

    assert re.fullmatch(r"none free now · 1 more by \d\d:\d\d · 2 requests wait\n",
                        farm.boruta(alice, "free", "board=rpi4", "ram>=4GiB").out)
    assert farm.boruta(alice, "free", "board=odroid").out == "1 free now · nobody waits\n"
    assert farm.boruta(alice, "free", "board=rpi5").code == 69
    unfiled = farm.boruta(alice, "explain", "board=odroid")
    assert unfiled.out.startswith("a request for board=odroid would be 1st of 1\n  free              1   other\n"), unfiled
    alice.close(waiting)
    assert farm.boruta(alice, "explain", str(waiting)).out == (
        f"request {waiting} does not wait: it is CANCELLED, closed by alice\n")


def test_run_tells_how_long_at_most_while_it_waits(farm):
    farm.start_server()
    farm.start_dryad("one", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    held = bob.file({"board": "x"}, Lease="5m")
    bob.acquire(held)
    run = farm.start_boruta(alice, "run", "board=x", "--", "echo", "mine")
    wait_for(lambda: re.search(r"1st of 1 · 1 worker fits, busy · not later than \d\d:\d\d · ", run.text()), 15, run.text())
    bob.close(held)
    assert run.wait() == 0, run.text()


def test_ceilings_hold_requests_and_are_explained(farm):
    farm.start_server()
    farm.start_dryad("one", {"board": "x"})
    farm.start_dryad("two", {"board": "x"})
    admin, alice = farm.admin(), farm.user("alice", "kernel")
    set_to = farm.boruta(admin, "users", "ceilings", "alice", "--running", "1", "--priority", "4", "--waiting", "2")
    assert set_to.out == "alice may have at most: priority 4, 1 running, 2 waiting\n", set_to
    alice.acquire(alice.file({"board": "x"}))
    second = alice.file({"board": "x"})
    assert alice.request(second)["State"] == "WAITING"
    told = farm.boruta(alice, "explain", str(second)).out
    assert "  held: alice has 1 job running, at most 1 is allowed\n" in told
    assert "no telling when: a ceiling on running jobs may hold it" in told
    with pytest.raises(Refused, match="Priority is 1, which is more important than alice may ask for: 4 to 16") as no:
        alice.file({"board": "x"}, Priority=1)
    assert no.value.status == 403
    alice.file({"board": "x"})
    with pytest.raises(Refused, match="alice has 2 requests waiting, at most 2 are allowed") as no:
        alice.file({"board": "x"})
    assert no.value.status == 429

    assert farm.boruta(admin, "users", "ceilings", "alice", "--running", "none").code == 0
    alice.await_state(second, "IN PROGRESS")
    assert farm.boruta(admin, "groups", "ceilings", "kernel", "--running", "0").out == (
        "group kernel may have at most: 0 running\n")
    groups = json.loads(farm.boruta(admin, "groups", "--json").out)
    assert groups == [{"Name": "kernel", "Users": ["alice"], "Running": 2, "Waiting": 1,
                       "Ceilings": {"Priority": None, "Running": 0, "Waiting": None}}]
    assert "0 running" in farm.boruta(admin, "groups").out
    assert "priority 4, 2 waiting" in farm.boruta(admin, "users").out
    assert farm.boruta(alice, "groups").code == 77


def test_a_fair_queue_serves_who_used_least(farm):
    farm.start_server('[scheduling]\norder = "fair"\nhalf_life = "1h"\n')
    farm.start_dryad("one", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    first = alice.file({"board": "x"})
    alice.acquire(first)
    time.sleep(1)
    more = alice.file({"board": "x"})
    other = bob.file({"board": "x"})
    ahead = alice.need("GET", f"/api/v1/reqs/{more}/explain")["Ahead"]
    assert [(one["ReqID"], one["Why"]) for one in ahead] == [(other, "bob has used the farm less of late")]
    alice.close(first)
    bob.await_state(other, "IN PROGRESS")
    assert alice.request(more)["State"] == "WAITING"


def test_run_tries_another_worker_when_the_first_failed(farm, tmp_path):
    farm.start_server()
    farm.start_dryad("one", {"board": "x"})
    farm.start_dryad("two", {"board": "x"})
    alice, admin = farm.user("alice"), farm.admin()
    once = tmp_path / "once"
    script = f"if mkdir {once}; then sleep 60; fi; echo done"
    run = farm.start_boruta(alice, "run", "--retry", "2", "board=x", "--", "sh", "-c", script)
    wait_for(once.is_dir, 15, run.text)
    worker = alice.request(1)["Job"]["WorkerUUID"]
    admin.set_state(worker, "MAINTENANCE", Reason="it smokes")
    assert run.wait(40) == 0, run.text()
    assert re.search(r"retry +1 of 2, on another worker: request 1: .*it smokes", run.text()), run.text()
    again = alice.request(2)
    assert again["State"] == "DONE" and again["Job"]["WorkerUUID"] != worker
    assert again["Requirements"] == [f"UUID!={worker}"]

    failing = farm.boruta(alice, "run", "--retry", "2", "board=x", "--", "false")
    assert failing.code == 1, "the command's own failure is no reason to try again"
    assert len(alice.requests()) == 3
