"""Reads an OpenAPI file, JSON or YAML, into plain values, within bounds; knows nothing of what they mean.

No tags, aliases or merge keys of YAML are read, so that a small file stays small; a `$ref` is only looked up in the
file itself. YAML is read as its 1.2 core schema: `on`, `12:30` and `2024-01-01` are words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from gorilla_cli.errors import UsageError
from gorilla_cli.sanitise import one_line

MOST_BYTES = 16 << 20
DEPTH = 64
MOST_VALUES = 1_000_000
REFS = 20
SCALARS = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "tag:yaml.org,2002:int": (r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "tag:yaml.org,2002:float": (r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
}


class Refused(ValueError):
    """The file is more than what is read; the message says which bound it breaks."""


@dataclass(frozen=True)
class Document:
    """A whole file as nested dicts with text keys, lists, texts, numbers, booleans and None."""

    root: dict[str, Any]

    def resolve(self, value: Any) -> Any:
        """`value`, or what its `$ref` chain leads to in this file; None for another file, a cycle, or nothing there."""
        for _ in range(REFS):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value
            value = self._at(value["$ref"])
        return None

    def _at(self, ref: str) -> Any:
        """What a JSON pointer (RFC 6901) names."""
        if not ref.startswith("#/"):
            return None
        value: Any = self.root
        for part in unquote(ref[2:]).split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                return None
        return value


def read(data: bytes, origin: str) -> Document:
    """The document in `data`, at most MOST_BYTES; `origin` names it in messages. Raises UsageError."""
    try:
        if len(data) > MOST_BYTES:
            raise Refused(f"it has more than {MOST_BYTES >> 20} MiB")
        text = data.decode("utf-8-sig", errors="replace")
        value = _from_json(text) if text.lstrip()[:1] in ("{", "[") else _from_yaml(text)
        root = _plain(value, DEPTH)
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{one_line(origin)}: {_reason(error)}", "give an OpenAPI file, JSON or YAML") from None
    if not isinstance(root, dict):
        raise UsageError(f"{one_line(origin)}: this is not an OpenAPI file", "give an OpenAPI file, JSON or YAML")
    return Document(root)


def _reason(error: BaseException) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))[:200]


def _from_json(text: str) -> Any:
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise Refused("it has more than a million values")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        try:
            return _from_yaml(text)  # flow style of YAML begins like JSON
        except ValueError:
            raise Refused(f"line {error.lineno}: {error.msg}") from None


def _no_constant(name: str) -> Any:
    raise Refused(f"{name} is no JSON")


def _from_yaml(text: str) -> Any:
    import yaml

    try:
        _check_events(text)
        return yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader, with less than its usual types
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise Refused(f"line {mark.line + 1}: {problem}" if mark else str(error)) from None


def _check_events(text: str) -> None:
    """Refuse what would grow or nest without end, before anything is built. Raises Refused."""
    import yaml

    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))):
        if count > MOST_VALUES:
            raise Refused("it has more than a million values")
        if isinstance(event, yaml.AliasEvent):
            raise Refused(f"line {event.start_mark.line + 1}: aliases (*{event.anchor}) are not read")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise Refused("it is nested too deeply")


@cache
def _loader() -> Any:
    """PyYAML's safe loader with YAML 1.2's few types of plain words."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    for tag, (pattern, first) in SCALARS.items():
        Loader.add_implicit_resolver(tag, re.compile(rf"^(?:{pattern})$"), first)
    return Loader


def _plain(value: Any, depth: int) -> Any:
    """`value` with text keys, and nothing but what JSON has. Raises Refused."""
    if depth == 0 and isinstance(value, dict | list):
        raise Refused("it is nested too deeply")
    if isinstance(value, dict):
        return {str(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth - 1) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise Refused(f"a {type(value).__name__} is no JSON")
