"""Is a short Python program plainly harmless? Reads its syntax tree, runs nothing. "No" means only "not plainly"."""

from __future__ import annotations

import ast

LONGEST = 2000
MODULES = {
    *("sys", "math", "datetime", "time", "random", "string", "re", "platform", "statistics", "itertools", "calendar"),
    *("collections", "textwrap", "hashlib", "uuid", "decimal", "fractions", "secrets", "unicodedata", "json", "locale"),
}
CALLS = {
    *("print", "len", "range", "str", "int", "float", "sum", "min", "max", "sorted", "abs", "round", "bool", "list"),
    *("dict", "set", "tuple", "enumerate", "zip", "map", "filter", "chr", "ord", "hex", "bin", "oct", "reversed"),
    *("any", "all", "repr", "format", "divmod", "pow", "bytes", "input"),
}
REFUSED = {
    "modules",
    "settrace",
    "setprofile",
    "exit",
    "sleep",
    "path",
    "stdout",
    "stderr",
    "meta_path",
    "load",
    "dump",
}
GROWING = (ast.Mult, ast.Pow, ast.LShift)
NODES = (
    *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.Expr, ast.Call, ast.Name, ast.Attribute, ast.Constant),
    *(ast.keyword, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Subscript, ast.Slice, ast.Starred, ast.JoinedStr),
    *(ast.FormattedValue, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.ListComp, ast.GeneratorExp),
    *(ast.SetComp, ast.DictComp, ast.comprehension, ast.Assign, ast.For, ast.If, ast.Pass, ast.expr_context),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


def harmless(source: str) -> bool:
    """Whether `source` only computes and prints, in a bounded way, with well-known modules."""
    if len(source) > LONGEST:
        return False
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    growing = [node for node in ast.walk(tree) if isinstance(node, GROWING)]
    return len(growing) <= 1 and all(_allowed(node) for node in ast.walk(tree))


def _allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return all(name.name in MODULES for name in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in MODULES and all(name.name not in REFUSED for name in node.names)
    if isinstance(node, ast.Attribute):
        return not node.attr.startswith("_") and node.attr not in REFUSED
    if isinstance(node, ast.Name):
        return not node.id.startswith("_")
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) or (isinstance(node.func, ast.Name) and node.func.id in CALLS)
    if isinstance(node, ast.BinOp):
        return _bounded(node)
    return isinstance(node, NODES)


def _bounded(node: ast.BinOp) -> bool:
    """No number or repetition that fills the memory: powers and products of small constants only."""
    if not isinstance(node.op, GROWING):
        return True
    values = [part.value for part in (node.left, node.right) if isinstance(part, ast.Constant)]
    small = all(
        isinstance(value, str | float) or abs(value) <= 1000 for value in values if not isinstance(value, bytes)
    )
    return small and (isinstance(node.op, ast.Mult) or isinstance(node.right, ast.Constant))
