"""What every RecordSource promises, run over all that the package has."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gorilla_cli.protocols import RecordSource
from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources.hub import HubRecords
from gorilla_cli.sources.openapi import OpenApi
from gorilla_cli.sources.python_package import PythonPackage
from gorilla_cli.sources.records import RecordFile
from gorilla_cli.types import ApiRecord

NAMES = ("alpha", "beta", "gamma")
Make = Callable[[Path, tuple[str, ...]], RecordSource]


def record_file(folder: Path, names: tuple[str, ...]) -> RecordSource:
    rows = [
        {"api_call": f"load('{name}')", "api_name": name, "domain": "d", "description": f"does\u001b[0m {name}"}
        for name in names
    ]
    lines = [*map(json.dumps, rows), "no json", '{"api_call": 3}']
    (folder / "records.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return RecordFile(folder / "records.jsonl", "mine")


def openapi(folder: Path, names: tuple[str, ...]) -> RecordSource:
    paths = {f"/{name}": {"get": {"operationId": name, "summary": f"Get\u001b {name}"}} for name in names}
    document = {"openapi": "3.1.0", "info": {"title": "T"}, "servers": [{"url": "https://a.example"}], "paths": paths}
    (folder / "api.json").write_text(json.dumps(document), encoding="utf-8")
    return OpenApi(folder / "api.json")


def hub(_folder: Path, names: tuple[str, ...]) -> RecordSource:
    rows = [{"id": name, "library_name": "transformers", "tags": ["a\u001bb", "en"]} for name in names]
    data = json.dumps([*rows, {"id": 3}, None]).encode()
    return HubRecords(lambda url: data if "=fill-mask&" in url else b"[]")


MADE = [pytest.param(make, id=make.__name__) for make in (record_file, openapi, hub)]


@pytest.fixture(scope="module")
def package() -> RecordSource:
    return PythonPackage("json")


@pytest.fixture(params=[*MADE, pytest.param(None, id="python_package", marks=pytest.mark.process)])
def source(request, tmp_path) -> RecordSource:
    return request.param(tmp_path, NAMES) if request.param else request.getfixturevalue("package")


def texts(record: ApiRecord) -> list[str]:
    arguments = [text for one in record.api_arguments for text in (one.name, one.type, one.description, one.default)]
    lists = [*record.environment_requirements, *record.requests, *record.languages]
    own = [record.id, record.domain, record.framework, record.functionality, record.api_name, record.api_call]
    return [*own, record.example_code, record.performance, record.description, record.licence, *arguments, *lists]


def test_every_record_is_listed_with_its_stamp_and_read_once(source):
    records = list(source.records())
    assert len(records) >= len(NAMES)
    assert {record.id: record.stamp for record in records} == source.ids()
    assert len({record.id for record in records}) == len(records)


def test_every_record_says_where_it_comes_from_and_what_it_is(source):
    for record in source.records():
        assert record.source == source.name
        assert record.id.startswith(f"{source.name}:")
        assert record.stamp and record.api_call and record.api_name
        assert record.kind in ("python", "http")


def test_skipped_records_are_not_read(source):
    ids = [record.id for record in source.records()]
    assert [record.id for record in source.records({*ids[:1], *ids[2:]})] == [ids[1]]
    assert list(source.records(set(ids))) == []
    assert len(list(source.records({"nothing:like this"}))) == len(ids)


def test_a_second_look_gives_the_same(source):
    assert source.ids() == source.ids()
    assert list(source.records()) == list(source.records())


def test_no_control_character_gets_in(source):
    for record in source.records():
        assert not [text for text in texts(record) if CONTROL.search(text.replace("\n", ""))]


def test_an_index_takes_it_and_finds_its_records(source, tmp_path):
    index = RecordIndex(tmp_path / "index.db")
    assert index.sync(source).added == len(source.ids())
    assert index.sync(source).kept == len(source.ids())
    one = next(iter(source.records()))
    assert index.record(one.id) == one
    assert one.api_call in [hit.record.api_call for hit in index.search(f"{one.api_name} {one.functionality}", 10)]
    index.close()


@pytest.mark.parametrize("make", MADE)
def test_what_is_new_is_seen_and_the_rest_keeps_its_stamp(make: Make, tmp_path: Path):
    before = make(tmp_path, NAMES).ids()
    after = make(tmp_path, (*NAMES, "delta")).ids()
    assert before.items() < after.items()
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("make", MADE)
def test_nothing_there_is_no_records(make: Make, tmp_path: Path):
    source = make(tmp_path, ())
    assert (list(source.records()), source.ids()) == ([], {})


@pytest.mark.parametrize("make", MADE)
def test_the_stamp_is_of_the_whole_record(make: Make, tmp_path: Path):
    """Equal stamps, equal records: else an edit would not reach the index."""
    first, again = (list(make(tmp_path, NAMES).records()) for _ in range(2))
    assert first == again
    assert len({record.stamp for record in first}) == len({replace(record, stamp="") for record in first})
