"""What the clock ends, it ends on time, also on a machine that has other things to do."""

import time

import pytest

from farm import ENDED, in_seconds, instant, wait_for

# How late the server may act, and how late the cut may reach the user.
LATE = 0.1
CUT_WITHIN = 5.0


def check_job_timeout(farm, lease="2s"):
    """`lease`: long enough for a login."""
    alice = farm.user("alice")
    number = alice.file({"board": "x"}, Lease=lease)
    access = alice.acquire(number)
    session = farm.start_ssh(access, "echo in; sleep 1000")
    wait_for(lambda: "in" in session.text(), 10, "the session")
    ends = instant(alice.request(number)["Job"]["Timeout"])
    code = session.wait()
    cut = time.time()
    request = alice.await_state(number, *ENDED)
    assert (request["State"], request["Reason"]) == ("DONE", "its time was up"), request
    assert code == 255
    assert 0 <= instant(request["Ended"]) - ends <= LATE
    assert -0.05 <= cut - ends <= CUT_WITHIN


def check_deadline(farm):
    alice = farm.user("bob")
    number = alice.file({"none": "such"}, Deadline=in_seconds(1.5))
    ends = instant(alice.request(number)["Deadline"])

    def ended():
        return alice.request(number)["State"] == "TIMEOUT"

    wait_for(ended, 10, "the deadline", every=0.005)
    seen = time.time()
    assert 0 <= instant(alice.request(number)["Ended"]) - ends <= LATE
    assert 0 <= seen - ends <= 3 * LATE


def test_a_job_that_times_out_is_cut_off_and_a_deadline_acts(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    check_job_timeout(farm)
    check_deadline(farm)


def test_on_a_busy_machine_too(farm, busy_machine):
    assert busy_machine
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    check_job_timeout(farm, lease="8s")
    check_deadline(farm)


def test_a_command_whose_job_ends_exits_with_its_own_code(farm):
    farm.start_server('lease_max = "12s"\nlease = "12s"\n')
    farm.start_dryad("w1", {"board": "x"})
    ran = farm.boruta(farm.user("alice"), "run", "board=x", "--lease", "10s", "--", "sleep", "1000", seconds=40)
    assert ran.code == 121, ran
    assert 11 < ran.seconds < 12 + CUT_WITHIN + 2


def test_a_job_that_nobody_claims_ends(farm):
    farm.start_server('claim_within = "1s"\n')
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    alice.await_state(number, "IN PROGRESS")
    request = alice.await_state(number, "DONE", seconds=5)
    assert request["Reason"], request


def test_a_request_is_not_started_before_it_is_valid(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"}, ValidAfter=in_seconds(1.5))
    valid = instant(alice.request(number)["ValidAfter"])
    request = alice.await_state(number, "IN PROGRESS", seconds=5)
    assert 0 <= instant(request["Started"]) - valid <= LATE


@pytest.mark.limit(90)
def test_a_killed_client_gives_its_board_back_when_the_lease_ends(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    process = farm.start_boruta(alice, "run", "board=x", "--lease", "10s", "--", "sh", "-c", "echo in; sleep 1000")
    wait_for(lambda: "in\n" in process.text(), 10, "the command running")
    time.sleep(4)
    assert alice.requests()[0]["State"] == "IN PROGRESS"
    process.kill()
    killed = time.monotonic()
    farm.admin().await_worker(dryad.uuid, "IDLE", seconds=20)
    took = time.monotonic() - killed
    assert 5 < took < 10 + CUT_WITHIN
    assert alice.requests()[0]["State"] == "DONE"
