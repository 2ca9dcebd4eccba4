"""The prompt of a shell request, and of its repair round."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gorilla_cli.prompts.chat import ChatFormat, Turn, fill
from gorilla_cli.types import Doc, Example, Prompt, Request

PLATFORM_NAMES = {"linux": "Linux with GNU tools", "macos": "macOS with BSD tools"}
DOCUMENT_EXAMPLES = 2
DOCUMENT_OPTIONS = 4
CONTEXT_CHARACTERS = 2000  # of piped text: about 600 tokens, the rest would cost seconds to evaluate


@cache
def template() -> dict:
    """shell.toml, as it is."""
    return tomllib.loads((Path(__file__).parent / "shell.toml").read_text(encoding="utf-8"))


def stops(form: ChatFormat) -> tuple[str, ...]:
    """Texts that end an answer."""
    return (*template()["stop"], *form.stop)


def refusal() -> str:
    """What stands in the place of a command where there is none."""
    return template()["refusal"]


def shell_prompt(
    request: Request, documents: str, form: ChatFormat, functions: str = "[]", examples: Sequence[Example] = ()
) -> Prompt:
    """The prompt for `request`. `documents` is text from `document_text`, or empty.

    With `examples`, nearest first, it has a second reading, in which they stand before the question.
    """
    last = form.render([Turn("user", _question(request, documents))], functions) + _opening(request, form)
    shown = form.render([turn for example in reversed(examples) for turn in _turns(request, example)])
    others = (shown + last,) if shown and form.demonstrations else ()
    return Prompt(prefix=_prefix(request, form), rest=last, others=others)


def repair_prompt(
    prompt: Prompt, request: Request, command: str, complaints: Sequence[str], form: ChatFormat
) -> Prompt:
    """`prompt`, the answer it got, and what is wrong with it: everything before the complaint is evaluated already."""
    answered = prompt.rest.removesuffix(_opening(request, form)) + form.render([_answer(request, command)])
    complaint = fill(template()["repair"], complaints=" ".join(complaints))
    return Prompt(prompt.prefix, answered + form.render([Turn("user", complaint)]) + _opening(request, form))


def _turns(request: Request, example: Example) -> list[Turn]:
    return [Turn("user", example.request), _answer(request, example.command)]


def _prefix(request: Request, form: ChatFormat) -> str:
    data = template()
    platform = PLATFORM_NAMES.get(request.platform, request.platform)
    turns = [Turn("system", fill(data["system"], shell=request.shell, platform=platform))]
    for question, command in _demonstrations() if form.demonstrations else ():
        turns += _turns(request, Example(question, command))
    return form.render(turns)


def _demonstrations() -> list[list[str]]:
    """The examples, with the requests that no command answers spread among them."""
    data = template()
    examples = list(data["examples"])
    step = len(examples) // (len(data["unanswerable"]) + 1)
    for i, question in enumerate(data["unanswerable"], 1):
        examples.insert(i * step + i - 1, [question, data["refusal"]])
    return examples


def _answer(request: Request, command: str) -> Turn:
    return Turn("assistant", fill(template()["answer"], shell=request.shell, command=command))


def _opening(request: Request, form: ChatFormat) -> str:
    return form.opening + fill(template()["opening"], shell=request.shell)


def _question(request: Request, documents: str) -> str:
    text = request.text
    if documents:
        text = fill(template()["documents"], request=text, documents=documents)
    if request.context:
        text = fill(template()["context"], request=text, context=request.context[:CONTEXT_CHARACTERS])
    return text


def document_text(doc: Doc, wanted: Sequence[str]) -> str:
    """What a small model can use of `doc`: its summary, and the examples and options nearest to the wanted words.

    `wanted` are lower-case words of the request. At most a dozen short lines.
    """
    lines = [f"{doc.program}: {doc.summary}"]
    examples = sorted(doc.examples, key=lambda example: -_overlap(example.request, wanted))[:DOCUMENT_EXAMPLES]
    lines += [f"{example.request}: {example.command}" for example in examples if _overlap(example.request, wanted)]
    options = sorted(doc.options, key=lambda option: -_overlap(option.description, wanted))[:DOCUMENT_OPTIONS]
    for option in options:
        if _overlap(option.description, wanted):
            name = " ".join(part for part in (", ".join(option.names), option.argument) if part)
            lines.append(f"{name}: {option.description[:100]}")
    return "\n".join(lines)


def function_json(docs: Sequence[Doc]) -> str:
    """The documents as the function list that Gorilla's openfunctions models read."""
    return json.dumps(
        [
            {
                "name": doc.program,
                "description": doc.summary,
                "parameters": {
                    "type": "object",
                    "properties": {
                        option.names[-1]: {"description": option.description[:100]} for option in doc.options
                    },
                },
            }
            for doc in docs
        ]
    )


def _overlap(text: str, wanted: Sequence[str]) -> int:
    words = set(text.lower().split())
    return sum(word in words for word in wanted)
