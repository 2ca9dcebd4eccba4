"""Figures out of prose: "Top-1: 80.3%, Top-5: 95.1%", "117M params", "WER 3.4 on LibriSpeech".

Reads only what is said: no figure from ranges, bounds ("> 0.8") and comparisons ("2 % better than").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gorilla_cli.sources.figure_names import (
    COUNTS,
    FIRST,
    METRICS,
    OTHER,
    TOP1_ERROR,
    TOP5_ERROR,
    counted,
    is_share,
    share,
)
from gorilla_cli.types import Figure

MAX_PROSE = 2000  # characters read of a text, of one statement in it, and of a description
MAX_CLAUSE = 300
MAX_DESCRIPTION = 10_000
NUM = r"\d+(?:\.\d+)?"
NUMBER = re.compile(
    rf"(?<![\w.@-])(?P<number>{NUM}(?:e[-+]?\d{{1,3}})?)\s?(?P<percent>%|percent\b)?(?!\w*[-/]\d)(?![\w.]*\w)"
)
PLAIN = re.compile(
    rf"\s*(?P<number>{NUM}(?:e[-+]?\d{{1,3}})?)\s*(?P<unit>%|[A-Za-z/]{{1,12}})?\s*(?:(?:±|\+/?-).*)?\s*"
)
COUNT = rf"(?<![\d.])(?P<{{}}>{NUM})[\s-]{{{{0,3}}}}(?P<{{}}>thousand|million|billion|mn|bn|[kmbgt])?(?![a-z])"
PARAMETERS = re.compile(
    COUNT.format("n1", "u1")
    + r"[\s-]{0,3}(?:(?!less|fewer|more|of)[a-z]+[\s-]){0,2}?param(?:eter)?s?\b"
    + r"|\bparam(?:eter)?s?(?: count)?\s?(?:[:=]|of|is|are)?\s?(?:about |approximately )?"
    + COUNT.format("n2", "u2"),
    re.IGNORECASE,
)
FLOPS = re.compile(
    rf"(?i)(?<![\d.])(?P<n1>{NUM})\s?(?P<u1>[gmt])flops?\b|\b(?P<u2>[gmt])flops?\s?(?:[:=]|of)?\s?(?P<n2>{NUM})"
)
BYTE = r"(?P<{}>[kmg]i?b)(?![a-z])(?!\s*(?:of|/))"
SIZE = re.compile(rf"(?i)(?<![\d.])(?P<n1>{NUM})\s?" + BYTE.format("u1"))
LABELLED_SIZE = re.compile(
    rf"(?i)\b(?:size(?: of| is|:)?|weighs|download(?: of|:)?)\s?(?:about )?(?P<n1>{NUM})\s?{BYTE.format('u1')}"
    rf"|(?<![\d.])(?P<n2>{NUM})\s?{BYTE.format('u2')}\s?(?:model|weights|checkpoint|download)"
)
COMPARED = re.compile(
    r"(?i)(?:than|compared (?:to|with)|versus|vs\.?|from|up to|over|between|to|under|below)\W*(?:the )?$"
)
CHANGE = re.compile(
    r"(?i)\b(?:improve\w*|better|worse|faster|slower|fewer|increase\w*|decrease\w*|gains?|higher|lower|relative|than"
    r"|up to|at least|at most|over|above|below|under|between)\b|[<>≥≤~≈]|(?<!\d)\+\s?\d|\d\s?%?\s?(?:-|–|\bto\b)\s?\d"
)
ON = re.compile(
    r"\bon (?:the )?(?P<on>[A-Z0-9][^,;()]*?)\s*(?:\b(?:for|with|using|by|when|at) .*)?$|\((?P<in>[A-Z][^()]*)\)"
)
THRESHOLD = re.compile(r"(?i)(?:\s*@\s*\[?[\d.:]*\d\]?|50(?:-95)?)\s*(?:iou)?")
THRESHOLD_SIZE = re.compile(r"\d[\d.:-]*")
SAID_BARE = re.compile(
    rf"\s*{NUM}\s*%?\s*(?:on [^\d,;]*[\w .-]*|\([^()]*\))?\s*|\s*[A-Za-z][\w .-]*[:=]\s*{NUM}\s*%?\s*"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A metric named in a clause, at [start, end)."""

    metric: str
    text: str
    start: int
    end: int


def plain_number(text: str) -> tuple[float, str] | None:
    """A text that is one number with at most a unit ("25.6M", "82.3%", "23.8 +/- 3.9"): the number and its unit."""
    match = PLAIN.fullmatch(text[:100])
    return (float(match["number"]), (match["unit"] or "").lower()) if match else None


def in_prose(text: str, metric: str = "", dataset: str = "") -> Iterator[Figure]:
    """The figures `text` states. `metric` is what an unnamed number measures, `dataset` where none is named."""
    for clause in _clauses(_bounded(text.replace("_", " "), MAX_PROSE)):
        if len(clause) > MAX_CLAUSE:
            continue
        found = list(_counts(clause, SIZE))
        yield from found
        if not found and not CHANGE.search(_without_mentions(clause)):
            yield from _stated(clause, metric, dataset)


def of_description(text: str) -> Iterator[Figure]:
    """Parameters and model size a description states; neither when it states several different ones."""
    text = _bounded(text, MAX_DESCRIPTION)
    found = set(_counts(text, LABELLED_SIZE))
    for metric in ("parameters", "size", "flops"):
        of_metric = [figure for figure in found if figure.metric == metric]
        if len(of_metric) == 1:
            yield of_metric[0]


def _bounded(text: str, limit: int) -> str:
    """The beginning of `text` in which no run of digits, blanks or signs is long enough to slow a pattern down."""
    text = re.sub(r"\d{16,}", " ", text[:limit])
    text = re.sub(r"[^\S\n]+", " ", re.sub(r"([^\w\s])\1{2,}", r"\1", text))
    return re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)


def _clauses(text: str) -> Iterator[str]:
    """`text` cut at commas and "and", but never between a metric and the value it waits for."""
    pending = ""
    for piece in re.split(r"[,;\n]|\band\b|\.\s", text):
        pending = f"{pending} {piece}" if pending else piece
        if NUMBER.search(_without_mentions(pending)) or not _mentions(pending):
            yield pending
            pending = ""


def _counts(text: str, size: re.Pattern[str]) -> Iterator[Figure]:
    for metric, pattern in (("parameters", PARAMETERS), ("size", size), ("flops", FLOPS)):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            number, unit = (groups.get("n1") or groups.get("n2"), groups.get("u1") or groups.get("u2"))
            value = counted(metric, float(number or 0), unit or "")
            if value is not None and not COMPARED.search(text[max(0, match.start() - 30) : match.start()]):
                yield Figure(metric, "", value)


def _mentions(clause: str) -> list[Mention]:
    """The metrics named in a clause, none overlapping another."""
    found: list[Mention] = []
    for metric, pattern in (("", FIRST), *METRICS, ("", OTHER)):
        for match in pattern.finditer(clause):
            ambiguous = metric in COUNTS or match[0].lower() in ("map", "exact", "em", "ap")
            if ambiguous and match[0] not in ("mAP", "EM", "AP"):
                continue  # "a depth map", "the exact 12 layers"
            end = _past_threshold(clause, match.end()) if metric == "mAP" else match.end()
            if all(end <= other.start or other.end <= match.start() for other in found):
                found.append(Mention(metric or match[0].lower(), clause[match.start() : end], match.start(), end))
    return found


def _past_threshold(clause: str, start: int) -> int:
    match = THRESHOLD.match(clause, start)
    return match.end() if match else start


def _without_mentions(clause: str) -> str:
    """`clause` with each metric and its threshold ("@0.5IOU") blanked, so that only values are numbers."""
    for mention in _mentions(clause):
        clause = clause[: mention.start] + " " * (mention.end - mention.start) + clause[mention.end :]
    return clause.replace("coefficient", " ")


def _stated(clause: str, metric: str, dataset: str) -> Iterator[Figure]:
    mentions = _mentions(clause)
    rest = _without_mentions(clause)
    value = _only_value(rest)
    if value is None or not (mentions or value[1] or SAID_BARE.fullmatch(clause)):
        return
    if mentions:
        metric = _one_metric(mentions)
    where = _where(rest, clause, bool(mentions)) or dataset
    threshold = next((THRESHOLD_SIZE.search(mention.text) for mention in mentions if mention.metric == "mAP"), None)
    if threshold:
        where = f"{where} @{threshold[0]}".strip()
    yield from measured(metric or ("accuracy" if value[1] else ""), where, *value)


def _only_value(rest: str) -> tuple[float, bool] | None:
    """The one number of a clause, else its one percentage."""
    numbers = [(float(match["number"]), bool(match["percent"])) for match in NUMBER.finditer(re.sub(ON, " ", rest))]
    percentages = [value for value in numbers if value[1]]
    chosen = numbers if len(numbers) == 1 else percentages
    return chosen[0] if len(chosen) == 1 else None


def _one_metric(mentions: list[Mention]) -> str:
    """The metric a clause is about, "?" when it names several."""
    metrics = {mention.metric for mention in mentions}
    top1 = any(mention.metric == "accuracy" and "top" in mention.text.lower() for mention in mentions)
    if len(metrics) > 1 and not top1:
        metrics.discard("accuracy")  # "accuracy (top-5)"
    if "mse" in metrics:
        metrics.discard("mean squared error")
    return metrics.pop() if len(metrics) == 1 else "?"


def _where(rest: str, clause: str, named: bool) -> str:
    """The data set a clause names: "on X", "(X)", or "X: 0.77" where no metric is named."""
    match = ON.search(rest)
    if match:
        return " ".join((match["on"] or match["in"]).split()).rstrip(".")
    before, colon, _ = clause.partition(":")
    return " ".join(before.split()) if colon and not named else ""


def measured(metric: str, dataset: str, number: float, percent: bool = False, unit: str = "") -> Iterator[Figure]:
    """The figures of one measurement. The complement of a top-1 or top-5 error is that accuracy, by definition."""
    if metric in ("", "?"):
        return
    if metric in COUNTS:
        value = counted(metric, number, unit)
    else:
        value = share(metric, number, percent) if is_share(metric) else round(number, 6)
    if value is None:
        return
    if metric in (TOP1_ERROR, TOP5_ERROR):
        top1 = metric == TOP1_ERROR
        yield Figure("error" if top1 else "top5 error", dataset, value)
        yield Figure("accuracy" if top1 else "top5", dataset, round(100 - value, 6))
    else:
        yield Figure(metric, dataset, value)
