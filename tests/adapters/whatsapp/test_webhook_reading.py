"""Deliveries of every documented shape, and of shapes nobody documented."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.whatsapp_reader import read_webhook
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.core.errors import BadInput, MetaFault
from gateway.core.whatsapp import (
    BusinessConnect,
    CallStatus,
    Peer,
    StatusChanged,
    Terminated,
    UserConnect,
    WhatsAppEvent,
)
from gateway.ports.webhooks import InboxItem

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "200200200200200"
WACID = "wacid.HBgMNjI4MTEwMDAwMDAyFQIAEhggQQ=="
CALL_ID = "c0ffee" + "a" * 20
SITI = Peer(
    phone="628110000002",
    user_id="ID.7700112233445566",
    parent_user_id="ID.ENT.8800112233445566",
    name="Siti Rahma",
    username="sitirahma",
)


def delivery(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def split(tree: Any) -> list[InboxItem]:
    return list(split_delivery(json.dumps(tree).encode()))


def only(tree: Any) -> InboxItem:
    (item,) = split(tree)
    return item


def read(name: str) -> WhatsAppEvent | None:
    return read_webhook(only(delivery(name)))


def inner(tree: Any, key: str = "calls") -> dict[str, Any]:
    found: dict[str, Any] = tree["entry"][0]["changes"][0]["value"][key][0]
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("connect_uic", "connect"),
        ("connect_bic", "connect"),
        ("terminate_uic", "terminate"),
        ("status_ringing", "status"),
        ("recording_available", "call_recording_available"),
        ("transcription_available", "call_transcription_available"),
        ("call_created_sip", "call_created"),
        ("permission_reply", "call_permission_reply"),
        ("account_settings_update", "account_settings_update"),
        ("account_update_restriction", "account_update"),
        ("account_update_violation", "account_update"),
        ("errors_only", "errors"),
    ],
)
def test_each_documented_event_is_named(name: str, kind: str) -> None:
    item = only(delivery(name))
    assert item.kind == kind
    assert item.phone_number_id == (None if kind == "account_update" else NUMBER)
    is_of_call = (
        "calls" in delivery(name)["entry"][0]["changes"][0]["value"] or kind == "status"
    )
    assert item.wacid == (WACID if is_of_call else None)
    is_worked_on = kind in {"connect", "terminate", "status"} or kind.endswith("_available")
    assert item.is_news is is_worked_on


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_a_redelivery_has_the_same_key_and_a_later_event_another(path: Path) -> None:
    tree = json.loads(path.read_text())
    first = only(tree)
    again = only(json.loads(json.dumps(tree, indent=3, sort_keys=True)))
    assert first.dedup_key == again.dedup_key
    if path.stem == "errors_only":
        return  # Meta gives it neither an id nor a time.
    later = json.loads(path.read_text().replace("17900", "17901"))
    assert only(later).dedup_key != first.dedup_key


def test_keys_of_all_documented_events_differ() -> None:
    keys = [only(json.loads(path.read_text())).dedup_key for path in FIXTURES.glob("*.json")]
    # Three more variants of the user's connect, one of ours, two of the end: the same events.
    assert len(set(keys)) == len(keys) - 3 - 1 - 2


def test_a_users_call_is_read_whole() -> None:
    event = read("connect_uic")
    assert isinstance(event, UserConnect)
    assert (event.phone_number_id, event.wacid, event.at) == (NUMBER, WACID, 1790000000.0)
    assert event.peer == SITI
    assert event.offer.startswith("v=0\r\n")
    assert (event.deeplink_payload, event.cta_payload) == ("from-site", "order-7")


def test_a_caller_may_have_no_phone_number() -> None:
    event = read("connect_uic_no_phone")
    assert isinstance(event, UserConnect)
    assert event.peer == Peer(
        user_id="ID.7700112233445566", name="Siti Rahma", username="sitirahma"
    )


def test_contacts_may_be_missing() -> None:
    event = read("connect_uic_no_contacts")
    assert isinstance(event, UserConnect)
    assert event.peer == Peer(phone="628110000002")


def test_numbers_that_are_mixed_up_do_not_change_the_direction() -> None:
    event = read("connect_uic_swapped_numbers")
    assert isinstance(event, UserConnect)
    # A name that is just the number is no name.
    assert event.peer == Peer(phone="628110000002")


@pytest.mark.parametrize("name", ["connect_bic", "connect_bic_legacy"])
def test_metas_answer_is_found_in_both_places(name: str) -> None:
    event = read(name)
    assert isinstance(event, BusinessConnect)
    assert "a=setup:active\r\n" in event.answer
    assert event.call_id == (CALL_ID if name == "connect_bic" else None)


@pytest.mark.parametrize("opaque", ["", "hello", "C" * 26, "a" * 27, "a" * 25 + "!", 7, None])
def test_an_opaque_string_that_is_not_ours_is_no_call_id(opaque: object) -> None:
    tree = delivery("connect_bic")
    inner(tree)["biz_opaque_callback_data"] = opaque
    event = read_webhook(only(tree))
    assert isinstance(event, BusinessConnect)
    assert event.call_id is None


@pytest.mark.parametrize("status", list(CallStatus))
def test_progress_of_our_call_is_read(status: CallStatus) -> None:
    event = read(f"status_{status.lower()}")
    assert event == StatusChanged(
        phone_number_id=NUMBER,  # type: ignore[arg-type]
        wacid=WACID,  # type: ignore[arg-type]
        at=1790000005.0,
        status=status,
        call_id=CALL_ID,  # type: ignore[arg-type]
        peer=Peer(
            phone="628110000002",
            user_id="ID.7700112233445566",
            parent_user_id="ID.ENT.8800112233445566",
        ),
    )


def test_receipts_of_messages_are_no_news_of_calls() -> None:
    tree = delivery("status_ringing")
    inner(tree, "statuses")["type"] = "message"
    assert only(tree).kind == "unknown"
    tree = delivery("status_ringing")
    tree["entry"][0]["changes"][0]["field"] = "messages"
    item = only(tree)
    assert item.kind == "message_status"
    assert read_webhook(item) is None


def test_a_status_nobody_documented_is_no_news() -> None:
    tree = delivery("status_ringing")
    inner(tree, "statuses")["status"] = "THINKING"
    assert read_webhook(only(tree)) is None


def test_the_end_of_an_answered_call_tells_its_times() -> None:
    event = read("terminate_uic")
    assert isinstance(event, Terminated)
    assert (event.start_at, event.end_at, event.duration_s) == (1790000010, 1790000130, 120)
    assert not event.failed
    assert event.call_id == CALL_ID


def test_completed_does_not_mean_answered() -> None:
    event = read("terminate_unanswered")
    assert isinstance(event, Terminated)
    assert (event.start_at, event.duration_s, event.failed) == (None, None, False)


@pytest.mark.parametrize(
    "name", ["terminate_failed_value_errors", "terminate_failed_call_errors"]
)
def test_the_reason_of_a_failure_is_found_in_both_places(name: str) -> None:
    event = read(name)
    assert isinstance(event, Terminated)
    assert event.failed
    assert event.faults == (
        MetaFault(138021, "Client got no media", details="No media for long"),
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"start_time": "soon", "end_time": None, "duration": -1},
        {"duration": 1e99, "errors": "none"},
        {"errors": [None, {"code": "x"}, 7]},
        {"status": None},
        {"status": 7, "biz_opaque_callback_data": {}},
    ],
)
def test_an_end_with_odd_details_is_still_an_end(odd: dict[str, object]) -> None:
    tree = delivery("terminate_uic")
    inner(tree).update(odd)
    assert isinstance(read_webhook(only(tree)), Terminated)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("session", None),
        ("session", {"sdp_type": "offer", "sdp": None}),
        ("session", {"sdp_type": "pranswer", "sdp": "v=0"}),
        ("session", {"sdp_type": "answer", "sdp": "v=0"}),
        ("direction", "SIDEWAYS"),
        ("direction", None),
        ("timestamp", "now"),
        ("timestamp", None),
        ("timestamp", -5),
    ],
)
def test_a_connect_that_lacks_what_matters_is_refused_without_its_content(
    field: str, value: object
) -> None:
    tree = delivery("connect_uic")
    inner(tree)[field] = value
    item = only(tree)
    assert item.kind == "connect"
    with pytest.raises(BadInput) as caught:
        read_webhook(item)
    assert "628110000002" not in str(caught.value)
    assert "v=0" not in str(caught.value)


@pytest.mark.parametrize(
    ("sdp", "read"), [("", ""), ("v" * 3_000_000, "v" * 65_537), ("v=\ud800", "v=?")]
)
def test_an_offer_that_nobody_can_use_is_still_a_call_to_be_refused(
    sdp: str, read: str
) -> None:
    tree = delivery("connect_uic")
    inner(tree)["session"] = {"sdp_type": "offer", "sdp": sdp}
    event = read_webhook(only(tree))
    assert isinstance(event, UserConnect)
    assert event.offer == read, "too long stays too long"


def test_one_bad_item_fails_no_other() -> None:
    tree = delivery("connect_uic")
    changes = tree["entry"][0]["changes"]
    changes[0:0] = [
        None,
        7,
        {"field": "calls"},
        {"field": "calls", "value": {"calls": [[], 0]}},
    ]
    changes.append(delivery("terminate_uic")["entry"][0]["changes"][0])
    tree["entry"].append("odd")
    kinds = [item.kind for item in split(tree)]
    assert kinds == ["unknown"] * 5 + ["connect", "terminate", "unknown"]


def test_a_call_without_a_usable_id_is_kept_as_unknown() -> None:
    for bad in (None, "", 7, "wacid with space", "w\u0000", "x" * 257):
        tree = delivery("connect_uic")
        inner(tree)["id"] = bad
        assert only(tree).kind == "unknown"


def test_a_thousand_changes_are_a_thousand_items() -> None:
    tree = delivery("status_ringing")
    change = json.dumps(tree["entry"][0]["changes"][0])
    tree["entry"][0]["changes"] = [
        json.loads(change.replace("HBgM", f"N{n}")) for n in range(1000)
    ]
    items = split(tree)
    assert len(items) == 1000
    assert len({item.wacid for item in items}) == 1000


def test_several_calls_in_one_change_keep_their_own_people_and_reasons() -> None:
    tree = delivery("connect_uic")
    value = tree["entry"][0]["changes"][0]["value"]
    other = json.loads(json.dumps(value["calls"][0]).replace("628110000002", "628110000003"))
    other.update(id="wacid.OTHER", from_user_id="ID.9")
    value["calls"].append(other)
    value["contacts"].append({"profile": {"name": "Budi"}, "user_id": "ID.9"})
    events = [read_webhook(item) for item in split(tree)]
    names = [event.peer.name for event in events if isinstance(event, UserConnect)]
    assert names == ["Siti Rahma", "Budi"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe",
        b"NaN",
        b'{"entry":[{"id":NaN}]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"entry":{"changes":{"value":7}}}',
        b'{"entry":[{"changes":' + b"[" * 900 + b"]" * 900 + b"}]}",
        b"1" * 5_000,
    ],
)
def test_what_is_no_delivery_is_kept_whole(body: bytes) -> None:
    items = split_delivery(body)
    assert items
    assert {item.kind for item in items} == {"unknown"}
    assert all(read_webhook(item) is None for item in items)


def test_payloads_are_pure_ascii_whatever_people_are_called() -> None:
    tree = delivery("connect_uic")
    contacts = tree["entry"][0]["changes"][0]["value"]["contacts"]
    contacts[0]["profile"]["name"] = "\U0001f469\u200d\U0001f4bb \u0000 \ud800 Siti"
    item = only(tree)
    assert item.payload.isascii()
    assert "\x00" not in item.payload
    event = read_webhook(item)
    assert isinstance(event, UserConnect)
    assert event.peer.name == "\U0001f469\u200d\U0001f4bb   Siti"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "event", "timestamp", "session", "sdp", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    name=st.sampled_from(sorted(path.stem for path in FIXTURES.glob("*.json"))),
    where=st.lists(st.integers(0, 30), min_size=1, max_size=3),
    odd=JSON,
)
def test_any_part_of_a_delivery_may_be_anything(
    name: str, where: list[int], odd: object
) -> None:
    tree = delivery(name)
    for choice in where:
        _replace(tree, choice, copy.deepcopy(odd))
    for item in split_delivery(json.dumps(tree).encode()):
        try:
            read_webhook(item)
        except BadInput:
            continue


def _replace(tree: Any, choice: int, odd: object) -> None:
    """Put `odd` in the place of the chosen part, counted depth first."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in pairs:
            places.append((node, key))
            if isinstance(child, dict | list):
                walk(child)

    walk(tree)
    node, key = places[choice % len(places)]
    node[key] = odd
