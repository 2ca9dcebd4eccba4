"""Facts about a program's text that need no meanings: what is bound where, and how large its numbers are. Pure."""

from __future__ import annotations

import ast


def is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and len(name) > 4


def number_of(node: ast.expr) -> int | None:
    """The size of a written number, of a power of two small ones too."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return int(min(abs(node.value), 1e18))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.Mult | ast.LShift):
        left, right = number_of(node.left), number_of(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return min(left * right, 10**18)
        return min(left ** min(right, 60) if isinstance(node.op, ast.Pow) else left << min(right, 60), 10**18)
    return None


def stored(statement: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    aliases = [node for node in ast.walk(statement) if isinstance(node, ast.alias)]
    return names | {(alias.asname or alias.name).split(".")[0] for alias in aliases}


def bound_before_use(tree: ast.Module) -> frozenset[str]:
    """Names that a plain statement of the module binds before anything mentions them, and that nothing deletes."""
    seen: set[str] = set()
    bound: set[str] = set()
    for statement in tree.body:
        mentioned = {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)
        }
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = mentioned - {statement.name} if isinstance(statement, ast.FunctionDef) else mentioned
            bound |= {statement.name} - seen - inside
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom):
            bound |= stored(statement) - seen - mentioned
        seen |= mentioned
    deleted = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)}
    return frozenset(bound - deleted)


def is_dictionary(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args
    return isinstance(node, ast.Dict) or called


def fixed_dictionaries(tree: ast.Module) -> dict[str, ast.expr]:
    """Names bound once, to a written dictionary, and used only as `**name`."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    spread = [
        word.value for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords if not word.arg
    ]
    once: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            uses = [other for other in every if other.id == name and other is not node.targets[0]]
            if is_dictionary(node.value) and all(any(other is part for part in spread) for other in uses):
                once[name] = node.value
    parameters = {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}
    return {name: node for name, node in once.items() if name not in parameters}
