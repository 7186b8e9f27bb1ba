"""Users' connections to workers, dialled by the server and through the agent."""

import contextlib
import hashlib
import os
import pathlib
import socket
import threading
import time

import pytest

from farm import free_port_range, wait_for

WAYS = ("direct", "agent")
LIMIT = 64
MIB = 1024 * 1024


def start(farm, mode, more=""):
    """A server with `mode`, a worker and a job on it."""
    server = farm.start_server(tunnel=f'mode = "{mode}"')
    dryad = farm.start_dryad("w1", more=more)
    admin = farm.admin()
    number = admin.file()
    access = admin.acquire(number)
    return server, dryad, admin, number, access


def free_port():
    return free_port_range()[0]


def connect(access):
    link = socket.create_connection((access["Addr"]["IP"], int(access["Addr"]["Port"])), 10)
    link.settimeout(20)
    return link


def resident(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def await_ends(links, until):
    """Fails unless every one of `links` has ended by then."""
    for link in links:
        link.settimeout(max(0.001, until - time.monotonic()))
        with contextlib.suppress(ConnectionError):
            assert link.recv(1) == b""


def test_auto_dials_a_worker_that_can_be_dialled(farm):
    _, dryad, admin, _, access = start(farm, "auto")
    assert admin.worker(dryad.uuid)["Tunnel"] == ""
    assert farm.ssh(access, "echo", "direct").out == "direct\n"
    assert admin.worker(dryad.uuid)["Tunnel"] == "direct"


def test_auto_goes_through_the_agent_where_the_server_cannot_dial(farm):
    _, dryad, admin, number, access = start(farm, "auto", f'ssh_address = "nowhere.invalid:{free_port()}"\n')
    shown = farm.boruta(admin, "workers", "show", "w1")
    assert "tunnel       not tried yet" in shown.out, shown
    assert farm.ssh(access, "echo", "behind", "NAT").out == "behind NAT\n"
    assert admin.worker(dryad.uuid)["Tunnel"] == "agent"
    shown = farm.boruta(admin, "workers", "show", "w1")
    assert "tunnel       through its agent" in shown.out, shown
    # It is remembered: later connections don't wait for the dial to fail.
    begun = time.monotonic()
    with connect(access) as link:
        assert link.recv(4) == b"SSH-"
    assert time.monotonic() - begun < 0.5
    # Another stream may come from another place on the network.
    admin.close(number)
    dryad.stop()
    dryad.start()
    wait_for(lambda: admin.worker(dryad.uuid)["Tunnel"] == "", what="the way being forgotten")


def test_dial_only_does_not_ask_the_agent(farm):
    _, _, admin, _, access = start(farm, "direct", f'ssh_address = "nowhere.invalid:{free_port()}"\n')
    with connect(access) as link:
        assert link.recv(4) == b""
    assert 'boruta_tunnel_connections_total{way="none"} 1' in admin.call("GET", "/metrics").body


@pytest.mark.parametrize("way", WAYS)
def test_each_direction_ends_by_itself(farm, way):
    _, _, admin, number, access = start(farm, way)
    assert admin.worker(admin.request(number)["Job"]["WorkerUUID"])["Tunnel"] == way
    big = farm.directory / "big"
    big.write_bytes(os.urandom(1 * MIB) * 48)
    digest = hashlib.sha256(big.read_bytes()).hexdigest()
    with big.open("rb") as data:
        up = farm.start_ssh(access, "sha256sum", stdin=data)
        assert up.wait(40) == 0, up.text()
    assert up.text().split()[0] == digest
    with big.open("rb") as data:
        both = farm.start_ssh(access, "cat", stdin=data)
        assert both.wait(40) == 0
    assert hashlib.sha256(both.log.read_bytes()).hexdigest() == digest
    traffic = admin.request(number)["Traffic"]
    assert traffic["BytesToWorker"] > 96 * MIB and traffic["BytesToUser"] > 48 * MIB, traffic
    assert traffic["Connections"] == 2, traffic
    assert f'boruta_tunnel_connections_total{{way="{way}"}} 2' in admin.call("GET", "/metrics").body


@pytest.mark.parametrize("way", WAYS)
def test_a_job_has_64_connections_which_go_with_it(farm, way):
    farm.start_server(auth="off", tunnel=f'mode = "{way}"')
    admin = farm.admin()
    with contextlib.ExitStack() as held:
        # In place of an sshd, which takes fewer strangers at a time.
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        listener.settimeout(10)
        farm.simulate(1, "--ssh-address", f"127.0.0.1:{listener.getsockname()[1]}")
        worker = wait_for(admin.workers, what="the worker")[0]["WorkerUUID"]
        admin.set_state(worker, "IDLE")
        number = admin.file()
        access = admin.acquire(number)
        users, ends = [], []
        for _ in range(LIMIT):
            users.append(held.enter_context(connect(access)))
            ends.append(held.enter_context(listener.accept()[0]))
            ends[-1].sendall(b"!")
            assert users[-1].recv(1) == b"!"
        with connect(access) as beyond, contextlib.suppress(ConnectionError):
            assert beyond.recv(1) == b""
        page = admin.call("GET", "/metrics").body
        assert 'boruta_tunnel_connections_total{way="refused"} 1' in page
        assert f"boruta_tunnel_open_connections {LIMIT}" in page
        # Another may come when one has ended.
        users.pop().close()
        ends.pop().close()
        wait_for(lambda: f"boruta_tunnel_open_connections {LIMIT - 1}" in admin.call("GET", "/metrics").body)
        users.append(held.enter_context(connect(access)))
        ends.append(held.enter_context(listener.accept()[0]))
        begun = time.monotonic()
        admin.close(number)
        await_ends([*users, *ends], begun + 1.0)
        with pytest.raises(ConnectionRefusedError):
            connect(access)
        assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("way", WAYS)
def test_connections_leave_no_descriptor(farm, way):
    server = farm.start_server(auth="off", tunnel=f'mode = "{way}"')
    admin = farm.admin()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.settimeout(10)
        agents = farm.simulate(1, "--ssh-address", f"127.0.0.1:{listener.getsockname()[1]}")
        worker = wait_for(admin.workers, what="the worker")[0]["WorkerUUID"]
        admin.set_state(worker, "IDLE")
        access = admin.acquire(admin.file())

        def descriptors():
            return [len(os.listdir(f"/proc/{process.pid}/fd")) for process in (server.process, agents)]

        def use(ends_first):
            with connect(access) as user, listener.accept()[0] as end:
                end.sendall(b"!")
                assert user.recv(1) == b"!"
                (end if ends_first else user).close()

        use(False)
        wait_for(lambda: "boruta_tunnel_open_connections 0" in admin.call("GET", "/metrics").body)
        before = descriptors()
        for i in range(1000):
            use(i % 2 == 0)
        wait_for(lambda: "boruta_tunnel_open_connections 0" in admin.call("GET", "/metrics").body)
        wait_for(lambda: all(now <= then for now, then in zip(descriptors(), before)),
                 what=f"no more than {before} descriptors")


@pytest.mark.parametrize("way", WAYS)
def test_a_stalled_reader_stalls_its_sender(farm, way, monkeypatch):
    # What AddressSanitizer keeps of freed memory is no memory of ours.
    monkeypatch.setenv("ASAN_OPTIONS", f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=1".lstrip(":"))
    server, dryad, admin, number, access = start(farm, way)
    ran = farm.boruta(admin, "version")
    assert ran.code == 0
    before = resident(server.process), resident(dryad.process)
    # Ssh stalls since nobody reads its output, and the tunnel behind it.
    reader, writer = os.pipe()
    ssh = farm.start_ssh(access, "cat /dev/zero", stdout=writer)
    os.close(writer)
    assert os.read(reader, 1) == b"\0"

    def moved():
        return admin.request(number)["Traffic"]["BytesToUser"]

    def stands():
        first = moved()
        time.sleep(0.5)
        return moved() == first

    wait_for(stands, 20, "the sender being stalled")
    grown = resident(server.process) - before[0], resident(dryad.process) - before[1]
    # ThreadSanitizer remembers who touched which memory, in memory.
    allowed = (128 if os.environ.get("BORUTA_SANITIZE") == "thread" else 8) * MIB
    assert max(grown) < allowed, f"server and agent grew by {grown} bytes"
    # It goes on when the reader does.
    stalled_at = moved()
    stop = threading.Event()

    def drain():
        while not stop.is_set() and os.read(reader, MIB):
            pass

    thread = threading.Thread(target=drain)
    thread.start()
    wait_for(lambda: moved() > stalled_at + 8 * MIB, 20, "the sender going on")
    admin.close(number)
    ssh.wait(5)
    stop.set()
    thread.join(5)
    os.close(reader)
