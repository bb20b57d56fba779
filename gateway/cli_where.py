"""`--where name=value`: the filters of the REST interface on the command line."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from gateway.core.errors import BadInput
from gateway.http.shapes import Shape

Query = TypeVar("Query", bound=Shape)

Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="A filter, name=value; may be given several times."),
]


def read_where(query: type[Query], given: Sequence[str] | None) -> Query:
    """Read filters as the query of a request. Raises `BadInput`, naming what can be asked."""
    values: dict[str, str] = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        if not sign:
            raise BadInput(f"a filter is written name=value, not {each!r}")
        if name in values:
            raise BadInput(f"{name} is given twice")
        values[name] = value
    try:
        return query.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        if fault["type"] == "extra_forbidden":
            known = ", ".join(query.model_fields)
            raise BadInput(f"there is no filter {fault['loc'][0]}; there are {known}") from None
        raise BadInput(f"{fault['loc'][0]}: {fault['msg']}") from None
