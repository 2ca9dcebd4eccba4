"""One API request on its way: limits -> records in hand -> call -> code -> verify. No effects of its own.

By default every call comes out of a record, so none can be invented; `free` lets the model write it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gorilla_cli.apis import filling, hand
from gorilla_cli.apis.checking import is_request
from gorilla_cli.apis.code import complete_code
from gorilla_cli.apis.constraints import SHARES, parse
from gorilla_cli.apis.hand import Hand
from gorilla_cli.errors import NoCandidate, UsageError
from gorilla_cli.executors.http import Secret, build, code
from gorilla_cli.prompts import api as prompts
from gorilla_cli.prompts.chat import ChatFormat
from gorilla_cli.protocols import Backend, RecordRetriever, Verifier
from gorilla_cli.stages import Stages, verified
from gorilla_cli.types import (
    ABOUT_RECORD,
    ApiCall,
    ApiRecord,
    Candidate,
    Figure,
    Finding,
    Hit,
    Level,
    Prompt,
    Proposal,
    RecordHit,
    Request,
    Sampling,
)

IN_HAND = 30
DEEP = 300  # looked at where limits leave most out
SHOWN_TO_MODEL = 1  # records in a prompt, as in the paper
MODES = ("retrieval", "zero-shot")


@dataclass(frozen=True, slots=True)
class ApiProposal:
    """A proposal, the record of each of its candidates (None: not in the index), and what the limits left out.

    `secrets` are what its requests name, for the executor that may send them.
    """

    proposal: Proposal
    records: tuple[ApiRecord | None, ...]
    hand: Hand
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class ApiPipeline:
    """The rooms an API request passes through. `mode`: "retrieval" or "zero-shot"; `free`: without a grammar.

    `secrets` gives the values that an HTTP call may need, by the names its record uses; they never reach a prompt.
    """

    backend: Backend
    retriever: RecordRetriever
    verifiers: Sequence[Verifier]
    chat_format: ChatFormat
    mode: str = "retrieval"
    free: bool = False
    secrets: Callable[[], dict[str, str]] = dict
    clock: Callable[[], float] = time.perf_counter

    def propose(self, request: Request, sampling: Sampling) -> ApiProposal:
        """Calls for `request`, best first, at most `sampling.n`. Raises UsageError for limits that contradict each
        other, NoCandidate when no record fits.
        """
        if self.mode not in MODES:
            raise UsageError(f"there is no mode {self.mode!r}", f"modes: {', '.join(MODES)}")
        return _Run(self, request, sampling).propose()

    def verify(self, request: Request, program: str, hits: Sequence[Hit] = ()) -> Candidate:
        """A program from elsewhere (edited by the person) as a verified candidate."""
        return _verified(self.verifiers, Candidate(ApiCall(program.strip(), program, "")), request)

    def filled(self, request: Request, candidate: Candidate, program: str) -> Candidate:
        """`candidate` with values in its blanks, verified again: the call and its record stay what they were."""
        about = tuple(finding for finding in candidate.findings if finding.check == ABOUT_RECORD)
        again = replace(candidate, action=replace(candidate.action, code=program), findings=about, cites=())
        return _verified(self.verifiers, again, request)


class _Run:
    """The state of one `propose`: times and tokens add up here."""

    def __init__(self, pipeline: ApiPipeline, request: Request, sampling: Sampling) -> None:
        self.pipeline, self.request, self.sampling = pipeline, request, sampling
        self.stages = Stages(pipeline.clock)
        self.secrets: list[Secret] = []

    def propose(self) -> ApiProposal:
        constraints = parse(self.request.text)
        depth = DEEP if constraints else IN_HAND
        found = self.stages.timed("retrieve", lambda: self.pipeline.retriever.search(self.request.text, depth))
        held = hand.within_limits(found, constraints)
        held = replace(held, hits=self.ordered(held.hits))
        made = self.written(held) if self.pipeline.free else self.documented(held)
        verifiers = self.pipeline.verifiers
        candidates = self.stages.timed("verify", lambda: [_verified(verifiers, one, self.request) for one, _ in made])
        secrets = tuple(dict.fromkeys(self.secrets))
        proposal = self.stages.proposal(self.request, self.pipeline.backend.info, (), candidates)
        return ApiProposal(proposal, tuple(record for _, record in made), held, secrets)

    def ordered(self, hits: tuple[RecordHit, ...]) -> tuple[RecordHit, ...]:
        """In the order of the retriever's scores and of how likely the model finds each kind of record."""
        kinds = hand.kinds(hits)
        if not self.pipeline.chat_format.demonstrations or len(kinds) < 2:
            return hits
        weighing = self.pipeline.backend.weigh(prompts.kind_prompt(self.request, self.pipeline.chat_format), kinds)
        self.stages.count(weighing)
        return hand.weighed(hits, dict(zip(kinds, weighing.logprobs[0], strict=True)))

    def documented(self, held: Hand) -> list[tuple[Candidate, ApiRecord | None]]:
        """A candidate for each of the best records, the open arguments of the first filled in by the model."""
        made: list[tuple[Candidate, ApiRecord | None]] = []
        for place, hit in enumerate(held.hits[: self.sampling.n]):
            values = self.values(hit.record) if place == 0 else {}
            action = self.action(hit.record, values)
            if action is not None:
                made.append((Candidate(action, score=hit.score, findings=told(hit.record)), hit.record))
        if not made:
            raise NoCandidate("the request does not say enough for any call", "name the values that the call needs")
        return made

    def values(self, record: ApiRecord) -> dict[str, object]:
        arguments = filling.open_arguments(record)
        if not arguments:
            return {}
        prompt = prompts.fill_prompt(self.request, record, self.pipeline.chat_format)
        return filling.read_values(self.generated(prompt, "fill", filling.values_grammar(arguments)))

    def action(self, record: ApiRecord, values: dict[str, object]) -> ApiCall | None:
        """The call of `record` with `values`; None where a needed one is missing and cannot be left blank."""
        if record.kind == "http":
            try:
                request = build(record, values, self.pipeline.secrets())
            except UsageError:
                return None
            self.secrets += request.secrets
            return ApiCall(record.api_call, code(request), record.id)
        if not filling.open_arguments(record):
            return ApiCall(record.api_call, complete_code(record, record.api_call), record.id)
        call, blanks = filling.filled_call(record, values)
        head = "".join(f"{name} = ...\n" for name in blanks)
        return ApiCall(call, head + complete_code(record, call), record.id)

    def written(self, held: Hand) -> list[tuple[Candidate, ApiRecord | None]]:
        """What the model writes by itself; with the best record before its eyes in retrieval mode."""
        shown = [hit.record for hit in held.hits[:SHOWN_TO_MODEL]] if self.pipeline.mode == "retrieval" else []
        prompt = prompts.call_prompt(self.request, shown, self.pipeline.chat_format)
        call = self.generated(prompt, "call", "").strip()
        if not call:
            raise NoCandidate("the model wrote no call", "say it in other words")
        record = next((hit.record for hit in held.hits if hit.record.api_call == call), None)
        program = complete_code(record, call) if record else call if is_request(call) else call + "\n"
        return [(Candidate(ApiCall(call, program, record.id if record else "")), record)]

    def generated(self, prompt: Prompt, part: str, grammar: str) -> str:
        stop = prompts.stops(part, self.pipeline.chat_format)
        sampling = replace(self.sampling, n=1, stop=stop, grammar=grammar)
        generation = self.pipeline.backend.generate(prompt, sampling)
        self.stages.count(generation)
        return generation.completions[0].text


def told(record: ApiRecord) -> tuple[Finding, ...]:
    """What a person should know of a record before its call runs: what it is for, its figures, what it needs."""
    summary = " · ".join(part for part in (record.domain, record.framework, record.licence) if part)
    purpose = (record.description or record.functionality).split(". ")[0].strip().rstrip(".")
    lines = [summary, purpose[:160], ", ".join(map(_figure, record.figures[:6]))]
    needs = ", ".join(record.environment_requirements[:6])
    lines.append(f"needs: {needs}" if needs else "")
    return tuple(Finding(ABOUT_RECORD, Level.INFO, line) for line in lines if line)


def _figure(figure: Figure) -> str:
    """A figure as people write it: "accuracy 69.8 % on ImageNet", "11.7 M parameters", "44.7 MB to download"."""
    if figure.metric == "size":
        return f"{figure.value / 1e6:.4g} MB to download"
    if figure.metric == "parameters":
        return f"{figure.value / 1e6:.4g} M parameters"
    unit = " %" if figure.metric in SHARES else ""
    return f"{figure.metric} {figure.value:.4g}{unit}" + (f" on {figure.dataset}" if figure.dataset else "")


def _verified(verifiers: Sequence[Verifier], candidate: Candidate, request: Request) -> Candidate:
    """Verified, with what is told of its record kept before what is found."""
    again = verified(verifiers, candidate, request, ())
    return replace(again, findings=candidate.findings + again.findings)
