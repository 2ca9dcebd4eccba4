"""The program that runs an approved Python call in a process of its own: limits, run, print the result.

Started by file name with `python -I -B`, possibly another Python than gorilla's: it imports nothing of ours and must
stay within what Python 3.9 knows. It gets its order as JSON over a file descriptor. It decides nothing: what runs here
was approved, and what holds it was chosen, by the parent.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.util
import io
import json
import os
import re
import sys

RESULT = "__result__"
WIDEST = 60
MOST_NUMBERS = 64
MOST_TEXT = 20_000


class NetworkRefused(PermissionError):
    """The program wanted the network, which was not agreed to."""


class Shown(io.TextIOBase):
    """A text stream that spells out control characters, so that the result cannot drive the terminal."""

    def __init__(self, stream, control, keep=""):
        self._stream, self._control, self._keep = stream, control, keep
        self.used = False

    def write(self, text):
        self.used = self.used or bool(text.strip())
        self._stream.write(self._control.sub(self._spell, text))
        return len(text)

    def _spell(self, match):
        return match[0] if match[0] in self._keep else ascii(match[0])[1:-1]

    def flush(self):
        self._stream.flush()

    def fileno(self):
        return self._stream.fileno()

    def isatty(self):
        return self._stream.isatty()

    def writable(self):
        return True

    @property
    def encoding(self):
        return self._stream.encoding


class ApprovedLoader(importlib.abc.InspectLoader):
    """Loads the approved text as the module `__main__`; the value of its last expression is kept under RESULT."""

    def __init__(self, text):
        self._text = text

    def get_source(self, fullname):
        return self._text

    def is_package(self, fullname):
        return False

    def get_code(self, fullname):
        tree = ast.parse(self._text, "<approved>")
        return self.source_to_code(keeping_result(tree), "<approved>")


def keeping_result(tree):
    """The same program, with the value of its last expression bound to RESULT as well."""
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        kept = ast.Assign([ast.Name(RESULT, ast.Store())], last.value)
        tree.body[-1] = ast.copy_location(kept, last)
    elif isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        last.targets.append(ast.copy_location(ast.Name(RESULT, ast.Store()), last.targets[0]))
    return ast.fix_missing_locations(tree)


def limit(limits):
    """Set the limits that the parent chose; the program cannot raise them again."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, most in limits.items():
        kind = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def die_with_parent():
    """Ask Linux to end this process when gorilla ends, however that comes about."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)


def refuse_network(event, args):
    """An audit hook, which cannot be taken off: no address is looked up or connected to."""
    wanted = event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind", "socket.gethostbyname")
    address = args[1] if wanted and event != "socket.getaddrinfo" and len(args) > 1 else args[0] if wanted else ""
    if wanted and not isinstance(address, (str, bytes)) or event in ("socket.getaddrinfo", "socket.gethostbyname"):
        raise NetworkRefused("the program wants the network, which was not agreed to")


# showing the result


def shape_of(value):
    """The shape of nested lists of numbers of equal length; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, list, tuple)):
        return None
    if isinstance(value, (int, float)):
        return ()
    inner = {shape_of(part) for part in value}
    return (len(value), *inner.pop()) if len(inner) == 1 and None not in inner else None


def count_of(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def described(value):
    """What a tensor, array or picture is, in a few words; None for everything else."""
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        return "{} {} of shape {}".format(str(value.dtype).replace("torch.", ""), type(value).__name__, tuple(shape))
    if hasattr(value, "size") and hasattr(value, "mode") and hasattr(value, "getpixel"):
        return "{} picture of {} x {}".format(value.mode, *value.size)
    return None


def plain(value, depth=0):
    """`value` out of what JSON has; what has no such form is described."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth > 20:
        return repr(type(value))
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return plain(value.item(), depth + 1)
    if described(value):
        return described(value)
    if hasattr(value, "items"):
        return {str(key): plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        shape = shape_of(value)
        if shape and count_of(shape) > MOST_NUMBERS:
            return f"numbers of shape {shape}"
        return [plain(part, depth + 1) for part in value]
    return repr(value)[:MOST_TEXT]


def rows_of(value):
    """The rows of a table when `value` is a list of flat dictionaries (or lists of these, numbered); else None."""
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(part, list) and part for part in value):
        if len(value) == 1:
            return rows_of(value[0])
        value = [
            {"input": str(number), **row} if isinstance(row, dict) else row
            for number, part in enumerate(value, 1)
            for row in part
        ]
    flat = all(isinstance(row, dict) and row and all(map(is_cell, row.values())) for row in value)
    return value if flat else None


def is_cell(value):
    box = isinstance(value, dict) and len(value) <= 6 and all(isinstance(part, (int, float)) for part in value.values())
    return box or value is None or isinstance(value, (bool, int, float, str))


def cell(value):
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.4g}"
    if isinstance(value, dict):
        return " ".join(f"{key}={cell(part)}" for key, part in value.items())
    return "" if value is None else " ".join(str(value).split())


def table(rows):
    """Rows as text: columns in the order of their first mention, numbers to the right."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, *([cell(row.get(key)) for key in columns] for row in rows)]
    narrow = len(columns) > 1
    lines = [[part[: WIDEST - 1] + "…" if narrow and len(part) > WIDEST else part for part in line] for line in lines]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    number = [all(isinstance(row.get(key), (int, float)) for row in rows) for key in columns]
    texts = []
    for line in lines:
        parts = [
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(line, widths, number)  # noqa: B905  Python 3.9
        ]
        texts.append("  ".join(parts).rstrip())
    return "\n".join(texts)


def shown(value, form):
    """The text of a result. `form`: "table" for people, "json" for programs."""
    simple = plain(value)
    if form == "json":
        return json.dumps(simple, ensure_ascii=True)
    if isinstance(simple, str):
        return simple
    rows = rows_of(simple)
    return table(rows) if rows else json.dumps(simple, ensure_ascii=False, indent=2)


# one run


def one_line(error):
    """Exception and message, and what to do where that is known."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = " ".join(lines)[:500]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def advice(error, order):
    """The next step for the errors that have one."""
    if isinstance(error, ImportError):
        module = (error.name or "").split(".")[0]
        named = re.search(r"pip install ([\w.-]+)", str(error))
        package = order["packages"].get(module, named[1] if named else module)
        return f"run: pip install '{package}'" if package else ""
    if isinstance(error, OSError) and not order["network"] and not isinstance(error, FileNotFoundError):
        return "the model may not be on this machine: agree to the download, or name a local folder"
    return ""


def run(order):
    """Run the approved text; the exit code."""
    spec = importlib.util.spec_from_loader("__main__", ApprovedLoader(order["code"]))
    module = importlib.util.module_from_spec(spec)
    sys.modules["__main__"] = module
    sys.argv[:] = ["approved"]
    try:
        spec.loader.exec_module(module)
        value = vars(module).get(RESULT)
        if value is not None and not sys.stdout.used:
            print(shown(value, order["form"]))
        sys.stdout.flush()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException as error:  # whatever the program raises is told in one line
        hint = advice(error, order)
        print("gorilla: " + one_line(error) + (" (" + hint + ")" if hint else ""), file=sys.stderr)
        return 1
    return 0


def main():
    die_with_parent()
    with os.fdopen(int(sys.argv[1]), encoding="utf-8", errors="surrogatepass") as stream:
        order = json.load(stream)
    control = re.compile(order["control"])
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = Shown(sys.stdout, control), Shown(sys.stderr, control, keep="\r")
    limit(order["limits"])
    if not order["network"]:
        sys.addaudithook(refuse_network)
    code = run(order)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
