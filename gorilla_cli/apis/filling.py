"""The arguments that a documented call leaves open: which they are, a grammar for their values, the call with them.

The model writes values only, as JSON under a grammar of the documented names; the call is put together here, so that
nothing undocumented can get into it. Pure.
"""

from __future__ import annotations

import ast
import json
import keyword
import math
from collections.abc import Iterator, Mapping, Sequence

from gorilla_cli.backends.grammar import choice, literal
from gorilla_cli.types import ApiRecord, Argument

MOST_OPTIONAL = 8
_VALUE = r"""value ::= string | number | "true" | "false" | "null" | list
string ::= "\"" ([^"\\\x00-\x1F\x7F] | "\\" ["\\/nt])* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
list ::= "[" item (", " item)* "]"
item ::= string | number
"""


def open_arguments(record: ApiRecord) -> list[Argument]:
    """The documented arguments of `record` that its call leaves to the request: none where it loads one fixed thing."""
    if record.kind == "http":
        return list(record.api_arguments)
    node = _call(record.api_call)
    left = _open_names(node) if node else []
    if node is None or not left:
        return []
    by_name = {one.name: one for one in record.api_arguments}
    asked = [by_name.get(name, Argument(name, required=True)) for name in left]
    settled = {*left, *_settled(node, record)}
    return asked + [one for one in record.api_arguments if one.name not in settled and _is_name(one.name)]


def _call(text: str) -> ast.Call | None:
    """`text` as a syntax tree, None when it is no single Python call."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return node if isinstance(node, ast.Call) else None


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _open_names(node: ast.Call) -> list[str]:
    """The names that stand for a value in a call: `obj` in json.dumps(obj, **kw)."""
    values = [*node.args, *(one.value for one in node.keywords if one.arg)]
    return list(dict.fromkeys(value.id for value in values if isinstance(value, ast.Name)))


def _settled(node: ast.Call, record: ApiRecord) -> Iterator[str]:
    """The arguments that the call itself gives, other than as their documented default: what makes it this record."""
    for value, argument in zip(node.args, record.api_arguments, strict=False):
        if ast.unparse(value) != argument.default:
            yield argument.name
    defaults = {one.name: one.default for one in record.api_arguments}
    yield from (one.arg for one in node.keywords if one.arg and defaults.get(one.arg) != ast.unparse(one.value))


def values_grammar(arguments: Sequence[Argument]) -> str:
    """A grammar for a JSON object with each required argument and any of the first optional ones. GBNF."""
    required = [one for one in arguments if one.required]
    optional = [one for one in arguments if not one.required][:MOST_OPTIONAL]
    rules = [f"a{i} ::= {literal(json.dumps(one.name) + ': ')} {_value_of(one)}" for i, one in enumerate(required)]
    rules += [f"o{i} ::= {literal(json.dumps(one.name) + ': ')} {_value_of(one)}" for i, one in enumerate(optional)]
    fixed = ' ", " '.join(f"a{i}" for i in range(len(required)))
    free = choice(f"o{i}" for i in range(len(optional))) if optional else ""
    more = f' (", " {free})*' if free else ""
    body = fixed + more if fixed else f"({free}{more})?" if free else ""
    return "\n".join([f'root ::= "{{" {body} "}}"', *rules, _VALUE])


def _value_of(argument: Argument) -> str:
    if argument.choices:
        return choice([*(literal(json.dumps(_as_value(one))) for one in argument.choices[:40]), '"null"'])
    return "value"


def _as_value(text: str) -> object:
    """A documented choice, which may be written as a Python literal, as the value it stands for."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value if isinstance(value, str | int | None) or _is_finite(value) else text


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def read_values(text: str) -> dict[str, object]:
    """The values in what the model wrote; empty when it is no JSON object. Null means that nothing was said.

    Neither do numbers that cannot be written in a call: infinite ones, and those that are none.
    """
    try:
        values = json.loads(text, parse_constant=lambda _: None, parse_float=_number)
    except (ValueError, RecursionError):
        return {}
    return {name: value for name, value in values.items() if value is not None} if isinstance(values, dict) else {}


def _number(text: str) -> float | None:
    return float(text) if math.isfinite(float(text)) else None


def filled_call(record: ApiRecord, values: Mapping[str, object]) -> tuple[str, list[str]]:
    """The Python call with `values`, and the blanks that are left: upper-case names for what nobody has said.

    What the record's call gives stays, unless it is a documented default; so does how it gives it, by place or by name.
    """
    node = _call(record.api_call)
    if node is None:
        return record.api_call, []
    said = {name: repr(value) for name, value in values.items()}
    blanks = _blanks(node, [name for name in _open_names(node) if name not in said])
    parts = [*_by_place(node, record, {**said, **blanks}), *_by_name(node, record, {**said, **blanks})]
    return f"{ast.unparse(node.func)}({', '.join(parts)})", list(blanks.values())


def _by_place(node: ast.Call, record: ApiRecord, texts: Mapping[str, str]) -> Iterator[str]:
    for place, value in enumerate(node.args):
        if isinstance(value, ast.Name):
            yield texts[value.id]
        elif isinstance(value, ast.Starred) and isinstance(value.value, ast.Name):
            continue  # any number of further values, none of them needed
        else:
            known = record.api_arguments[place : place + 1]
            source = ast.unparse(value)
            yield next((texts[one.name] for one in known if one.default == source and one.name in texts), source)


def _by_name(node: ast.Call, record: ApiRecord, texts: Mapping[str, str]) -> Iterator[str]:
    """The call's own keywords but those with their default, then what was said of other documented arguments."""
    given = {one.arg: one.value for one in node.keywords if one.arg}
    defaults = {one.name: one.default for one in record.api_arguments}
    for name, value in given.items():
        if isinstance(value, ast.Name):
            yield f"{name}={texts[value.id]}"
        elif ast.unparse(value) != defaults.get(name):
            yield f"{name}={ast.unparse(value)}"
        elif name in texts:
            yield f"{name}={texts[name]}"
    placed = {*_open_names(node), *(one.name for one in record.api_arguments[: len(node.args)]), *given}
    yield from (f"{name}={texts[name]}" for name in texts if name in defaults and name not in placed and _is_name(name))


def _blanks(node: ast.Call, names: Sequence[str]) -> dict[str, str]:
    """An upper-case name for each of `names`, none twice and none that the call already uses."""
    found: dict[str, str] = {}
    taken = {one.id for one in ast.walk(node.func) if isinstance(one, ast.Name)}
    for name in names:
        blank = name.upper() if name.upper().isupper() and name.upper().isidentifier() else f"VALUE_{len(found) + 1}"
        while blank in taken:
            blank += "_VALUE"
        found[name] = blank
        taken.add(blank)
    return found
