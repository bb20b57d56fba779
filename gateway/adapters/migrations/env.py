"""Alembic's entry: runs on the connection that `sql_alembic` hands over."""

from alembic import context
from sqlalchemy import Connection

from gateway.adapters.sql_schema import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    # SQLite cannot alter most things; Alembic then rebuilds the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
