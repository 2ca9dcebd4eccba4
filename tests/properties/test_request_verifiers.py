"""Properties of what compares a command with its request: total on any text, and corrections that correct."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gorilla_cli.types import Candidate, Request, ShellCommand
from gorilla_cli.verifiers.entities import EntityVerifier
from gorilla_cli.verifiers.mentions import mentions
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.valuerules import load_values
from gorilla_cli.verifiers.values import ValueVerifier
from gorilla_cli.verifiers.wording import plain

PARSER = Parser()
VALUES = ValueVerifier(PARSER)
ENTITIES = EntityVerifier(PARSER)
MODEST = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
EXAMPLES = [example for rule in load_values().rules for example in (*rule.match, *rule.not_match)]
REQUESTS = st.sampled_from(sorted({example[0] for example in EXAMPLES}))
COMMANDS = st.sampled_from(sorted({example[1] for example in EXAMPLES}))
SHELLISH = st.text(st.sampled_from(list("ab$`'\"(){}[]<>|&;#!*?~=\\/-. \n\t0é🚀\x1b@")), max_size=60)
ANY_COMMAND = st.text(max_size=60) | SHELLISH | COMMANDS
ANY_REQUEST = st.text(max_size=80) | REQUESTS | SHELLISH
NAMES = st.from_regex(r"[a-z]{4,8}(/[a-z]{4,8})?\.(txt|csv|log)", fullmatch=True)

AROUND = st.sampled_from(["{}", "sudo {}", "{} > /dev/null", "time {}", "cd /srv && {}", "sh -c '{}'"])


@pytest.fixture(scope="module", autouse=True)
def closed():
    yield
    PARSER.close()


def findings(command: str, request: str) -> list:
    candidate = Candidate(ShellCommand(command))
    return [f for verifier in (VALUES, ENTITIES) for f in verifier.check(candidate, Request(request), ())]


@MODEST
@given(ANY_COMMAND, ANY_REQUEST)
def test_any_command_and_any_request_can_be_compared(command: str, request: str):
    for finding in findings(command, request):
        start, end = finding.span or (0, 0)
        assert 0 <= start <= end <= len(command)
        assert finding.message.isprintable()
    assert command not in VALUES.corrected(command, Request(request))


@MODEST
@given(
    REQUESTS, COMMANDS, st.sampled_from(["{}", "sudo {}", "{} > /dev/null", "time {}", "cd /srv && {}", "sh -c '{}'"])
)
def test_a_correction_parses_and_the_whole_one_leaves_fewer_complaints(request: str, command: str, around: str):
    text = around.format(command)
    before = load_values().found(PARSER.parse(text), request)
    for at, corrected in enumerate(VALUES.corrected(text, Request(request))):
        after = load_values().found(PARSER.parse(corrected), request)
        assert not PARSER.parse(corrected).errors
        assert {subject.rule.name for subject in before} - {subject.rule.name for subject in after} or (
            at == 0 and len(after) < len(before)
        )


@MODEST
@given(st.lists(NAMES, min_size=1, max_size=3), st.integers(3, 10**6))
def test_what_stands_in_the_command_is_not_dropped(names: list[str], number: int):
    request = f"the first {number} lines of " + " and ".join(names)
    command = f"head -n {number} " + " ".join(names)
    assert len(mentions(request)) == len({*names, number})
    assert [f.message for f in findings(command, request)] == []


@MODEST
@given(NAMES, NAMES)
def test_a_name_that_is_left_out_is_missed(kept: str, lost: str):
    stems = [name.rpartition("/")[2].partition(".")[0] for name in (kept, lost)]
    if stems[1] not in kept and stems[0] != stems[1]:
        found = [f.message for f in findings(f"cat {kept}", f"print {kept} and {lost}") if f.check == "entity"]
        assert len(found) == 1
        assert lost in found[0]


@MODEST
@given(ANY_REQUEST)
def test_plain_words_have_single_blanks(request: str):
    text = plain(request)
    assert text == " ".join(text.split())


@MODEST
@given(st.text(st.sampled_from("ab '\"$;|"), max_size=20))
def test_quoting_hides_nothing(text: str):
    request = f"print {shlex.quote(text)}"
    assert [f for f in findings(f"printf %s {shlex.quote(text)}", request) if f.check == "entity"] == []
