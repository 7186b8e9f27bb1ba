"""What an operator sees of a running server: metrics and the log."""

import hashlib
import json
import re

from farm import ROOT, Api, wait_for


def scrape(farm):
    """Series as they are written, with their values; no token is needed."""
    answer = Api(farm.server.url).call("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.body.splitlines() if line and not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_tell_of_a_job_while_it_runs_and_after_it(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    before = scrape(farm)
    assert before['boruta_workers{state="IDLE"}'] == 1
    assert before["boruta_jobs_started_total"] == 0

    first = alice.file({"board": "x"})
    second = alice.file({"board": "x"}, priority=3)
    alice.acquire(first)
    during = scrape(farm)
    assert during['boruta_workers{state="RUNNING"}'] == 1
    assert during['boruta_workers{state="IDLE"}'] == 0
    assert during["boruta_agents_connected"] == 1
    assert during['boruta_queue_length{priority="3"}'] == 1
    assert 0 < during['boruta_queue_oldest_age_seconds{priority="3"}'] < 30
    assert during['boruta_queue_length{priority="8"}'] == 0
    assert during["boruta_jobs_started_total"] == 1

    alice.close(second)
    alice.close(first)
    farm.admin().await_worker(dryad.uuid, "IDLE")
    assert alice.call("GET", "/api/v1/reqs/4711").status == 404
    assert Api(farm.server.url, "wrong").call("GET", "/api/v1/whoami").status == 401
    after = scrape(farm)
    assert after['boruta_workers{state="IDLE"}'] == 1
    assert after['boruta_queue_length{priority="3"}'] == 0
    assert after["boruta_requests_created_total"] == 2
    assert after['boruta_requests_ended_total{state="DONE"}'] == 1
    assert after['boruta_requests_ended_total{state="CANCELLED"}'] == 1
    assert after["boruta_request_waiting_seconds_count"] == 1
    assert after["boruta_job_running_seconds_count"] == 1
    assert 0 < after["boruta_job_running_seconds_sum"] < 60
    assert after['boruta_http_requests_total{method="POST",route="/api/v1/reqs/",status="201"}'] == 2
    assert after['boruta_http_requests_total{method="GET",route="/api/v1/reqs/:id",status="404"}'] == 1
    assert after['boruta_refusals_total{client="user",code="unauthenticated"}'] == 1
    commits = after["boruta_commit_seconds_count"]
    assert commits > during["boruta_commit_seconds_count"]
    assert 0 < after["boruta_commit_seconds_sum"] / commits < 5
    assert after["process_resident_memory_bytes"] > 1e6
    assert after["process_open_fds"] > 5


def test_metrics_tell_of_agents_that_are_turned_away(farm):
    farm.start_server()
    dryad = farm.make_dryad("w1")
    (farm.directory / "w1.token").write_text("boruta_wrong\n")
    dryad.start()
    series = 'boruta_refusals_total{client="agent",code="unauthenticated"}'
    wait_for(lambda: scrape(farm).get(series, 0) >= 1, 10, "the refusal being counted")
    assert scrape(farm)["boruta_agents_connected"] == 0


def test_every_metric_stands_in_the_documentation(farm):
    farm.start_server(auth="off")
    text = Api(farm.server.url).call("GET", "/metrics").body
    families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    documented = (ROOT / "docs/admin.md").read_text()
    assert len(families) > 15
    assert [family for family in families if f"`{family}`" not in documented] == []


def test_the_log_tells_of_a_job_and_never_a_secret(farm):
    server = farm.start_server('log.level = "debug"\nlog.format = "json"')
    dryad = farm.start_dryad("w1", {"board": "x"})
    admin = farm.admin()
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    assert farm.ssh(access, "true").code == 0
    alice.close(number)
    admin.await_worker(dryad.uuid, "IDLE")
    made = alice.need("POST", "/api/v1/tokens/", {"Name": "laptop"})
    alice.need("DELETE", f"/api/v1/tokens/{made['ID']}")
    wrong = "boruta_ThisTokenIsNotOneOfOurs"
    assert Api(server.url, wrong).call("GET", "/api/v1/whoami").status == 401

    worker_token = (farm.directory / "w1.token").read_text().strip()
    tokens = [admin.token, alice.token, made["Token"], worker_token, wrong]
    secrets = tokens + [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
    key_lines = [line for line in access["Key"].splitlines() if line]
    secrets += key_lines
    assert len(key_lines) > 10 and all(len(secret) > 5 for secret in secrets[:10])
    wait_for(lambda: "token revoked" in server.process.text(), 5, "the last event in the log")
    for process in farm.started:
        text = process.text()
        assert [secret for secret in secrets if secret in text] == [], process.name

    lines = [json.loads(line) for line in server.process.text().splitlines()]
    started = next(line for line in lines if line["message"] == "job started")
    assert (started["request"], started["worker"], started["name"]) == (str(number), dryad.uuid, "w1")
    assert (started["user"], started["actor"], started["level"]) == ("alice", "server", "info")
    ended = next(line for line in lines if line["message"] == "request ended")
    assert (ended["state"], ended["reason"], ended["actor"]) == ("DONE", "closed by alice", "alice")
    created = next(line for line in lines if line["message"] == "request created")
    assert (created["level"], created["actor"]) == ("debug", "alice")
    assert any(line["message"] == "token revoked" and line["token_name"] == "laptop" for line in lines)


def test_the_log_leaves_out_what_is_filed_unless_it_is_asked_for(farm):
    server = farm.start_server(auth="off")
    admin = farm.admin()
    admin.close(admin.file({"none": "such"}))
    wait_for(lambda: "request ended request=1 state=CANCELLED" in server.process.text(), 5, "the end in the log")
    assert "request created" not in server.process.text()
