"""API Zoo contributions: a valid record of each form, and messages that name the field of an invalid one."""

from __future__ import annotations

import json

import pytest

from gorilla_cli.sources import apizoo
from gorilla_cli.sources.records import RecordFile, from_row
from gorilla_cli.types import Argument, Figure

CALL = {
    "user_name": "someone",
    "api_name": "Colour picker pick-er2",
    "api_call": "colours.pick(image=path, *args, count, space='rgb')",
    "api_version": 2.0,
    "api_arguments": {"space": ["rgb", "lab"], "count": 3},
    "functionality": "Main colours of a picture",
    "env_requirements": ["colours>=1.0", "numpy"],
    "example_code": "import colours\ncolours.pick('a.png')",
    "meta_data": {"description": "Clusters pixels.", "performance": {"dataset": "P", "accuracy": "80.4%"}},
    "Questions": ["Which colours does my logo have?"],
}
LINK = {
    "user_name": "someone",
    "api_name": "Colours",
    "api_url": "https://example.org/pick",
    "questions": ["Which red?"],
}


def without(row, *keys):
    return {key: value for key, value in row.items() if key not in keys}


def test_the_record_form_becomes_a_record():
    record = from_row(CALL, "records:zoo")
    assert apizoo.problems(CALL) == []
    assert (record.api_name, record.functionality) == ("Colour picker pick-er2", "Main colours of a picture")
    assert record.id == "records:zoo:colours.pick(image=path, *args, count, space='rgb')"
    assert record.api_arguments == (Argument("space", choices=("rgb", "lab")), Argument("count", default="3"))
    assert record.environment_requirements == ("colours>=1.0", "numpy")
    assert record.description == "Clusters pixels. API version 2.0."
    assert record.figures == (Figure("accuracy", "P", 80.4),)
    assert record.requests == ("Which colours does my logo have?",)


@pytest.mark.parametrize("row", [LINK, without(LINK, "questions"), {**without(LINK, "api_url"), "url": "http://a.b/"}])
def test_the_link_form_is_valid_but_no_call(row, tmp_path):
    assert apizoo.problems(row) == []
    file = tmp_path / "zoo.json"
    file.write_text(json.dumps([CALL, row], indent=1))
    read = RecordFile(file, "zoo")
    line = file.read_text()[: file.read_text().rindex('{\n  "user_name"')].count("\n") + 1
    assert [record.api_call for record in read.records()] == [CALL["api_call"]]
    assert read.problems == (f"{file}:{line}: api_url: valid, but a link is not a call",)


INVALID = [
    (without(CALL, "user_name"), "user_name: missing"),
    (CALL | {"api_name": " ".join(["word"] * 21)}, "api_name: more than 20 words"),
    (CALL | {"api_name": 7}, "api_name: no text"),
    (without(CALL, "api_call"), "api_call: missing"),
    (CALL | {"api_call": "colours.pick(\n1)"}, "api_call: more than one line"),
    (CALL | {"api_call": "pick the colours"}, "api_call: does not start with a function call"),
    (without(CALL, "api_version"), "api_version: missing"),
    (CALL | {"api_version": ["1"]}, "api_version: neither text nor number"),
    (CALL | {"api_arguments": "count"}, "api_arguments: no object"),
    (CALL | {"functionality": "a " * 21}, "functionality: more than 20 words"),
    (CALL | {"env_requirements": "numpy"}, "env_requirements: no list of texts"),
    (CALL | {"example_code": ["x"]}, "example_code: no text"),
    (CALL | {"meta_data": []}, "meta_data: no object"),
    (CALL | {"Questions": "one"}, "questions: no list of texts"),
    (CALL | {"Questions": ["fine", "What does Pick-er2 say?"]}, "questions: number 2 names the API"),
    (CALL | {"Questions": ["use the colour picker pick-er2 on it"]}, "questions: number 1 names the API"),
    (LINK | {"api_url": "ftp://example.org"}, "api_url: no http or https URL"),
    (LINK | {"api_url": "http://[broken"}, "api_url: no http or https URL"),
    (LINK | {"questions": [3]}, "questions: no list of texts"),
]


@pytest.mark.parametrize(("row", "message"), INVALID, ids=[message for _, message in INVALID])
def test_each_message_names_the_field(row, message, tmp_path):
    assert apizoo.problems(row) == [message]
    file = tmp_path / "zoo.jsonl"
    file.write_text("\n" + json.dumps(row))
    read = RecordFile(file, "zoo")
    assert list(read.records()) == []
    assert read.problems == (f"{file}:2: {message}",)


def test_a_plain_record_is_no_contribution():
    assert not apizoo.is_contribution({"api_name": "x", "api_call": "x()", "api_arguments": {}})
