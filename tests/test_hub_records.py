"""Records out of a hub's public list: a real server on this machine, honest and otherwise."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.backends.download import fetch_file
from gorilla_cli.errors import DownloadFailed, GorillaError
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources.hub import CALLS, DOMAINS, PER_TASK, HubRecords

MOOD = {
    "id": "acme/mood-en",
    "library_name": "transformers",
    "downloads": 1200,
    "gated": False,
    "pipeline_tag": "text-classification",
    "tags": ["transformers", "pytorch", "tf", "en", "de", "license:mit", "region:us", "senti\u001b[0mment"],
}
VECTORS = {"modelId": "acme/vectors", "library_name": "sentence-transformers", "downloads": 5}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        query = parse_qs(urlsplit(self.path).query)
        server.asked.append((urlsplit(self.path).path, {key: values[0] for key, values in query.items()}))
        body = server.bodies.get(query["pipeline_tag"][0], b"[]")
        self.send_response(200 if body is not None else 503)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@contextmanager
def hub(**bodies):
    """A hub whose list of each task is what is given, as JSON; other tasks have no models."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        given_bodies = {task.replace("_", "-"): body for task, body in bodies.items()}
        server.bodies = {
            task: body if isinstance(body, bytes | None) else json.dumps(body).encode()
            for task, body in given_bodies.items()
        }
        server.asked = []
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def fetched(folder):
    """Fetches as the product does."""
    return lambda url: fetch_file(url, folder / "document", 1 << 20).read_bytes()


def without_network(rows):
    """A hub that gives `rows` for text classification, read without a server."""
    data = json.dumps(rows).encode()
    return HubRecords(lambda url: data if "=text-classification&" in url else b"[]")


def test_a_model_becomes_a_record(loopback, tmp_path):
    with hub(text_classification=[MOOD]) as server:
        (record,) = HubRecords(fetched(tmp_path), server.address + "/").records()
    call = "pipeline('text-classification', model='acme/mood-en')"
    assert (record.id, record.source, record.api_call) == (f"hub:huggingface:{call}", "hub:huggingface", call)
    assert (record.domain, record.framework) == (DOMAINS["text-classification"], "Hugging Face Transformers")
    assert (record.licence, record.languages, record.downloads) == ("mit", ("en", "de"), 1200)
    assert (record.api_name, record.environment_requirements) == ("acme/mood-en", ("transformers",))
    assert record.description.startswith("acme mood en. transformers pytorch")
    assert not CONTROL.search(repr(record))


def test_every_task_is_asked_once_for_its_most_used_models(loopback, tmp_path):
    with hub(text_classification=[MOOD], sentence_similarity=[VECTORS]) as server:
        source = HubRecords(fetched(tmp_path), server.address)
        assert sorted(source.ids()) == sorted(record.id for record in source.records())
        asked = server.asked
    assert [query.pop("pipeline_tag") for _, query in asked] == list(DOMAINS)
    assert {path for path, _ in asked} == {"/api/models"}
    assert all(query == {"sort": "downloads", "direction": "-1", "limit": str(PER_TASK)} for _, query in asked)


@pytest.mark.parametrize("library", CALLS)
def test_the_call_is_the_one_of_its_library(library):
    (record,) = without_network([{**MOOD, "library_name": library}]).records()
    assert record.api_call == CALLS[library].format(task="text-classification", id="acme/mood-en")


def test_one_model_in_two_tasks_is_one_record_where_its_call_is_the_same():
    row = json.dumps([{**VECTORS, "id": "acme/vectors"}]).encode()
    records = list(HubRecords(lambda url: row if "similarity" in url or "extraction" in url else b"[]").records())
    assert [record.api_call for record in records] == ["SentenceTransformer('acme/vectors')"]


@pytest.mark.parametrize(
    "change",
    [
        {"library_name": "keras"},
        {"library_name": None},
        {"library_name": ["transformers"]},
        {"id": None, "modelId": None},
        {"id": "x'); import os; os.system('id"},
        {"id": "a/b/c"},
        {"id": "a b"},
        {"id": "a\n"},
        {"id": ["a"]},
        {"id": ""},
        {"gated": "manual"},
        {"gated": True},
    ],
)
def test_what_no_call_can_load_is_no_record(change):
    assert list(without_network([{**MOOD, **change}, VECTORS]).records()) != []
    assert [record.api_name for record in without_network([{**MOOD, **change}, VECTORS]).records()] == ["acme/vectors"]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"tags": None}, "languages", ()),
        ({"tags": "en"}, "languages", ()),
        ({"tags": [1, None, "fr", ["de"]]}, "languages", ("fr",)),
        ({"tags": []}, "licence", ""),
        ({"downloads": None}, "downloads", None),
        ({"downloads": "many"}, "downloads", None),
        ({"downloads": True}, "downloads", None),
    ],
)
def test_odd_fields_are_left_out(change, field, value):
    (record,) = without_network([{**MOOD, **change}]).records()
    assert getattr(record, field) == value


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"error": 1}'])
def test_an_answer_that_is_no_list_is_an_error_that_names_the_address(loopback, tmp_path, body):
    with hub(text_classification=body) as server, pytest.raises(GorillaError) as caught:
        HubRecords(fetched(tmp_path), server.address).ids()
    assert str(caught.value) == (f"{server.address}/api/models?pipeline_tag=text-classification gave no list of models")
    assert caught.value.hint


def test_what_fetching_raises_comes_through(loopback, tmp_path):
    with hub(text_classification=None) as server, pytest.raises(DownloadFailed):
        HubRecords(fetched(tmp_path), server.address).ids()


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
FIELDS = st.sampled_from(["id", "modelId", "library_name", "tags", "downloads", "gated"])
ROWS = st.lists(JSON | st.dictionaries(FIELDS, JSON | st.sampled_from(["transformers", "acme/x", "license:mit"])))


@settings(deadline=None)
@given(ROWS)
def test_any_list_gives_clean_records(rows):
    source = without_network(rows)
    records = list(source.records())
    assert {record.id: record.stamp for record in records} == source.ids()
    for record in records:
        assert not CONTROL.search("".join([record.api_call, record.description, record.licence, *record.languages]))
        assert record.downloads is None or type(record.downloads) is int


def test_the_stamp_changes_with_what_is_said():
    stamps = [
        next(iter(without_network([{**MOOD, **change}]).ids().values()))
        for change in ({}, {}, {"downloads": 1}, {"tags": ["en"]})
    ]
    assert stamps[0] == stamps[1]
    assert len(set(stamps)) == 3
