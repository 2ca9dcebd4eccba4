"""Sends an approved HTTP request and prints the answer: a door to the network, for what a person said yes to.

Connects by itself, without proxies, to the address it has checked; the rest is `http.client`. A secret goes nowhere but
to the address it was given for, a redirect is followed only there and only for what reads, and the answer is bounded
in size and time and cannot write to a terminal what does not show.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, urljoin, urlsplit

from gorilla_cli.errors import GorillaError, StateError, UsageError
from gorilla_cli.executors.http_build import build
from gorilla_cli.executors.http_request import (
    READING,
    SECRET,
    PreparedCall,
    Secret,
    check,
    code,
    filled,
    findings,
    is_loopback,
    json_text,
    literal,
    origin,
    parse,
    shown,
)
from gorilla_cli.sanitise import one_line, show
from gorilla_cli.types import Approved, Outcome

if TYPE_CHECKING:
    import socket
    import threading
    from http.client import HTTPResponse

__all__ = ["HttpExecutor", "PreparedCall", "Secret", "build", "code", "findings", "parse", "shown"]

MOST_BYTES = 16 << 20
REDIRECTS = 5
MOVED = {301, 302, 303, 307, 308}
TEXT = re.compile(r"text/|application/(?:[\w.-]+\+)?(?:xml|yaml|x-yaml|javascript|x-ndjson|x-www-form-urlencoded)")


@dataclass(frozen=True)
class Answer:
    """What came back: `location` where a redirect leads, `whole` whether `data` is all of it."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    data: bytes
    whole: bool
    kind: str
    charset: str
    location: str = ""


@dataclass(frozen=True)
class HttpExecutor:
    """Sends requests as `http_request.code` writes them, with `secrets` in the places of their names.

    `private_hosts` are names that may lead to private addresses. `timeout` is for each wait and `total` for the whole
    answer, in seconds; `ca_file` adds certificates to trust. The answer goes to `out`, the status to `err`.
    """

    secrets: Sequence[Secret] = ()
    private_hosts: Container[str] = ()
    timeout: float = 30.0
    total: float = 300.0
    most_bytes: int = MOST_BYTES
    ca_file: str = ""
    out: TextIO | None = None
    err: TextIO | None = None

    def run(self, approved: Approved) -> Outcome:
        """Send it and print the answer; exit code 0 for a status of 2xx, else 1.

        Raises StateError when it is not what was approved or a secret is not for its address, UsageError when it is no
        request, GorillaError when no answer comes.
        """
        command = approved.candidate.action.command
        if Approved.digest_of(command, approved.shell, approved.cwd) != approved.digest:
            raise StateError("the request is not the one that was approved; nothing was sent")
        prepared = parse(command)
        started = time.monotonic()
        answer, note = self._answer(filled(prepared, self._values(prepared)))
        good = 200 <= answer.status < 300
        self._print(prepared.method, answer)
        for line in (*([] if good else [f"{answer.status} {answer.reason}"]), note):
            if line:
                print(one_line(self._without_secrets(line)), file=self.err or sys.stderr)
        return Outcome(0 if good and answer.whole else 1, time.monotonic() - started)

    def _values(self, prepared: PreparedCall) -> dict[str, str]:
        """The secrets that the request names. Raises StateError unless each is there, and for this address."""
        known, values = {secret.name: secret for secret in self.secrets}, {}
        for name in SECRET.findall(code(prepared)):
            if name not in known:
                raise StateError(f"the secret {name} is not known; nothing was sent", "give it again")
            if known[name].origin != origin(prepared.url):
                raise StateError(f"the secret {name} is for {known[name].origin} only; nothing was sent")
            values[name] = known[name].value
        return values

    def _answer(self, request: PreparedCall) -> tuple[Answer, str]:
        """The last answer, after redirects within one address, and what is to be said about it."""
        for _ in range(REDIRECTS):
            answer = self._sent(request)
            if answer.status not in MOVED or not answer.location:
                return answer, "" if answer.whole else f"the answer is cut off after {len(answer.data)} bytes"
            target = _joined(request.url, answer.location)
            if not self._may_follow(request, target):
                return answer, f"it redirects to {target}, where nothing was sent"
            request = replace(request, url=target)
        return answer, f"it redirects more than {REDIRECTS} times"

    def _may_follow(self, request: PreparedCall, target: str) -> bool:
        try:
            check(replace(request, url=target))
        except UsageError:
            return False
        return request.method in READING and origin(target) == origin(request.url)

    def _sent(self, request: PreparedCall) -> Answer:
        """Send one request and read its answer. Raises GorillaError."""
        from http.client import HTTPException

        host = urlsplit(request.url).hostname or ""
        try:
            with self._connected(request.url) as channel:
                return _exchange(channel, request, self.most_bytes)
        except (OSError, HTTPException, ValueError) as error:
            raise GorillaError(
                f"no answer from {one_line(host)}: {self._without_secrets(_reason(error))}",
                "check the address and the connection",
            ) from None

    @contextlib.contextmanager
    def _connected(self, url: str) -> Iterator[socket.socket]:
        """A connection to the checked address of `url`, closed after `total` seconds whatever happens."""
        import socket
        import threading

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            self._check_address(host, address)
        late = threading.Event()
        with contextlib.ExitStack() as stack:
            channel = stack.enter_context(_connect(addresses, port, self.timeout))
            # A second descriptor: TLS takes the first one over.
            timer = threading.Timer(self.total, _end, (stack.enter_context(channel.dup()), late))
            stack.callback(timer.cancel)
            timer.start()
            try:
                yield stack.enter_context(self._encrypted(channel, host)) if parts.scheme == "https" else channel
            finally:
                if late.is_set():
                    raise TimeoutError

    def _check_address(self, host: str, address: str) -> None:
        """A name that leads to this machine or a private network must say so. Raises GorillaError."""
        at = literal(address.partition("%")[0])
        named = literal(host) is not None or host in self.private_hosts
        if at is None or not (at.is_global or named or (is_loopback(host) and at.is_loopback)):
            raise GorillaError(
                f"{one_line(host)} leads to {address}, which is not on the public network; nothing was sent",
                "if that is right, allow this host or write the address itself",
            )

    def _encrypted(self, channel: socket.socket, host: str) -> socket.socket:
        import ssl

        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context.wrap_socket(channel, server_hostname=host)

    def _print(self, method: str, answer: Answer) -> None:
        out = self.out or sys.stdout
        if method == "HEAD":
            out.write("".join(f"{one_line(name)}: {one_line(value)}\n" for name, value in answer.headers))
        text = _readable(answer)
        if text is None:
            told = one_line(answer.kind or "data")
            print(f"{told}, {len(answer.data)} bytes: not text, so not shown", file=self.err or sys.stderr)
        elif text:
            out.write(text if text.endswith("\n") else text + "\n")

    def _without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            for value in (secret.value, quote(secret.value, safe="")):
                text = text.replace(value, f"<secret:{secret.name}>") if value else text
        return text


def _joined(url: str, location: str) -> str:
    """Where `location` leads from `url`; `location` itself when it leads nowhere."""
    try:
        return urljoin(url, location).partition("#")[0]
    except ValueError:
        return location


def _connect(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    """A connection to the first address that takes it. Raises the last one's OSError."""
    import socket

    last: OSError = OSError("it has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=timeout)
        except OSError as error:
            last = error
    raise last


def _end(channel: socket.socket, late: threading.Event) -> None:
    """End a connection under whoever waits for it, and say so."""
    import socket

    late.set()
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _exchange(channel: socket.socket, request: PreparedCall, most: int) -> Answer:
    """One request and its answer over a connection. Raises OSError, HTTPException."""
    from http.client import HTTPConnection

    parts = urlsplit(request.url)
    connection = HTTPConnection(parts.hostname or "")
    connection.sock = channel
    body = request.body.encode("utf-8") if request.body else None
    frame = {"Host": parts.netloc, "User-Agent": "gorilla", "Accept-Encoding": "identity", "Connection": "close"}
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(request.method, path, body, {**frame, **dict(request.headers)})
    with contextlib.closing(connection.getresponse()) as response:
        return _read(response, most)


def _read(response: HTTPResponse, most: int) -> Answer:
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise OSError("it sent compressed data nobody asked for")
    data = bytearray()
    while len(data) <= most and (chunk := response.read(min(1 << 16, most + 1 - len(data)))):
        data += chunk
    return Answer(
        status=response.status,
        reason=response.reason,
        headers=tuple(response.headers.items()),
        data=bytes(data[:most]),
        whole=len(data) <= most and not response.length,
        kind=response.headers.get_content_type() if "Content-Type" in response.headers else "",
        charset=response.headers.get_content_charset() or "utf-8",
        location=response.headers.get("Location", ""),
    )


def _readable(answer: Answer) -> str | None:
    """The answer for a terminal: JSON indented, other text as it is; None when it is neither."""
    try:
        text = answer.data.decode(answer.charset, errors="replace")
    except LookupError:
        text = answer.data.decode("utf-8", errors="replace")
    if answer.kind in ("", "application/octet-stream") and "\0" in text:
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        plain = not answer.kind or "json" in answer.kind or TEXT.match(answer.kind) or not answer.data
        return show(text.replace("\r\n", "\n")) if plain else None
    return json_text(value)


def _reason(error: BaseException) -> str:
    """What went wrong, in one short line."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "it did not answer in time"
    told = getattr(error, "verify_message", "") or (isinstance(error, OSError) and error.strerror) or str(error)
    return one_line(re.sub(r"^\[Errno -?\d+\] ", "", str(told) or type(error).__name__))[:200]
