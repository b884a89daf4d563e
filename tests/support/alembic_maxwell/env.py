"""Alembic's environment, as ``alembic init`` writes it for a running database, without logging and offline mode."""

from alembic import context
from sqlalchemy import engine_from_config, pool

connectable = engine_from_config(
    context.config.get_section(context.config.config_ini_section, {}), prefix="sqlalchemy.", poolclass=pool.NullPool
)

with connectable.connect() as connection:
    context.configure(connection=connection)

    with context.begin_transaction():
        context.run_migrations()
