"""What everything that travels between browser and gateway has in common."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Base of bodies, queries and answers: immutable, and nothing unknown in them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Shape):
    """The body or query of a route that takes none."""
