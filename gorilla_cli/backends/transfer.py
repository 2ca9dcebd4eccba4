"""Bytes from anywhere onto the disk: appended as they arrive, bounded, kept when the flow breaks off.

Opens no socket and decides nothing: `download` and `wheels` say where the bytes come from.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, NoReturn

from gorilla_cli.errors import StateError
from gorilla_cli.sanitise import one_line

CHUNK = 1 << 20
SPARE = 1.05


class Broken(Exception):
    """A source cannot deliver; the message is its reason in one line."""


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """What `stream` gives, as it arrives. Raises Broken when it breaks off."""
    read = getattr(stream, "read1", stream.read)
    while True:
        try:
            chunk = read(CHUNK)
        except (OSError, HTTPException, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise Broken(reason(error)) from None
        if not chunk:
            return
        yield chunk


def copy(pieces: Iterator[bytes], out: IO[bytes], done: int, most: int, progress: Callable[[int], None]) -> int:
    """Append `pieces` to `out`; `done` is its length so far, `most` the bytes it may get to. Returns its new length.

    Raises Broken, before writing them, for bytes beyond `most`; StateError when they cannot be written.
    """
    for piece in pieces:
        if done + len(piece) > most:
            raise Broken(f"it sends more than {most} bytes")
        _write(out, piece)
        done += len(piece)
        progress(done)
    return done


@contextmanager
def writing(file: Path, begin: int) -> Iterator[IO[bytes]]:
    """`file` cut to its first `begin` bytes and opened behind them; what gets written stays. Raises StateError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        _unwritable(file, error)
    with open(number, "r+b", buffering=0) as out:
        out.truncate(begin)
        out.seek(begin)
        yield out


def length(file: Path) -> int:
    """Bytes of `file`, 0 when there is none."""
    return file.stat().st_size if file.exists() else 0


def require_space(folder: Path, needed: int) -> None:
    """Raises StateError unless `folder` has room for `needed` bytes and 5 % more."""
    free = shutil.disk_usage(folder).free
    if needed * SPARE > free:
        raise StateError(
            f"{folder} has {free >> 20} MiB free, the model needs {int(needed * SPARE) >> 20} MiB",
            "free some space or set GORILLA_HOME to a folder on another disk",
        )


def reason(error: BaseException) -> str:
    """What went wrong, in one short line."""
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return reason(inner)
    status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "code", None)
    if isinstance(status, int):
        return f"it answered {status} {_phrase(status)}".rstrip()
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "it did not answer in time"
    text = (isinstance(error, OSError) and error.strerror) or str(error).strip() or type(error).__name__
    return one_line(re.sub(r"^\[Errno -?\d+\] ", "", text).splitlines()[0])[:200]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _write(out: IO[bytes], piece: bytes) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[out.write(rest) :]
    except OSError as error:
        _unwritable(Path(str(out.name)), error)


def _unwritable(file: Path, error: OSError) -> NoReturn:
    raise StateError(f"cannot write {file.name}: {error.strerror}", "free some space or check permissions") from None
