"""What an OpenAPI operation takes, as arguments of a record. The type says where each goes, for the executor.

    TYPE[ by SEPARATOR], in PLACE[ as MEDIA]

PLACE is path, query, header, cookie, `body` (a field of the JSON object that is sent), `form` (a field of a form) or
`whole body`. SEPARATOR is commas, blanks, tabs, pipes or brackets, for lists and objects that are not sent as several.
MEDIA is the content type, where it is not what the place has by itself (a body: application/json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gorilla_cli.sanitise import one_line
from gorilla_cli.sources.openapi_document import Document
from gorilla_cli.types import Argument

PLACES = {"path", "query", "header", "cookie"}
STYLES = {"spaceDelimited": "blanks", "pipeDelimited": "pipes", "deepObject": "brackets"}
COLLECTIONS = {"ssv": "blanks", "tsv": "tabs", "pipes": "pipes", "multi": ""}
# A request's own frame: the executor sets these, and OpenAPI says that three of them are not parameters.
FRAME = {"accept", "content-type", "authorization"}
REFUSED = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
PARTS, CHOICES, TEXT, NAME = 20, 100, 300, 100
FORM = "application/x-www-form-urlencoded"


class Unusable(Exception):
    """An operation cannot be called; the message is the reason."""


def arguments(document: Document, shared: Any, operation: dict[str, Any], path: str) -> tuple[Argument, ...]:
    """All arguments of an operation, those of the body last. Raises Unusable.

    `shared` is what the file says for all operations of the path.
    """
    found = _parameters(document, shared, operation)
    given = [argument for one in found if (argument := _parameter(document, one)) is not None]
    body = [*_swagger_body(document, found), *_body(document, operation.get("requestBody"))]
    if {one.name for one in given} & {one.name for one in body}:
        body = [_collapsed(body)]
    names = [one.name for one in (*given, *body)]
    if len(set(names)) < len(names):
        raise Unusable("two of its arguments have one name")
    _check_path(path, given)
    return (*given, *body)


def _check_path(path: str, given: list[Argument]) -> None:
    wanted = re.findall(r"\{([^{}/]+)\}", path)
    told = {one.name for one in given if re.search(", in path( as .*)?$", one.type)}
    if missing := [name for name in wanted if name not in told]:
        raise Unusable(f"it does not say what {{{missing[0]}}} in its path is")
    if len(set(wanted)) < len(wanted) or told - set(wanted):
        raise Unusable("its path and its arguments do not fit")


def _parameters(document: Document, shared: Any, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of the operation, and those of its path that it does not say again. Raises Unusable."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for place in (shared, operation):
        listed = place.get("parameters", []) if isinstance(place, dict) else []
        if not isinstance(listed, list):
            raise Unusable("its parameters are no list")
        for one in map(document.resolve, listed):
            if not isinstance(one, dict) or not isinstance(one.get("name"), str) or not isinstance(one.get("in"), str):
                raise Unusable("a parameter has no name or place, or lies in another file")
            found[one["name"], one["in"]] = one
    return list(found.values())


def _parameter(document: Document, one: dict[str, Any]) -> Argument | None:
    """None for what is not the caller's to set, or part of the body. Raises Unusable."""
    place, name = one["in"], one["name"]
    if place in ("body", "formData") or (place == "header" and name.lower() in FRAME):
        return None
    if place not in PLACES:
        raise Unusable(f"{one_line(name)} is in {one_line(place)}, where nothing can be sent")
    if place in ("header", "cookie") and (not TOKEN.fullmatch(name) or name.lower() in REFUSED):
        raise Unusable(f"{one_line(name)} cannot be set in a {place}")
    content = one.get("content")
    required = one.get("required") is True or place == "path"
    if isinstance(content, dict):
        schema, end = _first_schema(content), f", in {place} as application/json"
    else:
        schema, end = one.get("schema", one), f"{_separator(one, place)}, in {place}"
    return _argument(document, name, schema, end, required, one.get("description"))


def _separator(one: dict[str, Any], place: str) -> str:
    """` by commas` and the like, "" where each element is sent under the name again, or nothing has elements."""
    if "schema" not in one:
        known = COLLECTIONS.get(str(one.get("collectionFormat")), "commas") if one.get("type") == "array" else ""
        return f" by {known}" if known else ""
    style = one.get("style", "form" if place in ("query", "cookie") else "simple")
    if style in STYLES:
        return f" by {STYLES[style]}"
    repeated = style == "form" and one.get("explode", True) is not False
    return "" if repeated else " by commas"


def _first_schema(content: dict[str, Any]) -> Any:
    media = next(iter(content.values()), None)
    return media.get("schema") if isinstance(media, dict) else None


def _swagger_body(document: Document, found: list[dict[str, Any]]) -> Iterator[Argument]:
    """Swagger 2 puts the body among the parameters. Raises Unusable."""
    for one in found:
        if one["in"] == "body":
            yield from _fields(document, one.get("schema"), "body", one.get("required") is True, one.get("description"))
        elif one["in"] == "formData":
            if one.get("type") == "file":
                raise Unusable("it wants a file uploaded")
            end = f"{_separator(one, 'form')}, in form"
            yield _argument(document, one["name"], one, end, one.get("required") is True, one.get("description"))


def _body(document: Document, body: Any) -> list[Argument]:
    """The arguments of a `requestBody`. Raises Unusable."""
    if body is None:
        return []
    body = document.resolve(body)
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(content, dict) or not content:
        raise Unusable("its body cannot be read, or lies in another file")
    media = _media(content)
    schema = content[media].get("schema") if isinstance(content[media], dict) else None
    required, description = body.get("required") is True, body.get("description")
    kind = media.partition(";")[0].strip().lower()
    if kind == "application/json" or kind == "*/*":
        return list(_fields(document, schema, "body", required, description))
    if kind == FORM:
        return list(_fields(document, schema, "form", required, description))
    if kind.endswith("+json"):
        return list(_fields(document, schema, f"body as {kind}", required, description))
    if kind.startswith("text/") or kind.endswith(("/xml", "+xml")):
        return [_argument(document, "body", {"type": "string"}, f", in whole body as {kind}", required, description)]
    raise Unusable(f"its body is {one_line(kind)}, which is not supported")


def _media(content: dict[str, Any]) -> str:
    """The media type that is used: JSON, else a form, else the first."""
    plain = {name.partition(";")[0].strip().lower(): name for name in reversed(content)}
    return plain.get("application/json") or plain.get(FORM) or next(iter(content))


def _fields(document: Document, schema: Any, place: str, required: bool, description: Any) -> Iterator[Argument]:
    """One argument for each property of an object; the whole body as one when it is anything else.

    What an object requires is required even where the body is not said to be: few files say that of their bodies.
    """
    properties, wanted = _properties(document, schema, PARTS)
    if not properties:
        kind, _, media = place.partition(" as ")
        if kind == "form":
            raise Unusable("its form has no fields")
        end = f", in whole body{f' as {media}' if media else ''}"
        yield _argument(document, "body", schema, end, required, description)
    for name, inner in properties.items():
        resolved = document.resolve(inner)
        if isinstance(resolved, dict) and resolved.get("readOnly") is not True:
            yield _argument(document, name, inner, f", in {place}", name in wanted, None)


def _properties(document: Document, schema: Any, depth: int) -> tuple[dict[str, Any], set[str]]:
    """The properties of an object with those of its `allOf`, and the names of those required."""
    schema = document.resolve(schema)
    if not isinstance(schema, dict) or depth <= 0:
        return {}, set()
    own, wanted = schema.get("properties"), schema.get("required")
    properties = dict(own) if isinstance(own, dict) else {}
    required = {name for name in wanted if isinstance(name, str)} if isinstance(wanted, list) else set()
    parts = schema.get("allOf")
    for part in parts[:PARTS] if isinstance(parts, list) else []:
        more, also = _properties(document, part, depth // 2)
        properties, required = {**more, **properties}, required | also
    return properties, required


def _collapsed(body: list[Argument]) -> Argument:
    """A body whose fields are called like other arguments, given as one. Raises Unusable."""
    place = body[0].type.rpartition(", in ")[2]
    if not place.startswith("body"):
        raise Unusable("two of its arguments have one name")
    required = any(one.required for one in body)
    fields = one_line(", ".join(f"{one.name} ({one.type.partition(',')[0]})" for one in body))[:TEXT]
    return Argument("body", f"object, in whole {place}", f"Fields: {fields}", required)


def _argument(document: Document, name: str, schema: Any, end: str, required: bool, told: Any) -> Argument:
    """An argument of type `schema`; `end` is what follows in its type. Raises Unusable for a name that misleads."""
    if name != one_line(name) or not name or len(name) > NAME:
        raise Unusable("an argument has a name that cannot be shown")
    schema = document.resolve(schema)
    schema = schema if isinstance(schema, dict) else {}
    described = told if isinstance(told, str) else schema.get("description")
    default = schema.get("default")
    kind = _type(document, schema, 3)
    plural = kind.startswith(("array", "object"))
    return Argument(
        name=name,
        type=kind + (end if plural else "," + end.partition(",")[2]),
        description=one_line(described)[:TEXT] if isinstance(described, str) else "",
        required=required,
        default="" if default is None else _written(default),
        choices=tuple(_written(value) for value in _enum(schema)),
    )


def _enum(schema: dict[str, Any]) -> list[Any]:
    """The allowed values; a JSON schema may allow just one by `const`."""
    found = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [value for value in found if value is not None][:CHOICES] if isinstance(found, list) else []


def _written(value: Any) -> str:
    """A value as a person would give it: words bare, anything else as JSON."""
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:TEXT]


def _type(document: Document, schema: Any, depth: int) -> str:
    """`integer`, `string (date)`, `array of string`, `integer or string`; "any" where the file does not say."""
    schema = document.resolve(schema)
    if not isinstance(schema, dict) or depth <= 0:
        return "any"
    found = schema.get("type")
    kinds = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str) and one != "null"]
    if not kinds:
        kinds = _implied(document, schema, depth)
    words = [_one_type(document, schema, one_line(kind), depth) for kind in kinds]
    return " or ".join(dict.fromkeys(words)).replace(",", " ") or "any"


def _implied(document: Document, schema: dict[str, Any], depth: int) -> list[str]:
    if "properties" in schema or "allOf" in schema:
        return ["object"]
    parts = schema.get("oneOf") or schema.get("anyOf")
    found = [_type(document, part, depth - 1) for part in parts[:PARTS]] if isinstance(parts, list) else []
    return [one for one in found if one != "any"]


def _one_type(document: Document, schema: dict[str, Any], kind: str, depth: int) -> str:
    if kind == "array":
        return f"array of {_type(document, schema.get('items'), depth - 1)}"
    form = schema.get("format")
    return f"{kind} ({one_line(form)})" if isinstance(form, str) and form and kind != "object" else kind
