"""The order of candidates: by evidence, not by the order they were generated in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gorilla_cli.types import Candidate, Level, Verdict

# What a finding of each check costs, in the unit of the rest: nats of mean log-probability per token.
COSTS = {
    "syntax": 4.0,
    "program": 3.0,
    "placeholder": 3.0,
    "characters": 3.0,
    "option": 2.0,
    "value": 2.0,
    "entity": 1.0,
    "invented": 1.0,
}
TELLING = ("entity", "invented")  # findings against the sense of a command, not against running it
# A stricter verdict breaks ties; it must not turn the right dangerous command into a wrong safe one.
VERDICT_COST = {Verdict.SAFE: 0.0, Verdict.CAUTION: 0.0, Verdict.DANGEROUS: 0.1}
VOTE = 0.3  # per further completion that gave the same command


def ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """`candidates` as a tuple with scores, best first; equal ones keep their order."""
    scored = [replace(candidate, score=_score(candidate)) for candidate in candidates]
    return tuple(sorted(scored, key=lambda candidate: -candidate.score))


def _score(candidate: Candidate) -> float:
    counted = (f for f in candidate.findings if f.level > Level.INFO or f.check in TELLING)
    complaints = sum(COSTS.get(finding.check, 0.0) for finding in counted)
    return candidate.mean_logprob + VOTE * (candidate.votes - 1) - complaints - VERDICT_COST[candidate.verdict]
