"""What every Verifier promises, run over all that the package has."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from gorilla_cli.protocols import Verifier
from gorilla_cli.types import Candidate, Doc, Level, Option, Request, ShellCommand
from gorilla_cli.verifiers.entities import EntityVerifier
from gorilla_cli.verifiers.gate import CharacterGate
from gorilla_cli.verifiers.grounding import GroundingVerifier
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.policy import PolicyVerifier
from gorilla_cli.verifiers.programs import ProgramVerifier
from gorilla_cli.verifiers.syntax import SyntaxVerifier
from gorilla_cli.verifiers.values import ValueVerifier

LS = Doc("man:ls(1)", "man", "ls", "ls(1)", options=(Option(("-l",), "", "long"),))


class Shelf:
    def manual(self, program: str) -> list[Doc]:
        return [LS] if program == "ls" else []


MAKERS: dict[str, Callable[[Parser], Verifier]] = {
    "gate": lambda parser: CharacterGate(),
    "syntax": SyntaxVerifier,
    "programs": lambda parser: ProgramVerifier(parser, lambda name: shutil.which(name) is not None),
    "grounding": lambda parser: GroundingVerifier(parser, Shelf()),
    "policy": PolicyVerifier,
    "entities": EntityVerifier,
    "values": ValueVerifier,
}
TEXTS = [
    "ls -l",
    "",
    " ",
    "ls -l | grep x > y",
    "rm -rf ~",
    "if x then",
    "'open",
    "$X -rf /",
    "{\U0009d000",
    "ls \x1b[0m",
    "echo '\ud800'",
    "a\x00b",
    "ls ü 🚀 --größe",
    "; ".join(["ls"] * 100),
    "ls " + "-" * 9000,
    "find . -exec sh -c 'ls -l' \\;",
    "\n\n\n",
    "cat <<E\n$(ls -l)\nE",
]


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


@pytest.fixture(scope="module", params=MAKERS)
def verifier(request, parser) -> Verifier:
    return MAKERS[request.param](parser)


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh", "fish", "tcsh"])
@pytest.mark.parametrize("text", TEXTS)
def test_findings_are_in_the_text_in_one_clean_line_and_the_same_twice(verifier: Verifier, text: str, shell: str):
    candidate, request = Candidate(ShellCommand(text)), Request("x", shell=shell)
    found = verifier.check(candidate, request, ())
    for finding in found:
        assert finding.check
        assert finding.cite or finding.message
        assert finding.message.isprintable()
        assert isinstance(finding.level, Level)
        start, end = finding.span or (0, 0)
        assert 0 <= start <= end <= len(text)
    assert verifier.check(candidate, request, ()) == found
    assert candidate.action.command == text


def test_an_ordinary_command_raises_no_verdict(verifier: Verifier):
    found = verifier.check(Candidate(ShellCommand("ls -l")), Request("x"), ())
    assert [finding for finding in found if finding.level] == []
