"""Bodies as they are read: what JSON means the same is taken the same."""

import pytest

from gateway.http.bodies import parse_body
from gateway.http.problems import Refusal
from gateway.http.shapes import Shape


class Order(Shape):
    count: int
    share: float = 0.0
    name: str = ""


@pytest.mark.parametrize("count", [b"5", b"5.0", b"0.5e1", b"50E-1"])
def test_a_whole_number_may_be_written_with_a_point(count: bytes) -> None:
    found = parse_body(b'{"share": 2.0, "name": "\\u00e9 5.0", "count": ' + count + b"}", Order)
    assert found == Order(count=5, share=2.0, name="é 5.0")


@pytest.mark.parametrize("count", [b"5.5", b"1e300", b"1e999", b'"5.0"', b"true", b"-0.1"])
def test_what_is_no_whole_number_is_refused_with_its_field(count: bytes) -> None:
    with pytest.raises(Refusal) as told:
        parse_body(b'{"count": ' + count + b"}", Order)
    assert (told.value.problem.status, told.value.problem.field) == (422, "count")


def test_numbers_with_a_point_stay_what_they_are() -> None:
    assert parse_body(b'{"count": 1, "share": 0.1}', Order) == Order(count=1, share=0.1)
    assert parse_body(b'{"count": 1.0, "share": 1e300}', Order).share == 1e300


def test_half_a_letter_is_no_json() -> None:
    for count in (b"1", b"1.0"):
        with pytest.raises(Refusal) as told:
            parse_body(b'{"name": "\\ud800", "count": ' + count + b"}", Order)
        assert told.value.problem.status == 400
