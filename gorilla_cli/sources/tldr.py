"""tldr pages out of their zip file, as they are distributed. Members are streamed within limits, never extracted.

A page gives examples, not documentation: options that occur in them are not listed as options.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gorilla_cli.errors import StateError
from gorilla_cli.sanitise import strip
from gorilla_cli.types import Doc, Example

MAX_ZIP = 64 << 20
MAX_MEMBERS = 50_000
MAX_TOTAL = 64 << 20
MAX_PAGE = 64 << 10
MAX_RATIO = 100
FOLDERS = {"linux": "linux", "macos": "osx"}
MEMBER = re.compile(r"(?:pages(?:\.en)?/)?(?P<folder>[\w-]+)/(?P<name>[\w.+\[\]{}!-]+)\.md")
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}(?!\})")
LITERAL_BRACES = (("\\{\\{", "\0"), ("\\}\\}", "\1"))
# "[c]reate" and "E[x]tract" name the option's letter; the words they stand in are "create" and "Extract".
MNEMONIC = re.compile(r"\[([A-Za-z]{1,3})\](?=[a-z])|(?<=[A-Za-z])\[([A-Za-z])\]")
ABOUT = re.compile(r"(?:More information|See also|Note): ", re.IGNORECASE)
ALIAS = re.compile(r"This command is an alias of `([^`]+)`")


@dataclass(frozen=True)
class TldrSource:
    """The pages in `zip_path` for `platform` ("linux", "macos"): its own pages over the common ones.

    No file is no pages. Raises StateError when the file is damaged or larger than any real one.
    """

    zip_path: Path
    platform: str = "linux"
    name: str = field(default="tldr", init=False)

    def ids(self) -> dict[str, str]:
        """Document id -> checksum of its page, from the zip's directory alone."""
        with _opened(self.zip_path) as archive:
            return {f"tldr:{name}": _stamp(member) for name, member in self._members(archive).items()}

    def docs(self, skip: Container[str] = ()) -> Iterator[Doc]:
        """The documents not in `skip`; a page that cannot be read or has no title is left out."""
        with _opened(self.zip_path) as archive:
            members = self._members(archive)
            for name, member in members.items():
                if f"tldr:{name}" in skip:
                    continue
                text = _text(archive, member)
                other = members.get(_alias(text).replace(" ", "-"))
                doc = document(name, text, _text(archive, other) if other else "", _stamp(member))
                if doc is not None:
                    yield doc

    def _members(self, archive: zipfile.ZipFile | None) -> dict[str, zipfile.ZipInfo]:
        """Page name -> member, the platform's page where there are two."""
        found: dict[str, dict[str, zipfile.ZipInfo]] = {"common": {}, FOLDERS.get(self.platform, ""): {}}
        for member in archive.infolist() if archive else ():
            match = MEMBER.fullmatch(member.filename)
            if match and match["folder"] in found and _acceptable(member):
                found[match["folder"]][match["name"]] = member
        return dict(sorted((found["common"] | found[FOLDERS.get(self.platform, "")]).items()))


class _opened:
    """The archive as a context, None when the file is not there. Raises StateError beyond the limits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> zipfile.ZipFile | None:
        try:
            if not self._path.exists():
                return None
            if not self._path.is_file() or self._path.stat().st_size > MAX_ZIP:
                raise zipfile.BadZipFile(f"no file of at most {MAX_ZIP >> 20} MiB")
            self._archive = zipfile.ZipFile(self._path)
            _within_limits(self._archive)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            self.__exit__()
            raise StateError(f"cannot read tldr pages from {self._path}: {error}", "run: gorilla setup") from None
        return self._archive

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()


def _within_limits(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise zipfile.BadZipFile(f"more than {MAX_MEMBERS} members")
    if sum(member.file_size for member in members) > MAX_TOTAL:
        raise zipfile.BadZipFile(f"more than {MAX_TOTAL >> 20} MiB unpacked")


def _acceptable(member: zipfile.ZipInfo) -> bool:
    """A plain, small, unencrypted file that does not inflate suspiciously."""
    link = stat.S_ISLNK(member.external_attr >> 16)
    encrypted = bool(member.flag_bits & 1)
    small = member.file_size <= MAX_PAGE and member.file_size <= MAX_RATIO * max(1, member.compress_size)
    return not link and not encrypted and small


def _text(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    """The page, "" when it is damaged or longer than its directory entry says."""
    try:
        with archive.open(member) as stream:
            content = stream.read(MAX_PAGE + 1)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError):
        return ""
    except Exception as error:  # zlib.error, lzma.LZMAError: naming them would import what most zips do not need
        if type(error).__module__ not in ("zlib", "_lzma"):
            raise
        return ""
    return "" if len(content) > MAX_PAGE else strip(content.decode("utf-8", errors="replace"))


def _stamp(member: zipfile.ZipInfo) -> str:
    return f"{member.CRC:08x}+{member.file_size}"


def _alias(page: str) -> str:
    match = ALIAS.search(page)
    return match[1] if match else ""


def document(name: str, page: str, aliased: str = "", stamp: str = "") -> Doc | None:
    """The document of one page in tldr's markdown; None when it has no title.

    `aliased` is the page of the command that this one is an alias of: its examples are this one's then.
    """
    title = next((line[2:].strip() for line in page.splitlines() if line.startswith("# ")), "")
    if not title:
        return None
    about = [line[1:].strip() for line in page.splitlines() if line.startswith(">")]
    alias = _alias(page)
    examples = _retold(_examples(aliased), alias, title) if alias else _examples(page)
    return Doc(
        id=f"tldr:{name}",
        source="tldr",
        program=_program(name, title, alias, examples),
        title=title,
        summary=_prose(" ".join(line for line in about if not ABOUT.match(line))),
        examples=examples,
        stamp=stamp,
    )


def _program(name: str, title: str, alias: str, examples: tuple[Example, ...]) -> str:
    """The leading words of the title that the page's commands really begin with, at best all; else the page's name."""
    words = title.split()
    for count in range(len(words), 0, -1):
        beginning = " ".join(words[:count])
        if any(_calls(beginning, example.command) for example in examples):
            return beginning
    return title if alias and "-".join(words).lower() == name.lower() else name


def _calls(program: str, command: str) -> bool:
    return re.search(rf"(?:^|[|;&(]\s*|\bsudo ){re.escape(program)}(?=\s|$)", command) is not None


def _retold(examples: tuple[Example, ...], alias: str, title: str) -> tuple[Example, ...]:
    """The examples of the command behind an alias, typed with the alias."""
    return tuple(
        Example(example.request, re.sub(rf"^{re.escape(alias)}(?=\s|$)", lambda _: title, example.command))
        for example in examples
    )


def _examples(page: str) -> tuple[Example, ...]:
    """Each "- request:" with the `command` that follows it."""
    found: list[Example] = []
    request = ""
    for line in page.splitlines():
        if line.startswith("- "):
            request = _prose(line[2:]).rstrip(":").rstrip()
        elif request and len(line) > 2 and line.startswith("`") and line.endswith("`"):
            command = concrete(line[1:-1])
            if command:
                found.append(Example(request, command))
            request = ""
    return tuple(found)


def _prose(text: str) -> str:
    return " ".join(MNEMONIC.sub(lambda match: match[1] or match[2], text).replace("`", "").split())


def concrete(command: str) -> str:
    """`command` with each placeholder replaced by what one would type: "{{[-r|--recursive]}}" by "-r".

    "" when a placeholder has no end, so that the command is not whole.
    """
    for literal, mark in LITERAL_BRACES:
        command = command.replace(literal, mark)
    command = PLACEHOLDER.sub(lambda match: _choice(match[1]), command)
    if "{{" in command:
        return ""
    return " ".join(command.replace("\0", "{{").replace("\1", "}}").split())


def _choice(inside: str) -> str:
    """One of the spellings in a placeholder, and the first of several values. Go's templates stay as they are."""
    if re.fullmatch(r"\.[A-Z]\w*", inside):
        return f"\0{inside}\1"
    if inside.startswith("[") and inside.endswith("]") and "|" in inside:
        short, _, long = inside[1:-1].partition("|")
        return short if re.fullmatch(r"-\S", short) else long.split("|")[-1]
    inside = re.sub(r"\[([^\[\]|]*)\|[^\[\]]*\]", r"\1", inside)  # "source.tar[.gz|.xz]" is "source.tar.gz"
    return re.sub(r"\s*\.\.\.$", "", _first(inside))


def _first(inside: str) -> str:
    """The first of alternatives "a|b|c"."""
    return inside.split("|")[0] if "|" in inside.strip("|") else inside
