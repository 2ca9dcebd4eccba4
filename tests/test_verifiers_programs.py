"""The program verifier: what is installed, built in, defined in the command or elsewhere is there."""

from __future__ import annotations

import shutil

import pytest

from gorilla_cli.types import Candidate, Request, ShellCommand
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.programs import ProgramVerifier, builtins


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


def check(parser: Parser, text: str, shell: str = "bash") -> list[tuple[str, str, str]]:
    verifier = ProgramVerifier(parser, lambda name: shutil.which(name) is not None)
    found = verifier.check(Candidate(ShellCommand(text)), Request("x", shell=shell), ())
    return [(finding.level.word, text[slice(*finding.span)], finding.message) for finding in found]


THERE = [
    "ls | wc -l",
    "cd /tmp && export A=1",
    "[ -f a ] && [[ -d b ]]",
    "f() { ls; }; f",
    "alias zz9='ls'; zz9",
    "./zz9 --x",
    "/opt/zz9/bin/zz9",
    "ssh host zz9",
    "docker exec web zz9",
    "A=1",
    "> out.txt",
]


@pytest.mark.parametrize("text", THERE)
def test_what_is_there_is_silent(parser: Parser, text: str):
    assert check(parser, text) == []


MISSING = ["zz9 -x", "ls | zz9", "sudo zz9 x", "echo $(zz9)", "find . -exec zz9 {} +", "bash -c 'zz9 x'"]


@pytest.mark.parametrize("text", MISSING)
def test_what_is_missing_is_named_and_pointed_at(parser: Parser, text: str):
    assert ("caution", "zz9", "zz9 is not installed") in check(parser, text)


@pytest.mark.parametrize("text", ["$X a", "$(which ls) -l", '"$PAGER" f'])
def test_a_computed_program_is_a_caution(parser: Parser, text: str):
    ((level, span, message),) = check(parser, text)
    assert (level, text.startswith(span), "decided only when it runs" in message) == ("caution", True, True)


def test_builtins_are_those_of_the_shell(parser: Parser):
    assert check(parser, "shopt -s nullglob") == []
    assert [message for *_, message in check(parser, "shopt -s nullglob", "fish")] == ["shopt is not installed"]
    assert builtins("fish") != builtins("bash") != builtins("zsh")
    assert builtins("tcsh") == builtins("sh")
