"""A type per identity, so that one is never passed for another."""

from typing import NewType

AccountId = NewType("AccountId", str)
"""Our key of a customer of the platform (random, 26 lower-case base-32 characters)."""
UserId = NewType("UserId", str)
"""Our key of an agent, supervisor or admin."""
TokenId = NewType("TokenId", str)
"""Our key of an API token; tells nothing of its secret."""
CallId = NewType("CallId", str)
"""Our key of a call; also what we send as `biz_opaque_callback_data`."""
CommandId = NewType("CommandId", str)
"""Key of one pending command of a call; makes its repetition harmless."""
LegId = NewType("LegId", str)
"""Key of one leg in a media worker."""
NodeId = NewType("NodeId", str)
"""Key of one gateway installation (kept in its data directory)."""
PhoneNumberId = NewType("PhoneNumberId", str)
"""Meta's id of a business number."""
Wacid = NewType("Wacid", str)
"""WhatsApp's call id. It contains the user's number: personal data."""
InboxId = NewType("InboxId", int)
"""Row of the webhook inbox."""
