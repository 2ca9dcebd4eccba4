"""The documented options of one program path, and how a word of a command is looked up among them. Pure."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gorilla_cli.types import Doc, Option

ALWAYS = ("--help", "--version")
ENOUGH = 5  # a man page with at least so many options is taken to be complete
_NUMERIC = re.compile(r"-(<?(NUM|num|number|n-?lines|digits?|count|level|#)>?|#|\d+)(,.*|\.\..*)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """An option and the document that has it. `only_shipped`: a complete man page of the same program lacks it."""

    option: Option
    doc: Doc
    only_shipped: bool = False

    @property
    def takes(self) -> int:
        """How many of the following words are its argument."""
        argument = self.option.argument
        if not argument or argument.startswith(("[", "=[")):
            return 0
        words = argument.split()
        plain = len(words) > 1 and all(re.fullmatch(r"<?[A-Za-z_]+>?", word) for word in words)
        return min(len(words), 3) if plain else 1

    @property
    def attaches(self) -> bool:
        return bool(self.option.argument)


@functools.cache
def grammar() -> dict[str, frozenset[str]]:
    """options.toml: kind of reading -> the programs that have it."""
    table = tomllib.loads(Path(__file__).with_name("options.toml").read_text(encoding="utf-8"))
    return {kind: frozenset(programs) for kind, programs in table.items()}


class OptionTable:
    """The options in `docs`, the most trusted document first, of the program typed as `path`."""

    def __init__(self, path: str, docs: Sequence[Doc]) -> None:
        self.path = path
        self.docs = [doc for doc in docs if doc.options]
        self.names: dict[str, Entry] = {}
        complete = any(doc.source == "man" and len(doc.options) >= ENOUGH for doc in self.docs)
        for doc in self.docs:
            for option in doc.options:
                entry = Entry(option, doc, complete and doc.source == "catalogue")
                for name in option.names:
                    for spelling in _spellings(name):
                        self.names.setdefault(spelling, entry)

    def __bool__(self) -> bool:
        return bool(self.docs)

    @functools.cached_property
    def in_words(self) -> bool:
        """Whether its options are words with one dash, as of find and ffmpeg: no bundles then."""
        single = sum(bool(re.fullmatch(r"-[A-Za-z][\w:-]+", name)) for name in self.names)
        double = sum(name.startswith("--") for name in self.names)
        return single > 3 and single > double

    @functools.cached_property
    def numbers(self) -> bool:
        """Whether -5 means something to it."""
        return self.path in grammar()["numbers"] or any(_NUMERIC.fullmatch(name) for name in self.names)

    @functools.cached_property
    def assignments(self) -> bool:
        """Whether its options are written name=value, as of dd."""
        return sum(name.endswith("=") for name in self.names) >= 3

    def abbreviated(self, name: str) -> Entry | None:
        """The one option whose long name begins with `name`, as getopt_long takes it."""
        found = {entry.option: entry for full, entry in self.names.items() if full.startswith(name)}
        return next(iter(found.values())) if len(found) == 1 and len(name) > 3 and not self.in_words else None

    def closest(self, token: str, n: int = 1, cutoff: float = 0.6) -> list[str]:
        return difflib.get_close_matches(token, [name for name in self.names if name[0] in "-+"], n, cutoff)


def _spellings(name: str) -> Iterator[str]:
    match = re.fullmatch(r"--\[no-?\](.+)", name)
    if match:
        yield from (f"--{match[1]}", f"--no-{match[1]}")
    else:
        yield name


def alternatives(docs: Iterable[Doc], token: str, n: int = 5) -> list[Option]:
    """The `n` documented options whose names are nearest to `token`, nearest first (difflib)."""
    table = OptionTable("", list(docs))
    found = [table.names[name].option for name in table.closest(token, n * 3, 0.0)]
    return list(dict.fromkeys(found))[:n]
