"""TLS for users and agents, with a private authority made by one command."""

import contextlib
import http.client
import signal
import socket
import ssl
import subprocess

from farm import BIN, wait_for


def init_tls(farm, *words, directory=None):
    where = directory or farm.directory / "tls"
    done = subprocess.run([BIN / "borutad", "init-tls", "--dir", where, "--data-dir", farm.directory / "data", *words],
                          capture_output=True, text=True, errors="replace", check=False, timeout=30)
    return done, where


def start(farm, tls, more=""):
    settings = f'[tls]\ncertificate = "{tls}/server.pem"\nkey = "{tls}/server.key"\n{more}'
    return farm.start_server(settings, ca=tls / "ca.pem")


def shown_certificate(address, ca):
    """The serial number of what the server shows, as one who trusts `ca` sees it; and the protocol."""
    host, port = address.split(":")
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection((host, int(port)), 5) as plain, \
            context.wrap_socket(plain, server_hostname=host) as secure:
        return secure.getpeercert()["serialNumber"], secure.version()


def agents_certificate(address):
    done = subprocess.run(["openssl", "s_client", "-connect", address, "-alpn", "h2"], input="", capture_output=True,
                          text=True, errors="replace", check=False, timeout=20)
    shown = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout, capture_output=True, text=True, errors="replace",
                           check=False)
    return shown.stdout.strip().removeprefix("serial=")


def speaks(address, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), 5) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def test_a_farm_over_tls_from_one_command(farm):
    done, tls = init_tls(farm)
    assert done.returncode == 0 and "[tls]" in done.stdout and "BORUTA_CA=" in done.stdout, done
    for secret in ("ca.key", "server.key"):
        assert (tls / secret).stat().st_mode & 0o077 == 0
    server = start(farm, tls)
    alice = farm.user("alice")
    farm.start_dryad("w1", {"board": "x"}, head=f'ca_file = "{tls}/ca.pem"\n')
    ran = farm.boruta(alice, "run", "board=x", "--", "echo", "in", env={"BORUTA_CA": str(tls / "ca.pem")})
    assert (ran.code, ran.out) == (0, "in\n"), ran
    untrusted = farm.boruta(alice, "whoami")
    assert untrusted.code != 0 and "certificate is not trusted" in untrusted.err, untrusted
    for address in (server.endpoints["http"], server.endpoints["agent"]):
        assert speaks(address, ssl.TLSVersion.TLSv1_3)
        assert speaks(address, ssl.TLSVersion.TLSv1_2)
        assert not speaks(address, ssl.TLSVersion.TLSv1_1)
        assert not speaks(address, ssl.TLSVersion.TLSv1)
    plain = http.client.HTTPConnection(server.endpoints["http"], timeout=5)
    with contextlib.suppress(http.client.HTTPException, OSError):
        plain.request("GET", "/healthz")
        assert plain.getresponse().status == 0, "plain HTTP was answered"


def test_a_new_certificate_is_taken_up_at_sighup_and_the_farm_goes_on(farm):
    _, tls = init_tls(farm)
    server = start(farm, tls)
    dryad = farm.start_dryad("w1", {"board": "x"}, head=f'ca_file = "{tls}/ca.pem"\n')
    before = shown_certificate(server.endpoints["http"], tls / "ca.pem")[0]
    assert agents_certificate(server.endpoints["agent"]) == before
    ca = (tls / "ca.pem").read_text()
    done, _ = init_tls(farm)
    assert done.returncode == 0 and (tls / "ca.pem").read_text() == ca, "the authority stays"
    assert shown_certificate(server.endpoints["http"], tls / "ca.pem")[0] == before
    server.process.signal(signal.SIGHUP)
    after = wait_for(lambda: {shown_certificate(server.endpoints["http"], tls / "ca.pem")[0]} - {before}, 5,
                     "the new certificate for users").pop()
    wait_for(lambda: agents_certificate(server.endpoints["agent"]) == after, 5, "the new certificate for agents")
    assert farm.admin().worker(dryad.uuid)["Connected"]

    (tls / "server.pem").write_text("nonsense")
    server.process.signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays in use" in server.process.text(), 5, "the complaint")
    assert shown_certificate(server.endpoints["http"], tls / "ca.pem")[0] == after
    assert farm.admin().need("GET", "/api/v1/whoami")


def refused_start(farm, *flags, settings=""):
    config = farm.directory / "refused.toml"
    config.write_text(settings)
    return subprocess.run([BIN / "borutad", "--config", config, "--data-dir", farm.directory / "data", "--agent-listen",
                           "127.0.0.1:0", *flags], capture_output=True, text=True, errors="replace", check=False, timeout=20)


def test_a_start_without_what_it_needs_is_refused_in_words(farm):
    plain = refused_start(farm, "--http-listen", "0.0.0.0:0")
    assert plain.returncode == 64 and "borutad init-tls" in plain.stderr and "--insecure" in plain.stderr
    _, tls = init_tls(farm)
    half = refused_start(farm, settings=f'[tls]\ncertificate = "{tls}/server.pem"\n')
    assert half.returncode == 78 and "tls needs both certificate and key" in half.stderr
    mixed = refused_start(farm, "--http-listen", "127.0.0.1:0",
                          settings=f'[tls]\ncertificate = "{tls}/server.pem"\nkey = "{tls}/ca.key"\n')
    assert mixed.returncode == 69 and "ca.key" in mixed.stderr, mixed
    bad, _ = init_tls(farm, "--host", "two words")
    assert bad.returncode == 69 and "neither a name nor an IP address" in bad.stderr


def test_a_plain_listener_beyond_this_machine_is_told_of_in_one_line(farm):
    server = farm.start_server()
    assert "not encrypted" not in server.process.text()
    server.process.signal(signal.SIGTERM)
    server.process.wait()
    process = farm.spawn("borutad insecure", [BIN / "borutad", "--config", server.config, "--data-dir", server.data,
                                              "--http-listen", "0.0.0.0:0", "--agent-listen", "127.0.0.1:0",
                                              "--insecure"])
    wait_for(lambda: "borutad is up" in process.text(), 15, "the start")
    told = [line for line in process.text().splitlines() if "not encrypted" in line]
    assert len(told) == 1 and "HTTP on 0.0.0.0" in told[0] and "--insecure" in told[0], told


def test_a_certificate_for_other_names_is_made_when_asked(farm):
    done, tls = init_tls(farm, "--host", "farm.example", "192.0.2.7")
    assert done.returncode == 0
    text = subprocess.run(["openssl", "x509", "-noout", "-text", "-in", tls / "server.pem"], capture_output=True,
                          text=True, errors="replace", check=True).stdout
    assert "DNS:farm.example, IP Address:192.0.2.7" in text
    assert subprocess.run(["openssl", "verify", "-CAfile", tls / "ca.pem", tls / "server.pem"], capture_output=True,
                          check=False).returncode == 0

