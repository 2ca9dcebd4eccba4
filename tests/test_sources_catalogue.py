"""The shipped catalogue: reading records, and what `validate` says of faulty ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from gorilla_cli.sources.catalogue import CatalogueSource, validate
from gorilla_cli.types import Doc, Example, Option

INDEX = Path(__file__).parent.parent / "index"

HEAD = """
[[command]]
name = "head"
summary = "print the first part of files"
keywords = ["first", "top"]
options = [
  ["-n, --lines", "N", "print the first N lines"],
  ["-v", "", "always print names"],
]
examples = [["first 20 lines of a.txt", "head -n 20 a.txt"]]
"""


def record(**changes: str) -> str:
    fields = {"name": '"x"', "summary": '"does x"', "options": "[]", "examples": "[]"} | changes
    return "[[command]]\n" + "\n".join(f"{key} = {value}" for key, value in fields.items() if value)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "catalogue").mkdir()
    return tmp_path


def write(folder: Path, *records: str, name: str = "a.toml") -> None:
    (folder / "catalogue" / name).write_text("\n".join(records), encoding="utf-8")


def test_a_record_becomes_a_document(folder):
    write(folder, HEAD)
    (doc,) = CatalogueSource(folder).docs()
    assert doc == Doc(
        id="catalogue:head",
        source="catalogue",
        program="head",
        title="head",
        summary="print the first part of files",
        keywords=("first", "top"),
        options=(Option(("-n", "--lines"), "N", "print the first N lines"), Option(("-v",), "", "always print names")),
        examples=(Example("first 20 lines of a.txt", "head -n 20 a.txt"),),
        stamp=doc.stamp,
    )
    assert CatalogueSource(folder).ids() == {"catalogue:head": doc.stamp}
    assert list(CatalogueSource(folder / "catalogue").docs()) == [doc]


def test_the_stamp_follows_the_record_and_nothing_else(folder):
    write(folder, HEAD)
    before = CatalogueSource(folder).ids()
    write(folder, record(name='"other"'), "# a comment", HEAD)
    assert CatalogueSource(folder).ids()["catalogue:head"] == before["catalogue:head"]
    write(folder, HEAD.replace("first part", "beginning"))
    assert CatalogueSource(folder).ids()["catalogue:head"] != before["catalogue:head"]


def test_control_characters_are_gone(folder):
    write(folder, record(summary='"a\\u001b[31mb\\u202ec"', options='[["-a", "", "d\\u0007e"]]'))
    (doc,) = CatalogueSource(folder).docs()
    assert (doc.summary, doc.options[0].description) == ("a[31mbc", "de")


@pytest.mark.parametrize(
    ("platforms", "platform", "there"),
    [("", "linux", True), ('["linux"]', "linux", True), ('["linux"]', "macos", False), ('["linux"]', "", True)],
)
def test_records_of_another_platform_are_left_out(folder, platforms, platform, there):
    write(folder, record(platforms=platforms))
    assert bool(list(CatalogueSource(folder, platform).docs())) is there


@pytest.mark.parametrize(
    ("faulty", "problem"),
    [
        (record(summary=""), "a.toml: x: no summary"),
        (record(options=""), "a.toml: x: no options"),
        (record(name=""), "a.toml: -: no name"),
        (record(name="7"), "a.toml: -: name is no text"),
        (record(summary='"  "'), "a.toml: x: summary is no text"),
        (record(keywords='"first"'), "a.toml: x: keywords is no list of texts"),
        (record(keywords="[1]"), "a.toml: x: keywords is no list of texts"),
        (record(platforms='["amiga"]'), "a.toml: x: platforms are linux, macos"),
        (record(options='["-a"]'), "a.toml: x: options 1: not 3 texts"),
        (record(options='[["-a", "", "b"], ["-c", "d"]]'), "a.toml: x: options 2: not 3 texts"),
        (record(options='[["", "N", "b"]]'), "a.toml: x: options 1: not 3 texts"),
        (record(examples='[["a", "b", "c"]]'), "a.toml: x: examples 1: not 2 texts"),
        (record(examples='[["a", ""]]'), "a.toml: x: examples 1: not 2 texts"),
        (record(examples="3"), "a.toml: x: examples is no list"),
        (record(colour='"red"'), "a.toml: x: unknown key colour"),
        ("command = 3", "a.toml: -: not a list of [[command]] tables"),
        ("command = [3]", "a.toml: -: not a table"),
    ],
)
def test_a_faulty_record_is_named_and_left_out(folder, faulty, problem):
    write(folder, faulty)
    write(folder, HEAD, name="b.toml")
    assert validate(folder) == [problem]
    assert [doc.id for doc in CatalogueSource(folder).docs()] == ["catalogue:head"]


def test_a_file_that_is_no_toml_is_named_and_left_out(folder):
    write(folder, "[[command]\nname = ")
    (folder / "catalogue" / "b.toml").write_bytes(b"\xff\xfe")
    write(folder, HEAD, name="c.toml")
    faults = validate(folder)
    assert [fault.split(": ")[:2] for fault in faults] == [["a.toml", "-"], ["b.toml", "-"]]
    assert list(CatalogueSource(folder).ids()) == ["catalogue:head"]


def test_of_two_records_with_one_name_the_first_counts(folder):
    write(folder, record(summary='"first"'))
    write(folder, record(summary='"second"'), name="b.toml")
    assert validate(folder) == ["b.toml: x: already in a.toml"]
    assert [doc.summary for doc in CatalogueSource(folder).docs()] == ["first"]


def test_an_empty_or_missing_folder_has_no_documents(tmp_path):
    assert validate(tmp_path) == []
    assert list(CatalogueSource(tmp_path / "nowhere").docs()) == []


def test_what_ships_is_without_faults():
    assert validate(INDEX) == []
    docs = list(CatalogueSource(INDEX).docs())
    assert {"find", "tar", "git commit"} <= {doc.program for doc in docs}
    assert len({doc.id for doc in docs}) == len(docs)
