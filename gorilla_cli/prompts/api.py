"""The prompts of an API request: the call itself, the kind of record it needs, the values of its arguments."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gorilla_cli.prompts.chat import ChatFormat, Turn, fill
from gorilla_cli.types import ApiRecord, Prompt, Request

DESCRIBED = 240  # characters of a description: about 60 tokens


@cache
def template() -> dict:
    """api.toml, as it is."""
    return tomllib.loads((Path(__file__).parent / "api.toml").read_text(encoding="utf-8"))


def stops(part: str, form: ChatFormat) -> tuple[str, ...]:
    """Texts that end an answer to the prompt `part`."""
    return (*template()[part].get("stop", ()), *form.stop)


def call_prompt(request: Request, records: Sequence[ApiRecord], form: ChatFormat) -> Prompt:
    """The prompt for a call: zero-shot without `records`, else in retrieval mode with them at its end.

    Models with a format of their own get the request alone, as they were trained; others also get examples.
    """
    data = template()["call"]
    turns = [Turn("system", data["system"])]
    for question, call in data["examples"] if form.demonstrations else ():
        turns += [Turn("user", question), Turn("assistant", fill(data["answer"], call=call))]
    asked = request.text + reference(records)
    opening = form.opening + (data["opening"] if form.demonstrations else "")
    return Prompt(form.render(turns), form.render([Turn("user", asked)], functions_json(records)) + opening)


def kind_prompt(request: Request, form: ChatFormat) -> Prompt:
    """The prompt after which the kinds of records are weighed."""
    data = template()["kind"]
    turns = [Turn("system", data["system"])]
    for question, kind in data["examples"]:
        turns += [Turn("user", question), Turn("assistant", kind)]
    return Prompt(form.render(turns), form.render([Turn("user", request.text)]) + form.opening)


def fill_prompt(request: Request, record: ApiRecord, form: ChatFormat) -> Prompt:
    """The prompt for the values of a call's arguments."""
    data = template()["fill"]
    turns = [Turn("system", data["system"])]
    for question, values in data["examples"]:
        turns += [Turn("user", question), Turn("assistant", fill(data["answer"], values=values))]
    asked = request.text + fill(template()["reference"], records=_documented(record))
    return Prompt(form.render(turns), form.render([Turn("user", asked)]) + form.opening + data["opening"])


def reference(records: Sequence[ApiRecord]) -> str:
    """The fixed sentence and the records after it, as JSON; nothing without records."""
    if not records:
        return ""
    return fill(template()["reference"], records="\n".join(json.dumps(_fields(one)) for one in records))


def functions_json(records: Sequence[ApiRecord]) -> str:
    """The records as the function list that Gorilla's openfunctions models read."""
    return json.dumps(
        [
            {
                "name": one.api_call,
                "description": one.functionality,
                "parameters": {
                    "type": "object",
                    "properties": {
                        argument.name: {"type": argument.type or "string", "description": argument.description}
                        for argument in one.api_arguments
                    },
                    "required": [argument.name for argument in one.api_arguments if argument.required],
                },
            }
            for one in records
        ]
    )


def _fields(record: ApiRecord) -> dict[str, str]:
    fields = {
        "domain": record.domain,
        "framework": record.framework,
        "functionality": record.functionality[:DESCRIBED],
        "api_name": record.api_name,
        "api_call": record.api_call,
        "performance": record.performance[:DESCRIBED],
        "description": record.description[:DESCRIBED],
    }
    return {name: value for name, value in fields.items() if value}


def _documented(record: ApiRecord) -> str:
    """The call and a line for each argument."""
    described = [one for one in record.api_arguments if one.description]
    return "\n".join([record.api_call, *(f"{one.name}: {one.description[:80]}" for one in described[:12])])
