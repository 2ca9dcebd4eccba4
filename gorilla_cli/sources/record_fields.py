"""The fields of an API record out of the irregular JSON they come in. Pure; knows nothing of files.

Texts are stripped of control characters; "N/A", "None" and "" mean absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gorilla_cli.sanitise import strip
from gorilla_cli.sources.figures import absent
from gorilla_cli.types import Argument

ABSENT = {"", "n/a", "none", "null"}
MAX_DEPTH = 8
MAX_ARGUMENTS = 500
MAX_PERFORMANCE = 4000
NAME = r"\*{0,2}[A-Za-z_][\w.\[\]-]*"
SAID = re.compile(
    rf"['\"]?(?P<name>{NAME})['\"]?\s*(?:\((?P<type>[^()]*)\)\s*)?(?:(?P<sep>[:=])\s*(?P<rest>.*))?", re.DOTALL
)
TYPE_WORD = (
    r"(?:str|string|text|int|integer|float|number|bool|boolean|list|dict|tuple|array|object|tensor|bytes|callable|Path"
    r"|Any|None)"
)
TYPE = re.compile(
    rf"(?:(?:Optional|Union|List|Dict|Tuple|Sequence|Literal)\[.*\]|{TYPE_WORD}(?:(?: or |\s*\|\s*){TYPE_WORD})*)",
    re.IGNORECASE,
)
DEFAULT = re.compile(
    r"[,;(]?\s*\bdefaults?(?:\s+(?:is|to|value))*\s*[:=]?\s*(?P<default>[^,;()\s]+|'[^']*'|\"[^\"]*\")\)?\s*$",
    re.IGNORECASE,
)
LITERAL = re.compile(r"True|False|None|[-+]?\d+(?:\.\d+)?(?:e-?\d+)?|(['\"]).*\1|\[.*\]|\(.*\)|\{.*\}", re.DOTALL)
DESCRIBED = {"type", "description", "default", "required", "choices", "enum", "options", "name", "optional", "value"}
PIP = re.compile(r"^[!%]?\s*(?:python3? -m )?pip3? install\s+")
IMPORT = re.compile(r"^(?:import|from)\s+([\w.]+)")
VERSION = re.compile(r"[<>=!~]=?\s*\d[\w.*+!-]*(?:\s*,\s*[<>=!~]+\s*\d[\w.*+!-]*)*")


def line(value: object) -> str:
    """A text on one line, "" when absent."""
    text = " ".join(strip(value).split()) if isinstance(value, str) else ""
    return "" if text.lower() in ABSENT else text


def block(value: object) -> str:
    """A text that keeps its lines, without blanks at their ends and empty lines around."""
    text = strip(value.replace("\r\n", "\n").replace("\r", "\n")) if isinstance(value, str) else ""
    text = "\n".join(row.rstrip() for row in text.split("\n")).strip("\n")
    return "" if text.strip().lower() in ABSENT else text


def lines(value: object) -> tuple[str, ...]:
    """The distinct texts of a list, or of one text."""
    items = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(filter(None, map(line, items))))


def code(value: object, depth: int = 0) -> str:
    """Example code out of a text, a list of lines, or an object of steps (some have the code as keys)."""
    if isinstance(value, list) and depth < MAX_DEPTH:
        return block("\n".join(filter(None, (code(item, depth + 1) for item in value))))
    if isinstance(value, dict) and depth < MAX_DEPTH:
        return block("\n".join(filter(None, (code(_step(*pair), depth + 1) for pair in value.items()))))
    return block(value)


def _step(key: str, value: Any) -> Any:
    return key if absent(value) and re.search(r"[=(]|^(?:import|from) ", key) else value


def requirements(value: object, depth: int = 0) -> tuple[str, ...]:
    """What must be installed, one requirement each: "pip install x y" is x and y, {"x": ">=2"} is "x>=2"."""
    if depth > MAX_DEPTH:
        return ()
    if isinstance(value, list):
        found = [name for item in value for name in requirements(item, depth + 1)]
    elif isinstance(value, dict):
        found = [name for pair in _versions(value) for name in _required(*pair, depth)]
    else:
        found = list(_installed(block(value)))
    return tuple(dict.fromkeys(filter(None, map(line, found))))


def _versions(fields: dict[str, Any]) -> list[tuple[str, Any]]:
    """The (name, version) pairs of an object, {"library": x, "version": v} among them."""
    for key in ("library", "package", "name"):
        if isinstance(fields.get(key), str):
            return [(fields[key], fields.get("version", ""))]
    return list(fields.items())


def _required(name: str, version: Any, depth: int) -> Iterable[str]:
    if isinstance(version, (list, dict)) or PIP.match(line(version)):
        return requirements(version, depth + 1)
    said = line(version).replace(" ", "")
    name = re.sub(r"_version$", "", line(name))
    if VERSION.fullmatch(said):
        return _installed(name + said)
    return _installed(
        f"{name}=={said}" if re.fullmatch(r"\d+(?:\.\d+)*(?:[a-z]+\d+)*(?:\.\*)?(?:\+\w[\w.]*)?", said) else name
    )


def _installed(text: str) -> Iterator[str]:
    """The requirements of one line: names with versions, "pip install x y", "import x.y as z"."""
    for part in re.split(r"[,;\n](?!\s*[<>=!~])", text):
        found = IMPORT.match(part.strip())
        if PIP.match(part.strip()):
            yield from (word for word in PIP.sub("", part.strip()).split() if not word.startswith("-"))
        elif part.strip().lower() != "latest":
            yield found[1].partition(".")[0] if found else part


def arguments(value: object) -> tuple[Argument, ...]:
    """Documented arguments out of an object, a list, or a text such as "name: type, default x; other".

    What has no identifier for a name ("speech input") is no argument and left out.
    """
    if isinstance(value, dict):
        found: Iterable[Argument | None] = (_given(name, said) for name, said in value.items())
    elif isinstance(value, list):
        found = (argument for item in value for argument in _listed(item))
    else:
        found = map(_said, _pieces(block(value)))
    named = [argument for argument in found if argument is not None][:MAX_ARGUMENTS]
    return united(named)


def united(found: Iterable[Argument]) -> tuple[Argument, ...]:
    """Each name once: what the first does not say is taken from the later ones."""
    merged: dict[str, Argument] = {}
    for new in found:
        old = merged.get(new.name, new)
        merged[new.name] = Argument(
            new.name,
            old.type or new.type,
            old.description or new.description,
            old.required or new.required,
            old.default or new.default,
            old.choices or new.choices,
        )
    return tuple(merged.values())


def _listed(item: Any) -> list[Argument | None]:
    if isinstance(item, dict) and isinstance(item.get("name"), str):
        return [_given(item["name"], item)]
    if isinstance(item, dict):
        return [_given(name, said) for name, said in item.items()]
    return [_said(block(item))]


def _given(name: str, said: Any) -> Argument | None:
    """One entry of an object: its value is a description of the argument, its choices, a default, or prose."""
    name = line(name)
    if not re.fullmatch(NAME, name):
        return None
    if isinstance(said, dict) and said.keys() & DESCRIBED:
        return _described(name, said)
    if isinstance(said, list) and said and all(isinstance(item, str) for item in said):
        return Argument(name, choices=lines(said))
    if isinstance(said, str):
        return _valued(name, " ".join(strip(said).split()))
    return Argument(name, default=source_text(said))


def _described(name: str, fields: dict[str, Any]) -> Argument:
    choices = next((fields[key] for key in ("choices", "enum", "options") if isinstance(fields.get(key), list)), [])
    required = fields.get("required")
    said = isinstance(required, str) and required.lower() in ("true", "yes", "required")
    return Argument(
        name,
        type=line(fields.get("type")),
        description=line(fields.get("description")),
        required=required is True or said,
        default=source_text(fields.get("default", fields.get("value")), "default" in fields),
        choices=tuple(dict.fromkeys(filter(None, map(source_text, choices)))),
    )


def source_text(value: Any, given: bool = True) -> str:
    """A JSON value as Python source on one line; "" for null that nobody gave."""
    if value is None or value == "None":
        return "None" if given else ""
    if isinstance(value, str):
        return line(value)
    text = repr(value) if isinstance(value, (bool, int, float)) else json.dumps(value, ensure_ascii=False)
    return line(text)[:200]


def _pieces(text: str) -> list[str]:
    """The arguments of a text, cut at commas outside brackets; "default x" and "optional" stay with the one before."""
    text = text[1:-1] if re.fullmatch(r"\[.*\]", text, re.DOTALL) else text
    pieces: list[str] = []
    depth = 0
    for part in re.split(r"([,;\n\[\](){}])", text):
        depth += (part in tuple("[({")) - (part in tuple("])}"))
        fresh = part in (",", ";", "\n") and depth <= 0
        if fresh or not pieces:
            pieces.append("" if fresh else part)
        elif re.match(r"\s*(?:defaults?|optional|required)\b", part) and not pieces[-1] and len(pieces) > 1:
            pieces.pop()
            pieces[-1] += ", " + part.strip()
        else:
            pieces[-1] += part
    return pieces


def _said(text: str) -> Argument | None:
    """One argument in words: "name", "name: type, default x", "name=value", "name (type): what it is"."""
    match = SAID.fullmatch(text.strip())
    if match is None:
        return None
    words = re.split(r"[,;]", match["type"] or "")
    kind = line(words[0]) if words[0].strip() not in ("optional", "required") else ""
    found = _valued(match["name"], " ".join((match["rest"] or "").split()))
    required = found.required or "required" in map(str.strip, words)
    return replace(found, type=kind or found.type, required=required)


def _valued(name: str, said: str) -> Argument:
    """What follows a name: a type with its default, a value, or prose."""
    default = DEFAULT.search(said)
    before = said[: default.start()].strip(" ,;(") if default else said
    required = re.search(r",?\s*\brequired$", before, re.IGNORECASE) is not None
    before = re.sub(r",?\s*\b(?:optional|required)$", "", before, flags=re.IGNORECASE).strip()
    value = default["default"].strip() if default else ""
    if before == "None":
        return Argument(name, default=value or "None", required=required)
    if TYPE.fullmatch(before):
        return Argument(name, type=before, default=value, required=required)
    if before == name or not line(before):
        return Argument(name, default=value, required=required)
    if not default and (LITERAL.fullmatch(before) or " " not in before):
        return Argument(name, default=before, required=required)
    return Argument(name, description=before, default=value, required=required)


def performance_text(value: object) -> str:
    """A performance of any type as one readable line; "" when it says nothing."""
    text = _readable(value, 0)[:MAX_PERFORMANCE].strip()
    return "" if absent(text) else text


def _readable(value: Any, depth: int) -> str:
    if absent(value) or depth > MAX_DEPTH:
        return ""
    if isinstance(value, dict):
        parts = ((line(key.replace("_", " ")), _readable(item, depth + 1)) for key, item in value.items())
        said = [f"{key}: {text}" if key else text for key, text in parts if text]
        return (", " if depth else "; ").join(said)
    if isinstance(value, list):
        return "; ".join(filter(None, (_readable(item, depth + 1) for item in value)))
    text = line(value if isinstance(value, str) else json.dumps(value))
    return "" if absent(text) else text
