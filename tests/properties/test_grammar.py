"""Whatever programs and options are called, the builder's grammar is valid; whatever is written, the check answers."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gorilla_cli.backends.grammar import GrammarError, check_grammar, command_grammar, literal

ANYTIME = settings(deadline=None)
SPELLING = st.text(st.characters(), max_size=12) | st.text('-+="\\[]()|?*^\n\0abé😀', max_size=12)
PIECES = st.sampled_from(
    [
        "root",
        "x",
        "y",
        " ::= ",
        '"a"',
        '""',
        '"',
        "[a-z]",
        "[^",
        "]",
        "(",
        ")",
        "|",
        "?",
        "*",
        "+",
        " ",
        "\n",
        "\\",
        "#",
    ]
)


@ANYTIME
@given(st.dictionaries(SPELLING, st.lists(SPELLING, max_size=5), min_size=1, max_size=4))
@example({'a"b': ['--"', "\\", "-\\"], "": ["-]"], "é\ud800": ["--\0"]})
def test_the_builder_makes_valid_grammars_only(options):
    check_grammar(command_grammar(options))


@ANYTIME
@given(SPELLING)
def test_a_literal_is_one_ascii_line_that_says_the_text(text):
    written = literal(text)
    assert written.isascii()
    assert written.isprintable()
    assert _read(written) == text


def _read(written: str) -> str:
    codes = r"\\(?:x(..)|u(....)|U(........)|(.))"
    return re.sub(codes, lambda m: m[4] or chr(int(m[1] or m[2] or m[3], 16)), written[1:-1])


def _answer(text: str) -> bool:
    try:
        check_grammar(text)
    except GrammarError:
        return False
    return True


@ANYTIME
@given(st.text(st.characters()) | st.lists(PIECES, max_size=30).map("".join))
def test_the_check_is_total(text):
    assert _answer(text) in (True, False)


RULES = ["root", "a", "b", "c"]
ITEM = st.sampled_from([*RULES, *RULES, '"x"', '"x"', "[0-9]", '"y"?', '"z"+'])
BODY = st.lists(st.lists(ITEM, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3).map(" | ".join)


@ANYTIME
@given(st.fixed_dictionaries({name: BODY for name in RULES}))
def test_left_recursion_is_found_exactly(rules):
    """Against another method: the transitive closure over rules that can come first."""
    text = "".join(f"{name} ::= {body}\n" for name, body in rules.items())
    assert _answer(text) is not _left_recursive(rules)


def _left_recursive(rules: dict[str, str]) -> bool:
    alternatives = {name: [part.split() for part in body.split(" | ")] for name, body in rules.items()}
    nullable: set[str] = {'"y"?'}
    for _ in rules:
        nullable |= {name for name, parts in alternatives.items() if any(set(part) <= nullable for part in parts)}
    edges = {(name, item) for name, parts in alternatives.items() for part in parts for item in _first(part, nullable)}
    for _ in rules:
        edges |= {(a, d) for a, b in edges for c, d in edges if b == c}
    return any(a == b for a, b in edges)


def _first(part: list[str], nullable: set[str]) -> list[str]:
    return [item for i, item in enumerate(part) if set(part[:i]) <= nullable]
