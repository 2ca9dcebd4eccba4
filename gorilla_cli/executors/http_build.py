"""Makes a request out of a record of kind "http" and the values a person gave. Pure.

What it reads in a record: `api_call` is `METHOD URL` with {name} in its path; the type of an argument is
`TYPE[ by SEPARATOR], in PLACE[ as MEDIA]`; a line `secret NAME: WHAT` of the environment requirements says how a
secret is sent. Nothing of a record gets into a request unencoded, and no value of a secret into its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from gorilla_cli.errors import UsageError
from gorilla_cli.executors.http_request import PreparedCall, Secret, basic, check, json_text, origin, secretive
from gorilla_cli.sanitise import one_line
from gorilla_cli.types import ApiRecord, Argument

TYPE = re.compile(
    r"(?P<kind>.*?)(?: by (?P<separator>commas|blanks|tabs|pipes|brackets))?"
    r", in (?P<place>path|query|header|cookie|body|form|whole body)(?: as (?P<media>[\w.+/-]+))?"
)
KEY = re.compile(r"secret (?P<name>.+): (?:(?P<way>bearer token|user:password)|api key in (?P<place>\w+) (?P<key>\S+))")
SEPARATORS = {"commas": ",", "blanks": "%20", "tabs": "%09", "pipes": "%7C"}
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PRINTABLE = "".join(map(chr, range(32, 127)))


class Masked(str):
    """The place of a secret, `<secret:NAME>`: the one text that is not encoded."""


def build(record: ApiRecord, values: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> PreparedCall:
    """The request that calls `record` with `values` (argument -> text, or a JSON value) and `secrets` (scheme -> text).

    A text is taken as its argument's type says: "3" as a number, "a,b" or JSON as a list, JSON as an object. Raises
    UsageError for a missing, unknown or unfitting value, or a record that is not of kind "http".
    """
    if record.kind != "http":
        raise UsageError(f"{one_line(record.api_call)} is no HTTP call", "it runs as Python")
    known = {argument.name for argument in record.api_arguments}
    if unknown := [name for name in values if name not in known]:
        raise UsageError(f"{record.api_name} has no argument {unknown[0]!r}", f"it has: {', '.join(known) or 'none'}")
    method, _, template = record.api_call.partition(" ")
    plain = re.sub(r"\{[^{}/]+\}", "x", template)
    check(PreparedCall(method, plain))
    making = _Making(method, template, origin(plain))
    for argument in record.api_arguments:
        making.take(argument, values.get(argument.name))
    for line in record.environment_requirements:
        making.authorise(line, secrets or {})
    return making.done()


@dataclass
class _Making:
    """A request while it is put together."""

    method: str
    url: str
    origin: str
    query: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=lambda: {"Accept": "application/json, */*;q=0.5"})
    cookies: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    form: list[str] = field(default_factory=list)
    media: str = JSON
    body: str = ""
    secrets: dict[str, Secret] = field(default_factory=dict)

    def take(self, argument: Argument, given: Any) -> None:
        """Put the value of one argument where it belongs; its default where it is needed. Raises UsageError."""
        shape = TYPE.fullmatch(argument.type)
        if shape is None:
            raise UsageError(
                f"where {argument.name} is sent is not known: {argument.type}", "add the OpenAPI file again"
            )
        if given is None and argument.required:
            given = argument.default or None
            if given is None:
                raise UsageError(f"{argument.name} is needed", argument.description or argument.type)
        if given is None:
            return
        value = _value(argument, shape["kind"], given)
        place = shape["place"]
        if value != "":
            value = self._mask(argument.name, value, place == "cookie", place in ("body", "whole body"))
        getattr(self, f"_in_{place.replace(' ', '_')}")(argument.name, value, shape["separator"], shape["media"])

    def _mask(self, name: str, value: Any, always: bool, typed: bool) -> Any:
        """`value` with its secret texts behind their names; `typed`: what is no text stays what it is."""
        if isinstance(value, dict):
            return {str(key): self._mask(f"{name}.{key}", inner, always, typed) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._mask(f"{name}.{n}", inner, always, typed) for n, inner in enumerate(value, 1)]
        last = [part for part in name.split(".") if not part.isdecimal()]
        hidden = always or (bool(last) and secretive(last[-1]))
        if not hidden or (typed and not isinstance(value, str)):
            return value
        return self._secret(name, _scalar(value))

    def _secret(self, name: str, value: str) -> Masked:
        bare = re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)[:100]
        if self.secrets.setdefault(bare, Secret(bare, value, self.origin)).value != value:
            raise UsageError(f"two secrets are called {bare}", "give one of them")
        return Masked(f"<secret:{bare}>")

    def _in_path(self, name: str, value: Any, separator: str | None, media: str | None) -> None:
        text = _joined(value, separator or "commas", media)
        if text in ("", ".", ".."):
            raise UsageError(f"{name} cannot be {text!r}: it is part of the address", "give another value")
        self.url = self.url.replace(f"{{{name}}}", text)

    def _in_query(self, name: str, value: Any, separator: str | None, media: str | None) -> None:
        self.query += _pairs(name, value, separator, media)

    def _in_form(self, name: str, value: Any, separator: str | None, media: str | None) -> None:
        self.form += _pairs(name, value, separator, media, quote_plus)

    def _in_cookie(self, name: str, value: Any, separator: str | None, media: str | None) -> None:
        self.cookies.append(f"{name}={_joined(value, separator or 'commas', media)}")

    def _in_header(self, name: str, value: Any, separator: str | None, media: str | None) -> None:
        text = json.dumps(value) if media else _joined(value, separator or "commas", None, _header_text)
        if not text.strip():
            raise UsageError(f"{name} cannot be empty", "leave it out, or give a value")
        self.headers[name] = text.strip()

    def _in_body(self, name: str, value: Any, _separator: str | None, media: str | None) -> None:
        self.fields[name] = value
        self.media = media or JSON

    def _in_whole_body(self, _name: str, value: Any, _separator: str | None, media: str | None) -> None:
        self.media = media or JSON
        self.body = json_text(value) if "json" in self.media else _scalar(value)

    def authorise(self, line: str, given: Mapping[str, str]) -> None:
        """Send the secret that `line` of the requirements names, if it was given."""
        key = KEY.fullmatch(line)
        if key is None or not given.get(key["name"]):
            return
        value = given[key["name"]]
        hidden = self._secret(key["name"], basic(value) if key["way"] == "user:password" else value)
        if key["way"]:
            self.headers["Authorization"] = f"{'Basic' if key['way'] == 'user:password' else 'Bearer'} {hidden}"
        elif key["place"] == "header":
            self.headers[key["key"]] = hidden
        elif key["place"] == "query":
            self.query.append(f"{quote(key['key'], safe='')}={hidden}")
        elif key["place"] == "cookie":
            self.cookies.append(f"{key['key']}={hidden}")

    def done(self) -> PreparedCall:
        body = self.body or (json_text(self.fields) if self.fields else "&".join(self.form))
        if body:
            self.headers["Content-Type"] = FORM if self.form and not self.fields else self.media
        if self.cookies:
            self.headers["Cookie"] = "; ".join(self.cookies)
        url = self.url + ("?" + "&".join(self.query) if self.query else "")
        prepared = PreparedCall(self.method, url, tuple(self.headers.items()), body, tuple(self.secrets.values()))
        check(prepared)
        return prepared


def _value(argument: Argument, kind: str, given: Any) -> Any:
    """`given` as a JSON value of `kind`, one of the choices where there are some. Raises UsageError."""
    if "<secret:" in str(given):
        raise UsageError(f"{argument.name} cannot be text that stands for a secret", "give the value itself")
    if argument.choices and _scalar(given) not in argument.choices:
        allowed = one_line(", ".join(argument.choices))
        raise UsageError(f"{argument.name} cannot be {one_line(str(given))!r}", f"one of: {allowed}")
    if not isinstance(given, str):
        return _json_value(argument, given)
    for one in kind.split(" or "):
        for value in _read(given, one.partition(" ")[0]):
            return value
    raise UsageError(f"{argument.name} cannot be {one_line(given)!r}", f"it is {kind}")


def _json_value(argument: Argument, given: Any) -> Any:
    try:
        return json.loads(json.dumps(given, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        raise UsageError(f"{argument.name} cannot be sent: it is no JSON value", "give it as text") from None


def _read(text: str, kind: str) -> Iterator[Any]:
    """`text` as a value of `kind`; nothing when it is none."""
    if kind == "string":
        yield text
    elif kind == "integer" and re.fullmatch(r"-?\d{1,300}", text, re.ASCII):
        yield int(text)
    elif kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text, re.ASCII):
        yield from _json(text)
    elif kind == "boolean" and text.lower() in ("true", "false"):
        yield text.lower() == "true"
    elif kind == "array":
        yield from (value for value in _json(text) if isinstance(value, list))
        yield text.split(",")
    elif kind == "object":
        yield from (value for value in _json(text) if isinstance(value, dict))
    elif kind not in ("integer", "number", "boolean"):
        yield from _json(text) if text[:1] in ("{", "[") else []
        yield text


def _json(text: str) -> list[Any]:
    """What `text` says in JSON, alone in a list; empty when it is none."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return []
    return [value]


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _encoded(value: Any, how: Any = quote) -> str:
    """A scalar, percent-encoded; a dot alone is not a way up, so it stays."""
    if isinstance(value, Masked):
        return value
    return how(_scalar(value), safe="")


def _header_text(value: str, safe: str = "") -> str:
    return quote(value, safe=PRINTABLE + safe)


def _joined(value: Any, separator: str, media: str | None, how: Any = quote) -> str:
    """A value as one text: lists and objects with a separator between their parts."""
    if media:
        return _encoded(json.dumps(value, ensure_ascii=False), how)
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    parts = [_encoded(one, how) for one in value] if isinstance(value, list) else [_encoded(value, how)]
    return SEPARATORS.get(separator, ",").join(parts)


def _pairs(name: str, value: Any, separator: str | None, media: str | None, how: Any = quote) -> list[str]:
    """`name=value`, as often as a list or an object without a separator needs."""
    key = how(name, safe="[]")
    if isinstance(value, dict) and not media and separator in (None, "brackets"):
        names = {inner: f"{key}[{how(inner, safe='')}]" if separator else how(inner, safe="") for inner in value}
        return [f"{names[inner]}={_encoded(one, how)}" for inner, one in value.items()]
    if isinstance(value, list) and not media and separator in (None, "brackets"):
        return [f"{key}={_encoded(one, how)}" for one in value]
    return [f"{key}={_joined(value, separator or 'commas', media, how)}"]
