"""Cold chain: decisions

Revision: 0006
"""

import logistics.db
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql')


def upgrade():
    with op.batch_alter_table('stability_rule') as batch_op:
        batch_op.add_column(sa.Column('valid_until', logistics.db.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column('since_version', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('until_version', sa.Integer(), nullable=True))

    op.create_table('stability_version',
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('by', sa.String(), nullable=False),
    sa.Column('what', sa.String(), nullable=False),
    sa.Column('test_code', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('detail', JSON, nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_stability_version_site_code')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_stability_version'))
    )
    op.create_table('specimen_clock',
    sa.Column('specimen_id', sa.Integer(), nullable=False),
    sa.Column('computed_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('dirty', sa.Boolean(), nullable=False),
    sa.Column('box_code', sa.String(), nullable=True),
    sa.Column('temp_c', sa.Double(), nullable=True),
    sa.Column('used_share', sa.Double(), nullable=True),
    sa.Column('outside_s', sa.Double(), nullable=False),
    sa.Column('unknown_s', sa.Double(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['specimen_id'], ['specimen.id'], name=op.f('fk_specimen_clock_specimen_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('specimen_id', name=op.f('pk_specimen_clock'))
    )
    op.create_index('ix_specimen_clock_computed', 'specimen_clock', ['dirty', 'computed_at'], unique=False)
    op.create_table('assessment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('box_code', sa.String(), nullable=False),
    sa.Column('start_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('end_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('excursion_ids', JSON, nullable=False),
    sa.Column('side', sa.String(), nullable=False),
    sa.Column('extreme_c', sa.Double(), nullable=False),
    sa.Column('minutes', sa.Double(), nullable=False),
    sa.Column('comment', sa.String(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('look_again', sa.String(), nullable=False),
    sa.Column('look_again_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('looked_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('looked_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_assessment_box_code')),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_assessment_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assessment'))
    )
    op.create_index('ix_assessment_box', 'assessment', ['box_code', 'start_at'], unique=False)
    op.create_table('assessed_tube',
    sa.Column('assessment_id', sa.Integer(), nullable=False),
    sa.Column('specimen_id', sa.Integer(), nullable=False),
    sa.Column('accession', sa.String(), nullable=False),
    sa.Column('disposition', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('act_id', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('test_code', sa.String(), nullable=False),
    sa.Column('rules', JSON, nullable=False),
    sa.Column('used_share', sa.Double(), nullable=True),
    sa.Column('outside_s', sa.Double(), nullable=False),
    sa.Column('unknown_s', sa.Double(), nullable=False),
    sa.Column('use_by_at', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['assessment_id'], ['assessment.id'], name=op.f('fk_assessed_tube_assessment_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['specimen_id'], ['specimen.id'], name=op.f('fk_assessed_tube_specimen_id')),
    sa.PrimaryKeyConstraint('assessment_id', 'specimen_id', name=op.f('pk_assessed_tube'))
    )
    op.create_index('ix_assessed_tube_specimen', 'assessed_tube', ['specimen_id'], unique=False)

    with op.batch_alter_table('alert') as batch_op:
        batch_op.add_column(sa.Column('snoozed_by', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('level_at', logistics.db.UTCDateTime(), nullable=True))
    with op.batch_alter_table('channel') as batch_op:
        batch_op.add_column(sa.Column('quiet_from_min', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('quiet_until_min', sa.Integer(), nullable=True))
    op.create_table('alert_route',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('channel_id', sa.Integer(), nullable=False),
    sa.Column('rung', sa.String(), nullable=False),
    sa.Column('kinds', JSON, nullable=False),
    sa.Column('min_severity', sa.String(), nullable=False),
    sa.Column('weekdays', JSON, nullable=False),
    sa.Column('from_min', sa.Integer(), nullable=False),
    sa.Column('until_min', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['channel_id'], ['channel.id'], name=op.f('fk_alert_route_channel_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_alert_route_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_route'))
    )
    op.create_index(op.f('ix_alert_route_site_code'), 'alert_route', ['site_code'], unique=False)
    op.create_table('alert_ladder',
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('step_min', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_alert_ladder_site_code')),
    sa.PrimaryKeyConstraint('site_code', name=op.f('pk_alert_ladder'))
    )
    with op.batch_alter_table('delivery') as batch_op:
        batch_op.add_column(sa.Column('queued_at', logistics.db.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column('batch_id', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_delivery_batch_id'), ['batch_id'], unique=False)
    op.create_table('delivery_attempt',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('delivery_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('begun_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('ended_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('detail', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_delivery_attempt_delivery_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery_attempt'))
    )
    op.create_index(op.f('ix_delivery_attempt_delivery_id'), 'delivery_attempt', ['delivery_id'], unique=False)


def downgrade():
    op.drop_table('delivery_attempt')
    with op.batch_alter_table('delivery') as batch_op:
        batch_op.drop_index(batch_op.f('ix_delivery_batch_id'))
        batch_op.drop_column('batch_id')
        batch_op.drop_column('queued_at')
    op.drop_table('alert_ladder')
    op.drop_table('alert_route')
    with op.batch_alter_table('channel') as batch_op:
        batch_op.drop_column('quiet_until_min')
        batch_op.drop_column('quiet_from_min')
    with op.batch_alter_table('alert') as batch_op:
        batch_op.drop_column('level_at')
        batch_op.drop_column('snoozed_by')
    op.drop_table('assessed_tube')
    op.drop_table('assessment')
    op.drop_table('specimen_clock')
    op.drop_table('stability_version')
    with op.batch_alter_table('stability_rule') as batch_op:
        batch_op.drop_column('until_version')
        batch_op.drop_column('since_version')
        batch_op.drop_column('valid_until')
