"""The table of API tokens."""

from sqlalchemy import Column, ForeignKey, Table

from gateway.adapters.sql_schema import Seconds, metadata
from gateway.adapters.sql_types import CleanText

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("name", CleanText(100), nullable=False),
    Column("prefix", CleanText(16), nullable=False),
    Column("secret_hash", CleanText(64), nullable=False, unique=True),
    # Separated by blanks.
    Column("scopes", CleanText(400), nullable=False),
    Column("acts_for", ForeignKey("users.user_id"), index=True),
    Column("created_by", CleanText(26)),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("last_used_at", Seconds),
    Column("revoked_at", Seconds),
)
