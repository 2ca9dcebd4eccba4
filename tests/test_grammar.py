"""The grammar builder and the check that stands before llama.cpp."""

from __future__ import annotations

import pytest

from gorilla_cli.backends.grammar import GrammarError, check_grammar, choice, command_grammar, literal

ACCEPTED = {
    "one literal": 'root ::= "a"',
    "empty literal": 'root ::= ""',
    "escapes": r'root ::= "\x0A\t\n\r\\\"\[\]é\U0001F600"',
    "class": "root ::= [a-z]",
    "negated class": r"root ::= [^\]\n]",
    "class with a caret later": "root ::= [a^]",
    "right recursion": 'root ::= "a" root | "b"',
    "recursion behind something": 'root ::= x "b"\nx ::= "(" root ")" | "c"',
    "groups and repetitions": 'root ::= ("a" | "b" "c"?)+ [0-9]* ("d")?',
    "nullable rule before another": 'root ::= x y\nx ::= "a"*\ny ::= "b"',
    "rules in any order": 'a ::= "x"\nroot ::= a a',
    "blank lines": '\nroot ::= "a"\n\n',
    "brackets up to the limit": "root ::= " + "(" * 50 + '"a"' + ")" * 50,
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_well_formed_grammars_are_accepted(text):
    check_grammar(text)


REJECTED = {
    "nothing": ("", "no root"),
    "only blanks": (" \n\t\n", "no root"),
    "no root": ('start ::= "a"', "no root"),
    "undefined": ("root ::= word", "word, which is not defined"),
    "undefined in brackets": ('root ::= "a" (word | "b")', "word, which is not defined"),
    "unterminated literal": ('root ::= "a', "unreadable"),
    "literal over two lines": ('root ::= "a\nb"', "unreadable"),
    "escaped closing quote": ('root ::= "a\\"', "unreadable"),
    "unterminated class": ("root ::= [a-z", "unreadable"),
    "empty class": ("root ::= []", "unreadable"),
    "empty negated class": ("root ::= [^]", "unreadable"),
    "unterminated bracket": ('root ::= ("a"', "does not close"),
    "closing bracket": ('root ::= "a")', "malformed"),
    "unknown escape": (r'root ::= "\q"', "unreadable"),
    "short hexadecimal escape": (r'root ::= "\x1"', "unreadable"),
    "NUL": ('root ::= "a\0b"', "unreadable"),
    "lone surrogate": ('root ::= "\ud800"', "unreadable"),
    "another line end": ('root ::= "a"\x0bfoo ::= "b"', "unreadable"),
    "carriage return": ('root ::= "a"\r\n', "unreadable"),
    "no body": ("root ::=", "not a rule"),
    "no define": ('root "a" "b"', "not a rule"),
    "two defines": ('root ::= "a" ::= "b"', "second"),
    "empty alternative in front": ('root ::= | "a"', "empty alternative"),
    "empty alternative between": ('root ::= "a" | | "b"', "empty alternative"),
    "empty alternative at the end": ('root ::= "a" |', "does not close"),
    "empty brackets": ("root ::= ()", "malformed"),
    "empty alternative in brackets": ('root ::= ("a" | )', "malformed"),
    "repetition of nothing": ("root ::= *", "malformed"),
    "repetition at an alternative's start": ('root ::= "a" | * "b"', "malformed"),
    "duplicate": ('root ::= "a"\nroot ::= "b"', "defined twice"),
    "direct left recursion": ('root ::= root "a" | "b"', "left-recursive"),
    "left recursion in the second alternative": ('root ::= "b" | root "a"', "left-recursive"),
    "indirect left recursion": ('root ::= x "a"\nx ::= y "b"\ny ::= root "c" | "d"', "left-recursive"),
    "left recursion in brackets": ('root ::= ("x" | root) "a"', "left-recursive"),
    "left recursion behind a star": ('root ::= "x"* root "a" | "b"', "left-recursive"),
    "left recursion behind a question mark": ('root ::= ("x" "y")? root | "b"', "left-recursive"),
    "left recursion behind an empty literal": ('root ::= "" root | "b"', "left-recursive"),
    "left recursion behind a nullable rule": ('root ::= x root | "b"\nx ::= y\ny ::= "a"*', "left-recursive"),
    "left recursion in an unused rule": ('root ::= "a"\nx ::= x "b" | "c"', "left-recursive"),
    "star of a star": ('root ::= ("a"*)*', "may be empty"),
    "plus of a nullable rule": ('root ::= "b" x+\nx ::= "a"?', "may be empty"),
    "two repetitions": ('root ::= "a"+*', "may be empty"),
    "star of an empty literal": ('root ::= ""*', "may be empty"),
    "question mark after an empty literal": ('root ::= "a" ""?', "may be empty"),
    "brackets beyond the limit": ("root ::= " + "(" * 51 + '"a"' + ")" * 51, "too deeply"),
    "ten thousand brackets": ("root ::= " + "(" * 10_000, "too deeply"),
    "comment": ('root ::= "a" # why', "unreadable"),
    "counted repetition": ('root ::= "a"{3}', "unreadable"),
}


@pytest.mark.parametrize(("text", "message"), REJECTED.values(), ids=REJECTED.keys())
def test_malformed_grammars_are_rejected(text, message):
    with pytest.raises(GrammarError, match=message):
        check_grammar(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("find", '"find"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb", r'"a\x0Ab"'),
        ("é", r'"\xE9"'),
        ("–", r'"\u2013"'),
        ("😀", r'"\U0001F600"'),
        ("", '""'),
    ],
)
def test_literals_are_escaped(text, expected):
    assert literal(text) == expected


def test_choice():
    assert choice(['"a"', "b"]) == '("a" | b)'


def test_command_grammar_has_each_option_the_longest_first():
    text = command_grammar({"ls": ["-l", "--all", "-l"]})
    assert 'p0 ::= "ls" (" " (o0 | word))*' in text
    assert 'o0 ::= ("--all" | "-l") ("=" word | [0-9]+)?' in text
    check_grammar(text)


def test_a_program_without_options_has_words_alone():
    text = command_grammar({"true": ["-", "--", ""]})
    assert 'p0 ::= "true" (" " word)*' in text
    assert "o0" not in text
    check_grammar(text)


def test_several_programs_and_separators():
    text = command_grammar({"sort": ["-u"], "find": ["-name"]}, [" | ", " && "])
    assert text.startswith('root ::= part ((" | " | " && ") part)*\npart ::= p0 | p1\np0 ::= "find"')
    check_grammar(text)


def test_no_program_is_an_error():
    with pytest.raises(GrammarError, match="at least one program"):
        command_grammar({})
