"""A folder as a value: every path with its kind, permissions and what its contents mean. Only reads, follows no link.

What a command left behind is untrusted: names and depths of any kind, archives that unpack to more than they should.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

UNPACKED_BYTES = 64 << 20
UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError)
BROKEN = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error)


@dataclass(frozen=True)
class Entry:
    """One path of a tree: "file", "dir", "link" or "other", its permission bits, and its contents or a digest of it."""

    kind: str
    mode: int
    contents: str


def tree(folder: Path) -> dict[str, Entry]:
    """Every path below `folder`, relative to it; nothing of what is inside a `.git`."""
    start = len(os.path.join(folder, ""))
    return {found.path[start:]: _entry(found) for found in walk(folder)}


def walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every path below `folder`, as far as it can be read; a `.git` without what is in it. Any depth."""
    waiting = [str(folder)]
    while waiting:
        for found in _listed(waiting.pop()):
            yield found
            if found.name != ".git" and _is_folder(found):
                waiting.append(found.path)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # its permissions were taken away, its path is too long, or it has just gone
        return []


def _is_folder(found: os.DirEntry[str]) -> bool:
    try:
        return found.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _entry(found: os.DirEntry[str]) -> Entry:
    try:
        status = found.stat(follow_symlinks=False)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return Entry("link", 0, os.readlink(found.path))
        if stat.S_ISREG(status.st_mode):
            return Entry("file", mode, _contents(Path(found.path)))
    except OSError:
        return Entry("other", 0, "unreadable")
    return Entry("dir" if stat.S_ISDIR(status.st_mode) else "other", mode, "")


def _contents(path: Path) -> str:
    """A digest of what is in the file. An archive is what it contains, a JSON file what it says."""
    try:
        data = path.read_bytes()
    except PermissionError:
        return "unreadable"
    for reader in (_archive, _json):
        try:
            text = reader(path.name, data)
        except (*UNREADABLE, *BROKEN):
            continue
        if text is not None:
            return text
    return hashlib.sha256(data).hexdigest()


def _json(name: str, data: bytes) -> str | None:
    return json.dumps(json.loads(data), sort_keys=True) if name.endswith(".json") else None


def _archive(name: str, data: bytes) -> str | None:
    """Names and digests of the members: the order, the dates and the compression level do not count."""
    if re.search(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)$", name):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return _members((member.name, archive.extractfile(member)) for member in archive if member.isfile())
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            return _members((info.filename, archive.open(info)) for info in infos)
    openers: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    opener = openers.get(Path(name).suffix)
    return None if opener is None else _members([("", opener(io.BytesIO(data)))])


def _members(files: Iterable[tuple[str, IO[bytes] | None]]) -> str:
    """The members by name. Raises ValueError when they unpack to more than UNPACKED_BYTES together."""
    left, found = UNPACKED_BYTES, []
    for name, stream in files:
        data = stream.read(left + 1) if stream else b""
        left -= len(data)
        if left < 0:
            raise ValueError("an archive that unpacks to too much")
        found.append((name.removeprefix("./"), hashlib.sha256(data).hexdigest()))
    return repr(sorted(found))
