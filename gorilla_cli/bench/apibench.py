"""Measures API calls on a folder of APIBench's files: its questions, grades of answers, baselines, and the report.

Asks no model and runs no call. Samples (what was answered) and results (what it is worth) are separate files of JSON
lines, so that a run can be graded again. `apicalls` has the rules, `apiofficial` those of the published scripts.

    {hub}_api.jsonl            the table: api_call and domain of each record
    {hub}_dev.jsonl            questions: id, instruction, domain, api_call
    responses/                 published answers {hub}_FT_0_shot.jsonl with their {hub}_references.jsonl
"""

from __future__ import annotations

import json
import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gorilla_cli.bench.apicalls import RULES, Judged, Table, calls_of, judge, table_of
from gorilla_cli.bench.apiofficial import Official
from gorilla_cli.bench.report import Share, percentile
from gorilla_cli.config import write_text
from gorilla_cli.errors import UsageError
from gorilla_cli.sanitise import one_line

HUBS = tuple(RULES)
OUTCOMES = ("correct", "error", "hallucination")
PUBLISHED_MODE = "FT_0_shot"
Row = dict[str, Any]
Search = Callable[[str], Sequence[str]]


# ---------------------------------------------------------------- the data


@dataclass(frozen=True, slots=True)
class Question:
    """A request with the call its author had in mind and the domain of that call's record."""

    id: str
    request: str
    domain: str
    api_call: str


@dataclass(frozen=True)
class Hub:
    """The records of one hub as (call, domain) pairs in the order of the file, and its questions."""

    name: str
    rows: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]

    @cached_property
    def table(self) -> Table:
        return table_of(self.name, self.rows)

    @cached_property
    def official(self) -> Official:
        """Raises GorillaError when tree-sitter-python is not installed."""
        return Official(self.name, self.rows)

    @cached_property
    def by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    def judged(self, answer: str, question: Question) -> Judged:
        """One answer to one question under our rules."""
        return judge(self.table, answer, question.api_call, question.domain)


def read_hub(folder: Path, hub: str) -> Hub:
    """The table and the development questions of a hub. Raises UsageError naming the file and line that is wrong."""
    rows = _rows(folder / f"{_known(hub)}_dev.jsonl", ("id", "instruction", "domain", "api_call"))
    questions = tuple(Question(row["id"], row["instruction"], row["domain"], row["api_call"]) for row in rows)
    return Hub(hub, _table_rows(folder, hub), questions)


def read_published(folder: Path, hub: str) -> tuple[Hub, list[Row]]:
    """The table with the references of the published answers that are there, and those answers as samples.

    Raises as `read_hub`.
    """
    responses = folder / "responses"
    wanted = ("question_id", "domain", "api_call")
    references = {row["question_id"]: row for row in _rows(responses / f"{_known(hub)}_references.jsonl", wanted)}
    answers = _rows(responses / f"{hub}_{PUBLISHED_MODE}.jsonl", ("question_id", "text"))
    kept = [row for row in answers if row["question_id"] in references]
    ids = [f"{hub}-{row['question_id']}" for row in kept]
    matching = [references[row["question_id"]] for row in kept]
    questions = tuple(Question(id, "", row["domain"], row["api_call"]) for id, row in zip(ids, matching, strict=True))
    samples = [sample_row(questions[at], hub, PUBLISHED_MODE, text=row["text"]) for at, row in enumerate(kept)]
    return Hub(hub, _table_rows(folder, hub), questions), samples


def chosen(questions: Sequence[Question], n: int, seed: int) -> list[Question]:
    """`n` of the questions, the same ones for the same seed, in their order; all of them for n = 0."""
    if n <= 0 or n >= len(questions):
        return list(questions)
    picked = random.Random(seed).sample(range(len(questions)), n)  # noqa: S311 - to repeat, not to surprise
    return [questions[at] for at in sorted(picked)]


def _known(hub: str) -> str:
    if hub not in HUBS:
        raise UsageError(f"there is no hub {one_line(hub)!r}", f"one of: {', '.join(HUBS)}")
    return hub


def _table_rows(folder: Path, hub: str) -> tuple[tuple[str, str], ...]:
    return tuple((row["api_call"], row["domain"]) for row in _rows(folder / f"{hub}_api.jsonl", ("api_call", "domain")))


def _rows(path: Path, wanted: Sequence[str], hint: str = "give the folder of APIBench's JSONL files") -> list[Row]:
    """The rows of a file. Each wanted field must be there as a text; question_id as a whole number."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint) from None
    return [_row(line, wanted, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _row(line: str, wanted: Sequence[str], where: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: it is no JSON", "repair or remove that line") from None
    if not isinstance(row, dict):
        raise UsageError(f"{where}: it is no object", "repair or remove that line")
    for name in wanted:
        if not isinstance(row.get(name), int if name == "question_id" else str):
            raise UsageError(f"{where}: {name} is missing or of a wrong type", "repair or remove that line")
    return row


# ---------------------------------------------------------------- samples and results


def sample_row(
    question: Question,
    hub: str,
    mode: str,
    *,
    calls: Sequence[str] = (),
    text: str = "",
    seconds: float | None = None,
    tokens: int | None = None,
    constrained: bool = False,
) -> Row:
    """A row of a samples file: the calls best first, or else the text that was written."""
    said = {"id": question.id, "request": question.request, "calls": list(calls), "text": text}
    return {**said, "seconds": seconds, "tokens": tokens, "mode": mode, "hub": hub, "constrained": constrained}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes samples or results. Raises StateError."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_samples(path: Path) -> list[Row]:
    """The rows of a samples file. Raises UsageError naming the line that is none."""
    rows = _rows(path, ("id", "hub", "mode", "text"), "give a file that gorilla bench apibench wrote")
    for number, row in enumerate(rows, 1):
        calls = row.get("calls")
        if not isinstance(calls, list) or not all(isinstance(call, str) for call in calls):
            raise UsageError(f"{path}: sample {number} has no list of calls", "repair or remove that line")
        if not isinstance(row.get("seconds", None), int | float | None):
            raise UsageError(f"{path}: the seconds of sample {number} are no number", "repair or remove that line")
        _known(row["hub"])
    return rows


def grade(samples: Path, results: Path, hubs: Mapping[str, Hub], official: bool = False) -> list[Row]:
    """Grades the samples and writes `results`: id, outcome, exact and call of the answer, and what the report needs.

    Samples of other hubs or questions are left out. `official` adds the outcome of the published scripts.
    Raises UsageError for a damaged samples file, StateError when the results cannot be written, GorillaError when
    `official` lacks its parser.
    """
    known = [row for row in read_samples(samples) if row["hub"] in hubs and row["id"] in hubs[row["hub"]].by_id]
    rows = [graded(row, hubs[row["hub"]], official) for row in known]
    write_rows(results, rows)
    return rows


def graded(sample: Row, hub: Hub, official: bool = False) -> Row:
    """The result of one sample. Its first call counts, or its text when it has none; `any_exact` looks at all calls."""
    question, answers = hub.by_id[sample["id"]], sample["calls"] or [sample["text"]]
    first, *others = (hub.judged(answer, question) for answer in answers)
    if sample.get("constrained") and not any(answers):
        first = replace(first, outcome="error")  # it refused, so it invented nothing
    row = {
        "id": sample["id"],
        **{name: sample.get(name) for name in ("hub", "mode", "constrained", "seconds", "tokens")},
        **asdict(first),
        "any_exact": first.exact or any(other.exact for other in others),
        "silent": not any(calls_of(answer) for answer in answers[:1]),
    }
    if official:
        row["official"] = hub.official.outcome(sample["text"] or _as_answer(answers[0]), question.domain)
    return row


def _as_answer(call: str) -> str:
    """A bare call in the form that the published scripts expect of an answer."""
    return f"<<<api_call>>>: {call}, <<<api_provider>>>:"


# ---------------------------------------------------------------- baselines


@dataclass(frozen=True)
class Tally:
    """What some answers are worth. `correct`, `error` and `hallucination` sum to all; `exact` is a part of `correct`.

    `silent`: answers with no call at all, a hallucination where the model wrote freely, else an error.
    `any_exact`: one of the calls shown is exact.
    """

    exact: Share
    correct: Share
    error: Share
    hallucination: Share
    silent: Share
    any_exact: Share


def tally(results: Sequence[Row]) -> Tally:
    """The shares of some results."""
    outcomes, n = Counter(row["outcome"] for row in results), len(results)
    flags = {name: Share(sum(bool(row[name]) for row in results), n) for name in ("exact", "silent", "any_exact")}
    return Tally(**flags, **{name: Share(outcomes[name], n) for name in OUTCOMES})


@dataclass(frozen=True)
class Baselines:
    """What needs no model, on some questions.

    `domain_share`: naming the most frequent domain of these very questions each time, `domain`. constant: answering
    with their most frequent call each time. copy: with the first one retrieved; None without a retriever.
    """

    domain: str
    domain_share: Share
    constant: Tally
    copy: Tally | None = None


def baselines(hub: Hub, questions: Sequence[Question], search: Search | None = None) -> Baselines:
    """The baselines on these questions. `search` gives the calls of the records that are like a request, best first."""
    domain, count = (Counter(question.domain for question in questions).most_common(1) or [("", 0)])[0]
    calls = [call for call, _ in Counter(question.api_call for question in questions).most_common(1)]
    constant = copied(hub, questions, lambda request: calls)
    copy = None if search is None else copied(hub, questions, search)
    return Baselines(domain, Share(count, len(questions)), constant, copy)


def copied(hub: Hub, questions: Sequence[Question], search: Search) -> Tally:
    """What the first retrieved call is worth as the answer, without a language model."""
    samples = [sample_row(question, hub.name, "copy", calls=search(question.request)[:1]) for question in questions]
    return tally([graded(sample, hub) for sample in samples])


def found_within(hub: Hub, questions: Sequence[Question], search: Search, k: int) -> Share:
    """How often the reference call is among the first `k` that are retrieved."""
    found = (any(hub.judged(call, question).exact for call in search(question.request)[:k]) for question in questions)
    return Share(sum(found), len(questions))


# ---------------------------------------------------------------- the report


@dataclass(frozen=True)
class Group:
    """The answers of one hub in one mode. `official` counts outcomes, empty where they were not asked for."""

    hub: str
    mode: str
    constrained: bool
    tally: Tally
    official: dict[str, Share]
    seconds: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        how = "constrained to the table" if self.constrained else "unconstrained"
        return one_line(f"{self.hub}, {self.mode}, {how}: {self.tally.exact.n} answers")


@dataclass(frozen=True)
class Report:
    """All numbers of some results; `baselines` by hub."""

    groups: tuple[Group, ...]
    baselines: dict[str, Baselines] = field(default_factory=dict)


def report(results: Iterable[Row], beside: Mapping[str, Baselines] | None = None) -> Report:
    """The numbers of results, by hub, mode and kind of decoding in order of appearance."""
    members: dict[tuple[str, str, bool], list[Row]] = {}
    for row in results:
        members.setdefault((row["hub"], row["mode"], bool(row["constrained"])), []).append(row)
    return Report(tuple(_group(*key, rows) for key, rows in members.items()), dict(beside or {}))


def read_results(path: Path) -> list[Row]:
    """The rows of a results file. Raises UsageError naming the line that is none."""
    return _rows(path, ("id", "hub", "mode", "outcome"), "run: gorilla bench apibench")


def _group(hub: str, mode: str, constrained: bool, rows: Sequence[Row]) -> Group:
    outcomes = Counter(row["official"] for row in rows if row.get("official"))
    official = {name: Share(outcomes[name], outcomes.total()) for name in OUTCOMES} if outcomes else {}
    seconds = tuple(row["seconds"] for row in rows if row.get("seconds") is not None)
    return Group(hub, mode, constrained, tally(rows), official, seconds)


LABELS = {
    "exact": "exact reference",
    "correct": "domain correct",
    "error": "error (other domain)",
    "hallucination": "hallucination",
    "silent": "  no call at all",
    "any_exact": "exact, any call shown",
}
NOTES = (
    "Domain correct, error and hallucination sum to 100; exact is a part of domain correct. Many requests have several",
    "right models: exact counts the one its author had in mind. Intervals are 95 %, by Wilson.",
)
BY_CONSTRUCTION = "Constrained decoding cannot leave the table: there, hallucination is 0 by construction."


def text_of(found: Report) -> str:
    """The report for people."""
    parts = ["\n".join(_group_lines(group, found.baselines.get(group.hub))) for group in found.groups]
    notes = [*NOTES, *([BY_CONSTRUCTION] if any(group.constrained for group in found.groups) else [])]
    return "\n\n".join([*parts, "\n".join(notes)])


def _group_lines(group: Group, beside: Baselines | None) -> list[str]:
    lines = [(label, str(getattr(group.tally, name))) for name, label in LABELS.items()]
    if group.official:
        lines += [(f"official scripts, {name}", str(share)) for name, share in group.official.items()]
    if beside:
        lines += _baseline_lines(beside)
    if group.seconds:
        median, p90 = statistics.median(group.seconds), percentile(group.seconds, 0.9)
        lines.append(("seconds", f"median {median:.2f}, p90 {p90:.2f}"))
    return [group.title, *(f"  {name:32}{value}" for name, value in lines)]


def _baseline_lines(beside: Baselines) -> list[tuple[str, str]]:
    lines = [("the most frequent domain", f"{beside.domain_share} {one_line(beside.domain)}")]
    for title, found in (("constant call", beside.constant), ("first retrieved", beside.copy)):
        if found:
            lines += [(f"{title}, exact", str(found.exact)), (f"{title}, domain", str(found.correct))]
    return lines


def numbers(found: Report) -> dict[str, Any]:
    """The report as a JSON document."""
    return {
        "groups": [_group_numbers(group) for group in found.groups],
        "baselines": {hub: _baseline_numbers(beside) for hub, beside in found.baselines.items()},
    }


def _group_numbers(group: Group) -> dict[str, Any]:
    median, p90 = statistics.median(group.seconds or [0.0]), percentile(group.seconds, 0.9)
    return {
        "hub": group.hub,
        "mode": group.mode,
        "constrained": group.constrained,
        **_tally_numbers(group.tally),
        "official": {name: share.numbers() for name, share in group.official.items()},
        "seconds": {"median": median, "p90": p90} if group.seconds else None,
    }


def _tally_numbers(found: Tally) -> dict[str, Any]:
    return {name: getattr(found, name).numbers() for name in LABELS}


def _baseline_numbers(beside: Baselines) -> dict[str, Any]:
    return {
        "domain": beside.domain,
        "domain_share": beside.domain_share.numbers(),
        "constant": _tally_numbers(beside.constant),
        "copy": _tally_numbers(beside.copy) if beside.copy else None,
    }
