"""Tubes that stand elsewhere: counted by PostgreSQL, so that it looks for them along their index

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op


revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

INDEX, COLUMNS = 'ix_specimen_elsewhere', ['location_code', 'registered_at', 'id']
BOTH = 'location_code <> collecting_site_code AND location_code <> destination_code'


def upgrade():
    _index(f'({BOTH}) IS TRUE')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(f'CREATE STATISTICS st_specimen_elsewhere ON (({BOTH})) FROM specimen')
        op.execute('ANALYZE specimen')


def downgrade():
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP STATISTICS st_specimen_elsewhere')
    _index(BOTH)


def _index(where):
    op.drop_index(INDEX, table_name='specimen')
    op.create_index(INDEX, 'specimen', COLUMNS, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
