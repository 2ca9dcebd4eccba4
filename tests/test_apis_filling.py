"""The arguments a call leaves open: which they are, the grammar of their values, the call with them."""

from __future__ import annotations

import ast
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.apis.filling import MOST_OPTIONAL, filled_call, open_arguments, read_values, values_grammar
from gorilla_cli.backends.grammar import check_grammar
from gorilla_cli.executors.python_blanks import blanks
from gorilla_cli.types import Argument
from gorilla_cli.verifiers.apimatch import match
from tests.record_index import record

DUMPS = record(
    "json.dumps(obj, indent=None, **kw)",
    api_arguments=(Argument("obj", required=True), Argument("indent", default="None"), Argument("**kw")),
)
CUT = record(
    "wood.cut(piece, how=how)",
    api_arguments=(
        Argument("piece", required=True),
        Argument("how", required=True, choices=("'saw'", "'axe'")),
        Argument("class", default="1"),
        Argument("twice", "bool", default="False"),
    ),
)
ADLER = record("zlib.adler32(data, 1)", api_arguments=(Argument("data", required=True), Argument("value", default="1")))
LOAD = record(
    "torch.hub.load('a/b', name, trust_repo=True)",
    api_arguments=(Argument("repo_or_dir"), Argument("model"), Argument("trust_repo", default="None")),
)
FIXED = record("pipeline('text-classification', model='acme/mood')", api_arguments=(Argument("model"),))
STREET = record(
    "GET https://shop.example/{id}",
    kind="http",
    api_arguments=(Argument("id", "integer, in path", required=True), Argument("X-Trace", "string, in header")),
)


# which arguments are open


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (DUMPS, ["obj", "indent"]),
        (CUT, ["piece", "how", "twice"]),
        (ADLER, ["data", "value"]),
        (LOAD, ["name"]),
        (FIXED, []),
        (STREET, ["id", "X-Trace"]),
        (record("f(x, x, y=x)"), ["x"]),
        (record("f(*parts, **kw)"), []),
        (record("pipeline(sentiment-analysis, model='x')"), []),
        (record("x = f(y)"), []),
        (record("no python ("), []),
        (record("(" * 9000), []),
    ],
)
def test_open_are_the_names_in_the_call_and_what_else_is_documented_and_not_settled(one, names):
    assert [argument.name for argument in open_arguments(one)] == names


def test_a_name_that_is_not_documented_is_required():
    (name,) = open_arguments(LOAD)
    assert name == Argument("name", required=True)


# the grammar of their values

TEXTS = ["obj", "", " ", '"', "\\", "a b", "größe", "数", "\x00", "\n", "🚀", "\ud800", "]", "filter[name]", "x" * 300]
ARGUMENTS = st.builds(
    Argument,
    st.text() | st.sampled_from(TEXTS),
    required=st.booleans(),
    choices=st.lists(st.text() | st.sampled_from([*TEXTS, "1e999", "None", "-1", "(" * 99, "b'x'"])).map(tuple),
)


@settings(deadline=None)
@given(st.lists(ARGUMENTS, max_size=20))
def test_any_arguments_make_a_grammar_that_may_be_used(arguments):
    check_grammar(values_grammar(arguments))


@pytest.mark.parametrize("one", [DUMPS, CUT, ADLER, LOAD, STREET], ids=lambda one: one.api_call)
def test_the_grammar_of_a_record_may_be_used(one):
    check_grammar(values_grammar(open_arguments(one)))


def test_every_required_argument_is_asked_for_and_the_first_optional_ones():
    arguments = [Argument(f"r{i}", required=True) for i in range(20)] + [Argument(f"o{i}") for i in range(20)]
    text = values_grammar(arguments)
    assert [f'"\\"{one.name}\\": "' in text for one in arguments] == [True] * (20 + MOST_OPTIONAL) + [False] * (
        20 - MOST_OPTIONAL
    )


def test_choices_are_the_values_they_stand_for():
    assert '("\\"saw\\"" | "\\"axe\\"" | "null")' in values_grammar([CUT.api_arguments[1]])
    choices = ("1", "True", "None", "b'x'", "plain", "1e999")
    expected = '("1" | "true" | "null" | "\\"b\'x\'\\"" | "\\"plain\\"" | "\\"1e999\\"" | "null")'
    assert expected in values_grammar([Argument("x", choices=choices)])


# reading what the model wrote


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": 1, "b": "x", "c": [1, "y"], "d": true}', {"a": 1, "b": "x", "c": [1, "y"], "d": True}),
        ('{"a": null, "b": false, "c": 0, "d": ""}', {"b": False, "c": 0, "d": ""}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": NaN, "b": Infinity, "c": 1e999, "d": 1.5}', {"d": 1.5}),
        ("{}", {}),
        ("[1]", {}),
        ("3", {}),
        ('{"a": ', {}),
        ("", {}),
        ("not json", {}),
        ("[" * 100_000, {}),
        ('{"a": ' + "9" * 9000 + "}", {}),
    ],
)
def test_values_are_read(text, values):
    assert read_values(text) == values


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON))
def test_what_is_read_can_be_written_as_python(values):
    for value in read_values(json.dumps(values)).values():
        assert ast.literal_eval(repr(value)) == value


@settings(deadline=None)
@given(st.text())
def test_reading_is_total(text):
    assert isinstance(read_values(text), dict)


# the call


@pytest.mark.parametrize(
    ("one", "values", "call", "left"),
    [
        (DUMPS, {}, "json.dumps(OBJ)", ["OBJ"]),
        (DUMPS, {"obj": {"a": 1}, "indent": 2}, "json.dumps({'a': 1}, indent=2)", []),
        (DUMPS, {"indent": 2, "kw": 1, "invented": 1, "**kw": 1}, "json.dumps(OBJ, indent=2)", ["OBJ"]),
        (CUT, {}, "wood.cut(PIECE, how=HOW)", ["PIECE", "HOW"]),
        (CUT, {"how": "axe"}, "wood.cut(PIECE, how='axe')", ["PIECE"]),
        (CUT, {"piece": "oak", "how": "saw", "class": 2, "twice": True}, "wood.cut('oak', how='saw', twice=True)", []),
        (ADLER, {"data": "x"}, "zlib.adler32('x', 1)", []),
        (ADLER, {"data": "x", "value": 7}, "zlib.adler32('x', 7)", []),
        (LOAD, {"name": "m"}, "torch.hub.load('a/b', 'm', trust_repo=True)", []),
        (LOAD, {"repo_or_dir": "evil/x", "model": "y", "trust_repo": False},
         "torch.hub.load('a/b', NAME, trust_repo=True)", ["NAME"]),
        (FIXED, {"model": "evil/x"}, FIXED.api_call, []),
        (record("Model('x').run(text)"), {}, "Model('x').run(TEXT)", ["TEXT"]),
        (record("f(x, x)"), {}, "f(X, X)", ["X"]),
        (record("f(x, X)"), {}, "f(X, X_VALUE)", ["X", "X_VALUE"]),
        (record("PIL.open(pil)"), {}, "PIL.open(PIL_VALUE)", ["PIL_VALUE"]),
        (record("f(_, 数)"), {}, "f(VALUE_1, VALUE_2)", ["VALUE_1", "VALUE_2"]),
        (record("f(*parts, **kw)"), {"parts": 1, "kw": 2}, "f()", []),
        (record("f(*[1], **{'a': 1}, b=b)"), {"b": 2}, "f(*[1], b=2)", []),
        (record("no python ("), {"a": 1}, "no python (", []),
    ],
)  # fmt: skip
def test_a_call_with_what_was_said_and_blanks_for_the_rest(one, values, call, left):
    assert filled_call(one, values) == (call, left)


@pytest.mark.parametrize("one", [CUT, LOAD, replace(DUMPS, api_call="json.dumps(obj, indent=None)")])
@settings(deadline=None)
@given(st.data())
def test_whatever_is_said_the_call_stays_the_documented_one(one, data):
    names = [argument.name for argument in one.api_arguments] + ["name", "invented", "class"]
    said = data.draw(st.dictionaries(st.sampled_from(names) | st.text(), st.text() | st.integers() | st.booleans()))
    call, left = filled_call(one, said)
    found = match(call, one)
    assert found is not None
    assert not found.wrong
    program = "".join(f"{name} = ...\n" for name in left) + call
    assert [blank.name for blank in blanks(program)] == left


@settings(deadline=None)
@given(st.lists(st.text("aB_é数ªß1", min_size=1).filter(str.isidentifier), min_size=1, max_size=4))
def test_every_blank_is_one_that_can_be_filled_in(names):
    call, left = filled_call(record(f"f({', '.join(names)})"), {})
    assert [blank.name for blank in blanks("".join(f"{name} = ...\n" for name in left) + call)] == left
    assert len(set(left)) == len(left)
