"""`gorilla index`: on the shipped catalogue and a manual with one page."""

from __future__ import annotations

import zipfile

import pytest

from gorilla_cli.config import catalogue_dir
from gorilla_cli.sources.catalogue import CatalogueSource
from tests.command_line import PAGE

SHIPPED = sum(1 for _ in CatalogueSource(catalogue_dir() / "catalogue").docs())
TLDR = """# greet

> Say hello.

- Greet the {{world}}:

`greet {{world}}`
"""


@pytest.fixture
def empty(ready):
    """No index yet."""
    (ready / "data" / "index.db").unlink()


@pytest.fixture
def archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "tldr.zip", "w") as packed:
        packed.writestr("pages/common/greet.md", TLDR)
    return tmp_path / "tldr.zip"


def counts(gorilla) -> dict[str, int]:
    """The documents of each source; sources of API records have a colon in their names."""
    return {name: n for name, n in gorilla("index", "list", "--json").json.items() if ":" not in name}


def test_list_counts_the_sources(gorilla):
    assert counts(gorilla) == {"catalogue": SHIPPED, "man": 1}
    shown = gorilla("index", "list").out.splitlines()
    assert [line.split() for line in shown] == [["catalogue", str(SHIPPED)], ["man", "1"]]


def test_build_makes_the_catalogue_and_the_common_programs(gorilla, empty):
    ended = gorilla("index", "build")
    assert (ended.code, ended.out) == (0, "")
    assert "100 %" in ended.err
    assert counts(gorilla) == {"catalogue": SHIPPED}


def test_build_wait_reads_every_page(gorilla, empty):
    assert gorilla("index", "build", "--wait").code == 0
    assert counts(gorilla) == {"catalogue": SHIPPED, "man": 1}


def test_build_again_updates_and_fresh_starts_over(gorilla):
    assert gorilla("index", "build").code == 0
    assert counts(gorilla) == {"catalogue": SHIPPED, "man": 1}
    assert gorilla("index", "build", "--fresh").code == 0
    assert counts(gorilla) == {"catalogue": SHIPPED}


def test_build_replaces_an_index_that_is_damaged(gorilla, ready):
    (ready / "data" / "index.db").write_bytes(b"\xff" * 4096)
    assert gorilla("index", "list").code == 4
    assert gorilla("index", "build").code == 0
    assert counts(gorilla)["catalogue"] == SHIPPED


def test_search_finds_by_meaningful_words(gorilla):
    found = gorilla("index", "search", "--json", "-k", "8", "greet", "hello", "languages").json
    assert [one["installed"] for one in found if one["doc"] == "man:greet(1)"] == [False]
    assert len(found) == 8
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    shown = gorilla("index", "search", "greet", "hello", "languages").out
    assert "~ man:greet(1)" in shown


def test_search_without_a_hit(gorilla):
    ended = gorilla("index", "search", "qqqzzzxxx")
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize("name", ["man:greet(1)", "greet"])
def test_show_by_id_or_program(gorilla, name):
    shown = gorilla("index", "show", name)
    assert shown.code == 0
    assert shown.out.startswith("man:greet(1): say hello to people in many languages\n")
    assert "-l, --language LANGUAGE" in shown.out
    assert "in capital letters" in shown.out


def test_show_of_a_catalogue_record(gorilla):
    shown = gorilla("index", "show", "catalogue:ls").out
    assert "-A, --almost-all" in shown
    assert "ls -lah" in shown


def test_add_and_remove_a_source(gorilla, archive):
    assert gorilla("index", "add", "tldr", str(archive)).code == 0
    assert counts(gorilla)["tldr"] == 1
    assert "greet world" in gorilla("index", "show", "greet").out
    ended = gorilla("index", "remove", "tldr")
    assert (ended.code, ended.err) == (0, "removed 1 documents of tldr\n")
    assert "tldr" not in counts(gorilla)
    assert gorilla("index", "remove", "man").code == 0
    assert counts(gorilla) == {"catalogue": SHIPPED}


def test_add_builds_the_index_first(gorilla, empty, archive):
    assert gorilla("index", "add", "tldr", str(archive)).code == 0
    assert counts(gorilla) == {"catalogue": SHIPPED, "tldr": 1}


def test_add_one_page(gorilla, ready, small_index, tmp_path, monkeypatch):
    _, manpath = small_index
    folder = tmp_path / "man" / "man8"
    folder.mkdir(parents=True)
    (folder / "wave.8").write_text(PAGE.replace("greet", "wave").replace("GREET", "WAVE"))
    monkeypatch.setenv("MANPATH", f"{manpath}:{tmp_path / 'man'}")
    ended = gorilla("index", "add", "man", "wave")
    assert ended.code == 0, ended.err
    assert counts(gorilla)["man"] == 2


def test_add_refuses_two_archives(gorilla):
    ended = gorilla("index", "add", "tldr", "a.zip", "b.zip")
    assert ended.code == 2
    assert "takes one ZIP or URL" in ended.err


def test_an_archive_that_is_none_leaves_the_index_as_it_was(gorilla, tmp_path):
    before = counts(gorilla)
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    ended = gorilla("index", "add", "tldr", str(tmp_path / "bad.zip"))
    assert ended.code != 0
    assert "is not a zip file" in ended.err
    assert counts(gorilla) == before
    assert gorilla("index", "build", "--fresh").code == 0


def test_stats(gorilla, ready):
    found = gorilla("index", "stats").json
    assert found["path"] == str(ready / "data" / "index.db")
    assert found["bytes"] == (ready / "data" / "index.db").stat().st_size
    assert found["docs"] == SHIPPED + 1
