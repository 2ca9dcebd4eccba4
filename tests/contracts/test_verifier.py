"""What every Verifier promises, run over all that the package has."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from gorilla_cli.protocols import Verifier
from gorilla_cli.types import ApiCall, Argument, Candidate, Doc, Level, Option, RecordHit, Request, ShellCommand
from gorilla_cli.verifiers.apicode import CodeVerifier
from gorilla_cli.verifiers.apimatch import CallVerifier
from gorilla_cli.verifiers.entities import EntityVerifier
from gorilla_cli.verifiers.gate import CharacterGate
from gorilla_cli.verifiers.grounding import GroundingVerifier
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.policy import PolicyVerifier
from gorilla_cli.verifiers.programs import ProgramVerifier
from gorilla_cli.verifiers.syntax import SyntaxVerifier
from gorilla_cli.verifiers.values import ValueVerifier
from tests.record_index import record

LS = Doc("man:ls(1)", "man", "ls", "ls(1)", options=(Option(("-l",), "", "long"),))


class Shelf:
    def manual(self, program: str) -> list[Doc]:
        return [LS] if program == "ls" else []


class Records:
    """A retriever that finds the one record there is."""

    def search(self, query: str, k: int) -> list[RecordHit]:
        arguments = (Argument("obj", required=True), Argument("indent", default="None"))
        return [RecordHit(record("json.dumps(obj)", functionality="write JSON", api_arguments=arguments), 1.0)][:k]


MAKERS: dict[str, Callable[[Parser], Verifier]] = {
    "gate": lambda parser: CharacterGate(),
    "syntax": SyntaxVerifier,
    "programs": lambda parser: ProgramVerifier(parser, lambda name: shutil.which(name) is not None),
    "grounding": lambda parser: GroundingVerifier(parser, Shelf()),
    "policy": PolicyVerifier,
    "entities": EntityVerifier,
    "values": ValueVerifier,
}
API: dict[str, Callable[[], Verifier]] = {"calls": lambda: CallVerifier(Records()), "code": CodeVerifier}
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


# those of API calls


@pytest.fixture(scope="module", params=API)
def api_verifier(request) -> Verifier:
    return API[request.param]()


CALLS = [
    "json.dumps([1])",
    "json.dumps([1], colour=1)",
    "json.dumps()",
    "json.dumps(*x, **y)",
    "import os\nos.system('rm -rf ~')",
    "__import__('o' + 's').remove('x')",
    "eval(input())",
    "größe = '🚀'\njson.dumps(größe)",
    "a\r\nb",
    "(" * 500,
    "f(" * 3000,
    "1+" * 20_000 + "1",
    "GET https://a.example/b",
    "def",
]


@pytest.mark.parametrize("text", [*CALLS, *TEXTS])
def test_findings_about_an_api_call_are_in_its_code_and_the_same_twice(api_verifier: Verifier, text: str):
    candidate = Candidate(ApiCall(text, text, "records:x:1"))
    found = api_verifier.check(candidate, Request("x"), ())
    for finding in found:
        assert finding.check
        assert finding.cite or finding.message
        assert finding.message.isprintable()
        assert isinstance(finding.level, Level)
        start, end = finding.span or (0, 0)
        assert 0 <= start <= end <= len(text)
    assert api_verifier.check(candidate, Request("x"), ()) == found
    assert candidate.action == ApiCall(text, text, "records:x:1")


def test_an_ordinary_api_call_raises_no_verdict(api_verifier: Verifier):
    candidate = Candidate(ApiCall("json.dumps([1])", "import json\n\njson.dumps([1])\n", "records:x:1"))
    assert [finding for finding in api_verifier.check(candidate, Request("x"), ()) if finding.level] == []


@pytest.mark.parametrize("text", ["no call (", "json.dumps(colour=__import__('os').system('x'))"])
def test_what_is_no_documented_call_raises_the_verdict(api_verifier: Verifier, text: str):
    assert max(one.level for one in api_verifier.check(Candidate(ApiCall(text, text, "")), Request("x"), ()))


@pytest.mark.parametrize("text", TEXTS)
def test_shell_commands_are_none_of_their_business(api_verifier: Verifier, text: str):
    assert api_verifier.check(Candidate(ShellCommand(text)), Request("x"), ()) == []
