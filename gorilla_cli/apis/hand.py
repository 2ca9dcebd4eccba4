"""The records in hand: found for a request, within its limits, in the order that all evidence gives them. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gorilla_cli.apis.constraints import Applied, Constraint, apply
from gorilla_cli.errors import NoCandidate
from gorilla_cli.types import ApiRecord, RecordHit

KINDS = 8  # kinds that the model is asked about
KIND = 0.4  # what a nat of the model's belief in a record's kind weighs, in deviations of the retriever's score
UNLIKELIEST = -4.0  # nats: beyond that a kind is as good as ruled out, and the model may not know its name


@dataclass(frozen=True, slots=True)
class Hand:
    """Records with scores, best first, and what the limits left out."""

    hits: tuple[RecordHit, ...]
    constraints: tuple[Constraint, ...]
    failed: int
    unknown: Mapping[str, int]


def within_limits(hits: Sequence[RecordHit], constraints: tuple[Constraint, ...]) -> Hand:
    """The hits whose records are known to satisfy all `constraints`. Raises NoCandidate when none is."""
    if not hits:
        raise NoCandidate("no API record is like that request", "add records: gorilla index add records FILE")
    applied = apply([hit.record for hit in hits], constraints)
    kept = {record.id for record in applied.kept}
    if not kept:
        raise NoCandidate(f"no record found satisfies {_limits(constraints)}{told(applied.unknown)}", "loosen a limit")
    return _hand(hits, kept, constraints, applied)


def _hand(hits: Sequence[RecordHit], kept: set[str], constraints: tuple[Constraint, ...], applied: Applied) -> Hand:
    left = tuple(hit for hit in hits if hit.record.id in kept)
    return Hand(left, constraints, applied.failed, applied.unknown)


def _limits(constraints: Sequence[Constraint]) -> str:
    return " and ".join(repr(one.text) for one in constraints)


def told(unknown: Mapping[str, int]) -> str:
    """How many records do not say, as the end of a sentence: "; 12 records give no parameters"."""
    counted = {metric: "1 record gives" if n == 1 else f"{n} records give" for metric, n in unknown.items()}
    return "".join(f"; {records} no {metric}" for metric, records in counted.items())


def kinds(hits: Sequence[RecordHit]) -> list[str]:
    """The kinds (domains) of the best records of model hubs, in their order. Functions and services have none."""
    return list(dict.fromkeys(hit.record.domain for hit in hits if hit.record.domain and _of_a_hub(hit.record)))[:KINDS]


def _of_a_hub(record: ApiRecord) -> bool:
    return record.kind == "python" and not record.source.startswith("python:")


def weighed(hits: Sequence[RecordHit], logprobs: Mapping[str, float]) -> tuple[RecordHit, ...]:
    """The hits in the order of their score and of how likely the model finds their kind; `logprobs` by kind, in nats.

    Scores count in standard deviations, whatever the retriever's scale. The likelihoods count against each other, and
    a kind that was not asked about counts as the least likely; what is no model of a hub is not judged by its kind.
    """
    if len(logprobs) < 2 or not hits:
        return tuple(hits)
    best = max(logprobs.values())
    total = math.log(sum(math.exp(value - best) for value in logprobs.values()))
    shares = {kind: max(value - best - total, UNLIKELIEST) for kind, value in logprobs.items()}
    least, deviation = min(shares.values()), statistics.pstdev(hit.score for hit in hits) or 1.0

    def score(hit: RecordHit) -> float:
        share = shares.get(hit.record.domain, least) if _of_a_hub(hit.record) else max(shares.values())
        return hit.score / deviation + KIND * share

    return tuple(sorted((RecordHit(hit.record, score(hit)) for hit in hits), key=lambda hit: -hit.score))
