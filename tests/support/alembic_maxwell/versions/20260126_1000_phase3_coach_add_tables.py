"""Add Coach (learning agent) tables

Revision ID: 006_add_coach
Revises: 005_add_timeline
Create Date: 2026-01-26 10:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = '006_add_coach'
down_revision = '005_add_timeline'
branch_labels = None
depends_on = None

def upgrade():
    # Coaching history
    op.create_table(
        'coaching_history',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('scene_id', sa.String(36), sa.ForeignKey('scenes.id', ondelete='SET NULL')),
        sa.Column('feedback_category', sa.String(100)),
        sa.Column('severity', sa.String(50)),
        sa.Column('issue', sa.Text),
        sa.Column('suggestion', sa.Text),
        sa.Column('teaching_point', sa.Text),
        sa.Column('user_reaction', sa.String(50)),  # helpful, not_helpful, ignored
        sa.Column('user_applied', sa.Boolean),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now())
    )

    # Writing profile
    op.create_table(
        'writing_profiles',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE'), unique=True),
        sa.Column('average_scene_length', sa.Integer),
        sa.Column('preferred_pacing', sa.String(50)),
        sa.Column('common_patterns', sa.Text),  # JSON array
        sa.Column('improvement_areas', sa.Text),  # JSON array
        sa.Column('learned_preferences', sa.Text),  # JSON object
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Feedback patterns
    op.create_table(
        'feedback_patterns',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('manuscript_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('pattern_type', sa.String(100)),
        sa.Column('occurrences', sa.Integer, default=1),
        sa.Column('first_detected', sa.DateTime),
        sa.Column('last_detected', sa.DateTime),
        sa.Column('resolution_rate', sa.Float)  # % of times user fixed this issue
    )

    # Indexes
    op.create_index('idx_coaching_manuscript', 'coaching_history', ['manuscript_id', 'created_at'])
    op.create_index('idx_feedback_patterns_type', 'feedback_patterns', ['pattern_type'])

def downgrade():
    op.drop_index('idx_feedback_patterns_type')
    op.drop_index('idx_coaching_manuscript')
    op.drop_table('feedback_patterns')
    op.drop_table('writing_profiles')
    op.drop_table('coaching_history')
