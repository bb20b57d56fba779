"""How a command finds its leg: by name, of the right kind, from the call's latest owner."""

from media.leg import Leg
from media.protocol import LegKind
from media.protocol_message import FailureCode
from media.switchboard import Switchboard


class CommandFailed(Exception):
    """A command that has no effect; becomes `Failed`."""

    def __init__(self, code: FailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code: FailureCode = code
        self.reason = reason


class LegAccess:
    """Looks legs up; every method raises `CommandFailed`."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    def leg(self, leg_id: str) -> Leg:
        """The live leg of that name."""
        leg = self._switchboard.find(leg_id)
        if leg is None or leg.is_closed:
            raise CommandFailed("no_such_leg", "the leg is gone")
        return leg

    def whatsapp_leg(self, leg_id: str, epoch: int) -> Leg:
        """The live WhatsApp leg of that name, for an owner of its call."""
        leg = self.leg(leg_id)
        if leg.kind is not LegKind.WHATSAPP:
            raise CommandFailed("conflict", "that leg is not a WhatsApp leg")
        self.admit(leg, epoch)
        return leg

    def admit(self, leg: Leg, epoch: int) -> None:
        """Refuse an older owner of the leg's call than the latest seen."""
        if epoch < leg.epoch:
            raise CommandFailed("stale_epoch", "another gateway owns this call now")
        leg.epoch = epoch
