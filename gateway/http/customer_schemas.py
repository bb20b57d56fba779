"""Bodies and answers about one customer as a person, as pydantic models."""

from typing import Annotated

from pydantic import Field, field_validator

from gateway.core.whatsapp import Peer
from gateway.http.quota_schemas import Amount
from gateway.http.schemas import CallTo, Moment
from gateway.http.shapes import Shape


class Customer(CallTo):
    """Whom it is about; with both, calls with either."""

    @property
    def peer(self) -> Peer:
        """The person, as calls know them."""
        phone = None if self.phone is None else self.phone.removeprefix("+")
        return Peer(phone=phone, user_id=self.user_id)


class CustomerFound(Shape):
    """What is kept of a customer: what a copy would hold, and what would be forgotten."""

    names: list[str]
    """Under which the person called; up to five."""
    calls: Amount
    recordings: Amount
    """That can be heard."""
    bytes: Amount
    held: Amount
    """Recordings that a legal hold keeps from being forgotten."""
    not_over: Amount
    """Calls that go on, and are not forgotten either."""
    first_at: Moment | None
    last_at: Moment | None
    """When the first and the last of the calls began."""
    fits: bool
    """One archive may hold it all; if not, the operator's command writes it."""


class CustomerToErase(Customer):
    """Who is to be forgotten for good."""

    confirm: Annotated[bool, Field(json_schema_extra={"const": True})]
    """Must be true: nothing of it can be restored."""

    @field_validator("confirm")
    @classmethod
    def _is_meant(cls, confirm: bool) -> bool:
        if not confirm:
            raise ValueError("say true if the customer is to be forgotten for good")
        return confirm


class CustomerErased(Shape):
    """What was forgotten, and what could not be."""

    complete: bool
    """Nothing is left of the customer."""
    calls: Amount
    """They remain as calls with nobody."""
    recordings: Amount
    webhooks: Amount
    held: list[str]
    """Calls whose recordings a legal hold keeps: release them and ask again."""
    not_over: list[str]
    """Calls that go on, or whose recording is being made: ask again in a while."""
