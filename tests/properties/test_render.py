"""Whatever a model or a document says: no control character reaches the screen, and what is shown is the command."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli import render
from gorilla_cli.sanitise import CONTROL, show
from gorilla_cli.types import (
    Candidate,
    Cite,
    Doc,
    Finding,
    Hit,
    Level,
    ModelInfo,
    Proposal,
    Request,
    ShellCommand,
    Trace,
)

ANYTIME = settings(deadline=None)
TEXT = st.text(st.characters(), max_size=40) | st.lists(
    st.sampled_from(["\x1b[31m", "\r", "\n", "\t", " " * 8, " ", "\x9b", "\u202e", "\u200b", "a", "\ud800"]),
    max_size=12,
).map("".join)
SPAN = st.none() | st.tuples(st.integers(-5, 60), st.integers(-5, 60))
FINDINGS = st.lists(st.builds(Finding, TEXT, st.sampled_from(Level), TEXT, SPAN), max_size=4).map(tuple)
CITES = st.lists(st.builds(Cite, TEXT, TEXT, TEXT), max_size=3).map(tuple)
CANDIDATE = st.builds(Candidate, st.builds(ShellCommand, TEXT), FINDINGS, CITES)


def _proposal(candidates):
    hit = Hit(Doc("x:x", "x", "x", "x"), 1.0)
    return Proposal(Request("x"), ModelInfo("m", "", "b"), (hit,), tuple(candidates))


@ANYTIME
@given(st.lists(CANDIDATE, min_size=1, max_size=3), st.integers(0, 2), st.booleans())
def test_no_control_character_in_any_fragment(candidates, selected, details):
    for _, text in render.menu_fragments(_proposal(candidates), selected, details):
        assert not CONTROL.search(text)
        assert "\t" not in text
    for candidate in candidates:
        for _, text in [*render.command_fragments(candidate), *render.cite_fragments(candidate)]:
            assert not CONTROL.search(text)


@ANYTIME
@given(TEXT, TEXT, TEXT)
def test_no_control_character_in_a_line_of_history(time, request, command):
    line = render.trace_line(Trace(show(time).replace("\n", ""), request, command, "safe", "m", "/"))
    assert not CONTROL.search(line)
    assert "\n" not in line


@ANYTIME
@given(CANDIDATE)
def test_what_is_shown_is_the_command(candidate):
    """Marks and styles aside: blanks that were counted, put back, give the command with its controls spelled out."""
    shown = render.plain(render.command_fragments(candidate))
    command = candidate.action.command
    if "␠" not in command:
        assert shown.replace("␠×8", " " * 8) == show(command).replace("\t", "\\t")


@ANYTIME
@given(CANDIDATE)
def test_no_run_of_blanks_pushes_text_away(candidate):
    bare = replace(candidate, findings=())
    assert " " * 8 not in render.plain(render.command_fragments(bare))


@ANYTIME
@given(CANDIDATE)
def test_styles_change_nothing_that_is_read(candidate):
    marked, bare = render.command_fragments(candidate), render.command_fragments(replace(candidate, findings=()))
    spelled = [render.plain(fragments).replace("␠×8", " " * 8) for fragments in (marked, bare)]
    assert spelled[0] == spelled[1]
