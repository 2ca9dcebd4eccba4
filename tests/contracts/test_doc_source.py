"""What every DocSource promises, run over all that the package has."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gorilla_cli.protocols import DocSource
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources import man_render
from gorilla_cli.sources.catalogue import CatalogueSource
from gorilla_cli.sources.man import ManSource
from gorilla_cli.sources.tldr import TldrSource
from gorilla_cli.types import Doc

NAMES = ("alpha", "beta", "gamma")


def catalogue(folder: Path, names: tuple[str, ...]) -> DocSource:
    rows = 'options = [["-a", "", "all\\u0007 of it"]]\nexamples = [["do it", "x -a"]]\n'
    text = "".join(f'[[command]]\nname = "{name}"\nsummary = "does\\u001b {name}"\n{rows}' for name in names)
    (folder / "a.toml").write_text(text, encoding="utf-8")
    (folder / "bad.toml").write_text("[[command", encoding="utf-8")
    return CatalogueSource(folder)


def tldr(folder: Path, names: tuple[str, ...]) -> DocSource:
    with zipfile.ZipFile(folder / "pages.zip", "w") as archive:
        for name in names:
            archive.writestr(f"common/{name}.md", f"# {name}\n\n> Does\x1b it.\n\n- Do it:\n\n`{name} {{{{a}}}}`\n")
    return TldrSource(folder / "pages.zip")


def man(folder: Path, names: tuple[str, ...]) -> DocSource:
    if not man_render.renderer():
        pytest.skip("neither mandoc nor man is installed")
    (folder / "man1").mkdir(exist_ok=True)
    for name in names:
        text = f".TH X 1\n.SH NAME\n{name} \\- does it\n.SH OPTIONS\n.TP\n\\-a\nall of it \x1b\n"
        (folder / "man1" / f"{name}.1").write_text(text, encoding="utf-8")
    (folder / "man1" / "bad.1.gz").write_bytes(b"no page")
    return ManSource(manpath=(folder,), workers=2)


SOURCES = [pytest.param(make, id=make.__name__) for make in (catalogue, tldr, man)]
Make = Callable[[Path, tuple[str, ...]], DocSource]


def texts(doc: Doc) -> list[str]:
    options = [text for option in doc.options for text in (*option.names, option.argument, option.description)]
    examples = [text for example in doc.examples for text in (example.request, example.command)]
    return [doc.id, doc.program, doc.title, doc.summary, doc.body, *doc.keywords, *options, *examples]


@pytest.mark.parametrize("make", SOURCES)
def test_every_document_is_listed_with_its_stamp_and_read_once(make: Make, tmp_path: Path):
    source = make(tmp_path, NAMES)
    docs = list(source.docs())
    assert sorted(doc.program for doc in docs) == sorted(NAMES)
    assert {doc.id: doc.stamp for doc in docs}.items() <= source.ids().items()
    assert all(doc.stamp and doc.title and doc.summary for doc in docs)
    assert {doc.source for doc in docs} == {source.name}
    assert all(doc.id.startswith(f"{source.name}:") for doc in docs)


@pytest.mark.parametrize("make", SOURCES)
def test_skipped_documents_are_not_read(make: Make, tmp_path: Path):
    source = make(tmp_path, NAMES)
    skip = {doc.id for doc in source.docs() if doc.program != "beta"}
    assert [doc.program for doc in source.docs(skip)] == ["beta"]
    assert list(source.docs(set(source.ids()))) == []


@pytest.mark.parametrize("make", SOURCES)
def test_a_second_look_gives_the_same_and_sees_what_is_new(make: Make, tmp_path: Path):
    source = make(tmp_path, NAMES)
    before = source.ids()
    assert source.ids() == before
    after = make(tmp_path, (*NAMES, "delta")).ids()
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("make", SOURCES)
def test_no_control_character_gets_in(make: Make, tmp_path: Path):
    for doc in make(tmp_path, NAMES).docs():
        assert not [text for text in texts(doc) if CONTROL.search(text)]


@pytest.mark.parametrize("make", SOURCES)
def test_nothing_there_is_no_documents(make: Make, tmp_path: Path):
    source = make(tmp_path, ())
    assert list(source.docs()) == []
