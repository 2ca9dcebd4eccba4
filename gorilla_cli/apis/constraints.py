"""Limits in a request ("under 10 million parameters, at least 75 % on ImageNet"), read into predicates and applied.

Pure. What a record does not say is unknown, and unknown never counts as satisfying: such records are left out and
counted. Only what is plainly a limit is read; the rest of the words stay with the retriever.
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gorilla_cli.errors import UsageError
from gorilla_cli.types import ApiRecord

RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mio": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9}
BYTES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
BYTES |= {"kilobytes": 1e3, "megabytes": 1e6, "gigabytes": 1e9, "megs": 1e6, "gigs": 1e9}
SHARES = {"accuracy", "top5", "error", "mAP", "mIoU", "WER", "CER", "F1", "exact_match", "precision", "recall"}
WINDOW = 48  # characters around a number in which its metric and data set are looked for


@dataclass(frozen=True, slots=True)
class Constraint:
    """`metric` of a record in `relation` to `value`; `text` is how the request says it.

    For "licence", "language" and "framework" the relation is "=" and the value one of `words`.
    """

    metric: str
    relation: str
    value: float
    dataset: str = ""
    text: str = ""
    words: tuple[str, ...] = ()

    def holds(self, record: ApiRecord) -> bool | None:
        """Does `record` satisfy it? None: the record does not say."""
        if self.words:
            said = _said(record, self.metric)
            return any(_same_word(word, one) for word in self.words for one in said) if said else None
        values = [
            figure.value
            for figure in record.figures
            if figure.metric == self.metric and _same_dataset(self.dataset, figure.dataset)
        ]
        return any(RELATIONS[self.relation](value, self.value) for value in values) if values else None


@dataclass(frozen=True, slots=True)
class Applied:
    """Records that satisfy all constraints, in their order; how many do not, and how many do not say, by metric."""

    kept: tuple[ApiRecord, ...]
    failed: int
    unknown: dict[str, int]


def apply(records: Iterable[ApiRecord], constraints: Sequence[Constraint]) -> Applied:
    """Keep the records that are known to satisfy every constraint."""
    kept: list[ApiRecord] = []
    failed, unknown = 0, dict.fromkeys((one.metric for one in constraints), 0)
    for record in records:
        answers = [(one.metric, one.holds(record)) for one in constraints]
        if any(answer is False for _, answer in answers):
            failed += 1
            continue
        missing = {metric for metric, answer in answers if answer is None}
        for metric in missing:
            unknown[metric] += 1
        if not missing:
            kept.append(record)
    return Applied(tuple(kept), failed, {metric: count for metric, count in unknown.items() if count})


def parse(text: str) -> tuple[Constraint, ...]:
    """The limits that `text` states, in their order. Raises UsageError when two of them cannot both hold."""
    found = [*_quantities(text), *_named(text)]
    _refuse_contradictions(found)
    return tuple(found)


def _refuse_contradictions(found: Sequence[Constraint]) -> None:
    limits = [one for one in found if not one.words]
    for low in (one for one in limits if one.relation in (">", ">=")):
        for high in (one for one in limits if one.relation in ("<", "<=") and one.metric == low.metric):
            open_end = "=" not in low.relation or "=" not in high.relation
            empty = low.value > high.value or (open_end and low.value == high.value)
            if empty and _same_dataset(low.dataset, high.dataset):
                raise UsageError(
                    f"nothing can satisfy both {low.text!r} and {high.text!r}", "change one of the two limits"
                )


@cache
def _data() -> dict:
    return tomllib.loads((Path(__file__).parent / "constraints.toml").read_text(encoding="utf-8"))


def _alternatives(phrases: Iterable[str]) -> str:
    """A regular expression for any of `phrases`, longest first; their blanks match any run of blanks."""
    escaped = (re.escape(phrase).replace(r"\ ", r"\s+") for phrase in sorted(phrases, key=len, reverse=True))
    return "|".join(rf"(?<!\w){one}(?!\w)" if one[-1].isalnum() else one for one in escaped)


@cache
def _quantity() -> re.Pattern[str]:
    before = "|".join(_alternatives(phrases) for phrases in _data()["before"].values())
    after = "|".join(_alternatives(phrases) for phrases in _data()["after"].values())
    units = "|".join(sorted({*SCALES, *BYTES}, key=len, reverse=True))
    number = rf"(?<![\w-])(?<!top )(?P<number>\d+(?:[.,]\d+)*)\s*-?(?P<unit>%|percent\b|(?:{units})\b)?"
    link = r"(?:\s+(?:of|than|the|a|is|be))*"
    range_ = rf"(?:between\s+(?P<low>\d+(?:\.\d+)?)\s*(?P<lowunit>%|percent\b|(?:{units})\b)?\s+and)"
    return re.compile(rf"(?:(?P<before>{before}|{range_}){link}\s*)?{number}(?:\s*(?P<after>{after}))?", re.I)


@cache
def _late() -> re.Pattern[str]:
    """A relation after a word or two of the metric: "75 % accuracy or better"."""
    phrases = "|".join(map(_alternatives, _data()["after"].values()))
    return re.compile(rf"\s*\S+(?:\s+\S+)?\s+({phrases})", re.I)


def _quantities(text: str) -> Iterator[Constraint]:
    matches = list(_quantity().finditer(text))
    for i, match in enumerate(matches):
        left = matches[i - 1].end() if i else 0
        right = matches[i + 1].start() if i + 1 < len(matches) else len(text)
        yield from _read(match, text[max(left, match.start() - WINDOW) : match.start()], text[match.end() : right])


def _read(match: re.Match[str], before: str, after: str) -> Iterator[Constraint]:
    """The one or two constraints that a number with its surroundings states."""
    after = re.split(r"[;.!?](?:\s|$)", after[:WINDOW])[0]
    following = _first_clause(after)
    metric = _metric(match["unit"], before, following)
    relations = _relations(match, metric, before)
    if metric and not relations and (late := _late().match(after)):
        relations = [_relation_of(late[1], "after")]
    if not metric or not relations:
        return
    dataset = "" if metric in ("parameters", "size") else _dataset(following) or _dataset(before)
    phrase = _phrase(match[0], metric, before, following)
    if match["low"]:
        unit = match["lowunit"] or match["unit"]
        yield Constraint(metric, ">=", _value(match["low"], unit, metric), dataset, phrase)
        yield Constraint(metric, "<=", _value(match["number"], match["unit"], metric), dataset, phrase)
        return
    yield Constraint(metric, relations[0], _value(match["number"], match["unit"], metric), dataset, phrase)


def _phrase(quantity: str, metric: str, before: str, following: str) -> str:
    """The words of the limit, to be shown: the number with the metric that stands after or before it."""
    if metric == "size" or _metric_in(following) == metric:
        return f"{quantity.strip()} {following.strip()}".strip()
    places = [match.start() for match in re.finditer(_alternatives(_data()["metrics"][metric]), before, re.I)]
    return f"{before[max(places, default=len(before)) :]}{quantity}".strip()


def _first_clause(text: str) -> str:
    """Up to where something else begins: another limit, or the next part of the sentence."""
    return re.split(r",|\s(?:and|but|with|while|that|which|or)\s", text, maxsplit=1)[0]


def _relations(match: re.Match[str], metric: str, before: str) -> list[str]:
    if match["low"]:
        return ["between"]
    if match["after"]:
        return [_relation_of(match["after"], "after")]
    if match["before"]:
        return [_relation_of(match["before"], "before")]
    far = re.search(rf"({'|'.join(map(_alternatives, _data()['before'].values()))})\W*$", before, re.I)
    if far:
        return [_relation_of(far[1], "before")]
    # "with 90 % accuracy" asks for at least that much; a bare count of parameters may be a name ("7B").
    asked = metric in SHARES - {"error", "WER", "CER"} and re.search(r"\bwith\s*(an?\s*)?$", before, re.I)
    return [">="] if asked else []


def _relation_of(phrase: str, side: str) -> str:
    flat = " ".join(phrase.lower().split())
    return next(relation for relation, phrases in _data()[side].items() if flat in phrases)


def _metric(unit: str | None, before: str, after: str) -> str:
    """What the number measures; "" when that is not said."""
    unit = (unit or "").lower()
    if unit in BYTES:
        return "size"
    named = _metric_in(after) or _metric_in(before, last=True)
    if unit in ("%", "percent"):
        return named if named in SHARES else "accuracy" if _dataset(after) or not named else ""
    if unit and named != "parameters":
        return ""
    return named


def _metric_in(text: str, last: bool = False) -> str:
    """The first metric named in `text`, or the last one."""
    named = {word: metric for metric, words in _data()["metrics"].items() for word in words}
    found = [" ".join(match[0].lower().split()) for match in re.finditer(_alternatives(named), text, re.I)]
    return named[found[-1 if last else 0]] if found else ""


def _value(number: str, unit: str | None, metric: str) -> float:
    value = float(re.sub(r",(?=\d{3}\b)", "", number).replace(",", "."))
    unit = (unit or "").lower()
    if metric == "size":
        return value * BYTES[unit]
    if metric == "parameters":
        return value * SCALES.get(unit, 1.0)
    return value * 100 if metric in SHARES and value <= 1 and unit not in ("%", "percent") else value


_DATASET = r"(?![Tt]op\b)[A-Z][A-Za-z]*[\w+-]*(?:[ -](?:[A-Z0-9][\w.+-]*))*"


def _dataset(text: str) -> str:
    """A data set's name in `text`: after "on", or before the metric ("ImageNet accuracy")."""
    for pattern in (rf"\bon\s+(?:the\s+)?({_DATASET})", rf"({_DATASET})\s+(?:top|acc|validation|val|test|benchmark)"):
        if match := re.search(pattern, text):
            return match[1]
    return ""


def _same_dataset(wanted: str, given: str) -> bool:
    """ "ImageNet" is also "ImageNet-1k" and "imagenet"; nothing wanted is any."""
    a, b = (re.sub(r"[^a-z0-9]", "", name.lower()) for name in (wanted, given))
    return not a or (bool(b) and (b.startswith(a) or a.startswith(b)))


def _named(text: str) -> Iterator[Constraint]:
    """Constraints on the licence, the language and the framework."""
    for kind, table in _data()["named"].items():
        for pattern in table["patterns"]:
            names = table["values"]
            known = _alternatives(word for words in names.values() for word in words)
            match = re.search(pattern.replace("VALUE", f"(?P<value>{known})"), text, re.I)
            if match:
                flat = " ".join(match["value"].lower().split())
                words = next(tuple(words) for words in names.values() if flat in words)
                yield Constraint(kind, "=", 0.0, text=match[0].strip(), words=words)
                break


def _said(record: ApiRecord, kind: str) -> tuple[str, ...]:
    if kind == "licence":
        return (record.licence,) if record.licence else ()
    if kind == "language":
        return record.languages
    return (record.framework, record.api_call) if record.framework else ()


def _same_word(word: str, said: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", said.lower()) is not None
