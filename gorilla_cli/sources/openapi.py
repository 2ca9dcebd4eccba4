"""The operations of an OpenAPI 3.0 or 3.1 or Swagger 2 file as API records of kind "http".

Opens no socket: `fetch` brings what lies behind a URL. What the executor needs to build a request is in the record:
`api_call` is `METHOD https://host/path/{name}`; the type of an argument ends in `, in PLACE` (see `openapi_arguments`);
each environment requirement is `secret NAME: WHAT` (bearer token, user:password, api key in header|query|cookie X).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from gorilla_cli.errors import StateError, UsageError
from gorilla_cli.sanitise import one_line
from gorilla_cli.sources.openapi_arguments import Unusable, arguments
from gorilla_cli.sources.openapi_document import MOST_BYTES, Document, read
from gorilla_cli.types import ApiRecord

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
TITLE, SENTENCE, TEXT = 60, 200, 600
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SAFE = "/:@!$&'()*+,;=-._~%"
BLANK = re.compile(r"\{[^{}/]+\}")


@dataclass(frozen=True)
class OpenApi:
    """The operations described at `location`: a file, or an http(s) URL that `fetch` reads.

    `server` is the address of the API, for a file that names none. The file is read once per instance.
    """

    location: Path | str
    fetch: Callable[[str], bytes] | None = None
    server: str = ""

    @property
    def name(self) -> str:
        """`openapi:` and the API's title, or the file's name where it has none. Raises like `ids`."""
        return f"openapi:{self._title}"

    def ids(self) -> dict[str, str]:
        """Record id -> stamp, a hash of all that the record says. Raises UsageError for what is no OpenAPI file,
        StateError when it cannot be read.
        """
        return {record.id: record.stamp for record in self._found[0]}

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]:
        """The records not in `skip`, in the order of the file. Raises like `ids`."""
        return (record for record in self._found[0] if record.id not in skip)

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each operation that was left out, with the reason. Raises like `ids`."""
        return self._found[1]

    @cached_property
    def _document(self) -> Document:
        document = read(self._bytes(), str(self.location))
        if not isinstance(document.root.get("paths"), dict):
            raise UsageError(f"{one_line(str(self.location))}: it has no paths", "give an OpenAPI file, JSON or YAML")
        return document

    @cached_property
    def _title(self) -> str:
        title = re.sub(r"[^\w.]+", "-", text_of(_info(self._document), "title")).strip("-.")[:TITLE]
        return title or Path(str(self.location).partition("?")[0]).stem

    @cached_property
    def _found(self) -> tuple[tuple[ApiRecord, ...], tuple[str, ...]]:
        records: dict[str, ApiRecord] = {}
        problems = []
        for operation in _operations(self._document):
            try:
                record = self._record(operation)
                if record.id in records:
                    raise Unusable("it is there twice")
                records[record.id] = record
            except Unusable as why:
                problems.append(one_line(f"{self.location}: {operation.title}: {why}"))
        return tuple(records.values()), tuple(problems)

    def _bytes(self) -> bytes:
        url = str(self.location)
        if not re.match(r"https?://", url):
            return _file_bytes(Path(url))
        if self.fetch is None:
            raise UsageError(f"{one_line(url)} is not a file", "download it and give the file")
        return self.fetch(url)

    def _record(self, operation: _Operation) -> ApiRecord:
        """The record of one operation. Raises Unusable."""
        if not isinstance(operation.value, dict):
            raise Unusable("it is not an object")
        info, value = _info(self._document), operation.value
        call = f"{operation.method.upper()} {self._address(operation)}"
        tags = [one_line(tag) for tag in _list(value.get("tags")) if isinstance(tag, str)]
        told = text_of(value, "description") or text_of(value, "summary")
        record = ApiRecord(
            id=f"{self.name}:{call}",
            source=self.name,
            domain=tags[0] if tags else text_of(info, "title") or self._title,
            framework=f"{text_of(info, 'title') or self._title} {text_of(info, 'version')}".strip(),
            functionality=_functionality(value, operation),
            api_name=text_of(value, "operationId") or operation.title,
            api_call=call,
            api_arguments=arguments(self._document, operation.shared, value, operation.path),
            environment_requirements=_secrets(self._document, value),
            description=told[:TEXT],
            licence=text_of(info.get("license"), "name"),
            kind="http",
        )
        return replace(record, stamp=hashlib.sha256(repr(record).encode("utf-8", "replace")).hexdigest()[:16])

    def _address(self, operation: _Operation) -> str:
        """The URL of an operation, with {name} where its path has one. Raises Unusable."""
        if not operation.path.startswith("/") or operation.path != one_line(operation.path):
            raise Unusable("its path does not begin with /, or cannot be shown")
        path = BLANK.sub("\0", operation.path)
        if "{" in path or "}" in path:
            raise Unusable("its path has a brace too many")
        names = iter(BLANK.findall(operation.path))
        return self._server(operation) + re.sub("\0", lambda _: next(names), quote(path, safe=SAFE + "\0"))

    def _server(self, operation: _Operation) -> str:
        """Scheme, host and prefix where an operation is served, without a slash at the end. Raises Unusable."""
        places = (operation.value, operation.shared, self._document.root)
        found = next((urls for place in places if (urls := _servers(place))), [])
        own = str(self.location)
        swagger = _swagger_server(self._document.root, own)
        for url in (self.server, *found, swagger):
            if url and (clean := _clean(own if re.match(r"https?://", own) else "", url)):
                return clean
        raise Unusable("no server is named for it")


@dataclass(frozen=True, slots=True)
class _Operation:
    """`method` at `path`: what the file says of it, and of its path as a whole."""

    method: str
    path: str
    value: Any
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return one_line(f"{self.method.upper()} {self.path}")


def _file_bytes(file: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise UsageError(f"{one_line(str(file))} is not a plain file", "give an OpenAPI file, JSON or YAML")
        with open(file, "rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise StateError(f"cannot read {one_line(str(file))}: {error.strerror}", "check the path") from None
    except ValueError:
        raise UsageError(f"{one_line(str(file))} cannot be a path", "give an OpenAPI file, JSON or YAML") from None


def _operations(document: Document) -> Iterator[_Operation]:
    for path, item in document.root["paths"].items():
        shared = document.resolve(item)
        for method in METHODS if isinstance(shared, dict) else ():
            if method in shared:
                yield _Operation(method, path, shared[method], shared)


def text_of(value: Any, key: str) -> str:
    """The text at `key` of an object, in one line; "" when there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return one_line(found) if isinstance(found, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _info(document: Document) -> dict[str, Any]:
    info = document.resolve(document.root.get("info"))
    return info if isinstance(info, dict) else {}


def _functionality(value: dict[str, Any], operation: _Operation) -> str:
    """What the operation is for, in a sentence."""
    text = text_of(value, "summary") or text_of(value, "description") or _words(text_of(value, "operationId"))
    sentence = re.split(r"(?<=[.!?])\s", text or operation.title, maxsplit=1)[0][:SENTENCE]
    return f"{sentence} (deprecated)" if value.get("deprecated") is True else sentence


def _words(name: str) -> str:
    """listPets, list_pets -> list pets."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").lower().split())


def _servers(place: Any) -> list[str]:
    """The addresses at `servers`, variables replaced by their defaults."""
    found = []
    for server in _list(place.get("servers") if isinstance(place, dict) else None):
        variables = server.get("variables") if isinstance(server, dict) else None
        url = text_of(server, "url")
        for name, variable in (variables if isinstance(variables, dict) else {}).items():
            value = variable.get("default") if isinstance(variable, dict) else None
            url = url.replace(f"{{{name}}}", one_line(str(value)) if value is not None else f"{{{name}}}")
        if url and "{" not in url:
            found.append(url)
    return found


def _swagger_server(root: dict[str, Any], location: str) -> str:
    """Swagger 2's schemes, host and basePath; relative to `location` where it names no host."""
    path = "/" + text_of(root, "basePath").strip("/")
    host = text_of(root, "host")
    if not host:
        return path if re.match(r"https?://", location) else ""
    schemes = _list(root.get("schemes"))
    return f"{'http' if 'http' in schemes and 'https' not in schemes else 'https'}://{host}{path}"


def _clean(start: str, url: str) -> str:
    """`url`, seen from `start`, as scheme, host and path in ASCII; "" when it has more than that, or is none."""
    try:
        parts = urlsplit(urljoin(start, url))
        host = (parts.hostname or "").encode("idna").decode("ascii") if ":" not in (parts.hostname or "") else ""
        host = host or f"[{parts.hostname}]"
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, UnicodeError):
        return ""
    if (
        parts.scheme not in ("http", "https")
        or parts.username
        or parts.query
        or parts.fragment
        or not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:.]+\]", host)
    ):
        return ""
    return f"{parts.scheme}://{host}{port}{quote(parts.path, safe=SAFE)}".rstrip("/")


def _secrets(document: Document, value: dict[str, Any]) -> tuple[str, ...]:
    """What the operation wants to know about the caller, one line for each scheme that it may use."""
    wanted = value.get("security", document.root.get("security"))
    names = [name for one in _list(wanted) if isinstance(one, dict) for name in one]
    components = document.root.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    schemes = schemes or document.root.get("securityDefinitions")
    if not isinstance(schemes, dict):
        return ()
    lines = [_secret(one_line(name), document.resolve(schemes.get(name))) for name in dict.fromkeys(names)]
    return tuple(line for line in lines if line)


def _secret(name: str, scheme: Any) -> str:
    kind, way = text_of(scheme, "type").lower(), text_of(scheme, "scheme").lower()
    if kind == "basic" or (kind == "http" and way == "basic"):
        return f"secret {name}: user:password"
    if kind == "apikey":
        place, key = text_of(scheme, "in"), text_of(scheme, "name")
        return f"secret {name}: api key in {place} {key}" if TOKEN.fullmatch(key) else ""
    return f"secret {name}: bearer token" if kind in ("http", "oauth2", "openidconnect") else ""
