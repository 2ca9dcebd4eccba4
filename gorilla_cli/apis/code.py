"""The complete program around a call: the record's own example where it makes that call, else a template. Pure."""

from __future__ import annotations

import ast
import tomllib
import warnings
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from gorilla_cli.prompts.chat import fill
from gorilla_cli.types import ApiRecord


def complete_code(record: ApiRecord, call: str) -> str:
    """A program that makes `call` and shows its result; an upper-case name bound to `...` is for the person to fill."""
    if record.kind != "python":
        return call
    example = record.example_code.strip()
    if example and _is_python(example) and (adapted := _with_call(example, record.api_call, call)):
        return adapted.rstrip("\n") + "\n"
    return _from_template(record, call)


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


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
    module = function.rpartition(".")[0] or root
    return fill(template, call=call, input=_input_of(record), root=root, package=package, module=module)


def _input_of(record: ApiRecord) -> str:
    about = f"{record.domain} {record.functionality}".lower()
    return next(name for word, name in _data()["inputs"] if word in about)
