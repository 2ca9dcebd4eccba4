"""What the arguments of a call add to its rule: files, addresses, repositories, the environment, what is sent away.

One function for each `kind` of apicode.toml. They only say; an argument that is not known never makes a call harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from gorilla_cli.types import Level
from gorilla_cli.verifiers.apicode_expressions import ExpressionReader as Reader
from gorilla_cli.verifiers.apicode_expressions import Place
from gorilla_cli.verifiers.apicode_values import HOLE, UNKNOWN, Const, Made, Ref, Value, constant, made

_READ_MODES = re.compile(r"[rbtU]*")


@dataclass(frozen=True)
class Args:
    """The arguments of one call. `unknown`: there are others that cannot be told."""

    positional: tuple[Value, ...] = ()
    named: tuple[tuple[str, Value], ...] = ()
    unknown: bool = False

    def get(self, position: int, *names: str) -> Value | None:
        found = [what for name, what in self.named if name in names]
        if found:
            return found[0]
        return self.positional[position] if 0 <= position < len(self.positional) else None

    @property
    def every(self) -> list[Value]:
        return [*self.positional, *(what for _, what in self.named)]

    @property
    def taint(self) -> frozenset[str]:
        return frozenset().union(*(what.taint for what in self.every)) if self.every else frozenset()

    @property
    def paths(self) -> list[str]:
        return [path for what in self.every for path in what.paths]


def only(what: Value | None, harmless: tuple[object, ...]) -> bool:
    """Can it be nothing but one of these values, of the same type?"""
    allowed = {(type(one).__name__, one) for one in harmless}
    atoms = what.atoms if what is not None else frozenset()
    return bool(atoms) and all(isinstance(atom, Const) and (atom.kind, atom.value) in allowed for atom in atoms)


def _opened(reader: Reader, place: Place, path: str, args: Args) -> None:
    mode = args.get(1, "mode")
    modes = ["r"] if mode is None and not args.unknown else (mode.names if mode is not None else None)
    if modes and all(_READ_MODES.fullmatch(one) for one in modes):
        _read(reader, place, path, args)
    else:
        reader.say(Level.CAUTION, f"{path} opens a file to write", place)
        _written(reader, place, path, args)


def _read(reader: Reader, place: Place, path: str, args: Args) -> None:
    if any(reader.rules.paths["secret"].search(one) for one in args.paths):
        reader.say(Level.CAUTION, f"{path} reads secrets", place)
    _remote(reader, place, path, args)


def _written(reader: Reader, place: Place, path: str, args: Args) -> None:
    guarded = [one for one in args.paths if reader.rules.paths["guarded"].search(one)]
    if guarded:
        reader.say(Level.DANGEROUS, f"{path} changes {guarded[0]}, which is outside the folder or obeyed", place)


def _remote(reader: Reader, place: Place, path: str, args: Args) -> None:
    """An address given to something that reads files: it is fetched."""
    if any(one.startswith(("http://", "https://", "ftp://", "s3://")) for one in args.paths):
        reader.say(Level.CAUTION, f"{path} fetches from the network", place)
        if "secret" in args.taint or "file" in args.taint:
            reader.say(Level.DANGEROUS, f"{path} sends what was read here", place)


def _networked(reader: Reader, place: Place, path: str, args: Args) -> None:
    sent(reader, place, path, args)
    if any("169.254.169.254" in one or "metadata.google" in one for one in args.paths):
        reader.say(Level.DANGEROUS, f"{path} asks a cloud machine for its credentials", place)
    if any(one.startswith("file:") for one in args.paths):
        reader.say(Level.CAUTION, f"{path} reads a file by address", place)


def sent(reader: Reader, place: Place, path: str, args: Args) -> None:
    """Say so when something that was read on this machine leaves it."""
    if args.taint & {"secret", "file"}:
        reader.say(Level.DANGEROUS, f"{path} sends what was read here", place)


def _hub(reader: Reader, place: Place, path: str, args: Args) -> None:
    for text in args.paths:
        if "://" in text and not _on_known_host(reader, text):
            reader.say(Level.DANGEROUS, f"{path} loads from {_host(text)}, which is no model hub", place)
        if text.endswith(".py"):
            reader.say(Level.DANGEROUS, f"{path} runs the script {text}", place)
    for name, what in args.named:
        if name.endswith(("_dir", "_folder")):
            _written(reader, place, path, Args((what,)))
        if name not in ("token", "use_auth_token", "auth_token") and "secret" in what.taint:
            reader.say(Level.DANGEROUS, f"{path} sends what was read here", place)
    if any("secret" in what.taint for what in args.positional):
        reader.say(Level.DANGEROUS, f"{path} sends what was read here", place)


def _repository(reader: Reader, place: Place, path: str, args: Args) -> None:
    source = args.get(-1, "source")
    if source is not None and source.names == ["local"]:
        return
    repo = args.get(0, "repo_or_dir", "github")
    names = repo.names if repo is not None and source is None or only(source, ("github",)) else None
    for name in names if repo is not None and names else [""]:
        owner, _, rest = name.partition("/")
        pinned = re.fullmatch(r"[\w.-]+:[0-9a-f]{40}", rest)
        if not rest or (owner not in reader.rules.names["owners"] and not pinned):
            reader.say(Level.DANGEROUS, f"{path} runs code of {name or 'an unknown repository'}, unpinned", place)


def _uploaded(reader: Reader, place: Place, path: str, args: Args) -> None:
    tables = reader.rules.paths
    private = [one for one in args.paths if tables["secret"].search(one) or tables["private"].search(one)]
    if private or "secret" in args.taint:
        reader.say(Level.DANGEROUS, f"{path} sends {private[0] if private else 'secrets'}", place)


def _environment(reader: Reader, place: Place, path: str, args: Args) -> None:
    if path.startswith("os.getenv") and args.positional:
        read_variable(reader, place, args.positional[0])
        return
    method = path.rpartition(".")[2]
    if method in ("get", "pop", "setdefault") and args.positional:
        read_variable(reader, place, args.positional[0])
        if method != "get":
            set_variable(reader, place, args.positional[0])
    elif method in ("update", "clear", "popitem"):
        for name, _ in args.named or (("", Value()),):
            set_variable(reader, place, constant(name))
    else:
        reader.say(Level.CAUTION, "reads the environment, which may hold secrets", place)


def _set_environment(reader: Reader, place: Place, path: str, args: Args) -> None:
    set_variable(reader, place, args.positional[0] if args.positional else UNKNOWN)


def _yaml(reader: Reader, place: Place, path: str, args: Args) -> None:
    loader = args.get(1, "Loader")
    safe = {Ref(f"yaml.{name}") for name in ("SafeLoader", "CSafeLoader", "BaseLoader")}
    if loader is None or not loader.atoms <= safe:
        reader.say(Level.DANGEROUS, f"{path} without a safe loader may run code from the text", place)


def _text(reader: Reader, place: Place, path: str, args: Args) -> None:
    """A small language of its own (pandas): its text must be seen, and must not reach out of it."""
    for what in args.positional[:1]:
        if any("__" in text or "@" in text for text in what.texts):
            reader.say(Level.DANGEROUS, f"{path} of a text that reaches into the program", place)
        elif any(not isinstance(atom, Const | Made) for atom in what.atoms) or HOLE in "".join(what.texts):
            reader.say(Level.CAUTION, f"{path} of a text that is not known", place)


def _sql(reader: Reader, place: Place, path: str, args: Args) -> None:
    for text in args.positional[0].texts if args.positional else []:
        if re.search(r"\b(drop|truncate|delete|attach|alter)\b", text, re.IGNORECASE):
            reader.say(Level.DANGEROUS, f"{path} deletes from a database", place)


def set_variable(reader: Reader, place: Place, key: Value) -> None:
    """Say what setting the variable of the environment called `key` deserves."""
    for name in key.names or [""]:
        if reader.rules.names["obeyed"].search(name):
            reader.say(Level.DANGEROUS, f"sets {name}, which other programs and libraries obey", place)
        elif not reader.rules.names["variables"].search(name):
            reader.say(Level.CAUTION, f"sets the variable {name or '(unknown)'}", place)


def read_variable(reader: Reader, place: Place, key: Value) -> Value:
    """The value of a variable of the environment, after saying whether it may be a secret."""
    if key.names == ["HOME"]:
        return constant("~")
    ordinary = bool(key.names) and all(
        reader.rules.names["ordinary"].search(name) or reader.rules.names["variables"].search(name)
        for name in key.names or ()
    )
    reader.say(Level.INFO if ordinary else Level.CAUTION, "reads the environment, which may hold secrets", place)
    return made("builtins.str", frozenset({"secret"}))


def _host(text: str) -> str:
    try:
        return urlsplit(text).hostname or "an unknown host"
    except ValueError:
        return "an unknown host"


def _on_known_host(reader: Reader, text: str) -> bool:
    return text.startswith("https://") and HOLE not in _host(text) and _host(text) in reader.rules.names["hosts"]


KINDS: dict[str, Callable[[Reader, Place, str, Args], None]] = {
    "open": _opened,
    "read": _read,
    "write": _written,
    "network": _networked,
    "hub": _hub,
    "repository": _repository,
    "upload": _uploaded,
    "environ": _environment,
    "setenv": _set_environment,
    "yaml": _yaml,
    "text": _text,
    "sql": _sql,
}
