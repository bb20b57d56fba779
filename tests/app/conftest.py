"""An environment without settings of the machine that runs the tests."""

from tests.settings.conftest import _no_settings_from_outside

__all__ = ["_no_settings_from_outside"]
