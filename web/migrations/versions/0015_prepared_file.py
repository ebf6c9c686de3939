"""Files that a worker made for somebody, until they are fetched or a day has passed

Revision: 0015
"""

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('prepared_file',
    sa.Column('job_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('media_type', sa.String(), nullable=False),
    sa.Column('made_for', sa.String(), nullable=False),
    sa.Column('made_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], name=op.f('fk_prepared_file_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_prepared_file'))
    )
    op.create_index('ix_prepared_file_made_at', 'prepared_file', ['made_at'])


def downgrade():
    op.drop_table('prepared_file')
