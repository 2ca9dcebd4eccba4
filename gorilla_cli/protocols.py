"""The seams of gorilla: one small Protocol per room. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Protocol

from gorilla_cli.types import (
    Approved,
    Candidate,
    Doc,
    ExampleHit,
    Finding,
    Generation,
    Hit,
    ModelInfo,
    Outcome,
    Prompt,
    Request,
    Sampling,
)


class DocSource(Protocol):
    """Where documents come from.

    `ids` lists what there is now, cheaply: document id -> stamp (it changes when the document must be read again).
    `docs` reads each document whose id is not in `skip`, once; one that cannot be read is left out. Every id begins
    with `name` and a colon.
    """

    @property
    def name(self) -> str: ...

    def ids(self) -> dict[str, str]: ...

    def docs(self, skip: Container[str] = ()) -> Iterator[Doc]: ...


class Retriever(Protocol):
    """Finds what is like a query, best first, at most `k`; empty when nothing matches.

    `search` gives documents, one per program; `examples` gives documented requests with their commands.
    """

    def search(self, query: str, k: int) -> list[Hit]: ...

    def examples(self, query: str, k: int) -> list[ExampleHit]: ...


class Manual(Protocol):
    """Everything documented of one program or subcommand ("git commit"), the most trusted document first."""

    def manual(self, program: str) -> list[Doc]: ...


class Backend(Protocol):
    """Runs a model. `load` may take seconds and can be called ahead; `generate` calls it when needed.

    `generate` returns `sampling.n` completions of one prompt evaluation, the first of them greedy. A backend may
    leave `prompt.others` out.
    Raises ModelMissing, ModelDamaged.
    """

    @property
    def info(self) -> ModelInfo: ...

    def load(self) -> None: ...

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation: ...


class Verifier(Protocol):
    """Says what is wrong (or proven) about a candidate. Never changes it, never runs it."""

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]: ...


class Corrector(Protocol):
    """Knows what the documentation says instead, where a command's value means something else than the request.

    `corrected` gives the command with everything corrected first; empty when there is nothing to correct.
    """

    def corrected(self, command: str, request: Request) -> list[str]: ...


class Executor(Protocol):
    """Runs what was approved and nothing else. Raises StateError when it is no longer what was approved."""

    def run(self, approved: Approved) -> Outcome: ...
