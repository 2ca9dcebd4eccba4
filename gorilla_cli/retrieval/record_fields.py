"""Which parts of an API record are searched, and how much each counts. Pure; the index stores what this returns.

A term counts as often as it is repeated here, so a weight is a number of repetitions. The requests of a record are not
in its terms: each is a text of its own, so that a record does not win by having many.
"""

from __future__ import annotations

import re

from gorilla_cli.retrieval import tokens
from gorilla_cli.types import ApiRecord

LONGEST = 1500  # tokens of a record: what is documented two hundred times is asked for more often
NAME, FUNCTIONALITY, DOMAIN = 2, 2, 2
ARGUMENT_TOKENS, REQUIREMENT_TOKENS = 30, 10
SCANNED, DESCRIBED = 2000, 12_000  # characters looked at of any one field, and of a description
HEADED, PASSAGE, PASSAGES = 150, 600, 12  # for an encoder: characters of a field and of a passage; passages
REQUESTS = 64  # of one record, at most

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def terms(record: ApiRecord) -> list[str]:
    """The at most `LONGEST` tokens `record` is found by, the most telling first."""
    found = _words(record.functionality) * FUNCTIONALITY
    found += _words(record.domain) * DOMAIN
    found += name(record) * NAME
    found += tokens.words(record.description[:DESCRIBED])
    found += _words(record.framework) + _words(" ".join(record.languages))
    found += _words(" ".join(argument.name for argument in record.api_arguments))[:ARGUMENT_TOKENS]
    found += _words(" ".join(figure.dataset for figure in record.figures))[:ARGUMENT_TOKENS]
    found += _words(" ".join(record.environment_requirements))[:REQUIREMENT_TOKENS]
    return found[:LONGEST]


def name(record: ApiRecord) -> list[str]:
    """The tokens of what identifies the call, each once: "AutoModel" as a whole and as "auto" and "model"."""
    text = f"{record.api_name} {record.api_call}"[:SCANNED]
    return list(dict.fromkeys(tokens.words(text) + tokens.words(_HUMP.sub(" ", text))))


def requests(record: ApiRecord) -> list[list[str]]:
    """The tokens of each request of `record`, without those that have none."""
    found = (tokens.request(request[:SCANNED]) for request in record.requests[:REQUESTS])
    return [words for words in found if words]


def texts(record: ApiRecord) -> list[str]:
    """What an encoder reads of `record`: what it is with each passage of its description, then each request."""
    spelled = re.sub(r"[/_\-.]+", " ", record.api_name)
    parts = (part[:HEADED] for part in (record.domain, record.functionality, spelled))
    head = ". ".join(part for part in parts if part) or record.api_call[:SCANNED]
    own = [f"{head}. {passage}" for passage in _passages(record.description[:DESCRIBED])] or [head]
    return own + [request[:SCANNED] for request in record.requests[:REQUESTS]]


def _passages(text: str) -> list[str]:
    """`text` in at most `PASSAGES` pieces of whole sentences, each of about as much as an encoder reads."""
    found: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        if found and len(found[-1]) + len(sentence) < PASSAGE:
            found[-1] += " " + sentence
        elif sentence.strip():
            found.append(sentence[:SCANNED])
    return found[:PASSAGES]


def _words(text: str) -> list[str]:
    return tokens.words(text[:SCANNED])
