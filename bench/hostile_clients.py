#!/usr/bin/env python3
"""A hundred clients that mean harm: a quarter each sends heads that never end, guesses tokens, sends bodies that are
too large, and comes and goes without a word.

Usage: hostile_clients.py PORT SECONDS      tells how much harm each kind has tried
"""
import asyncio
import collections
import contextlib
import secrets
import socket
import struct
import sys
import time

CLIENTS_OF_A_KIND = 25
# Of a client that sends heads which never end.
HELD_CONNECTIONS = 20
PIECE = b"x" * 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Gone(Exception):
    """The server has closed the connection, or does not take one."""


@contextlib.asynccontextmanager
async def connection(port):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        await asyncio.sleep(0.1)
        raise Gone from error
    try:
        yield reader, writer
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Gone from error
    finally:
        writer.close()


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return int(head.split()[1])


async def send_a_head_that_never_ends(port, tried):
    async with connection(port) as (_, writer):
        tried["heads that never end"] += 1
        writer.write(b"GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nX: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)


async def guess_tokens(port, tried):
    async with connection(port) as (reader, writer):
        while True:
            guess = "boruta_" + secrets.token_hex(32)
            writer.write(f"GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {guess}\r\n\r\n".encode())
            tried[f"guessed tokens answered with {await answer(reader)}"] += 1


async def send_a_body_that_is_too_large(port, tried):
    async with connection(port) as (_, writer):
        tried["bodies that are too large"] += 1
        writer.write(b"POST /api/v1/reqs/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            writer.write(b"10000\r\n" + PIECE + b"\r\n")
            await writer.drain()


async def come_and_go(port, tried):
    async with connection(port) as (_, writer):
        tried["connections cut in mid-request"] += 1
        writer.write(b"POST /api/v1/reqs/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


async def again_and_again(harm, port, tried, end):
    while time.monotonic() < end:
        with contextlib.suppress(Gone):
            await harm(port, tried)


async def main(port, seconds):
    tried = collections.Counter()
    end = time.monotonic() + seconds
    kinds = [(send_a_head_that_never_ends, CLIENTS_OF_A_KIND * HELD_CONNECTIONS), (guess_tokens, CLIENTS_OF_A_KIND),
             (send_a_body_that_is_too_large, CLIENTS_OF_A_KIND), (come_and_go, CLIENTS_OF_A_KIND)]
    tasks = [asyncio.ensure_future(again_and_again(harm, port, tried, end)) for harm, count in kinds
             for _ in range(count)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome
    for what, count in sorted(tried.items()):
        print(f"{count / seconds:>9.0f}/s  {what}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
