"""Cold chain: ingest

Revision: 0003
"""

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('probe_state', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quiet_since', logistics.db.UTCDateTime(), nullable=True))
        batch_op.drop_column('quiet')


def downgrade():
    with op.batch_alter_table('probe_state', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quiet', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_column('quiet_since')
