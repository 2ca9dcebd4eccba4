"""From what a small model wrote to the command in it: fences, prompts, prose and explanations taken away. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[ \t]*$", re.MULTILINE)
# Marks that share a line with the command: ```bash ls```
_LANGUAGES = r"(?:bash|sh|shell|zsh|fish|console|terminal)"
_OPENING = re.compile(rf"^[ \t]*```(?:{_LANGUAGES}[ \t]+(?=\S)|(?=[^\s`]+(?:[ \t]+\S|```)))", re.MULTILINE)
_CLOSING = re.compile(r"(?<=[^\s`])[ \t]*```[ \t]*$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_PROMPT = re.compile(
    r"^(?:\([\w.-]+\) )?(?:[\w.-]+@[\w.-]+(?::[^\s$#]*)?[$#%>❯]|\[[\w.-]+@[\w.-]+ [^\]]*\][$#]|[$%❯])[ \t]+(?=\S)"
)
_SECOND_PROMPT = re.compile(r"^>[ \t]+(?=\S)")
_LABEL = re.compile(
    r"^(?:the )?(?:shell |bash |corrected )?(?:command|answer|output|solution|run|use)(?: is)?:[ \t]*", re.IGNORECASE
)
_ITEM = re.compile(r"^(?:\d{1,2}[.)][ \t]+(?=\S)|[-*•][ \t]+(?=`))")
# A line of prose: a capital, several plain words, and an end that no command has; or words that begin no command.
_SENTENCE = re.compile(r"^(?:[-*] )?[A-Z][\w'’]*(?:[ ,]+[\w'’`/-]+){2}.*[^\s/.][.:!?]$")
_OPENER = re.compile(
    r"^(?:(?:This|These|That|The|Here|You|To|Note|It|In|If|For|We|I|As|And|Or|Please|Sorry|Unfortunately|Alternatively)"
    r",?(?: [\w'’`/-]+,?){2}|[A-Z]\w*['’](?:s|re|m|ll|ve|t|d) "
    r"|(?:Sure|Certainly|Of course|Okay|Explanation|Output|Example|Note)[!:,.])"
)
_QUOTED_SENTENCE = re.compile(r"^`[^`\n]+`[ ,:].*\w[.:!]$")
_CONTINUES = re.compile(r"(\\|\||&&|\|\||\bdo|\bthen|\belse|\bin|;;|\{|\()$")
_HEREDOC = re.compile(r"(?<!<)<<(-?)[ \t]*(['\"]?)\\?([A-Za-z_]\w*)\2")


def command_in(completion: str) -> str:
    """The command in `completion`, or "" when there is none. Total: any text is accepted."""
    text = re.sub(r"\r+\n", "\n", completion.replace("\0", ""))
    text = _THINKING.sub("\n", text).rpartition("</think>")[2]
    text = _CLOSING.sub("\n```", _OPENING.sub("```\n", text))
    return _unwrapped(_trimmed("\n".join(_unfenced(text))).lstrip())


def _unfenced(text: str) -> list[str]:
    """The command lines of the first fenced block that has some; without an opening fence, of what stands before
    a closing one."""
    fences = list(_FENCE.finditer(text))
    if not fences:
        return _command_lines(text)
    before = _command_lines(text[: fences[0].start()])
    # An odd fence without a language closes a block that the prompt opened.
    if before and len(fences) % 2 and not fences[0][1]:
        return before
    return next((lines for block in _blocks(text, fences) if (lines := _command_lines(block))), before)


def _blocks(text: str, fences: Sequence[re.Match[str]]) -> Iterator[str]:
    """The texts between opening and closing fences; a language always opens, the end of the text closes."""
    opened = None
    for fence in fences:
        if opened is not None:
            yield text[opened : fence.start()]
        opened = fence.end() if opened is None or fence[1] else None
    if opened is not None:
        yield text[opened:]


def _command_lines(text: str) -> list[str]:
    """The lines that belong to the command: leading prose and comments go, and all from the first prose after it."""
    kept: list[str] = []
    quoted = ""
    prompted = listed = False
    for first, *more in _statements(text.split("\n")):
        goes_on = bool(kept) and bool(_CONTINUES.search(kept[-1]))
        if not goes_on:
            first, prompt, item = _without_marks(first)
            if not first or first.lstrip().startswith("#"):
                continue
            if kept and (listed or item or (prompted and not prompt)):
                break  # another alternative, or what the command printed
            prompted, listed = prompted or prompt, listed or item
            if _is_prose(first, item):
                if kept:
                    break
                quoted = quoted or _quoted_in(first)
                if quoted and not first.endswith(":"):
                    break
                continue
        elif prompted:
            first = _SECOND_PROMPT.sub("", first)
        kept += [first, *more]
    return kept or [line for line in [quoted] if line]


def _without_marks(line: str) -> tuple[str, bool, bool]:
    """`line` without prompt, label and list mark; had it a prompt, had it a list mark?"""
    bare = _ITEM.sub("", line)
    command = _PROMPT.sub("", bare)
    return _LABEL.sub("", command), command != bare, bare != line


def _is_prose(line: str, item: bool) -> bool:
    if _SENTENCE.match(line) or _OPENER.match(line) or _QUOTED_SENTENCE.match(line):
        return True
    return item and bool(re.match(r"`[^`]+`[ \t]+\W|[A-Z]\w* .*`", line))


def _quoted_in(line: str) -> str:
    """In "You can use `ls -a`." the command is what the backticks hold."""
    match = _INLINE.search(line)
    return match[1] if match else ""


def _statements(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines, with those that a quotation or a here-document holds together in one list, unchanged."""
    start = 0
    while start < len(lines):
        end = start + 1
        if not _is_prose(lines[start], False):
            end = _heredoc_end(lines, start) or _quotation_end(lines, start) or end
        yield [*lines[start : end - 1], _trimmed(lines[end - 1])]
        start = end


def _heredoc_end(lines: Sequence[str], start: int) -> int:
    """The index after the here-document that begins in line `start`; 0 without one, or without its end."""
    match = _HEREDOC.search(lines[start])
    if match is None:
        return 0
    for i in range(start + 1, len(lines)):
        if (lines[i].lstrip("\t") if match[1] else lines[i]).rstrip() == match[3]:
            return i + 1
    return 0


def _quotation_end(lines: Sequence[str], start: int) -> int:
    """The index after the line in which a quotation of line `start` closes; 0 when none is open, or none closes."""
    quote = ""
    for i in range(start, len(lines)):
        quote = _open_quote(lines[i], quote)
        if not quote:
            return i + 1
    return 0


def _open_quote(line: str, quote: str) -> str:
    """The quotation mark that is open at the end of `line`, given the one open at its start; "" for none."""
    escaped = False
    for i, char in enumerate(line):
        if escaped or (char == "\\" and quote != "'"):
            escaped = not escaped
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and line[i - 1 : i] in ("", " ", "\t"):
            break
    return quote


def _trimmed(text: str) -> str:
    """`text` without blanks at its end, but a blank that a backslash makes part of a word stays."""
    bare = text.rstrip()
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 and text[len(bare) :][:1] in (" ", "\t")
    return bare + text[len(bare)] if escaped else bare


def _unwrapped(command: str) -> str:
    """A command that stands as a whole in single backticks or asterisks, without them."""
    for mark in ("`", "**"):
        if len(command) > 2 * len(mark) and command.startswith(mark) and command.endswith(mark):
            inner = command[len(mark) : -len(mark)]
            if mark not in inner:
                return inner.strip()
    return command


_WORD_PART = re.compile(
    r"(?P<kept>\$'(?:[^'\\]|\\.)*'|\\.)|'(?P<single>[^']*)'|\"(?P<double>[^\"\\$`!]*)\""
    r"|(?P<quotation>\"(?:[^\"\\]|\\.)*\")|(?P<blank>[ \t]+)|(?P<other>.)",
    re.DOTALL,
)


def normal_form(command: str) -> str:
    """Two commands with the same normal form are the same to a shell: blanks between words, and which quotes hold a
    text that no shell would touch, make no difference."""
    if "<<" in command:  # blanks in a here-document count
        return command
    return "".join(_normal_part(match) for match in _WORD_PART.finditer(_trimmed(command).lstrip()))


def _normal_part(match: re.Match[str]) -> str:
    if match["blank"]:
        return " "
    text = match["single"] if match["single"] is not None else match["double"]
    if text is None or "'" in text:
        return match[0]
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    whole = before in ("", " ", "\t", "\n", "=") and after in ("", " ", "\t", "\n")
    return text if whole and re.fullmatch(r"[\w./:@%+,-]+", text) else f"'{text}'"
