"""Agents, servers and the network between them fail in every way; what could go on goes on, and nothing is sent to a
worker that isn't there. Tells how long each recovery takes."""

import contextlib
import json
import shutil
import signal
import threading
import time

import pytest

from farm import Dryad, Refused, instant, tell, wait_for
from link import Link

# As the defaults, scaled by about fifteen.
LOST_AFTER = 2.0
GRACE = 4.0
SETTINGS = 'lost_after = "{:.0f}s"\nlost_grace = "{:.0f}s"\nprepare_timeout = "5s"\n'
# A session's count of tenths of a second, in a file that is never half written.
COUNTER = "i=0; while :; do i=$((i+1)); echo $i > count.new; mv count.new count; sleep 0.1; done"


@pytest.fixture(name="links")
def some_links():
    made = []
    yield made
    for link in made:
        link.close()


class Ground:
    """A server, and workers that reach it through links."""

    def __init__(self, farm, links, grace=GRACE, lost_after=LOST_AFTER):
        self.farm, self.links = farm, links
        self.server = farm.start_server(SETTINGS.format(lost_after, grace))
        self.admin, self.alice = farm.admin(), farm.user("alice")

    def worker(self, name, **more):
        link = Link(self.server.endpoints["agent"])
        self.links.append(link)
        return self.farm.start_dryad(name, {"board": name}, address=link.address, **more), link

    def job(self, dryad, **fields):
        """A job with a process that nobody watches; its access."""
        number = self.alice.file({"board": dryad.name}, **fields)
        access = self.alice.acquire(number)
        begun = self.farm.ssh(access, f"nohup setsid sh -c '{COUNTER}' >/dev/null 2>&1 </dev/null & echo on")
        assert begun.out.strip() == "on", begun
        return number, access

    def states(self, dryad):
        """The states that the worker has been in since it was first IDLE."""
        events = self.admin.need("GET", f"/api/v1/workers/{dryad.uuid}/events?limit=1000")
        events = events if isinstance(events, list) else events["Events"]
        return [event["To"] for event in events if event.get("To")]

    def connected(self, dryad):
        return self.admin.worker(dryad.uuid)["Connected"]

    def serves(self, dryad):
        """A job from its filing to its end; seconds."""
        start = time.monotonic()
        ran = self.farm.boruta(self.alice, "run", f"board={dryad.name}", "--", "true")
        assert ran.code == 0, ran
        return time.monotonic() - start


def counting(dryad):
    """Whether the job's process still runs."""
    def count():
        return int((dryad.job_dir / "count").read_text())

    with contextlib.suppress(OSError, ValueError):
        before = count()
        time.sleep(0.4)
        return count() > before
    return False


def seconds_until(look, limit, what):
    start = time.monotonic()
    wait_for(look, limit, what, every=0.01)
    return time.monotonic() - start


def test_a_restart_of_the_server(farm, links):
    ground = Ground(farm, links)
    idle, _ = ground.worker("idle")
    busy, _ = ground.worker("busy")
    number, access = ground.job(busy)
    for how in (signal.SIGTERM, signal.SIGKILL):
        ground.server.process.signal(how)
        ground.server.process.wait()
        ground.server.start()
        start = time.monotonic()
        wait_for(lambda: ground.connected(idle) and ground.connected(busy), 5, "both agents", every=0.01)
        back = time.monotonic() - start
        wait_for(lambda: farm.ssh(access, "true").code == 0, 5, "the way in")
        tell(f"server restarted ({how.name}): agents back {back:.2f} s after it is ready, the job reachable after "
             f"{time.monotonic() - start:.2f} s")
        assert ground.alice.request(number)["State"] == "IN PROGRESS"
        assert counting(busy)
    assert "FAILED" not in ground.states(idle) + ground.states(busy)
    ground.serves(idle)


def test_a_cut_shorter_than_lost_after_is_not_noticed(farm, links):
    # A second of cut, and time for agents on a busy machine to find back: how long they take is judged by itself.
    lost_after = 5.0
    ground = Ground(farm, links, lost_after=lost_after)
    idle, idle_link = ground.worker("idle")
    busy, busy_link = ground.worker("busy")
    number, access = ground.job(busy)
    session = farm.start_ssh(access, "echo in; sleep 4; echo still in")
    wait_for(lambda: "in" in session.text(), 10, "the session")
    ends = ground.alice.request(number)["Job"]["Timeout"]
    idle_link.cut(), busy_link.cut()
    wait_for(lambda: not ground.connected(idle), 2, "the cut being seen", every=0.01)
    # Nothing is sent to a worker that isn't there, however idle it looks.
    waiting = ground.alice.file({"board": "idle"})
    time.sleep(1)
    assert ground.admin.worker(idle.uuid)["State"] == "IDLE"
    assert ground.alice.request(waiting)["State"] == "WAITING"
    idle_link.heal(), busy_link.heal()
    took = seconds_until(lambda: ground.connected(idle) and ground.connected(busy), 3, "both agents")
    started = seconds_until(lambda: ground.alice.request(waiting)["State"] == "IN PROGRESS", 2, "the waiting request")
    tell(f"network cut for 1 s of {lost_after:.0f}: agents back after {took:.2f} s, the waiting request matched after "
         f"{took + started:.2f} s")
    assert "FAILED" not in ground.states(idle) + ground.states(busy)
    assert ground.alice.request(number)["Job"]["Timeout"] == ends
    assert session.wait() == 0 and "still in" in session.text()


def test_a_cut_longer_than_lost_after_pauses_jobs_and_fails_idle_workers(farm, links):
    ground = Ground(farm, links)
    idle, idle_link = ground.worker("idle")
    busy, busy_link = ground.worker("busy")
    number, access = ground.job(busy)
    session = farm.start_ssh(access, "echo in; sleep 6; echo still in")
    wait_for(lambda: "in" in session.text(), 10, "the session")
    ends = instant(ground.alice.request(number)["Job"]["Timeout"])
    idle_link.cut(), busy_link.cut()
    cut = time.monotonic()
    assert ground.admin.await_worker(idle.uuid, "FAILED", seconds=4)["Reason"] == "agent lost"
    lost = time.monotonic() - cut
    assert LOST_AFTER * 0.6 < lost < LOST_AFTER + 0.5
    time.sleep(LOST_AFTER + GRACE / 2 - lost)
    assert ground.admin.worker(busy.uuid)["State"] == "RUNNING"
    idle_link.heal(), busy_link.heal()
    took = seconds_until(lambda: ground.connected(busy), 3, "the busy agent")
    again = seconds_until(lambda: ground.admin.worker(idle.uuid)["State"] == "IDLE", 5, "the idle worker")
    moved = instant(ground.alice.request(number)["Job"]["Timeout"]) - ends
    tell(f"network cut for {LOST_AFTER + GRACE / 2:.0f} s: lost after {lost:.2f} s, the job resumed {took:.2f} s after the "
         f"repair with {moved:.2f} s more, the idle worker IDLE again after {took + again:.2f} s")
    assert GRACE / 2 - 0.7 < moved < GRACE / 2 + took + 0.9
    assert ground.alice.request(number)["State"] == "IN PROGRESS" and counting(busy)
    assert session.wait() == 0 and "still in" in session.text()
    ground.serves(idle)


def test_a_cut_longer_than_the_grace_ends_the_job_and_cleans_up_on_return(farm, links):
    ground = Ground(farm, links)
    busy, link = ground.worker("busy")
    number, access = ground.job(busy)
    session = farm.start_ssh(access, "echo in; sleep 1000")
    wait_for(lambda: "in" in session.text(), 10, "the session")
    link.cut()
    start = time.monotonic()
    wait_for(lambda: ground.alice.request(number)["State"] == "FAILED", 10, "the job being given up", every=0.01)
    took = time.monotonic() - start
    assert LOST_AFTER * 0.6 + GRACE < took < LOST_AFTER + GRACE + 0.5
    assert "agent lost" in ground.alice.request(number)["Reason"]
    assert seconds_until(lambda: session.popen.poll() is not None, 3, "the session being cut") < 1
    assert counting(busy), "the agent can't know yet"
    link.heal()
    gone = seconds_until(lambda: not (busy.job_dir / "count").exists(), 5, "the user being gone")
    back = seconds_until(lambda: ground.admin.worker(busy.uuid)["State"] == "IDLE", 5, "the worker")
    tell(f"network cut beyond the grace of {GRACE:.0f} s: job FAILED after {took:.2f} s, its user gone {gone:.2f} s after "
         f"the repair, the worker IDLE after {gone + back:.2f} s")
    assert not counting(busy)
    ground.serves(busy)


def test_a_connection_that_is_half_open_is_noticed_at_both_ends(farm, links):
    ground = Ground(farm, links, grace=10)
    timing = 'keepalive_every = "5s"\nkeepalive_timeout = "1s"\n'
    idle, idle_link = ground.worker("idle", timing=timing)
    busy, busy_link = ground.worker("busy", timing=timing)
    number, _ = ground.job(busy)
    idle_link.stall(), busy_link.stall()
    start = time.monotonic()
    wait_for(lambda: not ground.connected(idle), 5, "the server noticing")
    noticed = time.monotonic() - start
    assert noticed < LOST_AFTER + 0.7
    waiting = ground.alice.file({"board": "idle"})
    wait_for(lambda: ground.connected(idle) and ground.connected(busy), 12, "the agents noticing")
    back = time.monotonic() - start
    ground.alice.await_state(waiting, "IN PROGRESS", seconds=5)
    tell(f"half-open connection: the server notices after {noticed:.2f} s, the agent is back after {back:.2f} s (keepalive "
         f"5 s + 1 s)")
    assert ground.alice.request(number)["State"] == "IN PROGRESS" and counting(busy)
    assert busy_link.taken == 2, "one connection that died, and one that works"


def test_a_slow_link_serves(farm, links):
    ground = Ground(farm, links)
    dryad, link = ground.worker("slow")
    link.delay = 0.4
    took = [ground.serves(dryad) for _ in range(2)]
    ground.admin.await_worker(dryad.uuid, "IDLE")
    time.sleep(LOST_AFTER + 0.5)
    assert ground.admin.worker(dryad.uuid)["State"] == "IDLE"
    tell(f"400 ms each way: a job from filing to its end in {min(took):.2f} to {max(took):.2f} s, the worker never lost")
    assert "FAILED" not in ground.states(dryad)


def test_a_link_that_keeps_resetting_loses_no_job(farm, links):
    ground = Ground(farm, links)
    workers = [ground.worker(name) for name in ("torn1", "torn2", "torn3")]
    held, access = ground.job(workers[0][0])
    for _, link in workers:
        link.tear(1.2)
    give_up, done, outcomes = time.monotonic() + 5, [], []

    def use(dryad):
        while time.monotonic() < give_up:
            ran = farm.boruta(ground.alice, "run", f"board={dryad.name}", "--", "echo", "ran")
            outcomes.append(ran)
            if ran.code == 0 and ran.out == "ran\n":
                done.append(dryad)

    threads = [threading.Thread(target=use, args=(dryad,)) for dryad, _ in workers[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    resets = sum(link.taken for _, link in workers)
    for _, link in workers:
        link.tear(0)
    bad = [ran for ran in outcomes if ran.code != 0]
    tell(f"connections reset every 0.1 to 1.2 s ({resets} times in 5 s): {len(done)} jobs ran, {len(bad)} did not, the one "
         "held open went on")
    assert len(done) >= 4 and not bad, bad
    assert ground.alice.request(held)["State"] == "IN PROGRESS" and counting(workers[0][0])
    assert farm.ssh(access, "true").code == 0
    took = seconds_until(lambda: all(ground.connected(dryad) for dryad, _ in workers), 5, "all agents")
    assert took < 2


def test_an_agent_killed_in_any_phase_of_prepare_prepares_again(farm, links):
    ground = Ground(farm, links)
    board = ('[board]\ndriver = "exec"\nprepare = ["/bin/sh", "-c", "echo x >> ' + str(farm.directory) +
             '/phases; sleep 0.3"]\n')
    dryad, _ = ground.worker("w1", more=board)
    moments = (0.0, 0.03, 0.1, 0.2, 0.35)
    took = []
    for moment in moments:
        number, _ = ground.job(dryad)
        ground.alice.close(number)
        time.sleep(moment)
        dryad.process.kill()
        # A request that waits meanwhile is served by what is prepared in the end.
        waiting = ground.alice.file({"board": "w1"})
        start = time.monotonic()
        dryad.start()
        access = ground.alice.acquire(waiting)
        assert farm.ssh(access, "cat count 2>/dev/null; echo in").out.strip() == "in", f"killed at {moment}"
        took.append(time.monotonic() - start)
        ground.alice.close(waiting)
        ground.admin.await_worker(dryad.uuid, "IDLE")
    tell(f"dryad killed at {', '.join(f'{moment * 1000:.0f}' for moment in moments)} ms of Prepare: the next user in after "
         f"{min(took):.2f} to {max(took):.2f} s")
    assert max(took) < 3


def test_two_agents_with_one_uuid(farm, links):
    ground = Ground(farm, links)
    first, link = ground.worker("w1")
    twin = farm.make_dryad("twin", {"board": "w1"})
    twin.config.write_text(twin.config.read_text().replace(twin.uuid, first.uuid)
                           .replace("twin.token", "w1.token").replace('name = "twin"', 'name = "w1"'))
    number, access = ground.job(first)
    twin.start()
    wait_for(lambda: "another agent speaks for worker" in twin.process.text(), 5, "the refusal")
    assert twin.process.popen.poll() is None, "it goes on trying"
    # Also while the rightful one is cut off, as long as its job may go on.
    link.cut()
    wait_for(lambda: not ground.connected(first), 2, "the cut")
    time.sleep(1)
    assert not ground.connected(first) and ground.admin.worker(first.uuid)["State"] == "RUNNING"
    link.heal()
    took = seconds_until(lambda: ground.connected(first), 3, "the first agent")
    assert ground.alice.request(number)["State"] == "IN PROGRESS" and counting(first)
    assert farm.ssh(access, "true").code == 0
    ground.alice.close(number)
    ground.admin.await_worker(first.uuid, "IDLE")
    ground.serves(first)
    # A worker that nobody speaks for is the twin's, which goes through an admin's hands: it has other host keys.
    first.process.kill()
    worker = ground.admin.await_worker(first.uuid, "MAINTENANCE")
    tell(f"two agents with one UUID: the second refused while the first serves; the first back {took:.2f} s after a cut")
    assert worker["Connected"]


def test_two_agents_with_one_state(farm, links):
    """As a copied SD card makes them."""
    ground = Ground(farm, links)
    first, _ = ground.worker("w1")
    first.stop()
    # Two on one machine can't have one sshd's port.
    shutil.copytree(first.directory, farm.directory / "copy", ignore=shutil.ignore_patterns("sshd", "lock"))
    config = farm.directory / "copy" / "dryad.conf"
    config.write_text(first.config.read_text().replace(f"{first.directory}/state", f"{farm.directory}/copy/state"))
    copy = Dryad(farm, "copy", config, farm.directory / "copy")
    farm.dryads.append(copy)
    first.start()
    wait_for(lambda: ground.connected(first), 5, "the first agent")
    copy.start()
    took = seconds_until(lambda: "a copied SD card" in first.process.text() + copy.process.text(), 20, "the refusal")
    audit = ("audit", "--kind", "action refused")
    wait_for(lambda: "copied SD card" in farm.boruta(ground.admin, *audit).out, 5, "its being listed")
    # The one that is not refused serves from then on.
    registered = [dryad.process.text().count("registered") for dryad in (first, copy)]
    time.sleep(2 * LOST_AFTER)
    assert [dryad.process.text().count("registered") for dryad in (first, copy)] == registered
    assert ground.connected(first)
    tell(f"two agents with one state: one refused after {took:.2f} s")


def test_maintenance_of_a_worker_that_is_away_is_told_on_return(farm, links):
    ground = Ground(farm, links)
    record = farm.directory / "shown"
    board = ('[board]\ndriver = "exec"\nmaintenance = ["/bin/sh", "-c", "echo $BORUTA_MESSAGE >> ' + str(record) +
             '"]\n')
    dryad, link = ground.worker("w1", more=board)
    link.cut()
    ground.admin.await_worker(dryad.uuid, "FAILED", seconds=4)
    ground.admin.set_state(dryad.uuid, "MAINTENANCE", Reason="SD card broken")
    worker = ground.admin.worker(dryad.uuid)
    assert worker["State"] == "MAINTENANCE" and "agent not told" in worker["Reason"], worker
    assert not record.exists() or "SD card" not in record.read_text()
    link.heal()
    took = seconds_until(lambda: record.exists() and "SD card broken" in record.read_text(), 5, "the board's display")
    wait_for(lambda: "not told" not in ground.admin.worker(dryad.uuid)["Reason"], 2, "the server knowing")
    tell(f"maintenance while the agent is away: told {took:.2f} s after the repair")
    assert ground.admin.worker(dryad.uuid)["State"] == "MAINTENANCE"
    assert json.loads((dryad.state / "state.json").read_text())["job"] == 0


def test_commands_that_wait_in_a_stalled_link_are_not_obeyed_later(farm, links):
    ground = Ground(farm, links)
    record = farm.directory / "prepared"
    board = f'[board]\ndriver = "exec"\nprepare = ["/bin/sh", "-c", "echo x >> {record}"]\n'
    dryad, link = ground.worker("w1", more=board, timing='keepalive_every = "5s"\nkeepalive_timeout = "1s"\n')
    ground.admin.set_state(dryad.uuid, "MAINTENANCE")
    ground.admin.await_worker(dryad.uuid, "MAINTENANCE")
    before = record.read_text()
    link.stall()
    # Prepare is said into the void; by the time the agent is back an admin has decided otherwise.
    ground.admin.set_state(dryad.uuid, "IDLE")
    ground.admin.await_worker(dryad.uuid, "FAILED", seconds=8)
    with contextlib.suppress(Refused):
        ground.admin.set_state(dryad.uuid, "MAINTENANCE")
    wait_for(lambda: ground.connected(dryad), 12, "the agent being back")
    ground.admin.await_worker(dryad.uuid, "MAINTENANCE")
    time.sleep(0.5)
    assert record.read_text() == before
    assert ground.admin.worker(dryad.uuid)["State"] == "MAINTENANCE"
