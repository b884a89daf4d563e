"""Add Timeline Orchestrator tables

Revision ID: 005_add_timeline
Revises: 004_add_codex
Create Date: 2026-01-12 10:30:00
"""

from alembic import op
import sqlalchemy as sa

revision = '005_add_timeline'
down_revision = '004_add_codex'
branch_labels = None
depends_on = None

def upgrade():
    # Locations table (shared with Codex)
    op.create_table(
        'locations',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('name', sa.String(255), nullable=False),
        sa.Column('description', sa.Text),
        sa.Column('travel_distance_km', sa.Float),
        sa.Column('known_travel_methods', sa.Text),  # JSON array
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Timeline events
    op.create_table(
        'timeline_events',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('name', sa.String(500), nullable=False),
        sa.Column('description', sa.Text),
        sa.Column('story_date', sa.DateTime),
        sa.Column('position', sa.Float),  # 0-1 position in manuscript
        sa.Column('event_type', sa.String(100)),
        sa.Column('character_ids', sa.Text),  # JSON array
        sa.Column('location_id', sa.String(36), sa.ForeignKey('locations.id')),
        sa.Column('prerequisite_ids', sa.Text),  # JSON array
        sa.Column('narrative_importance', sa.Float, default=0.5),
        sa.Column('notes', sa.Text),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Travel legs
    op.create_table(
        'travel_legs',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('character_id', sa.String(36), nullable=False),
        sa.Column('from_location_id', sa.String(36), sa.ForeignKey('locations.id')),
        sa.Column('to_location_id', sa.String(36), sa.ForeignKey('locations.id')),
        sa.Column('depart_date', sa.DateTime, nullable=False),
        sa.Column('arrival_date', sa.DateTime),
        sa.Column('travel_method', sa.String(100)),
        sa.Column('estimated_days', sa.Integer),
        sa.Column('notes', sa.Text),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Timeline issues
    op.create_table(
        'timeline_issues',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('issue_type', sa.String(100), nullable=False),
        sa.Column('severity', sa.String(50), nullable=False),
        sa.Column('affected_event_ids', sa.Text),  # JSON array
        sa.Column('affected_character_id', sa.String(36)),
        sa.Column('description', sa.Text, nullable=False),
        sa.Column('suggestion', sa.Text, nullable=False),
        sa.Column('teaching_point', sa.Text),
        sa.Column('is_resolved', sa.Boolean, default=False),
        sa.Column('resolution_notes', sa.Text),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Travel speed profiles
    op.create_table(
        'travel_speed_profiles',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE'), unique=True),
        sa.Column('walking', sa.Float, default=40),
        sa.Column('horse', sa.Float, default=80),
        sa.Column('carriage', sa.Float, default=60),
        sa.Column('sailing', sa.Float, default=150),
        sa.Column('flying', sa.Float, default=200),
        sa.Column('teleportation', sa.Float, default=999999),
        sa.Column('custom1_name', sa.String(100)),
        sa.Column('custom1_speed', sa.Float),
        sa.Column('custom2_name', sa.String(100)),
        sa.Column('custom2_speed', sa.Float),
        sa.Column('rules', sa.Text),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now()),
        sa.Column('updated_at', sa.DateTime, server_default=sa.func.now())
    )

    # Location distances
    op.create_table(
        'location_distances',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('project_id', sa.String(36), sa.ForeignKey('manuscripts.id', ondelete='CASCADE')),
        sa.Column('from_location_id', sa.String(36), sa.ForeignKey('locations.id')),
        sa.Column('to_location_id', sa.String(36), sa.ForeignKey('locations.id')),
        sa.Column('distance_km', sa.Float, nullable=False),
        sa.Column('notes', sa.Text),
        sa.Column('created_at', sa.DateTime, server_default=sa.func.now())
    )

    # Indexes
    op.create_index('idx_timeline_events_project', 'timeline_events', ['project_id'])
    op.create_index('idx_timeline_events_story_date', 'timeline_events', ['story_date'])
    op.create_index('idx_travel_legs_character', 'travel_legs', ['character_id'])
    op.create_index('idx_timeline_issues_severity', 'timeline_issues', ['severity', 'is_resolved'])

    # Unique constraint for location distances
    op.create_unique_constraint(
        'uq_location_distance',
        'location_distances',
        ['project_id', 'from_location_id', 'to_location_id']
    )

def downgrade():
    op.drop_constraint('uq_location_distance', 'location_distances')
    op.drop_index('idx_timeline_issues_severity')
    op.drop_index('idx_travel_legs_character')
    op.drop_index('idx_timeline_events_story_date')
    op.drop_index('idx_timeline_events_project')

    op.drop_table('location_distances')
    op.drop_table('travel_speed_profiles')
    op.drop_table('timeline_issues')
    op.drop_table('travel_legs')
    op.drop_table('timeline_events')
    op.drop_table('locations')
