"""Carries out the commands about recording: on the captures, and on the legs they record."""

import time

from media.capture_book import CaptureConflict
from media.capture_commands import (
    BudgetCommand,
    CallCommand,
    carry_out_on_budget,
    carry_out_on_call,
)
from media.captures import Captures
from media.leg import Leg
from media.leg_access import CommandFailed, LegAccess
from media.protocol import Done
from media.protocol_capture import CaptureCommand, CaptureSnapshot, StartCapture
from media.switchboard import Switchboard


class CaptureDesk:
    """Answers each command, or raises `CommandFailed`.

    Without `captures`, every command fails with `captures_off`.
    """

    def __init__(self, captures: Captures | None, switchboard: Switchboard) -> None:
        self._captures = captures
        self._switchboard = switchboard
        self._legs = LegAccess(switchboard)

    def carry_out(self, command: CaptureCommand) -> Done:
        """Answer one command."""
        if self._captures is None:
            raise CommandFailed("captures_off", "this media worker takes no recordings")
        try:
            if isinstance(command, BudgetCommand):
                budget = carry_out_on_budget(self._captures, command, time.monotonic())
                return Done(id=command.id, budget=budget)
            return self._carry_out_on_call(self._captures, command)
        except CaptureConflict as conflict:
            raise CommandFailed(conflict.code, str(conflict)) from conflict

    def _carry_out_on_call(self, captures: Captures, command: CallCommand) -> Done:
        known = captures.find(command.capture_id)
        leg = self._admitted_leg(command, known)
        capture = carry_out_on_call(
            captures, command, now=time.monotonic(), unix_ms=time.time_ns() // 1_000_000
        )
        if known is None and leg is not None and capture is not None:
            leg.show_to(captures.tap(command.capture_id))
        return Done(id=command.id, capture=capture)

    def _admitted_leg(self, command: CallCommand, known: CaptureSnapshot | None) -> Leg | None:
        """The leg that is recorded, for an owner of its call; None if it is gone."""
        if isinstance(command, StartCapture):
            return self._legs.whatsapp_leg(command.whatsapp_leg_id, command.epoch)
        leg = None if known is None else self._switchboard.find(known.whatsapp_leg_id)
        if leg is not None:
            self._legs.admit(leg, command.epoch)
        return leg
