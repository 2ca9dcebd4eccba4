"""Commands inside commands: `sudo rm`, `xargs rm`, `find -exec rm`, `bash -c 'rm'`. Data: wrappers.toml."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gorilla_cli.verifiers.commands import Assignment, Parsed, SimpleCommand
from gorilla_cli.verifiers.words import Word, resolve

DEEPEST = 8
MOST_COMMANDS = 256
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One row of wrappers.toml; the file explains the fields."""

    programs: tuple[str, ...]
    under: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    skip: int = 0
    permute: bool = False
    assignments: bool = False
    text_options: tuple[str, ...] = ()
    text: str = ""
    text_rest: bool = False
    stdin: bool = False
    after: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    appended: bool = False
    placeholder: tuple[str, ...] = ()
    brace: bool = False
    dashed: bool = False
    only_text: bool = False
    bundled_text: bool = False
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inner:
    """What a wrapper runs: words of a command, or shell text that stands in `word`."""

    words: tuple[Word, ...] = ()
    text: str | None = None
    span: tuple[int, int] = (0, 0)
    assignments: tuple[Assignment, ...] = ()


@functools.cache
def wrappers() -> dict[str, list[Wrapper]]:
    """The wrappers of each program, the ones with the longest `under` first."""
    rows = tomllib.loads(Path(__file__).with_name("wrappers.toml").read_text(encoding="utf-8"))["wrapper"]
    found: dict[str, list[Wrapper]] = {}
    for row in rows:
        wrapper = Wrapper(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
        for program in wrapper.programs:
            found.setdefault(program, []).append(wrapper)
    for several in found.values():
        several.sort(key=lambda wrapper: -len(wrapper.under))
    return found


def peel(parsed: Parsed, parse: Callable[[str], Parsed]) -> Parsed:
    """`parsed` with the commands inside its wrappers added after it, to a fixpoint."""
    found, problem, crashed = list(parsed.commands), parsed.problem, parsed.crashed
    errors, functions, bound = list(parsed.errors), set(parsed.functions), set(parsed.bound)
    for command in found:  # grows while it is walked
        for inner in _inners(command):
            if len(command.wrappers) >= DEEPEST or len(found) > MOST_COMMANDS:
                return replace(parsed, commands=tuple(found), problem="wrapped too deeply to review", crashed=True)
            if inner.text is None:
                found.append(_wrapped(command, inner, len(found)))
                continue
            below = parse(inner.text)
            found += _shifted(below, command, inner, len(found), parsed.text)
            problem, crashed = problem or below.problem, crashed or below.crashed
            errors += [inner.span for _ in below.errors]
            functions, bound = functions | below.functions, bound | below.bound
    return replace(
        parsed,
        commands=tuple(found),
        problem=problem,
        crashed=crashed,
        errors=tuple(errors),
        functions=frozenset(functions),
        bound=frozenset(bound),
    )


def _wrapped(command: SimpleCommand, inner: Inner, number: int) -> SimpleCommand:
    wrapper = command.program
    return replace(
        command,
        words=inner.words,
        span=(inner.words[0].span[0], inner.words[-1].span[1]),
        number=number,
        redirects=tuple(redirect for redirect in command.redirects if redirect.operator.startswith("<")),
        assignments=inner.assignments,
        wrappers=(*command.wrappers, wrapper),
        outer=command.number,
        appended=command.appended or any(row.appended for row in wrappers()[wrapper]),
    )


def _shifted(below: Parsed, command: SimpleCommand, inner: Inner, first: int, text: str) -> Iterator[SimpleCommand]:
    """The commands of shell text inside `command`, with numbers, spans and sources of the whole command line."""
    source = inner.text or ""
    exact = next((at for at in range(inner.span[0], inner.span[0] + 3) if text.startswith(source, at)), None)

    def move(span: tuple[int, int]) -> tuple[int, int]:
        return inner.span if exact is None else (span[0] + exact, span[1] + exact)

    appended = any(row.appended for row in wrappers()[command.program])
    for found in below.commands:
        words = tuple(replace(word, span=move(word.span)) for word in found.words)
        yield replace(
            found,
            words=_filled(words, "{}") if appended else words,
            redirects=tuple(replace(redirect, span=move(redirect.span)) for redirect in found.redirects),
            span=move(found.span),
            number=found.number + first,
            sources=frozenset(number + first for number in found.sources) | command.sources,
            context=" ".join(filter(None, (command.context, found.context))),
            wrappers=(*command.wrappers, command.program),
            outer=command.number,
            appended=command.appended or appended,
        )


def _inners(command: SimpleCommand) -> Iterator[Inner]:
    for wrapper in wrappers().get(command.program, ()):
        start = _under(command.words, wrapper)
        if start and not _has(command.words, wrapper.unless):
            yield from _unwrap(command, wrapper, start)
            return


def _under(words: tuple[Word, ...], wrapper: Wrapper) -> int:
    """The index after the words of `wrapper.under`, options between them skipped; 0 when they are not there."""
    at = 1
    for step in wrapper.under:
        while at < len(words) and words[at].text.startswith("-"):
            at += 2 if words[at].text in wrapper.before else 1
        if at >= len(words) or words[at].value != step:
            return 0
        at += 1
    return at


def _has(words: tuple[Word, ...], options: tuple[str, ...]) -> bool:
    return bool(options) and len(words) > 1 and words[1].value in options


def _unwrap(command: SimpleCommand, wrapper: Wrapper, start: int) -> Iterator[Inner]:
    words = command.words
    if wrapper.after:
        yield from _between(words, wrapper)
        return
    at, assignments, text = _operands(words, start, wrapper)
    rest = words[at:]
    if wrapper.bundled_text:
        text = rest[0] if rest and _bundled(words[:at], wrapper) else None
    if text is not None:
        more = " ".join(word.raw for word in rest) if wrapper.text_rest else ""
        yield from _text((text,), f"{text.value} {more}".rstrip() if text.value is not None else None)
    elif wrapper.stdin and all(word.value == "-" for word in rest):
        yield from _stdin(command)
    elif wrapper.text and rest:
        parts = rest[:1] if wrapper.text == "first" else _until(rest, wrapper)
        yield from _text(parts, None if None in [word.value for word in parts] else " ".join(w.text for w in parts))
    elif rest and not wrapper.only_text and (not wrapper.dashed or words[at - 1].value == "--"):
        rest = _until(_brace(rest) if wrapper.brace else rest, wrapper)
        rest = _filled(rest, _placeholder(words[:at], wrapper)) if wrapper.appended else rest
        yield from [Inner(rest, assignments=assignments)] if rest else []


def _operands(words: tuple[Word, ...], at: int, wrapper: Wrapper) -> tuple[int, tuple[Assignment, ...], Word | None]:
    """Where the inner command begins, the assignments before it, and the argument of a text option."""
    skip, assignments, text = wrapper.skip, [], None
    while at < len(words):
        value = words[at].value
        assigned = ASSIGNMENT.match(value if value is not None else words[at].raw) if wrapper.assignments else None
        name, _, attached = (value or "").partition("=")
        if value == "--":
            return at + 1, tuple(assignments), text
        if name in wrapper.text_options or _last_letter(value, wrapper.text_options):
            if not wrapper.bundled_text:
                text = words[at] if attached else words[at + 1] if at + 1 < len(words) else None
                text = replace(words[at], value=attached) if attached else text
                at += 0 if attached else 1
        elif value and value[0] in "-+" and len(value) > 1 and (skip == wrapper.skip or wrapper.permute):
            at += 1 if value in wrapper.arguments or _last_letter(value, wrapper.arguments) else 0
        elif assigned:
            part = resolve(words[at].raw.partition("=")[2], words[at].span)[0]
            assignments.append(Assignment(assigned[1], part))
        elif skip:
            skip -= 1
        else:
            break
        at += 1
    return min(at, len(words)), tuple(assignments), text


def _last_letter(value: str | None, options: tuple[str, ...]) -> bool:
    """Whether a bundle such as `-qc` ends in an option that takes the next word."""
    if not value or not re.fullmatch(r"-[A-Za-z]{2,}", value) or value[:2] in options:
        return False
    return "-" + value[-1] in options


def _bundled(words: tuple[Word, ...], wrapper: Wrapper) -> bool:
    values = [word.value or "" for word in words[1:]]
    return any(value in wrapper.text_options or re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", value) for value in values)


def _text(words: tuple[Word, ...], text: str | None) -> Iterator[Inner]:
    """Shell text that can be read; dynamic text is for the policy to judge."""
    if text is not None:
        yield Inner(text=text, span=(words[0].span[0], words[-1].span[1]))


def _stdin(command: SimpleCommand) -> Iterator[Inner]:
    for redirect in command.redirects:
        if redirect.operator.startswith("<<<") and redirect.target and redirect.target.value is not None:
            yield Inner(text=redirect.target.value, span=redirect.target.span)
        elif redirect.body:
            yield Inner(text=redirect.body, span=redirect.span)


def _between(words: tuple[Word, ...], wrapper: Wrapper) -> Iterator[Inner]:
    for at, word in enumerate(words):
        if at and word.value in wrapper.after:
            rest = _filled(_until(words[at + 1 :], wrapper), "{}")
            if rest:
                yield Inner(rest)


def _until(words: tuple[Word, ...], wrapper: Wrapper) -> tuple[Word, ...]:
    ends = [at for at, word in enumerate(words) if word.value in wrapper.until]
    return words[: ends[0]] if ends else words


def _brace(words: tuple[Word, ...]) -> tuple[Word, ...]:
    for at in range(min(2, len(words))):
        if words[at].value == "{":
            return words[at + 1 :]
    return words


def _placeholder(words: tuple[Word, ...], wrapper: Wrapper) -> str:
    for at, word in enumerate(words):
        for option in wrapper.placeholder:
            value = word.value or ""
            if value == option and at + 1 < len(words):
                return words[at + 1].value or "{}"
            if value.startswith(option):
                return value[len(option) :].lstrip("=") or "{}"
    return "{}"


def _filled(words: tuple[Word, ...], placeholder: str) -> tuple[Word, ...]:
    """Words that hold the placeholder become dynamic; shell text that holds it can still be read."""
    return tuple(replace(word, value=None, kind="dynamic") if _glued(word, placeholder) else word for word in words)


def _glued(word: Word, placeholder: str) -> bool:
    return word.value is not None and placeholder in word.value and not re.search(r"\s", word.value)
