"""Clients that misbehave on real sockets take nothing from those that don't."""

import contextlib
import resource
import socket
import time

import pytest

IDLE = 2000
# On a loaded machine too; alone it is a few milliseconds.
PROMPT_SECONDS = 1.0
HEAD = b"POST /api/v1/reqs/ HTTP/1.1\r\nHost: x\r\n"

BAD_INPUTS = {
    "large head": (HEAD + b"X: " + b"x" * 20_000, b"431"),
    "large body": (HEAD + b"Content-Length: 1048577\r\n\r\n", b"413"),
    "growing chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17, b"413"),
    "endless chunk head": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 100_000, b"431"),
    "bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    "length and chunks": (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    "length and another coding": (HEAD + b"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", b"400"),
    "two lengths": (HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", b"400"),
    "NUL in the head": (HEAD + b"X: \0\r\n\r\n", b"400"),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
}


@contextlib.contextmanager
def open_files(limit):
    """The soft limit for this process, and for those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < limit:
        pytest.skip(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def seconds_of_an_honest_client(api):
    start = time.monotonic()
    api.need("GET", f"/api/v1/reqs/{api.file({'none': 'such'})}")
    return time.monotonic() - start


def address_of(server):
    host, port = server.endpoints["http"].rsplit(":", 1)
    return host, int(port)


def answer_to(server, data):
    with socket.create_connection(address_of(server), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_two_thousand_idle_connections_lock_nobody_out(farm):
    # The usual limit, which the server raises by itself.
    with open_files(1024):
        server = farm.start_server()
    alice = farm.user("alice")
    with open_files(3 * IDLE), contextlib.ExitStack() as idle:
        for number in range(IDLE):
            connection = idle.enter_context(socket.create_connection(address_of(server), timeout=10))
            # Half say nothing at all, half stop in the middle of a head.
            if number % 2:
                connection.sendall(HEAD)
        slowest = max(seconds_of_an_honest_client(alice) for _ in range(20))
        print(f"\namong {IDLE} idle connections an honest client took {slowest * 1000:.1f} ms at most")
        assert slowest < PROMPT_SECONDS
    assert seconds_of_an_honest_client(alice) < PROMPT_SECONDS


@pytest.mark.parametrize("what", BAD_INPUTS)
def test_bad_input_is_refused_and_the_next_client_is_served(farm, what):
    data, status = BAD_INPUTS[what]
    server = farm.start_server()
    alice = farm.user("alice")
    assert answer_to(server, data).startswith(b"HTTP/1.1 " + status + b" ")
    assert seconds_of_an_honest_client(alice) < PROMPT_SECONDS


def test_pipelined_requests_are_answered_in_their_order(farm):
    server = farm.start_server(auth="off")
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    miss = b"GET /api/v1/reqs/77 HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = answer_to(server, (ask + miss) * 50)
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"404"] * 50
