"""One request on its way: retrieve -> prompt -> generate -> parse -> verify -> rank, and one repair round.

No effects of its own: what it needs comes in through Protocols, what it gives is a Proposal.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gorilla_cli.backends.grammar import GrammarError, command_grammar
from gorilla_cli.errors import NoCandidate, NotACommand
from gorilla_cli.parse import command_in, normal_form
from gorilla_cli.prompts.chat import ChatFormat
from gorilla_cli.prompts.shell import document_text, function_json, refusal, repair_prompt, shell_prompt, stops
from gorilla_cli.protocols import Backend, Corrector, Manual, Retriever, Verifier
from gorilla_cli.rank import ranked
from gorilla_cli.stages import Stages, verified
from gorilla_cli.types import (
    Candidate,
    Completion,
    Example,
    ExampleHit,
    Finding,
    Generation,
    Hit,
    Prompt,
    Proposal,
    Request,
    Sampling,
    ShellCommand,
)
from gorilla_cli.verifiers.grounding import unknown_options

RETRIEVED = 5
DOCUMENTS_IN_PROMPT = 2
EXAMPLES_IN_PROMPT = 2
SMALL = 800_000_000  # bytes of weights


@dataclass(frozen=True)
class DocsGate:
    """When retrieved text goes into the prompt. `mode` is "auto", "on" or "off".

    "auto" asks for a score of at least `threshold`; the figure and the reason are in LOG.md.
    """

    mode: str = "auto"
    threshold: float = 60.0
    nearness: float = 0.45
    examples: int = EXAMPLES_IN_PROMPT

    def suited(self, model_bytes: int) -> DocsGate:
        """The gate for a model of this size: a small one knows less, and its tokens cost less."""
        return replace(self, nearness=0.25, examples=3) if model_bytes < SMALL else self

    def near(self, examples: Sequence[ExampleHit]) -> list[Example]:
        """The examples worth a second reading of the prompt, nearest first; none when it is off."""
        usable = [hit for hit in examples if hit.installed and hit.score >= self.nearness][: self.examples]
        return [hit.example for hit in usable] if self.mode != "off" else []

    def chosen(self, hits: Sequence[Hit]) -> list[Hit]:
        usable = [hit for hit in hits if hit.installed][:DOCUMENTS_IN_PROMPT]
        if self.mode == "auto":
            return [hit for hit in usable if hit.score >= self.threshold]
        return usable if self.mode == "on" else []


@dataclass(frozen=True)
class Pipeline:
    """The rooms a request passes through. `retriever` is None in zero-shot mode."""

    backend: Backend
    retriever: Retriever | None
    manual: Manual | None
    verifiers: Sequence[Verifier]
    chat_format: ChatFormat
    gate: DocsGate = DocsGate()
    corrector: Corrector | None = None
    clock: Callable[[], float] = time.perf_counter

    def propose(self, request: Request, sampling: Sampling) -> Proposal:
        """Candidates for `request`, best first.

        Raises NotACommand when no command can do that, NoCandidate when the model wrote none at all.
        """
        run = _Run(self, request, replace(sampling, stop=stops(self.chat_format)))
        loading = _Loading(self.backend, self.clock)
        hits, examples = run.stages.timed("retrieve", run.retrieve)
        run.stages.milliseconds["load"] = loading.wait()
        prompt = run.prompt(hits, examples)
        candidates = run.generate(prompt, replace(run.sampling, n=drawn(prompt, sampling.n)))
        if not candidates:
            raise NoCandidate("the model gave no command for that", "say it in other words, or name the tool to use")
        candidates = run.stages.timed("verify", lambda: run.verify(candidates, hits))
        candidates = run.repair(candidates, prompt, hits)
        candidates = ranked(run.stages.timed("verify", lambda: run.correct(candidates, hits)))[: sampling.n]
        return run.stages.proposal(request, self.backend.info, hits, candidates)

    def verify(self, request: Request, command: str, hits: Sequence[Hit] = ()) -> Candidate:
        """A command from elsewhere (edited by the person) as a verified candidate."""
        return verified(self.verifiers, Candidate(ShellCommand(command)), request, hits)


class _Loading:
    """The model is mapped on another thread while the documents are looked up."""

    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self._started, self._clock, self._error, self._ended = clock(), clock, None, 0.0
        self._backend = backend
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        try:
            self._backend.load()
        except BaseException as error:  # raised again by wait, on the thread that can tell the person
            self._error = error
        self._ended = self._clock()

    def wait(self) -> float:
        """Milliseconds the load took. Raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return (self._ended - self._started) * 1000


class _Run:
    """The state of one `propose`: times and tokens add up here."""

    def __init__(self, pipeline: Pipeline, request: Request, sampling: Sampling) -> None:
        self.pipeline, self.request, self.sampling = pipeline, request, sampling
        self.stages = Stages(pipeline.clock)

    def retrieve(self) -> tuple[list[Hit], list[ExampleHit]]:
        retriever, text = self.pipeline.retriever, self.request.text
        return (retriever.search(text, RETRIEVED), retriever.examples(text, RETRIEVED)) if retriever else ([], [])

    def prompt(self, hits: Sequence[Hit], examples: Sequence[ExampleHit]) -> Prompt:
        chosen = self.pipeline.gate.chosen(hits)
        wanted = sorted(set(re.findall(r"[a-z]{3,}", self.request.text.lower())))
        documents = "\n".join(document_text(hit.doc, wanted) for hit in chosen)
        form = self.pipeline.chat_format
        functions = function_json([hit.doc for hit in chosen])
        return shell_prompt(self.request, documents, form, functions, self.pipeline.gate.near(examples))

    def generate(self, prompt: Prompt, sampling: Sampling) -> list[Candidate]:
        generation: Generation = self.pipeline.backend.generate(prompt, sampling)
        self.stages.count(generation)
        if generation.completions and all(map(refuses, generation.completions[: 1 + len(prompt.others)])):
            raise NotACommand("no command can do that", "ask for something to do with files, programs or this machine")
        return _merged(generation.completions)

    def verify(self, candidates: Sequence[Candidate], hits: Sequence[Hit]) -> list[Candidate]:
        return [verified(self.pipeline.verifiers, candidate, self.request, hits) for candidate in candidates]

    def repair(self, candidates: list[Candidate], prompt: Prompt, hits: Sequence[Hit]) -> list[Candidate]:
        """At most one round, when even the best candidate has an option that no document knows."""
        best = ranked(candidates)[0]
        complaints = _unknown_options(best.findings)
        if not complaints:
            return candidates
        again = repair_prompt(
            prompt, self.request, best.action.command, [f.message + "." for f in complaints], self.pipeline.chat_format
        )
        sampling = replace(self.sampling, n=1, grammar=self._grammar(best))
        try:
            repaired = self.generate(again, sampling)
        except GrammarError:
            return candidates
        known = {normal_form(candidate.action.command) for candidate in candidates}
        new = [candidate for candidate in repaired if normal_form(candidate.action.command) not in known]
        return candidates + self.stages.timed("verify", lambda: self.verify(new, hits))

    def correct(self, candidates: Sequence[Candidate], hits: Sequence[Hit]) -> list[Candidate]:
        """Further candidates where the documentation says what to write instead; what they correct stays below them."""
        corrector = self.pipeline.corrector
        if corrector is None:
            return list(candidates)
        known = {normal_form(candidate.action.command) for candidate in candidates}
        found: list[Candidate] = []
        for candidate in candidates:
            command = candidate.action.command
            for better in corrector.corrected(command, self.request)[:1]:
                if normal_form(better) not in known:
                    known.add(normal_form(better))
                    found += self.verify([replace(candidate, action=ShellCommand(better), was=command)], hits)
            found.append(candidate)
        return found

    def _grammar(self, candidate: Candidate) -> str:
        """A grammar in which the candidate's programs have their documented options and no others; "" without any."""
        manual = self.pipeline.manual
        if manual is None:
            return ""
        options: dict[str, list[str]] = {}
        for paths in _programs(candidate.action.command):
            program = next((path for path in paths if manual.manual(path)), "")
            names = [name for doc in manual.manual(program) for option in doc.options for name in option.names]
            if not names:
                return ""  # nothing is known of this one, so nothing can be ruled out
            options[program] = names
        return command_grammar(options) if options else ""


def refuses(completion: Completion) -> bool:
    """Does it say, in the words of the prompt's examples, that there is no command for that?"""
    return completion.finish == "stop" and completion.text.strip().startswith(refusal())


def drawn(prompt: Prompt, n: int) -> int:
    """How many completions to draw to show `n`: one of each reading at least.

    What another reading gives is worth more than one more sample of the same, so it comes before samples.
    """
    return max(1 + len(prompt.others), n)


def _merged(completions: Sequence[Completion]) -> list[Candidate]:
    """One candidate per normal form, in order of appearance, with its votes.

    What was cut off is left out: half a command can mean something else.
    """
    whole = [completion for completion in completions if completion.finish == "stop"]
    merged: dict[str, Candidate] = {}
    for completion in whole:
        command = command_in(completion.text)
        key = normal_form(command)
        if not command:
            continue
        if key in merged:
            merged[key] = replace(merged[key], votes=merged[key].votes + 1)
        else:
            merged[key] = Candidate(ShellCommand(command), mean_logprob=completion.mean_logprob)
    return list(merged.values())


def _unknown_options(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if unknown_options([finding])]


def _programs(command: str) -> list[list[str]]:
    """What may be the program of each part of a pipeline, with a subcommand first: "git commit", "git".

    An odd command gives odd words, of which nothing is known.
    """
    parts = (part.split()[:2] for part in command.split("|"))
    return [
        [" ".join(words)] * (len(words) > 1 and bool(re.fullmatch(r"[a-z][\w-]*", words[1]))) + words[:1]
        for words in parts
    ]
