"""What a request costs, stage by stage, and what the verifiers say of a candidate: for every pipeline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gorilla_cli.protocols import Verifier
from gorilla_cli.types import Candidate, Generation, Hit, ModelInfo, Proposal, Request, Timings, Usage, Weighing

T = TypeVar("T")


class Stages:
    """The milliseconds and tokens of one request add up here; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._started = clock, clock()
        self.milliseconds = dict.fromkeys(("retrieve", "load", "prompt", "generate", "verify"), 0.0)
        self.usage = Usage()

    def timed(self, stage: str, work: Callable[[], T]) -> T:
        """`work()`, its time added to `stage` however it ends."""
        started = self._clock()
        try:
            return work()
        finally:
            self.milliseconds[stage] += (self._clock() - started) * 1000

    def count(self, done: Generation | Weighing) -> None:
        """Add what the backend did."""
        self.milliseconds["prompt"] += done.prompt_ms
        self.milliseconds["generate"] += getattr(done, "generate_ms", 0.0)
        self.usage += done.usage

    def proposal(
        self, request: Request, model: ModelInfo, hits: Sequence[Hit], candidates: Sequence[Candidate]
    ) -> Proposal:
        """The proposal, with all that has been added up until now."""
        timings = Timings(**self.milliseconds, total=(self._clock() - self._started) * 1000)
        return Proposal(request, model, tuple(hits), tuple(candidates), timings, self.usage)


def verified(verifiers: Sequence[Verifier], candidate: Candidate, request: Request, hits: Sequence[Hit]) -> Candidate:
    """`candidate` with what the verifiers find now, in place of what was found before."""
    found = [finding for verifier in verifiers for finding in verifier.check(candidate, request, hits)]
    return replace(
        candidate,
        findings=tuple(finding for finding in found if finding.cite is None),
        cites=tuple(finding.cite for finding in found if finding.cite is not None),
    )
