"""Initial schema - manuscripts and scenes

Revision ID: 001_initial
Revises:
Create Date: 2025-12-15 10:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = '001_initial'
down_revision = None
branch_labels = None
depends_on = None

def upgrade():
    # Manuscripts table
    op.create_table(
        'manuscripts',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('title', sa.String(255), nullable=False),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now(), onupdate=sa.func.now()),
        sa.Column('word_count', sa.Integer, default=0),
        sa.Column('lexical_state', sa.Text),
        sa.Column('genre', sa.String(100)),
        sa.Column('target_word_count', sa.Integer)
    )

    # Index for common queries
    op.create_index('idx_manuscripts_updated_at', 'manuscripts', ['updated_at'])

def downgrade():
    op.drop_index('idx_manuscripts_updated_at')
    op.drop_table('manuscripts')
