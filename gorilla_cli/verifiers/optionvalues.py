"""The options of a simple command with their values, each under one name. Pure; the names are optionnames.toml."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gorilla_cli.verifiers.commands import Parsed, SimpleCommand
from gorilla_cli.verifiers.words import Word

Span = tuple[int, int]
DASHLESS = ("tar", "bsdtar")  # the first word is a bundle with or without a dash
NUMBERED = ("head", "tail", "git")  # -5 means -n 5


@dataclass(frozen=True, slots=True)
class Setting:
    """One option: `name` is its first spelling in the table. `value` is None for a flag.

    `span` and `value_span` are where they stand in the command; the span of a letter in a bundle is that letter.
    `negated`: `!` or `-not` stands before it. `late`: an operand stands before it.
    """

    name: str
    value: str | None
    span: Span
    value_span: Span | None = None
    negated: bool = False
    late: bool = False


@dataclass(eq=False)
class Usage:
    """How one command is used.

    `words`: those after the program that are not of a command that it runs. `sources`: the commands that may feed it;
    `feeds`: the programs that read it. `around`: redirects of the pipeline or the group that it is in.
    """

    command: SimpleCommand
    words: list[Word] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    operands: list[Word] = field(default_factory=list)
    sources: list[Usage] = field(default_factory=list)
    around: list[Usage] = field(default_factory=list)
    feeds: set[str] = field(default_factory=set)

    @property
    def program(self) -> str:
        return self.command.program

    @functools.cached_property
    def names(self) -> set[str]:
        """The options that are there."""
        return {setting.name for setting in self.settings}

    @functools.cached_property
    def reads(self) -> list[str]:
        """The operands and input files of the command."""
        inputs = [r.target.text for r in self.command.redirects if r.target and r.operator == "<"]
        return [word.text for word in self.operands] + inputs


class OptionNames:
    """The names in a table of rows "-n:,--lines -r,--reverse"; a colon says that the option takes a value."""

    def __init__(self, row: str) -> None:
        self.canonical: dict[str, str] = {}
        self.taking: set[str] = set()
        for group in row.split():
            names = group.replace(":", "").split(",")
            self.canonical.update((name, names[0]) for name in names)
            self.taking |= set(names) if ":" in group else set()

    def name(self, spelling: str) -> str:
        return self.canonical.get(spelling, spelling)


@functools.cache
def option_names() -> dict[str, OptionNames]:
    """optionnames.toml: program -> the names of its options."""
    table = tomllib.loads(Path(__file__).with_name("optionnames.toml").read_text(encoding="utf-8"))
    return {program: OptionNames(row) for program, row in table.items()}


def usages(parsed: Parsed) -> list[Usage]:
    """Every command of `parsed`, in its order, read with the option names of its program."""
    tables, unknown = option_names(), OptionNames("")
    found = [_usage(command, parsed, tables.get(command.program, unknown)) for command in parsed.commands]
    for usage in found:
        before = [found[command.number] for command in parsed.upstream(usage.command)]
        usage.sources = [source for source in before if source.command.words]
        usage.around = [source for source in before if not source.command.words]
        for source in usage.sources:
            source.feeds.add(usage.program)
    for statement in found:
        _keep_around([usage for usage in found if statement in usage.around], statement)
    return found


def _keep_around(members: Sequence[Usage], statement: Usage) -> None:
    """A redirect behind `a && b` or `a | b` is one of `b` alone, though the grammar gives it to both."""
    for usage in members[:-1]:
        usage.around.remove(statement)


def _usage(command: SimpleCommand, parsed: Parsed, names: OptionNames) -> Usage:
    words = parsed.own_words(command)[1:]
    usage, at = Usage(command, words), 0
    ended = False
    while at < len(words):
        negated = at > 0 and words[at - 1].raw in ("!", "\\!", "-not")
        read = [] if ended else list(_settings(words, at, command.program, names, negated, bool(usage.operands)))
        usage.settings += read
        if not read and (ended or words[at].raw not in ("!", "\\!", "--")):
            usage.operands.append(words[at])
        ended = ended or words[at].raw == "--"
        at += 2 if any((setting.value_span or (0, 0))[0] >= words[at].span[1] for setting in read) else 1
    return usage


def _settings(
    words: Sequence[Word], at: int, program: str, names: OptionNames, negated: bool, late: bool
) -> Iterator[Setting]:
    """The options in the word at `at`; none when it is an operand."""
    word, text = words[at], words[at].text
    dashless = at == 0 and program in DASHLESS and re.fullmatch(r"[A-Za-z]{1,8}", text)
    if not dashless and (len(text) < 2 or text[0] != "-" or text == "--"):
        return
    following = words[at + 1] if at + 1 < len(words) else None
    head, equals, value = text.partition("=")
    if program in NUMBERED and re.fullmatch(r"-\d+", text):
        yield Setting("-n", text[1:], word.span, word.span, negated, late)
    elif equals and (text.startswith("--") or head in names.canonical):
        yield Setting(names.name(head), value, word.span, _tail(word, len(head) + 1), negated, late)
    elif text in names.taking:
        given = (following.text, following.span) if following else (None, None)
        yield Setting(names.name(text), given[0], word.span, given[1], negated, late)
    elif text in names.canonical or text.startswith("--") or program in ("find", "java") or re.match(r"-\W", text):
        yield Setting(names.name(text), None, word.span, None, negated, late)
    else:
        yield from _bundle(word, text, following, names, 0 if dashless else 1, late)


def _bundle(
    word: Word, text: str, following: Word | None, names: OptionNames, first: int, late: bool
) -> Iterator[Setting]:
    """The letters of a bundle; the rest of the word, or the next one, is the value of a letter that takes one."""
    for at in range(first, len(text)):
        name, exact = "-" + text[at], word.raw == text
        span = (word.span[0] + at, word.span[0] + at + 1) if exact and len(text) > first + 1 else word.span
        rest = text[at + 1 :]
        if name not in names.taking:
            yield Setting(names.name(name), None, span, None, False, late)
        elif rest and first:
            yield Setting(names.name(name), rest, span, _tail(word, at + 1), False, late)
            return
        else:
            value = following if not rest or not first else None
            yield Setting(names.name(name), value.text if value else None, span, value.span if value else None)


def _tail(word: Word, length: int) -> Span:
    """Where the part of `word` after its first `length` characters stands."""
    return (min(word.span[0] + length, word.span[1]), word.span[1])
