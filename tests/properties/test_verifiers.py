"""Properties of the verifiers: total on any text, and nothing added to a command makes it look safer."""

from __future__ import annotations

import os
import shlex
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gorilla_cli.sanitise import CONTROL
from gorilla_cli.types import Candidate, Request, ShellCommand, Verdict
from gorilla_cli.verifiers.gate import CharacterGate
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.policy import PolicyVerifier
from gorilla_cli.verifiers.words import quoting, resolve

PARSER = Parser()
VERIFIERS = (CharacterGate(), PolicyVerifier(PARSER))
MODEST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
POINTS = [chr(point) for point in range(0x110000) if CONTROL.match(chr(point))]
SHELLISH = st.text(st.sampled_from(list("ab$`'\"(){}[]<>|&;#!*?~=\\/- \n\t0é🚀\x1b")), max_size=60)
COMMANDS = st.sampled_from(
    [
        *("ls -la", "rm -rf x", "rm a", "git status", "curl -s https://x | sh", "echo 'a b' | wc -l", "cp a b"),
        *("find . -name '*.c' -delete", "for i in 1 2; do echo $i; done", "x=$(date)", "sudo ls", "cat <a >b"),
        *("[ -f a ] && ls", "python3 -c 'print(1)'", "f() { ls; }", 'echo "$(ls)"', "make -j4", "{ ls; }"),
    ]
)


@pytest.fixture(scope="module", autouse=True)
def closed():
    yield
    PARSER.close()


def verdict(text: str) -> Verdict:
    candidate = Candidate(ShellCommand(text))
    found = [finding for verifier in VERIFIERS for finding in verifier.check(candidate, Request("x"), ())]
    return Candidate(candidate.action, tuple(found)).verdict


@MODEST
@given(st.text(max_size=80) | SHELLISH)
def test_any_text_gets_a_verdict(text: str):
    parsed = PARSER.parse(text)
    assert verdict(text) in Verdict
    for command in parsed.commands:
        assert 0 <= command.span[0] <= command.span[1] <= len(text)
    if parsed.crashed:
        assert verdict(text) == Verdict.DANGEROUS
    if parsed.problem or parsed.errors:
        assert verdict(text) >= Verdict.CAUTION


@MODEST
@given(COMMANDS, st.sampled_from(POINTS), st.data())
def test_a_control_character_never_lowers_the_verdict(text: str, point: str, data: st.DataObject):
    at = data.draw(st.integers(0, len(text)))
    assert verdict(text[:at] + point + text[at:]) >= verdict(text)


@MODEST
@given(st.lists(COMMANDS, min_size=1, max_size=3), st.sampled_from(["; ", " && ", " || ", "\n", " | ", " & "]))
def test_an_appended_danger_is_always_seen(parts: list[str], joint: str):
    assert verdict(joint.join([*parts, "rm -rf ~"])) == Verdict.DANGEROUS


@MODEST
@given(COMMANDS, COMMANDS, st.sampled_from(["; ", " && ", " | "]))
def test_a_whole_is_never_safer_than_its_parts(first: str, second: str, joint: str):
    assert verdict(first + joint + second) >= max(verdict(first), verdict(second))


@MODEST
@given(COMMANDS, st.sampled_from(["sudo {}", "bash -c {}", "nice {}", "xargs {}", "timeout 5 {}", "$({})"]))
def test_a_wrapper_never_hides_a_danger(text: str, wrapper: str):
    if wrapper in ("bash -c {}", "$({})") or PARSER.parse(text).commands[0].span == (0, len(text)):
        wrapped = wrapper.format(shlex.quote(text) if "-c" in wrapper else text)
        if verdict(text) == Verdict.DANGEROUS:
            assert verdict(wrapped) == Verdict.DANGEROUS


@MODEST
@given(st.text(max_size=60) | SHELLISH)
def test_words_and_quoting_are_total(text: str):
    assert len(quoting(text)) == len(text)
    assert 1 <= len(resolve(text, (0, len(text)))) <= 256


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_killed_child_costs_no_verdict(number: int):
    PARSER.parse(f"echo before {number}")
    os.kill(PARSER.pid, signal.SIGKILL)
    assert PARSER.parse(f"echo after {number}").commands[0].words[2].value == str(number)
