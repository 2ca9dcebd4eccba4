"""The child that imports a Python package and prints what may be called in it, one JSON object per line.

It is started by file name in an interpreter of the user's choice, so it imports nothing of ours and nothing but the
standard library. Importing runs the package's own code: whatever that prints, raises or never ends stays in here.
It calls nothing of the package and evaluates no text out of its documents.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import importlib
import importlib.metadata
import inspect
import json
import os
import pkgutil
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

MODULES, DEPTH = 300, 4
DOC_LENGTH = 20_000
TEXT_LENGTH = 200
LEFT_OUT = {"test", "tests", "testing", "conftest", "setup", "__main__"}
FILE_BYTES = 16 << 20


class TooLong(BaseException):
    """The time of one import is used up; not an Exception, so that the imported code does not swallow it."""


def limit(memory: int, seconds: int) -> None:
    """Bound address space (bytes), processor time and written files; write no core file; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource
    except ImportError:
        return
    wanted = {"CORE": 0, "AS": memory, "CPU": 2 * seconds, "FSIZE": FILE_BYTES}
    for name, most in wanted.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def answer_stream() -> Any:
    """What was stdout, for us alone: the package's prints go nowhere."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    return stream


def load(name: str, seconds: int) -> types.ModuleType:
    """The imported module. Raises whatever its code raises, TooLong after `seconds`."""

    def stop(_number: int, _frame: object) -> None:
        raise TooLong(f"importing it takes more than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        return importlib.import_module(name)
    finally:
        signal.alarm(0)


def reason(error: BaseException) -> str:
    """What an import ended with, as one short line."""
    text = " ".join(str(error).split())[:TEXT_LENGTH]
    kind = "" if isinstance(error, TooLong) else type(error).__name__
    return ": ".join(part for part in (kind, text) if part)


def modules(top: types.ModuleType, seconds: int, skipped: Callable[[str, str], None]) -> Iterator[types.ModuleType]:
    """`top` and its public submodules, those nearest to it first. `skipped(name, why)` for those that do not import."""
    waiting, count = collections.deque([(top, 0)]), 0
    while waiting:
        module, depth = waiting.popleft()
        yield module
        for name in submodules(module) if depth < DEPTH else ():
            count += 1
            if count > MODULES:
                skipped(name, f"more than {MODULES} submodules")
                return
            try:
                waiting.append((load(name, seconds), depth + 1))
            except BaseException as error:
                skipped(name, reason(error))


def submodules(module: types.ModuleType) -> list[str]:
    """The names of the public modules directly in a package."""
    found = pkgutil.iter_modules(getattr(module, "__path__", ()))
    names = sorted(info.name for info in found if not info.name.startswith("_") and info.name not in LEFT_OUT)
    return [f"{module.__name__}.{name}" for name in names]


def public(module: types.ModuleType, package: str) -> Iterator[tuple[str, Any]]:
    """Name and object of what `module` offers, by name: its `__all__`, else what the package defines and no
    underscore hides.
    """
    listed = getattr(module, "__all__", None)
    names = listed if isinstance(listed, list | tuple) else [name for name in vars(module) if not name.startswith("_")]
    found = []
    for name in (str(name) for name in names if not str(name).startswith("_")):
        with contextlib.suppress(Exception):  # a lazy attribute that needs what is not installed is not there for us
            thing = getattr(module, name)
            if listed is not None or is_own(thing, package):
                found.append((getattr(thing, "__name__", None) != name, name, thing))
    for _, name, thing in sorted(found, key=lambda one: one[:2]):  # aliases last
        yield name, thing


def is_own(thing: Any, package: str) -> bool:
    origin = getattr(thing, "__module__", None)
    return isinstance(origin, str) and (origin == package or origin.startswith(f"{package}."))


def is_call(thing: Any) -> bool:
    """Functions, classes worth an instance, and callables that carry a name, such as cached functions and ufuncs."""
    if inspect.isclass(thing):
        return not issubclass(thing, BaseException | enum.Enum)
    if inspect.ismodule(thing) or type(thing).__module__ == "typing" or not callable(thing):
        return False
    return inspect.isroutine(thing) or isinstance(getattr(thing, "__name__", None), str)


def makers(cls: type) -> Iterator[tuple[str, Any]]:
    """The public class and static methods of `cls` and of its private parents: calls that need no instance."""
    for owner in cls.__mro__:
        if owner is not cls and not owner.__name__.startswith("_"):
            continue
        for name, member in vars(owner).items():
            if not name.startswith("_") and isinstance(member, classmethod | staticmethod):
                yield name, getattr(cls, name)


def parameters(thing: Any) -> list[list[str]] | None:
    """[name, kind, type, default] of each parameter, as source text; None when the signature is not known."""
    try:
        found = list(inspect.signature(thing).parameters.values())
    except Exception:  # a foreign object may raise anything here
        return None
    if inspect.isclass(thing):
        found = [one for place, one in enumerate(found) if place or one.name != "self"]
    return [[one.name, one.kind.name, annotation(one.annotation), default(one.default)] for one in found]


def annotation(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return ""
    return bounded(value if isinstance(value, str) else inspect.formatannotation(value))


def default(value: Any) -> str:
    return "" if value is inspect.Parameter.empty else bounded(repr(value))


def bounded(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else "..."


def documentation(thing: Any) -> str:
    """The docstring of the thing itself, never a parent's; that of `__init__` follows a class's own."""
    if not inspect.isclass(thing):
        return own_doc(thing)
    text = own_doc(vars(thing).get("__doc__"))
    if text.startswith(f"{thing.__name__}("):  # a dataclass or named tuple repeats its signature
        text = ""
    return "\n\n".join(part for part in (text, own_doc(vars(thing).get("__init__"))) if part)


def own_doc(thing: Any) -> str:
    text = thing if isinstance(thing, str) else getattr(thing, "__doc__", None)
    return inspect.cleandoc(text)[:DOC_LENGTH] if isinstance(text, str) else ""


def described(name: str, thing: Any, module: str) -> dict[str, Any]:
    doc, found = documentation(thing), parameters(thing)
    return {"name": name, "module": module, "doc": doc, "parameters": found}


def calls(found: Iterator[types.ModuleType], package: str) -> Iterator[dict[str, Any]]:
    """What is printed for each call, each object once: under its shortest name."""
    seen: dict[int, Any] = {}  # keeps the objects too, so that no number is used twice
    for module in found:
        for name, thing in public(module, package):
            if not name.isidentifier() or id(thing) in seen or not is_call(thing):
                continue
            seen[id(thing)] = thing
            path = f"{module.__name__}.{name}"
            yield described(path, thing, module.__name__)
            if inspect.isclass(thing):
                for maker, method in makers(thing):
                    yield described(f"{path}.{maker}", method, module.__name__)


def facts(package: str, module: types.ModuleType) -> dict[str, Any]:
    """Distribution, version and licence of a package; a module of the standard library has Python's version."""
    names = importlib.metadata.packages_distributions().get(package.split(".")[0], [])
    if not names:
        standard = package.split(".")[0] in sys.stdlib_module_names
        version = "Python {}.{}.{}".format(*sys.version_info) if standard else ""
        return {"distribution": "", "version": version or str(getattr(module, "__version__", "")), "licence": ""}
    try:
        metadata: Any = importlib.metadata.metadata(names[0])
    except importlib.metadata.PackageNotFoundError:  # a folder that is not called as its package is
        metadata = {"Version": getattr(module, "__version__", "")}
    licence = metadata.get("License-Expression") or metadata.get("License") or ""
    return {"distribution": names[0], "version": str(metadata["Version"]), "licence": " ".join(licence.split())[:60]}


def provides(name: str) -> list[str]:
    """The packages that the distribution `name` brings: what PyYAML is imported as."""
    wanted = name.lower().replace("_", "-")
    found = importlib.metadata.packages_distributions().items()
    return sorted(package for package, names in found if wanted in [one.lower().replace("_", "-") for one in names])


def main() -> None:
    package, memory, seconds, each = sys.argv[1], *map(int, sys.argv[2:5])
    limit(memory, seconds)
    out = answer_stream()

    def tell(**values: Any) -> None:
        out.write(json.dumps(values) + "\n")
        out.flush()

    try:
        top = load(package, each)
    except BaseException as error:
        tell(kind="failed", why=reason(error), provides=provides(package))
        os._exit(0)
    tell(kind="package", **facts(package, top))
    try:
        walked = modules(top, each, lambda name, why: tell(kind="skipped", name=name, why=why))
        for call in calls(walked, package):
            tell(kind="call", **call)
        tell(kind="end")
    except BaseException as error:
        tell(kind="skipped", name=package, why=reason(error))
    os._exit(0)  # not through the package's exit hooks and threads


if __name__ == "__main__":
    main()
