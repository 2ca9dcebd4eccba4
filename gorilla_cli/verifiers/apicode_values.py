"""What an expression of a proposed program may mean, and how text is put together from known parts. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MOST = 8  # meanings of one expression; more are "anything"
LONGEST_TEXT = 4096
HOLE = "\ufffd"  # stands for the unknown part of a text


@dataclass(frozen=True)
class Const:
    """A value written in the program. Texts may have a HOLE."""

    value: object
    kind: str = ""  # keeps True apart from 1


@dataclass(frozen=True)
class Ref:
    """A module, or something in one, by its full name."""

    path: str


@dataclass(frozen=True)
class Made:
    """What a call of `path` gave. `text` is the path it stands for, of a pathlib.Path with a known one."""

    path: str
    text: str | None = None


@dataclass(frozen=True)
class Local:
    """A function or class of the program itself, by its place in the table of the reader."""

    number: int


@dataclass(frozen=True)
class Anything:
    """Nothing is known."""


@dataclass(frozen=True)
class Bound:
    """An attribute of something: its method `name`, or data."""

    owner: Const | Made | Local | Anything
    name: str


Atom = Const | Ref | Made | Local | Anything | Bound
ANYTHING = Anything()


@dataclass(frozen=True)
class Value:
    """All that an expression may mean; `taint`: what has gone into it ("file", "secret", "network")."""

    atoms: frozenset[Atom] = frozenset()
    taint: frozenset[str] = frozenset()

    def __or__(self, other: Value) -> Value:
        return value(self.atoms | other.atoms, self.taint | other.taint)

    @property
    def texts(self) -> list[str]:
        """The texts it may be, holes included."""
        return [atom.value for atom in self.atoms if isinstance(atom, Const) and isinstance(atom.value, str)]

    @property
    def names(self) -> list[str] | None:
        """The texts it may be when it can be nothing else, without holes; else None."""
        texts = self.texts
        whole = len(texts) == len(self.atoms) and texts and not any(HOLE in text for text in texts)
        return texts if whole else None

    @property
    def paths(self) -> list[str]:
        """The texts and pathlib paths it may be."""
        return self.texts + [atom.text for atom in self.atoms if isinstance(atom, Made) and atom.text is not None]


UNKNOWN = Value(frozenset({ANYTHING}))


def value(atoms: Iterable[Atom], taint: frozenset[str] = frozenset()) -> Value:
    """A value of `atoms`; with too many constants these become "anything", so that reading a loop comes to an end."""
    atoms = frozenset(atoms)
    known = {atom for atom in atoms if isinstance(atom, Const)}
    return Value(atoms - known | {ANYTHING} if len(known) > MOST else atoms, taint)


def constant(what: object) -> Value:
    """The value of a literal."""
    return Value(frozenset({Const(what, type(what).__name__)}))


def made(path: str, taint: frozenset[str] = frozenset(), text: str | None = None) -> Value:
    return Value(frozenset({Made(path, text)}), taint)


def tainted(source: Value, taint: frozenset[str]) -> Value:
    return Value(source.atoms, source.taint | taint)


def as_text(atom: Atom) -> str:
    """The text of an atom inside a longer text; what is not known is a HOLE."""
    if isinstance(atom, Const) and isinstance(atom.value, str | int | float):
        return str(atom.value)
    return (atom.text if isinstance(atom, Made) else None) or HOLE


def combined(parts: list[Value], join: Callable[[list[str]], str]) -> Value:
    """Every text that `join` makes of one meaning of each part."""
    rows: list[list[str]] = [[]]
    for part in parts:
        rows = [[*row, text] for row in rows for text in sorted(set(map(as_text, part.atoms)))][: MOST + 1]
    taint = frozenset().union(*(part.taint for part in parts)) if parts else frozenset()
    texts = {join(row) for row in rows}
    if any(len(text) > LONGEST_TEXT for text in texts) or not texts:
        return Value(UNKNOWN.atoms, taint)
    return value((Const(text, "str") for text in texts), taint)


def sum_of(left: Value, right: Value) -> Value:
    """`left + right`: joined when one of them is text, else unknown."""
    taint = left.taint | right.taint
    if left.texts or right.texts:
        return combined([left, right], "".join)
    return Value(frozenset({Made("builtins.sum")}) if not _anything(left, right) else UNKNOWN.atoms, taint)


def path_of(left: Value, right: Value) -> Value:
    """`left / right` of paths; of anything else a number or array."""
    paths = [atom for atom in left.atoms | right.atoms if isinstance(atom, Made) and atom.path == "pathlib.Path"]
    if not paths:
        return made("builtins.sum", left.taint | right.taint)
    joined = combined([left, right], under)
    return Value(
        frozenset(Made("pathlib.Path", atom.value) for atom in joined.atoms if isinstance(atom, Const)), joined.taint
    )


def under(parts: list[str]) -> str:
    """os.path.join of the parts."""
    path = ""
    for part in parts:
        path = part if part.startswith(("/", "~")) or not path else path.rstrip("/") + "/" + part
    return path


def _anything(*values: Value) -> bool:
    return any(ANYTHING in one.atoms for one in values)


_TEXT_METHODS = {"lower", "upper", "strip", "title", "capitalize", "lstrip", "rstrip", "swapcase", "casefold"}


def text_method(text: str, name: str, args: list[Value]) -> Value:
    """What a method of a known text gives: the folded text where that is simple, else some text."""
    if name in _TEXT_METHODS and not args:
        return constant(getattr(text, name)())  # a fixed set of names
    values = [one.names for one in args]
    if name == "replace" and len(values) == 2 and all(one and len(one) == 1 for one in values):
        return constant(text.replace(values[0][0], values[1][0]))  # type: ignore[index]
    return made("builtins.str", frozenset().union(*(one.taint for one in args)) if args else frozenset())


def sliced(text: str, node: ast.Slice) -> Value:
    """A slice of a known text, when its bounds are literals."""
    try:
        bounds = [None if part is None else ast.literal_eval(part) for part in (node.lower, node.upper, node.step)]
        return constant(text[slice(*bounds)])
    except (ValueError, TypeError):
        return UNKNOWN


def as_data(atom: Atom) -> Const | Ref | Made | Local | Anything:
    """The atom, taken as data when it is an attribute: of the same origin as its owner."""
    if not isinstance(atom, Bound):
        return atom
    return Made(atom.owner.path) if isinstance(atom.owner, Made) else ANYTHING


def element(what: Value) -> Value:
    """What going through a value gives."""
    atoms: set[Atom] = set()
    for atom in map(as_data, what.atoms):
        if isinstance(atom, Const):
            atoms.add(Made("builtins.str") if isinstance(atom.value, str) else ANYTHING)
        else:
            atoms.add(Made(atom.path) if isinstance(atom, Made) else ANYTHING)
    return value(atoms or {Anything()}, what.taint)


def is_bytes(what: Value) -> bool:
    return any(isinstance(atom, Const) and isinstance(atom.value, bytes) for atom in what.atoms)
