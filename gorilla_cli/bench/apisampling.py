"""Answers APIBench's questions, a JSON row each: with gorilla's way to a call, its retrieval alone, or the bare model.

Also makes the records that a run chooses from, and the figures that only such a run has. Grades nothing, runs no call.
"""

from __future__ import annotations

import hashlib
import re
import statistics
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gorilla_cli.apis.pipeline import MODES as PIPELINE_MODES
from gorilla_cli.apis.pipeline import ApiPipeline
from gorilla_cli.bench.apibench import Group, Hub, Report, Row, Search, found_within, numbers, sample_row, text_of
from gorilla_cli.bench.report import Share
from gorilla_cli.bench.sampling import Asked, Manifest, rows_of
from gorilla_cli.bench.systems import BARE_SYSTEM, Answer
from gorilla_cli.errors import ExitCode, GorillaError, UsageError
from gorilla_cli.prompts.chat import ChatFormat, Turn, fill
from gorilla_cli.protocols import Backend, RecordRetriever, RecordSource
from gorilla_cli.sanitise import one_line, strip
from gorilla_cli.sources.record_rows import rows
from gorilla_cli.sources.records import with_stamp
from gorilla_cli.types import ApiRecord, ModelInfo, Prompt, RecordHit, Request, Sampling

ORACLE, BARE, NO_MODEL = "oracle", "bare", "no-model"
MODES = (*PIPELINE_MODES, ORACLE)
SHOWN = 3  # calls of an answer
RETRIEVED = 10  # calls noted of each retrieval
WARM_UP = "classify a picture"
BARE_QUESTION = "{request}\nAnswer with one line of Python."
BARE_OPENING = "```python\n"  # without it chat models spend their one line on the fence
# The question alone is at fault: no call for it, limits that contradict each other. Anything worse ends the run.
_ROW_ERRORS = (ExitCode.NO_CANDIDATE, ExitCode.FAILURE, ExitCode.USAGE)


# ---------------------------------------------------------------- what answers


@dataclass(frozen=True)
class ApiSystem:
    """The real pipeline. A constrained answer is the documented calls of its records; a free one what was written."""

    pipeline: ApiPipeline
    sampling: Sampling
    clock: Callable[[], float] = time.perf_counter

    @property
    def info(self) -> ModelInfo:
        return self.pipeline.backend.info

    def load(self) -> None:
        self.pipeline.backend.load()

    def warm_up(self) -> None:
        """Answer one request, so that encoder, index and prompt prefix are warm."""
        self(WARM_UP)

    def __call__(self, request: str) -> Answer:
        started = self.clock()
        try:
            made = self.pipeline.propose(Request(strip(request)), self.sampling)
        except GorillaError as error:
            return _failed(error, self.clock() - started)
        seconds = self.clock() - started
        if self.pipeline.free:
            calls = tuple(candidate.action.call for candidate in made.proposal.candidates[:1])
        else:
            calls = tuple(record.api_call for record in made.records if record is not None)
        return Answer(calls, seconds=seconds, tokens=made.proposal.usage)


@dataclass(frozen=True)
class RetrievalSystem:
    """The first records that are found, in their order: what the retriever is worth without a language model."""

    retriever: RecordRetriever
    clock: Callable[[], float] = time.perf_counter
    info: ModelInfo = field(default=ModelInfo("", "", "retrieval"))

    def load(self) -> None:
        """Nothing: there is no model."""

    def warm_up(self) -> None:
        self(WARM_UP)

    def __call__(self, request: str) -> Answer:
        started = self.clock()
        calls = retrieved(self.retriever, request, SHOWN)
        seconds = self.clock() - started
        return Answer(tuple(calls), refused=not calls, seconds=seconds)


@dataclass(frozen=True)
class BareCallSystem:
    """The same weights and backend with a plain question and nothing else: one line, greedy. The bar for time."""

    backend: Backend
    chat_format: ChatFormat
    max_tokens: int
    clock: Callable[[], float] = time.perf_counter

    @property
    def info(self) -> ModelInfo:
        return self.backend.info

    def load(self) -> None:
        self.backend.load()

    def warm_up(self) -> None:
        self(WARM_UP)

    def __call__(self, request: str) -> Answer:
        sampling = Sampling(n=1, temperature=0.0, max_tokens=self.max_tokens, stop=("\n", *self.chat_format.stop))
        started = self.clock()
        try:
            generation = self.backend.generate(self.prompt(request), sampling)
        except GorillaError as error:
            return _failed(error, self.clock() - started)
        seconds, line = self.clock() - started, generation.completions[0].text.strip()
        return Answer((line,) if line else (), refused=not line, seconds=seconds, tokens=generation.usage)

    def prompt(self, request: str) -> Prompt:
        """The whole prompt: one chat turn in the model's own format. No part of it is kept on disk."""
        asked = Turn("user", fill(BARE_QUESTION, request=strip(request)))
        opening = self.chat_format.opening + (BARE_OPENING if self.chat_format.demonstrations else "")
        return Prompt("", self.chat_format.render([Turn("system", BARE_SYSTEM), asked]) + opening)


def _failed(error: GorillaError, seconds: float) -> Answer:
    """The answer that there is none. Raises `error` again when going on is useless."""
    if error.exit_code not in _ROW_ERRORS:
        raise error
    refused = error.exit_code == ExitCode.NO_CANDIDATE
    return Answer(refused=refused, seconds=seconds, error=one_line(str(error)))


def retrieved(retriever: RecordRetriever, request: str, k: int = RETRIEVED) -> list[str]:
    """The calls of the first `k` records that are found for a request."""
    return [hit.record.api_call for hit in retriever.search(strip(request), k)]


# ---------------------------------------------------------------- records to choose from


class RecordsByCall:
    """The records of a hub by call: the one that writes it so, else the first that is the same call by the rules."""

    def __init__(self, hub: Hub, records: Iterable[ApiRecord]) -> None:
        self._hub = hub
        self._written: dict[str, ApiRecord] = {}
        self._known: dict[str, ApiRecord] = {}
        for record in records:
            self._written.setdefault(" ".join(record.api_call.split()), record)
            known = hub.table.of_text(record.api_call)
            if known is not None:
                self._known.setdefault(known.text, record)

    def of(self, call: str) -> ApiRecord | None:
        """The record of `call`, None when it has none."""
        known = self._hub.table.of_text(call)
        return self._written.get(" ".join(call.split())) or (self._known.get(known.text) if known else None)


class OracleRetriever:
    """Finds the record of the reference, whatever the words: what a perfect retriever would be worth. Measures only.

    Questions in the very same words have the records of all of them. Raises UsageError for a reference without one.
    """

    def __init__(self, hub: Hub, records: Iterable[ApiRecord]) -> None:
        by_call = RecordsByCall(hub, records)
        self._found: dict[str, list[ApiRecord]] = {}
        for question in hub.questions:
            record = by_call.of(question.api_call)
            if record is None:
                raise UsageError(f"the reference of {question.id} has no record", "repair the table of that hub")
            self._found.setdefault(strip(question.request), []).append(record)
            self._found.setdefault(WARM_UP, [record])

    def search(self, query: str, k: int) -> list[RecordHit]:
        """The record of each reference of the request `query`, with scores of 1."""
        return [RecordHit(record, 1.0) for record in self._found.get(query, ())][:k]


class WithRequests:
    """A RecordSource: the records of another one, with further requests that they answer, by record id."""

    def __init__(self, source: RecordSource, requests: Mapping[str, Sequence[str]]) -> None:
        self._source, self._requests = source, requests

    @property
    def name(self) -> str:
        return self._source.name

    def ids(self) -> dict[str, str]:
        """Record id -> stamp, which covers the requests."""
        return {record.id: record.stamp for record in self.records()}

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]:
        """The records whose id is not in `skip`."""
        for record in self._source.records(skip):
            more = self._requests.get(record.id, ())
            united = tuple(dict.fromkeys((*record.requests, *more)))
            yield with_stamp(replace(record, requests=united)) if more else record


@dataclass(frozen=True)
class Training:
    """Requests of known calls: (request, call) pairs, and the SHA-256 of the files they come from."""

    pairs: tuple[tuple[str, str], ...]
    sha256: str

    def by_record(self, hub: Hub, records: Iterable[ApiRecord]) -> dict[str, list[str]]:
        """Record id -> its requests. A question of the hub is never among them, nor a call of another hub."""
        by_call, held_out = RecordsByCall(hub, records), {_plain(question.request) for question in hub.questions}
        found: dict[str, list[str]] = {}
        for request, call in self.pairs:
            record = by_call.of(call)
            if record is not None and _plain(request) not in held_out:
                found.setdefault(record.id, []).append(request)
        return found


def read_training(files: Sequence[Path]) -> Training:
    """The rows {instruction, api_call} of files of JSON lines. Raises UsageError for a bad row, StateError."""
    pairs: list[tuple[str, str]] = []
    digest = hashlib.sha256()
    for file in files:
        pairs += _pairs(file)
        digest.update(file.read_bytes())
    return Training(tuple(pairs), digest.hexdigest() if files else "")


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    for row in rows(file):
        value = row.value if isinstance(row.value, dict) else {}
        instruction, call = value.get("instruction"), value.get("api_call")
        if not isinstance(instruction, str) or not isinstance(call, str):
            problem = row.problem or "no texts instruction and api_call"
            raise UsageError(f"{file}:{row.line}: {problem}", "give JSON lines with both")
        request = request_in(instruction)
        if request:
            yield request, strip(call)


_INSTRUCTION = re.compile(r"\{\s*'Instruction':\s*(.*?)(?:,\s*'Output'.*)?", re.DOTALL)


def request_in(instruction: str) -> str:
    """The request of an instruction: what stands between 'Instruction': and , 'Output', or the whole text."""
    text = strip(instruction).strip()
    framed = _INSTRUCTION.fullmatch(text)
    text = framed[1].strip() if framed else text
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return " ".join((text[1:-1] if quoted else text).split())


def _plain(request: str) -> str:
    return " ".join(re.findall(r"\w+", request.lower()))


# ---------------------------------------------------------------- rows


def asked_of(hub: Hub) -> list[Asked]:
    """The questions of a hub as requests of a list."""
    return [Asked(question.id, question.request) for question in hub.questions]


@dataclass(frozen=True)
class Rows:
    """Makes the rows of one run: those of `apibench` with the words answered, tokens, and what was retrieved.

    `candidates` is the answer however it was made. `search`, asked outside the measured time, may be None.
    """

    hub: Hub
    mode: str
    constrained: bool
    search: Search | None = None

    def __call__(self, asked: Asked, answer: Answer) -> Row:
        shown = list(answer.candidates)
        row = sample_row(
            self.hub.by_id[str(asked.id)],
            self.hub.name,
            self.mode,
            calls=shown if self.constrained else (),
            text="" if self.constrained else "".join(shown[:1]),
            seconds=round(answer.seconds, 6),
            tokens=answer.tokens.generated,
            constrained=self.constrained,
        )
        told = {"candidates": shown, "usage": asdict(answer.tokens), "refused": answer.refused, "error": answer.error}
        return {**row, **told, "retrieved": None if self.search is None else list(self.search(asked.request))}


def noted_search(samples: Path) -> Search:
    """The retrievals noted in a file of samples, as a search by request. Raises UsageError for a damaged file."""
    found = {row["request"]: row.get("retrieved") or [] for row in rows_of(samples)}
    return lambda request: found.get(request, [])


# ---------------------------------------------------------------- what such a run has besides its grades


@dataclass(frozen=True)
class Measured:
    """A report with, by hub, how often the reference is among the first RETRIEVED calls, and the median time against
    that of the bare model on the same questions.
    """

    report: Report
    within: dict[str, Share] = field(default_factory=dict)
    ratio: dict[str, float] = field(default_factory=dict)


def within(hub: Hub, search: Search) -> Share:
    """How often the reference is among the first calls retrieved."""
    return found_within(hub, hub.questions, search, RETRIEVED)


def ratio_of(rows: Iterable[Row], bare: Iterable[Row]) -> float | None:
    """Median seconds of the answers against those of the bare model, on the questions that both answered."""
    ours, theirs = ({row["id"]: row["seconds"] for row in each} for each in (rows, bare))
    both = [id for id, seconds in ours.items() if seconds is not None and theirs.get(id) is not None]
    if not both:
        return None
    below = statistics.median(theirs[id] for id in both)
    return statistics.median(ours[id] for id in both) / below if below > 0 else None


def measured_text(found: Measured) -> str:
    """The report for people."""
    lines = [_refusals(group) for group in found.report.groups if group.constrained and group.tally.silent.count]
    lines += [f"{hub}: reference within {RETRIEVED} retrieved {share}" for hub, share in found.within.items()]
    lines += [f"{hub}: median time {ratio:.2f} of the bare model's" for hub, ratio in found.ratio.items()]
    return "\n\n".join([text_of(found.report), *(["\n".join(lines)] if lines else [])])


def _refusals(group: Group) -> str:
    return f"{group.hub}, {group.mode}: {group.tally.silent.count} got no call, which counts as an error"


def measured_numbers(found: Measured) -> dict[str, Any]:
    """The report as a JSON document."""
    shares = {hub: share.numbers() for hub, share in found.within.items()}
    return {**numbers(found.report), f"within_{RETRIEVED}": shares, "ratio_to_bare": found.ratio}


def what_ran(manifest: Manifest) -> str:
    """A run in a few words: model, encoder, seed, commit."""
    words = "by words and meaning" if manifest.settings.get("encoder") else "by words"
    parts = [manifest.model or "no model", words, f"seed {manifest.seed}"]
    return ", ".join([*parts, f"commit {manifest.commit[:12]}" if manifest.commit else f"version {manifest.version}"])


def log_line(found: Measured, what: str, date: str) -> str:
    """One line for a log of experiments; `date` is the day."""
    groups = "; ".join(_group_words(group, found) for group in found.report.groups)
    return one_line(f"{date} gorilla bench apibench, {what}: {groups}")


def _group_words(group: Group, found: Measured) -> str:
    how = "constrained" if group.constrained else "free"
    names = ("exact", "correct", "error", "hallucination", "silent")
    said = [f"{name} {str(getattr(group.tally, name)).strip()}" for name in names]
    said += [f"official {name} {str(share).strip()}" for name, share in group.official.items()]
    beside = found.report.baselines.get(group.hub)
    if beside and group.mode != BARE:
        said += [f"constant exact {100 * beside.constant.exact.value:.1f} %"]
        said += [f"domain {100 * beside.constant.correct.value:.1f} %"]
        said += [f"first retrieved exact {100 * beside.copy.exact.value:.1f} %"] if beside.copy else []
    if group.hub in found.within and group.mode != BARE:
        said.append(f"within {RETRIEVED} {100 * found.within[group.hub].value:.1f} %")
    if group.seconds:
        said.append(f"median {statistics.median(group.seconds):.2f} s")
    if group.hub in found.ratio and group.mode != BARE:
        said.append(f"{found.ratio[group.hub]:.2f} of bare")
    return f"{group.hub} {group.mode} {how} " + ", ".join(said)
