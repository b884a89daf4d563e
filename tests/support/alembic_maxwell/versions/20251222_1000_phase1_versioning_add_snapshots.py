"""Add version control tables

Revision ID: 003_add_versioning
Revises: 002_add_scenes
Create Date: 2025-12-22 10:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = '003_add_versioning'
down_revision = '002_add_scenes'
branch_labels = None
depends_on = None

def upgrade():
    # Snapshots table
    op.create_table(
        'snapshots',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('git_commit_hash', sa.String(40), nullable=False),
        sa.Column('label', sa.String(255)),
        sa.Column('trigger_type', sa.String(50)),  # AUTO_SAVE, MANUAL, PRE_GENERATION
        sa.Column('word_count', sa.Integer),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now())
    )

    # Variants table (multiverse)
    op.create_table(
        'variants',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('scene_id', sa.String(36), sa.ForeignKey('scenes.id', ondelete='CASCADE')),
        sa.Column('label', sa.String(255), nullable=False),
        sa.Column('content', sa.Text),
        sa.Column('is_main', sa.Boolean, default=False),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now())
    )

    # Indexes
    op.create_index('idx_snapshots_manuscript_date', 'snapshots', ['manuscript_id', 'created_at'])
    op.create_index('idx_variants_scene', 'variants', ['scene_id'])

def downgrade():
    op.drop_index('idx_variants_scene')
    op.drop_index('idx_snapshots_manuscript_date')
    op.drop_table('variants')
    op.drop_table('snapshots')
