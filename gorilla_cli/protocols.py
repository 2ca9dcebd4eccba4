"""The seams of gorilla: one small Protocol per room. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from gorilla_cli.types import (
    ApiRecord,
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
    RecordHit,
    Request,
    Sampling,
    Weighing,
)

if TYPE_CHECKING:
    import numpy as np


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


class RecordSource(Protocol):
    """Where API records come from. `ids` as in DocSource; `records` reads those whose id is not in `skip`."""

    @property
    def name(self) -> str: ...

    def ids(self) -> dict[str, str]: ...

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]: ...


class RecordRetriever(Protocol):
    """Finds the API records that are like a query, best first, at most `k`, each call once."""

    def search(self, query: str, k: int) -> list[RecordHit]: ...


class Encoder(Protocol):
    """Turns texts into vectors of meaning.

    `encode` gives float32 of shape (len(texts), `dimensions`), rows of length 1; equal texts give equal rows.
    `name` changes whenever the vectors of the same text would.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


class Manual(Protocol):
    """Everything documented of one program or subcommand ("git commit"), the most trusted document first."""

    def manual(self, program: str) -> list[Doc]: ...


class Backend(Protocol):
    """Runs a model. `load` may take seconds and can be called ahead; `generate` calls it when needed.

    `generate` returns `sampling.n` completions of one prompt evaluation, the first of them greedy. A backend may
    leave `prompt.others` out. `weigh` writes nothing: it says how likely each option is after each reading.
    Raises ModelMissing, ModelDamaged.
    """

    @property
    def info(self) -> ModelInfo: ...

    def load(self) -> None: ...

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation: ...

    def weigh(self, prompt: Prompt, options: Sequence[str]) -> Weighing: ...


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
