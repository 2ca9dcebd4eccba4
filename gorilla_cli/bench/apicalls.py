"""Is the call an answer makes in the table of known calls? The strict matching rules, as pure functions over text.

Reads no file, runs nothing and knows no model. Calls are read one argument at a time: what answers and tables hold is
often no valid Python (a position after a keyword, an id without quotes, a full stop at the end), and still plain.

The rules, per hub: the function's name is the same; each required value is given exactly, under its keyword or by
position; what is given beyond that is left alone. Required are, on torchhub, the repository (without its `:tag`) and
the model; on tensorflowhub the handle; on huggingface every literal but flags and folders to keep files in.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

LONGEST_TEXT = 40_000  # characters of an answer that are looked at
LONGEST_CALL = 2_000
MOST_CALLS = 200
CLOSES = {"(": ")", "[": "]", "{": "}"}
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\(")
KEYWORD = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)", re.ASCII)
ESCAPED = re.compile(r"""(?<!\\)\\+(['"n])""")
UNQUOTED = re.compile(r"[\w.]+(?:[/-][\w.]+)+")
FOLDERS = frozenset("cache_dir cache_folder save_dir savedir local_dir output_dir download_dir".split())
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)

Argument = tuple[str, str]  # (keyword, "" when given by position; value in the spelling of `repr`)
Required = tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A call read from text: its dotted function name and those arguments that hold a text or a number.

    `plain`: every argument as it was written.
    """

    function: str
    arguments: tuple[Argument, ...]
    plain: tuple[str, ...] = ()


# ---------------------------------------------------------------- reading answers


def unescape(text: str) -> str:
    """`text` with quotes and newlines freed of backslashes, however many times they were escaped."""
    return ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def section(text: str) -> str:
    """What stands between the words api_call and api_provider; "" where there is no api_call."""
    return text.partition("api_call")[2].partition("api_provider")[0]


def calls_of(answer: str) -> list[Call]:
    """The calls of an answer in order: of its api_call section, of the whole text when there are none in it.

    Each is read without escapes first, and as it is when that gives none: a text may hold an escaped quote of its own.
    """
    text = answer[:LONGEST_TEXT]
    plain = unescape(text)
    readings = (list(calls_in(one)) for one in (section(plain), section(text), plain, text))
    return next((found for found in readings if found), [])


def calls_in(text: str) -> Iterator[Call]:
    """Every call in `text`, an outer one before those inside it: a dotted name and balanced parentheses."""
    for match in islice(NAME.finditer(text), MOST_CALLS):
        inside = balanced(text, match.end() - 1)
        call = None if inside is None else read_call(match[0][:-1], inside)
        if call is not None:
            yield call


def balanced(text: str, start: int) -> str | None:
    """What is between the bracket at `start` and the one that closes it; None when none does."""
    open_brackets: list[str] = []
    for at, sign in _signs(text, start, start + LONGEST_CALL):
        if sign in CLOSES:
            open_brackets.append(CLOSES[sign])
        elif sign in CLOSES.values():
            if open_brackets.pop() != sign:
                return None
            if not open_brackets:
                return text[start + 1 : at]
    return None


def _signs(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The characters outside quotes with their places. Ends early at a quoted text that its line does not close."""
    quote, escaped = "", False
    for at in range(start, min(end, len(text))):
        sign = text[at]
        if not quote:
            quote = sign if sign in "'\"" else ""
            if not quote:
                yield at, sign
        elif sign == "\n":
            return
        elif sign == quote and not escaped:
            quote = ""
        escaped = bool(quote) and sign == "\\" and not escaped


def read_call(function: str, inside: str) -> Call | None:
    """The call of `function` with the arguments written in `inside`; None when one of them is no expression."""
    pieces = split_arguments(inside)
    arguments: list[Argument] = []
    for piece in pieces:
        named = KEYWORD.match(piece)
        value = value_of(piece[named.end() :] if named else piece)
        if value is None:
            return None
        arguments += [(named[1] if named else "", value)] if value else []
    return Call(function, tuple(arguments), tuple(" ".join(piece.split()) for piece in pieces))


def split_arguments(inside: str) -> list[str]:
    """The arguments of a call: `inside` cut at the commas that are in no bracket and no quotes, empty ones left out."""
    depth, cuts = 0, [-1]
    for at, sign in _signs(inside, 0, len(inside)):
        depth += (sign in CLOSES) - (sign in CLOSES.values())
        if sign == "," and depth == 0:
            cuts.append(at)
    pieces = [inside[a + 1 : b] for a, b in zip(cuts, [*cuts[1:], len(inside)], strict=True)]
    return [piece for piece in pieces if piece.strip()]


def value_of(source: str) -> str | None:
    """The expression in one spelling, a text as its `repr`; "" when it holds no text or number, None when it is none.

    True, False and None are flags and no values. An id that lacks its quotes (`owner/name`) is given as it is.
    """
    source = source.strip().lstrip("*")
    if UNQUOTED.fullmatch(source):
        return source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in an answer is nobody's to mend
            tree = ast.parse(source, mode="eval")
        return ast.unparse(tree) if any(map(_holds_value, ast.walk(tree))) else ""
    except UNREADABLE:
        return None


def _holds_value(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


# ---------------------------------------------------------------- what a hub requires


def _torchhub(call: Call) -> Call:
    arguments = [(name, re.sub(r"^('[^':/]+/[^':]+):[^']*'$", r"\1'", value)) for name, value in call.arguments]
    return replace(call, arguments=_first_is("repo_or_dir", arguments))


def _tensorflowhub(call: Call) -> Call:
    return replace(call, arguments=_first_is("handle", call.arguments))


def _first_is(keyword: str, arguments: Sequence[Argument]) -> tuple[Argument, ...]:
    """The arguments with the first one that has no keyword given this one, when nothing else has it."""
    if any(name == keyword for name, _ in arguments) or not any(name == "" for name, _ in arguments):
        return tuple(arguments)
    first = next(at for at, (name, _) in enumerate(arguments) if not name)
    return (*arguments[:first], (keyword, arguments[first][1]), *arguments[first + 1 :])


def _repository_and_model(call: Call) -> Required:
    named = dict(reversed(call.arguments))  # the first of each keyword; "" is the first position after the repository
    values = {"repo_or_dir": named.get("repo_or_dir"), "model": named.get("model", named.get(""))}
    return tuple((name, value) for name, value in values.items() if value)


def _handle(call: Call) -> Required:
    return tuple((name, value) for name, value in call.arguments if name == "handle")[:1]


def _literals(call: Call) -> Required:
    return tuple((name, value) for name, value in call.arguments if name not in FOLDERS)


@dataclass(frozen=True, slots=True)
class Rule:
    """How the calls of one hub are compared: how one is put into its normal form, and what of it must be given."""

    normal: Callable[[Call], Call]
    required: Callable[[Call], Required]


RULES = {
    "torchhub": Rule(_torchhub, _repository_and_model),
    "huggingface": Rule(lambda call: call, _literals),
    "tensorflowhub": Rule(_tensorflowhub, _handle),
}


def gives(call: Call, required: Required) -> bool:
    """Does `call` give each of these values, under its keyword or, where that keyword is not used, by position?"""
    names = {name for name, _ in call.arguments}
    written = {*call.arguments, *(("", piece) for piece in call.plain)}
    return all(_given(written, names, *one) for one in required)


def _given(written: set[Argument], names: set[str], name: str, value: str) -> bool:
    spellings = {value} if value.startswith(("'", '"')) else {value, repr(value)}
    if not name:
        return any(given in spellings for _, given in written)
    return any((name, one) in written or (name not in names and ("", one) in written) for one in spellings)


# ---------------------------------------------------------------- the table


@dataclass(frozen=True)
class Known:
    """A call of the table: what identifies it, the domains of its records, and how the first of them writes it.

    Two records are the same call when function and required values are the same.
    """

    function: str
    required: Required
    domains: frozenset[str]
    text: str

    @property
    def weight(self) -> tuple[int, int]:
        """What the longest match is decided by: the number of required values, then their length."""
        return len(self.required), sum(len(value) for _, value in self.required)


@dataclass(frozen=True)
class Table:
    """The known calls of a hub. `texts` are those of records that hold no call, such as a command."""

    hub: str
    functions: dict[str, tuple[Known, ...]]
    texts: tuple[Known, ...] = field(default=())

    def known(self, call: Call) -> Known | None:
        """The known call that `call` makes, the one with most required values; None when there is none."""
        call = RULES[self.hub].normal(call)
        return next((one for one in self.functions.get(call.function, ()) if gives(call, one.required)), None)

    def of_text(self, text: str) -> Known | None:
        """What the call written in `text`, or a text of a record without one, is in the table; the first that is."""
        found = (self.known(call) for call in calls_of(text))
        return next((one for one in found if one), None) or self._written(unescape(text[:LONGEST_TEXT]))

    def _written(self, text: str) -> Known | None:
        text = " ".join(text.split())
        return next((one for one in self.texts if re.search(re.escape(one.text) + r"(?![\w/-])", text)), None)


def table_of(hub: str, rows: Iterable[tuple[str, str]]) -> Table:
    """The table of (call, domain) pairs. Raises KeyError for a hub without rules."""
    rule = RULES[hub]
    domains: dict[tuple[str, Required], set[str]] = {}
    texts: dict[tuple[str, Required], str] = {}
    for text, domain in rows:
        key = _identity(rule, text)
        domains.setdefault(key, set()).add(domain)
        texts.setdefault(key, text)
    known = [Known(*key, frozenset(domains[key]), texts[key]) for key in domains]
    known.sort(key=lambda one: one.weight, reverse=True)
    functions: dict[str, tuple[Known, ...]] = {}
    for one in known:
        functions[one.function] = (*functions.get(one.function, ()), one)
    return Table(hub, functions, functions.pop("", ()))


def _identity(rule: Rule, text: str) -> tuple[str, Required]:
    call = next(calls_in(text), None)
    if call is None:
        return "", (("", " ".join(text.split())),)
    call = rule.normal(call)
    required = rule.required(call) or tuple(("", piece) for piece in call.plain)  # a record of placeholders alone
    return call.function, tuple(sorted(required))


# ---------------------------------------------------------------- one answer


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one answer: "correct", "error" or "hallucination"; is it the very call of the reference; which call it is."""

    outcome: str
    exact: bool
    call: str


def judge(table: Table, answer: str, reference: str, domain: str) -> Judged:
    """Compares an answer with the reference call and its domain.

    hallucination: no call of the table is in it. correct: the call is the reference's or one of its domain. error: a
    call of other domains. A call that has records in several domains is in each of them.
    """
    found = table.of_text(answer)
    if found is None:
        return Judged("hallucination", False, "")
    exact = found == table.of_text(reference)
    return Judged("correct" if exact or domain in found.domains else "error", exact, found.text)
