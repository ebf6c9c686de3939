"""Routing: drafts with versions, marks, groups

Revision: 0012
"""

import logistics.db
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


revision = '0012'
down_revision = '0008'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql')


def upgrade():
    with op.batch_alter_table('plan') as batch_op:
        batch_op.add_column(sa.Column('revision', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('version', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('marks', JSON, server_default='{}', nullable=False))
        batch_op.add_column(sa.Column('parent_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('group_id', sa.String(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f('fk_plan_parent_id'), 'plan', ['parent_id'], ['id'], ondelete='SET NULL'
        )
        batch_op.create_index(batch_op.f('ix_plan_parent_id'), ['parent_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_plan_group_id'), ['group_id'], unique=False)

    op.create_table('plan_version',
    sa.Column('plan_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('by', sa.String(), nullable=False),
    sa.Column('action', sa.String(), nullable=False),
    sa.Column('params', JSON, nullable=False),
    sa.Column('problem', JSON, nullable=False),
    sa.Column('result', JSON, nullable=False),
    sa.Column('marks', JSON, nullable=False),
    sa.ForeignKeyConstraint(['plan_id'], ['plan.id'], name=op.f('fk_plan_version_plan_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('plan_id', 'number', name=op.f('pk_plan_version'))
    )


def downgrade():
    op.drop_table('plan_version')
    with op.batch_alter_table('plan') as batch_op:
        batch_op.drop_index(batch_op.f('ix_plan_group_id'))
        batch_op.drop_index(batch_op.f('ix_plan_parent_id'))
        batch_op.drop_constraint(batch_op.f('fk_plan_parent_id'), type_='foreignkey')
        for name in ('group_id', 'parent_id', 'marks', 'version', 'revision'):
            batch_op.drop_column(name)
