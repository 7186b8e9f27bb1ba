"""Replays what Boruta 0.2.1 was asked against a running server with simulated agents, and compares the answers with its
own. What binds us is written in tests/contract/v1/README.md."""

import datetime
import http.client
import json
import re

from farm import ROOT, instant, wait_for

RECORDED = [json.loads(line) for line in (ROOT / "tests/contract/v1/exchanges.jsonl").read_text().splitlines()]
RECORDED_AT = "2026-11-24T02:58:21Z"
# Where the contract lets us answer otherwise, and we do: the status that we mean.
DELIBERATE = {
    "v1": 404,  # redirected to /api/v1/v1, which is nothing either
    "v1-slash": 404,  # the same
    "dotdot-outside": 404,  # paths are not cleaned
    "new-trailing-garbage": 400,  # refused
    "upd-empty-object-unknown": 404,  # there is no such request
    "upd-deadline-before-validafter": 400,  # refused, as in a creation
    "list-prio-string": 400,  # Go's base64 of bytes
}
MASKED = {"Port", "Key", "IP", "Server"}
OWN_VALUES = {"Boruta-Server-Version", "Boruta-Job-Timeout", "Access-Control-Expose-Headers"}
COMPARED = {"Content-Type", "Location", "Vary", "Allow", "X-Content-Type-Options"}


def as_of_now(body):
    """Times near the recording become as near to now."""
    shift = datetime.datetime.now(datetime.timezone.utc).timestamp() - instant(RECORDED_AT)

    def shifted(match):
        when = datetime.datetime.fromtimestamp(instant(match.group(0)) + shift, datetime.timezone.utc)
        return when.strftime("%Y-%m-%dT%H:%M:%SZ")

    return re.sub(re.escape(RECORDED_AT[:11]) + r"[\d:.]+Z", shifted, body)


def exchange(address, recorded):
    """Status, headers as (name, value), body: of a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=20)
    method, body = recorded["method"], recorded["body"]
    connection.putrequest(method, recorded["path"], skip_accept_encoding=True)
    for name, value in recorded["headers"]:
        connection.putheader(name, value)
    content = as_of_now(body).encode() if body is not None else b""
    if body is not None or method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", len(content))
    connection.putheader("Connection", "close")
    connection.endheaders(content)
    answer = connection.getresponse()
    found = answer.status, answer.getheaders(), answer.read().decode()
    connection.close()
    return found


def is_time(text):
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text) is not None


def difference(theirs, ours, key=""):
    """What `ours` lacks of `theirs`, or has otherwise; objects may hold more."""
    if key in MASKED:
        return None
    both = f"{key}: {json.dumps(theirs)} became {json.dumps(ours)}"
    if type(theirs) is not type(ours):
        return both
    if isinstance(theirs, dict):
        missing = [name for name in theirs if name not in ours]
        if missing:
            return f"{key}: {missing} missing"
        if key == "Caps" and len(theirs) != len(ours):
            return both
        return next(filter(None, (difference(theirs[name], ours[name], name) for name in theirs)), None)
    if isinstance(theirs, list):
        if key == "Groups":  # ours are without repetitions
            theirs = list(dict.fromkeys(theirs))
        if len(theirs) != len(ours):
            return both
        return next(filter(None, (difference(*pair, key) for pair in zip(theirs, ours))), None)
    if isinstance(theirs, str) and is_time(theirs):
        return None if is_time(ours) else both
    return None if theirs == ours else both


def header_complaints(theirs, ours):
    names = COMPARED | {name for name, _ in theirs}
    names |= {name for name, _ in ours if name.startswith(("Boruta-", "Access-Control-"))}
    for name in names - {"Boruta-Server-Version"}:
        wanted = sorted(value for other, value in theirs if other.lower() == name.lower())
        given = sorted(value for other, value in ours if other.lower() == name.lower())
        if name not in OWN_VALUES:
            fine = wanted == given
        elif name == "Boruta-Job-Timeout":
            fine = len(wanted) == len(given) and all(is_time(value) and "." not in value for value in given)
        else:
            fine = len(wanted) == len(given) and all(mine.startswith(old) for old, mine in zip(wanted, given))
        if not fine:
            yield f"{name}: {wanted} became {given}"


def body_complaint(recorded, body):
    binding, theirs = recorded["binding"], recorded["answer"] or ""
    if recorded["method"] == "HEAD":
        return None
    if binding in ("free", "exact"):
        return None if body == theirs else f"{theirs!r} became {body!r}"
    if binding == "exact but times, ports and keys":
        return difference(json.loads(theirs), json.loads(body))
    assert binding == 'prefix "invalid request: "', binding
    return None if json.loads(body)["message"].startswith("invalid request: ") else body


def test_clients_of_0_2_1_get_the_answers_that_they_know(farm, capsys):
    server = farm.start_server(auth="off")
    admin = farm.admin()
    farm.simulate(3, "--caps", "architecture=AArch64")
    farm.simulate(1, "--uuid-prefix", "dead0000", "--caps", "architecture=AArch64", "--fault", "prepare=fail", "--fault",
                  "endjob=fail", "--fault", "maintenance=fail")
    wait_for(lambda: len(admin.workers()) == 4, 15, "four workers")

    def settled():
        return all(worker["State"] not in ("PREPARE", "BUSY") for worker in admin.workers())

    complaints, equal, otherwise = [], 0, 0
    for recorded in RECORDED:
        name = recorded["name"]
        status, headers, body = exchange(server.endpoints["http"], recorded)
        if name in DELIBERATE:
            otherwise += 1
            if status != DELIBERATE[name]:
                complaints.append(f"{name}: {status} instead of the {DELIBERATE[name]} that is meant: {body}")
        else:
            wrong = [] if status == recorded["status"] else [f"{recorded['status']} became {status} {body}"]
            wrong = wrong or [*header_complaints(recorded["answer_headers"], headers),
                              *filter(None, [body_complaint(recorded, body)])]
            complaints += [f"{name}: {one}" for one in wrong]
            equal += not wrong
        wait_for(settled, 10, "the agents' answers")
        if name == "new-trailing-garbage":  # later exchanges count on the request that the recorded server made of it
            admin.need("POST", recorded["path"], {"Caps": {"none": "such"}, "Priority": 8})
        if name == "new-timeout":
            wait_for(lambda: admin.request(13)["State"] == "TIMEOUT", 15, "the deadline")
    with capsys.disabled():
        print(f"\n{equal} of {len(RECORDED)} recorded exchanges are equal, {otherwise} differ where they may")
    assert not complaints, "\n".join(complaints)
    assert equal + otherwise == len(RECORDED) == 179
