"""Add Codex entities and relationships

Revision ID: 004_add_codex
Revises: 003_add_versioning
Create Date: 2026-01-05 09:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = '004_add_codex'
down_revision = '003_add_versioning'
branch_labels = None
depends_on = None

def upgrade():
    # Entities table
    op.create_table(
        'entities',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('type', sa.String(50), nullable=False),  # CHARACTER, LOCATION, ITEM, LORE
        sa.Column('name', sa.String(255), nullable=False),
        sa.Column('aliases', sa.Text),  # JSON array
        sa.Column('attributes', sa.Text),  # JSON object
        sa.Column('appearance_history', sa.Text),  # JSON array
        sa.Column('image_seed', sa.Integer),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Relationships table
    op.create_table(
        'relationships',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('source_entity_id', sa.String(36), sa.ForeignKey('entities.id', ondelete='CASCADE')),
        sa.Column('target_entity_id', sa.String(36), sa.ForeignKey('entities.id', ondelete='CASCADE')),
        sa.Column('relationship_type', sa.String(100)),
        sa.Column('strength', sa.Integer, default=1),
        sa.Column('context', sa.Text),  # JSON array
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now())
    )

    # Entity suggestions (NLP-detected)
    op.create_table(
        'entity_suggestions',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('scene_id', sa.String(36), sa.ForeignKey('scenes.id', ondelete='CASCADE')),
        sa.Column('suggested_name', sa.String(255)),
        sa.Column('suggested_type', sa.String(50)),
        sa.Column('confidence', sa.Float),
        sa.Column('status', sa.String(50), default='PENDING'),  # PENDING, APPROVED, REJECTED
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now())
    )

    # Indexes
    op.create_index('idx_entities_manuscript', 'entities', ['manuscript_id'])
    op.create_index('idx_entities_type', 'entities', ['type'])
    op.create_index('idx_relationships_source', 'relationships', ['source_entity_id'])
    op.create_index('idx_relationships_target', 'relationships', ['target_entity_id'])

    # Now add FK to scenes table
    op.add_column('scenes', sa.Column('pov_character_fk', sa.String(36)))
    op.create_foreign_key(
        'fk_scenes_pov_character',
        'scenes', 'entities',
        ['pov_character_fk'], ['id']
    )

def downgrade():
    op.drop_constraint('fk_scenes_pov_character', 'scenes')
    op.drop_column('scenes', 'pov_character_fk')

    op.drop_index('idx_relationships_target')
    op.drop_index('idx_relationships_source')
    op.drop_index('idx_entities_type')
    op.drop_index('idx_entities_manuscript')

    op.drop_table('entity_suggestions')
    op.drop_table('relationships')
    op.drop_table('entities')
