"""Shell words: quotes, escapes, braces, and which characters are quoted."""

from __future__ import annotations

import subprocess

import pytest

from gorilla_cli.verifiers.words import braces, quoting, resolve

BASH = "/bin/bash"

LITERALS = [
    "plain",
    "'single quoted'",
    '"double quoted"',
    "r'm'",
    'su"d"o',
    r"a\ b",
    r"\rm",
    r"$'\x72\155'",
    r"$'\u0072m'",
    r"$'tab\there'",
    r"$'it\'s'",
    r'"a \" b"',
    r'"keeps \n"',
    '$"rm"',
    "a'b'\"c\"d",
    "''",
    "r\\\nm",
    "--option='a b'",
    "~x'*'",
]


@pytest.mark.parametrize("raw", LITERALS)
def test_a_literal_word_is_what_bash_makes_of_it(raw: str):
    said = subprocess.run([BASH, "--norc", "-c", f"printf %s {raw}"], capture_output=True, check=True).stdout.decode()
    assert [(word.value, word.kind) for word in resolve(raw, (0, 1))] == [(said, "literal")]


@pytest.mark.parametrize(
    "raw", ["$x", '"$x"', "${x}y", "$(date)", '"a`date`"', "$*", "$1", "<(ls)", "a$((1+1))", "rm${IFS}x", "r``m"]
)
def test_what_the_shell_computes_is_dynamic(raw: str):
    assert [(word.value, word.kind) for word in resolve(raw, (0, 1))] == [(None, "dynamic")]


@pytest.mark.parametrize("raw", ["'$x'", r"\$x", "a$", "'`'", "100$%", "$'a$b'"])
def test_a_dollar_that_expands_nothing_is_literal(raw: str):
    assert resolve(raw, (0, 1))[0].kind == "literal"


@pytest.mark.parametrize(
    ("raw", "kind"), [("*.txt", "glob"), ("'*.txt'", "literal"), (r"\*", "literal"), ("a[0]", "glob")]
)
def test_globs_count_outside_quotes_only(raw: str, kind: str):
    assert resolve(raw, (0, 1))[0].kind == kind


BRACES = [
    "a{b,c}d",
    "{a,b}{1,2}",
    "x{1..4}",
    "{c..a}",
    "{a}",
    "{}",
    "a{b,{c,d}}e",
    "'{a,b}'",
    r"\{a,b}",
    "/{,*}x",
    "{a,b",
    "a,b",
]


@pytest.mark.parametrize("raw", BRACES)
def test_braces_expand_as_in_bash(raw: str):
    said = subprocess.run(
        [BASH, "--norc", "-fc", f"printf '%s\\n' {raw}"], capture_output=True, check=True
    ).stdout.decode()
    assert [word.value for word in resolve(raw, (0, 1))] == said.splitlines()


def test_braces_stop_at_the_limit():
    assert len(braces("{1..9}" * 8)) <= 256
    assert len(braces("{1..100000}")) <= 256


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("ls -l", "uuuuu"),
        ("a 'b' c", "uusssuu"),
        ('a "b" c', "uuddduu"),
        (r"a\'b", "uueu"),
        ("ls # 'x", "uuucccc"),
        ("a#b", "uuu"),
        (r"$'\'' x", "sssssuu"),
        ("'open", "sssss"),
        ("c <<E\nx\nE\nls", "uuuuuHhhhuuu"),
        ("c <<'E'\nx\nE\nls", "uuuuuuuHHHHuuu"),
    ],
)
def test_every_character_has_its_quoting(text: str, marks: str):
    assert quoting(text) == marks
