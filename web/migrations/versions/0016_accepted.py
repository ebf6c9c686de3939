"""Who took a message already, so that trying again bothers the others alone

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql')


def upgrade():
    with op.batch_alter_table('delivery') as batch_op:
        batch_op.add_column(sa.Column('accepted', JSON, server_default='[]', nullable=False))


def downgrade():
    with op.batch_alter_table('delivery') as batch_op:
        batch_op.drop_column('accepted')
