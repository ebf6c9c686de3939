"""First tables

Revision: 0001
"""

import logistics.db
import sqlalchemy as sa
from alembic import op


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('act',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('body_sha256', sa.String(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('device', sa.String(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=True),
    sa.Column('occurred_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('recorded_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_act'))
    )
    with op.batch_alter_table('act', schema=None) as batch_op:
        batch_op.create_index('ix_act_status_recorded', ['status', 'recorded_at'], unique=False)

    op.create_table('audit_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('action', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('detail', logistics.db.JSONType, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.create_index('ix_audit_entry_at', ['at'], unique=False)

    op.create_table('counter',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('value', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_counter'))
    )
    op.create_table('courier_position',
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=False),
    sa.Column('lon', sa.Double(), nullable=False),
    sa.Column('accuracy_m', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('username', 'at', name=op.f('pk_courier_position'))
    )
    op.create_table('custody_lane',
    sa.Column('lane', sa.Integer(), nullable=False),
    sa.Column('last', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('lane', name=op.f('pk_custody_lane'))
    )
    op.create_table('custody_event',
    sa.Column('position', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('stream', sa.String(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('act_id', sa.String(), nullable=False),
    sa.Column('occurred_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('recorded_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('prev_hash', sa.String(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('lane', sa.Integer(), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('position', name=op.f('pk_custody_event')),
    sa.UniqueConstraint('stream', 'seq', name=op.f('uq_custody_event_stream_seq'))
    )
    with op.batch_alter_table('custody_event', schema=None) as batch_op:
        batch_op.create_index('ix_custody_event_act', ['act_id'], unique=False)
        batch_op.create_index('ix_custody_event_recorded', ['recorded_at'], unique=False)

    op.create_table('dead_letter',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('received_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=True),
    sa.Column('topic', sa.String(), nullable=False),
    sa.Column('raw', sa.LargeBinary(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('detail', sa.String(), nullable=False),
    sa.Column('digest', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dead_letter')),
    sa.UniqueConstraint('digest', name=op.f('uq_dead_letter_digest'))
    )
    with op.batch_alter_table('dead_letter', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dead_letter_received_at'), ['received_at'], unique=False)

    op.create_table('device',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('codec', sa.String(), nullable=False),
    sa.Column('interval_s', sa.Integer(), nullable=False),
    sa.Column('gateway', sa.String(), nullable=True),
    sa.Column('receipts', sa.Boolean(), nullable=False),
    sa.Column('commissioned_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('calibration_due', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('calibration_certificate', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('last_seen_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('last_reading_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('last_seq', sa.BigInteger(), nullable=True),
    sa.Column('seq_spans', logistics.db.JSONType, nullable=False),
    sa.Column('battery_pct', sa.Double(), nullable=True),
    sa.Column('battery_low', sa.Boolean(), nullable=False),
    sa.Column('silent_since', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('silence_alerted', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_device'))
    )
    op.create_table('ingest_heartbeat',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('beat_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('started_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('connected', sa.Boolean(), nullable=False),
    sa.Column('waiting', sa.Integer(), nullable=False),
    sa.Column('messages', sa.BigInteger(), nullable=False),
    sa.Column('readings', sa.BigInteger(), nullable=False),
    sa.Column('duplicates', sa.BigInteger(), nullable=False),
    sa.Column('dead_letters', sa.BigInteger(), nullable=False),
    sa.Column('last_commit_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('failing_since', logistics.db.UTCDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_ingest_heartbeat'))
    )
    op.create_table('job',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('args', logistics.db.JSONType, nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('started_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('finished_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('lease_until', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('progress', logistics.db.JSONType, nullable=False),
    sa.Column('stop_requested', sa.Boolean(), nullable=False),
    sa.Column('result', logistics.db.JSONType, nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job'))
    )
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.create_index('ix_job_state_lease', ['state', 'lease_until'], unique=False)

    op.create_table('print_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('copies', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_print_entry'))
    )
    op.create_table('probe_state',
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('newest_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('newest_c', sa.Double(), nullable=True),
    sa.Column('quiet', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('device_code', 'probe', name=op.f('pk_probe_state'))
    )
    op.create_table('reading',
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('temp_c', sa.Double(), nullable=False),
    sa.Column('rh_pct', sa.Double(), nullable=True),
    sa.Column('battery_pct', sa.Double(), nullable=True),
    sa.Column('lid_open', sa.Boolean(), nullable=True),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('recorded_at', logistics.db.UTCDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('device_code', 'probe', 'at', name=op.f('pk_reading')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('reading', schema=None) as batch_op:
        batch_op.create_index('ix_reading_recorded', ['recorded_at'], unique=False, postgresql_using='brin')

    op.create_table('reason',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('zh', sa.String(), nullable=False),
    sa.Column('en', sa.String(), nullable=False),
    sa.Column('hl7', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('concession', sa.Boolean(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_reason'))
    )
    op.create_table('setting',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('value', logistics.db.JSONType, nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_setting'))
    )
    op.create_table('site',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('name_zh', sa.String(), nullable=False),
    sa.Column('name_en', sa.String(), nullable=False),
    sa.Column('tier', sa.String(), nullable=False),
    sa.Column('parent_code', sa.String(), nullable=True),
    sa.Column('county_zh', sa.String(), nullable=False),
    sa.Column('county_en', sa.String(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('terrain', sa.String(), nullable=False),
    sa.Column('opens_min', sa.Integer(), nullable=False),
    sa.Column('closes_min', sa.Integer(), nullable=False),
    sa.Column('pickup_from_min', sa.Integer(), nullable=False),
    sa.Column('pickup_to_min', sa.Integer(), nullable=False),
    sa.Column('cutoff_min', sa.Integer(), nullable=True),
    sa.Column('service_min', sa.Integer(), nullable=False),
    sa.Column('contact_name', sa.String(), nullable=False),
    sa.Column('contact_phone', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['parent_code'], ['site.code'], name=op.f('fk_site_parent_code')),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_site'))
    )
    with op.batch_alter_table('site', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_site_parent_code'), ['parent_code'], unique=False)

    op.create_table('test',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('name_zh', sa.String(), nullable=False),
    sa.Column('name_en', sa.String(), nullable=False),
    sa.Column('short_zh', sa.String(), nullable=False),
    sa.Column('specimen_type', sa.String(), nullable=False),
    sa.Column('container', sa.String(), nullable=False),
    sa.Column('temp_class', sa.String(), nullable=False),
    sa.Column('stage', sa.String(), nullable=False),
    sa.Column('turnaround_h', sa.Double(), nullable=False),
    sa.Column('stability_code', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_test'))
    )
    op.create_table('box',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('temp_class', sa.String(), nullable=False),
    sa.Column('capacity', sa.Integer(), nullable=False),
    sa.Column('hold_h', sa.Double(), nullable=False),
    sa.Column('home_code', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('location_code', sa.String(), nullable=True),
    sa.Column('holder', sa.String(), nullable=True),
    sa.Column('consignment_number', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['home_code'], ['site.code'], name=op.f('fk_box_home_code')),
    sa.ForeignKeyConstraint(['location_code'], ['site.code'], name=op.f('fk_box_location_code')),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_box'))
    )
    with op.batch_alter_table('box', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_box_home_code'), ['home_code'], unique=False)
        batch_op.create_index(batch_op.f('ix_box_location_code'), ['location_code'], unique=False)

    op.create_table('channel',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('config', logistics.db.JSONType, nullable=False),
    sa.Column('kinds', logistics.db.JSONType, nullable=False),
    sa.Column('min_severity', sa.String(), nullable=False),
    sa.Column('locale', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_channel_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_channel'))
    )
    with op.batch_alter_table('channel', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_channel_site_code'), ['site_code'], unique=False)

    op.create_table('lab_order',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('order_number', sa.String(), nullable=False),
    sa.Column('patient_ref', sa.String(), nullable=False),
    sa.Column('sex', sa.String(), nullable=False),
    sa.Column('age', sa.String(), nullable=False),
    sa.Column('department', sa.String(), nullable=False),
    sa.Column('ordered_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_lab_order_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lab_order')),
    sa.UniqueConstraint('site_code', 'order_number', name=op.f('uq_lab_order_site_code_order_number'))
    )
    with op.batch_alter_table('lab_order', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lab_order_site_code'), ['site_code'], unique=False)

    op.create_table('plan',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('day', sa.String(), nullable=False),
    sa.Column('scope_code', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('job_id', sa.String(), nullable=True),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('published_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('published_by', sa.String(), nullable=True),
    sa.Column('problem', logistics.db.JSONType, nullable=False),
    sa.Column('result', logistics.db.JSONType, nullable=False),
    sa.Column('distance_m', sa.Integer(), nullable=True),
    sa.Column('duration_s', sa.Integer(), nullable=True),
    sa.Column('unserved_count', sa.Integer(), nullable=True),
    sa.Column('notice', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['scope_code'], ['site.code'], name=op.f('fk_plan_scope_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_plan'))
    )
    with op.batch_alter_table('plan', schema=None) as batch_op:
        batch_op.create_index('ix_plan_day_scope', ['day', 'scope_code'], unique=False)

    op.create_table('quarantined_reading',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('body', logistics.db.JSONType, nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('received_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('offset_s', sa.Double(), nullable=True),
    sa.Column('decided_by', sa.String(), nullable=True),
    sa.Column('decided_at', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['device_code'], ['device.code'], name=op.f('fk_quarantined_reading_device_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quarantined_reading'))
    )
    with op.batch_alter_table('quarantined_reading', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_quarantined_reading_received_at'), ['received_at'], unique=False)
        batch_op.create_index('uq_quarantined_reading_key', ['device_code', 'probe', 'at'], unique=True)

    op.create_table('stability_rule',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('test_code', sa.String(), nullable=False),
    sa.Column('specimen_type', sa.String(), nullable=False),
    sa.Column('stage', sa.String(), nullable=False),
    sa.Column('container', sa.String(), nullable=False),
    sa.Column('condition', sa.String(), nullable=False),
    sa.Column('temp_min_c', sa.Double(), nullable=True),
    sa.Column('temp_max_c', sa.Double(), nullable=True),
    sa.Column('max_hours', sa.Double(), nullable=True),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('valid_from', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_stability_rule_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stability_rule'))
    )
    with op.batch_alter_table('stability_rule', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_stability_rule_test_code'), ['test_code'], unique=False)

    op.create_table('test_site',
    sa.Column('test_code', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('turnaround_h', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_test_site_site_code')),
    sa.ForeignKeyConstraint(['test_code'], ['test.code'], name=op.f('fk_test_site_test_code')),
    sa.PrimaryKeyConstraint('test_code', 'site_code', name=op.f('pk_test_site'))
    )
    op.create_table('user_account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('name_zh', sa.String(), nullable=False),
    sa.Column('name_en', sa.String(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('password_hash', sa.String(), nullable=False),
    sa.Column('pin_hash', sa.String(), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), nullable=False),
    sa.Column('session_version', sa.Integer(), nullable=False),
    sa.Column('locale', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('last_login_at', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_user_account_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user_account')),
    sa.UniqueConstraint('username', name=op.f('uq_user_account_username'))
    )
    with op.batch_alter_table('user_account', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_user_account_role'), ['role'], unique=False)
        batch_op.create_index(batch_op.f('ix_user_account_site_code'), ['site_code'], unique=False)

    op.create_table('vehicle',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('name_zh', sa.String(), nullable=False),
    sa.Column('name_en', sa.String(), nullable=False),
    sa.Column('plate', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('slots_cold', sa.Integer(), nullable=False),
    sa.Column('slots_ambient', sa.Integer(), nullable=False),
    sa.Column('slots_frozen', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_vehicle_site_code')),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_vehicle'))
    )
    with op.batch_alter_table('vehicle', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_vehicle_site_code'), ['site_code'], unique=False)

    op.create_table('api_token',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('secret_sha256', sa.String(), nullable=False),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('last_used_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('expires_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('revoked_at', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_api_token_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_token')),
    sa.UniqueConstraint('secret_sha256', name=op.f('uq_api_token_secret_sha256'))
    )
    with op.batch_alter_table('api_token', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_token_user_id'), ['user_id'], unique=False)

    op.create_table('consignment',
    sa.Column('number', sa.String(), nullable=False),
    sa.Column('origin_code', sa.String(), nullable=False),
    sa.Column('destination_code', sa.String(), nullable=False),
    sa.Column('box_code', sa.String(), nullable=False),
    sa.Column('temp_class', sa.String(), nullable=False),
    sa.Column('opened_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('opened_by', sa.String(), nullable=False),
    sa.Column('expected_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('priority', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('state_since', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('seal_number', sa.String(), nullable=True),
    sa.Column('sealed_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('manifest_version', sa.Integer(), nullable=False),
    sa.Column('holder', sa.String(), nullable=True),
    sa.Column('location_code', sa.String(), nullable=True),
    sa.Column('departed_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('arrived_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('delivered_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('closed_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('tube_count', sa.Integer(), nullable=False),
    sa.Column('stream_seq', sa.Integer(), nullable=False),
    sa.Column('stream_head', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_consignment_box_code')),
    sa.ForeignKeyConstraint(['destination_code'], ['site.code'], name=op.f('fk_consignment_destination_code')),
    sa.ForeignKeyConstraint(['location_code'], ['site.code'], name=op.f('fk_consignment_location_code')),
    sa.ForeignKeyConstraint(['origin_code'], ['site.code'], name=op.f('fk_consignment_origin_code')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_consignment'))
    )
    with op.batch_alter_table('consignment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consignment_box_code'), ['box_code'], unique=False)
        batch_op.create_index('ix_consignment_destination_state', ['destination_code', 'state'], unique=False)
        batch_op.create_index('ix_consignment_holder_state', ['holder', 'state'], unique=False)
        batch_op.create_index('ix_consignment_origin_state', ['origin_code', 'state'], unique=False)

    op.create_table('courier',
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('vehicle_code', sa.String(), nullable=True),
    sa.Column('start_site_code', sa.String(), nullable=False),
    sa.Column('end_site_code', sa.String(), nullable=False),
    sa.Column('shift_from_min', sa.Integer(), nullable=False),
    sa.Column('shift_to_min', sa.Integer(), nullable=False),
    sa.Column('phone', sa.String(), nullable=False),
    sa.Column('skills', logistics.db.JSONType, nullable=False),
    sa.Column('on_duty_since', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['end_site_code'], ['site.code'], name=op.f('fk_courier_end_site_code')),
    sa.ForeignKeyConstraint(['start_site_code'], ['site.code'], name=op.f('fk_courier_start_site_code')),
    sa.ForeignKeyConstraint(['username'], ['user_account.username'], name=op.f('fk_courier_username')),
    sa.ForeignKeyConstraint(['vehicle_code'], ['vehicle.code'], name=op.f('fk_courier_vehicle_code')),
    sa.PrimaryKeyConstraint('username', name=op.f('pk_courier'))
    )
    op.create_table('device_binding',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('box_code', sa.String(), nullable=False),
    sa.Column('bound_from', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('bound_to', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_device_binding_box_code')),
    sa.ForeignKeyConstraint(['device_code'], ['device.code'], name=op.f('fk_device_binding_device_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_binding'))
    )
    with op.batch_alter_table('device_binding', schema=None) as batch_op:
        batch_op.create_index('ix_device_binding_box_from', ['box_code', 'bound_from'], unique=False)
        batch_op.create_index(batch_op.f('ix_device_binding_device_code'), ['device_code'], unique=False)

    op.create_table('excursion',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('box_code', sa.String(), nullable=False),
    sa.Column('device_code', sa.String(), nullable=False),
    sa.Column('probe', sa.SmallInteger(), nullable=False),
    sa.Column('rule_code', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('side', sa.String(), nullable=False),
    sa.Column('limit_c', sa.Double(), nullable=False),
    sa.Column('profile', logistics.db.JSONType, nullable=False),
    sa.Column('start_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('triggered_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('last_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('end_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('ended_by', sa.String(), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('min_c', sa.Double(), nullable=False),
    sa.Column('max_c', sa.Double(), nullable=False),
    sa.Column('mean_c', sa.Double(), nullable=False),
    sa.Column('minutes', sa.Double(), nullable=False),
    sa.Column('area_c_min', sa.Double(), nullable=False),
    sa.Column('reading_count', sa.Integer(), nullable=False),
    sa.Column('gap_count', sa.Integer(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('recorded_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('updated_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('acknowledged_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('acknowledged_by', sa.String(), nullable=True),
    sa.Column('comment', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_excursion_box_code')),
    sa.ForeignKeyConstraint(['device_code'], ['device.code'], name=op.f('fk_excursion_device_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_excursion'))
    )
    with op.batch_alter_table('excursion', schema=None) as batch_op:
        batch_op.create_index('ix_excursion_box_start', ['box_code', 'start_at'], unique=False)
        batch_op.create_index('ix_excursion_open', ['device_code', 'probe'], unique=False, sqlite_where=sa.text('end_at IS NULL'), postgresql_where=sa.text('end_at IS NULL'))
        batch_op.create_index('uq_excursion_standing', ['device_code', 'probe', 'rule_code', 'start_at', 'box_code'], unique=True, sqlite_where=sa.text("state <> 'withdrawn'"), postgresql_where=sa.text("state <> 'withdrawn'"))

    op.create_table('stop',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('plan_id', sa.Integer(), nullable=False),
    sa.Column('courier', sa.String(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('arrive_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('depart_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('window_from_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('window_to_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('distance_m', sa.Integer(), nullable=False),
    sa.Column('pickup_ids', logistics.db.JSONType, nullable=False),
    sa.Column('delivery_ids', logistics.db.JSONType, nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('actual_arrive_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('actual_depart_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('seen_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('eta_at', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['courier'], ['user_account.username'], name=op.f('fk_stop_courier')),
    sa.ForeignKeyConstraint(['plan_id'], ['plan.id'], name=op.f('fk_stop_plan_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_stop_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stop')),
    sa.UniqueConstraint('plan_id', 'courier', 'position', name=op.f('uq_stop_plan_id_courier_position'))
    )
    with op.batch_alter_table('stop', schema=None) as batch_op:
        batch_op.create_index('ix_stop_courier_planned', ['courier', 'arrive_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_stop_plan_id'), ['plan_id'], unique=False)

    op.create_table('alert',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('incident_key', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('severity', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('origin_code', sa.String(), nullable=True),
    sa.Column('box_code', sa.String(), nullable=True),
    sa.Column('consignment_number', sa.String(), nullable=True),
    sa.Column('params', logistics.db.JSONType, nullable=False),
    sa.Column('specimen_ids', logistics.db.JSONType, nullable=False),
    sa.Column('occurred_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('raised_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('updated_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('ended_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('acknowledged_by', sa.String(), nullable=True),
    sa.Column('acknowledged_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('comment', sa.String(), nullable=False),
    sa.Column('snoozed_until', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_alert_box_code')),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_alert_consignment_number')),
    sa.ForeignKeyConstraint(['origin_code'], ['site.code'], name=op.f('fk_alert_origin_code')),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_alert_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert')),
    sa.UniqueConstraint('incident_key', name=op.f('uq_alert_incident_key'))
    )
    with op.batch_alter_table('alert', schema=None) as batch_op:
        batch_op.create_index('ix_alert_site_state', ['site_code', 'state'], unique=False)

    op.create_table('excursion_change',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('excursion_id', sa.Integer(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('what', sa.String(), nullable=False),
    sa.Column('detail', logistics.db.JSONType, nullable=False),
    sa.ForeignKeyConstraint(['excursion_id'], ['excursion.id'], name=op.f('fk_excursion_change_excursion_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_excursion_change'))
    )
    with op.batch_alter_table('excursion_change', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_excursion_change_excursion_id'), ['excursion_id'], unique=False)

    op.create_table('handover',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('consignment_number', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('giver', sa.String(), nullable=False),
    sa.Column('giver_name', sa.String(), nullable=False),
    sa.Column('taker', sa.String(), nullable=False),
    sa.Column('taker_name', sa.String(), nullable=False),
    sa.Column('method', sa.String(), nullable=False),
    sa.Column('meaning', sa.String(), nullable=False),
    sa.Column('occurred_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('tube_count', sa.Integer(), nullable=False),
    sa.Column('refused_count', sa.Integer(), nullable=False),
    sa.Column('box_temp_c', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_handover_consignment_number')),
    sa.PrimaryKeyConstraint('id', 'consignment_number', name=op.f('pk_handover'))
    )
    op.create_table('manifest_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('consignment_number', sa.String(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('locked_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('locked_by', sa.String(), nullable=False),
    sa.Column('seal_number', sa.String(), nullable=False),
    sa.Column('lines', logistics.db.JSONType, nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_manifest_version_consignment_number')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_manifest_version')),
    sa.UniqueConstraint('consignment_number', 'version', name=op.f('uq_manifest_version_consignment_number_version'))
    )
    with op.batch_alter_table('manifest_version', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_manifest_version_consignment_number'), ['consignment_number'], unique=False)

    op.create_table('pickup',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('day', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('destination_code', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('priority', sa.String(), nullable=False),
    sa.Column('slots_cold', sa.Integer(), nullable=False),
    sa.Column('slots_ambient', sa.Integer(), nullable=False),
    sa.Column('slots_frozen', sa.Integer(), nullable=False),
    sa.Column('ready_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('latest_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('due_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('max_ride_min', sa.Integer(), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('consignment_number', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_pickup_consignment_number')),
    sa.ForeignKeyConstraint(['destination_code'], ['site.code'], name=op.f('fk_pickup_destination_code')),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_pickup_site_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pickup'))
    )
    with op.batch_alter_table('pickup', schema=None) as batch_op:
        batch_op.create_index('ix_pickup_day_site', ['day', 'site_code'], unique=False)

    op.create_table('specimen',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('accession', sa.String(), nullable=False),
    sa.Column('accession_key', sa.String(), nullable=False),
    sa.Column('issuing_site_code', sa.String(), nullable=False),
    sa.Column('registered_on', sa.String(), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=True),
    sa.Column('specimen_type', sa.String(), nullable=False),
    sa.Column('container', sa.String(), nullable=False),
    sa.Column('temp_class', sa.String(), nullable=False),
    sa.Column('stage', sa.String(), nullable=False),
    sa.Column('priority', sa.String(), nullable=False),
    sa.Column('patient_ref', sa.String(), nullable=False),
    sa.Column('collecting_site_code', sa.String(), nullable=False),
    sa.Column('destination_code', sa.String(), nullable=False),
    sa.Column('recollects_id', sa.Integer(), nullable=True),
    sa.Column('labels_printed', sa.Integer(), nullable=False),
    sa.Column('use_by_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('use_by_test', sa.String(), nullable=True),
    sa.Column('stability', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('state_since', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('registered_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('collected_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('collector', sa.String(), nullable=True),
    sa.Column('box_code', sa.String(), nullable=True),
    sa.Column('consignment_number', sa.String(), nullable=True),
    sa.Column('holder', sa.String(), nullable=True),
    sa.Column('location_code', sa.String(), nullable=True),
    sa.Column('condition', sa.String(), nullable=True),
    sa.Column('received_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('received_how', sa.String(), nullable=True),
    sa.Column('decided_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('reject_reason', sa.String(), nullable=True),
    sa.Column('on_hold', sa.Boolean(), nullable=False),
    sa.Column('stream_seq', sa.Integer(), nullable=False),
    sa.Column('stream_head', sa.String(), nullable=False),
    sa.Column('lines_sum', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_specimen_box_code')),
    sa.ForeignKeyConstraint(['collecting_site_code'], ['site.code'], name=op.f('fk_specimen_collecting_site_code')),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_specimen_consignment_number')),
    sa.ForeignKeyConstraint(['destination_code'], ['site.code'], name=op.f('fk_specimen_destination_code')),
    sa.ForeignKeyConstraint(['issuing_site_code'], ['site.code'], name=op.f('fk_specimen_issuing_site_code')),
    sa.ForeignKeyConstraint(['location_code'], ['site.code'], name=op.f('fk_specimen_location_code')),
    sa.ForeignKeyConstraint(['order_id'], ['lab_order.id'], name=op.f('fk_specimen_order_id')),
    sa.ForeignKeyConstraint(['recollects_id'], ['specimen.id'], name=op.f('fk_specimen_recollects_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_specimen')),
    sa.UniqueConstraint('issuing_site_code', 'accession_key', 'registered_on', name=op.f('uq_specimen_issuing_site_code_accession_key_registered_on'))
    )
    with op.batch_alter_table('specimen', schema=None) as batch_op:
        batch_op.create_index('ix_specimen_accession_key', ['accession_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_specimen_box_code'), ['box_code'], unique=False)
        batch_op.create_index('ix_specimen_collecting_state', ['collecting_site_code', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_specimen_consignment_number'), ['consignment_number'], unique=False)
        batch_op.create_index('ix_specimen_destination_state', ['destination_code', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_specimen_order_id'), ['order_id'], unique=False)
        batch_op.create_index('ix_specimen_state_use_by', ['state', 'use_by_at'], unique=False)

    op.create_table('alert_note',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('alert_id', sa.Integer(), nullable=False),
    sa.Column('at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('username', sa.String(), nullable=True),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('params', logistics.db.JSONType, nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_alert_note_alert_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_note'))
    )
    with op.batch_alter_table('alert_note', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alert_note_alert_id'), ['alert_id'], unique=False)

    op.create_table('consignment_line',
    sa.Column('consignment_number', sa.String(), nullable=False),
    sa.Column('specimen_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('condition', sa.String(), nullable=True),
    sa.Column('checked_by', sa.String(), nullable=True),
    sa.Column('checked_at', logistics.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_consignment_line_consignment_number')),
    sa.ForeignKeyConstraint(['specimen_id'], ['specimen.id'], name=op.f('fk_consignment_line_specimen_id')),
    sa.PrimaryKeyConstraint('consignment_number', 'specimen_id', name=op.f('pk_consignment_line'))
    )
    with op.batch_alter_table('consignment_line', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consignment_line_specimen_id'), ['specimen_id'], unique=False)

    op.create_table('delivery',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('alert_id', sa.Integer(), nullable=False),
    sa.Column('channel_id', sa.Integer(), nullable=False),
    sa.Column('dedup_id', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_try_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('lease_until', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('sent_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('error', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_delivery_alert_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['channel_id'], ['channel.id'], name=op.f('fk_delivery_channel_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
    sa.UniqueConstraint('dedup_id', name=op.f('uq_delivery_dedup_id'))
    )
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_delivery_alert_id'), ['alert_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_delivery_channel_id'), ['channel_id'], unique=False)
        batch_op.create_index('ix_delivery_state_next', ['state', 'next_try_at'], unique=False)

    op.create_table('nonconformity',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('specimen_id', sa.Integer(), nullable=True),
    sa.Column('consignment_number', sa.String(), nullable=True),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('reason_code', sa.String(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('found_by', sa.String(), nullable=False),
    sa.Column('found_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('disposition', sa.String(), nullable=False),
    sa.Column('disposed_by', sa.String(), nullable=True),
    sa.Column('disposed_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('photo', sa.String(), nullable=True),
    sa.Column('accession', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_nonconformity_consignment_number')),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_nonconformity_site_code')),
    sa.ForeignKeyConstraint(['specimen_id'], ['specimen.id'], name=op.f('fk_nonconformity_specimen_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_nonconformity'))
    )
    with op.batch_alter_table('nonconformity', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_nonconformity_consignment_number'), ['consignment_number'], unique=False)
        batch_op.create_index(batch_op.f('ix_nonconformity_site_code'), ['site_code'], unique=False)
        batch_op.create_index(batch_op.f('ix_nonconformity_specimen_id'), ['specimen_id'], unique=False)

    op.create_table('specimen_test',
    sa.Column('specimen_id', sa.Integer(), nullable=False),
    sa.Column('test_code', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['specimen_id'], ['specimen.id'], name=op.f('fk_specimen_test_specimen_id')),
    sa.ForeignKeyConstraint(['test_code'], ['test.code'], name=op.f('fk_specimen_test_test_code')),
    sa.PrimaryKeyConstraint('specimen_id', 'test_code', name=op.f('pk_specimen_test'))
    )


def downgrade():
    op.drop_table('specimen_test')
    with op.batch_alter_table('nonconformity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_nonconformity_specimen_id'))
        batch_op.drop_index(batch_op.f('ix_nonconformity_site_code'))
        batch_op.drop_index(batch_op.f('ix_nonconformity_consignment_number'))

    op.drop_table('nonconformity')
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_state_next')
        batch_op.drop_index(batch_op.f('ix_delivery_channel_id'))
        batch_op.drop_index(batch_op.f('ix_delivery_alert_id'))

    op.drop_table('delivery')
    with op.batch_alter_table('consignment_line', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_consignment_line_specimen_id'))

    op.drop_table('consignment_line')
    with op.batch_alter_table('alert_note', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alert_note_alert_id'))

    op.drop_table('alert_note')
    with op.batch_alter_table('specimen', schema=None) as batch_op:
        batch_op.drop_index('ix_specimen_state_use_by')
        batch_op.drop_index(batch_op.f('ix_specimen_order_id'))
        batch_op.drop_index('ix_specimen_destination_state')
        batch_op.drop_index(batch_op.f('ix_specimen_consignment_number'))
        batch_op.drop_index('ix_specimen_collecting_state')
        batch_op.drop_index(batch_op.f('ix_specimen_box_code'))
        batch_op.drop_index('ix_specimen_accession_key')

    op.drop_table('specimen')
    with op.batch_alter_table('pickup', schema=None) as batch_op:
        batch_op.drop_index('ix_pickup_day_site')

    op.drop_table('pickup')
    with op.batch_alter_table('manifest_version', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_manifest_version_consignment_number'))

    op.drop_table('manifest_version')
    op.drop_table('handover')
    with op.batch_alter_table('excursion_change', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_excursion_change_excursion_id'))

    op.drop_table('excursion_change')
    with op.batch_alter_table('alert', schema=None) as batch_op:
        batch_op.drop_index('ix_alert_site_state')

    op.drop_table('alert')
    with op.batch_alter_table('stop', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_stop_plan_id'))
        batch_op.drop_index('ix_stop_courier_planned')

    op.drop_table('stop')
    with op.batch_alter_table('excursion', schema=None) as batch_op:
        batch_op.drop_index('uq_excursion_standing', sqlite_where=sa.text("state <> 'withdrawn'"), postgresql_where=sa.text("state <> 'withdrawn'"))
        batch_op.drop_index('ix_excursion_open', sqlite_where=sa.text('end_at IS NULL'), postgresql_where=sa.text('end_at IS NULL'))
        batch_op.drop_index('ix_excursion_box_start')

    op.drop_table('excursion')
    with op.batch_alter_table('device_binding', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_device_binding_device_code'))
        batch_op.drop_index('ix_device_binding_box_from')

    op.drop_table('device_binding')
    op.drop_table('courier')
    with op.batch_alter_table('consignment', schema=None) as batch_op:
        batch_op.drop_index('ix_consignment_origin_state')
        batch_op.drop_index('ix_consignment_holder_state')
        batch_op.drop_index('ix_consignment_destination_state')
        batch_op.drop_index(batch_op.f('ix_consignment_box_code'))

    op.drop_table('consignment')
    with op.batch_alter_table('api_token', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_api_token_user_id'))

    op.drop_table('api_token')
    with op.batch_alter_table('vehicle', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_vehicle_site_code'))

    op.drop_table('vehicle')
    with op.batch_alter_table('user_account', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_user_account_site_code'))
        batch_op.drop_index(batch_op.f('ix_user_account_role'))

    op.drop_table('user_account')
    op.drop_table('test_site')
    with op.batch_alter_table('stability_rule', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_stability_rule_test_code'))

    op.drop_table('stability_rule')
    with op.batch_alter_table('quarantined_reading', schema=None) as batch_op:
        batch_op.drop_index('uq_quarantined_reading_key')
        batch_op.drop_index(batch_op.f('ix_quarantined_reading_received_at'))

    op.drop_table('quarantined_reading')
    with op.batch_alter_table('plan', schema=None) as batch_op:
        batch_op.drop_index('ix_plan_day_scope')

    op.drop_table('plan')
    with op.batch_alter_table('lab_order', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_lab_order_site_code'))

    op.drop_table('lab_order')
    with op.batch_alter_table('channel', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_channel_site_code'))

    op.drop_table('channel')
    with op.batch_alter_table('box', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_box_location_code'))
        batch_op.drop_index(batch_op.f('ix_box_home_code'))

    op.drop_table('box')
    op.drop_table('test')
    with op.batch_alter_table('site', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_site_parent_code'))

    op.drop_table('site')
    op.drop_table('setting')
    op.drop_table('reason')
    with op.batch_alter_table('reading', schema=None) as batch_op:
        batch_op.drop_index('ix_reading_recorded', postgresql_using='brin')

    op.drop_table('reading')
    op.drop_table('probe_state')
    op.drop_table('print_entry')
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_index('ix_job_state_lease')

    op.drop_table('job')
    op.drop_table('ingest_heartbeat')
    op.drop_table('device')
    with op.batch_alter_table('dead_letter', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dead_letter_received_at'))

    op.drop_table('dead_letter')
    with op.batch_alter_table('custody_event', schema=None) as batch_op:
        batch_op.drop_index('ix_custody_event_recorded')
        batch_op.drop_index('ix_custody_event_act')

    op.drop_table('custody_event')
    op.drop_table('custody_lane')
    op.drop_table('courier_position')
    op.drop_table('counter')
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.drop_index('ix_audit_entry_at')

    op.drop_table('audit_entry')
    with op.batch_alter_table('act', schema=None) as batch_op:
        batch_op.drop_index('ix_act_status_recorded')

    op.drop_table('act')
