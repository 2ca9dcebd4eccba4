"""The rows of a records file, one at a time: JSON lines, or a JSON array. Streams; knows nothing of their fields."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gorilla_cli.errors import StateError

MAX_ROW = 1 << 20  # bytes of a line, characters of an array's element
CHUNK = 1 << 16
BLANKS = " \t\r\n"
PUNCTUATION = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Row:
    """The JSON value that starts on `line` (from 1), or why there is none."""

    line: int
    value: Any = None
    problem: str = ""


def rows(path: Path) -> Iterator[Row]:
    """Every row of a file, blank lines left out. Raises StateError when the file cannot be read."""
    try:
        with open(path, "rb") as stream:
            if stream.read(3) != codecs.BOM_UTF8:
                stream.seek(0)
            start = stream.tell()
            first = stream.read(CHUNK).lstrip(BLANKS.encode())[:1]
            stream.seek(start)
            yield from _array(stream) if first == b"[" else _lines(stream, 0)
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}", "check the path and its permissions") from None


def _lines(stream: BinaryIO, number: int) -> Iterator[Row]:
    while content := stream.readline(MAX_ROW + 1):
        number += 1
        if len(content) > MAX_ROW:
            while content and not content.endswith(b"\n"):
                content = stream.readline(CHUNK)
            yield Row(number, problem=f"longer than {MAX_ROW >> 20} MiB")
            continue
        text = content.decode("utf-8", errors="replace").strip(BLANKS)
        if text:
            yield _parsed(number, text)


def _parsed(number: int, text: str) -> Row:
    try:
        return Row(number, json.loads(text))
    except json.JSONDecodeError as error:
        return Row(number, problem=f"no JSON: {error.msg} at column {error.colno}")
    except (RecursionError, ValueError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else "a number too long"
        return Row(number, problem=f"no JSON: {reason}")


class _Window:
    """The unread part of a text file, and the line it begins on."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self.text = ""
        self.line = 1
        self.ended = False

    def more(self) -> None:
        """Read on, as much as there is already, so that a long element is parsed few times."""
        content = self._stream.read(max(CHUNK, len(self.text)))
        self.ended = not content
        self.text += self._decode(content, self.ended)

    def skip(self, count: int) -> None:
        self.line += self.text.count("\n", 0, count)
        self.text = self.text[count:]

    def next(self) -> str:
        """The next character that is no blank and no comma, "" at the end; it stays unread."""
        while True:
            self.skip(PUNCTUATION.match(self.text).end())  # type: ignore[union-attr]
            if self.text or self.ended:
                return self.text[:1]
            self.more()


def _array(stream: BinaryIO) -> Iterator[Row]:
    window = _Window(stream)
    window.next()
    window.skip(1)
    while (character := window.next()) not in ("", "]"):
        row, length = _element(window)
        yield row
        if not length:
            return
        window.skip(length)
    if not character:
        yield Row(window.line, problem="the array has no end")
    elif window.skip(1) or window.next():
        yield Row(window.line, problem="text after the end of the array was not read")


def _element(window: _Window) -> tuple[Row, int]:
    """The element at the window's beginning and its length; 0 when it cannot be told where it ends."""
    decoder = json.JSONDecoder()
    reason = f"longer than {MAX_ROW >> 20} MiB"
    while True:
        try:
            value, end = decoder.raw_decode(window.text)
            if end < len(window.text) or window.ended:  # a number may go on after what was read
                return Row(window.line, value), end
        except json.JSONDecodeError as error:
            reason = f"no JSON: {error.msg} at line {window.line + error.lineno - 1}"
        except (RecursionError, ValueError):
            return Row(window.line, problem="no JSON: nested too deep, or a number too long; read no further"), 0
        if window.ended or len(window.text) > MAX_ROW:
            return Row(window.line, problem=f"{reason}; the rest of the array was not read"), 0
        window.more()
