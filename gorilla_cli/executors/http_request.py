"""An HTTP request as a value, written as text and read back exactly; what is to be said of it. Has no effects.

The text is what a person sees and approves, and what `HttpExecutor` sends:

    POST https://api.example.org/pets?limit=3
    Content-Type: application/json
    Authorization: Bearer <secret:account>

    {"name": "Rex"}

A secret stands in it by name only, never by value, and belongs to the address it was given for.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from gorilla_cli.errors import UsageError
from gorilla_cli.sanitise import CONTROL, one_line
from gorilla_cli.types import ApiRecord, Finding, Level

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
READING = {"GET", "HEAD"}
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
URL = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+(?:/[!#-;=?-\[\]_a-z~]*)?(?:\?[!#-;=?-\[\]_a-z~]*)?")
SECRET = re.compile(r"<secret:([\w.-]{1,100})>")
# Set by the executor, or a way to put a second request into the first.
FRAME = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}
FRAME |= {"user-agent", "accept-encoding"}
SECRETIVE = re.compile(
    r"(?:^|_)(?:api_?key|app_?key|access_?key|private_?key|session_?(?:key|id)|(?:client_?)?secret|token|"
    r"pass(?:word|wd|phrase)|authorization|cookie|credentials?|jwt)$"
)
TURNING_PAGES = re.compile(r"(?:page|sync|continuation|cursor|max|next|stop|start)_?token$")
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is sent and never shown. `origin` is the only scheme, host and port it may go to."""

    name: str
    value: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A request: `url` and `headers` in ASCII, `body` "" for none. Each `<secret:NAME>` is one of `secrets`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    secrets: tuple[Secret, ...] = ()


def code(prepared: PreparedCall) -> str:
    """The text of a request; `parse` gives the request back, but for the values of its secrets."""
    head = [f"{prepared.method} {prepared.url}", *(f"{name}: {value}" for name, value in prepared.headers)]
    return "\n".join(head) + (f"\n\n{prepared.body}" if prepared.body else "")


def parse(text: str) -> PreparedCall:
    """The request that `text` is. Raises UsageError for anything that `code` would not write."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, _, url = first.partition(" ")
    headers = tuple(_header(line) for line in lines)
    prepared = PreparedCall(method, url, headers, body)
    check(prepared)
    if code(prepared) != text:
        raise _wrong("it ends in an empty line")
    return prepared


def check(prepared: PreparedCall) -> None:
    """Raises UsageError for a request that could not be shown as it is sent, or that is none."""
    if prepared.method not in METHODS:
        raise _wrong(f"{one_line(prepared.method)[:40]!r} is no method")
    _check_url(prepared.url)
    for name, value in prepared.headers:
        if not TOKEN.fullmatch(name) or name.lower() in FRAME:
            raise _wrong(f"the header {one_line(name)[:80]!r} cannot be set")
        if not re.fullmatch(r"[!-~](?:[ -~]*[!-~])?", value):
            raise _wrong(f"the header {name} has a value that cannot be sent")
    if hit := CONTROL.search(prepared.body):
        raise _wrong(f"the body has a character that cannot be shown: {one_line(hit[0])}")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = URL.fullmatch(SECRET.sub("x", url)) and parts.hostname and not SECRET.search(parts.netloc)
        port = parts.port
    except ValueError:
        fits, port = None, 0
    if not fits or port == 0 or "#" in url:
        raise _wrong(f"{one_line(url)[:200]} is no http address")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(": ")
    if not colon:
        raise _wrong(f"{one_line(line)[:80]!r} is no header")
    return name, value


def _wrong(why: str) -> UsageError:
    return UsageError(f"this is no request: {why}", "METHOD URL, then headers, an empty line and the body")


def origin(url: str) -> str:
    """Scheme, host and port of an address, in one spelling."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def secretive(name: str) -> bool:
    """Does a value of this name let others in? `api_key`, `X-Auth-Token`, `clientSecret`, but not `page_token`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words)
    return bool(SECRETIVE.search(words)) and not TURNING_PAGES.search(words)


def shown(prepared: PreparedCall) -> str:
    """The request for a person's eyes: `code`, with what looks like a secret that somebody wrote out hidden.

    It is `code` itself for what `build` makes, as there every secret has gone behind its name.
    """
    url, mark, query = prepared.url.partition("?")
    headers = tuple((name, _masked(name, value)) for name, value in prepared.headers)
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    body = _masked_pairs(prepared.body) if "form-urlencoded" in kind else _masked_json(prepared.body)
    return code(PreparedCall(prepared.method, url + mark + _masked_pairs(query), headers, body))


def _masked(name: str, value: str) -> str:
    if name.lower() == "cookie" and "=" in value:
        pairs = [pair.partition("=") for pair in value.split("; ")]
        return "; ".join(f"{key}{sign}{_masked('cookie', kept)}" for key, sign, kept in pairs)
    return HIDDEN if value and secretive(name) and not SECRET.search(value) else value


def _masked_pairs(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&")]
    return "&".join(f"{name}{sign}{_masked(unquote(name), value)}" for name, sign, value in pairs)


def _masked_json(body: str) -> str:
    def hide(hit: re.Match[str]) -> str:
        return f'"{hit[1]}"{hit[2]}"{_masked(hit[1], hit[3])}"'

    return re.sub(r'"([^"\\]{1,100})"(\s*:\s*)"((?:[^"\\]|\\.)*)"', hide, body)


def findings(prepared: PreparedCall, record: ApiRecord | None = None, writes: Level = Level.DANGEROUS) -> list[Finding]:
    """What is to be said of a request before it is sent; spans are in `code(prepared)`.

    GET and HEAD are caution, other methods `writes`. Unencrypted, private or oddly written addresses are dangerous,
    the latter two but for the server that `record` itself names.
    """
    host, start = urlsplit(prepared.url).hostname or "", len(prepared.method) + 1
    reads = prepared.method in READING
    what = f"{prepared.method} {'reads from' if reads else 'may change something at'} {host} over the network"
    found = [Finding("http", Level.CAUTION if reads else writes, what, (0, len(prepared.method)))]
    span = (start, start + len(prepared.url))
    if prepared.url.startswith("http:") and not is_loopback(host):
        found.append(Finding("http", Level.DANGEROUS, "it is sent unencrypted: anybody on the way can read it", span))
    own = record is not None and origin(record.api_call.partition(" ")[2]) == origin(prepared.url)
    if not own and (where := _inside(host)):
        found.append(Finding("http", Level.DANGEROUS, f"{host} is {where}, which no documented server is", span))
    names = ", ".join(dict.fromkeys(SECRET.findall(code(prepared))))
    if names:
        found.append(Finding("http", Level.CAUTION, f"{host} gets the secret {names}"))
    return found


def is_loopback(host: str) -> bool:
    address = literal(host)
    return host == "localhost" or host.endswith(".localhost") or bool(address and address.is_loopback)


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` is, an IPv4 address written as IPv6 as itself; None when it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _inside(host: str) -> str:
    """Where a host lies that is not on the public network; "" for others, and for names."""
    if is_loopback(host):
        return "this machine"
    address = literal(host)
    if address is not None:
        return "" if address.is_global else "an address of a private network"
    last = host.rstrip(".").rpartition(".")[2]
    return "an address in an unusual spelling" if re.fullmatch(r"\d+|0x[0-9a-f]*", last) else ""


def filled(prepared: PreparedCall, secrets: Mapping[str, str]) -> PreparedCall:
    """The request with the values of `secrets` (name -> value) in the places of their names, to be sent and not shown.

    Raises KeyError for a name that is not there, UsageError for a value that cannot be sent in its place.
    """
    kind = next((value for name, value in prepared.headers if name.lower() == "content-type"), "")
    written = quote_plus if "form-urlencoded" in kind else _in_json if "json" in kind else str

    def put(text: str, how: Any) -> str:
        return SECRET.sub(lambda hit: how(secrets[hit[1]]), text)

    url = put(prepared.url, lambda value: quote(value, safe=""))
    headers = tuple((name, put(value, str)) for name, value in prepared.headers)
    whole = PreparedCall(prepared.method, url, headers, put(prepared.body, written))
    try:
        check(whole)
    except UsageError:
        raise UsageError("a secret has characters that cannot be sent", "check for blanks and line ends") from None
    return whole


def _in_json(value: str) -> str:
    return json_text(value)[1:-1]


def json_text(value: Any) -> str:
    """`value` as JSON that a terminal shows as it is: what cannot be shown is written `\\u....`."""
    text = json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) and value else None)
    return CONTROL.sub(lambda hit: json.dumps(hit[0])[1:-1] if ord(hit[0]) > 127 else f"\\u{ord(hit[0]):04x}", text)


def basic(value: str) -> str:
    """user:password as RFC 7617 sends it."""
    return base64.b64encode(value.encode("utf-8")).decode("ascii")
