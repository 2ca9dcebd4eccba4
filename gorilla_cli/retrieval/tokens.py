"""Turns text into the terms that queries and documents share. Pure and total: any string in, clean tokens out.

Of ASCII a token has letters, digits, "_" and "-" only, so the index can join tokens with spaces and get
them back. It must not rank, weigh or drop terms for being frequent; that needs the corpus.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator

LONGEST = 40  # characters; longer ones are hashes and encoded data, which nobody searches for

_STOP = """
a am an and are as at be been but by can could d did do does for from get give had has have how i if in into is it its
just ll m me my need of on or our please s shall should so some t tell than that the their them then there these they
this those to up us ve want was way we were what which will with would you your
"""
STOP = frozenset(_STOP.split())

# One word per meaning where people and manuals differ; keys and values are stems.
SAME = {
    **dict.fromkeys(("folder", "dir", "subdir", "subdirectori", "subfold"), "directori"),
    **dict.fromkeys(("big", "bigger", "biggest", "larger", "largest", "huge"), "larg"),
    **dict.fromkeys(("smaller", "smallest"), "small"),
    **dict.fromkeys(("newer", "newest"), "new"),
    **dict.fromkeys(("older", "oldest"), "old"),
    **dict.fromkeys(("pictur", "photo", "pic"), "imag"),
    **dict.fromkeys(("delet", "eras"), "remov"),
    **dict.fromkeys(("unpack", "decompress", "uncompress", "unzip"), "extract"),
}

_TOKEN = re.compile(r"(?<![\w-])(?P<option>--?[^\W_](?:[\w-]*\w)?)|[^\W_]+")
_NUMBER = re.compile(r"\d+(?P<unit>[kmgtp]i?b?|b)?")
_APOSTROPHE = re.compile("['\u2018\u2019](?:s|t|re|ve|ll|d|m)\\b")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAME = re.compile(r"(?<![\w.])(?:[~.]?/?[\w@+-]+(?:[/.][\w@+*-]+)+|/[\w./-]+|\*\.\w+)")
_EXTENSION = re.compile(r"\.(tar\.\w+|\w{1,5})$")


_local = threading.local()  # a stemmer keeps a cache that threads must not share


def words(text: str) -> list[str]:
    """The tokens of a document's `text`, in order: lower-case stems (Snowball English), options whole and bare.

    "--all files" gives ["--all", "all", "file"]. Plain numbers are dropped; of a size ("100MB") the unit stays.
    """
    return list(_tokens(text, frozenset()))


def query(text: str) -> list[str]:
    """The tokens of what a person asked, each once, in order, without the words that every question has."""
    return list(dict.fromkeys(_tokens(text, STOP)))


def request(text: str) -> list[str]:
    """The tokens of what a request asks to be done, as `query`.

    Requests for the same deed differ in their file names and quoted words, so those are left out; of a file name its
    extension stays.
    """
    return query(_NAME.sub(_extension, _QUOTED.sub(" ", text)))


def _extension(match: re.Match[str]) -> str:
    found = _EXTENSION.search(match[0])
    return f" {found[1].replace('.', ' ')} " if found else " "


def _tokens(text: str, stop: frozenset[str]) -> Iterator[str]:
    flat = _APOSTROPHE.sub("", unicodedata.normalize("NFKC", text).lower())
    for match in _TOKEN.finditer(flat):
        option = match["option"]
        if option:
            yield option[:LONGEST].rstrip("-")
        for word in re.split(r"[-_]+", option.lstrip("-")) if option else (match[0],):
            if word and word not in stop and (term := _term(word)):
                yield term


def _term(word: str) -> str:
    """The stem of one lower-case word, "" for a number."""
    number = _NUMBER.fullmatch(word)
    if number:
        return number["unit"] or ""
    stem = _stem(word[:LONGEST]) or word[:LONGEST]
    return SAME.get(stem, stem)


def _stem(word: str) -> str:
    if not hasattr(_local, "stem"):
        import Stemmer

        _local.stem = Stemmer.Stemmer("english", 20000).stemWord
    return _local.stem(word)
