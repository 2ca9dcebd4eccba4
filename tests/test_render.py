"""What is shown: the JSON that programs read, and the screens that people read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gorilla_cli import render
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.terminal import Terminal
from gorilla_cli.types import Candidate, Finding, Level, ShellCommand, Trace
from tests.golden_files import check_golden
from tests.proposals import CAUTION, DANGEROUS, PROPOSAL, SAFE

# JSON


def test_the_frozen_example():
    check_golden("proposal.json", json.dumps(render.proposal_json(PROPOSAL), indent=1) + "\n")


def test_the_keys_are_the_contract():
    data = render.proposal_json(PROPOSAL)
    assert list(data) == ["schema", "request", "model", "hits", "candidates", "timings_ms", "tokens"]
    assert data["schema"] == 1
    assert list(data["request"]) == ["text", "context", "shell", "cwd", "platform"]
    assert list(data["model"]) == ["name", "sha256", "backend"]
    assert list(data["hits"][0]) == ["doc", "title", "source", "score"]
    assert list(data["candidates"][0]) == ["kind", "command", "verdict", "was", "findings", "cites"]
    assert list(data["candidates"][0]["findings"][0]) == ["check", "level", "message", "span"]
    assert list(data["candidates"][0]["cites"][0]) == ["token", "doc", "text"]
    assert list(data["timings_ms"]) == ["retrieve", "load", "prompt", "generate", "verify", "total"]
    assert list(data["tokens"]) == ["prompt", "cached", "generated"]


def test_the_values_of_a_proposal():
    data = render.proposal_json(PROPOSAL)
    assert [candidate["verdict"] for candidate in data["candidates"]] == ["safe", "caution", "dangerous"]
    assert [candidate["command"] for candidate in data["candidates"]] == [
        candidate.action.command for candidate in PROPOSAL.candidates
    ]
    assert data["candidates"][1]["findings"][0]["span"] == [19, 21]
    assert data["candidates"][0]["findings"][0]["span"] is None
    assert data["hits"][0]["score"] == 71.235
    assert data["timings_ms"]["retrieve"] == 1.0


def test_the_json_is_pure_ascii_and_reads_back():
    odd = replace(PROPOSAL, candidates=(Candidate(ShellCommand("echo '\x1b\u202e\ud800é'")),))
    text = json.dumps(render.proposal_json(odd))
    assert text.isascii()
    assert not CONTROL.search(text)
    assert json.loads(text)["candidates"][0]["command"] == "echo '\x1b\u202e\ud800é'"


# screens


def _without_styles(fragments):
    return render.plain(fragments) + "\n"


def test_the_menu():
    check_golden("screen_menu.txt", _without_styles(render.menu_fragments(PROPOSAL, 0, details=False)))


def test_the_menu_says_what_was_corrected():
    corrected = Candidate(ShellCommand("find . -mtime -7"), was="find . -mtime +7\x1b[31m")
    shown = render.plain(render.candidate_fragments(corrected, 1, True))
    assert shown.split("\n")[1] == "    corrected, the model wrote: find . -mtime +7\\x1b[31m"
    assert "corrected" not in render.plain(render.candidate_fragments(replace(corrected, was=""), 1, True))


def test_the_menu_with_explanations():
    check_golden("screen_menu_details.txt", _without_styles(render.menu_fragments(PROPOSAL, 0, details=True)))
    check_golden("screen_menu_details_2.txt", _without_styles(render.menu_fragments(PROPOSAL, 1, details=True)))


class Answering(Terminal):
    """A terminal on which somebody has typed an answer already."""

    def __init__(self, answer: str) -> None:
        super().__init__({})
        self.answer = answer

    def ask_key(self, question: str) -> str:
        self.show([("", question + "\n")])
        return self.answer

    ask_line = ask_key


@pytest.mark.parametrize(
    ("name", "candidate", "answer", "run"),
    [
        ("safe", SAFE, "", True),
        ("caution", CAUTION, "y", True),
        ("caution", CAUTION, "Y", False),
        ("caution", CAUTION, "\n", False),
        ("dangerous", DANGEROUS, "qfhx", True),
        ("dangerous", DANGEROUS, "y", False),
        ("dangerous", DANGEROUS, "", False),
    ],
)
def test_the_confirm_screens(capsys, name, candidate, answer, run):
    assert Answering(answer).confirm(candidate, "qfhx") is run
    out, err = capsys.readouterr()
    assert out == ""
    check_golden(f"screen_confirm_{name}.txt", err)


# fragments


def test_findings_mark_their_spans_the_strictest_on_top():
    assert render.command_fragments(DANGEROUS) == [
        ("command", "ls␠×8␠×8    ; "),
        ("mark-dangerous", "rm -rf /\\u{202e}"),
    ]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0, 2), [("mark-caution", "ls"), ("command", " -a")]),
        ((3, 5), [("command", "ls "), ("mark-caution", "-a")]),
        ((3, 99), [("command", "ls "), ("mark-caution", "-a")]),
        ((-5, 2), [("mark-caution", "ls"), ("command", " -a")]),
        ((0, 5), [("mark-caution", "ls -a")]),
        ((4, 2), [("command", "ls -a")]),
        ((9, 12), [("command", "ls -a")]),
        (None, [("command", "ls -a")]),
    ],
)
def test_spans_are_clipped_to_the_command(span, expected):
    finding = Finding("policy", Level.CAUTION, "why", span)
    assert render.command_fragments(Candidate(ShellCommand("ls -a"), (finding,))) == expected


def test_what_is_only_worth_knowing_marks_nothing():
    finding = Finding("policy", Level.INFO, "why", (0, 2))
    assert render.command_fragments(Candidate(ShellCommand("ls"), (finding,))) == [("command", "ls")]


def test_an_empty_command_shows_nothing():
    assert render.command_fragments(Candidate(ShellCommand(""))) == []


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("a" + " " * 7 + "b", "a" + " " * 7 + "b"),
        ("a" + " " * 8 + "b", "a␠×8b"),
        ("a" + " " * 17 + "b", "a␠×8␠×8 b"),
        ("a\tb", "a\\tb"),
        ("a\nb", "a\nb"),
        ("a\rb", "a\\x0db"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ],
)
def test_hidden_and_pushed_away_text_is_spelled_out(command, shown):
    assert render.plain(render.command_fragments(Candidate(ShellCommand(command)))) == shown


def test_complaints_are_the_strictest_first_each_once():
    findings = [
        Finding("policy", Level.CAUTION, "one"),
        Finding("policy", Level.INFO, "no complaint"),
        Finding("policy", Level.DANGEROUS, "two"),
        Finding("policy", Level.DANGEROUS, "three"),
        Finding("syntax", Level.DANGEROUS, "one"),
        Finding("syntax", Level.CAUTION, "two"),
    ]
    found = render.complaints(Candidate(ShellCommand("x"), tuple(findings)))
    assert [(finding.level, finding.message) for finding in found] == [
        (Level.DANGEROUS, "two"),
        (Level.DANGEROUS, "three"),
        (Level.DANGEROUS, "one"),
    ]


def test_a_command_without_documentation_says_so():
    assert render.cite_fragments(CAUTION) == [("source", "    nothing in this command has documentation here\n")]


def test_one_line_per_run():
    trace = Trace("2026-01-02T03:04:05+00:00", "a\nb", "ls\n\x1b[2J", "safe", "m", "/")
    assert render.trace_line(trace) == "2026-01-02T03:04:05+00:00    -  ls \\x1b[2J  # a b"
    assert render.trace_line(replace(trace, exit_code=130, edited=True)).endswith(" 130  ls \\x1b[2J (edited)  # a b")


def test_the_summary():
    assert render.summary_line(PROPOSAL) == (
        "retrieve 1 ms load 2 ms prompt 3 ms generate 4 ms verify 5 ms total 15 ms"
        " | prompt 700 tokens, 650 cached, generated 40"
    )
