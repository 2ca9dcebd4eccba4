"""The most used models of the Hugging Face hub as API records, from its public list. Opens no socket: `fetch` does.

API: GET /api/models?pipeline_tag=TASK&sort=downloads, a JSON list of objects with id, downloads, library_name, tags.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from gorilla_cli.errors import GorillaError
from gorilla_cli.sanitise import strip
from gorilla_cli.types import ApiRecord

PER_TASK = 40
NLP, CV, AUDIO, MULTI = "Natural Language Processing", "Computer Vision", "Audio", "Multimodal"
# The hub's task -> the domain of its records.
DOMAINS = {
    "text-classification": f"{NLP} Text Classification",
    "token-classification": f"{NLP} Token Classification",
    "zero-shot-classification": f"{NLP} Zero-Shot Classification",
    "fill-mask": f"{NLP} Fill-Mask",
    "feature-extraction": f"{NLP} Feature Extraction",
    "sentence-similarity": f"{NLP} Sentence Similarity",
    "text-generation": f"{NLP} Text Generation",
    "image-classification": f"{CV} Image Classification",
    "object-detection": f"{CV} Object Detection",
    "image-segmentation": f"{CV} Image Segmentation",
    "depth-estimation": f"{CV} Depth Estimation",
    "zero-shot-image-classification": f"{CV} Zero-Shot Image Classification",
    "video-classification": f"{CV} Video Classification",
    "automatic-speech-recognition": f"{AUDIO} Automatic Speech Recognition",
    "audio-classification": f"{AUDIO} Audio Classification",
    "text-to-audio": f"{AUDIO} Text-to-Speech",
    "document-question-answering": f"{MULTI} Document Question Answering",
    "text-to-image": f"{MULTI} Text-to-Image",
}
CALLS = {
    "transformers": "pipeline('{task}', model='{id}')",
    "sentence-transformers": "SentenceTransformer('{id}')",
    "diffusers": "DiffusionPipeline.from_pretrained('{id}')",
}
FRAMEWORKS = {
    "transformers": "Hugging Face Transformers",
    "sentence-transformers": "Sentence Transformers",
    "diffusers": "Diffusers",
}
NO_LANGUAGES = {"tf"}  # tags of two letters that say something else
_ID = re.compile(r"[\w.-]{1,96}(?:/[\w.-]{1,96})?")


@dataclass(frozen=True)
class HubRecords:
    """A RecordSource: at most `PER_TASK` models of each task, read once. `fetch`: address -> bytes.

    Raises what `fetch` raises, and GorillaError for an answer that is no list of models.
    """

    fetch: Callable[[str], bytes]
    endpoint: str = "https://huggingface.co"

    @property
    def name(self) -> str:
        return "hub:huggingface"

    def ids(self) -> dict[str, str]:
        """Record id -> hash of what the hub says."""
        return {record.id: record.stamp for record in self._all}

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]:
        """The records whose id is not in `skip`."""
        return (record for record in self._all if record.id not in skip)

    @cached_property
    def _all(self) -> list[ApiRecord]:
        found: dict[str, ApiRecord] = {}
        for task in DOMAINS:
            address = f"{self.endpoint.rstrip('/')}/api/models?pipeline_tag={quote(task)}"
            for row in _rows(self.fetch(f"{address}&sort=downloads&direction=-1&limit={PER_TASK}"), address):
                record = self._record(task, row)
                if record is not None:
                    found.setdefault(record.id, record)
        return list(found.values())

    def _record(self, task: str, row: dict) -> ApiRecord | None:
        """The record of one model; None for what no known library loads, or that asks for an agreement first."""
        model, library = row.get("id") or row.get("modelId"), row.get("library_name")
        if not isinstance(model, str) or not _ID.fullmatch(model) or row.get("gated"):
            return None
        if not isinstance(library, str) or library not in CALLS:
            return None
        call = CALLS[library].format(task=task, id=model)
        listed = row.get("tags")
        tags = [strip(tag) for tag in listed if isinstance(tag, str)] if isinstance(listed, list) else []
        downloads = row.get("downloads")
        stamp = hashlib.sha256(json.dumps([call, tags, downloads], sort_keys=True).encode()).hexdigest()[:16]
        words = re.sub(r"[/_.-]+", " ", model)
        return ApiRecord(
            id=f"{self.name}:{call}",
            source=self.name,
            domain=DOMAINS[task],
            framework=FRAMEWORKS[library],
            functionality=task.replace("-", " "),
            api_name=model,
            api_call=call,
            environment_requirements=(library,),
            description=f"{words}. {' '.join(tag for tag in tags if ':' not in tag)[:300]}",
            licence=next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), ""),
            languages=tuple(tag for tag in tags if re.fullmatch("[a-z]{2}", tag) and tag not in NO_LANGUAGES),
            downloads=downloads if type(downloads) is int else None,
            stamp=stamp,
        )


def _rows(data: bytes, address: str) -> list[dict]:
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        raise GorillaError(f"{address} gave no list of models", "try again later")
    return [row for row in rows if isinstance(row, dict)]
