"""The description of the API is true: of itself, of what was recorded, and of a server that runs."""

import json
import urllib.request

import jsonschema
import pytest

from described import DESCRIPTION, FILE, METHODS, ROOT, Description, Undescribed
from farm import Api, in_seconds, wait_for

DOCUMENT = DESCRIPTION.document
RECORDED = ROOT / "tests/contract/v1/exchanges.jsonl"
# Where the recording lets us refuse, and we do.
WE_REFUSE = ("new-trailing-garbage", "list-prio-string", "upd-deadline-before-validafter", "upd-empty-object-unknown")
UNKNOWN = "dead0000-0000-4000-8000-000000000000"


def walk(value, place=""):
    yield place, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from walk(item, f"{place}/{key}")


def schemas():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        yield f"components/{name}", schema
    for place, value in walk(DOCUMENT["paths"]):
        if isinstance(value, dict) and "schema" in value:
            yield place, value["schema"]


def test_every_reference_leads_somewhere_and_everything_is_used():
    used = set()
    for place, value in walk(DOCUMENT):
        if isinstance(value, dict) and isinstance(value.get("$ref"), str):
            used.add(value["$ref"])
            assert DESCRIPTION.at(value["$ref"]) is not None, place
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses", "headers", "parameters")
             for name in DOCUMENT["components"][kind]}
    assert there == used


def test_every_schema_is_one():
    for place, schema in schemas():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            pytest.fail(f"{place}: {error.message}")


def test_every_example_keeps_its_schema():
    wrong = []
    for place, value in [*walk(DOCUMENT["paths"]), *walk(DOCUMENT["components"])]:
        if not isinstance(value, dict):
            continue
        schema = value.get("schema", value if "/schemas/" in place else None)
        if schema is None or not isinstance(schema, dict):
            continue
        examples = [value["example"]] if "example" in value else []
        if isinstance(value.get("examples"), dict):
            examples += [example["value"] for example in value["examples"].values()]
        elif isinstance(value.get("examples"), list):
            examples += value["examples"]
        for example in examples:
            wrong += DESCRIPTION.body_complaints(example, schema, place)
    assert not wrong, "\n".join(wrong)


def test_every_operation_is_well_described():
    names = []
    for method, path, _, item, operation in DESCRIPTION.operations:
        names.append(operation["operationId"])
        assert operation["summary"] and operation["tags"], (method, path)
        assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
        assert operation["x-role"] in ("anyone", "user", "admin")
        parameters = [DESCRIPTION.resolve(one) for one in [*item.get("parameters", []),
                                                           *operation.get("parameters", [])]]
        assert {one["name"] for one in parameters if one["in"] == "path"} == \
            {piece[1:-1] for piece in path.split("/") if piece.startswith("{")}
        for answer in operation["responses"].values():
            assert DESCRIPTION.resolve(answer)["description"]
    assert len(set(names)) == len(names)
    assert {method for item in DOCUMENT["paths"].values() for method in item} <= {*METHODS, "parameters"}


def test_an_answer_that_is_not_described_is_noticed():
    good = [("Content-Type", "application/json")]
    user = (b'{"Name":"alice","Role":"user","Groups":[],'
            b'"Ceilings":{"Priority":null,"Running":3,"Waiting":null}}')
    whoami = ("GET", "/api/v1/whoami", 200)
    assert not DESCRIPTION.complaints(*whoami, good, user)
    assert DESCRIPTION.complaints(*whoami, good, user[:-1] + b',"New":1}')
    assert DESCRIPTION.complaints(*whoami, good, user.replace(b'"Role":"user",', b""))
    assert DESCRIPTION.complaints(*whoami, [*good, ("Boruta-New", "1")], user)
    assert DESCRIPTION.complaints(*whoami, [("Content-Type", "text/plain")], user)
    assert DESCRIPTION.complaints("GET", "/api/v1/whoami", 418, good, user)
    assert DESCRIPTION.complaints("GET", "/api/v1/whoami", 401, good, b'{"message":"no"}'), "no WWW-Authenticate"
    assert DESCRIPTION.complaints("GET", "/api/v1/nope", 200, good, b"{}")
    with pytest.raises(Undescribed):
        DESCRIPTION.check(*whoami, good, b"{}")


def recorded():
    for line in RECORDED.read_text(encoding="utf-8").splitlines():
        exchange = json.loads(line)
        if DESCRIPTION.find(exchange["method"], exchange["path"]) and exchange["method"] == "POST":
            yield exchange


def test_every_recorded_body_that_we_must_accept_is_described():
    accepted = [exchange for exchange in recorded()
                if exchange["status"] < 300 and exchange["name"] not in WE_REFUSE]
    assert len([exchange for exchange in accepted if exchange["body"]]) > 50
    wrong = [f"{exchange['name']}: {complaint}" for exchange in accepted
             for complaint in DESCRIPTION.request_complaints("POST", exchange["path"], exchange["body"])]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path,body", [
    ("/api/v1/reqs/", '{"Priority":17}'), ("/api/v1/reqs/", "{}"), ("/api/v1/reqs/", ""), ("/api/v1/reqs/", "[]"),
    ("/api/v1/reqs/", '{"Priority":8,"Lease":"soon"}'), ("/api/v1/reqs/", '{"Priority":8,"Caps":{"a":1}}'),
    ("/api/v1/reqs/list", '{"Sorter":{"Item":"caps"}}'), ("/api/v1/reqs/list", '{"Paginator":{"Limit":-1}}'),
    (f"/api/v1/workers/{UNKNOWN}/setstate", '{"WorkerState":"RUNNING"}'), ("/api/v1/users/", '{"Name":"a b"}'),
])
def test_a_body_that_is_refused_is_not_described(path, body):
    assert DESCRIPTION.request_complaints("POST", path, body)


class Caller:
    """Calls, with every answer being judged, and remembers which operations were answered how."""

    def __init__(self, api, seen):
        self.api = api
        self.seen = seen

    def __call__(self, status, method, path, body=None, raw=None, more=None):
        answer = self.api.call(method, path, body, raw=raw, more=more)
        assert answer.status == status, f"{method} {path}: {answer}"
        self.seen.add((DESCRIPTION.find(method, path)[1]["operationId"], status))
        return answer.body


def refused_and_good_requests(alice, bob, root):
    for body in (b"", b"[]", b'{"Priority": 17}', b'{"Priority": 8, "Lease": "2h"}'):
        alice(400, "POST", "/api/v1/reqs/", raw=body)
    number = alice(201, "POST", "/api/v1/reqs/", {"Priority": 8, "Caps": {"none": "such"}, "Lease": "30m"})["ReqID"]
    alice(413, "POST", "/api/v1/reqs/", raw=b" " * (1024 * 1024 + 1))
    one = f"/api/v1/reqs/{number}"
    for caller in (alice, bob, root):
        assert caller(200, "GET", one)["Position"] == 1
        caller(200, "POST", "/api/v1/reqs/list")
    alice(200, "HEAD", one)
    alice(200, "POST", "/api/v1/reqs/list", {"Filter": {"Owners": ["alice"]}, "Sorter": {"Item": "PRIORITY"}})
    alice(400, "POST", "/api/v1/reqs/list", {"Sorter": {"Item": "caps"}})
    alice(404, "POST", "/api/v1/reqs/list", {"Paginator": {"ID": 4711}})
    alice(204, "POST", one, {"Priority": 4})
    alice(204, "POST", one, {"Deadline": "2100-01-01T00:00:00+02:00"})
    alice(200, "GET", one)
    alice(400, "POST", one, {"Deadline": in_seconds(-10)})
    for action in ("", "/close", "/prolong", "/acquire_worker"):
        bob(403, "POST", one + action, {})
        alice(404, "POST", f"/api/v1/reqs/4711{action}", {})
        alice(400, "POST", f"/api/v1/reqs/x{action}", {})
    alice(400, "POST", f"{one}/prolong")
    alice(400, "POST", f"{one}/acquire_worker?wait=soon")
    alice(400, "POST", f"{one}/acquire_worker?wait=0s")
    explained_requests(alice, one)
    alice(204, "POST", f"{one}/close")
    alice(400, "POST", f"{one}/close")
    alice(200, "GET", one)
    alice(200, "GET", f"{one}/explain")
    for status, path in ((404, "4711"), (400, "x"), (200, number)):
        alice(status, "GET", f"/api/v1/reqs/{path}")
        alice(status, "GET", f"/api/v1/reqs/{path}/events")


def explained_requests(alice, one):
    assert alice(200, "GET", f"{one}/explain")["Position"] == 1
    alice(200, "GET", f"{one}/explain?workers=false")
    alice(400, "GET", "/api/v1/reqs/x/explain")
    alice(404, "GET", "/api/v1/reqs/4711/explain")
    alice(200, "POST", "/api/v1/reqs/explain", {"Caps": {"board": "sim"}, "Requirements": ["ram>=4GiB"]})
    alice(400, "POST", "/api/v1/reqs/explain", {"Requirements": ["ram>="]})
    alice(413, "POST", "/api/v1/reqs/explain", raw=b" " * (1024 * 1024 + 1))


def refused_and_good_ceilings(alice, bob, root):
    for path in ("users/bob/ceilings", "groups/x/ceilings"):
        alice(403, "POST", f"/api/v1/{path}", {})
        root(400, "POST", f"/api/v1/{path}", {"Priority": 17})
        root(413, "POST", f"/api/v1/{path}", raw=b" " * (1024 * 1024 + 1))
        root(204, "POST", f"/api/v1/{path}", {"Priority": 2, "Running": 3, "Waiting": 0})
    root(404, "POST", "/api/v1/users/nobody/ceilings", {})
    bob(429, "POST", "/api/v1/reqs/", {"Priority": 8})
    bob(403, "POST", "/api/v1/reqs/", {"Priority": 1})
    bob(200, "GET", "/api/v1/whoami")
    root(204, "POST", "/api/v1/users/bob/ceilings", {})
    alice(403, "GET", "/api/v1/groups/")
    root(200, "GET", "/api/v1/groups/")
    root(200, "GET", "/api/v1/users/")


def a_job(alice, root, worker):
    number = alice(201, "POST", "/api/v1/reqs/", {"Priority": 8, "Caps": {"board": "sim"}})["ReqID"]
    one = f"/api/v1/reqs/{number}"
    access = alice(200, "POST", f"{one}/acquire_worker?wait=20s")
    assert access["Username"]
    root(200, "POST", f"{one}/acquire_worker")
    alice(204, "POST", f"{one}/prolong")
    assert alice(200, "GET", one)["Job"]["WorkerUUID"] == worker
    alice(200, "GET", f"/api/v1/workers/{worker}")
    alice(200, "HEAD", f"/api/v1/workers/{worker}")
    root(202, "POST", f"/api/v1/workers/{worker}/setstate",
         {"WorkerState": "MAINTENANCE", "Reason": "SD card broken", "Drain": True})
    alice(200, "GET", "/api/v1/workers/")
    root(202, "POST", f"/api/v1/workers/{worker}/setstate", {"WorkerState": "IDLE"})
    root(400, "POST", f"/api/v1/workers/{worker}/deregister")
    alice(204, "POST", f"{one}/close")
    alice(200, "GET", f"{one}/events")
    alice(200, "POST", "/api/v1/reqs/list", {})


def a_board(farm, alice, bob, root):
    board = '[board]\ndriver = "exec"\npower_on = ["true"]\nsd_dut = ["true"]\ncurrent = ["echo", "240"]\nconsole = "/no/tty"'
    farm.start_dryad("boarded", {"board": "real"}, more=board)
    number = alice(201, "POST", "/api/v1/reqs/", {"Priority": 8, "Caps": {"board": "real"}})["ReqID"]
    one = f"/api/v1/reqs/{number}"
    alice(200, "POST", f"{one}/acquire_worker?wait=20s")
    for action, good, bad in (("power", {"Power": "on"}, {"Power": "off"}), ("sd", {"SD": "dut"}, {"SD": "card"})):
        alice(204, "POST", f"{one}/{action}", good)
        root(204, "POST", f"{one}/{action}", good)
        alice(400, "POST", f"{one}/{action}", bad)
        bob(403, "POST", f"{one}/{action}", good)
        alice(404, "POST", f"/api/v1/reqs/4711/{action}", good)
    assert alice(200, "POST", f"{one}/current") == {"Milliamperes": 240}
    bob(403, "POST", f"{one}/current")
    alice(404, "POST", "/api/v1/reqs/4711/current")
    assert alice(200, "GET", f"{one}/logs").startswith("\r\n[dryad: ")
    bob(403, "GET", f"{one}/logs")
    alice(404, "GET", "/api/v1/reqs/4711/logs")
    alice(204, "POST", f"{one}/close")
    alice(400, "POST", f"{one}/current")
    alice(400, "GET", "/api/v1/reqs/x/logs")


def refused_and_good_workers(alice, root, worker):
    one = f"/api/v1/workers/{worker}"
    for action, body in (("setstate", {"WorkerState": "IDLE"}), ("setgroups", []), ("deregister", None)):
        alice(403, "POST", f"{one}/{action}", body)
        root(404, "POST", f"/api/v1/workers/{UNKNOWN}/{action}", body)
        root(400, "POST", f"/api/v1/workers/x/{action}", body)
    root(400, "POST", f"{one}/setstate", {"WorkerState": "RUNNING"})
    root(400, "POST", f"{one}/setgroups", {"Groups": []})
    root(204, "POST", f"{one}/setgroups", ["kernel", "ci", "kernel"])
    assert alice(200, "GET", one)["Groups"] == ["ci", "kernel"]
    alice(200, "POST", "/api/v1/workers/list", {"Filter": {"Groups": ["ci"]}})
    alice(400, "POST", "/api/v1/workers/list", {"Sorter": {"Item": "caps"}})
    alice(404, "POST", "/api/v1/workers/list", {"Paginator": {"ID": UNKNOWN}})
    root(204, "POST", f"{one}/setgroups", None, raw=b"null")
    alice(200, "GET", "/api/v1/workers/")
    alice(200, "HEAD", "/api/v1/workers/")
    for status, path in ((404, UNKNOWN), (400, "x"), (200, worker)):
        alice(status, "GET", f"/api/v1/workers/{path}")
        alice(status, "GET", f"/api/v1/workers/{path}/events")


def refused_and_good_users(alice, root):
    for method, path in (("GET", "users/"), ("POST", "users/"), ("POST", "users/bob/groups"), ("DELETE", "users/bob")):
        alice(403, method, f"/api/v1/{path}", {})
    root(200, "GET", "/api/v1/users/")
    root(201, "POST", "/api/v1/users/", {"Name": "carol", "Groups": ["b", "a"], "Role": "admin"})
    root(409, "POST", "/api/v1/users/", {"Name": "carol"})
    root(400, "POST", "/api/v1/users/", {"Name": "not a name"})
    root(204, "POST", "/api/v1/users/carol/groups", ["x"])
    root(400, "POST", "/api/v1/users/carol/groups", [""])
    root(404, "POST", "/api/v1/users/nobody/groups", ["x"])
    root(204, "DELETE", "/api/v1/users/carol")
    root(404, "DELETE", "/api/v1/users/carol")
    root(400, "DELETE", "/api/v1/users/admin")
    for caller in (alice, root):
        caller(200, "GET", "/api/v1/whoami")


def refused_and_good_tokens(alice, bob, root):
    token = alice(201, "POST", "/api/v1/tokens/", {"Name": "ci", "Expires": in_seconds(3600)})["ID"]
    alice(400, "POST", "/api/v1/tokens/", {"Name": ""})
    alice(403, "POST", "/api/v1/tokens/", {"Name": "rack", "Role": "worker"})
    root(201, "POST", "/api/v1/tokens/", {"Name": "rack", "Role": "worker", "Reusable": True})
    root(404, "POST", "/api/v1/tokens/", {"Name": "x", "User": "nobody"})
    alice(200, "GET", "/api/v1/tokens/")
    assert any(one["Worker"] for one in root(200, "GET", "/api/v1/tokens/"))
    bob(403, "DELETE", f"/api/v1/tokens/{token}")
    alice(204, "DELETE", f"/api/v1/tokens/{token}")
    root(404, "DELETE", f"/api/v1/tokens/{token}")
    root(400, "DELETE", "/api/v1/tokens/x")


def the_same_request_twice(alice):
    again = {"Idempotency-Key": "nightly-4711"}
    wanted = {"Priority": 8, "Caps": {"none": "such"}}
    first = alice(201, "POST", "/api/v1/reqs/", wanted, more=again)
    assert alice(201, "POST", "/api/v1/reqs/", wanted, more=again) == first
    alice(422, "POST", "/api/v1/reqs/", {**wanted, "Priority": 9}, more=again)
    alice(400, "POST", "/api/v1/reqs/", wanted, more={"Idempotency-Key": "k" * 256})


def what_happened(alice):
    """The first message with an event of the stream from its beginning."""
    alice(400, "GET", "/api/v1/events", more={"Last-Event-ID": "x"})
    headers = {"Authorization": f"Bearer {alice.api.token}", "Last-Event-ID": "0"}
    request = urllib.request.Request(f"{alice.api.url}/api/v1/events", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        lines = []
        for line in answer:
            if line.strip() and not line.startswith(b":"):
                lines.append(line)
            elif any(one.startswith(b"data:") for one in lines):
                break
            elif not line.strip():
                lines.clear()
        DESCRIPTION.check("GET", "/api/v1/events", answer.status, answer.headers.items(), b"".join(lines))
    alice.seen.add(("streamEvents", answer.status))
    fields = dict(line.decode().rstrip("\n").split(": ", 1) for line in lines)
    event = json.loads(fields["data"])
    assert (fields["id"], fields["event"]) == (str(event["Seq"]), event["Type"])
    described = DESCRIPTION.find("GET", "/api/v1/events")[1]["responses"]["200"]["content"]["text/event-stream"]
    assert not DESCRIPTION.body_complaints(event, described["x-data"], "the event")


def what_was_used(alice):
    for since in ("", "?since=7d", "?since=2001-01-01T00:00:00Z"):
        assert alice(200, "GET", f"/api/v1/usage{since}")
    alice(400, "GET", "/api/v1/usage?since=soon")


def without_a_token(url, worker_token, seen):
    for token, status in (("", 401), (worker_token, 403)):
        stranger = Caller(Api(url, token), seen)
        for method, path, _, _, operation in DESCRIPTION.operations:
            target = path.replace("{id}", "1").replace("{uuid}", UNKNOWN).replace("{name}", "alice").replace("{group}", "x")
            stranger(200 if operation["x-role"] == "anyone" else status, method, target)


def bad_tokens(url, seen):
    """Are heard a few times, and then ever more seldom."""
    stranger = Caller(Api(url, "nonsense"), seen)
    for _ in range(10):
        stranger(401, "GET", "/api/v1/whoami")
    stranger(429, "GET", "/api/v1/whoami")


def refused_and_good_keys(alice, bob, root):
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFk6fyYmRQZjzRGkVYXPGZbhNHCcBVtLdj8vVCbNDVV4 alice@laptop"
    key = alice(201, "POST", "/api/v1/keys/", {"Name": "laptop", "Key": line})
    assert key["Fingerprint"].startswith("SHA256:")
    alice(409, "POST", "/api/v1/keys/", {"Name": "again", "Key": line})
    alice(400, "POST", "/api/v1/keys/", {"Name": "laptop", "Key": "ssh-dss AAAA"})
    alice(403, "POST", "/api/v1/keys/", {"Name": "laptop", "Key": line, "User": "bob"})
    root(404, "POST", "/api/v1/keys/", {"Name": "laptop", "Key": line, "User": "nobody"})
    assert alice(200, "GET", "/api/v1/keys/") == root(200, "GET", "/api/v1/keys/")
    bob(403, "DELETE", f"/api/v1/keys/{key['ID']}")
    alice(204, "DELETE", f"/api/v1/keys/{key['ID']}")
    root(404, "DELETE", f"/api/v1/keys/{key['ID']}")
    root(400, "DELETE", "/api/v1/keys/x")


def the_record(alice, root):
    alice(403, "GET", "/api/v1/audit")
    root(400, "GET", "/api/v1/audit?kind=nonsense")
    page = root(200, "GET", "/api/v1/audit?limit=5")
    assert len(page["Events"]) == 5 and page["Next"] == page["Events"][-1]["Seq"]
    assert root(200, "GET", "/api/v1/audit?kind=action%20refused&since=1h&limit=65535")["Events"]


def test_every_route_answers_as_it_is_described(farm):
    server = farm.start_server()
    seen = set()
    alice, bob, root = (Caller(api, seen) for api in (farm.user("alice", "kernel"), farm.user("bob"), farm.admin()))
    token = farm.worker_token("sim", Reusable=True)
    farm.simulate(1, "--caps", "board=sim", "--token-file", token)
    worker = wait_for(farm.admin().workers, 15, "a worker")[0]["WorkerUUID"]
    other = farm.start_dryad("other", enable=False).uuid

    without_a_token(server.url, token.read_text().strip(), seen)
    refused_and_good_requests(alice, bob, root)
    root(202, "POST", f"/api/v1/workers/{worker}/setstate", {"WorkerState": "IDLE"})
    a_job(alice, root, worker)
    a_board(farm, alice, bob, root)
    the_same_request_twice(alice)
    what_happened(alice)
    what_was_used(alice)
    refused_and_good_workers(alice, root, worker)
    refused_and_good_ceilings(alice, bob, root)
    refused_and_good_users(alice, root)
    refused_and_good_tokens(alice, bob, root)
    refused_and_good_keys(alice, bob, root)
    the_record(alice, root)
    bad_tokens(server.url, seen)
    root(204, "POST", f"/api/v1/workers/{other}/deregister")
    root(404, "GET", f"/api/v1/workers/{other}")

    # All that is described was seen, but for what takes a broken connection, a fault, a server that stops, or a day.
    described = {(operation["operationId"], int(status)) for _, _, _, _, operation in DESCRIPTION.operations
                 for status in operation["responses"]}
    rare = {(name, status) for name, status in described if status in (408, 413, 429, 431, 500, 503)}
    rare |= {("streamEvents", 410)}
    bodies_of_get = {("listAllWorkers", 400), ("listAllWorkers", 404)}
    assert described - seen - rare - bodies_of_get == set()


def test_answers_to_browsers_are_described_too(farm):
    server = farm.start_server(auth="off")
    request = urllib.request.Request(f"{server.url}/api/v1/whoami", headers={"Origin": "https://farm.example"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        DESCRIPTION.check("GET", "/api/v1/whoami", answer.status, answer.headers.items(), answer.read())


def test_the_server_serves_the_description_of_its_own_version(farm):
    server = farm.start_server()
    served = Api(server.url).need("GET", "/api/v1/openapi.json")
    version = Api(server.url).need("GET", "/api/v1/version")["Server"]
    assert served["info"]["version"] == version
    served["info"]["version"] = json.loads(FILE.read_text(encoding="utf-8"))["info"]["version"]
    assert served == DOCUMENT
    assert Description(served).find("GET", "/api/v1/reqs/7")[0] == "/api/v1/reqs/{id}"
