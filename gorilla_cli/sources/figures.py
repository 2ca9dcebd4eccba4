"""What of a record's performance can be compared: (metric, data set, value), out of any JSON and out of prose.

Never guesses: a number whose metric or unit is not said gives no figure, nor does a comparison or a range.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from gorilla_cli.sanitise import strip
from gorilla_cli.sources.figure_names import COUNTS, SHARES, TOP1_ERROR, TOP5_ERROR, is_share, named
from gorilla_cli.sources.figure_text import in_prose, measured, of_description, plain_number
from gorilla_cli.types import Figure

MAX_FIGURES = 200
MAX_DEPTH = 10
MAX_DATASET = 120
MAX_VALUE = 1e15  # of a number as written; beyond it is no measurement
UNKNOWN = re.compile(
    r"(?i)\s*(?:n/?a|none|null|nan|-|(?:not |un)(?:provided|specified|available|mentioned|applicable|known))?\.?\s*"
)
DATASET_KEYS = {"dataset", "datasets", "data set", "benchmark"}
NAME_KEYS = {"name", "language", "task", "split"}
NOT_MEASURED = {"resolution", "speakers", "epoch", "epochs", "step", "steps", "year", "version", "seed", "layers"}
NOT_MEASURED |= {"images", "samples", "classes", "batch size", "input size", "image size", "hidden size"}
SPLITS = {"clean", "other", "test", "validation", "dev", "train", "matched", "mismatched", "all", "overall", "average"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a performance object a value lies: the data set and the metric said so far.

    `names` is true directly under "dataset": the keys there are data sets.
    """

    dataset: str = ""
    metric: str = ""
    names: bool = False

    def within(self, words: str) -> Place:
        """The same, `words` added to the data set."""
        known = words.lower() in self.dataset.lower()
        dataset = self.dataset if known else f"{self.dataset} {words}".strip()
        return replace(self, dataset=dataset[:MAX_DATASET].strip(), names=False)


@dataclass(frozen=True, slots=True)
class Table:
    """What the keys of one object say together: it has one entry only; its accuracies are error rates; it lists
    metrics rather than variants."""

    alone: bool
    swapped: bool
    other: bool


def figures(performance: object, description: str = "") -> tuple[Figure, ...]:
    """The figures in a `performance` field of any JSON type, and the parameters and size a description states.

    Shares are in percent (0.93 is 93), parameters a count, sizes bytes. An error rate is "error"; a top-1 or top-5
    error gives the accuracy, its complement, as well. At most MAX_FIGURES, each once.
    """
    found = list(itertools.islice(_walk(performance, Place(), 0), MAX_FIGURES * 4))
    known = {figure.metric for figure in found}
    found += [figure for figure in of_description(description) if figure.metric not in known]
    clean = [replace(figure, metric=_line(figure.metric), dataset=_line(figure.dataset)) for figure in found]
    return tuple(dict.fromkeys(_without_data_set([figure for figure in clean if figure.metric])))[:MAX_FIGURES]


def _line(text: str) -> str:
    text = " ".join(strip(text).split())
    return "" if absent(text) else text


def _without_data_set(found: list[Figure]) -> list[Figure]:
    """Parameters and sizes belong to the model, not to a data set, unless they differ between several models."""
    values = {metric: {figure.value for figure in found if figure.metric == metric} for metric in COUNTS}
    alone = {metric for metric, of_metric in values.items() if len(of_metric) == 1}
    return [replace(figure, dataset="") if figure.metric in alone else figure for figure in found]


def absent(value: object) -> bool:
    """Whether a value says that there is none: null, "", "N/A", "Not provided"."""
    return value is None or (isinstance(value, str) and UNKNOWN.fullmatch(value.strip()[:40]) is not None)


def _walk(value: Any, place: Place, depth: int) -> Iterator[Figure]:
    if depth > MAX_DEPTH or absent(value):
        return
    if isinstance(value, dict):
        yield from _object(value, place, depth)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, place, depth + 1)
    elif isinstance(value, str):
        yield from _said(value, place, "")
    else:
        yield from _number(value, place, "")


def _object(fields: dict[str, Any], place: Place, depth: int) -> Iterator[Figure]:
    paired = _paired(fields)
    if paired:
        for dataset, value in paired:
            yield from _walk(value, replace(place.within(dataset), metric="accuracy"), depth + 1)
        return
    place = _named_place(fields, place)
    entries = [(key, value) for key, value in fields.items() if not _is_name(key, value)]
    table = Table(len(entries) == 1, _errors_called_accuracies(fields), _holds_other_metrics(fields))
    for key, value in entries:
        if key.lower() in DATASET_KEYS:
            yield from _walk(value, replace(place, names=True), depth + 1)
        elif key.lower().replace("_", " ") not in NOT_MEASURED:
            yield from _entry(key, value, place, table, depth)


def _paired(fields: dict[str, Any]) -> list[tuple[str, Any]]:
    """Data sets with their accuracies, when a list of names stands beside a list of as many values."""
    names, values = fields.get("dataset"), fields.get("accuracy")
    if not (isinstance(names, list) and isinstance(values, list) and len(names) == len(values) > 1):
        return []
    return list(zip(names, values, strict=True)) if all(isinstance(name, str) for name in names) else []


def _is_name(key: str, value: Any) -> bool:
    texts = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
    return texts and (key.lower() in DATASET_KEYS or key.lower() in NAME_KEYS)


def _named_place(fields: dict[str, Any], place: Place) -> Place:
    for key, value in fields.items():
        if _is_name(key, value):
            text = ", ".join(value) if isinstance(value, list) else value
            place = place if absent(text) else place.within(" ".join(text.split()))
    return place


def _errors_called_accuracies(fields: dict[str, Any]) -> bool:
    """A top-5 below the top-1 cannot be accuracies: the table holds error rates."""
    values: dict[str, float] = {}
    for key, value in fields.items():
        what = named(key)
        if what and what.metric in ("accuracy", "top5") and re.search(r"(?i)top", key):
            number = plain_number(str(value))
            values[what.metric] = number[0] if number else math.nan
    return values.get("top5", math.nan) < values.get("accuracy", math.nan)


def _holds_other_metrics(fields: dict[str, Any]) -> bool:
    """Beside a loss or an AP, and no accuracy, further keys are metrics too, not variants of the accuracy."""
    metrics = {what.metric for what in map(named, fields) if what}
    return bool(metrics - SHARES) and "accuracy" not in metrics


def _entry(key: str, value: Any, place: Place, table: Table, depth: int) -> Iterator[Figure]:
    what = named(key)
    if what is not None and not (place.names and isinstance(value, (dict, list)) and what.metric != "accuracy"):
        metric = {"accuracy": TOP1_ERROR, "top5": TOP5_ERROR}.get(what.metric, what.metric)
        metric = metric if table.swapped else what.metric
        inner = replace(place.within(what.rest) if what.rest else place, metric=metric, names=False)
        yield from _value(value, inner, what.unit, depth)
    elif isinstance(value, (dict, list)):
        yield from _walk(value, _variant(key, place, table.alone), depth + 1)
    else:
        yield from _value(value, _unnamed(key, place, table), "", depth)


def _variant(key: str, place: Place, alone: bool) -> Place:
    """Below a key that is no metric: a data set, or one of several models. A lone model needs no naming."""
    if alone and place.dataset and not place.names:
        return place
    return place.within(" ".join(key.split()))


def _unnamed(key: str, place: Place, table: Table) -> Place:
    """A value whose key is no known metric: a variant of the metric it stands under, else a metric of its own."""
    proper = re.search(r"[A-Z0-9]", key) is not None or key.lower() in SPLITS
    if place.metric and (place.metric != "accuracy" or (proper and not table.other)):
        return _variant(key, place, table.alone)
    own = "" if place.names or (proper and not table.other) else " ".join(key.lower().replace("_", " ").split())
    return replace(place, metric=own, names=False)


def _value(value: Any, place: Place, unit: str, depth: int) -> Iterator[Figure]:
    if isinstance(value, (dict, list)):
        yield from _walk(value, place, depth + 1)
    elif isinstance(value, str):
        yield from _said(value, place, unit)
    else:
        yield from _number(value, place, unit)


def _said(text: str, place: Place, unit: str) -> Iterator[Figure]:
    """A text: one number where the metric is known ("82.3%", "14.3 dB"), else prose."""
    number, said = plain_number(text) or (math.nan, "")
    metric = place.metric or ("accuracy" if said == "%" else "")
    foreign = said not in ("", "%") and metric not in COUNTS and (is_share(metric) or bool(list(in_prose(text))))
    if absent(text) or not metric or math.isnan(number) or foreign:
        yield from in_prose(text, place.metric, place.dataset)
    elif math.isfinite(number) and abs(number) < MAX_VALUE:
        yield from measured(metric, place.dataset, number, "%" in (said, unit), said or unit)


def _number(value: Any, place: Place, unit: str) -> Iterator[Figure]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    try:
        number = float(value)
    except OverflowError:
        return
    if math.isfinite(number) and abs(number) < MAX_VALUE:
        yield from measured(place.metric, place.dataset, number, unit == "%", unit)
