"""HTTP requests as text: what is built from a record, what is shown of it, what is said about it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.errors import UsageError
from gorilla_cli.executors.http import PreparedCall, build, code, findings, parse, shown
from gorilla_cli.executors.http_request import secretive
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.types import ApiRecord, Argument, Level

ACCEPT = ("Accept", "application/json, */*;q=0.5")
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def record(call: str, *arguments: Argument, secrets: tuple[str, ...] = ()) -> ApiRecord:
    return ApiRecord(f"openapi:t:{call}", "openapi:t", "t", "t", "do it", "doIt", call, arguments, secrets, kind="http")


def argument(name: str, type_: str, **rest: Any) -> Argument:
    return Argument(name, type_, **rest)


# What is built


@pytest.mark.parametrize(
    ("type_", "value", "url"),
    [
        ("string, in query", "a b&c=d#?/é", "?x=a%20b%26c%3Dd%23%3F%2F%C3%A9"),
        ("integer, in query", "-3", "?x=-3"),
        ("number, in query", "1.50", "?x=1.5"),
        ("boolean, in query", "TRUE", "?x=true"),
        ("integer or string, in query", "x3", "?x=x3"),
        ("any, in query", "3", "?x=3"),
        ("array of string, in query", "a,b c", "?x=a&x=b%20c"),
        ("array of string, in query", '["a,b", "c"]', "?x=a%2Cb&x=c"),
        ("array of string by commas, in query", "a,b", "?x=a,b"),
        ("array of string by pipes, in query", ["a|", "b"], "?x=a%7C%7Cb"),
        ("array of integer by blanks, in query", [1, 2], "?x=1%202"),
        ("object by brackets, in query", {"a b": 1, "c": "&"}, "?x[a%20b]=1&x[c]=%26"),
        ("object, in query", {"a": 1, "b": 2}, "?a=1&b=2"),
        ("object by commas, in query", '{"a": 1}', "?x=a,1"),
        ("object, in query as application/json", {"a": [1]}, "?x=%7B%22a%22%3A%20%5B1%5D%7D"),
        ("string, in path", "a/../b?c", "/a%2F..%2Fb%3Fc"),
        ("string, in path", "...", "/..."),
        ("array of integer by commas, in path", "1,2", "/1,2"),
    ],
)
def test_values_are_put_into_the_address(type_, value, url):
    call = "GET https://h.example/p" + ("/{x}" if "in path" in type_ else "")
    prepared = build(record(call, argument("x", type_)), {"x": value})
    assert prepared == PreparedCall("GET", "https://h.example/p" + url, (ACCEPT,))


@pytest.mark.parametrize(
    ("type_", "value", "headers", "body"),
    [
        ("string, in header", " a: b ", [("x", "a: b")], ""),
        ("string, in header", "a\r\nHost: evil", [("x", "a%0D%0AHost: evil")], ""),
        ("array of string by commas, in header", "a,b", [("x", "a,b")], ""),
        ("string, in body", 'a"<\x1b\u202e\x7f', [JSON], '{\n  "x": "a\\"<\\u001b\\u202e\\u007f"\n}'),
        ("integer, in body", "3", [JSON], '{\n  "x": 3\n}'),
        ("object, in body", '{"a": {"b": null}}', [JSON], '{\n  "x": {\n    "a": {\n      "b": null\n    }\n  }\n}'),
        ("string, in body as application/a+json", "é", [("Content-Type", "application/a+json")], '{\n  "x": "é"\n}'),
        ("array of integer, in whole body", "[1]", [JSON], "[\n  1\n]"),
        ("any, in whole body", "words", [JSON], '"words"'),
        ("string, in form", "a b&c", [FORM], "x=a+b%26c"),
        ("array of string, in form", "a,b", [FORM], "x=a&x=b"),
        ("string, in whole body as text/plain", "a\n\nb\t", [("Content-Type", "text/plain")], "a\n\nb\t"),
    ],
)
def test_values_are_put_into_headers_and_body(type_, value, headers, body):
    prepared = build(record("POST https://h.example", argument("x", type_)), {"x": value})
    assert prepared == PreparedCall("POST", "https://h.example", (ACCEPT, *headers), body)


def test_needed_defaults_are_sent_and_others_left_out():
    arguments = (
        argument("a", "integer, in query", required=True, default="7"),
        argument("b", "integer, in query", default="8"),
        argument("c", "string, in body"),
    )
    assert build(record("POST https://h.example/", *arguments), {}).url == "https://h.example/?a=7"


@pytest.mark.parametrize(
    ("changes", "value", "why"),
    [
        ({"type": "integer, in query"}, "three", "x cannot be 'three'"),
        ({"type": "number, in query"}, "1e999", "x cannot be '1e999'"),
        ({"type": "boolean, in query"}, "perhaps", "x cannot be 'perhaps'"),
        ({"type": "object, in body"}, "[1]", "x cannot be '[1]'"),
        ({"type": "string, in query", "choices": ("a", "b")}, "c", "x cannot be 'c'"),
        ({"type": "string, in query", "required": True}, None, "x is needed"),
        ({"type": "string, in path"}, "..", "x cannot be '..'"),
        ({"type": "string, in path"}, "", "x cannot be ''"),
        ({"type": "string, in header"}, "", "x cannot be empty"),
        ({"type": "string, in query"}, "<secret:account>", "x cannot be text that stands for a secret"),
        ({"type": "any, in body"}, float("nan"), "x cannot be sent: it is no JSON value"),
        ({"type": "any, in body"}, object(), "x cannot be sent: it is no JSON value"),
        ({"type": "string, in whole body as text/plain"}, "a\x1b", "this is no request: the body has a character"),
        ({"type": "string"}, "a", "where x is sent is not known"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes, value, why):
    call = "GET https://h.example" + ("/{x}" if "in path" in changes["type"] else "")
    described = record(call, argument("x", **{"type_": changes.pop("type")}, **changes))
    with pytest.raises(UsageError) as caught:
        build(described, {} if value is None else {"x": value})
    assert str(caught.value).startswith(why)
    assert "\n" not in str(caught.value)


def test_unknown_arguments_are_refused():
    with pytest.raises(UsageError, match="doIt has no argument 'y'"):
        build(record("GET https://h.example", argument("x", "any, in query")), {"y": "1"})


def test_a_python_record_is_no_request():
    with pytest.raises(UsageError, match="no HTTP call"):
        build(replace(record("f()"), kind="python"), {})


@pytest.mark.parametrize(
    "call",
    [
        *(
            "GET https://u:p@h.example/",
            "GET https://h.example/<secret:k>x y",
            "GET file:///etc/passwd",
            "BREW https://h.example",
        ),
        *(
            "GET https://<secret:k>.example/",
            "GET https://h.example/\x1b",
            "GET https://h.example/#x",
            "GET https://h\\@e.example",
        ),
        *("GET https://", "GET https://h.example:0/", "GET https://h.example:x/", "GET https://bücher.example", "GET"),
    ],
)
def test_an_address_that_misleads_is_refused(call):
    with pytest.raises(UsageError):
        build(record(call), {})


# Secrets

SCHEMES = (
    "secret bearer: bearer token",
    "secret login: user:password",
    "secret in head: api key in header X-Key",
    "secret in query: api key in query key",
    "secret in cookie: api key in cookie sid",
)


def test_secrets_are_sent_as_their_schemes_say_and_shown_by_name():
    described = record("GET https://h.example/", secrets=SCHEMES)
    given = {"in head": "s1", "in query": "s 2", "in cookie": "s3", "bearer": "s4", "unknown": "s5"}
    prepared = build(described, given and {}, given)
    assert code(prepared) == shown(prepared)
    assert code(prepared).split("\n") == [
        "GET https://h.example/?key=<secret:in-query>",
        "Accept: application/json, */*;q=0.5",
        "Authorization: Bearer <secret:bearer>",
        "X-Key: <secret:in-head>",
        "Cookie: sid=<secret:in-cookie>",
    ]
    assert {one.name: one.value for one in prepared.secrets} == {
        "bearer": "s4",
        "in-head": "s1",
        "in-query": "s 2",
        "in-cookie": "s3",
    }
    assert {one.origin for one in prepared.secrets} == {"https://h.example:443"}
    assert "s4" not in repr(prepared)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            (name, True)
            for name in ("api_key", "apiKey", "X-Api-Key", "password", "accessToken", "X-Auth-Token", "token")
        ),
        *(
            (name, True)
            for name in ("client_secret", "Authorization", "APIKEY", "sessionId", "user.password", "Cookie")
        ),
        *(
            (name, False)
            for name in ("page_token", "nextPageToken", "max_tokens", "key", "keyword", "monkey", "tokens")
        ),
        *((name, False) for name in ("passenger", "author", "stop_token", "secretary", "id", "")),
    ],
)
def test_names_of_secrets_are_known(name, expected):
    assert secretive(name) is expected


def test_secret_values_of_ordinary_arguments_go_behind_their_names():
    arguments = (
        argument("api_key", "string, in query"),
        argument("X-Token", "integer, in header"),
        argument("password", "string, in body"),
        argument("auth", "object, in body"),
        argument("pin", "string, in cookie"),
    )
    values = {"api_key": "A1", "X-Token": "22", "password": "A3", "auth": {"token": ["A4", "A5"], "id": 6}, "pin": "A7"}
    prepared = build(record("POST https://h.example", *arguments), values)
    assert (
        shown(prepared)
        == code(prepared)
        == (
            "POST https://h.example?api_key=<secret:api_key>\n"
            "Accept: application/json, */*;q=0.5\nX-Token: <secret:X-Token>\nContent-Type: application/json\n"
            'Cookie: pin=<secret:pin>\n\n{\n  "password": "<secret:password>",\n  "auth": {\n    "token": [\n'
            '      "<secret:auth.token.1>",\n      "<secret:auth.token.2>"\n    ],\n    "id": 6\n  }\n}'
        )
    )
    assert sorted(one.value for one in prepared.secrets) == ["22", "A1", "A3", "A4", "A5", "A7"]


def test_a_secret_that_somebody_wrote_out_is_not_shown():
    text = (
        "POST https://h.example/?a=1&api%5Fkey=hush1&b=2\nAuthorization: Bearer hush2\nX-Id: 3\n"
        'Cookie: hush3\n\n{"password" : "hush\\"4", "name": "kept"}'
    )
    told = shown(parse(text))
    assert "hush" not in told
    assert [kept in told for kept in ("?a=1&", "&b=2", "X-Id: 3", '"name": "kept"')] == [True] * 4
    form = f"POST https://h.example/\n{': '.join(FORM)}\n\nuser=me&password=hush"
    assert shown(parse(form)).endswith("\n\nuser=me&password=***")


# Text and back


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "GET",
            "get https://h.example",
            "GET  https://h.example",
            "GET https://h.example\n",
            "GET https://h.example\n\n",
        ),
        *(
            "GET https://h.example\nHost: x",
            "GET https://h.example\nA:b",
            "GET https://h.example\nA: ",
            "GET https://h.example\nA: b ",
        ),
        *(
            "GET https://h.example\nA b: c",
            "GET https://h.example\nA: é",
            "GET https://h.example\r\nA: b",
            "GET https://h.example x",
        ),
        *(
            "GET https://h.example\n\n\x1b",
            "GET https://h.example\n\na\r\nb",
            "GET https://h.example\ncontent-length: 3",
        ),
        *(
            "GET https://h.example/\u200b",
            "GET https://h.example/ a",
            "CONNECT h.example:443",
            "GET //h.example",
            "\ud800",
        ),
    ],
)
def test_what_is_no_request_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert not CONTROL.search(str(caught.value))


PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
VALUES = st.one_of(st.text(max_size=12), PLAIN, st.integers(), st.booleans(), st.lists(st.text(max_size=4), max_size=3))
PLACES = ("query", "header", "cookie", "body", "form", "path")


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(VALUES, min_size=6, max_size=6), places=st.sets(st.sampled_from(PLACES), min_size=1), secret=PLAIN
)
def test_what_is_shown_is_what_is_sent(values, places, secret):
    names = {place: f"{place}-{n}" for n, place in enumerate(PLACES) if place in places}
    described = record(
        "POST https://h.example" + ("/{path-5}" if "path" in places else ""),
        *(argument(name, f"any, in {place}") for place, name in names.items()),
        secrets=("secret k: bearer token",),
    )
    try:
        prepared = build(described, dict(zip(names.values(), values, strict=False)), {"k": secret})
    except UsageError:
        return
    text = code(prepared)
    assert parse(text) == replace(prepared, secrets=())
    assert shown(prepared) == text
    assert not CONTROL.search(text)
    assert f"Bearer {secret}\n" not in text


@settings(max_examples=200, deadline=None)
@given(st.text("GETPOS htps:/.ae?=&<>secret\n#%@é\x1b", max_size=40))
def test_any_text_is_a_request_or_refused(text):
    with contextlib.suppress(UsageError):
        assert code(parse(text)) == text


# What is said about it


def levels(text: str, described: ApiRecord | None = None) -> list[tuple[Level, str]]:
    return [(finding.level, finding.message) for finding in findings(parse(text), described)]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        *((f"{method} https://h.example/", Level.CAUTION) for method in ("GET", "HEAD")),
        *(
            (f"{method} https://h.example/", Level.DANGEROUS)
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        ),
        ("GET http://h.example/", Level.DANGEROUS),
        ("GET https://93.184.216.34/", Level.CAUTION),
        ("GET https://[::ffff:93.184.216.34]/", Level.CAUTION),
        *(
            (f"GET https://{host}/", Level.DANGEROUS)
            for host in (
                *("127.0.0.1", "localhost", "a.localhost", "[::1]", "10.0.0.1", "192.168.1.1:8443", "169.254.169.254"),
                *("[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:10.1.1.1]", "[::]", "100.64.0.1"),
                *("2130706433", "0x7f.1", "127.1", "0177.0.0.01", "0x7f000001", "127.0.0.1."),
            )
        ),
    ],
)
def test_how_much_care_a_request_needs(text, level):
    assert max(level for level, _ in levels(text)) is level


def test_the_documented_server_may_be_private_but_not_another():
    described = record("GET http://127.0.0.1:8000/a/{x}")
    assert levels("GET http://127.0.0.1:8000/a/1", described) == [
        (Level.CAUTION, "GET reads from 127.0.0.1 over the network")
    ]
    for other in ("http://127.0.0.1:8001/a/1", "https://127.0.0.1:8000/a/1", "http://localhost:8000/a/1"):
        assert (
            Level.DANGEROUS,
            f"{other.split('/')[2].split(':')[0]} is this machine, which no documented server is",
        ) in (levels(f"GET {other}", described))


def test_an_old_address_in_a_new_spelling_is_the_same():
    assert (Level.DANGEROUS, "::ffff:127.0.0.1 is this machine, which no documented server is") in levels(
        "GET https://[::ffff:127.0.0.1]/"
    )


def test_findings_point_at_what_they_mean():
    text = "DELETE http://h.example/x?k=<secret:key>\nAccept: */*"
    found = findings(parse(text))
    assert [(one.check, one.level, one.span and text[slice(*one.span)]) for one in found] == [
        ("http", Level.DANGEROUS, "DELETE"),
        ("http", Level.DANGEROUS, "http://h.example/x?k=<secret:key>"),
        ("http", Level.CAUTION, None),
    ]
    assert found[2].message == "h.example gets the secret key"


def test_the_user_may_say_that_writing_is_no_danger():
    (found,) = findings(parse("POST https://h.example/"), writes=Level.CAUTION)
    assert found.level is Level.CAUTION
