"""Calls and commands as JSON, the form in which SQL keeps them.

Written in pure ASCII, so that no text from outside can make a call unstorable.
"""

import json
from typing import get_args

from pydantic import TypeAdapter

from gateway.core.call.call import Call
from gateway.core.call.commands import Command
from gateway.core.errors import StoreError
from gateway.core.ids import CallId, CommandId
from gateway.ports.calls import PendingCommand

_CALL: TypeAdapter[Call] = TypeAdapter(Call)
_COMMANDS: dict[str, TypeAdapter[Command]] = {
    kind.__name__: TypeAdapter(kind) for kind in get_args(Command)
}


class Unreadable(StoreError):
    """The database holds something that this version of the program did not write."""


def call_to_json(call: Call) -> str:
    """Write a call's snapshot."""
    return json.dumps(_CALL.dump_python(call, mode="json"))


def call_from_json(snapshot: str) -> Call:
    """Read a snapshot. Raises `Unreadable`."""
    try:
        return _CALL.validate_python(json.loads(snapshot))
    except ValueError:
        raise Unreadable("the snapshot of a call is not readable") from None


def pending(command_id: CommandId, call_id: CallId, command: Command) -> PendingCommand:
    """Write a command."""
    kind = type(command).__name__
    body = json.dumps(_COMMANDS[kind].dump_python(command, mode="json"))
    return PendingCommand(command_id, call_id, kind, body)


def command_of(stored: PendingCommand) -> Command:
    """Read a command. Raises `Unreadable`."""
    try:
        return _COMMANDS[stored.kind].validate_python(json.loads(stored.body))
    except (KeyError, ValueError):
        raise Unreadable("a pending command is not readable") from None
