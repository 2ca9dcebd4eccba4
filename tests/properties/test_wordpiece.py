"""Any text has pieces: known ones, between the first and the last, and no more than asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gorilla_cli.backends.wordpiece import WordPiece
from tests.encoder_files import VOCABULARY

PIECES = WordPiece(VOCABULARY)
FIRST, LAST = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
TEXTS = st.text() | st.text(alphabet="the ing?É語[MASK]\x00\u0301\t", max_size=80)


@given(TEXTS, st.integers(2, 40))
def test_any_text_has_pieces(text, most):
    ids = PIECES.ids(text, most)
    assert (ids[0], ids[-1]) == (FIRST, LAST)
    assert len(ids) <= most
    assert all(0 <= number < len(VOCABULARY) for number in ids)


@given(TEXTS, TEXTS)
def test_a_blank_parts_words(left, right):
    whole = PIECES.ids(f"{left} {right}", 10_000)
    assert whole[1:-1] == PIECES.ids(left, 10_000)[1:-1] + PIECES.ids(right, 10_000)[1:-1]


@given(TEXTS, st.integers(2, 40))
def test_what_is_cut_is_the_beginning(text, most):
    whole = PIECES.ids(text, 10_000)
    assert PIECES.ids(text, most)[:-1] == whole[:-1][: most - 1]
