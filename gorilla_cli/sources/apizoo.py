"""Contributions to Gorilla's API Zoo: the record form (a call) and the link form (only a URL). Pure.

Rules of its format: at most 20 words for a name and a functionality, a call on one line, questions that do not name
the API. Field names are taken in any case, `url` for `api_url`.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

MAX_WORDS = 20
CALL = re.compile(r"[A-Za-z_][\w.]*\s*\(.*\)(?:\.\w+\(.*\))*")
DISTINCTIVE = re.compile(r"[\d_/.-]")


def is_contribution(row: dict[str, Any]) -> bool:
    """Whether a row is of this format rather than Gorilla's own."""
    return bool({"user_name", "api_url", "api_version"} & _fields(row).keys())


def is_link(row: dict[str, Any]) -> bool:
    fields = _fields(row)
    return "api_url" in fields and "api_call" not in fields


def problems(row: dict[str, Any]) -> list[str]:
    """What is against the rules, each as "field: what"; empty when the row is valid."""
    fields = _fields(row)
    found = [f"{key}: missing" for key in ("user_name", "api_name") if key not in fields]
    found += [f"{key}: no text" for key in ("user_name", "api_name") if key in fields and not _is_text(fields[key])]
    found += _too_long("api_name", fields.get("api_name"))
    found += _link_problems(fields) if is_link(row) else _call_problems(fields)
    return found + _question_problems(fields)


def as_row(row: dict[str, Any]) -> dict[str, Any]:
    """A valid record form in Gorilla's own field names."""
    fields = _fields(row)
    meta = fields.get("meta_data") or {}
    known = ("domain", "framework", "performance", "licence", "languages", "downloads")
    version = f"API version {fields['api_version']}." if str(fields.get("api_version", "")).strip() else ""
    description = meta.get("description")
    said = description if isinstance(description, str) else fields["functionality"]
    return {
        **{key: meta[key] for key in known if key in meta},
        "functionality": fields["functionality"],
        "api_name": fields["api_name"],
        "api_call": fields["api_call"],
        "api_arguments": fields["api_arguments"],
        "python_environment_requirements": fields.get("env_requirements"),
        "example_code": fields.get("example_code"),
        "description": f"{said} {version}".strip(),
        "requests": fields.get("questions"),
    }


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    fields = {key.strip().lower(): value for key, value in row.items()}
    if "url" in fields:
        fields.setdefault("api_url", fields["url"])
    return fields


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _too_long(key: str, value: object) -> list[str]:
    long = isinstance(value, str) and len(value.split()) > MAX_WORDS
    return [f"{key}: more than {MAX_WORDS} words"] if long else []


def _link_problems(fields: dict[str, Any]) -> list[str]:
    url = fields["api_url"]
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        valid = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    return [] if valid else ["api_url: no http or https URL"]


def _call_problems(fields: dict[str, Any]) -> list[str]:
    required = ("api_call", "api_version", "api_arguments", "functionality")
    found = [f"{key}: missing" for key in required if key not in fields]
    found += [f"{key}: no text" for key in ("api_call", "functionality") if key in fields and not _is_text(fields[key])]
    if _is_text(fields.get("api_call")):
        found += _shape_of_call(fields["api_call"].strip())
    version = fields.get("api_version", "")
    if isinstance(version, bool) or not isinstance(version, (str, int, float)):
        found.append("api_version: neither text nor number")
    if not isinstance(fields.get("api_arguments", {}), dict):
        found.append("api_arguments: no object")
    return found + _too_long("functionality", fields.get("functionality")) + _optional_problems(fields)


def _shape_of_call(call: str) -> list[str]:
    if "\n" in call:
        return ["api_call: more than one line"]
    return [] if CALL.fullmatch(call) else ["api_call: does not start with a function call"]


def _optional_problems(fields: dict[str, Any]) -> list[str]:
    checks = (
        ("env_requirements", _are_texts, "no list of texts"),
        ("example_code", lambda value: isinstance(value, str), "no text"),
        ("meta_data", lambda value: isinstance(value, dict), "no object"),
    )
    return [f"{key}: {what}" for key, valid, what in checks if fields.get(key) is not None and not valid(fields[key])]


def _question_problems(fields: dict[str, Any]) -> list[str]:
    questions = fields.get("questions")
    if questions is None:
        return []
    if not _are_texts(questions):
        return ["questions: no list of texts"]
    name = fields.get("api_name")
    names = _names(name) if isinstance(name, str) else []
    return [
        f"questions: number {number} names the API"
        for number, question in enumerate(questions, 1)
        if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", question.lower()) for word in names)
    ]


def _names(api_name: str) -> list[str]:
    """What gives an API away: its whole name, and words of it that are no plain words."""
    words = api_name.lower().split()
    return [" ".join(words), *(word for word in words if len(word) > 3 and DISTINCTIVE.search(word.strip(".-")))]
