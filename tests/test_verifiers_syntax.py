"""The syntax verifier: the real shells of this machine are asked, and nothing runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gorilla_cli.types import Candidate, Request, ShellCommand
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.syntax import ARGUMENTS, SyntaxVerifier


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


def check(parser: Parser, text: str, shell: str = "bash", **options) -> list[tuple[str, str]]:
    found = SyntaxVerifier(parser, **options).check(Candidate(ShellCommand(text)), Request("x", shell=shell), ())
    return [(finding.level.word, finding.message) for finding in found]


GOOD = ["ls -la", "for i in 1 2; do echo $i; done", "cat <<E\nx\nE", "[[ -f a ]] && ls", 'echo "$(date)"', "ls | wc -l"]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_command_is_silent(parser: Parser, text: str):
    assert check(parser, text) == []


BAD = ["if x then", "ls )", "echo 'open", "for i in; do", "ls | | wc", "cat <<E\nx"]


@pytest.mark.parametrize("text", BAD)
def test_a_broken_command_is_a_caution_in_one_line(parser: Parser, text: str):
    ((level, message),) = check(parser, text)
    assert (level, message.startswith("does not parse: "), "\n" in message) == ("caution", True, False)


def test_a_broken_command_with_a_danger_word_is_dangerous(parser: Parser):
    assert [level for level, _ in check(parser, "if rm -rf x then")] == ["dangerous"]


def test_an_empty_command_is_a_caution(parser: Parser):
    assert check(parser, "  ") == [("caution", "is empty")]


@pytest.mark.parametrize("shell", sorted(ARGUMENTS))
def test_every_shell_refuses_what_it_cannot_read_and_runs_nothing(parser: Parser, shell: str, tmp_path: Path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert check(parser, f"touch {tmp_path}/ran; echo $(touch {tmp_path}/ran)", shell) == []
    assert "does not parse" in check(parser, "echo ok; (((", shell)[0][1]
    assert list(tmp_path.iterdir()) == []


def test_bash_start_up_files_are_not_read(parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "rc").write_text(f"touch {tmp_path}/ran\n", encoding="utf-8")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "rc"))
    monkeypatch.setenv("ENV", str(tmp_path / "rc"))
    assert check(parser, "ls") == []
    assert [path.name for path in tmp_path.iterdir()] == ["rc"]


def test_without_the_shell_the_parse_still_speaks(parser: Parser):
    assert check(parser, "ls -l", "fish", locate=lambda name: None) == []
    assert check(parser, "if x then", "zsh", locate=lambda name: None)[0][0] == "caution"
