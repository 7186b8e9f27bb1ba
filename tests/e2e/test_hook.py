"""What borutad runs when something happens to a worker."""

import json
import signal
import time

from farm import wait_for

SETTINGS = 'lost_after = "1s"\n'


def hook(farm, script, kinds='["failed"]'):
    program = farm.directory / "hook"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return f'{SETTINGS}on_event = ["{program}", "a b", "$HOME"]\non_event_kinds = {kinds}\n'


def told(farm):
    return sorted(farm.directory.glob("told-*"))


def await_told(farm, count, seconds=15):
    wait_for(lambda: len(told(farm)) == count, seconds, f"{count} events being told, not {len(told(farm))}")
    return told(farm)


def fail(farm, dryad):
    dryad.process.kill()
    farm.admin().await_worker(dryad.uuid, "FAILED")


def test_a_failure_is_told_once_also_over_a_restart(farm):
    out = farm.directory
    script = f'f={out}/made-$$; {{ echo "$BORUTA_EVENT|$BORUTA_WORKER|$BORUTA_WORKER_UUID|$BORUTA_REASON|$1|$2"; cat; }} > $f; mv $f {out}/told-$$\n'
    farm.start_server(hook(farm, script))
    dryad = farm.start_dryad("b1")
    fail(farm, dryad)
    told_it, = await_told(farm, 1)
    facts, event = told_it.read_text().splitlines()
    assert facts == f"failed|b1|{dryad.uuid}|agent lost|a b|$HOME"
    event = json.loads(event)
    assert (event["Kind"], event["Worker"]) == ("failed", "b1")
    assert (event["Event"]["From"], event["Event"]["To"]) == ("IDLE", "FAILED")
    assert event["Event"]["WorkerUUID"] == dryad.uuid

    for number in (signal.SIGTERM, signal.SIGKILL):
        farm.server.process.signal(number)
        farm.server.process.wait()
        farm.server.start()
        assert farm.admin().worker(dryad.uuid)["State"] == "FAILED"
    time.sleep(1.5)
    assert len(told(farm)) == 1


def test_other_news_are_told_to_who_wants_them(farm):
    script = f'cat > /dev/null; : > {farm.directory}/told-$BORUTA_EVENT\n'
    farm.start_server(hook(farm, script, '["registered", "maintenance", "deregistered"]'))
    dryad = farm.start_dryad("b1")
    admin = farm.admin()
    admin.set_state(dryad.uuid, "MAINTENANCE")
    admin.await_worker(dryad.uuid, "MAINTENANCE")
    admin.need("POST", f"/api/v1/workers/{dryad.uuid}/deregister")
    names = [file.name for file in await_told(farm, 3)]
    assert names == ["told-deregistered", "told-maintenance", "told-registered"]


def test_a_hook_that_hangs_holds_nobody_up(farm):
    farm.start_server(hook(farm, f': > {farm.directory}/told-$$; exec sleep 600\n'))
    admin = farm.admin()
    for number in range(6):
        fail(farm, farm.start_dryad(f"b{number}"))
    await_told(farm, 4)
    slowest = 0.0
    for _ in range(50):
        start = time.monotonic()
        assert admin.call("GET", "/api/v1/workers/").status == 200
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 1.0, slowest
    assert len(told(farm)) == 4, "four at one time"
    farm.server.process.signal(signal.SIGTERM)
    start = time.monotonic()
    assert farm.server.process.wait() == 0
    assert time.monotonic() - start < 8


def test_a_missing_program_is_one_line_in_the_log(farm):
    farm.start_server(SETTINGS + 'on_event = ["/no/such/program"]\n')
    for name in ("b1", "b2"):
        fail(farm, farm.start_dryad(name))
    text = wait_for(lambda: "on_event failed" in farm.server.process.text() and farm.server.process.text(), what="the line")
    time.sleep(0.5)
    text = farm.server.process.text()
    assert text.count("/no/such/program: No such file or directory") == 1, text
    assert farm.admin().call("GET", "/readyz").status == 200


def test_a_kind_that_is_not_known_ends_the_start(farm):
    farm.start_server()
    farm.server.config.write_text('on_event_kinds = ["exploded"]\n')
    again = farm.spawn("borutad wrong", farm.server.argv())
    assert again.wait() == 78
    assert '"exploded" is none of "failed", "lost", "registered"' in again.text()
