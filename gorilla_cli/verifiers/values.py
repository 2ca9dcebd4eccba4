"""Valid options with the wrong value or the wrong meaning for the request: rules are data (values.toml).

It says what an option documents, where the request asks for something else; it never says that a command is right.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from gorilla_cli.types import Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.optionvalues import Setting, Usage
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.valuerules import RULES, Subject, ValueRule, filled, load_values
from gorilla_cli.verifiers.words import quoting

CHECK = "value"
ROUNDS = 3


class ValueVerifier:
    """Verifier of option values against the request's words."""

    def __init__(self, parser: Parser, file: Path = RULES) -> None:
        self._parser = parser
        self._file = file

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        found = self._subjects(candidate.action.command, request)
        findings = [Finding(CHECK, Level.CAUTION, subject.message, subject.span) for subject in found]
        return list(dict.fromkeys(findings))

    def corrected(self, command: str, request: Request) -> list[str]:
        """`command` with what the documentation says instead: everything at once first, then one rule at a time.

        Empty when no rule that has a replacement holds. Only commands that parse and in which the rule holds no more.
        """
        found = self._subjects(command, request)
        whole = self._all_corrected(command, request)
        each = [(subject, _apply(command, _edits(subject, command))) for subject in found]
        texts = [whole, *(text for subject, text in each if self._is_gone(subject.rule, text, request))]
        return [text for text in dict.fromkeys(texts) if text != command and self._parses(text)]

    def _all_corrected(self, command: str, request: Request) -> str:
        """`command` after all corrections, and after those that a correction makes possible; itself if none helps."""
        text, found = command, self._subjects(command, request)
        for _ in range(ROUNDS):
            edits = [edit for subject in self._subjects(text, request) for edit in _edits(subject, text)]
            text = _apply(text, list(dict.fromkeys(edits)))
        return text if len(self._subjects(text, request)) < len(found) else command

    def _is_gone(self, rule: ValueRule, text: str, request: Request) -> bool:
        return all(subject.rule is not rule for subject in self._subjects(text, request))

    def _parses(self, text: str) -> bool:
        parsed = self._parser.parse(text)
        return not (parsed.errors or parsed.problem)

    def _subjects(self, command: str, request: Request) -> list[Subject]:
        book = load_values(self._file)
        return book.found(self._parser.parse(command), request.text)


def _edits(subject: Subject, command: str) -> list[tuple[int, int, str]]:
    """What `subject`'s rule replaces: (start, end, text) in the command. Empty without a replacement.

    Empty too for a command inside quotes (`sh -c '...'`), where new quotes would mean something else.
    """
    rule, edits = subject.rule, []
    first = subject.usage.command.span[0]
    if quoting(command)[first : first + 1] not in ("u", "h"):
        return []
    place = subject.setting.value_span if subject.setting else subject.word.span if subject.word else None
    if (rule.becomes or rule.text) and place:
        edits.append((*place, _replacement(subject, command[slice(*place)])))
    if subject.setting and (rule.instead or rule.drop):
        edits.append(_renamed(subject.setting, rule.instead, command))
    if rule.program and subject.usage.command.words:
        edits.append((*subject.usage.command.words[0].span, rule.program))
    if rule.before:
        edits.append((subject.usage.command.span[0], subject.usage.command.span[0], rule.before))
    if rule.add:
        at = _opening(subject.usage, rule)
        edits.append((at, at, " " + filled(rule.add, subject.groups)))
    return edits


def _replacement(subject: Subject, raw: str) -> str:
    """The new text of a value: `becomes` is a value that is quoted when it must be, `text` is shell text."""
    rule, groups = subject.rule, {**subject.groups, "raw": raw}
    template = rule.becomes or rule.text
    value = filled(subject.found.expand(template) if subject.found else template, groups)
    if rule.text:
        return value
    return value if re.fullmatch(r"[\w@%+=:,./-][\w@%+=:,./~^-]*", value) else shlex.quote(value)


def _renamed(setting: Setting, new: str, command: str) -> tuple[int, int, str]:
    """The option replaced by `new`, or taken out; a letter of a bundle is replaced by a letter."""
    start, end = setting.span
    old = command[start:end]
    letter = end - start == 1
    if not new:
        return (start, end, "") if letter else (start - (command[start - 1 : start] == " "), _end(setting), "")
    if letter:
        return (start, end, new[1:] if re.fullmatch(r"-[A-Za-z0-9]", new) else old)
    attached = setting.value_span is not None and setting.value_span[0] < end
    return (start, setting.value_span[0] if attached and setting.value_span else end, new + (" " if attached else ""))


def _end(setting: Setting) -> int:
    return max(setting.span[1], setting.value_span[1] if setting.value_span else 0)


def _opening(usage: Usage, rule: ValueRule) -> int:
    """Where an option is put in: behind the program, its subcommand, or find's starting points."""
    words = usage.command.words
    if usage.program == "find":
        first = next((at for at, word in enumerate(words) if at and word.raw[:1] in ("-", "!", "\\", "(")), len(words))
        return words[first - 1].span[1]
    return usage.operands[0].span[1] if rule.under else words[0].span[1]


def _apply(command: str, edits: list[tuple[int, int, str]]) -> str:
    """`command` with `edits` made, the last one first; of two that want the same place only one is."""
    last = len(command) + 1
    for start, end, text in sorted(edits, reverse=True):
        if end <= last:
            command, last = command[:start] + text + command[end:], start
    return command
