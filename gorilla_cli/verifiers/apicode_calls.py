"""What a call with these arguments deserves: the rule of its callable, then what is special about its arguments.

Only says; the reader keeps what was said. A rule is never weakened by an argument that is not known.
"""

from __future__ import annotations

import ast
import math
import re

from gorilla_cli.types import Level
from gorilla_cli.verifiers.apicode_arguments import KINDS, Args, only, read_variable, sent, set_variable
from gorilla_cli.verifiers.apicode_expressions import HUGE, Place
from gorilla_cli.verifiers.apicode_expressions import ExpressionReader as Reader
from gorilla_cli.verifiers.apicode_rules import CallRule
from gorilla_cli.verifiers.apicode_scope import number_of
from gorilla_cli.verifiers.apicode_values import (
    HOLE,
    UNKNOWN,
    Atom,
    Bound,
    Const,
    Local,
    Made,
    Ref,
    Value,
    combined,
    constant,
    element,
    made,
    tainted,
    text_method,
    under,
)

_FOLDED = {"os.path.join": under, "os.path.expanduser": "".join, "os.path.abspath": "".join, "builtins.str": "".join}
_REACHING = {"builtins.getattr", "builtins.setattr", "builtins.delattr", "builtins.vars"}
_SPREAD_SAFELY = {"builtins.dict", "builtins.print", "builtins.str", "types.SimpleNamespace"}
_FORMAT_REACH = re.compile(r"\{[^}]*__|%\(__")
_SHOWING = ("print", "dir", "isinstance", "hasattr", "callable", "repr", "str", "type", "getattr")
_INSPECTING = {f"builtins.{name}" for name in _SHOWING}
OUT_OF_SIGHT = Args(unknown=True)


class CallJudge:
    """Answers the reader's questions about calls, mentions, imports and entries."""

    # calls

    def judge(self, reader: Reader, node: ast.Call) -> Value:
        """The meaning of a call, after saying what is to be said of it."""
        callee = reader.visit(node.func)
        return self._called(reader, node, callee, self._arguments(reader, node, callee))

    def apply(self, reader: Reader, place: Place, callee: Value, args: list[Value]) -> Value:
        """A call that is not written as one, as by a decorator."""
        return self._called(reader, place, callee, Args(tuple(args)))

    def _called(self, reader: Reader, place: Place, callee: Value, args: Args) -> Value:
        found = Value()
        for atom in callee.atoms:
            found |= self._one(reader, place, atom, args, callee.taint)
        return tainted(found, callee.taint)

    def _one(self, reader: Reader, place: Place, atom: Atom, args: Args, taint: frozenset[str]) -> Value:
        if isinstance(atom, Ref):
            return self._reference(reader, place, atom.path, args)
        if isinstance(atom, Local):
            return reader.enter(atom.number, list(args.positional), dict(args.named))
        if isinstance(atom, Bound):
            return self._method(reader, place, atom, args, taint)
        if isinstance(atom, Made):
            return made(atom.path, args.taint)
        reader.say(Level.CAUTION, f"calls {_shown(place)}, which is not known here", place)
        return Value(UNKNOWN.atoms, args.taint)

    def _arguments(self, reader: Reader, node: ast.Call, callee: Value) -> Args:
        inspecting = bool(callee.atoms) and all(isinstance(a, Ref) and a.path in _INSPECTING for a in callee.atoms)
        positional = []
        for part in node.args:
            what = reader.visit(part)
            if not inspecting:
                reader.escape(what, part)
                self._handed_on(reader, what, node, part)
            positional.append(what)
        named, unknown = [], any(isinstance(part, ast.Starred) for part in node.args)
        for word in node.keywords:
            if word.arg is None:
                more = self._spread(reader, word.value)
                unknown = unknown or more is None
                named += more or []
            else:
                what = reader.used(word.value)
                self._handed_on(reader, what, node, word.value)
                named.append((word.arg, what))
        for name, what in named:
            self.keyword(reader, name, what, node)
        if unknown and any(word.arg is None for word in node.keywords):
            self._unknown_keywords(reader, node, callee)
        return Args(tuple(positional), tuple(named), unknown)

    def _handed_on(self, reader: Reader, what: Value, node: ast.Call, place: Place) -> None:
        """A callable that is an argument may be called by whoever gets it, with the other arguments."""
        for atom in what.atoms:
            if isinstance(atom, Ref) and "." in atom.path and reader.rules.find(atom.path) is None:
                reader.say(Level.CAUTION, f"hands on {atom.path}, which is not known here", place)

    def _spread(self, reader: Reader, node: ast.expr) -> list[tuple[str, Value]] | None:
        """The keywords of `**node`, when they can be told."""
        reader.used(node)
        written = reader.dictionary(node)
        if isinstance(written, ast.Call):
            plain = all(word.arg for word in written.keywords)
            return [(str(word.arg), reader.used(word.value)) for word in written.keywords] if plain else None
        if not isinstance(written, ast.Dict) or None in written.keys:
            return None
        found = []
        for key, item in zip(written.keys, written.values, strict=True):
            names = reader.used(key).names
            if not names:
                return None
            found += [(name, reader.used(item)) for name in names]
        return found

    def _unknown_keywords(self, reader: Reader, node: ast.Call, callee: Value) -> None:
        paths = [atom.path for atom in callee.atoms if isinstance(atom, Ref) and atom.path not in _SPREAD_SAFELY]
        rules = [self._rule(reader, path) for path in paths]
        if isinstance(node.func, ast.Attribute) and node.func.attr in reader.rules.methods:
            rules.append(reader.rules.methods[node.func.attr])
        if any(rule is None or rule.level > Level.INFO or rule.kind or rule.positions for rule in rules):
            reader.say(Level.DANGEROUS, f"gives {_shown(node)} arguments that cannot be told", node)
        elif paths:
            reader.say(Level.CAUTION, f"gives {_shown(node)} arguments that cannot be told", node)

    # what is called by its full name

    def _reference(self, reader: Reader, place: Place, path: str, args: Args) -> Value:
        if path in _REACHING or path == "importlib.import_module":
            return self._reach(reader, place, path, args)
        rule = self._rule(reader, path)
        if reader.rules.names["reserving"].search(path) and _reserved(place) > HUGE * 100:
            reader.say(Level.DANGEROUS, f"{path} fills the memory", place)
        if rule is None:
            reader.say(Level.CAUTION, f"calls {path}, which is not known here", place)
            return made(path, args.taint)
        self._weigh(reader, place, path, rule, args)
        taint = args.taint | self._taint(reader, rule, args)
        if path == "pathlib.Path.home":
            return made("pathlib.Path", taint, "~")
        if path == "pathlib.Path":
            return _path(args, taint)
        if path in _FOLDED and args.positional and not args.unknown:
            return tainted(combined(list(args.positional), _FOLDED[path]), taint)
        if path == "builtins.chr":
            return Value(UNKNOWN.atoms, taint)
        return made(path, taint)

    def _rule(self, reader: Reader, path: str) -> CallRule | None:
        """The rule of a full name: a method's, where only its module is known."""
        rule = reader.rules.find(path)
        last = path.rpartition(".")[2]
        known = reader.rules.methods.get(last)
        if rule is not None and not rule.whole:
            plain = rule.kind == "hub" and path != rule.path and known is not None and known.level == Level.INFO
            return known if plain else rule
        return known if known is not None and known.level > Level.INFO and "." in path else rule

    def _weigh(self, reader: Reader, place: Place, path: str, rule: CallRule, args: Args) -> None:
        """Say what a rule says of these arguments."""
        reader.say(rule.level, f"{path} {rule.why}", place)
        for name, index in rule.positions.items():
            given = args.positional[index] if index < len(args.positional) else None
            if given is not None:
                self.keyword(reader, name, given, place)
            elif args.unknown:
                reader.say(Level.DANGEROUS, f"{path} gets arguments that cannot be told", place)
        for name, values in rule.needs.items():
            given = args.get(rule.positions.get(name, -1), name)
            if given is None or not only(given, tuple(values)):
                reader.say(Level.DANGEROUS, f"{path} without {name}={values[0]!r} may run code from the file", place)
        if rule.kind:
            KINDS[rule.kind](reader, place, path, args)

    def _taint(self, reader: Reader, rule: CallRule, args: Args) -> frozenset[str]:
        secret = any(reader.rules.paths["secret"].search(path) for path in args.paths)
        network = {"network"} if rule.kind == "network" else set()
        return frozenset({rule.taint} - {""} | ({"secret"} if secret else set()) | network)

    def _reach(self, reader: Reader, place: Place, path: str, args: Args) -> Value:
        """getattr and its like, with names that are written in the program."""
        short = path.rpartition(".")[2]
        if short == "vars":
            bad = not args.positional or any(isinstance(atom, Ref) for atom in args.positional[0].atoms)
            reader.say(Level.DANGEROUS if bad else Level.INFO, "vars reaches into a module by name", place)
            return UNKNOWN
        which = args.get(0 if short == "import_module" else 1, "name")
        names = which.names if which is not None else None
        if not names or args.unknown:
            reader.say(Level.DANGEROUS, f"{short} with a name that is put together at run time", place)
            return UNKNOWN
        if short == "import_module":
            for name in names:
                self.imported(reader, name, place)
            return Value(frozenset(Ref(reader.rules.same(name)) for name in names))
        found = args.positional[2] if len(args.positional) > 2 and short == "getattr" else Value()
        for name in names:
            found |= reader.attribute(args.positional[0], name, place)
        if short != "getattr":
            reader.say(Level.CAUTION, f"{short} changes what a name means", place)
            for atom in found.atoms | (args.positional[2].atoms if len(args.positional) > 2 else frozenset()):
                self.mention(reader, atom, place)
        return found

    # methods of objects

    def _method(self, reader: Reader, place: Place, atom: Bound, args: Args, taint: frozenset[str]) -> Value:
        if isinstance(atom.owner, Const):
            return self._of_constant(reader, place, atom.owner, atom.name, args)
        if isinstance(atom.owner, Made):
            return self._of_made(reader, place, atom.owner, atom.name, args, taint)
        if isinstance(atom.owner, Local):
            return made("returned", args.taint)
        return self._of_unknown(reader, place, atom.name, args, taint)

    def _of_constant(self, reader: Reader, node: Place, atom: Const, name: str, args: Args) -> Value:
        if not isinstance(atom.value, str):
            return made("builtins.str", args.taint)
        if name in ("format", "format_map") and _FORMAT_REACH.search(atom.value):
            reader.say(Level.DANGEROUS, "a format that reaches into the interpreter", node)
        if name == "format":
            return combined([constant(re.sub(r"\{[^{}]*\}.*", HOLE, atom.value, flags=re.DOTALL))], "".join)
        first = node.args[0] if isinstance(node, ast.Call) and node.args else None
        if name == "join" and isinstance(first, ast.List | ast.Tuple):
            return combined([reader.used(part) for part in first.elts], atom.value.join)
        return text_method(atom.value, name, list(args.positional))

    def _of_made(self, reader: Reader, node: Place, atom: Made, name: str, args: Args, taint: frozenset) -> Value:
        path = f"{atom.path}.{name}"
        rule = reader.rules.calls.get(path)
        origin = reader.rules.find(atom.path)
        if atom.path == "pathlib.Path":
            args = Args((Value(frozenset({atom})), *args.positional), args.named, args.unknown)
        if rule is None:
            rule = reader.rules.methods.get(name)
            path = name
        if origin is not None and origin.kind in ("network", "upload") and (rule is None or rule.level == Level.INFO):
            sent(reader, node, name, args)
        if rule is not None:
            self._weigh(reader, node, path, rule, args)
            taint |= self._taint(reader, rule, args)
        elif origin is None and atom.path not in ("given", "class", "returned"):
            reader.say(Level.CAUTION, f"calls {name}, which is not known here", node)
        keep = atom.path == "pathlib.Path" and name in ("expanduser", "resolve", "absolute")
        if atom.path == "pathlib.Path" and name == "joinpath" and args.positional:
            return _path(args, taint)
        return made(atom.path, taint, atom.text if keep else None)

    def _of_unknown(self, reader: Reader, node: Place, name: str, args: Args, taint: frozenset) -> Value:
        rule = reader.rules.methods.get(name)
        if rule is None:
            reader.say(Level.CAUTION, f"calls {name}, which is not known here", node)
        else:
            self._weigh(reader, node, name, rule, args)
        if "network" in taint:
            sent(reader, node, name, args)
        return Value(UNKNOWN.atoms, args.taint)

    # mentions

    def mention(self, reader: Reader, atom: Atom, place: Place) -> None:
        """A name that is handed on: it may be called later, with arguments nobody sees."""
        if isinstance(atom, Bound):
            self._bound(reader, atom, place, Level.CAUTION)
        elif not isinstance(atom, Ref):
            return
        elif reader.rules.is_closed(atom.path):
            reader.say(Level.DANGEROUS, f"hands on the whole module {atom.path}", place)
        elif atom.path in _REACHING:
            reader.say(Level.DANGEROUS, f"{atom.path} is handed on, to be called with names nobody sees", place)
        elif "." in atom.path:
            self._out_of_sight(reader, atom.path, place)

    def _bound(self, reader: Reader, atom: Bound, place: Place, least: Level) -> None:
        """A method that gets a name or is handed on."""
        owner = atom.owner.path if isinstance(atom.owner, Made) else ""
        rule = reader.rules.calls.get(f"{owner}.{atom.name}") or reader.rules.methods.get(atom.name)
        if rule is not None and rule.level >= least and not isinstance(atom.owner, Const):
            reader.say(rule.level, f"{atom.name} {rule.why}", place)

    def _out_of_sight(self, reader: Reader, path: str, place: Place) -> None:
        rule = self._rule(reader, path)
        if rule is None or path in reader.rules.calls and rule.whole:
            return
        if rule.kind == "open":
            reader.say(Level.CAUTION, f"{path} is handed on", place)
        elif rule.kind != "read":
            self._weigh(reader, place, path, rule, OUT_OF_SIGHT if rule.needs or rule.positions else Args())

    def keep(self, reader: Reader, atom: Atom, place: Place) -> None:
        """A name that gets another name: what is refused whatever its arguments is said already here."""
        if isinstance(atom, Bound):
            self._bound(reader, atom, place, Level.DANGEROUS)
        path = atom.path if isinstance(atom, Ref) else ""
        rule = self._rule(reader, path) if "." in path else None
        if rule is not None and rule.level == Level.DANGEROUS and not self._leads_on(reader, path):
            reader.say(rule.level, f"{path} {rule.why}", place)

    def _leads_on(self, reader: Reader, path: str) -> bool:
        """Is it a module in which something is known to be harmless ("os.path")?"""
        return any(other.startswith(path + ".") for other in reader.rules.calls)

    def imported(self, reader: Reader, module: str, place: Place) -> None:
        """An import on its own: what is not known, or is mostly refused, needs a look."""
        path = reader.rules.same(module)
        rule = reader.rules.find(path)
        known = rule is not None or any(other.startswith(path + ".") for other in reader.rules.calls)
        if module.startswith(".") or not known:
            reader.say(Level.CAUTION, f"imports {module}, which is not known here", place)
        elif rule is not None and not rule.kind and path not in ("os", "shutil", "sys", "importlib"):
            reader.say(min(rule.level, Level.CAUTION), f"{module} {rule.why}", place)

    # arguments

    def keyword(self, reader: Reader, name: str, what: Value, place: Place) -> None:
        """An argument, or the entry of a dictionary that may become one."""
        rule = reader.rules.keywords.get(name)
        if rule is not None and not only(what, rule.only):
            reader.say(rule.level, f"{name} {rule.why}", place)

    def store(self, reader: Reader, place: Place, owner: Value, key: Value, what: Value) -> None:
        """`owner[key] = what`."""
        for name in key.texts:
            self.keyword(reader, name, what, place)
        if _is_environ(owner):
            set_variable(reader, place, key)

    def entry(self, reader: Reader, place: ast.Subscript, owner: Value, key: Value) -> Value:
        """`owner[key]`."""
        if _is_environ(owner):
            return read_variable(reader, place, key)
        reader.escape(owner, place)
        return tainted(element(owner), key.taint)


def _is_environ(owner: Value) -> bool:
    return any(isinstance(atom, Ref) and atom.path in ("os.environ", "os.environb") for atom in owner.atoms)


def _path(args: Args, taint: frozenset[str]) -> Value:
    joined = combined(list(args.positional), under) if args.positional else constant("")
    texts = [atom.value if isinstance(atom, Const) else None for atom in joined.atoms]
    return Value(frozenset(Made("pathlib.Path", text if isinstance(text, str) else None) for text in texts), taint)


def _reserved(node: Place) -> int:
    """How many elements the written numbers of a call ask for."""
    args = node.args if isinstance(node, ast.Call) else []
    parts = [part for arg in args for part in (arg.elts if isinstance(arg, ast.Tuple | ast.List) else [arg])]
    return math.prod(max(number_of(part) or 1, 1) for part in parts)


def _shown(place: Place) -> str:
    callee = place.func if isinstance(place, ast.Call) else place
    return ast.unparse(callee)[:60]
