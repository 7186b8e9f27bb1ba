"""The whole journey, and what people see who do something wrong on it."""

import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from farm import BIN, Refused, pids_with, wait_for


def test_from_an_empty_directory_to_a_command_run_on_a_worker_and_nothing_left(farm):
    server = farm.start_server()
    token_file = server.data / "admin-token"
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    admin = farm.admin()
    added = farm.boruta(admin, "users", "add", "alice")
    assert added.code == 0, added
    alice = type(admin)(server.url, added.out.strip())
    assert farm.boruta(alice, "whoami").out.startswith("alice")

    dryad = farm.start_dryad("rpi4-01", {"board": "rpi4"}, enable=False)
    assert re.search(r"rpi4-01 +MAINTENANCE", farm.boruta(alice, "workers").out)
    enabled = farm.boruta(admin, "workers", "enable", "rpi4-01")
    assert (enabled.code, enabled.out) == (0, "rpi4-01  IDLE\n"), enabled

    (farm.directory / "given.txt").write_text("forty-two\n")
    mark = f"left-behind-{os.getpid()}"
    # ssh itself waits for those who hold its output, so what stays behind lets go of it.
    script = (f"for i in 1 2; do (exec -a {mark} setsid sleep 1000) >/dev/null 2>&1 </dev/null & done; "
              "tr a-z A-Z < given.txt > taken.txt; echo on the worker; touch ~/left; exit 7")
    ran = farm.boruta(alice, "run", "board=rpi4", "--put", "given.txt", "--get", "taken.txt", "--",
                      "bash", "-c", script)
    assert ran.code == 7, ran
    assert ran.out == "on the worker\n"
    assert (farm.directory / "taken.txt").read_text() == "FORTY-TWO\n"
    assert "closed" in ran.err and "exit 7" in ran.err

    admin.await_worker(dryad.uuid, "IDLE")
    assert not pids_with(mark)
    assert not (dryad.job_dir / "left").exists() and not (dryad.job_dir / "given.txt").exists()
    assert admin.requests()[0]["State"] == "DONE"


def test_access_opens_the_worker_until_the_request_is_closed(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    assert farm.ssh(access, "echo", "in").out.strip() == "in"

    alice.close(number)
    assert farm.ssh(access, "echo", "in").code == 255
    farm.admin().await_worker(dryad.uuid, "IDLE")
    behind_the_tunnel = {**access, "Addr": {**access["Addr"], "Port": int((dryad.state / "sshd/port").read_text())}}
    assert farm.ssh(behind_the_tunnel, "echo", "in").code == 255
    with pytest.raises(Refused):
        alice.acquire(number, wait="0s")


def test_who_comes_second_waits_and_gets_the_worker_without_the_first_getting_in_again(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    first = alice.file({"board": "x"})
    access_of_alice = alice.acquire(first)
    waiting = farm.start_boruta(bob, "run", "board=x", "--", "sh", "-c", "echo bob is in; sleep 5")
    wait_for(lambda: "1st of 1" in waiting.text(), 10, "bob being told his place")
    assert "bob is in" not in waiting.text()

    closed = time.monotonic()
    alice.close(first)
    wait_for(lambda: "bob is in" in waiting.text(), 10, "bob being let in")
    assert time.monotonic() - closed < 5
    second = bob.requests(States=["IN PROGRESS"])[0]["ID"]
    access_of_bob = bob.acquire(second)
    assert access_of_bob["Key"] != access_of_alice["Key"]
    assert farm.ssh(access_of_bob, "true").code == 0
    assert farm.ssh(access_of_bob, "true", key=access_of_alice["Key"]).code == 255
    assert waiting.wait() == 0


def test_nobody_is_let_run_what_nothing_fits(farm):
    farm.start_server(auth="off")
    farm.start_dryad("w1", {"board": "rpi4"})
    refused = farm.boruta(farm.admin(), "run", "board=rpi5", "--", "true")
    assert refused.code == 69
    assert "no registered worker has board=rpi5" in refused.err
    assert farm.admin().requests() == []


def start_waiting(farm, *more):
    """A command line that waits for a worker which another has."""
    admin = farm.admin()
    holder = admin.file({"board": "x"})
    admin.acquire(holder)
    process = farm.start_boruta(admin, "run", "board=x", *more)
    wait_for(lambda: "waiting" in process.text(), 10, "the wait")
    return process, max(request["ID"] for request in admin.requests())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_waiting_withdraws_the_request(farm, number):
    farm.start_server(auth="off")
    farm.start_dryad("w1", {"board": "x"})
    process, request = start_waiting(farm, "--", "true")
    start = time.monotonic()
    process.signal(number)
    assert process.wait() == 130
    assert time.monotonic() - start < 3
    assert farm.admin().request(request)["State"] == "CANCELLED"
    assert "withdrawn; nothing is left behind" in process.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_running_gives_the_worker_back(farm, number):
    farm.start_server(auth="off")
    dryad = farm.start_dryad("w1", {"board": "x"})
    mark = f"interrupted-{os.getpid()}-{number}"
    script = f"echo in; exec -a {mark} sleep 1000"
    process = farm.start_boruta(farm.admin(), "run", "board=x", "--", "bash", "-c", script)
    wait_for(lambda: "in\n" in process.text() and len(pids_with(f"{mark}\0")) > 0, 10, "the command running")
    start = time.monotonic()
    process.signal(number)
    assert process.wait() == 130
    assert time.monotonic() - start < 5
    assert farm.admin().requests()[0]["State"] == "DONE"
    farm.admin().await_worker(dryad.uuid, "IDLE")
    assert not pids_with(f"{mark}\0")


UNKNOWN = "fa4e0000-0000-4000-8000-000000000000"
BAD_INPUT = [
    ("POST", "/api/v1/reqs/", b"", 400, "no body"),
    ("POST", "/api/v1/reqs/", b"{", 400, "ends too early"),
    ("POST", "/api/v1/reqs/", b"[]", 400, "an object is expected"),
    ("POST", "/api/v1/reqs/", b'{"Priority": 17}', 400, "priority"),
    ("POST", "/api/v1/reqs/", b'{"Priority": "8"}', 400, "Priority"),
    ("POST", "/api/v1/reqs/", b'{"Priority": 1.5}', 400, "Priority"),
    ("POST", "/api/v1/reqs/", b'{"Priority": 8, "Caps": {"a": 1}}', 400, "Caps"),
    ("POST", "/api/v1/reqs/", b'{"Priority": 8, "Deadline": "yesterday"}', 400, "Deadline"),
    ("POST", "/api/v1/reqs/", b'{"Priority": 8, "Deadline": "2001-01-01T00:00:00Z"}', 400, "deadline in the past"),
    ("POST", "/api/v1/reqs/", b'{"Priority": 8, "Lease": "90x"}', 400, "Lease"),
    ("POST", "/api/v1/reqs/", b'{"a":' * 40 + b"1" + b"}" * 40, 400, ""),
    ("POST", "/api/v1/reqs/", b'{"Priority": 8, "Caps": {"' + b"k" * 65 + b'": "v"}}', 400, "64"),
    ("POST", "/api/v1/reqs/", b" " * (1024 * 1024 + 1), 413, ""),
    ("GET", "/api/v1/reqs/0x1", None, 400, "ID"),
    ("GET", "/api/v1/reqs/99999999999999999999999", None, 400, "ID"),
    ("GET", "/api/v1/reqs/4711", None, 404, "Request not found"),
    ("POST", "/api/v1/reqs/4711/close", b"", 404, "Request not found"),
    ("POST", "/api/v1/reqs/1/acquire_worker?wait=soon", b"", 400, "wait"),
    ("GET", "/api/v1/workers/nonsense", None, 400, "UUID"),
    ("POST", f"/api/v1/workers/{UNKNOWN}/setstate", b'{"WorkerState": "RUNNING"}', 400, "IDLE"),
    ("POST", f"/api/v1/workers/{UNKNOWN}/setstate", b'{"WorkerState": "IDLE"}', 404, "Worker not found"),
    ("POST", "/api/v1/users/", b'{"Name": ""}', 400, "Name"),
    ("GET", "/api/v1/nope", None, 404, "/api/v1/nope"),
    ("PUT", "/api/v1/reqs/", b"{}", 404, "/api/v1/reqs/"),
]


def test_bad_input_is_refused_by_name_and_the_server_stays_up(farm):
    farm.start_server()
    admin = farm.admin()
    admin.file({"none": "such"})
    wrong = []
    for method, path, raw, status, part in BAD_INPUT:
        answer = admin.call(method, path, raw=raw)
        text = json.dumps(answer.body)
        if answer.status != status or part not in text:
            wrong.append(f"{method} {path} {(raw or b'')[:60]}: {answer.status} {text}, not {status} …{part}…")
    assert not wrong, "\n".join(wrong)
    assert admin.call("GET", "/readyz").status == 200
    assert len(admin.requests()) == 1


def run(argv):
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("text,complaint", [
    ('lease = "1h"\nlease_max = "90x"\n', r'borutad.toml:2: lease_max = "90x": a duration .* is expected'),
    ('leese = "1h"\n', r"borutad.toml:1: leese: there is no such key"),
    ('[tunnel]\nports = "9-1"\n', r"borutad.toml:2: tunnel.ports = .*: a range of ports"),
    ('auth = "maybe"\n', r'borutad.toml:1: auth = "maybe": "on" or "off" is expected'),
    ("lease = [\n", r"borutad.toml:\d+: "),
])
def test_borutad_names_the_line_of_its_config_that_is_wrong(farm, text, complaint):
    config = farm.directory / "borutad.toml"
    config.write_text(text)
    ran = run([BIN / "borutad", "--config", config, "--data-dir", farm.directory / "data"])
    assert ran.returncode != 0
    assert re.search(complaint, ran.stderr), ran.stderr


@pytest.mark.parametrize("text,complaint", [
    ('access = "root"\n', r'dryad.conf:1: access = "root": "account" or "private" is expected'),
    ('boruta_address = "http://x"\n', r'dryad.conf:1: boruta_address = .*"HOST:PORT" is expected'),
    ('boruta_address = "x:1"\n[caps]\nUUID = "ABC"\n', r"dryad.conf:2: .*UUID"),
    ('boruta_address = "x:1"\n', r"dryad.conf: \[caps\] is missing"),
])
def test_dryad_names_the_line_of_its_config_that_is_wrong(farm, text, complaint):
    config = farm.directory / "dryad.conf"
    config.write_text(text)
    ran = run([BIN / "dryad", "--config", config])
    assert ran.returncode == 78
    assert re.search(complaint, ran.stderr), ran.stderr


def test_a_second_server_on_one_data_directory_is_refused(farm):
    server = farm.start_server()
    ran = run([BIN / "borutad", "--data-dir", server.data, "--http-listen", "127.0.0.1:0", "--agent-listen",
               "127.0.0.1:0"])
    assert ran.returncode != 0
    assert str(server.data) in ran.stderr
    assert farm.admin().call("GET", "/readyz").status == 200


def test_plain_http_beyond_this_machine_has_to_be_asked_for(farm):
    ran = run([BIN / "borutad", "--data-dir", farm.directory / "data", "--http-listen", "0.0.0.0:0", "--agent-listen",
               "127.0.0.1:0"])
    assert ran.returncode != 0
    assert "--insecure" in ran.stderr
