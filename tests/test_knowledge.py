"""The index that grows on demand: pages are read when a program is named, once, and only of what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.knowledge import NAMED_AT_MOST, Knowledge
from gorilla_cli.retrieval.index import Index
from gorilla_cli.sources.man import ManSource, default_manpath
from gorilla_cli.types import Doc

INSTALLED = {"find", "git", "jq", "rg", "fd", "git commit", "x.y-z"}


def doc(program, source="man"):
    return Doc(f"{source}:{program}", source, program, program, f"what {program} does")


class Shelf:
    """An index in memory. Fails to take documents in when `full`."""

    def __init__(self, docs=(), full=False):
        self.docs, self.full = list(docs), full

    def search(self, query, k):
        return [each for each in self.docs if each.program in query.split()][:k]

    def examples(self, query, k):
        return []

    def manual(self, program):
        return [each for each in self.docs if each.program == program]

    def add(self, path, docs):
        if self.full:
            raise StateError("the disk is full")
        self.docs += docs
        return len(docs)


class Pages:
    """Pages of the programs in `known`; remembers what was read."""

    def __init__(self, *known):
        self.known, self.read = known, []

    def page(self, program):
        self.read.append(program)
        return [doc(program)] if program in self.known else []


def knowledge(shelf, pages):
    return Knowledge(Path("index.db"), shelf, lambda: pages, shelf.add, INSTALLED.__contains__)


def test_a_named_program_is_read_before_the_search():
    shelf, pages = Shelf(), Pages("find", "jq")
    assert knowledge(shelf, pages).search("find with jq", 5) == [doc("find"), doc("jq")]
    assert pages.read == ["find", "jq"]


def test_what_is_indexed_is_not_read_again():
    pages = Pages("find")
    assert knowledge(Shelf([doc("find")]), pages).search("find files", 5) == [doc("find")]
    assert pages.read == []


def test_what_is_not_installed_is_not_read():
    pages = Pages("ls")
    assert knowledge(Shelf(), pages).search("ls files", 5) == []
    assert pages.read == []


def test_at_most_two_pages_for_one_search():
    pages = Pages("find", "git", "jq", "rg")
    knowledge(Shelf(), pages).search("rg jq git find", 5)
    assert pages.read == ["rg", "jq"][:NAMED_AT_MOST]


def test_a_program_without_a_page_is_asked_for_once():
    known, pages = knowledge(Shelf(), Pages()), Pages()
    known = knowledge(Shelf(), pages)
    for _ in range(3):
        assert known.search("find files", 5) == []
        assert known.manual("find") == []
    assert pages.read == ["find"]


@pytest.mark.parametrize("query", ["", " ", "?!", "-", "é", "\0", "find.", "(find)", "x.y-z, please"])
def test_any_query_is_taken(query):
    pages = Pages("find", "x.y-z")
    knowledge(Shelf(), pages).search(query, 5)
    assert set(pages.read) <= {"find", "x.y-z"}


@pytest.mark.parametrize("query", ["use find.", "(find)", "'find'", "find, please"])
def test_punctuation_does_not_hide_a_program(query):
    pages = Pages("find")
    knowledge(Shelf(), pages).search(query, 5)
    assert pages.read == ["find"]


def test_the_manual_has_the_installed_page_first():
    shelf, pages = Shelf([doc("find", "tldr")]), Pages("find")
    assert knowledge(shelf, pages).manual("find") == [doc("find"), doc("find", "tldr")]
    assert shelf.manual("find") == [doc("find", "tldr"), doc("find")]


def test_the_manual_reads_nothing_when_the_page_is_indexed():
    pages = Pages("find")
    assert knowledge(Shelf([doc("find", "tldr"), doc("find")]), pages).manual("find") == [
        doc("find", "tldr"),
        doc("find"),
    ]
    assert pages.read == []


def test_the_manual_of_what_is_not_installed_is_what_the_index_has():
    pages = Pages("ls")
    assert knowledge(Shelf([doc("ls", "tldr")]), pages).manual("ls") == [doc("ls", "tldr")]
    assert pages.read == []


def test_a_subcommand_is_read_when_its_program_is_installed():
    assert knowledge(Shelf(), Pages("git commit")).manual("git commit") == [doc("git commit")]


@pytest.mark.parametrize("program", ["", " "])
def test_the_manual_of_nothing_is_empty(program):
    assert knowledge(Shelf(), Pages()).manual(program) == []


def test_an_index_that_cannot_be_written_costs_only_time():
    known = knowledge(Shelf(full=True), Pages("find"))
    assert known.manual("find") == [doc("find")]
    assert known.manual("find") == [doc("find")]


def test_only_pages_of_the_program_itself_are_its_manual():
    class Related(Pages):
        def page(self, program):
            return [doc("other"), doc(program)]

    shelf = Shelf()
    assert knowledge(shelf, Related()).manual("find") == [doc("find")]
    assert shelf.manual("other") == [doc("other")]


def test_with_a_real_index_and_a_real_page(tmp_path):
    from gorilla_cli.retrieval import writing

    source = ManSource(manpath=default_manpath())
    if not source.page("bash"):
        pytest.skip("bash has no manual page on this machine")
    Index.build(tmp_path / "index.db", [])
    index = Index(tmp_path / "index.db", lambda program: True)
    known = Knowledge(tmp_path / "index.db", index, lambda: source, writing.add, {"bash"}.__contains__)
    assert known.search("bash shell", 5)[0].doc.program == "bash"
    assert known.manual("bash")[0].source == "man"
