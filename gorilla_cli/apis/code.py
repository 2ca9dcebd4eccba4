"""The complete program around a call: the record's own example where it makes that call, else a template. Pure."""

from __future__ import annotations

import ast
import builtins
import tomllib
import warnings
from fnmatch import fnmatchcase
from functools import cache
from itertools import takewhile
from pathlib import Path

from gorilla_cli.prompts.chat import fill
from gorilla_cli.types import ApiRecord


def complete_code(record: ApiRecord, call: str) -> str:
    """A program that makes `call` and shows its result; an upper-case name bound to `...` is for the person to fill.

    The record's own example is for its own call only, as its other lines may go with the values in there.
    """
    if record.kind != "python":
        return call
    example = record.example_code.strip() if call == record.api_call else ""
    if example and _tree(example) and (adapted := _with_call(example, record.api_call, call)):
        return adapted.rstrip("\n") + "\n"
    return _from_template(record, call)


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _with_call(example: str, documented: str, call: str) -> str:
    """`example` with the call that loads the same thing replaced by `call`; "" when it makes no such call."""
    wanted = _loads(documented)
    found = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Call)]
    for node in found:
        if wanted and _loads(ast.unparse(node)) == wanted:
            source = ast.get_source_segment(example, node)
            return example.replace(source, call, 1) if source else ""
    return ""


def _loads(call: str) -> tuple[str, frozenset[str]] | None:
    """The function of a call and the texts in it: what it loads, however its arguments are written."""
    try:
        node = ast.parse(call.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.Call):
        return None
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    texts = frozenset(one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str))
    return ast.unparse(node.func), texts


@cache
def _data() -> dict:
    return tomllib.loads((Path(__file__).parent / "code.toml").read_text(encoding="utf-8"))


def _from_template(record: ApiRecord, call: str) -> str:
    function = call.partition("(")[0].strip()
    root = function.partition(".")[0]
    template = next(
        one["code"] for one in _data()["templates"] if any(fnmatchcase(function, pattern) for pattern in one["calls"])
    )
    package = next(
        name for name, patterns in _data()["packages"].items() if any(fnmatchcase(root, one) for one in patterns)
    )
    module = _module(record, function)
    if not module:
        return call + "\n"
    return fill(template, call=call, input=_input_of(record), root=root, package=package, module=module)


def _module(record: ApiRecord, function: str) -> str:
    """What must be imported for `function`: what the record's example imports, else all but the class and the name."""
    tree = _tree(record.example_code)
    names = (
        [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names] if tree else []
    )
    if imported := [name for name in names if function.startswith(f"{name}.")]:
        return max(imported, key=len)
    if "." not in function:
        return "" if hasattr(builtins, function) else function
    parts = function.split(".")[:-1]
    return ".".join(parts[:1] + list(takewhile(lambda part: not part[:1].isupper(), parts[1:])))


def _input_of(record: ApiRecord) -> str:
    about = f"{record.domain} {record.functionality}".lower()
    return next(name for word, name in _data()["inputs"] if word in about)
