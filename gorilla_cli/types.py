"""The values that travel through gorilla, all frozen. This file knows nothing but the standard library.

Request -> Hits -> prompt -> Completions -> Candidates -> Proposal -> Approved -> Outcome -> Trace
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field


class Verdict(enum.IntEnum):
    """How much care a candidate needs. Ordered: the strictest finding wins, nothing lowers it."""

    SAFE = 0
    CAUTION = 1
    DANGEROUS = 2

    @property
    def word(self) -> str:
        return self.name.lower()


class Level(enum.IntEnum):
    """How much a finding weighs. `INFO` leaves the verdict alone."""

    INFO = 0
    CAUTION = 1
    DANGEROUS = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Option:
    """One documented option: all its spellings, its argument ("" when it takes none, "[X]" when optional)."""

    names: tuple[str, ...]
    argument: str
    description: str


@dataclass(frozen=True, slots=True)
class Example:
    """A request in a user's words and the command that answers it."""

    request: str
    command: str


@dataclass(frozen=True, slots=True)
class Doc:
    """What one source says of one program or subcommand.

    `id` is unique in the index and starts with the source ("man:find(1)"); `program` is what is typed
    ("find", "git commit"); `stamp` changes when the document must be read again.
    """

    id: str
    source: str
    program: str
    title: str
    summary: str = ""
    keywords: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[Example, ...] = ()
    body: str = ""
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found for a query. `score` is BM25 after the priors; `installed`: is the program on PATH."""

    doc: Doc
    score: float
    installed: bool = True


@dataclass(frozen=True, slots=True)
class ExampleHit:
    """A documented example found for a query. `score` is 0 to about 1: how much of the query its request says."""

    example: Example
    program: str
    score: float
    installed: bool = True


@dataclass(frozen=True, slots=True)
class Argument:
    """A documented argument of an API. `default` is its source text, "" when there is none; `choices` when limited."""

    name: str
    type: str = ""
    description: str = ""
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured fact of a record: its metric ("accuracy", "parameters", "size"), the data set ("" when none is named)
    and the value: percent for shares, a plain count for parameters, bytes for sizes."""

    metric: str
    dataset: str
    value: float


@dataclass(frozen=True, slots=True)
class ApiRecord:
    """One API call that exists, as documented: Gorilla's ten fields, normalised, and what was read out of them.

    `id` is unique in the index: its source, a colon, the call. `source` says where it comes from ("shipped:torchhub",
    "records:NAME", "python:PACKAGE", "openapi:NAME"). `performance` is text to show, `figures` what can be compared.
    `requests` are questions in a user's words that this call answers. `kind` says who can run it: "python" or "http".
    `documents` counts what describes the call: much described, much used.
    """

    id: str
    source: str
    domain: str
    framework: str
    functionality: str
    api_name: str
    api_call: str
    api_arguments: tuple[Argument, ...] = ()
    environment_requirements: tuple[str, ...] = ()
    example_code: str = ""
    performance: str = ""
    description: str = ""
    figures: tuple[Figure, ...] = ()
    requests: tuple[str, ...] = ()
    licence: str = ""
    languages: tuple[str, ...] = ()
    downloads: int | None = None
    documents: int = 1
    kind: str = "python"
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class RecordHit:
    """A record found for a query, with the score of the retriever that found it."""

    record: ApiRecord
    score: float


@dataclass(frozen=True, slots=True)
class Request:
    """The user's words plus captured context. `context` is what was piped in, already bounded."""

    text: str
    context: str = ""
    shell: str = "bash"
    cwd: str = ""
    platform: str = "linux"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw completions: first the greedy one of each reading of the prompt, then others with `temperature` and
    `top_p`, from the readings in turn."""

    n: int = 3
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int = 0
    max_tokens: int = 160
    stop: tuple[str, ...] = ()
    grammar: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """`prefix` is the same for every request, so its KV state is kept; `rest` follows it.

    `others` are further readings of the request, each in the place of `rest`: the same question after other evidence.
    Together they are right more often than one, and evidence that misleads does so in one reading only.
    """

    prefix: str
    rest: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote. `mean_logprob` in nats per token; `finish` is "stop" or "length"."""

    text: str
    tokens: int
    mean_logprob: float
    finish: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one generate call: the whole prompt, how many of them were not evaluated again, and the generated."""

    prompt: int = 0
    cached: int = 0
    generated: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt + other.prompt, self.cached + other.cached, self.generated + other.generated)


@dataclass(frozen=True, slots=True)
class Generation:
    """The completions of one prompt, first the greedy one. Times in milliseconds."""

    completions: tuple[Completion, ...]
    usage: Usage = Usage()
    prompt_ms: float = 0.0
    generate_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Weighing:
    """How likely each option is to follow each reading of a prompt, in nats: `logprobs[reading][option]`.

    The sum over the tokens of the option. Time in milliseconds.
    """

    logprobs: tuple[tuple[float, ...], ...]
    usage: Usage = Usage()
    prompt_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which weights answered and what ran them."""

    name: str
    sha256: str
    backend: str


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """An action: text for the user's shell."""

    command: str
    kind: str = field(default="shell", init=False)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """An action: a call of a documented API. `call` is the expression, `code` the whole program that makes it.

    `record` is the id of the record it comes from.
    """

    call: str
    code: str
    record: str
    kind: str = field(default="api", init=False)

    @property
    def command(self) -> str:
        """What would run, and what an approval is for."""
        return self.code


@dataclass(frozen=True, slots=True)
class Cite:
    """The documentation line that defines a token of the command."""

    token: str
    doc: str
    text: str


ABOUT_RECORD = "record"  # the check of findings that say what a record is, for people to read


@dataclass(frozen=True, slots=True)
class Finding:
    """What a verifier says. `span` is [start, end) in characters of the command.

    A finding with a `cite` is evidence for a token rather than a complaint about it.
    """

    check: str
    level: Level
    message: str
    span: tuple[int, int] | None = None
    cite: Cite | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action the model proposed, with what the verifiers say of it. `votes`: completions that gave it.

    `was`: the model's own command where a correction took its place, else "".
    """

    action: ShellCommand | ApiCall
    findings: tuple[Finding, ...] = ()
    cites: tuple[Cite, ...] = ()
    votes: int = 1
    mean_logprob: float = 0.0
    score: float = 0.0
    was: str = ""

    @property
    def verdict(self) -> Verdict:
        return Verdict(max((finding.level for finding in self.findings), default=Level.INFO))


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds per stage of one request."""

    retrieve: float = 0.0
    load: float = 0.0
    prompt: float = 0.0
    generate: float = 0.0
    verify: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A request and its candidates, best first."""

    request: Request
    model: ModelInfo
    hits: tuple[Hit, ...]
    candidates: tuple[Candidate, ...]
    timings: Timings = Timings()
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Approved:
    """A candidate a person (or `--yes` on a safe one) said yes to. Only `session` makes one.

    `digest` is the SHA-256 over what was shown; the executor computes it again before it runs anything.
    """

    candidate: Candidate
    shell: str
    cwd: str
    digest: str

    @staticmethod
    def digest_of(command: str, shell: str, cwd: str) -> str:
        return hashlib.sha256("\0".join((command, shell, cwd)).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave: the command's own exit code (128 + n when a signal n ended it) and its wall time."""

    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Trace:
    """One line of history."""

    time: str
    request: str
    command: str
    verdict: str
    model: str
    cwd: str
    edited: bool = False
    exit_code: int | None = None
