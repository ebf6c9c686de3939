"""Cold chain: devices

Revision: 0004
"""

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('device_type',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('codec', sa.String(), nullable=False),
    sa.Column('options', logistics.db.JSONType, nullable=False),
    sa.Column('interval_s', sa.Integer(), nullable=False),
    sa.Column('receipts', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_device_type'))
    )
    op.create_table('file_mapping',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('options', logistics.db.JSONType, nullable=False),
    sa.Column('changed_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('changed_by', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_file_mapping'))
    )
    with op.batch_alter_table('device', schema=None) as batch_op:
        batch_op.add_column(sa.Column('serial', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('site_code', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('type_code', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('own_options', logistics.db.JSONType, nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('options', logistics.db.JSONType, nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('learnt', logistics.db.JSONType, nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('conditions', logistics.db.JSONType, nullable=False, server_default='{}'))
        batch_op.create_foreign_key(op.f('fk_device_site_code'), 'site', ['site_code'], ['code'])
        batch_op.create_foreign_key(op.f('fk_device_type_code'), 'device_type', ['type_code'], ['code'])
    op.create_table('device_topic',
    sa.Column('pattern', sa.String(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['device_code'], ['device.code'], name=op.f('fk_device_topic_device_code')),
    sa.PrimaryKeyConstraint('pattern', name=op.f('pk_device_topic'))
    )
    with op.batch_alter_table('device_topic', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_topic_device_code'), ['device_code'], unique=False)

    op.create_table('calibration',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('number', sa.String(), nullable=False),
    sa.Column('due_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('added_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('added_by', sa.String(), nullable=False),
    sa.Column('file_name', sa.String(), nullable=False),
    sa.Column('media_type', sa.String(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['device_code'], ['device.code'], name=op.f('fk_calibration_device_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calibration'))
    )
    with op.batch_alter_table('calibration', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_calibration_device_code'), ['device_code'], unique=False)

    op.create_table('logger_file',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('file_name', sa.String(), nullable=False),
    sa.Column('format', sa.String(), nullable=False),
    sa.Column('imported_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('imported_by', sa.String(), nullable=False),
    sa.Column('summary', logistics.db.JSONType, nullable=False),
    sa.ForeignKeyConstraint(['device_code'], ['device.code'], name=op.f('fk_logger_file_device_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_logger_file'))
    )
    with op.batch_alter_table('logger_file', schema=None) as batch_op:
        batch_op.create_index('uq_logger_file_content', ['device_code', 'sha256'], unique=True)

    with op.batch_alter_table('dead_letter', schema=None) as batch_op:
        batch_op.add_column(sa.Column('part', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('note', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('decided_by', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('decided_at', logistics.db.UTCDateTime(), nullable=True))
        batch_op.create_index('ix_dead_letter_state', ['state', 'id'], unique=False)

    with op.batch_alter_table('quarantined_reading', schema=None) as batch_op:
        batch_op.add_column(sa.Column('temp_c', sa.Double(), nullable=True))
        batch_op.add_column(sa.Column('note', sa.String(), nullable=False, server_default=''))
        batch_op.drop_index('uq_quarantined_reading_key')
    number = "(body->>'temp_c')::float8" if op.get_bind().dialect.name == 'postgresql' else "json_extract(body, '$.temp_c')"
    op.execute(f'UPDATE quarantined_reading SET temp_c = {number}')
    with op.batch_alter_table('quarantined_reading', schema=None) as batch_op:
        batch_op.alter_column('temp_c', existing_type=sa.Double(), nullable=False)
        batch_op.create_index('uq_quarantined_reading_key', ['device_code', 'probe', 'at', 'temp_c'], unique=True)
        batch_op.create_index('ix_quarantined_reading_state', ['state', 'id'], unique=False)


def downgrade():
    with op.batch_alter_table('quarantined_reading', schema=None) as batch_op:
        batch_op.drop_index('ix_quarantined_reading_state')
        batch_op.drop_index('uq_quarantined_reading_key')
        batch_op.drop_column('note')
        batch_op.drop_column('temp_c')
        batch_op.create_index('uq_quarantined_reading_key', ['device_code', 'probe', 'at'], unique=True)
    with op.batch_alter_table('dead_letter', schema=None) as batch_op:
        batch_op.drop_index('ix_dead_letter_state')
        for name in ('decided_at', 'decided_by', 'note', 'part'):
            batch_op.drop_column(name)
    for table in ('logger_file', 'calibration', 'device_topic'):
        op.drop_table(table)
    with op.batch_alter_table('device', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('fk_device_type_code'), type_='foreignkey')
        batch_op.drop_constraint(op.f('fk_device_site_code'), type_='foreignkey')
        for name in ('conditions', 'learnt', 'options', 'own_options', 'type_code', 'site_code', 'serial'):
            batch_op.drop_column(name)
    for table in ('file_mapping', 'device_type'):
        op.drop_table(table)
