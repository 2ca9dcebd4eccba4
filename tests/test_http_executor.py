"""The HTTP executor against a real server on this machine: what it receives, and what is made of its answers."""

from __future__ import annotations

import io
import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gorilla_cli.errors import GorillaError, StateError, UsageError
from gorilla_cli.executors.http import HttpExecutor, Secret, build, code
from gorilla_cli.sources.openapi import OpenApi
from gorilla_cli.types import ApiCall, Approved, Candidate

FORM = "Content-Type: application/x-www-form-urlencoded"


class Server(ThreadingHTTPServer):
    """Keeps what it received. `answers`: path -> (status, headers, body); other paths echo the request as JSON."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Responder)
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Responder(BaseHTTPRequestHandler):
    server: Server
    timeout = 10

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.received.append((self.command, self.path, dict(self.headers), body))
        path = self.path.partition("?")[0]
        if path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(60):
                self.wfile.write(b".")
                time.sleep(0.05)
            return
        echo = json.dumps({"method": self.command, "path": self.path, "body": body.decode()}).encode()
        status, headers, data = self.server.answers.get(path, (200, {"Content-Type": "application/json"}, echo))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client may hang up
            self.close_connection = True


@pytest.fixture
def server(loopback) -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def approve(text: str) -> Approved:
    return Approved(Candidate(ApiCall("", text, "r")), "bash", "/", Approved.digest_of(text, "bash", "/"))


def run(text: str, secrets: tuple[Secret, ...] = (), **settings_: Any) -> tuple[int, str, str]:
    """Exit code, what was printed, and what was said beside it."""
    out, err = io.StringIO(), io.StringIO()
    outcome = HttpExecutor(secrets, out=out, err=err, **settings_).run(approve(text))
    assert outcome.seconds >= 0
    return outcome.exit_code, out.getvalue(), err.getvalue()


def test_from_the_file_to_the_server_and_back(server, tmp_path):
    parts = [("petId", "path", "string"), ("limit", "query", "integer"), ("X-Trace", "header", "string")]
    document = {
        "swagger": "2.0",
        "info": {"title": "Pets"},
        "host": f"127.0.0.1:{server.server_port}",
        "schemes": ["http"],
        "securityDefinitions": {"account": {"type": "basic"}},
        "security": [{"account": []}],
        "paths": {
            "/pets/{petId}": {
                "put": {
                    "parameters": [
                        *({"name": name, "in": place, "type": type_, "required": True} for name, place, type_ in parts),
                        {"name": "b", "in": "body", "schema": {"properties": {"name": {"type": "string"}}}},
                    ]
                }
            }
        },
    }
    file = tmp_path / "api.json"
    file.write_text(json.dumps(document))
    (described,) = OpenApi(file).records()
    values = {"petId": "a/b", "limit": "3", "X-Trace": "t", "name": "Réx"}
    prepared = build(described, values, {"account": "me:hush"})
    assert run(code(prepared), prepared.secrets)[0] == 0
    ((method, path, headers, body),) = server.received
    assert (method, path, json.loads(body)) == ("PUT", "/pets/a%2Fb?limit=3", {"name": "Réx"})
    assert body.decode() == code(prepared).partition("\n\n")[2]
    sent = {
        "Authorization": "Basic bWU6aHVzaA==",
        "X-Trace": "t",
        "User-Agent": "gorilla",
        "Accept-Encoding": "identity",
    }
    assert sent.items() <= headers.items()
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"


def test_secrets_are_encoded_for_their_place(server):
    value = 'a"b &é+'
    text = f'POST {server.url}/x?k=<secret:k>\nContent-Type: application/json\n\n{{"k": "<secret:k>"}}'
    assert run(text, (Secret("k", value, server.url),))[0] == 0
    form = f"POST {server.url}/x\n{FORM}\n\nk=<secret:k>&z=1"
    assert run(form, (Secret("k", value, server.url),))[0] == 0
    assert server.received[0][1] == "/x?k=a%22b%20%26%C3%A9%2B"
    assert json.loads(server.received[0][3]) == {"k": value}
    assert server.received[1][3] == b"k=a%22b+%26%C3%A9%2B&z=1"


@pytest.mark.parametrize("value", ["a\r\nX-More: 1", "é", " a", "a\x00"])
def test_a_secret_cannot_change_the_request(server, value):
    with pytest.raises(UsageError, match="a secret has characters"):
        run(f"GET {server.url}/\nX-Key: <secret:k>", (Secret("k", value, server.url),))
    assert server.received == []


def test_a_secret_goes_to_its_own_address_only(server):
    for secrets, why in (
        ((), "the secret k is not known"),
        ((Secret("k", "hush", "https://h.example:443"),), "the secret k is for https://h.example:443 only"),
    ):
        with pytest.raises(StateError, match=why):
            run(f"GET {server.url}/?k=<secret:k>", secrets)
    assert server.received == []


@pytest.mark.parametrize(
    ("status", "kind", "body", "printed"),
    [
        (200, "application/json", b'{"a":[1,"\xc3\xa9"]}', '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n'),
        (200, "application/json", b'"\\u001b[2J\\u202e"', '"\\u001b[2J\\u202e"\n'),
        (200, "application/json", b"{not json", "{not json\n"),
        (200, "text/plain; charset=latin-1", b"caf\xe9 \x1b[2J\r\nx", "café \\x1b[2J\nx\n"),
        (200, "text/plain; charset=nothing", b"\xff", "\ufffd\n"),
        (200, "application/atom+xml", b"<a/>\n", "<a/>\n"),
        (200, "", b"bare", "bare\n"),
        (200, "text/html", b"[" * 100_000, "[" * 100_000 + "\n"),
        (200, "application/json", b"9" * 5000, "9" * 5000 + "\n"),
        (204, "", b"", ""),
        (201, "application/json", b"{}", "{}\n"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_answer_is_printed_so_that_it_only_shows(server, status, kind, body, printed):
    server.answers["/"] = (status, {"Content-Type": kind} if kind else {}, body)
    assert run(f"GET {server.url}/") == (0, printed, "")


def test_what_is_no_text_is_not_printed(server):
    server.answers["/"] = (200, {"Content-Type": "image/png"}, b"\x89PNG\r\n")
    assert run(f"GET {server.url}/") == (0, "", "image/png, 6 bytes: not text, so not shown\n")


@pytest.mark.parametrize(("status", "said"), [(404, "404 Not Found\n"), (500, "500 Internal Server Error\n")])
def test_another_status_than_success_is_told(server, status, said):
    server.answers["/"] = (status, {"Content-Type": "application/json"}, b'{"error": 1}')
    assert run(f"GET {server.url}/") == (1, '{\n  "error": 1\n}\n', said)


def test_head_prints_the_headers(server):
    server.answers["/"] = (200, {"X-A": "b\x1bc", "Content-Type": "application/json"}, b"{}")
    exit_code, printed, _ = run(f"HEAD {server.url}/")
    assert (exit_code, "X-A: b\\x1bc\n" in printed) == (0, True)


def test_a_redirect_within_the_address_is_followed_for_what_reads(server):
    server.answers["/a"] = (302, {"Location": "/b?x=1"}, b"")
    exit_code, printed, said = run(f"GET {server.url}/a\nX-Key: <secret:k>", (Secret("k", "hush", server.url),))
    assert (exit_code, json.loads(printed)["path"], said) == (0, "/b?x=1", "")
    assert [one[2]["X-Key"] for one in server.received] == ["hush", "hush"]


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/b",
        "https://127.0.0.1:{port}/b",
        "file:///etc/passwd",
        "http://u@127.0.0.1:{port}/b",
        "//h.example",
        "http://[",
        "http://[x]/",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(server, location):
    target = location.format(port=server.server_port)
    server.answers["/a"] = (307, {"Location": target}, b"")
    exit_code, printed, said = run(f"GET {server.url}/a")
    assert (exit_code, printed, len(server.received)) == (1, "", 1)
    assert said.startswith("307 Temporary Redirect\nit redirects to ")
    assert said.endswith(", where nothing was sent\n")


def test_a_redirect_of_what_writes_is_not_followed(server):
    server.answers["/a"] = (307, {"Location": "/b"}, b"")
    assert run(f"POST {server.url}/a")[0] == 1
    assert [one[1] for one in server.received] == ["/a"]


def test_redirects_end(server):
    server.answers["/a"] = (302, {"Location": "/a"}, b"")
    exit_code, _, said = run(f"GET {server.url}/a")
    assert (exit_code, said) == (1, "302 Found\nit redirects more than 5 times\n")
    assert len(server.received) == 5


def test_a_secret_in_a_redirect_is_not_told(server):
    server.answers["/a"] = (302, {"Location": "https://evil.example/?k=hush%20hush"}, b"")
    _, _, said = run(f"GET {server.url}/a?k=<secret:k>", (Secret("k", "hush hush", server.url),))
    assert "https://evil.example/?k=<secret:k>" in said


def test_a_long_answer_is_cut_off(server):
    server.answers["/"] = (200, {"Content-Type": "text/plain"}, b"x" * 5000)
    exit_code, printed, said = run(f"GET {server.url}/", most_bytes=1000)
    assert (exit_code, printed, said) == (1, "x" * 1000 + "\n", "the answer is cut off after 1000 bytes\n")
    server.answers["/"] = (200, {"Content-Type": "text/plain"}, b"x" * 1000)
    assert run(f"GET {server.url}/", most_bytes=1000) == (0, "x" * 1000 + "\n", "")


def test_an_answer_that_breaks_off_is_told(server):
    server.answers["/"] = (200, {"Content-Type": "text/plain", "Content-Length": "10"}, b"abc")
    assert run(f"GET {server.url}/") == (1, "abc\n", "the answer is cut off after 3 bytes\n")


@pytest.mark.parametrize("settings_", [{"total": 0.3}, {"timeout": 0.01}])
def test_an_answer_that_does_not_end_is_given_up(server, settings_):
    with pytest.raises(GorillaError, match="no answer from 127.0.0.1: it did not answer in time"):
        run(f"GET {server.url}/slow", **settings_)


def test_compressed_data_is_refused(server):
    server.answers["/"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    with pytest.raises(GorillaError, match="compressed data nobody asked for"):
        run(f"GET {server.url}/")


def test_nobody_there_is_told(loopback):
    with Server() as gone:
        url = gone.url
    with pytest.raises(GorillaError, match="no answer from 127.0.0.1: Connection refused"):
        run(f"GET {url}/")


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1"])
def test_a_name_that_leads_to_this_machine_is_refused_unless_allowed(server, host):
    text = f"GET http://{host}:{server.server_port}/"
    with pytest.raises(GorillaError, match="leads to 127.0.0.1, which is not on the public network; nothing was sent"):
        run(text)
    assert server.received == []
    assert run(text, private_hosts={host})[0] == 0


def test_localhost_is_what_it_says(server):
    assert run(f"GET http://localhost:{server.server_port}/")[0] == 0


@pytest.mark.parametrize("field", ["candidate", "shell", "cwd", "digest"])
def test_anything_else_than_what_was_approved_is_refused(server, field):
    other = {"candidate": approve(f"GET {server.url}/b").candidate, "shell": "sh", "cwd": "/x", "digest": "0" * 64}
    with pytest.raises(StateError, match="nothing was sent"):
        HttpExecutor().run(replace(approve(f"GET {server.url}/a"), **{field: other[field]}))
    assert server.received == []


def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:9")
    assert run(f"GET {server.url}/")[0] == 0


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that signs itself: its file and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    names = [str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    make = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *subject]
    subprocess.run([*make, "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
    return names


def test_certificates_are_checked(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    text = f"GET https://127.0.0.1:{server.server_port}/"
    with pytest.raises(GorillaError, match="no answer from 127.0.0.1: .*self-signed"):
        run(text)
    assert server.received == []
    assert run(text, ca_file=certificate[0])[0] == 0
    with pytest.raises(GorillaError, match="it did not answer in time"):
        run(text + "slow", ca_file=certificate[0], total=0.3)
