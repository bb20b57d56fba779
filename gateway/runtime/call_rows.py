"""Between a call with its version and the row in which SQL keeps it."""

from dataclasses import dataclass

from gateway.core.call.call import Call
from gateway.core.call.ending import outcome_of
from gateway.ports.calls import CallRow
from gateway.runtime.codec import call_from_json, call_to_json
from gateway.runtime.world import NodeLife


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call and the version under which SQL knows it."""

    call: Call
    version: int


def row_of(stored: StoredCall, life: NodeLife) -> CallRow:
    """Write a call as this life of this node owns it."""
    call, identity = stored.call, stored.call.identity
    outcome = outcome_of(call)
    return CallRow(
        call_id=identity.call_id,
        account_id=identity.account_id,
        phone_number_id=identity.phone_number_id,
        wacid=call.wacid,
        direction=identity.direction,
        state=call.state.value,
        version=stored.version,
        owner_node=life.node_id,
        owner_epoch=life.epoch,
        agent_id=None if call.agent is None else call.agent.user_id,
        peer=identity.peer,
        created_at=identity.created_at,
        answered_at=call.answered_at,
        ended_at=call.end.at,
        outcome=None if outcome is None else outcome.value,
        snapshot=call_to_json(call),
    )


def stored_of(row: CallRow) -> StoredCall:
    """Read a row. Raises `Unreadable`."""
    return StoredCall(call_from_json(row.snapshot), row.version)
