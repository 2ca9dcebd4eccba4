"""The promises of the values: verdicts only rise, a digest is of exactly what was shown, errors are one tree."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from gorilla_cli import errors, types
from gorilla_cli.errors import EXIT_CODE_HELP, ExitCode, GorillaError
from gorilla_cli.types import Approved, Candidate, Finding, Level, ShellCommand, Usage, Verdict


@pytest.mark.parametrize("levels", list(itertools.product(Level, repeat=3)))
def test_the_strictest_finding_wins_in_any_order(levels):
    findings = tuple(Finding("policy", level, "") for level in levels)
    assert Candidate(ShellCommand("x"), findings).verdict == max(levels)


def test_verdicts_are_ordered():
    assert Candidate(ShellCommand("x")).verdict is Verdict.SAFE
    assert [verdict.word for verdict in sorted(Verdict)] == ["safe", "caution", "dangerous"]
    assert [level.word for level in sorted(Level)] == ["info", "caution", "dangerous"]


def test_digests_differ_whenever_anything_does():
    parts = ["", "a", "b", "a\n", "a b", "é", "\udcff", "bash"]
    digests = {Approved.digest_of(*each) for each in itertools.product(parts, ["bash", "sh"], ["", "/", "/a"])}
    assert len(digests) == len(parts) * 2 * 3
    assert Approved.digest_of("ls", "bash", "/") == Approved.digest_of("ls", "bash", "/")


def test_tokens_add_up():
    assert Usage(1, 2, 3) + Usage(10, 20, 30) == Usage(11, 22, 33)


@pytest.mark.parametrize("value", [value for value in vars(types).values() if dataclasses.is_dataclass(value)])
def test_every_value_is_frozen(value):
    assert value.__dataclass_params__.frozen


TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, GorillaError)]


@pytest.mark.parametrize("error", TREE)
def test_an_error_has_a_line_a_hint_and_a_code(error):
    raised = error("what happened", "what to do")
    assert (str(raised), raised.hint) == ("what happened", "what to do")
    assert raised.exit_code in ExitCode
    assert error("x").hint == ""


def test_every_exit_code_is_explained():
    assert set(EXIT_CODE_HELP) == set(ExitCode)
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 5, 6, 130]
