"""All invariants of minutes, whatever happens in whatever order (the pure rules)."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Rounds
from tests.core.quota.machine import MinutesMachine


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_minute_is_lost_and_none_invented(rounds: Rounds) -> None:
    run_state_machine_as_test(
        MinutesMachine,
        settings=settings(
            max_examples=rounds(quick=60, soak=2000),
            stateful_step_count=rounds(quick=60, soak=100),
        ),
    )
