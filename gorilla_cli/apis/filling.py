"""The arguments that a documented call leaves open: which they are, a grammar for their values, the call with them.

The model writes values only, as JSON under a grammar of the documented names; the call is put together here, so that
nothing undocumented can get into it. Pure.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence

from gorilla_cli.backends.grammar import choice, literal
from gorilla_cli.types import ApiRecord, Argument

MOST_OPTIONAL = 8
_VALUE = r"""value ::= string | number | "true" | "false" | "null" | list
string ::= "\"" ([^"\\\n] | "\\" ["\\/nt])* "\""
number ::= "-"? [0-9]+ ("." [0-9]+)?
list ::= "[" item (", " item)* "]"
item ::= string | number
"""


def open_arguments(record: ApiRecord) -> list[Argument]:
    """The documented arguments of `record` that its call leaves to the request: none where it loads one fixed thing."""
    if record.kind == "http":
        return list(record.api_arguments)
    left = _bare_names(record.api_call)
    if not left:
        return []
    by_name = {one.name: one for one in record.api_arguments}
    asked = [by_name.get(name, Argument(name, required=True)) for name in left]
    return asked + [one for one in record.api_arguments if one.name not in left and one.name.isidentifier()]


def _bare_names(call: str) -> list[str]:
    """The names that stand for a value in a Python call: `obj` in json.dumps(obj)."""
    try:
        node = ast.parse(call.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    if not isinstance(node, ast.Call):
        return []
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    return [value.id for value in values if isinstance(value, ast.Name)]


def values_grammar(arguments: Sequence[Argument]) -> str:
    """A grammar for a JSON object with each required argument and any of the first optional ones. GBNF."""
    required = [one for one in arguments if one.required]
    optional = [one for one in arguments if not one.required][:MOST_OPTIONAL]
    rules = [f"a{i} ::= {literal(json.dumps(one.name) + ': ')} {_value_of(one)}" for i, one in enumerate(required)]
    rules += [f"o{i} ::= {literal(json.dumps(one.name) + ': ')} {_value_of(one)}" for i, one in enumerate(optional)]
    fixed = ' ", " '.join(f"a{i}" for i in range(len(required)))
    free = choice(f"o{i}" for i in range(len(optional))) if optional else ""
    more = f' (", " {free})*' if free else ""
    body = fixed + more if fixed else f"({free}{more})?"
    return f'root ::= "{{" {body} "}}"\n' + "\n".join(rules) + "\n" + _VALUE


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
    return value if isinstance(value, str | int | float | bool | None) else text


def read_values(text: str) -> dict[str, object]:
    """The values in what the model wrote; empty when it is no JSON object. Null means that nothing was said."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {name: value for name, value in values.items() if value is not None} if isinstance(values, dict) else {}


def filled_call(record: ApiRecord, values: Mapping[str, object]) -> tuple[str, list[str]]:
    """The Python call with `values`, and the blanks that are left: upper-case names for what nobody has said."""
    function = record.api_call.partition("(")[0].strip()
    left = _bare_names(record.api_call)
    documented = {one.name for one in record.api_arguments}
    blanks = [_blank(name) for name in left if name not in values]
    parts = [repr(values[name]) if name in values else _blank(name) for name in left]
    parts += [f"{name}={value!r}" for name, value in values.items() if name not in left and name in documented]
    return f"{function}({', '.join(parts)})", blanks


def _blank(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()
