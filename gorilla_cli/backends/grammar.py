"""GBNF grammars: a builder that can only make valid ones, and the check that stands before llama.cpp.

An undefined rule, an unterminated string or left recursion ends the interpreter (llama-cpp-python 0.3.36), so
nothing reaches llama.cpp that `check_grammar` has not accepted. Format: llama.cpp's grammars/README.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gorilla_cli.errors import GorillaError

# The subset the builder writes: names, "literals", [classes], ( ) | and the three repetitions.
_ESCAPE = r"""\\(?:[trn"\\\[\]]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})"""
_RAW = r"\\\n\0\ud800-\udfff"  # what neither a literal nor a class may hold as it is; NUL would end the C string
_TOKEN = re.compile(
    rf"""(?P<blank>[ \t]+)|(?P<define>::=)|(?P<name>[a-z][a-z0-9-]*)|(?P<literal>"(?:[^"{_RAW}]|{_ESCAPE})*")"""
    rf"""|(?P<class>\[\^?(?:[^\]{_RAW}^]|{_ESCAPE})(?:[^\]{_RAW}]|{_ESCAPE})*\])|(?P<mark>[()|?*+])"""
)
DEEPEST = 50  # brackets within brackets; llama.cpp and the checks below recurse into them


class GrammarError(GorillaError):
    """A grammar that llama.cpp must not see."""


def literal(text: str) -> str:
    """`text` as a GBNF string. Anything but printable ASCII is written as an escape."""
    return '"' + "".join(_escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if " " <= char <= "~":
        return char
    point = ord(char)
    return f"\\x{point:02X}" if point < 256 else f"\\u{point:04X}" if point < 65536 else f"\\U{point:08X}"


def choice(parts: Iterable[str]) -> str:
    """Any one of `parts`, each a GBNF expression."""
    return "(" + " | ".join(parts) + ")"


def command_grammar(options: Mapping[str, Iterable[str]], separators: Iterable[str] = (" | ",)) -> str:
    """A grammar for command lines of the given programs in which each option is one of those given.

    `options` maps a program ("find", "git commit") to its option spellings. A word that does not begin with a dash
    is free, as is anything inside quotes; so the grammar rules out invented options and nothing else.
    """
    programs = sorted(options)
    if not programs:
        raise GrammarError("a grammar needs at least one program")
    lines = [f"root ::= part ({choice(literal(s) for s in separators)} part)*"]
    lines.append("part ::= " + " | ".join(f"p{i}" for i in range(len(programs))))
    for i, program in enumerate(programs):
        spellings = sorted({option for option in options[program] if option.strip("-+")}, key=lambda o: (-len(o), o))
        word = f"(o{i} | word)" if spellings else "word"
        lines.append(f'p{i} ::= {literal(program)} (" " {word})*')
        if spellings:
            lines.append(f'o{i} ::= {choice(literal(o) for o in spellings)} ("=" word | [0-9]+)?')
    lines.append("word ::= (quoted | plain) (quoted | plain | [-=])*")
    lines.append(r"""quoted ::= "'" [^'\n]* "'" | "\"" ([^"\\\n] | "\\" [^\n])* "\"" """)
    lines.append(r"""plain ::= [^-='"|&;<>()\\ \t\n`] | "\\" [^\n]""")
    return "\n".join(lines) + "\n"


def check_grammar(text: str) -> None:
    """Raise GrammarError unless `text` is well formed, defines what it uses, has a root and no left recursion."""
    rules = _rules(text)
    if "root" not in rules:
        raise GrammarError("the grammar has no root rule")
    for name, body in rules.items():
        for kind, value in body:
            if kind == "name" and value not in rules:
                raise GrammarError(f"rule {name} uses {value}, which is not defined")
        _check_shape(name, body)
    nullable = _nullable(rules)
    for name, body in rules.items():
        _check_repetitions(name, body, nullable)
        if _reaches_itself(name, rules, nullable):
            raise GrammarError(f"rule {name} is left-recursive")


def _rules(text: str) -> dict[str, list[tuple[str, str]]]:
    rules: dict[str, list[tuple[str, str]]] = {}
    for line in text.split("\n"):  # not splitlines: llama.cpp knows no other line ends
        tokens = list(_tokens(line))
        if not tokens:
            continue
        if len(tokens) < 3 or tokens[0][0] != "name" or tokens[1][0] != "define":
            raise GrammarError(f"not a rule: {line!r}")
        if tokens[0][1] in rules:
            raise GrammarError(f"rule {tokens[0][1]} is defined twice")
        rules[tokens[0][1]] = tokens[2:]
    return rules


def _tokens(line: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if not match:
            raise GrammarError(f"unreadable at column {position}: {line!r}")
        position = match.end()
        if match.lastgroup not in (None, "blank"):
            yield str(match.lastgroup), match[0]


def _check_shape(name: str, body: list[tuple[str, str]]) -> None:
    """Brackets balance, no alternative is empty, a repetition follows something that can be repeated."""
    depth, empty = 0, True
    for kind, value in body:
        if value in ("(", "|") and kind == "mark":
            if value == "|" and empty:
                raise GrammarError(f"rule {name} has an empty alternative")
            depth, empty = depth + (value == "("), True
            if depth > DEEPEST:
                raise GrammarError(f"rule {name} nests too deeply")
        elif kind == "mark":
            depth -= value == ")"
            if empty or depth < 0:
                raise GrammarError(f"rule {name} is malformed at {value!r}")
        elif kind == "define":
            raise GrammarError(f"rule {name} holds a second ::=")
        else:
            empty = False
    if depth or empty:
        raise GrammarError(f"rule {name} does not close")


def _check_repetitions(name: str, body: list[tuple[str, str]], nullable: set[str]) -> None:
    """What repeats must not be empty: that is left recursion by another name."""
    for item in (item for alternative in _alternatives(body) for item in alternative):
        bare = item[: _end(item)]
        repeats = item[len(bare) :]
        empty = bare == [("literal", '""')] or (repeats != [("mark", "?")] and _item_nullable(bare, nullable))
        if len(repeats) > 1 or (repeats and empty):
            raise GrammarError(f"rule {name} repeats something that may be empty")
        if item[0] == ("mark", "("):
            _check_repetitions(name, _inside(item), nullable)


def _alternatives(body: list[tuple[str, str]]) -> list[list[list[tuple[str, str]]]]:
    """`body` as alternatives of items; an item is a token or a bracketed run with its repetition mark."""
    alternatives: list[list[list[tuple[str, str]]]] = [[]]
    depth = 0
    for token in body:
        if depth == 0 and token == ("mark", "|"):
            alternatives.append([])
            continue
        inside = depth > 0 or (token[0] == "mark" and token[1] in ")?*+")
        if inside:
            alternatives[-1][-1].append(token)
        else:
            alternatives[-1].append([token])
        depth += (token == ("mark", "(")) - (token == ("mark", ")"))
    return alternatives


def _item_nullable(item: list[tuple[str, str]], nullable: set[str]) -> bool:
    if item[-1][0] == "mark" and item[-1][1] in "?*":
        return True
    kind, value = item[0]
    if kind == "literal":
        return value == '""'
    if kind == "name":
        return value in nullable
    if kind == "mark":
        return any(all(_item_nullable(i, nullable) for i in alt) for alt in _alternatives(_inside(item)))
    return False


def _inside(item: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return item[1 : _end(item) - 1]


def _end(item: list[tuple[str, str]]) -> int:
    """Where an item ends and its repetition marks begin."""
    return max((i + 1 for i, token in enumerate(item) if token == ("mark", ")")), default=1)


def _nullable(rules: dict[str, list[tuple[str, str]]]) -> set[str]:
    found: set[str] = set()
    while True:
        more = {
            name
            for name, body in rules.items()
            if name not in found and any(all(_item_nullable(i, found) for i in alt) for alt in _alternatives(body))
        }
        if not more:
            return found
        found |= more


def _first_names(body: list[tuple[str, str]], nullable: set[str]) -> set[str]:
    """The rules that can begin `body`."""
    names: set[str] = set()
    for alternative in _alternatives(body):
        for item in alternative:
            if item[0][0] == "name":
                names.add(item[0][1])
            elif item[0] == ("mark", "("):
                names |= _first_names(_inside(item), nullable)
            if not _item_nullable(item, nullable):
                break
    return names


def _reaches_itself(name: str, rules: dict[str, list[tuple[str, str]]], nullable: set[str]) -> bool:
    seen: set[str] = set()
    todo = _first_names(rules[name], nullable)
    while todo:
        current = todo.pop()
        if current == name:
            return True
        if current not in seen:
            seen.add(current)
            todo |= _first_names(rules[current], nullable)
    return False
