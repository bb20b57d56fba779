"""Announcements of recordings and transcripts, as documented and otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.whatsapp_reader import read_webhook
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.core.errors import BadInput
from gateway.core.whatsapp import FileAvailable, FileKind
from gateway.ports.webhooks import InboxItem

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = {
    "recording_available": ("call_recording", "audio"),
    "transcription_available": ("call_transcript", "document"),
}


def delivery(name: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The whole, its one event, and the file within."""
    tree = json.loads((FIXTURES / f"{name}.json").read_text())
    event = tree["entry"][0]["changes"][0]["value"]["calls"][0]
    outer, inner = NAMES[name]
    return tree, event, event[outer][inner]


def only(tree: Any) -> InboxItem:
    (item,) = split_delivery(json.dumps(tree).encode())
    return item


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_with_all_that_is_needed_to_fetch_it(name: str) -> None:
    tree, event, file = delivery(name)
    item = only(tree)
    assert item.is_news
    read = read_webhook(item)
    assert isinstance(read, FileAvailable)
    assert read.kind is (FileKind.RECORDING if "recording" in name else FileKind.TRANSCRIPT)
    assert (read.media_id, read.sha256, read.url) == (file["id"], file["sha256"], file["url"])
    assert (read.wacid, read.at) == (event["id"], float(event["timestamp"]))


def test_the_other_name_of_the_transcripts_event_is_understood() -> None:
    tree, event, _ = delivery("transcription_available")
    event["event"] = "call_transcript_available"
    read = read_webhook(only(tree))
    assert isinstance(read, FileAvailable)
    assert read.kind is FileKind.TRANSCRIPT


@pytest.mark.parametrize("name", NAMES)
def test_the_same_file_told_of_twice_is_one_event_and_another_is_two(name: str) -> None:
    first, event, file = delivery(name)
    second = json.loads(json.dumps(first))
    assert only(first).dedup_key == only(second).dedup_key
    file["id"] = "another"
    assert only(first).dedup_key != only(second).dedup_key
    assert event["timestamp"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("missing", ["sha256", "url", "mime_type"])
def test_what_can_be_asked_for_later_may_be_missing(name: str, missing: str) -> None:
    tree, _, file = delivery(name)
    del file[missing]
    assert isinstance(read_webhook(only(tree)), FileAvailable)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("media_id", [None, 5, "", "../me", "a" * 200, "1?x=2"])
def test_without_a_usable_id_the_event_is_refused(name: str, media_id: object) -> None:
    tree, _, file = delivery(name)
    file["id"] = media_id
    with pytest.raises(BadInput):
        read_webhook(only(tree))


@pytest.mark.parametrize("name", NAMES)
def test_an_event_without_its_file_is_refused(name: str) -> None:
    tree, event, _ = delivery(name)
    del event[NAMES[name][0]]
    with pytest.raises(BadInput):
        read_webhook(only(tree))
