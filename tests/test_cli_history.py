"""`gorilla history`: what was run and nothing else, without secrets."""

from __future__ import annotations

import json

import pytest

from gorilla_cli.types import Trace
from tests.command_line import write_script


def lines(ended) -> list[dict]:
    assert ended.code == 0
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.fixture
def past(gorilla, tmp_path):
    """Three requests that were run, the last one with a failure."""
    answers = write_script(tmp_path / "s.toml", {"first": ["echo one"], "second": ["echo two"], "third": ["exit 4"]})
    for words in ("first thing", "second thing", "third thing"):
        gorilla("--yes", "--model", answers, words)
    return answers


def test_history_shows_what_was_run_oldest_first(gorilla, past, hermetic):
    found = lines(gorilla("history", "--json"))
    assert [(one["request"], one["command"], one["exit_code"]) for one in found] == [
        ("first thing", "echo one", 0),
        ("second thing", "echo two", 0),
        ("third thing", "exit 4", 4),
    ]
    assert {one["verdict"] for one in found} == {"safe"}
    assert {one["cwd"] for one in found} == {str(hermetic / "work")}
    assert {frozenset(one) for one in found} == {frozenset(Trace.__dataclass_fields__)}


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (["two"], ["echo two"]),
        (["thing", "echo"], ["echo one", "echo two"]),
        (["of", "this", "file"], []),
        (["-n", "1"], ["exit 4"]),
        (["-n", "1", "echo"], ["echo two"]),
    ],
)
def test_history_by_words_and_number(gorilla, past, arguments, commands):
    assert [one["command"] for one in lines(gorilla("history", "--json", *arguments))] == commands


def test_history_for_people(gorilla, past):
    shown = gorilla("history").out.splitlines()
    assert len(shown) == 3
    assert shown[2].endswith("    4  exit 4  # third thing") or "  4  exit 4  # third thing" in shown[2]


def test_no_history_is_no_error(gorilla):
    assert gorilla("history").out == ""
    assert gorilla("history").code == 0


@pytest.mark.parametrize("arguments", [("--print", "the safe one"), ("--json", "the safe one"), ("the safe one",)])
def test_what_was_not_run_is_not_in_it(gorilla, arguments):
    gorilla(*arguments)
    assert gorilla("history").out == ""


def test_a_request_that_begins_with_a_blank_is_not_recorded(gorilla, ready):
    assert gorilla("--yes", " the safe one").out == "hello\n"
    assert gorilla("history").out == ""


def test_history_off(gorilla, monkeypatch):
    monkeypatch.setenv("GORILLA_HISTORY", "off")
    assert gorilla("--yes", "the safe one").code == 0
    assert gorilla("history").out == ""


def test_secrets_are_not_written(gorilla, ready, tmp_path):
    answers = write_script(tmp_path / "s.toml", {"x": ["echo --password=hunter22"]})
    gorilla("--yes", "--model", answers, "x with token=abcdef123456")
    written = (ready / "state" / "history.jsonl").read_text()
    assert "hunter22" not in written
    assert "abcdef123456" not in written
    assert (ready / "state" / "history.jsonl").stat().st_mode & 0o077 == 0
