"""What a rule of values.toml is and where it holds. Pure; it reads parsed commands and the words of a request."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gorilla_cli.errors import StateError
from gorilla_cli.sanitise import one_line
from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.optionvalues import Setting, Usage, usages
from gorilla_cli.verifiers.wording import plain
from gorilla_cli.verifiers.words import LONGEST_WORD, Word

RULES = Path(__file__).with_name("values.toml")
_GROUP = re.compile(r"@(\w+?)(?:([+*])(\d+))?@")
Groups = dict[str, str]


@dataclass(frozen=True)
class ValueRule:
    """One rule; values.toml explains each field."""

    name: str
    programs: frozenset[str]
    message: str
    under: str = ""
    request: tuple[str, ...] = ()
    not_request: tuple[str, ...] = ()
    option: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    not_value: tuple[str, ...] = ()
    operand: tuple[str, ...] = ()
    at: int | None = None
    raw: str = ""
    quoted: bool | None = None
    negated: bool | None = None
    late: bool = False
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    not_operands: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    not_words: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    sources_beyond: frozenset[str] = frozenset()
    feeds_beyond: frozenset[str] = frozenset()
    source_has: tuple[str, ...] = ()
    source_lacks: tuple[str, ...] = ()
    first: bool = False
    last: bool = False
    wrapped: bool | None = None
    context: str = ""
    clobbers: bool = False
    becomes: str = ""
    text: str = ""
    instead: str = ""
    program: str = ""
    add: str = ""
    drop: bool = False
    before: str = ""
    match: tuple[tuple[str, ...], ...] = ()
    not_match: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Subject:
    """What a rule was found to hold for: an option, an operand, or the command; `found` is the match of its value."""

    rule: ValueRule
    usage: Usage
    groups: Groups
    setting: Setting | None = None
    word: Word | None = None
    found: re.Match[str] | None = None

    @property
    def span(self) -> tuple[int, int]:
        chosen = self.setting or self.word
        return chosen.span if chosen else self.usage.command.span

    @property
    def message(self) -> str:
        return one_line(filled(self.rule.message, {**self.groups, "value": self._value}))

    @property
    def _value(self) -> str:
        return self.setting.value or "" if self.setting else self.word.text if self.word else ""


@dataclass(frozen=True)
class ValueBook:
    """All of values.toml."""

    rules: tuple[ValueRule, ...]

    def found(self, parsed: Parsed, request: str) -> list[Subject]:
        """Where a rule holds for a command of `parsed` and the words of `request`."""
        words = plain(request[:LONGEST_WORD])
        return [s for usage in usages(parsed) for rule in self.rules for s in _hold(rule, usage, words)]


@functools.cache
def load_values(file: Path = RULES) -> ValueBook:
    """The rules in `file`. Raises StateError for a rule with a field that there is not."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return ValueBook(tuple(_rule(row, table["phrases"]) for row in table["rule"]))


def _rule(row: dict, phrases: dict[str, str]) -> ValueRule:
    kinds = {entry.name: str(entry.type) for entry in fields(ValueRule)}
    unknown = set(row) - set(kinds)
    if unknown:
        raise StateError(f"{row.get('name')}: no field is called {unknown.pop()!r}", "see the top of values.toml")
    return ValueRule(**{key: _field(value, kinds[key], phrases) for key, value in row.items()})


def _field(value: Any, kind: str, phrases: dict[str, str]) -> Any:
    if kind.startswith("frozenset"):
        return frozenset([value] if isinstance(value, str) else value)
    if kind.startswith("tuple[tuple"):
        return tuple(tuple(pair) for pair in value)
    if kind.startswith("tuple"):
        entries = [value] if isinstance(value, str) else value
        return tuple(re.sub(r"<<(\w+)>>", lambda m: phrases[m[1]], entry) for entry in entries)
    return value


def _hold(rule: ValueRule, usage: Usage, request: str) -> list[Subject]:
    """The one place where `rule` holds for `usage`, as a list of at most one."""
    if usage.program not in rule.programs or not _conditions_hold(rule, usage):
        return []
    groups = _asked(rule, request)
    return [] if groups is None else list(_subjects(rule, usage, groups))[:1]


def _asked(rule: ValueRule, request: str) -> Groups | None:
    """The named groups of the first pattern that the request has; None when it has none or one it must not have."""
    if any(_compiled(pattern).search(request) for pattern in rule.not_request):
        return None
    if not rule.request:
        return {}
    found = next((match for pattern in rule.request if (match := _compiled(pattern).search(request))), None)
    return None if found is None else {key: text for key, text in found.groupdict().items() if text is not None}


def _subjects(rule: ValueRule, usage: Usage, groups: Groups) -> Iterator[Subject]:
    if rule.option:
        for setting in usage.settings:
            if setting.name in rule.option and _state_fits(rule, setting, usage):
                found = _fits(rule.value, rule.not_value, setting.value or "", groups)
                if found:
                    yield Subject(rule, usage, groups, setting, None, found)
    elif rule.operand or rule.raw:
        several = usage.operands if rule.at is None else usage.operands[rule.at :][:1]
        for word in several:
            found = _fits(rule.operand, (), word.text, groups)
            if found and re.fullmatch(rule.raw or ".*", word.raw, re.DOTALL) and rule.quoted in (None, _quoted(word)):
                yield Subject(rule, usage, groups, None, word, found)
    else:
        yield Subject(rule, usage, groups)


def _state_fits(rule: ValueRule, setting: Setting, usage: Usage) -> bool:
    if rule.quoted is not None:
        word = next((word for word in usage.command.words if word.span == setting.value_span), None)
        if word is None or _quoted(word) is not rule.quoted:
            return False
    return rule.negated in (None, setting.negated) and (setting.late or not rule.late)


def _quoted(word: Word) -> bool:
    return word.kind != "glob" or bool(set(word.raw) & set("'\"\\"))


def _fits(wanted: tuple[str, ...], unwanted: tuple[str, ...], text: str, groups: Groups) -> re.Match[str] | None:
    """The match of `text` with one of `wanted` (anything when there is none), unless one of `unwanted` matches."""
    if len(text) > LONGEST_WORD:
        return None
    if any(_pattern(pattern, groups).fullmatch(text) for pattern in unwanted):
        return None
    patterns = wanted or ("(?s).*",)
    return next((match for pattern in patterns if (match := _pattern(pattern, groups).fullmatch(text))), None)


def _pattern(pattern: str, groups: Groups) -> re.Pattern[str]:
    return _compiled(filled(pattern, {key: re.escape(text) for key, text in groups.items()}))


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def filled(text: str, groups: Groups) -> str:
    """`text` with `@name@`, `@name+1@` and `@name*60@` replaced by what the request says."""

    def fill(match: re.Match[str]) -> str:
        known = groups.get(match[1])
        if known is None:
            return match[0]
        if not match[2] or not known.isdigit():
            return known
        return str(int(known) + int(match[3]) if match[2] == "+" else int(known) * int(match[3]))

    return _GROUP.sub(fill, text)


def _any(patterns: tuple[str, ...], texts: Sequence[str]) -> bool:
    bounded = [text for text in texts if len(text) <= LONGEST_WORD]
    return any(_compiled(pattern).fullmatch(text) for pattern in patterns for text in bounded)


def _read_from(usage: Usage) -> list[str]:
    return usage.reads + [text for source in usage.sources for text in source.reads]


def _overwrites_input(usage: Usage) -> bool:
    """Whether it writes with > to a file that it, or what feeds it, reads."""
    redirects = [redirect for one in (usage, *usage.around) for redirect in one.command.redirects]
    written = [r.target.text for r in redirects if r.target and r.operator in (">", ">|", "&>")]
    return any(text in _read_from(usage) and not text.startswith("/dev/") for text in written)


def _words(usage: Usage) -> list[str]:
    return [word.text for word in usage.command.words[1:]]


# Field of a rule -> the condition that it sets on the command.
_CONDITIONS: dict[str, Callable[[ValueRule, Usage], bool]] = {
    "under": lambda rule, usage: bool(usage.operands) and usage.operands[0].text in rule.under.split(),
    "has": lambda rule, usage: bool(usage.names & set(rule.has)),
    "lacks": lambda rule, usage: not usage.names & set(rule.lacks),
    "operands": lambda rule, usage: _any(rule.operands, [word.text for word in usage.operands]),
    "not_operands": lambda rule, usage: not _any(rule.not_operands, [word.text for word in usage.operands]),
    "words": lambda rule, usage: _any(rule.words, _words(usage)),
    "not_words": lambda rule, usage: not _any(rule.not_words, _words(usage)),
    "reads": lambda rule, usage: _any(rule.reads, _read_from(usage)),
    "sources": lambda rule, usage: bool(rule.sources & {source.program for source in usage.sources}),
    "sources_beyond": lambda rule, usage: {source.program for source in usage.sources} <= rule.sources_beyond,
    "feeds_beyond": lambda rule, usage: usage.feeds <= rule.feeds_beyond,
    "source_has": lambda rule, usage: any(source.names & set(rule.source_has) for source in usage.sources),
    "source_lacks": lambda rule, usage: not any(source.names & set(rule.source_lacks) for source in usage.sources),
    "first": lambda rule, usage: not usage.sources,
    "last": lambda rule, usage: not usage.feeds,
    "wrapped": lambda rule, usage: bool(usage.command.wrappers) is rule.wrapped,
    "context": lambda rule, usage: rule.context in usage.command.context.split(),
    "clobbers": lambda rule, usage: _overwrites_input(usage),
}


_DEFAULTS = {entry.name: entry.default for entry in fields(ValueRule)}


def _conditions_hold(rule: ValueRule, usage: Usage) -> bool:
    return all(test(rule, usage) for key, test in _CONDITIONS.items() if getattr(rule, key) != _DEFAULTS[key])
