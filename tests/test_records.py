"""Records files: irregular fields normalised, rows of one call merged, bad rows told with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.sources import record_fields, record_rows
from gorilla_cli.sources.records import MAX_PROBLEMS, RecordFile, Report, check, from_row, to_row
from gorilla_cli.types import ApiRecord, Argument, Figure

BENCH = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"
ROW = {
    "domain": "Classification",
    "framework": "PyTorch",
    "functionality": "Image  classification",
    "api_name": "tiny",
    "api_call": "hub.load('a/b',  'tiny')",
    "api_arguments": {"pretrained": "True"},
    "python_environment_requirements": "torch, pip install timm",
    "example_code": ["import torch", "model = 1"],
    "performance": {"dataset": "ImageNet", "accuracy": {"top_1": 74.58}},
    "description": "Sees\u202e things.\x1b",
    "requests": ["what is on the photo"],
    "licence": "MIT",
    "languages": ["en", "de"],
    "downloads": 12,
}


def write(folder, *rows, name="r.jsonl"):
    file = folder / name
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return file


def test_a_row_becomes_a_record(tmp_path):
    source = RecordFile(write(tmp_path, ROW), "mine")
    (record,) = source.records()
    assert record == ApiRecord(
        id="records:mine:hub.load('a/b', 'tiny')",
        source="records:mine",
        domain="Classification",
        framework="PyTorch",
        functionality="Image classification",
        api_name="tiny",
        api_call="hub.load('a/b',  'tiny')",
        api_arguments=(Argument("pretrained", default="True"),),
        environment_requirements=("torch", "timm"),
        example_code="import torch\nmodel = 1",
        performance="dataset: ImageNet; accuracy: top 1: 74.58",
        description="Sees things.",
        figures=(Figure("accuracy", "ImageNet", 74.58),),
        requests=("what is on the photo",),
        licence="MIT",
        languages=("en", "de"),
        downloads=12,
        stamp=record.stamp,
    )
    assert source.ids() == {record.id: record.stamp}
    assert list(source.records(skip={record.id})) == []
    assert (source.rows, source.problems, source.name) == (1, (), "records:mine")


def test_a_whole_source_name_is_kept(tmp_path):
    source = RecordFile(write(tmp_path, {"api_call": "f()"}), "shipped:torchhub")
    assert list(source.ids()) == ["shipped:torchhub:f()"]


def test_the_stamp_follows_the_record_and_not_its_spelling(tmp_path):
    stamp = from_row(ROW, "s:x").stamp
    assert from_row(ROW | {"functionality": "Image classification "}, "s:x").stamp == stamp
    assert from_row(ROW | {"functionality": "Image segmentation"}, "s:x").stamp != stamp
    assert from_row(ROW | {"downloads": 13}, "s:x").stamp != stamp


def test_rows_of_one_call_are_one_record(tmp_path):
    rows = [
        {"api_call": "f('a')", "domain": "A", "description": "One.", "api_arguments": ["x"], "performance": "71%"},
        {"api_call": "g()"},
        {"api_call": "f('a') ", "domain": "B", "description": "Two.", "api_arguments": {"x": 3}, "downloads": 4},
        {"api_call": " f('a')", "domain": "B", "description": "two", "api_arguments": ["y"], "performance": "45 MB"},
    ]
    first, second = RecordFile(write(tmp_path, *rows), "m").records()
    assert (first.api_call, second.api_call) == ("g()", "f('a')")
    assert (second.domain, second.description, second.performance) == ("B", "Two. One.", "71%; 45 MB")
    assert second.api_arguments == (Argument("x", default="3"), Argument("y"))
    assert second.figures == (Figure("accuracy", "", 71.0), Figure("size", "", 45e6))
    assert second.downloads == 4
    assert from_row(to_row(second), "records:m") == second


BAD = [
    ("{", "no JSON: Expecting property name enclosed in double quotes at column 2"),
    ("[1]", "not an object"),
    ("3", "not an object"),
    ('{"a": 1}', "api_call: missing"),
    ('{"api_call": "N/A"}', "api_call: missing"),
    ('{"api_call": 3}', "api_call: no text"),
    ('{"api_call": "%s"}' % ("f" * 4097), "api_call: longer than 4096 characters"),
    ('{"api_call": "f()", "domain": ["x"]}', "domain: no text"),
    ('{"api_call": "f()", "functionality": {}}', "functionality: neither text nor a list of texts"),
    ('{"api_call": "f()", "requests": [1]}', "requests: neither text nor a list of texts"),
    ('{"api_call": "f()", "downloads": true}', "downloads: no count"),
    ('{"api_call": "f()", "kind": "shell"}', "kind: is one of python, http"),
    ('{"api_call": "f()", "api_arguments": 3}', "api_arguments: neither text, list nor object"),
    (
        '{"api_call": "f()", "figures": [{"metric": "x", "value": NaN}]}',
        "figures: no list of metric, dataset and value",
    ),
    ("[" * 100_000, "no JSON: nested too deep"),
    ('{"api_call": "f()", "x": %s}' % ("1" * 5000), "no JSON: a number too long"),
    ('{"x": "%s"}' % ("y" * (1 << 20)), "longer than 1 MiB"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_row_is_told_with_its_line_and_skipped(tmp_path, bad, message):
    file = write(tmp_path, {"api_call": "before()"}, "", bad, {"api_call": "after()"})
    source = RecordFile(file, "m")
    assert [record.api_call for record in source.records()] == ["before()", "after()"]
    assert source.problems == (f"{file}:3: {message}",)
    assert check(file) == Report(rows=3, records=2, skipped=1, problems=source.problems)


def test_the_list_of_problems_is_bounded(tmp_path):
    file = write(tmp_path, *["x"] * (MAX_PROBLEMS + 5))
    report = check(file)
    assert (report.rows, report.skipped, len(report.problems)) == (MAX_PROBLEMS + 5, MAX_PROBLEMS + 5, MAX_PROBLEMS + 1)
    assert report.problems[-1] == f"{file}: 5 further rows were skipped"


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"api_call": "f()"}\r\n\r\n  \r\n{"api_call": "g()"}\r\n',
        b'{"api_call": "f()"}\n{"api_call": "g()"}',
        b'[{"api_call": "f()"}, {"api_call": "g()"}]',
        b"\n\xef\xbb\xbf"[:1] + b'[\n {"api_call": "f()"},\n\n {"api_call": "g()"},\n]\n',
        b'{"api_call": "f()", "description": "\xff"}\n{"api_call": "g()"}\n',
    ],
)
def test_files_of_all_kinds_are_read(tmp_path, content):
    file = tmp_path / "f"
    file.write_bytes(content)
    source = RecordFile(file, "m")
    assert [record.api_call for record in source.records()] == ["f()", "g()"]
    assert source.problems == ()


ARRAYS = [
    ('[{"api_call": "f()"},\n3, {"api_call": "g()"}]', ["f()", "g()"], ["2: not an object"]),
    (
        '[{"api_call": "f()"},\n\n{"api_call" "g()"}, {}]',
        ["f()"],
        ["3: no JSON: Expecting ':' delimiter at line 3; the rest of the array was not read"],
    ),
    ('[{"api_call": "f()"}', ["f()"], ["1: the array has no end"]),
    ('[{"api_call": "f()"}]\n[1]', ["f()"], ["2: text after the end of the array was not read"]),
    (
        '[{"x": "%s"}]' % ("y" * (1 << 21)),
        [],
        ["1: no JSON: Unterminated string starting at at line 1; the rest of the array was not read"],
    ),
    ("[" * 90_000, [], ["1: no JSON: nested too deep, or a number too long; read no further"]),
]


@pytest.mark.parametrize(("content", "calls", "problems"), ARRAYS, ids=range(len(ARRAYS)))
def test_arrays(tmp_path, content, calls, problems):
    file = write(tmp_path, content)
    source = RecordFile(file, "m")
    assert [record.api_call for record in source.records()] == calls
    assert [problem.removeprefix(f"{file}:") for problem in source.problems] == problems


def test_an_array_longer_than_a_chunk_keeps_its_lines(tmp_path):
    rows = [{"api_call": f"f({number})", "description": "é" * 700} for number in range(500)]
    file = write(tmp_path, "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]")
    assert file.stat().st_size > 5 * record_rows.CHUNK
    assert [(row.line, row.value) for row in record_rows.rows(file)] == list(enumerate(rows, 2))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(StateError, match="cannot read .*absent"):
        list(RecordFile(tmp_path / "absent", "m").records())


ARGUMENTS = [
    (None, ()),
    ("N/A", ()),
    ([], ()),
    ({}, ()),
    ("pretrained", (Argument("pretrained"),)),
    ("image, question", (Argument("image"), Argument("question"))),
    ("['prompt']", (Argument("prompt"),)),
    ("pretrained: True", (Argument("pretrained", default="True"),)),
    ("size: int, default 3, name", (Argument("size", type="int", default="3"), Argument("name"))),
    ("shape=(1, 2), x", (Argument("shape", default="(1, 2)"), Argument("x"))),
    ("size (int, optional): How many; rest", (Argument("size", "int", "How many"), Argument("rest"))),
    ("input: A list of strings", (Argument("input", description="A list of strings"),)),
    ("url: https://a.b/c", (Argument("url", default="https://a.b/c"),)),
    ("speech input", ()),
    (
        ["pretrained: bool, default False", "k (int, required)"],
        (Argument("pretrained", "bool", default="False"), Argument("k", "int", required=True)),
    ),
    ([{"name": "p", "type": "bool", "default": False}], (Argument("p", "bool", default="False"),)),
    ([{"name": "p", "required": True, "enum": ["a", 2]}], (Argument("p", required=True, choices=("a", "2")),)),
    ([{"a": 1}, ["b"], 3], (Argument("a", default="1"),)),
    ({"a": {"type": "str", "description": "what", "default": None}}, (Argument("a", "str", "what", default="None"),)),
    (
        {"a": ["x", "y", "x"], "b": [224, 224], "c": False},
        (Argument("a", choices=("x", "y")), Argument("b", default="[224, 224]"), Argument("c", default="False")),
    ),
    ({"device": "device", "bad name": 1, "q": "string"}, (Argument("device"), Argument("q", type="string"))),
    ({"t": "Optional, default is False"}, (Argument("t", default="False"),)),
]


@pytest.mark.parametrize(("given", "expected"), ARGUMENTS, ids=[repr(given) for given, _ in ARGUMENTS])
def test_arguments(given, expected):
    assert record_fields.arguments(given) == expected


REQUIREMENTS = [
    (None, ()),
    ("", ()),
    ("torch, torchvision", ("torch", "torchvision")),
    ("!pip install -q x y==1.0", ("x", "y==1.0")),
    ("tensorflow>=2.0,<3, numpy", ("tensorflow>=2.0,<3", "numpy")),
    (["import tensorflow_hub as hub", "from PIL import Image"], ("tensorflow_hub", "PIL")),
    ({"torch": "1.9.0", "x": ">= 2", "y": "latest", "z": "2.x"}, ("torch==1.9.0", "x>=2", "y", "z")),
    ({"a": "pip install b", "packages": ["c", "d"]}, ("b", "c", "d")),
    ({"library": "transformers", "version": "4.3.0"}, ("transformers==4.3.0",)),
    ({"python_version": "3.8"}, ("python==3.8",)),
]


@pytest.mark.parametrize(("given", "expected"), REQUIREMENTS, ids=[repr(given) for given, _ in REQUIREMENTS])
def test_requirements(given, expected):
    assert record_fields.requirements(given) == expected


CODE = [
    (None, ""),
    ("N/A", ""),
    ("a\r\nb \n", "a\nb"),
    (["for x in y:", " z()"], "for x in y:\n z()"),
    ({"import": ["import a", "import b"], "call": "a()"}, "import a\nimport b\na()"),
    ({"import a": "", "a.b(1)": "", "note": ""}, "import a\na.b(1)"),
]


@pytest.mark.parametrize(("given", "expected"), CODE, ids=[repr(given) for given, _ in CODE])
def test_example_code(given, expected):
    assert record_fields.code(given) == expected


HUBS = [("torchhub", 94, 94, 0.70, 0.09), ("huggingface", 936, 895, 0.40, 0.02), ("tensorflowhub", 696, 80, 0.70, 0.0)]


@pytest.mark.skipif(not BENCH.is_dir(), reason="the published API records are not on this machine")
@pytest.mark.parametrize(("hub", "rows", "calls", "measured", "counted"), HUBS, ids=[hub for hub, *_ in HUBS])
def test_the_published_records_load_completely(hub, rows, calls, measured, counted):
    file = BENCH / f"{hub}_api.jsonl"
    source = RecordFile(file, hub)
    records = list(source.records())
    assert source.report == Report(rows=rows, records=calls, skipped=0, problems=())
    assert len({record.id for record in records}) == len(records) == calls
    assert [from_row(json.loads(json.dumps(to_row(record))), record.source) for record in records] == records
    each = [from_row(row.value, "x:y") for row in record_rows.rows(file)]
    assert all(record.domain and record.framework and record.functionality and record.api_name for record in each)
    kinds = [{figure.metric for figure in record.figures} for record in each]
    assert sum(bool(metrics) for metrics in kinds) / rows >= measured
    assert sum("parameters" in metrics for metrics in kinds) / rows >= counted
