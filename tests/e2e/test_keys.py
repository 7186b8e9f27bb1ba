"""Users' own SSH keys, and what is left of those that were made for a job."""

import pathlib
import re
import subprocess
import threading
import time

import pytest

from farm import Refused, tell, wait_for

# After a job's end no file of the server may hold a piece of its key.
NO_TRACE_WITHIN = 5.0
TYPES = [("ed25519", []), ("ecdsa", ["-b", "384"]), ("rsa", ["-b", "3072"])]


def make_key(farm, name, kind="ed25519", options=()):
    """Path of a private key; the public one is beside it."""
    file = farm.directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-C", f"{name}@laptop", "-f", file], check=True)
    return file


def fingerprint(file):
    return subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True).stdout.split()[1]


def add(api, name, file):
    return api.need("POST", "/api/v1/keys/", {"Name": name, "Key": file.with_suffix(".pub").read_text()})["ID"]


def logs_in(farm, access, file):
    return farm.ssh(access, "true", key=file.read_text()).code == 0


def files_with(directory, pieces):
    """Names of the files that hold one of `pieces`."""
    found = []
    for file in filter(pathlib.Path.is_file, directory.iterdir()):
        content = file.read_bytes()
        if any(piece in content for piece in pieces):
            found.append(file.name)
    return found


def pieces_of(key):
    """Each line of the key by itself: a page of the database may end anywhere."""
    return [line.encode() for line in key.splitlines() if not line.startswith("-----")]


def test_a_users_own_keys_open_the_worker_and_no_private_key_is_sent(farm):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    files = [make_key(farm, f"key-{kind}", kind, options) for kind, options in TYPES]
    for file in files:
        done = farm.boruta(alice, "keys", "add", file.with_suffix(".pub"))
        assert done.code == 0 and fingerprint(file) in done.out, done
    listed = farm.boruta(alice, "keys")
    assert all(fingerprint(file) in listed.out for file in files), listed
    assert re.search(r"key-ed25519@laptop\s+alice\s+ED25519\s+256 ", listed.out), listed

    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    assert "Key" not in access
    assert "PRIVATE KEY" not in farm.admin().call("POST", f"/api/v1/reqs/{number}/acquire_worker").body
    for file in files:
        assert logs_in(farm, access, file), file
    other = make_key(farm, "other")
    assert not logs_in(farm, access, other)
    # The key that was made for the worker is gone with the match, and opens nothing.
    wait_for(lambda: not files_with(farm.server.data, [b"PRIVATE KEY"]), 5, "the made key being gone")
    alice.close(number)
    farm.admin().await_worker(dryad.uuid, "IDLE")


def test_the_client_uses_the_users_own_key(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    file = make_key(farm, "mine")
    assert farm.boruta(alice, "keys", "add", file).code == 64, "a private key is not even sent"
    assert farm.boruta(alice, "keys", "add", f"{file}.pub", "--name", "laptop").code == 0
    ran = farm.boruta(alice, "run", "board=x", "--", "echo", "in", env={"BORUTA_SSH_KEY": str(file)})
    assert (ran.code, ran.out) == (0, "in\n"), ran
    stranger = make_key(farm, "stranger")
    ran = farm.boruta(alice, "run", "board=x", "--", "true", env={"BORUTA_SSH_KEY": str(stranger)})
    assert ran.code == 122 and "Permission denied" in ran.err, ran
    # As ssh finds it by itself.
    agent = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    env = dict(re.findall(r"(SSH_\w+)=([^;]+);", agent))
    try:
        subprocess.run(["ssh-add", "-q", file], env={**farm.environment(alice), **env}, check=True)
        ran = farm.boruta(alice, "run", "board=x", "--", "echo", "in", env=env)
        assert (ran.code, ran.out) == (0, "in\n"), ran
    finally:
        subprocess.run(["kill", env["SSH_AGENT_PID"]], check=True)


def test_who_has_no_key_gets_one_made_as_ever(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    add(bob, "bobs", make_key(farm, "bobs"))
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    assert access["Key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert farm.ssh(access, "echo", "in").out == "in\n"
    # A key that comes during the job is for the next one.
    mine = make_key(farm, "mine")
    add(alice, "mine", mine)
    assert alice.acquire(number)["Key"] == access["Key"]
    assert not logs_in(farm, access, mine)


def test_a_key_that_is_removed_opens_a_running_job_no_more(farm):
    farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    stolen, kept = make_key(farm, "stolen"), make_key(farm, "kept")
    number_of_stolen = add(alice, "stolen", stolen)
    number_of_kept = add(alice, "kept", kept)
    number = alice.file({"board": "x"})
    access = alice.acquire(number)
    assert logs_in(farm, access, stolen) and logs_in(farm, access, kept)
    start = time.monotonic()
    alice.need("DELETE", f"/api/v1/keys/{number_of_stolen}")
    wait_for(lambda: not logs_in(farm, access, stolen), 5, "the stolen key opening nothing")
    tell(f"a removed key opens a running job no more after {time.monotonic() - start:.2f} s")
    assert logs_in(farm, access, kept)
    late = make_key(farm, "late")
    add(alice, "late", late)
    wait_for(lambda: logs_in(farm, access, late), 5, "a further key opening the job")
    with pytest.raises(Refused) as refused:
        alice.need("DELETE", "/api/v1/keys/3")
        alice.need("DELETE", f"/api/v1/keys/{number_of_kept}")
    assert f"request {number} runs, and no other key opens its worker" in refused.value.message
    alice.close(number)
    alice.need("DELETE", f"/api/v1/keys/{number_of_kept}")
    assert not farm.boruta(alice, "keys").out


def test_keys_outlive_a_restart(farm):
    server = farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    file = make_key(farm, "mine")
    add(alice, "mine", file)
    number = alice.file({"board": "x"})
    alice.acquire(number)
    server.process.kill()
    server.start()
    access = wait_for(lambda: alice.acquire(number), 20, "access after the restart")
    assert "Key" not in access
    wait_for(lambda: logs_in(farm, access, file), 10, "logging in after the restart")


def test_keys_are_refused_in_words(farm):
    farm.start_server()
    alice = farm.user("alice")
    weak = make_key(farm, "weak", "rsa", ["-b", "1024"]).with_suffix(".pub").read_text()
    good = make_key(farm, "good").with_suffix(".pub").read_text()
    for line, words in ((weak, "the RSA key has 1024 bits: 2048 to 16384 are taken"),
                        (f'command="sh" {good}', "options before the key (command=, from=, …) are not taken"),
                        ("ssh-dss AAAA", "keys of type ssh-dss are not taken"),
                        (good + good, "a single line"), ("", "no public key of OpenSSH")):
        with pytest.raises(Refused) as refused:
            alice.need("POST", "/api/v1/keys/", {"Name": "k", "Key": line})
        assert refused.value.status == 400 and f"Key: " in refused.value.message and words in refused.value.message
    assert alice.need("GET", "/api/v1/keys/") == []
    # Yours are yours.
    number = alice.need("POST", "/api/v1/keys/", {"Name": "k", "Key": good})["ID"]
    bob = farm.user("bob")
    with pytest.raises(Refused) as refused:
        bob.need("DELETE", f"/api/v1/keys/{number}")
    assert refused.value.status == 403
    assert bob.need("GET", "/api/v1/keys/") == []
    assert [key["User"] for key in farm.admin().need("GET", "/api/v1/keys/")] == ["alice"]


def busy_writers(api, stop, durations):
    """Files and closes requests all the time, so that the store is never quiet."""
    while not stop.is_set():
        start = time.monotonic()
        api.close(api.file({"board": "none"}))
        durations.append((time.monotonic() - start) / 2)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_no_trace_of_a_jobs_key_is_left_in_the_servers_files(farm, busy):
    farm.start_server()
    dryad = farm.start_dryad("w1", {"board": "x"})
    alice, bob = farm.user("alice"), farm.user("bob")
    stop, durations = threading.Event(), []
    writers = [threading.Thread(target=busy_writers, args=(bob, stop, durations)) for _ in range(4 if busy else 0)]
    for writer in writers:
        writer.start()
    try:
        slowest = 0.0
        for _ in range(3):
            number = alice.file({"board": "x"})
            pieces = pieces_of(alice.acquire(number)["Key"])
            assert len(pieces) > 20 and files_with(farm.server.data, pieces), "or the search would find nothing ever"
            alice.close(number)
            start = time.monotonic()
            wait_for(lambda: not files_with(farm.server.data, pieces), NO_TRACE_WITHIN, "the key being gone")
            slowest = max(slowest, time.monotonic() - start)
            farm.admin().await_worker(dryad.uuid, "IDLE")
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    tell(f"a job's key left the server's files within {slowest:.2f} s of its end, {'busy' if busy else 'idle'}")
    if busy:
        durations.sort()
        tell(f"meanwhile {len(durations)} pairs of changes, each change in {durations[len(durations) // 2] * 1e3:.1f} ms "
             f"(median), {durations[-1] * 1e3:.0f} ms (slowest)")
        assert durations[-1] < 1.0, "a scrub may not stall the writers"


def test_a_server_that_was_killed_leaves_no_trace_either(farm):
    server = farm.start_server()
    farm.start_dryad("w1", {"board": "x"})
    alice = farm.user("alice")
    number = alice.file({"board": "x"})
    pieces = pieces_of(alice.acquire(number)["Key"])
    alice.close(number)
    server.process.kill()
    server.start()
    wait_for(lambda: not files_with(server.data, pieces), NO_TRACE_WITHIN, "the key being gone")
