"""Handover codes prove what they were shown for

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    # A code without a key cannot be shown any more; ids that served stand in the handovers.
    with op.batch_alter_table('handover_offer') as batch_op:
        batch_op.add_column(sa.Column('key', sa.String(), nullable=False, server_default=''))
    with op.batch_alter_table('handover_offer') as batch_op:
        batch_op.alter_column('key', server_default=None)


def downgrade():
    with op.batch_alter_table('handover_offer') as batch_op:
        batch_op.drop_column('key')
