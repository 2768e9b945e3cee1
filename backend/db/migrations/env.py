"""alembic's way in: it works on the connection, and in the transaction, of `backend.db.migrate.upgrade`."""

from alembic import context

from backend.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite's is so too, where BEGIN is our own
)
context.run_migrations()
