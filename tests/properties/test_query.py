"""Whatever is typed: the tokenizer is total, its tokens survive FTS5, and a search answers."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.retrieval import fields, store, tokens
from gorilla_cli.retrieval.index import Index
from gorilla_cli.sanitise import strip
from gorilla_cli.types import Doc, Example, Option

ANY = st.text(st.characters(), max_size=80)  # surrogates and NUL too
NASTY = st.lists(
    st.sampled_from(
        ['"', "'", "*", "^", "NEAR(", " OR ", "AND", "NOT", ":", "{", "}", "(", ")", "-", "--", "\x00", "a"]
    ),
    max_size=20,
).map("".join)
TEXT = ANY | NASTY
ANYTIME = settings(deadline=None)
DOCS = st.builds(
    Doc,
    id=ANY.map("x:{}".format),
    source=st.just("x"),
    program=TEXT,
    title=TEXT,
    summary=TEXT,
    keywords=st.tuples(TEXT),
    options=st.tuples(st.builds(Option, st.tuples(TEXT), TEXT, TEXT)),
    examples=st.tuples(st.builds(Example, TEXT, TEXT)),
    body=TEXT,
    stamp=TEXT,
)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    path = tmp_path_factory.mktemp("query") / "index.db"
    Index.build(path, [])
    Index.add(path, [Doc("x:near", "x", "near", "a", "not or and near")])
    return Index(path, lambda program: True)


@ANYTIME
@given(TEXT)
def test_tokens_are_clean(text):
    for token in [*tokens.words(text), *tokens.query(text)]:
        assert 0 < len(token) <= tokens.LONGEST
        assert all(char in "-_" or char.isalnum() for char in token if char.isascii())
        token.encode("utf-8")


@ANYTIME
@given(TEXT)
def test_a_query_asks_for_what_documents_have(text):
    assert set(tokens.query(text)) <= set(tokens.words(text))


@ANYTIME
@given(TEXT)
def test_fts5_splits_where_we_did(text):
    db = sqlite3.connect(":memory:")
    db.executescript(store.TABLES)
    found = tokens.words(text)
    db.execute("INSERT INTO search (rowid, terms, source) VALUES (1, ?, '')", (" ".join(found),))
    counted = dict(db.execute("SELECT term, cnt FROM vocabulary"))
    db.close()
    assert counted == {token: found.count(token) for token in found}


@ANYTIME
@given(TEXT, st.integers(-3, 20))
def test_a_search_never_raises(index, query, k):
    assert len(index.search(query, k)) <= max(0, k)


@ANYTIME
@given(TEXT)
def test_reading_never_raises(index, text):
    index.manual(text)
    index.show(text)
    assert (text in index.programs()) == (strip(text) == "near")


@ANYTIME
@given(DOCS)
def test_any_document_is_small(doc):
    assert len(fields.terms(doc)) <= fields.LONGEST


@settings(max_examples=30, deadline=None)
@given(doc=DOCS)
def test_any_document_can_be_stored_and_found(tmp_path_factory, doc):
    path = tmp_path_factory.mktemp("any") / "index.db"
    Index.build(path, [])
    Index.add(path, [doc])
    index = Index(path, lambda program: True)
    words = tokens.query(doc.summary)
    hits = index.search(" ".join(words), 1)
    assert [hit.doc.source for hit in hits] == (["x"] if words else [])
    assert index.show(doc.id) is not None
    index.close()
