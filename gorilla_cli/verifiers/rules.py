"""What a rule of rules.toml is and when it matches. Pure: it reads a parsed command line and nothing else."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

from gorilla_cli.errors import StateError
from gorilla_cli.types import Level
from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.pycode import harmless
from gorilla_cli.verifiers.view import View, shortest, views
from gorilla_cli.verifiers.words import LONGEST_WORD

RULES = Path(__file__).with_name("rules.toml")
LEVELS = {"caution": Level.CAUTION, "dangerous": Level.DANGEROUS}
_PATTERN_FIELDS = (
    "operands",
    "not_operands",
    "last",
    "words",
    "not_words",
    "values",
    "command_word",
    "redirects",
    "inputs",
    "any_redirects",
    "assignments",
    "source_words",
)


@dataclass(frozen=True)
class Rule:
    """One rule; rules.toml explains each field. `patterns`: field -> regular expressions."""

    name: str
    level: Level
    reason: str
    safer: str = ""
    effects: tuple[str, ...] = ()
    programs: frozenset[str] = frozenset()
    under: tuple[tuple[str, ...], ...] = ()
    options: tuple[str, ...] = ()
    not_options: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()
    patterns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    no_operands: bool = False
    bare: bool = False
    fed: bool = False
    min_operands: int = 0
    sources: frozenset[str] = frozenset()
    sources_beyond: frozenset[str] = frozenset()
    wrapped_by: frozenset[str] = frozenset()
    appended: bool = False
    background: bool = False
    dynamic: str = ""
    set_inside: bool = False
    recursive: bool = False
    context: str = ""
    without: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    unreviewed: bool = False
    match: tuple[str, ...] = ()
    not_match: tuple[str, ...] = ()

    def found(self, kind: str, texts: Iterable[str]) -> bool:
        """Whether the whole of one of `texts` matches the patterns of `kind`."""
        patterns = [_compiled(pattern) for pattern in self.patterns[kind]]
        return any(pattern.fullmatch(text) for text in texts for pattern in patterns)

    @functools.cached_property
    def tests(self) -> list[Callable[[Rule, View], bool]]:
        """The conditions that this rule has, the cheap ones first."""
        given = {key for key in TESTS if getattr(self, key, None) or key in self.patterns}
        return [TESTS[key] for key in TESTS if key in given]

    def matches(self, view: View) -> bool:
        return all(test(self, view) for test in self.tests)


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _writes(view: View) -> list[str]:
    return [redirect.target.text for redirect in view.command.redirects if redirect.writes and redirect.target]


def _reads(view: View) -> list[str]:
    found = [
        redirect for redirect in view.command.redirects if redirect.operator.startswith("<") and not redirect.copies
    ]
    return [redirect.target.text if redirect.target else redirect.body[:LONGEST_WORD] for redirect in found]


def _all_targets(view: View) -> list[str]:
    return [redirect.target.text for redirect in view.command.redirects if redirect.target]


def _source_words(view: View) -> list[str]:
    return [text for source in view.sources for text in source.texts + _reads(source)]


def _assigned(view: View) -> list[str]:
    return [f"{assignment.name}={assignment.value.text}" for assignment in view.command.assignments]


# What each list of patterns is matched against; the kinds that begin with not_ are forbidden.
TEXTS: dict[str, Callable[[View], list[str]]] = {
    "operands": lambda view: view.operand_texts,
    "not_operands": lambda view: view.operand_texts,
    "last": lambda view: shortest(view.operands[-1].text) if view.operands else [],
    "words": lambda view: view.texts,
    "not_words": lambda view: view.texts,
    "values": lambda view: view.values,
    "command_word": lambda view: [view.command.words[0].raw.strip("\"'")] if view.command.words else [],
    "redirects": _writes,
    "inputs": _reads,
    "any_redirects": _all_targets,
    "assignments": _assigned,
    "source_words": _source_words,
}


def _test_of(kind: str) -> Callable[[Rule, View], bool]:
    wanted = not kind.startswith("not_")
    return lambda rule, view: rule.found(kind, TEXTS[kind](view)) is wanted


def _dynamic(rule: Rule, view: View) -> bool:
    words = view.command.words
    if rule.dynamic == "program":
        return bool(words) and words[0].value is None
    return any(word.value is None for word in view.operands)


def _from(rule: Rule, view: View) -> bool:
    programs = {source.program for source in view.sources}
    return bool(view.command.sources) if "*" in rule.sources else bool(programs & rule.sources)


def _from_beyond(rule: Rule, view: View) -> bool:
    return not view.sources or any(source.program not in rule.sources_beyond for source in view.sources)


def _unreviewed(view: View) -> bool:
    code = view.code
    return not (view.program.startswith("python") and code is not None and harmless(code))


def _without(rule: Rule, view: View) -> bool:
    return not any(command.program in rule.without for command in view.parsed.commands)


# Field of a rule -> the condition it sets. Cheap and selective ones first.
TESTS: dict[str, Callable[[Rule, View], bool]] = {
    "programs": lambda rule, view: view.program in rule.programs,
    "under": lambda rule, view: any(view.path[: len(path)] == path for path in rule.under),
    "appended": lambda rule, view: view.command.appended,
    "background": lambda rule, view: view.command.background,
    "dynamic": _dynamic,
    "context": lambda rule, view: rule.context in view.command.context.split(),
    "recursive": lambda rule, view: bool(view.program) and f"function {view.program}" in view.command.context,
    "no_operands": lambda rule, view: set(view.operand_texts) <= {"-"} and not view.command.appended,
    "min_operands": lambda rule, view: len(view.operands) >= rule.min_operands,
    "wrapped_by": lambda rule, view: bool(rule.wrapped_by & set(view.command.wrappers)),
    "not_options": lambda rule, view: not view.spelled(rule.not_options),
    "options": lambda rule, view: view.has(rule.options),
    "expressions": lambda rule, view: bool(set(rule.expressions) & view.expressions),
    "bare": lambda rule, view: view.bare,
    "fed": lambda rule, view: view.fed,
    "sources": _from,
    "sources_beyond": _from_beyond,
    **{kind: _test_of(kind) for kind in _PATTERN_FIELDS},
    "set_inside": lambda rule, view: view.set_inside,
    "without": _without,
    "beside": lambda rule, view: any(command.program in rule.beside for command in view.parsed.commands),
    "unreviewed": lambda rule, view: _unreviewed(view),
}


@dataclass(frozen=True)
class RuleBook:
    """All of rules.toml. `quiet`: program, or program and subcommand, that is safe when no rule matches."""

    rules: tuple[Rule, ...]
    quiet: frozenset[tuple[str, ...]]
    danger: re.Pattern[str]
    arguments: dict[str, frozenset[str]]
    harmless_with: dict[str, tuple[str, ...]]

    @functools.cached_property
    def by_program(self) -> dict[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for program in rule.programs:
                found.setdefault(program, []).append(rule)
        return found

    @functools.cached_property
    def general(self) -> list[Rule]:
        """Rules that look at something else than the program."""
        return [rule for rule in self.rules if not rule.programs]

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """Programs the book says something about."""
        return frozenset(self.by_program) | {path[0] for path in self.quiet}

    @functools.cached_property
    def layered(self) -> frozenset[str]:
        """Programs whose subcommands the book tells apart."""
        return frozenset(path[0] for path in self.quiet if len(path) > 1)

    def matching(self, view: View) -> list[Rule]:
        """The rules that `view` breaks."""
        named = [] if view.asks_help and view.program in self.known else self.by_program.get(view.program, [])
        return [rule for rule in [*named, *self.general] if rule.matches(view)]

    def is_quiet(self, view: View) -> bool:
        if (view.program,) in self.quiet or (view.asks_help and view.program in self.known):
            return True
        if view.spelled(self.harmless_with.get(view.program, ())) or (view.code and not _unreviewed(view)):
            return True
        words = [view.program, *view.path]
        if view.program.startswith("python") and "-m" in view.texts:
            words = [view.program, *view.texts]
        return any(tuple(words[:length]) in self.quiet for length in (2, 3))

    def breaks(self, rule: Rule, parsed: Parsed) -> bool:
        """Whether a command of `parsed` breaks `rule`."""
        return any(rule is found for view in views(parsed, self.arguments) for found in self.matching(view))


def load_rules(file: Path = RULES, check: bool = False) -> RuleBook:
    """The rule book in `file`; with `check`, every example of every rule is tried.

    Raises StateError naming the rule that cannot be understood or whose examples do not hold.
    """
    book = _read(file)
    if check:
        from gorilla_cli.verifiers.parser import Parser

        with Parser() as parser:
            faults = [fault for rule in book.rules for fault in faults_of(rule, book, parser.parse)]
        if faults:
            raise StateError(faults[0], "correct the rule or its example in rules.toml")
    return book


def faults_of(rule: Rule, book: RuleBook, parse: Callable[[str], Parsed]) -> list[str]:
    """The examples of `rule` that do not hold, each as one line."""
    missed = [command for command in rule.match if not book.breaks(rule, parse(command))]
    wrong = [command for command in rule.not_match if book.breaks(rule, parse(command))]
    return [f"{rule.name} must match: {command}" for command in missed] + [
        f"{rule.name} must not match: {command}" for command in wrong
    ]


@functools.cache
def _read(file: Path) -> RuleBook:
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    rules = tuple(_rule(row, table) for row in table["rule"])
    danger = "|".join(re.escape(word) for word in table["danger_words"])
    return RuleBook(
        rules,
        frozenset(tuple(words.split()) for words in table["quiet"]),
        re.compile(rf"(?<![\w.-])({danger})(?![\w-])"),
        {program: frozenset(options) for program, options in table["arguments"].items()},
        {program: tuple(options) for program, options in table["harmless_with"].items()},
    )


def _rule(row: dict, table: dict) -> Rule:
    values: dict = {}
    kinds = {entry.name: entry.type for entry in fields(Rule)}
    patterns: dict[str, tuple[str, ...]] = {}
    for key, value in row.items():
        if key in _PATTERN_FIELDS:
            patterns[key] = tuple(_filled(value, table["patterns"]))
        elif key == "under":
            values[key] = tuple(tuple(path.split()) for path in value)
        elif key == "level":
            values[key] = LEVELS[value]
        elif key not in kinds:
            raise StateError(f"{row.get('name')}: no rule field is called {key!r}", "see the top of rules.toml")
        elif isinstance(value, list):
            filled = _filled(value, table["sets"])
            values[key] = frozenset(filled) if kinds[key].startswith("frozenset") else tuple(filled)
        else:
            values[key] = value
    return Rule(**values, patterns=patterns)


def _filled(entries: list[str], named: dict[str, list[str]]) -> list[str]:
    """`entries` with each "@name" replaced by what the table calls so."""
    found: list[str] = []
    for entry in entries:
        found += named[entry[1:]] if entry.startswith("@") else [entry]
    return found
