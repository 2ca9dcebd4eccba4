"""Records out of OpenAPI and Swagger files, and what such a file cannot do to its reader."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gorilla_cli.errors import GorillaError, StateError, UsageError
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources.openapi import OpenApi
from gorilla_cli.sources.openapi_document import DEPTH, MOST_BYTES, MOST_VALUES, read
from gorilla_cli.types import ApiRecord, Argument

PETS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Pet Shop", "version": "1.2", "license": {"name": "MIT"}},
    "servers": [{"url": "https://{region}.pets.example/v1", "variables": {"region": {"default": "eu"}}}],
    "security": [{"account": []}],
    "paths": {
        "/pets/{petId}": {
            "parameters": [{"name": "petId", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "post": {
                "operationId": "changePet",
                "tags": ["pets", "other"],
                "summary": "Change a pet",
                "description": "Gives a pet a new name. Or a new kind.",
                "parameters": [{"$ref": "#/components/parameters/quietly"}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
            },
        }
    },
    "components": {
        "parameters": {"quietly": {"name": "quietly", "in": "query", "schema": {"type": "boolean", "default": False}}},
        "schemas": {
            "Pet": {
                "type": "object",
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["cat", "dog"], "type": "string", "description": "What it is."},
                    "parent": {"$ref": "#/components/schemas/Pet"},
                    "number": {"type": "integer", "readOnly": True},
                },
            }
        },
        "securitySchemes": {"account": {"type": "http", "scheme": "bearer"}},
    },
}


def written(folder: Path, document: Any, name: str = "api.json") -> Path:
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def with_operation(
    operation: dict[str, Any], path: str = "/things", method: str = "get", **root: Any
) -> dict[str, Any]:
    """A file with one operation."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "T"},
        "servers": [{"url": "https://h.example"}],
        "paths": {path: {method: operation}},
        **root,
    }


def only(folder: Path, document: dict[str, Any]) -> ApiRecord:
    source = OpenApi(written(folder, document))
    assert source.problems == ()
    (record,) = source.records()
    return record


def test_an_operation_becomes_a_record(tmp_path):
    source = OpenApi(written(tmp_path, PETS))
    (record,) = source.records()
    call = "POST https://eu.pets.example/v1/pets/{petId}"
    assert record == ApiRecord(
        id=f"openapi:Pet-Shop:{call}",
        source="openapi:Pet-Shop",
        domain="pets",
        framework="Pet Shop 1.2",
        functionality="Change a pet",
        api_name="changePet",
        api_call=call,
        api_arguments=(
            Argument("petId", "integer, in path", required=True),
            Argument("quietly", "boolean, in query", default="false"),
            Argument("kind", "string, in body", "What it is.", required=True, choices=("cat", "dog")),
            Argument("parent", "object, in body"),
        ),
        environment_requirements=("secret account: bearer token",),
        description="Gives a pet a new name. Or a new kind.",
        licence="MIT",
        kind="http",
        stamp=source.ids()[record.id],
    )


YAML = """
swagger: "2.0"
info: {title: Pet Shop, version: 1.2}
host: pets.example
basePath: /v1/
schemes: [http, https]
securityDefinitions:
  key: {type: apiKey, in: header, name: X-Key}
  login: {type: basic}
  grant: {type: oauth2, flow: implicit}
paths:
  /pets:
    get:
      security: [{key: []}, {login: []}, {grant: [read]}]
      parameters:
        - {name: tags, in: query, type: array, items: {type: string}}
        - {name: many, in: query, type: array, items: {type: integer}, collectionFormat: multi}
        - {name: on, in: query, type: string, enum: [on, off, 12:30, 2024-01-01, 1_000]}
    put:
      operationId: putPet
      parameters:
        - {name: pet, in: body, required: true, schema: {properties: {name: {type: string}}, required: [name]}}
    patch:
      consumes: [application/x-www-form-urlencoded]
      parameters:
        - {name: name, in: formData, type: string, required: true}
"""


def test_swagger_two_in_yaml_is_read_too(tmp_path):
    source = OpenApi(written(tmp_path, YAML, "shop.yaml"))
    found = {record.api_call: record for record in source.records()}
    assert source.problems == ()
    assert list(found) == [f"{method} https://pets.example/v1/pets" for method in ("GET", "PUT", "PATCH")]
    get, put, patch = found.values()
    assert get.framework == "Pet Shop"  # 1.2 is a number there, not a text
    assert get.environment_requirements == (
        "secret key: api key in header X-Key",
        "secret login: user:password",
        "secret grant: bearer token",
    )
    assert get.api_arguments == (
        Argument("tags", "array of string by commas, in query"),
        Argument("many", "array of integer, in query"),
        Argument("on", "string, in query", choices=("on", "off", "12:30", "2024-01-01", "1_000")),
    )
    assert (put.api_name, put.functionality) == ("putPet", "put pet")
    assert put.api_arguments == (Argument("name", "string, in body", required=True),)
    assert patch.api_arguments == (Argument("name", "string, in form", required=True),)
    assert patch.api_name == "PATCH /pets"


@pytest.mark.parametrize(
    ("schema", "type_", "rest"),
    [
        ({"type": "string", "format": "date"}, "string (date), in query", {}),
        ({"type": ["integer", "null"]}, "integer, in query", {}),
        ({"type": ["integer", "string"]}, "integer or string, in query", {}),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "integer or string, in query", {}),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/Loop"}},
            "array of array of array of any, in query",
            {},
        ),
        ({"const": "x"}, "any, in query", {"choices": ("x",)}),
        ({"enum": [1, True, None, "a"]}, "any, in query", {"choices": ("1", "true", "a")}),
        ({"type": "integer", "default": 0}, "integer, in query", {"default": "0"}),
        ({"type": "array", "default": ["a"]}, "array of any, in query", {"default": '["a"]'}),
        ({"$ref": "other.yaml#/X"}, "any, in query", {}),
        ({"$ref": "#/components/schemas/Circle"}, "any, in query", {}),
        ({"$ref": "#/nothing/there"}, "any, in query", {}),
        ({"$ref": "#/paths/~1things/get/x-kind"}, "number, in query", {}),
        (
            {"type": "string", "description": "Told\x1b[2J\nhere."},
            "string, in query",
            {"description": "Told\\x1b[2J here."},
        ),
        (None, "any, in query", {}),
        (7, "any, in query", {}),
    ],
)
def test_what_a_schema_says_of_an_argument(tmp_path, schema, type_, rest):
    schemas = {"Circle": {"$ref": "#/components/schemas/Circle"}, "Loop": {"type": "array"}}
    schemas["Loop"]["items"] = {"$ref": "#/components/schemas/Loop"}
    operation = {"parameters": [{"name": "a", "in": "query", "schema": schema}], "x-kind": {"type": "number"}}
    record = only(tmp_path, with_operation(operation, components={"schemas": schemas}))
    assert record.api_arguments == (Argument("a", type_, **rest),)


@pytest.mark.parametrize(
    ("parameter", "type_"),
    [
        ({"in": "query"}, "array of any, in query"),
        ({"in": "query", "explode": False}, "array of any by commas, in query"),
        ({"in": "query", "style": "pipeDelimited"}, "array of any by pipes, in query"),
        ({"in": "query", "style": "spaceDelimited"}, "array of any by blanks, in query"),
        ({"in": "query", "style": "deepObject"}, "array of any by brackets, in query"),
        ({"in": "header"}, "array of any by commas, in header"),
        ({"in": "cookie", "explode": False}, "array of any by commas, in cookie"),
        (
            {"in": "query", "content": {"application/json": {"schema": {"type": "array"}}}},
            "array of any, in query as application/json",
        ),
    ],
)
def test_how_lists_are_sent(tmp_path, parameter, type_):
    record = only(tmp_path, with_operation({"parameters": [{"name": "a", "schema": {"type": "array"}, **parameter}]}))
    assert [argument.type for argument in record.api_arguments] == [type_]


OBJECT = {"properties": {"a": {"type": "string"}}, "required": ["a"]}
LIST = {"type": "array", "items": OBJECT}
A, B = ("a", "string, in body", True), ("b", "any, in body", False)
MULTIPART = {"content": {"multipart/form-data": {}}}
TWICE = ({"name": "b", "in": "query"}, {"name": "b", "in": "cookie"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"application/json": {"schema": OBJECT}}, [A]),
        ({"application/json; charset=utf-8": {"schema": OBJECT}}, [A]),
        ({"application/a+json": {"schema": OBJECT}}, [("a", "string, in body as application/a+json", True)]),
        ({"application/x-www-form-urlencoded": {"schema": OBJECT}}, [("a", "string, in form", True)]),
        ({"application/xml": {}, "application/json": {"schema": OBJECT}}, [A]),
        ({"application/json": {"schema": {"allOf": [OBJECT, {"properties": {"b": {}}}]}}}, [A, B]),
        ({"application/json": {"schema": LIST}}, [("body", "array of object, in whole body", True)]),
        ({"application/json": {}}, [("body", "any, in whole body", True)]),
        ({"text/plain": {"schema": {"type": "string"}}}, [("body", "string, in whole body as text/plain", True)]),
    ],
)
def test_what_a_body_takes(tmp_path, content, expected):
    record = only(tmp_path, with_operation({"requestBody": {"required": True, "content": content}}, method="post"))
    found = [(argument.name, argument.type, argument.required) for argument in record.api_arguments]
    assert sorted(found) == sorted(expected)


def test_a_body_that_is_not_said_to_be_needed_needs_what_its_object_does(tmp_path):
    content = {"application/json": {"schema": {**OBJECT, "properties": {"a": {}, "b": {}}}}}
    record = only(tmp_path, with_operation({"requestBody": {"content": content}}, method="post"))
    assert [(one.name, one.required) for one in record.api_arguments] == [("a", True), ("b", False)]


def test_a_body_with_names_that_are_taken_is_given_whole(tmp_path):
    operation = {
        "parameters": [{"name": "a", "in": "query", "schema": {}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": OBJECT}}},
    }
    record = only(tmp_path, with_operation(operation, method="post"))
    assert record.api_arguments[1] == Argument("body", "object, in whole body", "Fields: a (string)", required=True)


@pytest.mark.parametrize(
    ("changes", "location", "expected"),
    [
        ({"servers": [{"url": "http://a.example:8080/x/"}]}, "", "http://a.example:8080/x"),
        ({"servers": [{"url": "https://{no}.example"}, {"url": "https://b.example"}]}, "", "https://b.example"),
        ({"servers": [{"url": "/v2"}]}, "https://c.example:1/d/api.json", "https://c.example:1/v2"),
        ({"servers": [{"url": "../v2"}]}, "https://c.example/d/e/api.json", "https://c.example/d/v2"),
        ({"servers": []}, "https://c.example/d/api.json", "https://c.example"),
        ({"servers": [{"url": "https://bücher.example"}]}, "", "https://xn--bcher-kva.example"),
        ({"servers": [{"url": "https://[::1]:9/x"}]}, "", "https://[::1]:9/x"),
        ({"servers": [{"url": "HTTPS://A.example"}]}, "", "https://a.example"),
        ({"servers": [{"url": "https://a.example/<secret:k>/"}]}, "", "https://a.example/%3Csecret:k%3E"),
    ],
)
def test_where_the_server_is(tmp_path, changes, location, expected):
    data = json.dumps(with_operation({}, **changes))
    source = OpenApi(location, lambda url: data.encode()) if location else OpenApi(written(tmp_path, data))
    assert [record.api_call for record in source.records()] == [f"GET {expected}/things"]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "/v1",
            "v1",
            "ftp://a.example",
            "file:///etc",
            "https://",
            "https://user:pw@a.example",
            "https://a.example?x=1",
        ),
        *(
            "https://a.example#x",
            "https://a b.example",
            "https://a.example:99999",
            "javascript:alert(1)",
            "https://[::1",
            "https://[x]",
            "//h",
        ),
        "https://a.example\\@evil.example",
    ],
)
def test_servers_that_are_none(tmp_path, url):
    source = OpenApi(written(tmp_path, with_operation({}, servers=[{"url": url}])))
    assert list(source.records()) == []
    assert source.problems == (f"{tmp_path}/api.json: GET /things: no server is named for it",)


def test_the_person_can_say_where_the_server_is(tmp_path):
    source = OpenApi(written(tmp_path, with_operation({}, servers=[])), server="http://localhost:8080/")
    assert [record.api_call for record in source.records()] == ["GET http://localhost:8080/things"]


def parameters(*found: Any) -> dict[str, Any]:
    return {"parameters": list(found)}


@pytest.mark.parametrize(
    ("path", "operation", "why"),
    [
        ("/a", 7, "it is not an object"),
        ("a", {}, "its path does not begin with /, or cannot be shown"),
        ("/a\x1b", {}, "its path does not begin with /, or cannot be shown"),
        ("/{a", {}, "its path has a brace too many"),
        ("/{a}", {}, "it does not say what {a} in its path is"),
        ("/a", parameters({"name": "b", "in": "path"}), "its path and its arguments do not fit"),
        ("/a", {"parameters": {}}, "its parameters are no list"),
        ("/a", parameters({"in": "query"}), "a parameter has no name or place, or lies in another file"),
        ("/a", parameters({"$ref": "x.json#/p"}), "a parameter has no name or place, or lies in another file"),
        ("/a", parameters({"name": "b", "in": "moon"}), "b is in moon, where nothing can be sent"),
        ("/a", parameters({"name": "Host", "in": "header"}), "Host cannot be set in a header"),
        ("/a", parameters({"name": "a\r\nb", "in": "header"}), "a\\x0d b cannot be set in a header"),
        ("/a", parameters({"name": "\u202eb", "in": "query"}), "an argument has a name that cannot be shown"),
        ("/a", parameters(*TWICE), "two of its arguments have one name"),
        ("/a", {"requestBody": {"$ref": "x.json"}}, "its body cannot be read, or lies in another file"),
        ("/a", {"requestBody": MULTIPART}, "its body is multipart/form-data, which is not supported"),
        ("/a", parameters({"name": "f", "in": "formData", "type": "file"}), "it wants a file uploaded"),
    ],
)
def test_a_malformed_operation_is_left_out_and_told(tmp_path, path, operation, why):
    document = with_operation(operation, path)
    document["paths"]["/good"] = {"get": {}}
    source = OpenApi(written(tmp_path, document))
    assert [record.api_name for record in source.records()] == ["GET /good"]
    (problem,) = source.problems
    assert problem.endswith(f": {why}")
    assert not CONTROL.search(problem)


def test_header_parameters_that_are_none_are_left_out(tmp_path):
    names = ("Accept", "content-type", "Authorization", "X-Kept")
    record = only(tmp_path, with_operation(parameters(*({"name": name, "in": "header"} for name in names))))
    assert [argument.name for argument in record.api_arguments] == ["X-Kept"]


def test_a_deprecated_operation_says_so(tmp_path):
    record = only(tmp_path, with_operation({"summary": "Old", "deprecated": True}))
    assert record.functionality == "Old (deprecated)"


def test_ids_are_those_of_the_records_and_change_with_them(tmp_path):
    document = with_operation({})
    document["paths"]["/more"] = {"get": {}, "delete": {}, "trace": {}, "x-note": {}}
    before = OpenApi(written(tmp_path, document))
    records = list(before.records())
    assert len(records) == 3
    assert {record.id: record.stamp for record in records} == before.ids()
    assert list(before.records(skip={records[0].id})) == records[1:]
    document["paths"]["/more"]["delete"]["summary"] = "Remove"
    after = OpenApi(written(tmp_path, document)).ids()
    assert {name for name in after if after[name] != before.ids()[name]} == {"openapi:T:DELETE https://h.example/more"}


def test_without_a_title_the_file_names_it(tmp_path):
    assert OpenApi(written(tmp_path, with_operation({}, info={}), "shop.json")).name == "openapi:shop"


# What a file cannot do

BILLION = "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\npaths: {}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BILLION, "aliases (*a) are not read"),
        ("paths: {}\na: &a {x: 1}\nb: {<<: *a}\n", "aliases (*a) are not read"),
        ("paths: !!python/object/apply:os.system ['touch ran']\n", "could not determine a constructor"),
        ("paths: !!python/name:os.system\n", "could not determine a constructor"),
        ("paths: !!set {a}\n", "a set is no JSON"),
        ("paths: !!timestamp 2024-01-01\n", "a date is no JSON"),
        ("paths: {a: [}\n", "line 1: "),
        ("paths: {}\n---\npaths: {}\n", "another document"),
        ('{"paths": {"a": NaN}}', "NaN is no JSON"),
        ('{"paths": {', "line 1: "),
        ("[" * 100_000, "nested too deeply"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "nested too deeply"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested too deeply"),
        ("a: " * 5000, "line 1: "),
        ("? " * 5000, "nested too deeply"),
        ("- " * 5000, "nested too deeply"),
        ("- 1\n", "this is not an OpenAPI file"),
        ("", "this is not an OpenAPI file"),
        ("\0", "control characters are not allowed"),
        ("hello: world\n", "it has no paths"),
        ('{"paths": []}', "it has no paths"),
        ("[" + "0," * MOST_VALUES + "0]", "it has more than a million values"),
        (" " * (MOST_BYTES + 1), "it has more than 16 MiB"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_file_that_is_refused_says_why_in_a_line(tmp_path, monkeypatch, text, why):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        OpenApi(written(tmp_path, text)).ids()
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["api.json"]


def test_merge_keys_are_words(tmp_path):
    document = read(b"paths: {}\na: {<<: {x: 1}}\n", "x")
    assert document.root["a"] == {"<<": {"x": 1}}


def test_a_pointer_that_is_none_is_nothing():
    document = read(b'{"a/b": {"c~d": [7]}}', "x")
    found = [
        document.resolve({"$ref": ref}) for ref in ("#/a~1b/c~0d/0", "#/a%2Fb", "#/a~1b/c~0d/1", "#a", "http://x/#/a")
    ]
    assert found == [7, None, None, None, None]


def test_what_is_no_plain_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, error in (("pipe", UsageError), ("gone", StateError), (".", UsageError), ("a\0b", UsageError)):
        with pytest.raises(error):
            OpenApi(str(tmp_path / name)).ids()


def test_bytes_that_are_no_text_are_replaced(tmp_path):
    file = tmp_path / "api.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(with_operation({"summary": "X"})).encode().replace(b"X", b"\xff"))
    (record,) = OpenApi(file).records()
    assert record.functionality == "\ufffd"


def test_a_url_is_read_by_what_fetches_and_by_nothing_else():
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps(with_operation({"parameters": [{"$ref": "https://evil.example/p.json"}]})).encode()

    source = OpenApi("https://h.example/api.json", fetch)
    assert list(source.records()) == []
    assert (source.name, len(source.problems)) == ("openapi:T", 1)
    assert asked == ["https://h.example/api.json"]
    with pytest.raises(UsageError, match="is not a file"):
        OpenApi("https://h.example/api.json").ids()


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The paths to all inner values of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=8),
    st.sampled_from(
        [[], {}, [{}], {"": {}}, {"$ref": "#/paths"}, {"$ref": "#/"}, "array", "{", "\x1b[2J", "https://{"]
    ),
)
ALL = places(PETS)[1:]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(ALL), ODD), min_size=1, max_size=4))
def test_whatever_stands_in_a_file_only_expected_errors_come(changes):
    document = copy.deepcopy(PETS)
    for path, value in changes:
        place: Any = document
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict | list) and key in _keys(place) else {}
        if isinstance(place, dict) or path[-1] in _keys(place):
            place[path[-1]] = copy.deepcopy(value)
    source = OpenApi("https://h.example/x", lambda url: json.dumps(document).encode())
    try:
        records = list(source.records())
    except GorillaError:
        return
    for record in records:
        assert not CONTROL.search(record.api_call + record.functionality + record.description)
        assert record.id.startswith(source.name + ":")


def _keys(place: Any) -> Any:
    return place.keys() if isinstance(place, dict) else range(len(place)) if isinstance(place, list) else ()


@settings(max_examples=200, deadline=None)
@given(data=st.one_of(st.binary(max_size=60), st.text("{}[]:,-?&*!|>'\"# \n\ta1~%@", max_size=40).map(str.encode)))
def test_any_bytes_are_read_or_refused(data):
    try:
        document = read(data, "x")
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(document.root, dict)
