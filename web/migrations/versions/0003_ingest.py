"""Cold chain: ingest

Revision: 0003
"""

import logistics.db
import sqlalchemy as sa
from alembic import op
from telemetry.months import FUNCTIONS


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

READING = """
    CREATE TABLE reading (
        device_code varchar NOT NULL,
        probe smallint NOT NULL,
        at timestamptz NOT NULL,
        temp_c double precision NOT NULL,
        rh_pct double precision,
        battery_pct double precision,
        lid_open boolean,
        lat double precision,
        lon double precision,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT pk_reading PRIMARY KEY (device_code, probe, at)
    )
"""


def upgrade():
    with op.batch_alter_table('probe_state', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quiet_since', logistics.db.UTCDateTime(), nullable=True))
        batch_op.drop_column('quiet')
    op.create_table('reading_hour',
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('hour', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('reading_count', sa.Integer(), nullable=False),
    sa.Column('min_c', sa.Double(), nullable=False),
    sa.Column('max_c', sa.Double(), nullable=False),
    sa.Column('sum_c', sa.Double(), nullable=False),
    sa.Column('computed_at', logistics.db.UTCDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('device_code', 'probe', 'hour', name=op.f('pk_reading_hour')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('reading_hour', schema=None) as batch_op:
        batch_op.create_index('ix_reading_hour_computed', ['computed_at'], unique=False)
    op.create_table('device_key',
    sa.Column('account', sa.String(), nullable=False),
    sa.Column('secret_sha256', sa.String(), nullable=False),
    sa.Column('mqtt_hash', sa.String(), nullable=False),
    sa.Column('issued_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('revoked_at', logistics.db.UTCDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('account', name=op.f('pk_device_key')),
    sa.UniqueConstraint('secret_sha256', name=op.f('uq_device_key_secret_sha256'))
    )
    with op.batch_alter_table('ingest_heartbeat', schema=None) as batch_op:
        batch_op.add_column(sa.Column('backlog_since', logistics.db.UTCDateTime(), nullable=True))
    if op.get_bind().dialect.name == 'postgresql':
        months()


def months():
    """Divide the readings by the month; those that are there are moved."""
    op.execute('ALTER TABLE reading RENAME TO reading_old')
    op.execute('ALTER INDEX pk_reading RENAME TO pk_reading_old')
    op.execute('DROP INDEX ix_reading_recorded')
    op.execute(f'{READING} PARTITION BY RANGE (at)')
    op.execute('CREATE INDEX ix_reading_recorded ON reading USING brin (recorded_at)')
    for statement in FUNCTIONS:
        op.execute(statement)
    op.execute("SELECT reading_make_month(month::date) FROM"
               " (SELECT DISTINCT date_trunc('month', at, 'UTC') AT TIME ZONE 'UTC' AS month FROM reading_old) AS found")
    op.execute('INSERT INTO reading SELECT device_code, probe, at, temp_c, rh_pct, battery_pct, lid_open, lat, lon,'
               ' recorded_at FROM reading_old')
    op.execute('DROP TABLE reading_old')


def downgrade():
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE reading RENAME TO reading_months')
        op.execute('ALTER INDEX pk_reading RENAME TO pk_reading_months')
        op.execute('DROP INDEX ix_reading_recorded')
        op.execute(READING)
        op.execute('CREATE INDEX ix_reading_recorded ON reading USING brin (recorded_at)')
        op.execute('INSERT INTO reading SELECT * FROM reading_months')
        op.execute('DROP TABLE reading_months')
        op.execute('DROP FUNCTION reading_stray_months()')
        op.execute('DROP FUNCTION reading_make_month(date)')
        op.execute('DROP FUNCTION reading_drop_month(date)')
    with op.batch_alter_table('ingest_heartbeat', schema=None) as batch_op:
        batch_op.drop_column('backlog_since')
    op.drop_table('device_key')
    op.drop_table('reading_hour')
    with op.batch_alter_table('probe_state', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quiet', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_column('quiet_since')
