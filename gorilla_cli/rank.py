"""The order of candidates: by evidence, not by the order they were generated in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gorilla_cli.types import Candidate, Level, Verdict

# What a finding of each check costs, in the unit of the rest: nats of mean log-probability per token.
COSTS = {"syntax": 4.0, "program": 3.0, "option": 2.0, "characters": 3.0}
# A stricter verdict breaks ties; it must not turn the right dangerous command into a wrong safe one.
VERDICT_COST = {Verdict.SAFE: 0.0, Verdict.CAUTION: 0.0, Verdict.DANGEROUS: 0.1}
VOTE = 0.6  # per further completion that gave the same command
GREEDY = 0.5  # the most probable completion starts ahead


def ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """`candidates`, the greedy one first, as a tuple with scores, best first; equal ones keep their order."""
    scored = [replace(candidate, score=_score(candidate, first=not i)) for i, candidate in enumerate(candidates)]
    return tuple(sorted(scored, key=lambda candidate: -candidate.score))


def _score(candidate: Candidate, first: bool) -> float:
    complaints = sum(COSTS.get(f.check, 0.0) for f in candidate.findings if f.level > Level.INFO)
    agreement = VOTE * (candidate.votes - 1) + (GREEDY if first else 0.0)
    return candidate.mean_logprob + agreement - complaints - VERDICT_COST[candidate.verdict]
