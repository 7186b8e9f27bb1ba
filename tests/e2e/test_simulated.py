"""Farms of simulated workers: many at once, and those that misbehave."""

import concurrent.futures
import time

import pytest

from farm import wait_for


def test_a_hundred_requests_run_through_twenty_workers(farm):
    farm.start_server(auth="off")
    admin = farm.admin()
    farm.simulate(20, "--caps", "board=sim")
    wait_for(lambda: len(admin.workers()) == 20, 15, "twenty workers")
    enabled = farm.boruta(admin, "workers", "enable", *[worker["WorkerUUID"] for worker in admin.workers()])
    assert enabled.code == 0, enabled

    def live(_):
        number = admin.file({"board": "sim"})
        access = admin.acquire(number, wait="30s")
        assert access["Key"].startswith("-----BEGIN")
        admin.close(number)
        return number

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(25) as pool:
        numbers = list(pool.map(live, range(100)))
    took = time.monotonic() - start
    assert len(set(numbers)) == 100
    assert {request["State"] for request in admin.requests()} == {"DONE"}
    used = {request["Job"]["WorkerUUID"] for request in admin.requests()}
    assert len(used) > 10
    wait_for(lambda: {worker["State"] for worker in admin.workers()} == {"IDLE"}, 15, "all workers idle again")
    assert took < 30


@pytest.mark.parametrize("fault,reason", [("prepare=fail", ""), ("prepare=hang", "")])
def test_a_worker_that_cannot_be_prepared_fails(farm, fault, reason):
    farm.start_server('prepare_timeout = "1s"\n', auth="off")
    admin = farm.admin()
    farm.simulate(1, "--fault", fault)
    number = wait_for(admin.workers, 10, "a worker")[0]["WorkerUUID"]
    start = time.monotonic()
    admin.set_state(number, "IDLE")
    worker = admin.await_worker(number, "FAILED", seconds=10)
    took = time.monotonic() - start
    assert worker["Reason"] and reason in worker["Reason"]
    assert took < 0.9 if fault.endswith("fail") else 0.9 < took < 2
    enabled = farm.boruta(admin, "workers", "enable", number)
    assert enabled.code == 120 and "FAILED" in enabled.out, enabled


def test_a_silent_worker_is_lost(farm):
    farm.start_server('lost_after = "1s"\n', auth="off")
    admin = farm.admin()
    farm.simulate(1, "--fault", "silent")
    number = wait_for(admin.workers, 10, "a worker")[0]["WorkerUUID"]
    wait_for(lambda: not admin.worker(number)["Connected"], 5, "the loss being seen")


def test_a_job_that_cannot_be_ended_fails_its_worker_and_not_its_request(farm):
    farm.start_server('prepare_timeout = "1s"\n', auth="off")
    admin = farm.admin()
    farm.simulate(1, "--caps", "board=x", "--fault", "endjob=fail")
    number = wait_for(admin.workers, 10, "a worker")[0]["WorkerUUID"]
    admin.set_state(number, "IDLE")
    admin.await_worker(number, "IDLE")
    request = admin.file({"board": "x"})
    admin.acquire(request)
    admin.close(request)
    assert admin.request(request)["State"] == "DONE"
    assert admin.await_worker(number, "FAILED", seconds=10)["Reason"]
