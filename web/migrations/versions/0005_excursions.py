"""Cold chain: versions of alarm profiles with the defaults as the first ones, forecasts, changes of excursions

Revision: 0005
"""

from datetime import datetime, timezone

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('profile_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('stamp', sa.String(), nullable=False),
    sa.Column('temp_class', sa.String(), nullable=False),
    sa.Column('scope', sa.String(), nullable=False),
    sa.Column('scope_code', sa.String(), nullable=False),
    sa.Column('valid_from', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('body', logistics.db.JSONType, nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_profile_version')),
    sa.UniqueConstraint('stamp', name=op.f('uq_profile_version_stamp'))
    )
    with op.batch_alter_table('profile_version', schema=None) as batch_op:
        batch_op.create_index('ix_profile_version_line', ['temp_class', 'scope', 'scope_code', 'valid_from'], unique=False)

    op.create_table('box_forecast',
    sa.Column('box_code', sa.String(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('newest_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('computed_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('side', sa.String(), nullable=True),
    sa.Column('limit_c', sa.Double(), nullable=True),
    sa.Column('crosses_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('error_s', sa.Double(), nullable=True),
    sa.Column('chance', sa.Double(), nullable=False),
    sa.Column('warned', sa.Boolean(), nullable=False),
    sa.Column('contrary_since', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_box_forecast_box_code_box')),
    sa.PrimaryKeyConstraint('box_code', name=op.f('pk_box_forecast'))
    )
    with op.batch_alter_table('excursion', schema=None) as batch_op:
        batch_op.add_column(sa.Column('rule_key', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('peak', sa.Double(), nullable=True))
    op.execute('UPDATE excursion SET rule_key = rule_code')
    with op.batch_alter_table('excursion', schema=None) as batch_op:
        batch_op.alter_column('rule_key', server_default=None)
    _first_versions()


def downgrade():
    with op.batch_alter_table('excursion', schema=None) as batch_op:
        batch_op.drop_column('peak')
        batch_op.drop_column('rule_key')
    op.drop_table('box_forecast')
    op.drop_table('profile_version')


def _rule(code, kind, side, limit_c, duration_s, inclusive=False):
    return {
        'code': code, 'key': code, 'kind': kind, 'side': side, 'limit_c': limit_c, 'duration_s': duration_s,
        'window_s': 86400, 'hysteresis_c': 0.5, 'inclusive': inclusive,
    }


BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Written out: what an installation began with does not change when the defaults of a later release do.
FIRST = {
    'cold_2_8': (2.0, 8.0, [
        _rule('above_8_for_30', 'consecutive', 'upper', 8.0, 1800),
        _rule('below_2_for_20', 'consecutive', 'lower', 2.0, 1200),
        _rule('above_8_sum_60', 'cumulative', 'upper', 8.0, 3600),
        _rule('below_2_sum_40', 'cumulative', 'lower', 2.0, 2400),
        _rule('above_25_at_once', 'immediate', 'upper', 25.0, 0),
        _rule('freezing_at_once', 'immediate', 'lower', -0.5, 0, inclusive=True),
    ]),
    'ambient_15_25': (15.0, 25.0, [
        _rule('above_25_for_30', 'consecutive', 'upper', 25.0, 1800),
        _rule('below_15_for_30', 'consecutive', 'lower', 15.0, 1800),
        _rule('above_37_at_once', 'immediate', 'upper', 37.0, 0),
    ]),
    'frozen': (-40.0, -15.0, [
        _rule('above_minus_15_for_15', 'consecutive', 'upper', -15.0, 900),
    ]),
}


def _first_versions():
    table = sa.table('profile_version', *(sa.column(name) for name in (
        'stamp', 'temp_class', 'scope', 'scope_code', 'reason', 'created_by')),
        sa.column('valid_from', logistics.db.UTCDateTime()), sa.column('created_at', logistics.db.UTCDateTime()),
        sa.column('body', logistics.db.JSONType))
    rows = []
    for code, (low_c, high_c, rules) in FIRST.items():
        body = {
            'code': code, 'version': 0, 'low_c': low_c, 'high_c': high_c, 'interval_s': 300, 'silence_after_s': 1200,
            'silence_intervals': 4, 'silence_least_s': 600, 'silence_grace_s': 300, 'clear_delay_s': 0, 'rules': rules,
        }
        rows.append({
            'stamp': f'first-{code}', 'temp_class': code, 'scope': '', 'scope_code': '', 'reason': 'defaults',
            'created_by': 'labrelay', 'valid_from': BEGINNING, 'created_at': BEGINNING, 'body': body,
        })
    op.bulk_insert(table, rows)
