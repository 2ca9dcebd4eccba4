"""Names: what the request names and the command does not use, and what only the command names.

It compares words and never says that a command is wrong: dropped and invented names are for the ranking alone, a
placeholder is a blank that somebody has to fill in first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.inventions import Invention, inventions
from gorilla_cli.verifiers.mentions import Said, mentions
from gorilla_cli.verifiers.parser import Parser

DROPPED = "entity"
INVENTED = "invented"
PLACEHOLDER = "placeholder"
_MESSAGES = {
    "placeholder": "{} stands for a name that has to be filled in",
    "file": "the request names no {}",
    "host": "the request names no host {}",
    "place": "it starts at {}, the request says here",
    "output": "the request asks for no file {}",
}


class EntityVerifier:
    """Verifier of names: `entity` for what is dropped, `invented` for what is added, `placeholder` for blanks.

    The first two are `Level.INFO`, a placeholder is `Level.CAUTION`.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        parsed = self._parser.parse(candidate.action.command)
        if parsed.crashed or not any(command.words for command in parsed.commands):
            return []
        known = f"{request.text}\n{request.context}" if request.context else request.text
        findings = [*_dropped(parsed, request.text), *map(_added, inventions(parsed, known))]
        return list(dict.fromkeys(findings))


def _dropped(parsed: Parsed, request: str) -> Iterator[Finding]:
    said = Said(parsed)
    for mention in mentions(request):
        if not mention.fits(said):
            message = f"the request names {one_line(mention.text)}; nothing in the command stands for it"
            yield Finding(DROPPED, Level.INFO, message)


def _added(one: Invention) -> Finding:
    message = _MESSAGES[one.kind].format(one_line(one.text))
    if one.kind == "placeholder":
        return Finding(PLACEHOLDER, Level.CAUTION, message, one.span)
    return Finding(INVENTED, Level.INFO, message, one.span)
