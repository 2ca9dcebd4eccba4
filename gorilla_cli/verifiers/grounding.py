"""The grounding verifier: every option in a command is looked up in the documentation of its program.

It knows no program by heart: what is documented is known, what is not is reported with the nearest that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gorilla_cli.protocols import Manual
from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Candidate, Cite, Doc, Finding, Hit, Level, Request
from gorilla_cli.verifiers.optiontable import Entry, OptionTable, alternatives, grammar
from gorilla_cli.verifiers.optionwords import Reader, Token
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.programs import builtins
from gorilla_cli.verifiers.words import Word

__all__ = ["GroundingVerifier", "alternatives", "unknown_options"]

CHECK = "option"
CITE = "cite"
_UNKNOWN = "{} has no option {} in {}"
_UNKNOWN_PATTERN = re.compile(r"^.+? has no option (\S+) in ")
_SUBCOMMAND = re.compile(r"[a-z][\w.:-]*")
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program path: the words it holds for, and the options documented for it."""

    start: int
    table: OptionTable


class GroundingVerifier:
    """Verifier of options against `manual`: evidence for the documented ones, a warning for the others."""

    def __init__(self, parser: Parser, manual: Manual) -> None:
        self._parser = parser
        self._manual = manual

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        parsed = self._parser.parse(candidate.action.command)
        tables: dict[str, OptionTable] = {}
        found: list[Finding] = []
        for command in parsed.commands:
            if command.program and command.program not in grammar()["unchecked"]:
                words = parsed.own_words(command)
                found += self._findings(words, command.program, request.shell, tables)
        return list(dict.fromkeys(found))

    def _findings(
        self, words: list[Word], program: str, shell: str, tables: dict[str, OptionTable]
    ) -> Iterator[Finding]:
        steps = self._steps(words, program, tables)
        if not any(step.table for step in steps):
            yield from _undocumented(program, words, shell)
            return
        for number, step in enumerate(steps):
            end = steps[number + 1].start - 1 if number + 1 < len(steps) else len(words)
            active = [lower.table for lower in reversed(steps[: number + 1])]
            for token in Reader(words[step.start : end], active, step.table.path).read():
                yield from _report(token, active)

    def _steps(self, words: list[Word], program: str, tables: dict[str, OptionTable]) -> list[Step]:
        """The longest documented program path at the beginning of `words`, step by step."""
        steps = [Step(1, self._table(program, tables))]
        at = 1
        while at < len(words) and len(steps) <= DEEPEST:
            text = words[at].value or ""
            path = steps[-1].table.path
            if text.startswith("-"):
                module = f"{path} {text} {words[at + 1].value}" if text == "-m" and at + 1 < len(words) else ""
                if module and self._table(module, tables).docs:
                    return [*steps, Step(at + 2, self._table(module, tables))]
                at += 1 + _arguments_of(text, [step.table for step in steps])
                continue
            deeper = self._table(f"{path} {text}", tables) if _SUBCOMMAND.fullmatch(text) else None
            if not deeper:
                break
            at += 1
            steps.append(Step(at, deeper))
        return steps

    def _table(self, path: str, tables: dict[str, OptionTable]) -> OptionTable:
        if path not in tables:
            tables[path] = OptionTable(path, self._manual.manual(path))
        return tables[path]


def unknown_options(findings: Sequence[Finding]) -> list[str]:
    """The options that findings report as not documented, each once, as they stand in the command."""
    matches = [_UNKNOWN_PATTERN.match(finding.message) for finding in findings if finding.check == CHECK]
    return list(dict.fromkeys(match[1] for match in matches if match))


def _arguments_of(text: str, tables: list[OptionTable]) -> int:
    """How many words after the option `text` belong to it."""
    if "=" in text:
        return 0
    return next((table.names[text].takes for table in reversed(tables) if text in table.names), 0)


def _undocumented(program: str, words: list[Word], shell: str) -> Iterator[Finding]:
    options = [word for word in words[1:] if word.value and re.match(r"-[-\w]", word.value)]
    level = Level.CAUTION if options and program not in builtins(shell) else Level.INFO
    message = f"no documentation for {one_line(program)}: its options are not checked"
    yield Finding(CHECK, level, message, words[0].span)


def _report(token: Token, tables: list[OptionTable]) -> Iterator[Finding]:
    if token.entry is None:
        yield _unknown(token, tables)
        return
    yield _cited(token, token.entry)
    if token.short_for:
        yield Finding(CHECK, Level.INFO, f"{token.text} is short for {token.short_for}", token.span)
    if token.entry.only_shipped:
        page = next((doc for table in tables for doc in table.docs if doc.source == "man"), token.entry.doc)
        message = f"{token.text} is in the shipped catalogue, not in {_name(page)} of this machine"
        yield Finding(CHECK, Level.INFO, message, token.span)


def _unknown(token: Token, tables: list[OptionTable]) -> Finding:
    table = next(table for table in tables if table)
    message = _UNKNOWN.format(table.path, one_line(token.text), _name(table.docs[0]))
    near = [name for other in tables for name in other.closest(token.text)]
    if near:
        message += f"; the nearest is {near[0]}"
    return Finding(CHECK, Level.CAUTION, message, token.span)


def _cited(token: Token, entry: Entry) -> Finding:
    option = entry.option
    tag = one_line(f"{', '.join(option.names)} {option.argument}")
    text = f"{tag}  {one_line(option.description)}".rstrip()
    return Finding(CITE, Level.INFO, "", token.span, Cite(token.text, entry.doc.title or entry.doc.id, text))


def _name(doc: Doc) -> str:
    return one_line(doc.id.partition(":")[2] or doc.title)
