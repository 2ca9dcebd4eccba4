"""Reads the expressions of a proposed Python program: what each may mean, without running any of it.

One table of names for the whole program, whatever the scope, to which meanings are only added. So an alias or a lambda
cannot hide what something is. What is known of the callables is data (apicode_rules); what a call with these arguments
deserves is said by a judge (apicode_calls).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from typing import Any, Protocol

from gorilla_cli.types import Level
from gorilla_cli.verifiers.apicode_rules import CodeRules
from gorilla_cli.verifiers.apicode_scope import is_dunder, number_of
from gorilla_cli.verifiers.apicode_values import (
    ANYTHING,
    UNKNOWN,
    Atom,
    Bound,
    Const,
    Made,
    Ref,
    Value,
    as_data,
    combined,
    constant,
    element,
    is_bytes,
    made,
    path_of,
    sliced,
    sum_of,
    value,
)

HUGE = 10**8
_BUILTINS = frozenset(vars(builtins))
Place = ast.AST
Complaint = tuple[Level, str]


class Judge(Protocol):
    """What the reader asks about calls, mentions, imports and entries; apicode_calls answers."""

    def judge(self, reader: Any, node: ast.Call) -> Value: ...

    def apply(self, reader: Any, place: Place, callee: Value, args: list[Value]) -> Value: ...

    def mention(self, reader: Any, atom: Atom, place: Place) -> None: ...

    def keep(self, reader: Any, atom: Atom, place: Place) -> None: ...

    def keyword(self, reader: Any, name: str, what: Value, place: Place) -> None: ...

    def store(self, reader: Any, place: Place, owner: Value, key: Value, what: Value) -> None: ...

    def entry(self, reader: Any, place: ast.Subscript, owner: Value, key: Value) -> Value: ...

    def imported(self, reader: Any, module: str, place: Place) -> None: ...


class ExpressionReader(ast.NodeVisitor):
    """Meanings of names and expressions; `complaints` maps places to what is said of them.

    `calls` judges; it is given the reader and may ask it for attributes.
    """

    def __init__(self, rules: CodeRules, calls: Judge) -> None:
        self.rules = rules
        self.calls = calls
        self.complaints: dict[Complaint, Place] = {}
        self.locals: list[ast.AST] = []
        self._numbers: dict[int, int] = {}
        self._names: dict[str, Value] = {}
        self._attributes: dict[str, Value] = {}
        self._returns: dict[int, Value] = {}
        self._dictionaries: dict[str, ast.expr] = {}
        self._stars: set[str] = set()
        self._bound: frozenset[str] = frozenset()
        self._learnt = False
        self._function = -1

    def say(self, level: Level, message: str, place: Place) -> None:
        """Keep a complaint, at the call rather than at the name that is called."""
        message = message.removeprefix("builtins.")
        first = self.complaints.get((level, message))
        if level > Level.INFO and (first is None or (isinstance(place, ast.Call) and place.func is first)):
            self.complaints[level, message] = place

    # names

    def _learn(self, table: dict, key: object, what: Value) -> None:
        old = table.get(key, Value())
        new = old | what
        if ANYTHING in old.atoms and new.atoms != old.atoms:  # constants added to "anything" teach nothing
            new = Value(old.atoms | {atom for atom in new.atoms if not isinstance(atom, Const)}, new.taint)
        if new != old:
            table[key] = new
            self._learnt = True

    def _meaning(self, name: str) -> Value:
        known = self._names.get(name, Value())
        if name in self._bound:
            return known
        stars = [Ref(self.rules.same(f"{module}.{name}")) for module in self._stars]
        free = self._free(name, bool(known.atoms))
        return known | value([*stars, *free])

    def _free(self, name: str, bound: bool) -> Iterable[Atom]:
        """What a name means that the program does not bind, or not before every use."""
        names = self.rules.names
        if name in _BUILTINS or name == "__builtins__":
            return [Ref(f"builtins.{name}")]
        if name in names["aliases"] or name in self.rules.modules:
            return [Ref(self.rules.same(names["aliases"].get(name, name)))]
        families = [Ref(f"{module}.{name}") for module, pattern in names["families"] if pattern.search(name)]
        if families or bound:
            return families
        if names["given"].search(name):
            return [Made("given")]
        return [Ref(self.rules.lone[name])] if name in self.rules.lone else [ANYTHING]

    def visit_Name(self, node: ast.Name) -> Value:
        if is_dunder(node.id) and node.id not in self.rules.names["dunders"]:
            self.say(Level.DANGEROUS, f"{node.id} reaches into the interpreter", node)
        return self._sourced(self._meaning(node.id))

    def _sourced(self, what: Value) -> Value:
        """With the taint of what is itself a secret, as the environment is."""
        rules = [self.rules.calls.get(atom.path) for atom in what.atoms if isinstance(atom, Ref)]
        return Value(what.atoms, what.taint | {rule.taint for rule in rules if rule and rule.kind == "environ"})

    def bind(self, target: ast.expr, what: Value) -> None:
        """Store `what` in a target of any form."""
        if isinstance(target, ast.Name):
            self._learn(self._names, target.id, what)
        elif isinstance(target, ast.Attribute):
            self._store_attribute(target, what)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, UNKNOWN)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self.bind(part, element(what))
        elif isinstance(target, ast.Subscript):
            self.escape(what, target)
            self.calls.store(self, target, self.visit(target.value), self.used(target.slice), what)

    def _store_attribute(self, target: ast.Attribute, what: Value) -> None:
        self.escape(what, target)
        self._dunder(target)
        owner = self.visit(target.value)
        if any(isinstance(atom, Ref) for atom in owner.atoms):
            self.say(Level.CAUTION, f"changes {target.attr} of a module for everything after", target)
        self._learn(self._attributes, target.attr, what)

    # what is done with meanings

    def used(self, node: ast.AST | None) -> Value:
        """The meaning of an expression that is handed on: what it refers to may be called out of sight."""
        if node is None:
            return Value()
        what = self.visit(node) or Value()
        self.escape(what, node)
        return what

    def escape(self, what: Value, place: Place) -> None:
        for atom in what.atoms:
            self.calls.mention(self, atom, place)

    def _kept(self, node: ast.expr) -> Value:
        """The meaning of what gets a name: followed by the name, so only what is refused anyway is said."""
        what = self.visit(node)
        for atom in what.atoms:
            self.calls.keep(self, atom, node)
        return what

    def generic_visit(self, node: ast.AST) -> Value:
        taint: frozenset[str] = frozenset()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                taint |= self.used(child).taint
            elif not isinstance(child, ast.expr_context | ast.operator | ast.cmpop | ast.boolop | ast.unaryop):
                self.visit(child)
        return Value(frozenset({ANYTHING}), taint) if isinstance(node, ast.expr) else Value()

    # expressions

    def visit_Constant(self, node: ast.Constant) -> Value:
        return constant(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Value:
        parts = [self.used(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values]
        for part in node.values:
            if isinstance(part, ast.FormattedValue) and part.format_spec:
                self.visit(part.format_spec)
        return combined(parts, "".join) if parts else constant("")

    def visit_Attribute(self, node: ast.Attribute) -> Value:
        self._dunder(node)
        return self.attribute(self.visit(node.value), node.attr, node)

    def _dunder(self, node: ast.Attribute) -> None:
        name = node.attr
        plain = name == "__class__" and isinstance(node.ctx, ast.Load)
        if is_dunder(name) and not plain and name not in self.rules.names["dunders"]:
            self.say(Level.DANGEROUS, f"{name} reaches into the interpreter", node)

    def attribute(self, owner: Value, name: str, place: Place) -> Value:
        """What `owner.name` may mean."""
        atoms = set(self._attributes.get(name, Value()).atoms)
        for atom in map(as_data, owner.atoms):
            if isinstance(atom, Ref):
                atoms.add(self._member(atom.path, name))
            elif self.rules.is_closed(name):
                atoms.add(Ref(self.rules.same(name)))
            else:
                atoms.add(Bound(atom, name))
        if is_dunder(name) and name not in self.rules.names["dunders"] and name != "__class__":
            self.say(Level.DANGEROUS, f"{name} reaches into the interpreter", place)
        found = self._sourced(value(atoms, owner.taint))
        for atom in found.atoms:
            self.calls.keep(self, atom, place)
        return found

    def _member(self, path: str, name: str) -> Ref:
        if self.rules.is_closed(name) and f"{path}.{name}" not in self.rules.calls:
            return Ref(self.rules.same(name))
        return Ref(self.rules.same(f"{path}.{name}"))

    def visit_Subscript(self, node: ast.Subscript) -> Value:
        owner = self.visit(node.value)
        if isinstance(node.slice, ast.Slice) and len(owner.texts) == len(owner.atoms) == 1:
            return sliced(owner.texts[0], node.slice)
        key = self.used(node.slice)
        return self.calls.entry(self, node, owner, key)

    def visit_BinOp(self, node: ast.BinOp) -> Value:
        left, right = self.used(node.left), self.used(node.right)
        self._growth(node, left, right)
        if isinstance(node.op, ast.Add):
            return sum_of(left, right)
        if isinstance(node.op, ast.Div):
            return path_of(left, right)
        if isinstance(node.op, ast.Mod) and left.texts:
            return combined([left], lambda parts: parts[0].split("%")[0] + "\ufffd")
        return made("builtins.sum", left.taint | right.taint)

    def _growth(self, node: ast.BinOp, left: Value, right: Value) -> None:
        numbers = [size for side in (node.left, node.right) if (size := number_of(side)) is not None]
        repeated = isinstance(node.op, ast.Mult) and any(
            isinstance(side, ast.List | ast.Tuple) or texts.texts or is_bytes(texts)
            for side, texts in ((node.left, left), (node.right, right))
        )
        power = isinstance(node.op, ast.Pow | ast.LShift) and (number_of(node.right) or 0) > 10_000
        if power or (repeated and any(size > HUGE for size in numbers)):
            self.say(Level.DANGEROUS, "fills the memory", node)

    def visit_IfExp(self, node: ast.IfExp) -> Value:
        self.used(node.test)
        return self.visit(node.body) | self.visit(node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> Value:
        found = Value()
        for part in node.values:
            found |= self.visit(part)
        return found

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Value:
        what = self._kept(node.value)
        self.bind(node.target, what)
        return what

    def visit_Await(self, node: ast.Await) -> Value:
        return self.visit(node.value)

    def visit_Starred(self, node: ast.Starred) -> Value:
        return self.used(node.value)

    def visit_Dict(self, node: ast.Dict) -> Value:
        taint: frozenset[str] = frozenset()
        for key, item in zip(node.keys, node.values, strict=True):
            what = self.used(item)
            taint |= what.taint
            if key is not None:
                names = self.used(key)
                for name in names.texts:
                    self.calls.keyword(self, name, what, item)
        return Value(frozenset({Made("builtins.dict")}), taint)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        parts = [self.used(part) for part in node.elts]
        return Value(frozenset({Made("builtins.list")}), frozenset().union(*(part.taint for part in parts)))

    visit_List = visit_Tuple = visit_Set = _sequence

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
        for generator in node.generators:
            self._generator(generator)
        return Value(frozenset({Made("builtins.list")}), self.used(node.elt).taint)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = _comprehension

    def visit_DictComp(self, node: ast.DictComp) -> Value:
        for generator in node.generators:
            self._generator(generator)
        taint = self.used(node.key).taint | self.used(node.value).taint
        return Value(frozenset({ANYTHING}), taint)

    def _generator(self, node: ast.comprehension) -> None:
        self.bind(node.target, self._elements(node.iter))
        for test in node.ifs:
            self.used(test)

    def _elements(self, node: ast.expr) -> Value:
        """What going through `node` gives: of a written list its parts, of anything else what it is made of."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            found = Value()
            for part in node.elts:
                found |= self.used(part)
            return found
        return element(self.used(node))
