"""Whatever is killed, nothing that was promised is lost, and nobody waits for ever."""

import os
import signal
import socket
import threading
import time

from farm import Api, Refused, wait_for

# The count is replaced, never half written, so that it can be read at any time.
COUNTER = "i=0; while :; do i=$((i+1)); echo $i > count.new; mv count.new count; sleep 0.1; done"


def hammer(api, acknowledged, stop):
    """Files requests until the server is gone."""
    while not stop.is_set():
        try:
            acknowledged.append(api.file({"none": "such"}))
        except (OSError, Refused):
            return


def test_a_killed_server_goes_on_where_it_was(farm):
    server = farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    running = alice.file({"board": "x"})
    access = alice.acquire(running)
    assert farm.ssh(access, f"nohup setsid sh -c '{COUNTER}' >/dev/null 2>&1 </dev/null & echo on").out.strip() == "on"
    low, high, late = bob.file({"board": "x"}), bob.file({"board": "x"}, priority=4), bob.file({"board": "x"})
    acknowledged, stop = [], threading.Event()
    threads = [threading.Thread(target=hammer, args=(bob, acknowledged, stop)) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(acknowledged) > 200, 20, "requests being filed")

    server.process.kill()
    stop.set()
    for thread in threads:
        thread.join()
    before = int((dryad.job_dir / "count").read_text() or 0)
    start = time.monotonic()
    server.start()
    assert time.monotonic() - start < 5

    known = {request["ID"] for request in bob.requests()}
    assert set(acknowledged) <= known, "acknowledged requests are lost"
    assert len(acknowledged) == len(set(acknowledged))
    assert alice.request(running)["Job"]["WorkerUUID"] == dryad.uuid
    wait_for(lambda: alice.worker(dryad.uuid)["Connected"], 10, "the agent being back")
    assert alice.acquire(running)["Addr"] == access["Addr"]
    seen = farm.boruta(alice, "ssh", str(running), "--", "cat", "count")
    assert seen.code == 0 and int(seen.out) > before, seen
    assert farm.ssh(access, "true").code == 0

    order = []
    alice.close(running)
    for _ in range(3):
        order.append(next_started(bob))
        bob.close(order[-1])
    assert order == [high, low, late]


def next_started(api):
    def look():
        return [request["ID"] for request in api.requests(States=["IN PROGRESS"])]

    return wait_for(look, 15, "the next one starting")[0]


def test_a_killed_agent_that_comes_back_finds_its_job_and_the_session_never_noticed(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    session = farm.start_ssh(access, "echo in; sleep 5; echo still here")
    wait_for(lambda: "in" in session.text(), 10, "the session")
    dryad.process.kill()
    wait_for(lambda: not alice.worker(dryad.uuid)["Connected"], 10, "the loss being seen")
    time.sleep(1)
    dryad.start()
    wait_for(lambda: alice.worker(dryad.uuid)["Connected"], 10, "the agent being back")
    assert session.wait() == 0 and "still here" in session.text()
    assert alice.request(number)["State"] == "IN PROGRESS"
    assert farm.ssh(access, "true").code == 0
    alice.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE")


def test_an_agent_that_stays_away_is_lost_and_so_is_its_job_in_the_end(farm):
    farm.start_server('lost_after = "2s"\nlost_grace = "3s"\n')
    idle, busy = farm.start_dryad("w1", {"board": "idle"}), farm.start_dryad("w2", {"board": "busy"})
    alice, admin = farm.user("alice"), farm.admin()
    number = alice.file({"board": "busy"})
    alice.acquire(number)
    idle.process.kill()
    busy.process.kill()
    killed = time.monotonic()
    worker = admin.await_worker(idle.uuid, "FAILED", seconds=10)
    # The silence began with the last heartbeat, up to a third of lost_after before the kill.
    assert 1.3 < time.monotonic() - killed < 3.2
    assert worker["Reason"] == "agent lost"
    assert alice.request(number)["State"] == "IN PROGRESS"
    admin.await_worker(busy.uuid, "FAILED", seconds=10)
    assert 4 < time.monotonic() - killed < 7
    assert alice.request(number)["State"] == "FAILED"

    busy.start()
    admin.await_worker(busy.uuid, "IDLE")
    assert farm.boruta(alice, "run", "board=busy", "--", "true").code == 0


def test_a_server_that_is_asked_to_stop_does_so_and_keeps_running_jobs(farm):
    server = farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    start = time.monotonic()
    server.process.signal(signal.SIGTERM)
    assert server.process.wait() == 0
    assert time.monotonic() - start < 5
    server.start()
    assert alice.request(number)["State"] == "IN PROGRESS"
    wait_for(lambda: farm.ssh(access, "true").code == 0, 10, "the way in being open again", every=0.5)


def test_a_client_outlives_a_restart_of_the_server(farm):
    server = farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    first = alice.file({"board": "x"})
    alice.acquire(first)
    waiting = farm.start_boruta(bob, "run", "board=x", "--", "echo", "bob was in")
    wait_for(lambda: "waiting" in waiting.text(), 10, "bob waiting")
    server.process.kill()
    time.sleep(1)
    server.start()
    alice.close(first)
    assert waiting.wait(30) == 0
    assert "bob was in" in waiting.text()


def test_a_worker_whose_sshd_was_killed_is_served_again_after_the_job(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    alice.acquire(number)
    os.kill(dryad.sshd_pid(), signal.SIGKILL)
    alice.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE")
    assert farm.boruta(alice, "run", "board=x", "--", "true").code == 0


def test_a_creation_repeated_under_its_key_files_one_request_also_after_a_restart(farm):
    server = farm.start_server()
    alice, bob = farm.user("alice"), farm.user("bob")
    body = {"Caps": {"none": "such"}, "Priority": 8}

    def file(api, key, body=body):
        return api.call("POST", "/api/v1/reqs/", body, more={"Idempotency-Key": key})

    first = file(alice, "k-1")
    assert first.status == 201, first
    assert file(alice, "k-1").body == first.body
    server.process.kill()
    server.start()
    again = file(alice, "k-1")
    assert (again.status, again.body) == (first.status, first.body)
    assert file(alice, "k-2").body != first.body
    assert file(bob, "k-1").body != first.body, "a key is its user's own"
    assert file(alice, "k-1", {**body, "Priority": 4}).status >= 400, "another request under a used key"
    assert len(farm.admin().requests()) == 3


def test_a_creation_whose_answer_was_lost_says_that_it_may_have_been_made(farm):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reads = []

        def serve():
            while True:
                connection, _ = listener.accept()
                with connection:
                    reads.append(connection.recv(65536))
                if len(reads) == 2:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        nowhere = Api(f"http://127.0.0.1:{listener.getsockname()[1]}", "token")
        user = farm.boruta(nowhere, "users", "add", "alice")
        token = farm.boruta(nowhere, "tokens", "add-worker", "w1")
        thread.join(10)
    for ran, check in ((user, "`boruta users`"), (token, "`boruta tokens`")):
        assert ran.code == 75 and ran.out == "", ran
        assert "may have been made all the same" in ran.err and check in ran.err, ran
    assert len(reads) == 2, "neither is repeated"
    gone = farm.boruta(nowhere, "users", "add", "alice")
    assert gone.code == 75 and "may have been made" not in gone.err, "nothing was sent"
