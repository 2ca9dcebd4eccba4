"""The program verifier: is everything the command calls there? It asks, it never looks on the disk itself."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.commands import Parsed, SimpleCommand
from gorilla_cli.verifiers.parser import Parser

CHECK = "program"
# What these run is on another machine or in a container: what is installed here says nothing.
ELSEWHERE = {
    "ssh",
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "kubectl",
    "oc",
    "chroot",
    "busybox",
    "toybox",
    "nsenter",
}


class ProgramVerifier:
    """Verifier of program names. `installed`: is a program of this name on PATH?"""

    def __init__(self, parser: Parser, installed: Callable[[str], bool]) -> None:
        self._parser = parser
        self._installed = installed

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        parsed = self._parser.parse(candidate.action.command)
        known = builtins(request.shell) | parsed.functions | set(_aliases(parsed))
        found = [self._missing(command, known) for command in parsed.commands if command.words]
        return list(dict.fromkeys(finding for finding in found if finding))

    def _missing(self, command: SimpleCommand, known: set[str]) -> Finding | None:
        word = command.words[0]
        if word.value is None:
            message = f"which program runs is decided only when it runs: {one_line(word.raw)}"
            return Finding(CHECK, Level.CAUTION, message, word.span)
        if "/" in word.value or word.value in known or ELSEWHERE & set(command.wrappers) or self._installed(word.value):
            return None
        return Finding(CHECK, Level.CAUTION, f"{one_line(word.value)} is not installed", word.span)


def _aliases(parsed: Parsed) -> Iterator[str]:
    for command in parsed.commands:
        if command.program == "alias":
            yield from (word.text.partition("=")[0] for word in command.words[1:])


@functools.cache
def builtins(shell: str) -> frozenset[str]:
    """The commands that `shell` runs itself; those of sh for a shell that is not known."""
    table = tomllib.loads(Path(__file__).with_name("shells.toml").read_text(encoding="utf-8"))
    return frozenset(table.get(shell, table["sh"])["names"])
