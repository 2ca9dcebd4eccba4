"""A small model, and a hub on this machine that serves it: honestly, or in one of many bad ways."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gorilla_cli.backends.catalogue import HubFile, ModelEntry
from gorilla_cli.backends.store import ModelStore
from tests.gguf_files import model, write

MODEL = model(128 * 1024)
SHA = hashlib.sha256(MODEL).hexdigest()
COMMIT = "c" * 40
PATH = f"/owner/repo/resolve/{COMMIT}/model.gguf"
STEP = 64 * 1024
ENTRY = ModelEntry("m", size=len(MODEL), sha256=SHA, hub=HubFile("owner/repo", COMMIT, "model.gguf"))


def partials(store: ModelStore) -> set[str]:
    """What is in the store's folder besides models, locks and the record."""
    names = [file.name for file in store.folder.iterdir() if not re.search(r"gguf$|lock$|^models", file.name)]
    return {name.replace(SHA, "SHA") for name in names}


def adopt_old(store: ModelStore) -> Path:
    """An earlier model of the same name, which every failure must leave alone."""
    content = model(seed=9)
    file = write(store.folder.parent / "old", content)
    entry = ModelEntry("m")
    return store.adopt(entry, file, sha256=hashlib.sha256(content).hexdigest(), source="test", date="").path


@dataclass
class Hub:
    """What the server holds and how it behaves; `asked` is every (method, path, range) it was asked."""

    content: bytes = MODEL
    offered: str = SHA
    size: int = len(MODEL)
    behaviour: str = "honest"
    address: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    def ranges(self) -> list[str]:
        return [asked for method, _, asked in self.asked if method == "GET"]


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_HEAD(self):
        hub = self._begin()
        if hub.behaviour in ("404", "401", "503"):
            return self._say(int(hub.behaviour), {"Content-Length": "0"})
        if hub.behaviour == "silent":
            hub.ended.wait(20)
        headers = {"ETag": '"git"', "X-Repo-Commit": COMMIT, "Content-Length": str(hub.size)}
        if hub.offered:
            headers |= {"X-Linked-Etag": f'"{hub.offered}"', "X-Linked-Size": str(hub.size)}
        return self._say(200, headers)

    def do_GET(self):
        hub = self._begin()
        getattr(self, f"_{hub.behaviour}", self._honest)(hub)

    def log_message(self, *_):
        pass

    def _begin(self) -> Hub:
        hub = self.server.hub
        hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        return hub

    def _say(self, code: int, headers: dict[str, str]):
        self.send_response(code)
        for name, content in headers.items():
            self.send_header(name, content)
        self.end_headers()

    def _piece(self, content: bytes, honour: bool = True) -> bytes:
        """Headers for `content`, or the range of it that was asked for, and that piece."""
        begin = int((re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, 0])[1])
        if not honour or not begin:
            self._say(200, {"Content-Length": str(len(content))})
            return content
        if begin >= len(content):
            self._say(416, {"Content-Length": "0"})
            return b""
        rest = content[begin:]
        self._say(206, {"Content-Length": str(len(rest)), "Content-Range": f"bytes {begin}-/{len(content)}"})
        return rest

    def _honest(self, hub: Hub):
        self.wfile.write(self._piece(hub.content))

    def _short(self, hub: Hub):
        self.wfile.write(self._piece(hub.content[: len(hub.content) // 2]))

    def _stall(self, hub: Hub):
        """One piece, and then silence."""
        piece = self._piece(hub.content)
        self.wfile.write(b"" if self.headers.get("Range") else piece[:STEP])
        self.wfile.flush()
        hub.ended.wait(20)

    def _cut(self, hub: Hub):
        """One piece, and the connection is closed."""
        self.wfile.write(self._piece(hub.content)[:STEP])
        self.close_connection = True

    def _cut_once(self, hub: Hub):
        """As above, and then an answer that ignores the range."""
        if not self.headers.get("Range"):
            return self._cut(hub)
        return self.wfile.write(self._piece(hub.content, honour=False))

    def _reset(self, hub: Hub):
        """The connection is reset as soon as the first piece has arrived; after that all goes well."""
        if self.headers.get("Range"):
            return self._honest(hub)
        self.wfile.write(self._piece(hub.content)[:STEP])
        self.wfile.flush()
        hub.arrived.wait(5)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        return os.close(self.connection.detach())

    def _other_range(self, hub: Hub):
        if not self.headers.get("Range"):
            return self._cut(hub)
        self._say(206, {"Content-Length": "3", "Content-Range": "bytes 0-2/9"})
        return self.wfile.write(b"abc")

    def _endless(self, hub: Hub):
        self.close_connection = True
        self._say(200, {"Connection": "close"})
        try:
            while not hub.ended.is_set():
                self.wfile.write(bytes(STEP))
        except OSError:
            return

    def _zipped(self, hub: Hub):
        self._say(200, {"Content-Encoding": "gzip", "Content-Length": "0"})

    def _redirect(self, hub: Hub):
        self._honest(hub) if self.path == "/cdn" else self._go("/cdn")

    def _circle(self, hub: Hub):
        self._go(self.path + "x")

    def _to_file(self, hub: Hub):
        self._go("file:///etc/passwd")

    def _to_http(self, hub: Hub):
        self._go("http://example.invalid/model.gguf")

    def _go(self, where: str):
        self._say(302, {"Location": where, "Content-Length": "0"})


class HubServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.hub = hub
        hub.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        """A client that goes away is what some tests are about."""


@contextmanager
def serving(**changes) -> Iterator[Hub]:
    hub = Hub(**changes)
    with HubServer(hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.ended.set()
            server.shutdown()
            thread.join()
