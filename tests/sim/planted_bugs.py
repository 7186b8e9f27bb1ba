#!/usr/bin/env python3
"""Writes a source file with a bug planted in it, for the test that the simulation would find it.

Usage: planted_bugs.py list                 NAME SOURCE of each
       planted_bugs.py plant NAME OUTPUT    fails if the code that it changes is not there any more
"""
import pathlib
import sys

SRC = pathlib.Path(__file__).resolve().parents[2] / "src"

# name: (source, what stands there, what stands there instead)
BUGS = {
    "skips-the-generation-check": (
        "farm/decide_agents.cpp",
        "return worker != nullptr && worker->generation == answer.generation ? worker : nullptr;",
        "return worker;"),
    "replies-before-the-commit": (
        "server/coordinator.cpp",
        "const bool stored = co_await durable_.wait(seen.value);\n"
        "  if (!stored) co_return std::unexpected(server_stops());\n  co_return outcome;",
        "static_cast<void>(seen);\n  co_return outcome;"),
    "forgets-timers-on-restart": (
        "farm/farm.cpp",
        "    index(request);\n    if (is_terminal(request.state)) {",
        "    if (request.state != RequestState::kWaiting) index(request);\n    if (is_terminal(request.state)) {"),
    "leaves-a-worker-dirty": (
        "server/reconciler.cpp",
        "if (worker.dirty && !running) return",
        "if (worker.dirty && worker.state == farm::WorkerState::kPrepare) return"),
    "matches-lost-workers": (
        "match/index_workers.cpp",
        "worker.state != farm::WorkerState::kIdle || !worker.connected",
        "worker.state != farm::WorkerState::kIdle"),
    "opens-the-tunnel-before-the-commit": (
        "server/reconciler.cpp",
        "  if (request->last_event > coordinator_.durable()) return;\n  if (request->state",
        "  if (request->state"),
    "leaves-the-tunnel-open": (
        "server/reconciler.cpp",
        "    close_tunnel(id);\n    return;",
        "    return;"),
    "loses-rows-of-merged-batches": (
        "store/journal.cpp",
        "  move_to_end(batch.workers, std::move(later.workers));\n",
        "  if (batch.workers.empty()) move_to_end(batch.workers, std::move(later.workers));\n"),
    "prolongs-past-the-limit": (
        "farm/decide_requests.cpp",
        "std::min(job_now(job, now) + request.lease, job.timeout_max)",
        "job_now(job, now) + request.lease"),
    "ignores-priority": (
        "match/index_requests.cpp",
        ".key = key_of(request.priority.value, request.id),",
        ".key = key_of(8, request.id),"),
    "gives-a-port-twice": (
        "farm/farm.cpp",
        "used_ports_[std::size_t{port} - policy_.first_tunnel_port] = used;",
        "used_ports_[std::size_t{port} - policy_.first_tunnel_port] = used && port % 2 == 0;"),
    "forgets-too-early": (
        "farm/decide_retention.cpp",
        "requests.some_ended_by(out.now().wall - keep)",
        "requests.some_ended_by(out.now().wall - keep / 2)"),
    "keeps-keys-that-open-nothing": (
        "server/coordinator.cpp",
        "if (!needs_key(engine_.farm(), uuid) && keys_.erase(uuid) > 0) batch.deleted_keys.push_back(uuid);",
        "if (!needs_key(engine_.farm(), uuid)) keys_.erase(uuid);"),
    "takes-everybody-for-the-owner": (
        "farm/decide.cpp",
        "(actor.kind == Actor::Kind::kUser && actor.user == request->owner);",
        "actor.kind == Actor::Kind::kUser;"),
    "honours-revoked-tokens": (
        "server/access.cpp",
        "found != nullptr && !found->revoked && (",
        "found != nullptr && ("),
    "lets-waiters-in-without-their-token": (
        "server/coordinator.cpp",
        "    auto identified = identify();\n",
        "    auto identified = actor.user.value == 0 ? identify() : actor;\n"),
    "takes-old-grants-for-new-keys": (
        "farm/decide_keys.cpp",
        "Generation{worker->generation.value + 1}",
        "worker->generation"),
    "forgets-ceilings-at-the-match": (
        "match/index_owners.cpp",
        "return needs.owner && farm::reached_running_ceiling(farm, *needs.owner).has_value();",
        "return needs.owner && farm.find_user(*needs.owner) == nullptr;"),
    "holds-back-for-ever": (
        "match/index_owners.cpp",
        "if (held == signature.held) return;",
        "if (held == signature.held || !held) return;"),
    "forgets-use-that-is-past": (
        "farm/loads.cpp",
        "loads_[owner].past += ",
        "loads_[owner].past = 0 * "),
    "serves-other-groups": (
        "match/needs.cpp",
        "worker_groups.empty() || intersects(",
        "worker_groups.empty() || !needs.owner_groups.empty() || intersects("),
}


def main(arguments):
    if arguments == ["list"]:
        print(";".join(f"{name}={source}" for name, (source, _, _) in BUGS.items()))
        return 0
    _, name, output = arguments
    source, original, planted = BUGS[name]
    text = (SRC / source).read_text()
    if text.count(original) != 1:
        print(f"the bug {name} cannot be planted: {source} does not have the code that it changes, or not once.\n"
              f"Plant it where that code went, in {__file__}.", file=sys.stderr)
        return 1
    path = pathlib.Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#line 1 "{source}"\n' + text.replace(original, planted))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
