"""Add scenes table

Revision ID: 002_add_scenes
Revises: 001_initial
Create Date: 2025-12-18 14:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = '002_add_scenes'
down_revision = '001_initial'
branch_labels = None
depends_on = None

def upgrade():
    op.create_table(
        'scenes',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('position', sa.Integer, nullable=False),
        sa.Column('content', sa.Text),
        sa.Column('word_count', sa.Integer, default=0),
        sa.Column('pov_character_id', sa.String(36), nullable=True),  # FK added in Phase 2
        sa.Column('setting_id', sa.String(36), nullable=True),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    op.create_index('idx_scenes_manuscript', 'scenes', ['manuscript_id', 'position'])

def downgrade():
    op.drop_index('idx_scenes_manuscript')
    op.drop_table('scenes')
