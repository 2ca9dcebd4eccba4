"""API records in `gorilla index`: adding, listing, showing, removing them, and reading them again when edited."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from gorilla_cli.cli import api_wiring
from gorilla_cli.retrieval.records import RecordIndex
from tests.api_records import REMOVE, SHORTEN, WRAP, write
from tests.command_line import apart

WRAPPED = "wrap a paragraph into short lines"
PETS = {
    "openapi": "3.1.0",
    "info": {"title": "Pet Shop", "version": "1"},
    "servers": [{"url": "https://pets.example/v1"}],
    "paths": {"/pets/{id}": {"get": {"operationId": "petById", "summary": "Find a pet", "parameters": [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]}}},
}  # fmt: skip
PET = "openapi:Pet-Shop:GET https://pets.example/v1/pets/{id}"


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """The index of the shipped records, built once by the real code, and how many each source gave."""
    path = tmp_path_factory.mktemp("shipped") / "records.db"
    index = RecordIndex(path)
    for source in api_wiring.shipped():
        index.sync(source)
    return path, index.sources()


@pytest.fixture(autouse=True)
def records(ready, shipped):
    """The shipped records are indexed; how many of them there are."""
    shutil.copy(shipped[0], ready / "data" / "records.db")
    return shipped[1]


@pytest.fixture
def none_yet(ready):
    (ready / "data" / "records.db").unlink()


@pytest.fixture
def mine(hermetic):
    """Two records of the person's own, in the working directory."""
    return write(hermetic / "work" / "mine.jsonl", [WRAP, SHORTEN])


def own(gorilla) -> dict[str, int]:
    """The sources of records that did not ship, with their counts."""
    found = gorilla("index", "list", "--json").json
    return {name: n for name, n in found.items() if ":" in name and not name.startswith("shipped:")}


def test_a_file_of_records(gorilla, mine):
    ended = gorilla("index", "add", "records", "mine.jsonl")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "records:mine: 2 added, 0 changed, 0 removed, 0 as before\n"
    assert own(gorilla) == {"records:mine": 2}
    assert gorilla("api", "--json", WRAPPED).json["candidates"][0]["record"] == "records:mine:" + WRAP["api_call"]


def test_added_again_nothing_changes(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl")
    assert gorilla("index", "add", "records", "mine.jsonl").err.endswith("0 added, 0 changed, 0 removed, 2 as before\n")
    write(mine, [{**WRAP, "licence": "MIT"}, REMOVE])
    assert gorilla("index", "add", "records", "mine.jsonl").err.endswith("1 added, 1 changed, 1 removed, 0 as before\n")


def test_a_source_can_be_named(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl", "--name", "words")
    assert own(gorilla) == {"records:words": 2}
    assert gorilla("index", "remove", "records:words").err == "removed 2 API records of records:words\n"
    assert own(gorilla) == {}


def test_the_first_own_records_come_to_the_shipped_ones(gorilla, none_yet, mine, records):
    assert gorilla("index", "add", "records", "mine.jsonl").code == 0
    found = gorilla("index", "list", "--json").json
    assert {name: found.get(name) for name in records} == records
    assert found["records:mine"] == 2


def test_what_was_skipped_is_told_with_its_line(gorilla, mine):
    mine.write_text(mine.read_text() + '{"api_name": "x"}\nnonsense\n')
    ended = gorilla("index", "add", "records", "mine.jsonl")
    assert ended.code == 0
    assert ended.err.splitlines()[:2] == [
        "  skipped mine.jsonl:3: api_call: missing",
        "  skipped mine.jsonl:4: no JSON: Expecting value at column 1",
    ]
    assert own(gorilla) == {"records:mine": 2}


def test_many_problems_are_counted(gorilla, mine):
    mine.write_text(mine.read_text() + "x\n" * 25)
    told = gorilla("index", "add", "records", "mine.jsonl").err
    assert told.count("skipped") == 10
    assert "  and 15 more; all of those of a file: gorilla index validate FILE\n" in told


@pytest.mark.parametrize("content", [b"", b"x\n", b"\xff\xfe\x00\x00", b"{}", b'[{"api_call": 7}', b"%PDF-1.7\n"])
def test_a_file_without_a_record_leaves_the_index_as_it_was(gorilla, mine, content):
    gorilla("index", "add", "records", "mine.jsonl")
    before = gorilla("index", "list", "--json").json
    mine.write_bytes(content)
    ended = gorilla("index", "add", "records", "mine.jsonl")
    assert ended.code == 2
    assert "there is no record in mine.jsonl" in ended.err
    assert gorilla("index", "list", "--json").json == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("records",), "index add records takes one argument"),
        (("records", "a", "b"), "index add records takes one argument"),
        (("records", "no.jsonl"), "there is no file no.jsonl"),
        (("records", "."), "there is no file ."),
        (("python",), "index add python takes one argument"),
        (("openapi", "a", "b"), "index add openapi takes one argument"),
        (("openapi", "pets.yaml", "--name", "x"), "--name is for a file of records"),
        (("hub", "x"), "index add hub takes no argument"),
    ],
)
def test_what_cannot_be_added(gorilla, records, arguments, said):
    ended = gorilla("index", "add", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert own(gorilla) == {}


def test_a_python_package(gorilla):
    ended = gorilla("index", "add", "python", "json")
    assert ended.code == 0, ended.err
    assert ended.err.startswith("json is imported in a process of its own to read its signatures\n")
    assert own(gorilla)["python:json"] >= 4
    found = gorilla("index", "search", "--records", "--json", "serialize object to a JSON string").json
    dumps = next(one["record"] for one in found if one["record"].startswith("python:json:json.dumps("))
    assert "argument: obj" in gorilla("index", "show", dumps).out


def test_a_package_that_is_missing(gorilla):
    ended = gorilla("index", "add", "python", "nosuchpackage")
    assert ended.code != 0
    assert "cannot import nosuchpackage" in ended.err
    assert own(gorilla) == {}


def test_an_openapi_file(gorilla, hermetic):
    (hermetic / "work" / "pets.json").write_text(json.dumps(PETS))
    ended = gorilla("index", "add", "openapi", "pets.json")
    assert ended.err == "openapi:Pet-Shop: 1 added, 0 changed, 0 removed, 0 as before\n"
    shown = gorilla("index", "show", PET).out
    assert "api_name: petById" in shown
    assert "argument: id" in shown


@pytest.mark.parametrize("content", ["{", "[]", "openapi: 3.1.0"])
def test_a_bad_openapi_file_adds_nothing(gorilla, hermetic, content):
    (hermetic / "work" / "pets.json").write_text(content)
    ended = gorilla("index", "add", "openapi", "pets.json")
    assert ended.code == 2
    assert "pets.json" in ended.err
    assert own(gorilla) == {}


class Answers(BaseHTTPRequestHandler):
    """Gives what `server.answers` holds for the path; `server.asked` is every path and query asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.answers.get(self.path.partition("?")[0])
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@contextmanager
def serving(answers: dict[str, bytes]):
    """A server on this machine that gives `answers` by path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.answers, server.asked = answers, []
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("loopback")
def test_an_openapi_file_from_a_server(gorilla):
    with serving({"/pets.json": json.dumps(PETS).encode()}) as (server, address):
        ended = gorilla("index", "add", "openapi", f"{address}/pets.json")
        missing = gorilla("index", "add", "openapi", f"{address}/others.json")
    assert ended.err.endswith("openapi:Pet-Shop: 1 added, 0 changed, 0 removed, 0 as before\n")
    assert missing.code == 1
    assert "404" in missing.err
    assert own(gorilla) == {"openapi:Pet-Shop": 1}


MODELS = [
    {"id": "acme/moods", "library_name": "transformers", "downloads": 9, "tags": ["license:mit", "en"]},
    {"id": "acme/locked", "library_name": "transformers", "gated": "manual"},
    {"id": "acme/other", "library_name": "unheard-of"},
]


@pytest.mark.usefixtures("loopback")
def test_the_models_of_a_hub(gorilla, monkeypatch):
    with serving({"/api/models": json.dumps(MODELS).encode()}) as (server, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        ended = gorilla("index", "add", "hub")
    assert ended.code == 0, ended.err
    assert all("sort=downloads" in path for path in server.asked)
    assert own(gorilla) == {"hub:huggingface": len(server.asked)}
    shown = gorilla("index", "show", "pipeline('text-classification', model='acme/moods')").out
    assert "licence: mit" in shown
    assert "locked" not in "".join(gorilla("index", "list").out)


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("answer", [None, b"nonsense", b'{"error": "no"}'])
def test_a_hub_that_gives_none_adds_nothing(gorilla, monkeypatch, answer):
    with serving({} if answer is None else {"/api/models": answer}) as (_, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        ended = gorilla("index", "add", "hub")
    assert ended.code == 1
    assert own(gorilla) == {}


def test_list_counts_documents_and_records(gorilla, mine, records):
    gorilla("index", "add", "records", "mine.jsonl")
    found = gorilla("index", "list", "--json").json
    assert {"catalogue", "man", "records:mine", *records} == set(found)
    lines = [line.split() for line in gorilla("index", "list").out.splitlines()]
    assert {name: int(count.replace(",", "")) for name, count in lines} == found


@pytest.mark.parametrize(("gone", "left"), [("index.db", "records.db"), ("records.db", "index.db")])
def test_list_with_one_of_the_two_indexes(gorilla, ready, gone, left):
    (ready / "data" / gone).unlink()
    found = gorilla("index", "list", "--json").json
    assert any(":" in name for name in found) == (left == "records.db")
    (ready / "data" / left).unlink()
    ended = gorilla("index", "list")
    assert (ended.code, ended.out) == (6, "")


def test_search_among_the_records(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl")
    found = gorilla("index", "search", "--records", "--json", "-k", "3", "wrap", "a", "paragraph").json
    assert len(found) == 3
    assert found[0]["record"] == "records:mine:" + WRAP["api_call"]
    assert found[0]["functionality"] == WRAP["functionality"]
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert gorilla("index", "search", "--records", "-k", "1", "wrap", "a", "paragraph").out.split()[1:] == [
        *found[0]["record"].split(),
        *WRAP["functionality"].split(),
    ]


@pytest.mark.parametrize("name", ["records:mine:" + WRAP["api_call"], WRAP["api_call"]])
def test_show_by_id_or_call(gorilla, mine, name):
    gorilla("index", "add", "records", "mine.jsonl")
    shown = gorilla("index", "show", name)
    assert shown.code == 0
    assert shown.out.startswith("id: records:mine:" + WRAP["api_call"] + "\ndomain: Text\n")
    assert WRAP["description"] in shown.out
    assert WRAP["example_code"].strip() in shown.out


def test_remove_one_record(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl")
    id = "records:mine:" + WRAP["api_call"]
    assert gorilla("index", "remove", id).err == f"removed {id}\n"
    assert own(gorilla) == {"records:mine": 1}
    ended = gorilla("index", "remove", id)
    assert ended.code == 2
    assert "records:mine" in ended.err


def test_validate(gorilla, mine):
    assert gorilla("index", "validate", "mine.jsonl").out == "2 rows, 2 records, 0 skipped\n"
    mine.write_text(mine.read_text() + "x\n")
    ended = gorilla("index", "validate", "mine.jsonl")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "mine.jsonl:3: no JSON: Expecting value at column 1",
        "3 rows, 2 records, 1 skipped",
    ]
    assert own(gorilla) == {}


@pytest.mark.parametrize("name", ["no.jsonl", "."])
def test_validate_needs_a_file(gorilla, name):
    ended = gorilla("index", "validate", name)
    assert (ended.code, ended.out) == (4, "")
    assert f"cannot read {name}" in ended.err


def wrap_call(gorilla) -> str:
    return gorilla("api", "--json", WRAPPED).json["candidates"][0]["call"]


def test_an_edited_file_is_read_again_before_the_next_answer(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl")
    assert wrap_call(gorilla) == WRAP["api_call"]
    for width in (30, 4000):
        call = f"textwrap.TextWrapper(width={width})"
        write(mine, [{**WRAP, "api_call": call}, SHORTEN])
        assert wrap_call(gorilla) == call
    assert own(gorilla) == {"records:mine": 2}


def test_an_edit_that_keeps_the_size_is_seen(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl")
    mine.write_text(mine.read_text().replace("width=20", "width=31"))
    os.utime(mine, ns=(1, 1))
    assert wrap_call(gorilla) == "textwrap.TextWrapper(width=31)"


@pytest.mark.parametrize("state", ["gone", "half written", "empty", "a folder"])
def test_a_file_that_cannot_be_read_now_keeps_its_records(gorilla, mine, state):
    gorilla("index", "add", "records", "mine.jsonl")
    mine.unlink()
    if state == "a folder":
        mine.mkdir()
    elif state != "gone":
        mine.write_text('{"domain": "Te' if state == "half written" else "")
    ended = gorilla("api", "--json", WRAPPED)
    assert ended.json["candidates"][0]["call"] == WRAP["api_call"]
    assert ("still counts" in ended.err) == (state != "gone")
    if state != "a folder":
        write(mine, [{**WRAP, "api_call": "textwrap.TextWrapper(width=5)"}])
        assert wrap_call(gorilla) == "textwrap.TextWrapper(width=5)"


def test_a_removed_source_does_not_come_back(gorilla, mine):
    gorilla("index", "add", "records", "mine.jsonl")
    gorilla("index", "remove", "records:mine")
    write(mine, [WRAP])
    assert wrap_call(gorilla) != WRAP["api_call"]
    assert own(gorilla) == {}


def test_the_working_directory_does_not_matter_afterwards(gorilla, mine, tmp_path, monkeypatch):
    gorilla("index", "add", "records", "mine.jsonl")
    monkeypatch.chdir(tmp_path)
    write(mine, [{**WRAP, "api_call": "textwrap.TextWrapper(width=5)"}])
    assert wrap_call(gorilla) == "textwrap.TextWrapper(width=5)"


def test_build_brings_the_shipped_records_and_keeps_ones_own(gorilla, mine, records):
    gorilla("index", "add", "records", "mine.jsonl")
    gorilla("index", "remove", "shipped:torchhub")
    assert gorilla("index", "build").code == 0
    found = gorilla("index", "list", "--json").json
    assert {name: found.get(name) for name in records} == records
    assert own(gorilla) == {"records:mine": 2}


def test_the_first_request_makes_the_index_without_a_network(none_yet, records):
    ended = apart("api", "--json", "translate a text to German")
    assert ended.code == 0, ended.err
    assert ended.json["candidates"][0]["record"].partition(":http")[0].startswith("shipped:")
    assert {name: count for name, count in apart("index", "list", "--json").json.items() if name in records} == records
