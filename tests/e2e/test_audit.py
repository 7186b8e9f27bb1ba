"""What is on record, and that no secret is anywhere but where it belongs."""

import json
import shutil
import sqlite3
import time

import pytest

from farm import ROOT, Api, Refused, tell


def refused(status, call, *arguments):
    with pytest.raises(Refused) as caught:
        call(*arguments)
    assert caught.value.status == status, caught.value


def audit(farm, *words):
    done = farm.boruta(farm.admin(), "audit", "--json", *words)
    assert done.code == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


def test_who_did_what_from_where_and_who_was_refused_what(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    number = alice.file({"board": "x"})
    alice.acquire(number)
    refused(403, bob.close, number)
    refused(403, bob.acquire, number)
    refused(401, Api(farm.server.url, "boruta_nonsense").need, "GET", "/api/v1/whoami")
    farm.admin().close(number)
    farm.admin().set_state(dryad.uuid, "MAINTENANCE", Reason="SD card broken")

    about = audit(farm, "--request", str(number))
    assert [event["Type"] for event in about][:2] == ["request created", "job started"]
    assert {event["Address"] for event in about if event["Actor"] in ("alice", "admin")} == {"127.0.0.1"}
    said_no = audit(farm, "--kind", "action refused")
    assert [(event["Actor"], event["Address"], event["Data"]["action"], event["Data"]["code"]) for event in said_no] == [
        ("bob", "127.0.0.1", f"POST /api/v1/reqs/{number}/close", "forbidden"),
        ("nobody", "127.0.0.1", "GET /api/v1/whoami", "unauthenticated")]
    assert "only its owner and admins may do this" in said_no[0]["Reason"]
    of_worker = audit(farm, "--worker", "w1", "--actor", "admin")
    assert of_worker[-1]["Reason"] == "SD card broken" and of_worker[-1]["To"] == "BUSY"
    assert audit(farm, "--since", "2000-01-01", "--actor", "nosuch") == []
    table = farm.boruta(farm.admin(), "audit").out
    assert f"refused POST /api/v1/reqs/{number}/close" in table
    assert "only admins may do this" in farm.boruta(alice, "audit").err


def test_an_agent_that_is_refused_is_on_record(farm):
    farm.start_server()
    token = farm.worker_token("shared")
    first = farm.make_dryad("w1")
    second = farm.make_dryad("w2")
    for dryad in (first, second):
        config = dryad.config.read_text()
        line = next(line for line in config.splitlines() if line.startswith("token_file"))
        dryad.config.write_text(config.replace(line, f'token_file = "{token}"'))
    first.start()
    farm.admin().await_worker(first.uuid, "MAINTENANCE")
    second.start()
    deadline = time.monotonic() + 10
    found = []
    while not found and time.monotonic() < deadline:
        found = [event for event in audit(farm, "--kind", "action refused") if event["Data"]["action"] == "register"]
        time.sleep(0.1)
    assert found[0]["Actor"] == "w2" and f"belongs to worker {first.uuid}" in found[0]["Reason"], found
    table = farm.boruta(farm.admin(), "workers", "--refused").out
    assert table.startswith("LAST") and "w2" in table and "127.0.0.1" in table and "belongs to worker" in table, table


def test_a_token_for_many_workers_admits_so_many_and_straight_to_service(farm):
    farm.start_server()
    made = farm.boruta(farm.admin(), "tokens", "add-worker", "rack", "--workers", "2", "--in-service", "--expires",
                       "1h")
    assert made.code == 0 and "at most 2 workers" in made.err, made
    token = farm.directory / "rack.token"
    token.write_text(made.out)
    token.chmod(0o600)
    dryads = []
    for name in ("w1", "w2", "w3"):
        dryad = farm.make_dryad(name)
        config = dryad.config.read_text()
        line = next(line for line in config.splitlines() if line.startswith("token_file"))
        dryad.config.write_text(config.replace(line, f'token_file = "{token}"'))
        dryads.append(dryad)
    for dryad in dryads[:2]:
        dryad.start()
        farm.admin().await_worker(dryad.uuid, "IDLE")
    dryads[2].start()
    time.sleep(1.0)
    refused(404, farm.admin().worker, dryads[2].uuid)
    listed = farm.boruta(farm.admin(), "tokens").out
    assert "2 of 2 workers" in listed and "straight to service" in listed, listed


def test_secrets_are_nowhere_but_where_they_belong(farm):
    """Keys, tokens and access: in no log, no event, no list, and in the database only what opens a worker now."""
    farm.start_server('[log]\nlevel = "debug"\nformat = "json"\n')
    farm.start_dryad("w1", {"board": "x"})
    alice, bob, admin = farm.user("alice"), farm.user("bob"), farm.admin()
    number = alice.file({"board": "x"})
    key = alice.acquire(number)["Key"]
    pieces = [line for line in key.splitlines() if not line.startswith("-----")]
    secrets = [*pieces, alice.token, bob.token, admin.token,
               *[file.read_text().strip() for file in farm.directory.glob("*.token")]]
    assert len(secrets) > 20
    shown = {}
    for who in (bob, admin):
        for path in ("/api/v1/workers/", f"/api/v1/reqs/{number}", f"/api/v1/reqs/{number}/events",
                     f"/api/v1/reqs/{number}/explain", "/api/v1/tokens/", "/api/v1/keys/", "/api/v1/usage", "/metrics"):
            shown[f"{path} by {who.token[:12]}"] = json.dumps(who.need("GET", path))
        shown["list"] = json.dumps(who.requests())
    shown["audit"] = json.dumps(admin.need("GET", "/api/v1/audit?limit=65535"))
    shown["users"] = json.dumps(admin.need("GET", "/api/v1/users/"))
    alice.close(number)
    time.sleep(0.5)
    for process in farm.started:
        shown[f"log of {process.name}"] = process.text()
    farm.server.process.signal(15)
    farm.server.process.wait()
    database = sqlite3.connect(f"file:{farm.server.data}/boruta.db?mode=ro", uri=True)
    shown["events"] = repr(database.execute("SELECT * FROM events").fetchall())
    shown["tokens"] = repr(database.execute("SELECT * FROM tokens").fetchall())
    for place, text in shown.items():
        assert text, place
        for secret in secrets:
            assert secret not in text, f"a secret is in {place}"
    tell(f"{len(secrets)} secrets searched for in {len(shown)} places")


def test_refusals_of_a_flood_take_no_room(farm):
    farm.start_server()
    stranger = Api(farm.server.url, "boruta_guess")
    before = (farm.server.data / "boruta.db").stat().st_size
    statuses = [stranger.call("GET", "/api/v1/whoami").status for _ in range(500)]
    assert statuses[:10] == [401] * 10 and set(statuses[10:]) <= {401, 429} and 429 in statuses
    assert farm.admin().need("GET", "/api/v1/whoami")["Name"] == "admin", "a good token is heard all the same"
    assert len(audit(farm, "--kind", "action refused")) <= 2
    assert (farm.server.data / "boruta.db").stat().st_size - before < 200_000


def test_auth_turned_on_leaves_what_anonymous_filed_to_admins(farm):
    server = farm.start_server(auth="off")
    anonymous = farm.admin()
    number = anonymous.file({"board": "none"})
    server.process.signal(15)
    server.process.wait()
    server.auth = "on"
    server.start()
    alice = farm.user("alice")
    assert alice.request(number)["Owner"]["Name"] == "anonymous"
    refused(403, alice.close, number)
    refused(401, Api(server.url).close, number)
    farm.admin().close(number)
    assert alice.request(number)["State"] == "CANCELLED"


def test_a_farm_of_before_goes_on_and_its_checkpoints_are_nothing_that_happened(farm):
    data = farm.directory / "data"
    data.mkdir(mode=0o700)
    shutil.copy(ROOT / "tests/data/schema-6.db", data / "boruta.db")
    farm.start_server(auth="off")
    admin = farm.admin()
    assert admin.request(1)["State"] == "CANCELLED"

    def kinds(query=""):
        answer = admin.call("GET", f"/api/v1/audit{query}")
        assert answer.status == 200, answer
        return json.dumps(answer.body).count('"checkpoint"')

    assert kinds() == 0
    assert kinds("?kind=checkpoint") == 1, "who asks for one is shown it"
    assert admin.file({"board": "sim"}) == 4
