"""Is a proposed call one that exists? Its syntax tree is matched against the records: known, wrong argument, invented.

The rules are those of Gorilla's AST sub-tree matching (arXiv 2305.15334), repaired: the function's name and the values
of the documented arguments must be equal, not contained; other arguments must be documented. Runs nothing.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gorilla_cli.protocols import RecordRetriever
from gorilla_cli.types import ApiCall, ApiRecord, Candidate, Cite, Finding, Hit, Level, Request

CHECK = "api"
LOOKED_AT = 20  # records like the call that it is compared with
MOST_CALLS = 12  # of a program
# Documented everywhere a model is loaded, and without effect on which one it is.
ALWAYS_ALLOWED = frozenset({"pretrained", "verbose", "device", "force_reload", "skip_validation"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """A call: its dotted function, positional values and keyword values, each as normal source text."""

    function: str
    values: tuple[str, ...]
    named: tuple[tuple[str, str], ...]


def parsed(call: str) -> Parsed | None:
    """`call` taken apart, None when it is no single Python call."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(call.strip(), mode="eval").body
        if not isinstance(tree, ast.Call):
            return None
        named = tuple((keyword.arg or "**", ast.unparse(keyword.value)) for keyword in tree.keywords)
        return Parsed(ast.unparse(tree.func), tuple(map(ast.unparse, tree.args)), named)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(frozen=True, slots=True)
class Match:
    """How a call fits a record: `wrong` says which argument does not, "" when all do."""

    record: ApiRecord
    wrong: str = ""


def match(call: str, record: ApiRecord) -> Match | None:
    """The fit of `call` with `record`, None when it is another function or another thing than the record's."""
    if _same_text(call, record.api_call):
        return Match(record)
    given, documented = parsed(call), parsed(record.api_call)
    if given is None or documented is None or given.function != documented.function:
        return None
    wanted, found = _placed(documented, documented), _placed(given, documented)
    defaults = {argument.name: argument.default for argument in record.api_arguments}
    fixed = {name for name, value in wanted.items() if _is_literal(value) and defaults.get(name) != value}
    if any(found.get(name, wanted[name]) != wanted[name] for name in fixed):
        return None
    missing = [name for name in wanted if name not in found and _must_be_given(name, wanted[name], defaults)]
    if missing:
        return None if missing[0] in fixed else Match(record, f"{wanted[missing[0]]} is missing")
    extra = [name for name in found if name not in wanted and name not in defaults and name not in ALWAYS_ALLOWED]
    return Match(record, f"{extra[0]} is not a documented argument") if extra else Match(record)


def _placed(call: Parsed, documented: Parsed) -> dict[str, str]:
    """The values of `call` by the name or place ("#0") that they have in the documented call.

    What follows the documented positional values goes to its keywords in their order; a keyword that the documented
    call shows as a bare name in some place goes there.
    """
    places = [f"#{i}" for i in range(len(documented.values))] + [name for name, _ in documented.named]
    bare = {value: f"#{i}" for i, value in enumerate(documented.values) if value.isidentifier()}
    found = {(places[i] if i < len(places) else f"#{i}"): value for i, value in enumerate(call.values)}
    return {**found, **{bare.get(name, name): value for name, value in call.named}}


def _is_literal(value: str) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def _must_be_given(name: str, value: str, defaults: Mapping[str, str]) -> bool:
    if name in ALWAYS_ALLOWED or value in ("True", "False", "None") or "*" in (name[:1], value[:1]):
        return False
    return not defaults.get(name)


def _same_text(left: str, right: str) -> bool:
    """Equal but for blanks and the kind of quotes: some documented calls are no Python."""
    a, b = ("".join(text.split()).replace('"', "'") for text in (left, right))
    return a == b


def calls_in(text: str) -> list[str]:
    """The calls in `text`, which may be one call, documented in whatever form, or a whole program with some."""
    if parsed(text) is not None:
        return [text]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [text]
    return [ast.unparse(node) for node in nodes[:MOST_CALLS] if node.args or node.keywords] or [text]


class CallVerifier:
    """Verifier of API calls against the record they say they are of, then those that `retriever` finds for them.

    `record` finds a record by its id. Leaves shell commands alone.
    """

    def __init__(self, retriever: RecordRetriever, record: Callable[[str], ApiRecord | None] = lambda _: None) -> None:
        self._retriever, self._record = retriever, record

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        if not isinstance(candidate.action, ApiCall):
            return []
        matches = self._own(candidate.action) or [
            found for call in calls_in(candidate.action.call) for found in self._matches(call)
        ]
        known = next((one for one in matches if not one.wrong), None)
        if known:
            name = known.record.api_name or known.record.api_call
            cite = Cite(name, known.record.id, known.record.functionality.split("\n")[0])
            return [Finding(CHECK, Level.INFO, "documented", cite=cite)]
        if matches:
            return [Finding(CHECK, Level.CAUTION, f"{matches[0].wrong} of {matches[0].record.api_name}")]
        return [Finding(CHECK, Level.CAUTION, "no record in the index has this call")]

    def _own(self, action: ApiCall) -> list[Match]:
        """The fit with the call's own record, which a search among many alike may miss; empty when it is another's."""
        record = self._record(action.record)
        found = match(action.call, record) if record else None
        return [found] if found else []

    def _matches(self, call: str) -> list[Match]:
        return [found for hit in self._retriever.search(call, LOOKED_AT) if (found := match(call, hit.record))]
