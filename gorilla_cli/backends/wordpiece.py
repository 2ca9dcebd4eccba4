"""Cuts a text into the word pieces of an uncased BERT vocabulary. Pure Python; knows no model and no file.

llama.cpp cuts almost the same way, but not Hangul, words of more than a hundred letters, nor a few signs whose
lower case is another length; a vector of other pieces is another vector.
Normalisation and greedy longest match: Devlin et al. 2018, "BERT", and the tokenizer published with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

SPECIAL_PIECES = PADDING, UNKNOWN, FIRST, LAST, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
LONGEST_WORD = 100
REMEMBERED_WORDS = 20_000
# What ends a word: the signs Unicode calls white space, without the controls among them, which vanish.
CHUNK = re.compile("[^\t\n\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
SPECIAL = re.compile(f"({'|'.join(map(re.escape, SPECIAL_PIECES))})")
VANISHING = {"Cc", "Cf", "Co", "Cs"}
# Ideographs are words of their own. The gap before 2b920 is in the published tokenizer.
IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}\U0002b920-\U0002ceaf\U0002f800-\U0002fa1f]")
ASCII_SIGNS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class WordPiece:
    """A tokenizer over `vocabulary`, whose position is a piece's id and whose continuing pieces begin with ##."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Raises ValueError when [UNK], [CLS] or [SEP] is not in the vocabulary."""
        self._ids = {piece: number for number, piece in enumerate(vocabulary)}
        missing = [piece for piece in (UNKNOWN, FIRST, LAST) if piece not in self._ids]
        if missing:
            raise ValueError(f"the vocabulary has no {' and no '.join(missing)}")
        self._longest = max(map(len, vocabulary))
        self._pieces = lru_cache(REMEMBERED_WORDS)(self._cut)

    def ids(self, text: str, most: int) -> list[int]:
        """Ids of `text` between those of [CLS] and [SEP], at most `most` (2 or more) in all; what is beyond is left."""
        found: list[int] = []
        for word in _words(text):
            found += self._pieces(word)
            if len(found) >= most - 2:
                break
        return [self._ids[FIRST], *found[: most - 2], self._ids[LAST]]

    def _cut(self, word: str) -> tuple[int, ...]:
        """The longest piece the word begins with, and so on with its rest; one unknown when there is a rest left."""
        if len(word) > LONGEST_WORD:
            return (self._ids[UNKNOWN],)
        found, start = [], 0
        while start < len(word):
            end, number = self._longest_piece(word, start)
            if number is None:
                return (self._ids[UNKNOWN],)
            found.append(number)
            start = end
        return tuple(found)

    def _longest_piece(self, word: str, start: int) -> tuple[int, int | None]:
        prefix = "##" if start else ""
        for end in range(min(len(word), start + self._longest), start, -1):
            number = self._ids.get(prefix + word[start:end])
            if number is not None:
                return end, number
        return start, None


def _words(text: str) -> Iterator[str]:
    """The words of `text` in lower case without accents; punctuation signs and ideographs stand alone.

    A special piece that is spelled out ("[MASK]") stays one, as in the published tokenizer.
    """
    for number, part in enumerate(SPECIAL.split(text)):
        if number % 2:
            yield part
            continue
        for chunk in CHUNK.finditer(part):
            yield from _parted(_normalised(chunk[0]))


def _parted(chunk: str) -> Iterator[str]:
    word = ""
    for sign in chunk:
        if sign != " " and not _stands_alone(sign):
            word += sign
            continue
        yield from (each for each in (word, sign.strip()) if each)
        word = ""
    if word:
        yield word


def _normalised(chunk: str) -> str:
    """Controls gone, ideographs between blanks, decomposed, combining accents gone, then each sign in lower case."""
    if chunk.isascii():
        return "".join(sign for sign in chunk.lower() if sign >= " " and sign != "\x7f")
    kept = "".join(sign for sign in chunk if sign != "\ufffd" and unicodedata.category(sign) not in VANISHING)
    parted = unicodedata.normalize("NFD", IDEOGRAPH.sub(r" \g<0> ", kept))
    # Sign by sign: str.lower gives a sigma at the end of a word another form than the published tokenizer does.
    return "".join(sign.lower() for sign in parted if unicodedata.category(sign) != "Mn")


def _stands_alone(sign: str) -> bool:
    return sign in ASCII_SIGNS or unicodedata.category(sign).startswith("P")
