"""Finds the manual page files on this machine and reads them, with limits. Renders and parses nothing."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gorilla_cli.sources.man_render import MAX_BYTES, TOOL_PATH, run_capped

MAX_RATIO = 200
RATIO_FREE = 1 << 20  # a page may inflate to this much whatever its ratio: repetitive small pages are common
LINK_BYTES = 512  # no longer file is only a ".so" line
SUFFIXES = (".gz", ".xz", ".bz2", ".zst")
PAGE_NAME = re.compile(r"(?P<name>[\w@\[][\w.+@:\[\]-]*)\.(?P<section>\d[A-Za-z]*)")
SO_LINE = re.compile(rb"\.so\s+[\"']?([\w./+@:\[\]-]+)")


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the manual: `name` and `section` from its file name, `root` the manpath entry it lies under."""

    name: str
    section: str
    path: Path
    root: Path
    stamp: str

    @property
    def id(self) -> str:
        return f"man:{self.name}({self.section})"


def page_files(manpath: Sequence[Path], sections: Sequence[str], wanted: Container[str] | None) -> Iterator[PageFile]:
    """The pages directly in ROOT/manSECTION, the first one of each id: earlier sections, then earlier roots, win.

    `wanted` limits them to pages that may document one of those programs. POSIX editions (1p, 1posix) are left out.
    """
    yield from _pages(_listed(manpath, sections), wanted)


def _pages(listed: Iterable[tuple[str, Path, str]], wanted: Container[str] | None) -> Iterator[PageFile]:
    seen: set[tuple[str, str]] = set()
    for section, root, file_name in listed:
        match = PAGE_NAME.fullmatch(_without_suffix(file_name))
        if match is None or not match["section"].startswith(section) or match["section"].endswith(("p", "posix")):
            continue
        key = (match["name"], match["section"])
        if key not in seen and (wanted is None or may_document(match["name"], wanted)):
            path = root / f"man{section}" / file_name
            stamp = _stamp(path)
            if stamp:
                seen.add(key)
                yield PageFile(*key, path, root, stamp)


def named(manpath: Sequence[Path], sections: Sequence[str], names: Collection[str]) -> list[PageFile]:
    """`page_files` for pages of exactly these names. Looks for usual file names first: listing takes 0.1 s."""
    usual = (
        (section, root, f"{name}.{section}{suffix}")
        for section in sections
        for root in manpath
        for name in sorted(names)
        for suffix in ("", *SUFFIXES)
    )
    found = list(_pages((file for file in usual if "/" not in file[2]), names))
    return found or [page for page in page_files(manpath, sections, names) if page.name in names]


def _listed(manpath: Sequence[Path], sections: Sequence[str]) -> Iterator[tuple[str, Path, str]]:
    for section in sections:
        for root in manpath:
            with contextlib.suppress(OSError):
                for file_name in sorted(os.listdir(root / f"man{section}")):  # noqa: PTH208 - not 20,000 Paths
                    yield section, root, file_name


def may_document(name: str, programs: Container[str]) -> bool:
    """Can the page `name` be about one of `programs`? "git-commit" may be about "git" and about "git commit"."""
    if name in programs:
        return True
    cuts = [match.start() for match in re.finditer(r"[-_]", name)]
    return any(name[:cut] in programs or f"{name[:cut]} {name[cut + 1 :]}" in programs for cut in cuts)


def _without_suffix(file_name: str) -> str:
    return file_name[: file_name.rindex(".")] if file_name.endswith(SUFFIXES) else file_name


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}+{status.st_size}" if stat.S_ISREG(status.st_mode) else ""


def target(page: PageFile) -> Path:
    """The file whose text `page` really is: symbolic links and ".so" files followed, within its manpath root."""
    path = page.path
    for _ in range(4):
        path = Path(os.path.realpath(path))
        following = _so_target(path, page.root)
        if following is None:
            return path
        path = following
    return path


def _so_target(path: Path, root: Path) -> Path | None:
    """The page a file that is only a ".so" line points to; None for any other file."""
    if not 0 < _size(path) <= LINK_BYTES:
        return None
    lines = [line for line in (read_page(path) or b"").splitlines() if line and not line.startswith((b".\\", b"'\\"))]
    match = SO_LINE.match(lines[0]) if len(lines) == 1 else None
    if match is None:
        return None
    name = match[1].decode()
    if name.startswith("/") or ".." in name.split("/"):
        return None
    base = (root if "/" in name else path.parent) / name
    return next((found for suffix in ("", *SUFFIXES) if (found := Path(f"{base}{suffix}")).is_file()), None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def read_page(path: Path, tools: str = TOOL_PATH) -> bytes | None:
    """The page's source, inflated. None when it cannot be read, is no regular file, or inflates beyond the limits."""
    try:
        packed = _read_regular(path)
        text = _inflate(packed, path.suffix, tools)
    except (OSError, ValueError):
        return None
    too_long = len(text) > MAX_BYTES or len(text) > max(RATIO_FREE, MAX_RATIO * len(packed))
    return None if too_long or not text else text


def _read_regular(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block us
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        return stream.read(MAX_BYTES)


def _inflate(packed: bytes, suffix: str, tools: str) -> bytes:
    """`packed` as the file's suffix says, at most one byte more than the limit. Raises OSError, ValueError."""
    if suffix == ".gz":
        return _gunzip(packed)
    if suffix == ".xz":
        return _unxz(packed)
    if suffix == ".bz2":
        import bz2

        return bz2.BZ2Decompressor().decompress(packed, MAX_BYTES + 1)
    if suffix == ".zst":
        return run_capped(("zstd", "-dcq", "-M64MB"), packed, tools, Path("/"))
    return packed


def _gunzip(packed: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompressobj(wbits=31).decompress(packed, MAX_BYTES + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _unxz(packed: bytes) -> bytes:
    import lzma

    try:
        return lzma.LZMADecompressor(memlimit=1 << 27).decompress(packed, MAX_BYTES + 1)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None
