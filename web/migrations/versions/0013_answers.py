"""Custody: what binds the answer of an act

Revision: 0013
"""

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

LATER = sa.text('answered_at IS NOT NULL')


def upgrade():
    # Empty for what is there: neither is worth rewriting a table of millions.
    op.add_column('act', sa.Column('answer_sha256', sa.String(), nullable=True))
    op.add_column('act', sa.Column('answered_at', logistics.db.UTCDateTime(), nullable=True))
    op.create_index('ix_act_answered', 'act', ['answered_at'], postgresql_where=LATER, sqlite_where=LATER)


def downgrade():
    op.drop_index('ix_act_answered', table_name='act')
    with op.batch_alter_table('act') as batch_op:
        batch_op.drop_column('answered_at')
        batch_op.drop_column('answer_sha256')
