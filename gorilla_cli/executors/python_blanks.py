"""The inputs a program leaves open, as `TEXT = ...` at its top, and filling them in as literals. Runs nothing."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from gorilla_cli.errors import UsageError

_KINDS = {
    "image": ("IMAGE", "PHOTO", "PICTURE"),
    "audio": ("AUDIO", "SPEECH", "SOUND"),
    "video": ("VIDEO",),
    "url": ("URL",),
    "file": ("FILE", "PATH", "CSV", "DOCUMENT", "FOLDER"),
    "number": ("NUMBER", "COUNT"),
    "list": ("TEXTS", "SENTENCES", "LABELS", "ROWS", "IMAGES", "TABLE"),
}
_PLAIN = (str, bool, int, float, type(None))


@dataclass(frozen=True, slots=True)
class Blank:
    """An input to ask for. `kind`: text, image, audio, video, file, url, number or list."""

    name: str
    kind: str


def blanks(code: str) -> list[Blank]:
    """The names bound to `...` at the top of `code`, in order. Empty when it is not Python."""
    return [Blank(name, _kind(name)) for name in _open(code)]


def filled(code: str, values: Mapping[str, object]) -> str:
    """`code` with the `...` of each named blank replaced by the literal of its value; nothing else changes.

    Values are texts, numbers, booleans, None, and lists and dictionaries of these. Raises UsageError for a name that
    is no blank and for any other value.
    """
    found = _open(code)
    unknown = [name for name in values if name not in found]
    if unknown:
        raise UsageError(f"the program has no blank called {unknown[0]}", f"blanks: {', '.join(found) or 'none'}")
    lines = code.encode("utf-8", "surrogatepass").split(b"\n")
    for name, value in values.items():
        node = found[name]
        line = lines[node.lineno - 1]
        literal = _literal(value).encode("utf-8")
        lines[node.lineno - 1] = line[: node.col_offset] + literal + line[node.end_col_offset :]
    return b"\n".join(lines).decode("utf-8", "surrogatepass")


def _open(code: str) -> dict[str, ast.expr]:
    """Name -> the Ellipsis it is bound to; one to a line, so that columns stay true."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, ast.expr] = {}
    taken: set[int] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.lineno not in taken:
            target, value = statement.targets[0], statement.value
            dots = isinstance(value, ast.Constant) and value.value is Ellipsis
            if dots and isinstance(target, ast.Name) and target.id.isupper() and target.id not in found:
                found[target.id] = value
                taken.add(statement.lineno)
    return found


def _kind(name: str) -> str:
    words = name.split("_")
    return next((kind for kind, marks in _KINDS.items() if any(word in marks for word in words)), "text")


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, _PLAIN) or (isinstance(value, float) and not math.isfinite(value)):
        raise UsageError(f"a {type(value).__name__} cannot be filled in", "give a text, a number or a list of these")
    return ascii(value)
