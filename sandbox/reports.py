"""Calls, users and deliveries as JSON for the control API."""

import asyncio
from dataclasses import asdict

from sandbox.call import Call
from sandbox.hearing import Heard
from sandbox.payloads import Json
from sandbox.users import WhatsAppUser
from sandbox.webhook_sender import Delivery


def call_summary(call: Call) -> Json:
    """One line about a call."""
    return {
        "wacid": call.wacid,
        "direction": call.identity.direction,
        "state": call.state,
        "user_id": call.identity.user.user_id,
        "phone_number_id": call.identity.number.phone_number_id,
        "began_at": call.began_at,
        "fault_count": call.record.fault_count,
    }


async def call_report(call: Call) -> Json:
    """Everything about a call; times in the timeline are ms since it began."""
    heard = await asyncio.to_thread(call.hearing.measure)
    record = call.record
    return call_summary(call) | {
        "biz_opaque_callback_data": call.identity.biz_opaque_callback_data,
        "recording": asdict(call.recording) if call.recording else None,
        "transcription": asdict(call.transcription) if call.transcription else None,
        "outcome": _outcome(call),
        "timeline": [asdict(moment) for moment in record.timeline],
        "faults": {kind: asdict(counted) for kind, counted in record.faults.items()},
        "ice": asdict(call.media.transport.ice.counts),
        "dtls": {
            "state": call.media.transport.dtls_state,
            "role": call.media.transport.dtls_role,
        },
        "datagrams": asdict(call.media.transport.counts),
        "received": _received(call),
        "sent": _sent(call),
        "heard": _summary(heard) | {"first_packet_at_ms": call.hearing.first_at_ms},
    }


def heard_report(heard: Heard) -> Json:
    """A measurement with the level of each 20 ms."""
    return asdict(heard)


def user_report(user: WhatsAppUser) -> Json:
    """A user as the control API shows them."""
    return {
        "user_id": user.user_id,
        "parent_user_id": user.parent_user_id,
        "wa_id": user.wa_id,
        "name": user.name,
        "username": user.username,
        "can_be_called": user.can_be_called,
        "permission": user.first_permission,
        "persona": user.persona.model_dump(mode="json"),
    }


def delivery_report(delivery: Delivery) -> Json:
    """A webhook and its attempts."""
    return {
        "id": delivery.delivery_id,
        "name": delivery.name,
        "wacid": delivery.wacid,
        "is_delivered": delivery.is_delivered,
        "is_given_up": delivery.is_given_up,
        "attempts": [asdict(attempt) for attempt in delivery.attempts],
        "body": delivery.body.decode(errors="replace"),
        "signature": delivery.signature,
    }


def _outcome(call: Call) -> Json | None:
    if call.outcome is None:
        return None
    ending = call.outcome.ending
    return {
        "ended_by": call.outcome.ended_by,
        "reason": call.outcome.reason,
        "status": ending.status,
        "started_at": ending.started_at,
        "ended_at": ending.ended_at,
        "error": ending.error,
    }


def _received(call: Call) -> Json | None:
    watch = call.media.watch
    if watch is None:
        return None
    return asdict(watch.counts) | {"round_trip_ms": call.media.round_trip_ms}


def _sent(call: Call) -> Json:
    sender = call.media.sender
    return {
        "packets": sender.packets if sender else 0,
        "octets": sender.octets if sender else 0,
    }


def _summary(heard: Heard) -> Json:
    measured = asdict(heard)
    del measured["levels_dbfs"]
    return measured
