"""Reads a proposed Python program: its functions, classes and statements, again and again until nothing new is learnt.

So no order of statements can hide what something is. Expressions are read by apicode_expressions.
"""

from __future__ import annotations

import ast

from gorilla_cli.types import Level
from gorilla_cli.verifiers.apicode_expressions import ExpressionReader
from gorilla_cli.verifiers.apicode_scope import bound_before_use, fixed_dictionaries, is_dictionary, stored
from gorilla_cli.verifiers.apicode_values import UNKNOWN, Local, Ref, Value, made

PASSES = 24


class Unstable(Exception):
    """The program was still teaching something new after all passes."""


class Reader(ExpressionReader):
    """Reads whole programs."""

    def read(self, tree: ast.Module) -> None:
        """Read all of it, as often as needed. Raises Unstable, RecursionError."""
        self._bound = bound_before_use(tree)
        self._dictionaries = fixed_dictionaries(tree)
        for _ in range(PASSES):
            self.complaints.clear()
            self._learnt = False
            for statement in tree.body:
                self.visit(statement)
            if not self._learnt:
                return
        raise Unstable

    # calls, functions, classes

    def visit_Call(self, node: ast.Call) -> Value:
        return self.calls.judge(self, node)

    def function(self, number: int) -> ast.AST:
        return self.locals[number]

    def enter(self, number: int, args: list[Value], keywords: dict[str, Value]) -> Value:
        """Hand arguments to a function of the program; what it may return."""
        node = self.locals[number]
        if isinstance(node, ast.ClassDef):
            return made("class")
        arguments = node.args  # type: ignore[attr-defined]
        names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        for name, what in [*zip(names, args, strict=False), *keywords.items()]:
            self._learn(self._names, name, what)
        return self._returns.get(number, Value()) | made("returned")

    def _local(self, node: ast.AST) -> int:
        if id(node) not in self._numbers:
            self._numbers[id(node)] = len(self.locals)
            self.locals.append(node)
        return self._numbers[id(node)]

    def _parameters(self, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for one in (*every, arguments.vararg, arguments.kwarg):
            if one is not None:
                self.used(one.annotation)
                given = self.rules.names["given"].search(one.arg)
                self._learn(self._names, one.arg, made("given") if given or one.arg == "self" else UNKNOWN)
        positional = [*arguments.posonlyargs, *arguments.args]
        values = [*zip(reversed(positional), reversed(arguments.defaults), strict=False)]
        for one, default in [*values, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
            if default is not None:
                self._learn(self._names, one.arg, self.used(default))

    def visit_Lambda(self, node: ast.Lambda) -> Value:
        number = self._local(node)
        self._parameters(node.args)
        self._learn(self._returns, number, self.used(node.body))
        return Value(frozenset({Local(number)}))

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        number, outer = self._local(node), self._function
        what = Value(frozenset({Local(number)}))
        self._parameters(node.args)
        self.used(node.returns)
        for decorator in node.decorator_list:
            what |= self.calls.apply(self, decorator, self.visit(decorator), [what])
        self._learn(self._names, node.name, what)
        self._learn(self._attributes, node.name, what)
        self.calls.keyword(self, node.name, what, node)
        self._function = number
        for statement in node.body:
            self.visit(statement)
        self._function = outer

    visit_FunctionDef = visit_AsyncFunctionDef = _define

    def _give(self, node: ast.Return | ast.Yield | ast.YieldFrom) -> Value:
        self._learn(self._returns, self._function, self.used(node.value))
        return UNKNOWN

    visit_Return = visit_Yield = visit_YieldFrom = _give

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        what = Value(frozenset({Local(self._local(node))}))
        for part in [*node.bases, *(word.value for word in node.keywords)]:
            self.used(part)
        for decorator in node.decorator_list:
            self.calls.apply(self, decorator, self.visit(decorator), [what])
        self._learn(self._names, node.name, what)
        for statement in node.body:
            self.visit(statement)
            for name in stored(statement):
                self.escape(self._names.get(name, Value()), statement)
                self._learn(self._attributes, name, self._names.get(name, Value()))

    # statements

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            pair = isinstance(target, ast.Tuple | ast.List) and isinstance(node.value, ast.Tuple | ast.List)
            if pair and len(target.elts) == len(node.value.elts):
                for one, part in zip(target.elts, node.value.elts, strict=True):
                    self.bind(one, self._kept(part))
            else:
                self.bind(target, self._kept(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.used(node.annotation)
        if node.value is not None:
            self.bind(node.target, self._kept(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        old = self.visit(node.target)
        operation = ast.BinOp(node.target, node.op, node.value)
        added = self.visit_BinOp(ast.copy_location(operation, node))
        self.bind(node.target, old | (added if isinstance(node.op, ast.Add) else UNKNOWN))

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.bind(node.target, self._elements(node.iter))
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        endless = isinstance(node.test, ast.Constant) and node.test.value
        leaves = (ast.Break, ast.Return, ast.Raise)
        if endless and not any(isinstance(inner, leaves) for inner in ast.walk(node)):
            self.say(Level.CAUTION, "never ends by itself", node)
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        what = self.used(node.context_expr)
        if node.optional_vars is not None:
            self.bind(node.optional_vars, what)

    def generic_visit(self, node: ast.AST) -> Value:
        if isinstance(node, ast.excepthandler | ast.MatchAs | ast.MatchStar) and node.name:
            self._learn(
                self._names, node.name, UNKNOWN if isinstance(node, ast.pattern) else made("builtins.Exception")
            )
        return super().generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.calls.imported(self, alias.name, node)
            top = alias.name if alias.asname else alias.name.split(".")[0]
            self._learn(self._names, alias.asname or top, Value(frozenset({Ref(self.rules.same(top))})))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        self.calls.imported(self, module, node)
        for alias in node.names:
            if alias.name == "*":
                self._stars.add(module)
                continue
            path = self._member(module, alias.name).path
            self.calls.keep(self, Ref(path), node)
            self._learn(self._names, alias.asname or alias.name, Value(frozenset({Ref(path)})))

    def dictionary(self, node: ast.expr) -> ast.expr | None:
        """The written dictionary that `node` is, through a name that is used for nothing else."""
        if isinstance(node, ast.Name):
            return self._dictionaries.get(node.id)
        return node if is_dictionary(node) else None
