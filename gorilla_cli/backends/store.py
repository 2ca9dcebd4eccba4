"""The models on this machine: files named by their SHA-256 and one record of what each is called.

A file counts only when its SHA-256 was right when it came in. Opens no socket; deletes only files it owns.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gorilla_cli import config
from gorilla_cli.backends.catalogue import ENCODER, WRITER, ModelEntry, chat_format_of, kind_of
from gorilla_cli.backends.gguf import Header, read_header
from gorilla_cli.errors import ModelDamaged, ModelMissing, StateError, UsageError
from gorilla_cli.sanitise import one_line

CHUNK = 1 << 20
FORMAT = 1
CANNOT = {ENCODER: "is an encoder: it compares sentences and writes none", WRITER: "writes and is no encoder"}

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that is here. `size` in bytes, `context` in tokens; `own`: the file belongs to the store."""

    name: str
    sha256: str
    size: int
    mtime_ns: int
    path: Path
    own: bool
    source: str
    date: str
    licence: str
    context: int
    chat_format: str
    architecture: str

    @property
    def kind(self) -> str:
        """What it is for: "writer" or "encoder"."""
        return kind_of(self.architecture)


class ModelStore:
    """The models under one folder. Every method that changes the record holds a lock on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = folder / "models.json"

    def list(self) -> list[StoredModel]:
        """Every recorded model by name. Raises StateError when the record cannot be read."""
        return [model for _, model in sorted(self._models().items())]

    def info(self, name: str) -> StoredModel:
        """The record of `name`; the file is not looked at. Raises ModelMissing, StateError."""
        models = self._models()
        if name not in models:
            raise ModelMissing(f"the model {one_line(name)} is not here", _pull(name))
        return models[name]

    def path(self, name: str, kind: str = WRITER) -> Path:
        """The file of `name`, still of the size and time it was adopted with; `kind` is what it is wanted for.

        "" wants any kind. Raises ModelMissing, ModelDamaged, and UsageError when it is of the other kind.
        """
        model = self.info(name)
        if kind not in ("", model.kind):
            raise UsageError(f"{one_line(name)} {CANNOT[model.kind]}", "run: gorilla model list")
        if (stat := _stat(model)) is None:
            raise ModelMissing(f"the file of the model {one_line(name)} is gone", _pull(name))
        if (stat.st_size, stat.st_mtime_ns) != (model.size, model.mtime_ns):
            raise ModelDamaged(f"the file of the model {one_line(name)} was changed after it was checked", _pull(name))
        return model.path

    def verify(self, name: str, progress: Progress = silent) -> StoredModel:
        """Hash the whole file of `name` again; a file that is right counts again even when it was touched.

        Raises ModelMissing, ModelDamaged, StateError.
        """
        model = self.info(name)
        if (stat := _stat(model)) is None:
            raise ModelMissing(f"the file of the model {one_line(name)} is gone", _pull(name))
        check(model.path, model.sha256, model.size, progress)
        with self._changing() as models:
            _touch(models, model.path, stat.st_mtime_ns)
        return self.info(name)

    def adopt(
        self, entry: ModelEntry, file: Path, *, sha256: str, source: str, date: str, progress: Progress = silent
    ) -> StoredModel:
        """Take `file` in as `entry`: verified whole, synced, and moved here, unless it is the user's own `entry.path`.

        `date` is when, as text. Raises ModelDamaged when a byte is wrong: `file` and the old state are untouched then.
        """
        check(file, sha256, entry.size, progress)
        header = read_header(file)
        target = file if entry.path else self.folder / f"{sha256}.gguf"
        with self._changing() as models:
            if not entry.path:
                move(file, target)
            model = _stored(entry, target, header, sha256, source, date)
            models[entry.name] = model
            _touch(models, target, model.mtime_ns)
        return model

    def remove(self, name: str) -> int:
        """Forget `name` and delete its file when nothing else uses it; returns the bytes freed. Raises ModelMissing."""
        before = self._bytes()
        self.info(name)
        with self._changing() as models:
            models.pop(name, None)
        return before - self._bytes()

    def _bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.glob("*.gguf"))

    def _models(self) -> dict[str, StoredModel]:
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            if record["format"] != FORMAT:
                raise ValueError(f"format {record['format']} is not {FORMAT}")
            return {name: self._load(name, fields) for name, fields in record["models"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(
                f"cannot read {self._record}: {one_line(str(error))}", "remove that file and pull the models again"
            ) from None

    def _load(self, name: str, fields: dict[str, object]) -> StoredModel:
        own = bool(fields["own"])
        path = self.folder / Path(str(fields["path"])).name if own else Path(str(fields["path"]))
        return StoredModel(**{**fields, "name": name, "path": path, "own": own})  # type: ignore[arg-type]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, StoredModel]]:
        """The models, to be changed in place: written back under the lock; files no longer named are deleted."""
        with locked(self.folder / "models.lock"):
            models = self._models()
            before = _own_files(models)
            yield models
            fields = {name: _fields(model) for name, model in sorted(models.items())}
            config.write_text(self._record, json.dumps({"format": FORMAT, "models": fields}, indent=1) + "\n")
            for file in before - _own_files(models):
                file.unlink(missing_ok=True)


def check(file: Path, sha256: str, size: int = 0, progress: Progress = silent) -> None:
    """Read all of `file` and compare. `size` 0 is any. Raises ModelDamaged."""
    try:
        actual = file.stat().st_size
        if size and actual != size:
            raise ModelDamaged(f"{file.name} has {actual} bytes instead of {size}", "pull it again")
        found = digest(file, progress)
    except OSError as error:
        raise ModelDamaged(f"cannot read {one_line(str(file))}: {error.strerror}", "pull it again") from None
    if found != sha256:
        raise ModelDamaged(f"{file.name} has the SHA-256 {found[:12]}... instead of {sha256[:12]}...", "pull it again")


def digest(file: Path, progress: Progress = silent) -> str:
    """The SHA-256 of `file` in hexadecimal. Raises OSError."""
    total, state, done = file.stat().st_size, hashlib.sha256(), 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
            done += len(chunk)
            progress(done, total)
    return state.hexdigest()


@contextmanager
def locked(file: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock `file` across processes; `waiting` is called once when somebody else has it. Raises StateError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = file.open("a")
    except OSError as error:
        raise StateError(f"cannot write {file}: {error.strerror}", "check its permissions") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def move(file: Path, target: Path) -> None:
    """Put `file` in the place of `target` so that a crash leaves either the old or the new. Raises StateError."""
    try:
        config.sync(file)
        os.replace(file, target)
        config.sync(target.parent)
    except OSError as error:
        raise StateError(
            f"cannot write {target}: {error.strerror}", "free some space or check its permissions"
        ) from None


def _stat(model: StoredModel) -> os.stat_result | None:
    try:
        return model.path.stat()
    except OSError:
        return None


def _touch(models: dict[str, StoredModel], file: Path, mtime_ns: int) -> None:
    """Every name of `file` remembers its new time."""
    for model in [each for each in models.values() if each.path == file]:
        models[model.name] = replace(model, mtime_ns=mtime_ns)


def _own_files(models: dict[str, StoredModel]) -> set[Path]:
    return {model.path for model in models.values() if model.own}


def _pull(name: str) -> str:
    return f"run: gorilla model pull {one_line(name)}"


def _stored(entry: ModelEntry, path: Path, header: Header, sha256: str, source: str, date: str) -> StoredModel:
    stat = path.stat()
    return StoredModel(
        name=entry.name,
        sha256=sha256,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        path=path,
        own=entry.path is None,
        source=source,
        date=date,
        licence=entry.licence,
        context=entry.context or header.context_length,
        chat_format=_chat_format(entry, header),
        architecture=one_line(header.architecture),
    )


def _chat_format(entry: ModelEntry, header: Header) -> str:
    if kind_of(header.architecture) == ENCODER:
        return ""
    return entry.chat_format or chat_format_of(header.chat_template)


def _fields(model: StoredModel) -> dict[str, object]:
    return {**asdict(model), "path": model.path.name if model.own else str(model.path)}
