"""The shape of the house, kept by tests: imports point down, every effect has its door, functions stay short."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
PACKAGE = REPO / "gorilla_cli"
FILES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "base", "smart", "super"}
FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "extractall", "pickle.load", "pickle.loads", "compile"}
UNPICKLERS = {"pickle", "shelve", "marshal", "dill", "joblib"}
# module or attribute that gives an effect -> where it may be used, as patterns over the path below the package.
DOORS = {
    "network": (
        (
            "socket",
            "urllib.request",
            "http.client.HTTPConnection",
            "http.client.HTTPSConnection",
            "httpx",
            "requests",
            "huggingface_hub",
            "ssl",
            "ftplib",
        ),
        r"backends/download\w*\.py|executors/http\w*\.py",
    ),
    "process": (
        ("subprocess", "multiprocessing", "pty", "os.exec", "os.fork", "os.spawn", "os.posix_spawn"),
        # wheels starts pip; pages are rendered by man in `sources`, bash -n runs in `syntax`; in `bench`, systems
        # starts another program that is measured, sandbox what was proposed.
        r"executors/\w+\.py|sources/(man\w*|python_package)\.py|verifiers/(parser|syntax)\.py|backends/(download\w*|wheels)\.py"
        r"|bench/(sandbox|systems)\.py",
    ),
    "terminal": (("termios", "tty", "prompt_toolkit", "curses"), r"terminal\.py"),
    "environment": (("os.environ", "os.getenv", "os.getcwd"), r"cli/\w+\.py|config\.py|__main__\.py"),
}
HEAVY = {"numpy", "llama_cpp", "torch", "transformers", "rich", "prompt_toolkit", "huggingface_hub", "tree_sitter"}
HEAVY |= {"tree_sitter_bash", "rank_bm25", "tomlkit", "asyncio"}
# Files that are themselves only imported inside functions, or run as a program of their own.
LAZY = {"verifiers/parse_child.py", "retrieval/bm25.py"}


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a chain of attributes; a chain on something else than a name keeps its last part."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def imported(tree: ast.AST) -> set[str]:
    """Every module that is imported, and `module.name` for names imported from one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def used(tree: ast.AST) -> set[str]:
    return imported(tree) | {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def begins(name: str, prefixes: tuple[str, ...]) -> bool:
    """`os.exec` stands for all of its family; a module stands for itself and what is in it."""
    return any(name == one or name.startswith(one + ".") for one in prefixes) or any(
        one.startswith("os.") and name.startswith(one) for one in prefixes
    )


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_imports_only_point_down(capsys, monkeypatch):
    from importlinter.cli import lint_imports

    monkeypatch.chdir(REPO)
    code = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("door", DOORS)
def test_every_effect_has_its_door(door):
    what, where = DOORS[door]
    outside = {
        f"{name_of(file)} uses {name}"
        for file in FILES
        if not re.fullmatch(where, name_of(file))
        for name in used(tree_of(file))
        if begins(name, what)
    }
    assert outside == set()


def test_only_the_session_makes_an_approved():
    makers = {
        name_of(file)
        for file in FILES
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "Approved"
    }
    assert makers == {"session.py"}


def test_nothing_is_run_through_a_shell_string_unpickled_or_evaluated():
    found = [
        f"{name_of(file)}:{node.lineno} {ast.unparse(node)[:80]}"
        for file in FILES
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call) and (_is_forbidden(dotted(node.func)) or _has_shell(node))
    ]
    assert found == []
    assert {
        name_of(file) for file in FILES if imported(tree_of(file)) & {"pickle", "shelve", "marshal", "dill"}
    } == set()


def _is_forbidden(name: str) -> bool:
    return name in FORBIDDEN_CALLS or name.split(".")[-1] == "extractall"


def _has_shell(call: ast.Call) -> bool:
    return any(word.arg == "shell" and not _is_false(word.value) for word in call.keywords) and "subprocess" in dotted(
        call.func
    )


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_heavy_libraries_are_imported_inside_functions():
    top = {
        f"{name_of(file)} imports {name}"
        for file in FILES
        if name_of(file) not in LAZY
        for node in tree_of(file).body
        for name in imported(ast.Module([node], []) if isinstance(node, ast.Import | ast.ImportFrom) else ast.Module())
        if name.split(".")[0] in HEAVY
    }
    assert top == set()


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_file_says_what_it_is_for_and_stays_short(file):
    lines = file.read_text(encoding="utf-8").count("\n")
    assert ast.get_docstring(tree_of(file)), "no module docstring"
    assert lines <= 400


def test_functions_stay_short():
    lengths = sorted(node.end_lineno - node.lineno + 1 for file in FILES for node in functions(tree_of(file)))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 30


def test_public_functions_and_classes_are_documented():
    bare = [
        f"{name_of(file)}: {node.name}"
        for file in FILES
        for node in tree_of(file).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and node.name != "main"
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and node.end_lineno - node.lineno > 6
    ]
    assert bare == []


def test_no_name_is_one_that_says_nothing():
    named = {
        f"{name_of(file)}: {name}"
        for file in FILES
        for name in (file.stem, *_defined(tree_of(file)))
        if FORBIDDEN & {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    }
    assert named == set()


def _defined(tree: ast.AST) -> list[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node.name for node in ast.walk(tree) if isinstance(node, kinds)]


def test_the_console_script_exists():
    import tomllib

    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"gorilla": "gorilla_cli.__main__:main"}
