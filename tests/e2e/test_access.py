"""Who may do what, and how admins take workers out of service."""

import re
import time

import pytest

from farm import Api, Refused, wait_for


def refused(status, call, *arguments):
    with pytest.raises(Refused) as caught:
        call(*arguments)
    assert caught.value.status == status, caught.value
    assert caught.value.message
    return caught.value.message


def test_a_workers_groups_keep_others_from_it(farm):
    farm.start_server()
    admin = farm.admin()
    dryad = farm.start_dryad("w1", {"board": "x"})
    admin.need("POST", f"/api/v1/workers/{dryad.uuid}/setgroups", ["kernel"])
    alice, carol = farm.user("alice"), farm.user("carol", "kernel", "ci")

    hopeless = farm.boruta(alice, "run", "board=x", "--", "true")
    assert hopeless.code == 69, hopeless
    waiting = alice.file({"board": "x"})
    assert farm.boruta(carol, "run", "board=x", "--", "true").code == 0
    assert farm.boruta(admin, "run", "board=x", "--", "true").code == 0
    assert alice.request(waiting)["State"] == "WAITING"

    admin.await_worker(dryad.uuid, "IDLE")
    admin.need("POST", f"/api/v1/workers/{dryad.uuid}/setgroups", [])
    assert alice.await_state(waiting, "IN PROGRESS")["Job"]["WorkerUUID"] == dryad.uuid


def test_a_request_belongs_to_its_owner(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    number = alice.file({"board": "x"})
    alice.await_state(number, "IN PROGRESS")
    assert bob.request(number)["Owner"]["Name"] == "alice"
    refused(403, bob.acquire, number)
    refused(403, bob.close, number)
    refused(403, bob.need, "POST", f"/api/v1/reqs/{number}/prolong")
    waiting = alice.file({"board": "none"})
    refused(403, bob.need, "POST", f"/api/v1/reqs/{waiting}", {"Priority": 1})
    assert alice.acquire(number)["Key"]
    farm.admin().close(number)
    alice.await_state(number, "DONE")


def test_users_do_not_run_the_farm(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1")
    alice = farm.user("alice")
    refused(403, alice.set_state, dryad.uuid, "MAINTENANCE")
    refused(403, alice.need, "POST", f"/api/v1/workers/{dryad.uuid}/setgroups", [])
    refused(403, alice.need, "POST", f"/api/v1/workers/{dryad.uuid}/deregister")
    refused(403, alice.need, "POST", "/api/v1/users/", {"Name": "mallory", "Role": "admin"})
    assert farm.boruta(alice, "workers", "disable", "w1").code == 77


def test_without_a_token_only_the_open_doors_answer(farm):
    server = farm.start_server()
    for stranger in (Api(server.url), Api(server.url, "nonsense")):
        for method, path in (("GET", "/api/v1/reqs/1"), ("GET", "/api/v1/workers/"), ("POST", "/api/v1/reqs/"),
                             ("GET", "/api/v1/users/")):
            assert stranger.call(method, path).status == 401
        for path in ("/api/v1/version", "/api/v1/openapi.json", "/healthz", "/readyz"):
            assert stranger.call("GET", path).status == 200
    assert farm.boruta(Api(server.url), "workers").code == 77


def test_a_revoked_or_unknown_token_admits_no_worker(farm):
    farm.start_server()
    admin = farm.admin()
    dryad = farm.make_dryad("w1")
    number = next(token["ID"] for token in admin.need("GET", "/api/v1/tokens/") if token["Name"] == "w1")
    admin.need("DELETE", f"/api/v1/tokens/{number}")
    dryad.start()
    time.sleep(1.5)
    assert admin.workers() == []


def test_a_worker_that_drains_lets_its_job_end_first(farm):
    farm.start_server()
    admin, alice = farm.admin(), farm.user("alice")
    dryad = farm.start_dryad("w1", {"board": "x"})
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    disabled = farm.boruta(admin, "workers", "disable", "w1", "--drain", "--reason", "SD card broken")
    assert disabled.code == 0, disabled
    assert admin.worker(dryad.uuid)["State"] == "RUNNING"
    assert farm.ssh(access, "true").code == 0
    alice.close(number)
    worker = admin.await_worker(dryad.uuid, "MAINTENANCE")
    assert worker["Reason"] == "SD card broken"
    assert alice.request(number)["State"] == "DONE"
    assert re.search(r"w1 +MAINTENANCE .*SD card broken", farm.boruta(alice, "workers").out)


def test_a_worker_in_maintenance_tells_who_put_it_there(farm):
    farm.start_server()
    admin = farm.admin()
    dryad = farm.start_dryad("w1")
    admin.set_state(dryad.uuid, "MAINTENANCE", Reason="SD card broken")
    assert admin.await_worker(dryad.uuid, "MAINTENANCE")["By"] == "admin"


def test_maintenance_at_once_ends_the_job_and_says_why(farm):
    farm.start_server()
    admin, alice = farm.admin(), farm.user("alice")
    dryad = farm.start_dryad("w1", {"board": "x"})
    process = farm.start_boruta(alice, "run", "board=x", "--", "sh", "-c", "echo in; sleep 1000")
    wait_for(lambda: "in\n" in process.text(), 10, "the command running")
    start = time.monotonic()
    assert farm.boruta(admin, "workers", "disable", "w1", "--reason", "fire in rack 3").code == 0
    assert process.wait() == 120
    assert time.monotonic() - start < 10
    assert "fire in rack 3" in process.text()
    assert alice.requests()[0]["State"] == "FAILED"
    admin.await_worker(dryad.uuid, "MAINTENANCE")


def test_a_deregistered_worker_is_gone_and_its_agent_ends(farm):
    farm.start_server()
    admin = farm.admin()
    dryad = farm.start_dryad("w1", enable=False)
    assert farm.boruta(admin, "workers", "deregister", "w1").code == 0
    assert dryad.process.wait() == 3
    assert admin.workers() == []


def test_a_deleted_users_requests_end(farm):
    farm.start_server()
    admin, alice = farm.admin(), farm.user("alice")
    farm.start_dryad("w1", {"board": "x"})
    running, waiting = alice.file({"board": "x"}), alice.file({"board": "none"})
    admin.await_state(running, "IN PROGRESS")
    admin.need("DELETE", "/api/v1/users/alice")
    admin.await_state(running, "DONE")
    admin.await_state(waiting, "CANCELLED")
    assert alice.call("GET", "/api/v1/whoami").status == 401
