"""Tokens of queries and documents, and which parts of a document they come from."""

from __future__ import annotations

import pytest

from gorilla_cli.retrieval import fields
from gorilla_cli.retrieval.tokens import LONGEST, STOP, query, words
from gorilla_cli.types import Doc, Example, Option


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \x00\ud800 \t!? ", []),
        ("Sorting FILES sorted", ["sort", "file", "sort"]),
        ("ls --all -r", ["ls", "--all", "all", "-r", "r"]),
        ("--no-verify", ["--no-verify", "no", "verifi"]),
        ("--color=auto", ["--color", "color", "auto"]),
        ("case-insensitive re-run", ["case", "insensit", "re", "run"]),
        ("a - b -- c", ["a", "b", "c"]),
        ("snake_case", ["snake", "case"]),
        ("archive.tar.gz", ["archiv", "tar", "gz"]),
        ("file's don't user\u2019s", ["file", "don", "user"]),
        ("port 8080, 100MB, 2GiB, md5", ["port", "mb", "gib", "md5"]),
        ("\uff4c\uff53 \ufb01le \u00c9T\u00c9", ["ls", "file", "\u00e9t\u00e9"]),
        ("folders directory dirs", ["directori", "directori", "directori"]),
        ('" OR NEAR(x*) ^{}:', ["or", "near", "x"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("how do I show the size of my folders", ["show", "size", "directori"]),
        ("sort and sort and sort", ["sort"]),
        ("please", []),
        ("what is -a", ["-a"]),
    ],
)
def test_query_drops_what_every_question_has_and_repeats(text, expected):
    assert query(text) == expected


def test_long_tokens_are_cut():
    assert words("x" * 500) == ["x" * LONGEST]
    assert words("--" + "y" * 500)[0] == "--" + "y" * (LONGEST - 2)


def test_stop_list_names_no_word_that_tells_commands_apart():
    assert STOP.isdisjoint({"find", "who", "show", "all", "each", "last", "more", "not", "without", "where", "time"})


DOC = Doc(
    id="catalogue:frob",
    source="catalogue",
    program="frob",
    title="frob",
    summary="grind files",
    keywords=("mill",),
    options=(Option(("-z", "--zap"), "", "zap everything"),),
    examples=(Example("crush a log", "frob -z log"),),
    body="prose",
)


def test_fields_weigh_by_repetition():
    found = fields.terms(DOC)
    assert found == ["frob"] * 3 + ["grind", "file"] * 3 + ["mill"] * 3 + ["frob", "crush", "a", "log", "prose"]


def test_options_speak_for_documents_without_examples():
    bare = Doc(id="man:frob(1)", source="man", program="frob", title="frob(1)", options=DOC.options)
    assert fields.terms(bare) == ["frob"] * 4 + ["zap", "everyth"]


def test_a_huge_document_stays_small():
    many = tuple(f"word{number}" for number in range(5000))
    text = " ".join(many)
    options = tuple(Option((f"--{word}",), "", text) for word in many)
    huge = Doc("x:y", "x", text, text, text, many, options, tuple(Example(text, text) for _ in many), text)
    assert len(fields.terms(huge)) == fields.LONGEST
