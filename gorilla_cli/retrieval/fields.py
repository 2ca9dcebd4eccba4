"""Which parts of a document are searched, and how much each counts. Pure; the index stores what this returns.

A term counts as often as it is repeated here, so a weight is a number of repetitions. Users' own words (keywords,
requests of examples) and the summary say what a program is for. Descriptions of options and prose mention everything:
prose gets little room, and options speak only for documents without examples.
"""

from __future__ import annotations

from itertools import islice

from gorilla_cli.retrieval.tokens import words
from gorilla_cli.types import Doc

LONGEST = 250  # tokens of a document: what keeps 20,000 of them small
PROGRAM, KEYWORDS, SUMMARY = 3, 3, 3
REQUEST_TOKENS, OPTION_TOKENS, BODY_TOKENS = 90, 40, 40
SCANNED = 2000  # characters looked at of any one field


def terms(doc: Doc) -> list[str]:
    """The at most `LONGEST` tokens `doc` is found by, the most telling first."""
    found = words(_cut(doc.program)) * PROGRAM
    found += words(_cut(doc.summary))[:40] * SUMMARY
    found += words(_cut(" ".join(doc.keywords)))[:40] * KEYWORDS
    found += words(_cut(doc.title))[:12]
    found += _requests(doc) or _options(doc)
    found += words(_cut(doc.body))[:BODY_TOKENS]
    return found[:LONGEST]


def _requests(doc: Doc) -> list[str]:
    text = " ".join(example.request for example in doc.examples[:20])
    return words(_cut(text))[:REQUEST_TOKENS]


def _options(doc: Doc) -> list[str]:
    """The first words of each option's description: what it does, not the fine print."""
    described = (words(option.description[:80])[:6] for option in doc.options[:40])
    return list(islice((word for line in described for word in line), OPTION_TOKENS))


def _cut(text: str) -> str:
    return text[:SCANNED]
