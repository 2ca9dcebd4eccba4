"""Reads the words of a command the way getopt and its relatives do, against documented options. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gorilla_cli.verifiers.optiontable import ALWAYS, Entry, OptionTable, grammar
from gorilla_cli.verifiers.words import Word


@dataclass(frozen=True, slots=True)
class Token:
    """One option found in a command. `entry` is None when no document has it; `short_for`: the full name meant."""

    text: str
    span: tuple[int, int]
    entry: Entry | None
    short_for: str = ""


class Reader:
    """Reads options with the tables that hold where it stands, the deepest subcommand's first."""

    def __init__(self, words: Sequence[Word], tables: Sequence[OptionTable], path: str) -> None:
        self._words = words
        self._tables = [table for table in tables if table]
        self._path = path
        self._skip = 0
        self._ended = False
        self._optional = False  # the option before may take a number: journalctl -b -1

    def read(self) -> Iterator[Token]:
        """The options among the words, without those words that are arguments of options."""
        rules = grammar()
        for at, word in enumerate(self._words):
            value = word.value
            if self._skip or value is None:
                self._skip = max(0, self._skip - 1)
            elif self._ended:
                continue
            elif value == "--":
                self._ended = True
            elif value[:1] == "-" and len(value) > 1:
                yield from self._option(word, value)
            elif at == 0 and self._path in rules["dashless"] and re.fullmatch(r"[A-Za-z]{1,8}", value):
                yield from self._bundle(word, value, 0) or ()
            else:
                yield from self._operand(word, value)
                self._ended = self._path in rules["stop_at_operand"]

    def _find(self, name: str) -> Entry | None:
        return next((table.names[name] for table in self._tables if name in table.names), None)

    def _known(self, word: Word, text: str, entry: Entry, attached: bool) -> Token:
        self._skip = 0 if attached else entry.takes
        self._optional = not attached and entry.attaches and not entry.takes
        return Token(text, _span(word, text), entry)

    def _operand(self, word: Word, value: str) -> Iterator[Token]:
        """`+x` and `name=value` are options of some programs."""
        name = value.partition("=")[0] + "="
        if self._path in grammar()["letters"] and self._find(value):
            yield Token(value, word.span, self._find(value))
        elif any(table.assignments for table in self._tables) and re.fullmatch(r"[a-z]+=.*", value, re.DOTALL):
            yield Token(name, _span(word, name), self._find(name))
        elif value[0:1] == "+" and self._find(value):
            yield Token(value, word.span, self._find(value))

    def _option(self, word: Word, value: str) -> Iterator[Token]:
        name, equals, _ = value.partition("=")
        entry = self._find(name) or (self._find(name + "=") if equals else self._find(name[:-2] + "XY"))
        if entry:
            yield self._known(word, name, entry, bool(equals))
        elif value.startswith("--"):
            yield from self._long(word, name, bool(equals))
        elif not self._means_number(value):
            yield from self._short(word, value, name)

    def _long(self, word: Word, name: str, attached: bool) -> Iterator[Token]:
        for table in self._tables:
            entry = table.abbreviated(name)
            if entry:
                full = next(spelling for spelling in entry.option.names if spelling.startswith(name[:3]))
                token = self._known(word, name, entry, attached)
                yield Token(token.text, token.span, entry, full)
                return
        if name not in ALWAYS:
            yield Token(name, _span(word, name), None)

    def _means_number(self, value: str) -> bool:
        rules = grammar()
        if re.fullmatch(r"-\d*\.?\d+[a-zA-Z]?", value):
            return self._optional or self._path in rules["signals"] or any(table.numbers for table in self._tables)
        signal = self._path in rules["signals"] and re.fullmatch(r"-(SIG)?[A-Z][A-Z0-9+-]+", value)
        return bool(signal) or (self._path in rules["modes"] and bool(re.fullmatch(r"-[rwxXst]+", value)))

    def _short(self, word: Word, value: str, name: str) -> Iterator[Token]:
        """One dash: a stream specifier (`-c:v`), letters in a bundle, a letter with its argument attached."""
        base = self._find(name.partition(":")[0]) if ":" in name else None
        if base:
            yield self._known(word, name.partition(":")[0], base, name != value)
            return
        name_and_entry = self._glued(value)
        if name_and_entry:
            yield self._known(word, *name_and_entry, True)
        else:
            yield from self._bundle(word, value, 1) or [Token(name, _span(word, name), None)]

    def _glued(self, value: str) -> tuple[str, Entry] | None:
        """An option of several letters with its argument right behind it: `-Xmx2g`, `-O3`."""
        freely = self._path in grammar()["attached"]
        for length in range(len(value) - 1, 1, -1):
            entry = self._find(value[:length])
            if entry and entry.attaches and (freely or (self._in_words and value[length:].isdigit())):
                return value[:length], entry
        return None

    def _plain_letters(self, value: str) -> bool:
        """Whether every letter is an option and none but the last takes an argument (`screen -dmS NAME`)."""
        entries = [self._find("-" + letter) for letter in value[1:]]
        return all(entries) and not any(entry.takes for entry in entries[:-1] if entry)

    @property
    def _in_words(self) -> bool:
        return any(table.in_words for table in self._tables[:1])

    def _bundle(self, word: Word, value: str, first: int) -> list[Token] | None:
        """The letters of a bundle; None when it is no bundle at all."""
        if first and self._in_words and not self._plain_letters(value):
            return None
        found: list[Token] = []
        for at in range(first, len(value)):
            name = "-" + value[at]
            entry = self._find(name) or (None if first else self._find(value[at]))
            if entry is None and not (found and found[-1].entry):
                return None
            if entry is None and found[-1].entry and not found[-1].entry.option.description:
                return found  # known from a synopsis only: nobody says whether it takes what follows
            span = (word.span[0] + at, word.span[0] + at + 1) if word.raw == value else word.span
            found.append(Token(name, span, entry))
            if entry is None:
                return found
            if first and entry.attaches:
                self._skip = 0 if at + 1 < len(value) else entry.takes
                return found
            self._skip += entry.takes
        return found


def _span(word: Word, text: str) -> tuple[int, int]:
    """The span of `text` at the beginning of `word`; of the whole word when quotes hide where it is."""
    return (word.span[0], word.span[0] + len(text)) if word.raw.startswith(text) else word.span
