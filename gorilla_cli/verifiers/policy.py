"""The policy verifier: what could go wrong when a command runs. Rules are data (rules.toml); it only warns.

A verdict can only be raised: nothing found is safe, and what cannot be analysed is dangerous.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.commands import Parsed, SimpleCommand
from gorilla_cli.verifiers.parser import TOO_LONG, Parser
from gorilla_cli.verifiers.rules import Rule, RuleBook, load_rules
from gorilla_cli.verifiers.view import View, views
from gorilla_cli.verifiers.words import LONGEST_WORD, Word

CHECK = "policy"


class PolicyVerifier:
    """Verifier of effects: a finding for each command that is not known to be safe."""

    def __init__(self, parser: Parser, rules: RuleBook | None = None) -> None:
        self._parser = parser
        self._given = rules

    @property
    def _rules(self) -> RuleBook:
        return self._given or load_rules()

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        parsed = self._parser.parse(candidate.action.command)
        if parsed.crashed:
            return [Finding(CHECK, Level.DANGEROUS, parsed.problem)]
        long = [word for command in parsed.commands for word in _all_words(command) if len(word.raw) > LONGEST_WORD]
        if long:
            message = f"has a word of {len(long[0].raw)} characters, {TOO_LONG}"
            return [Finding(CHECK, Level.DANGEROUS, message, long[0].span)]
        found = [finding for view in views(parsed, self._rules.arguments) for finding in self._judge(view)]
        return list(dict.fromkeys([*found, *self._unclear(parsed)]))

    def _judge(self, view: View) -> Iterator[Finding]:
        matching = self._rules.matching(view)
        worst = max((rule.level for rule in matching), default=Level.INFO)
        for rule in matching:
            if rule.level == worst:
                yield Finding(CHECK, rule.level, _message(rule), view.command.span)
        if not matching and self._unknown(view):
            message = f"nothing is known about what {one_line(self._shown(view))} does"
            yield Finding(CHECK, Level.CAUTION, message, view.command.span)

    def _unknown(self, view: View) -> bool:
        return bool(view.command.words) and view.program not in view.parsed.functions and not self._rules.is_quiet(view)

    def _shown(self, view: View) -> str:
        """The program, with its subcommand where the rules know subcommands of it."""
        layered = view.program in self._rules.layered
        return " ".join([view.program, *view.path[: int(layered)]]) if view.program else view.command.words[0].raw

    def _unclear(self, parsed: Parsed) -> Iterator[Finding]:
        """What the parser could not account for: dangerous when a danger word is in the text."""
        problem = parsed.problem or ("a part of it cannot be read" if parsed.errors else "")
        if problem:
            level = Level.DANGEROUS if self._rules.danger.search(parsed.text) else Level.CAUTION
            span = parsed.errors[0] if parsed.errors and not parsed.problem else None
            yield Finding(CHECK, level, problem, span)


def _all_words(command: SimpleCommand) -> list[Word]:
    """The words of a command, of its assignments and of its redirects."""
    values = [assignment.value for assignment in command.assignments]
    return [*command.words, *values, *(redirect.target for redirect in command.redirects if redirect.target)]


def _message(rule: Rule) -> str:
    return f"{rule.reason}; {rule.safer}" if rule.safer else rule.reason
