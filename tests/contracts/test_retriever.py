"""What every Retriever promises, over each implementation, and what every Manual does."""

from __future__ import annotations

import pytest

from gorilla_cli.retrieval.index import Index
from gorilla_cli.types import Doc, Example, ExampleHit, Hit

REQUESTS = ["pack a folder", "unpack a folder", "list an archive", "count files", "list files of a folder"]
MADE = tuple(Example(request, f"do {request}") for request in REQUESTS)
DOCS = [
    Doc("catalogue:pack", "catalogue", "pack", "pack", examples=MADE),
    Doc("man:tar(1)", "man", "tar", "tar(1)", "an archiving utility"),
    Doc("tldr:tar", "tldr", "tar", "tar", "archiving utility"),
    Doc("man:gzip(1)", "man", "gzip", "gzip(1)", "compress or expand files"),
    Doc("man:ls(1)", "man", "ls", "ls(1)", "list directory contents"),
    *(Doc(f"man:list{number}(1)", "man", f"list{number}", "", "list directory contents") for number in range(30)),
]


def disk_index(folder):
    path = folder / "index.db"
    Index.build(path, [])
    Index.add(path, DOCS)
    return Index(path, lambda program: program != "gzip")


@pytest.fixture(params=[disk_index], ids=lambda make: make.__name__)
def retriever(request, tmp_path):
    return request.param(tmp_path)


QUERIES = ["archive a folder", "list directory contents", "compress files", "list0 or list1 archives"]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("k", [1, 3, 100])
def test_at_most_k_best_first_one_per_program(retriever, query, k):
    hits = retriever.search(query, k)
    programs = [hit.doc.program for hit in hits]
    assert 1 <= len(hits) <= k
    assert all(isinstance(hit, Hit) and hit.score > 0 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(set(programs)) == len(programs)


@pytest.mark.parametrize("query", QUERIES)
def test_a_smaller_k_is_a_prefix(retriever, query):
    assert retriever.search(query, 2) == retriever.search(query, 50)[:2]


def test_hits_are_stored_documents_and_know_what_is_installed(retriever):
    for query in QUERIES:
        for hit in retriever.search(query, 50):
            assert hit.doc in DOCS
            assert hit.installed is (hit.doc.program != "gzip")


@pytest.mark.parametrize("query", ["", "   ", "qqqzzz", "\x00"])
def test_nothing_matches_nothing_found(retriever, query):
    assert retriever.search(query, 5) == []


def test_the_same_question_has_the_same_answer(retriever):
    assert retriever.search("list directory contents", 40) == retriever.search("list directory contents", 40)


def test_the_obvious_answer_is_first(retriever):
    assert retriever.search("archiving", 1)[0].doc.program == "tar"


@pytest.fixture(params=[disk_index], ids=lambda make: make.__name__)
def manual(request, tmp_path):
    return request.param(tmp_path)


def test_a_manual_has_every_document_of_a_program_the_most_trusted_first(manual):
    assert manual.manual("tar") == [DOCS[1], DOCS[2]]
    assert manual.manual("nothing") == []


@pytest.mark.parametrize("query", [*QUERIES, "list files"])
def test_examples_are_stored_ones_best_first_and_a_smaller_k_is_a_prefix(retriever, query):
    hits = retriever.examples(query, 50)
    assert all(isinstance(hit, ExampleHit) and hit.example in MADE and hit.program == "pack" for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert retriever.examples(query, 2) == hits[:2]


@pytest.mark.parametrize("query", ["", "   ", "qqqzzz", "\x00"])
def test_no_example_matches_nothing(retriever, query):
    assert retriever.examples(query, 5) == []
