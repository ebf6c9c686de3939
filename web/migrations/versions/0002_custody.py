"""The whole chain of custody: signed digests, loads both ways, label ledger, photos, saved filters

Revision: 0002
"""

import logistics.db
import sqlalchemy as sa
from alembic import op

from logistics.models import append_only


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    # labels: stocks, what a site prints on, the ledger of pre-printed numbers; the print log says why again
    op.create_table('label_stock',
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('name_zh', sa.String(), nullable=False),
    sa.Column('name_en', sa.String(), nullable=False),
    sa.Column('medium', sa.String(), nullable=False),
    sa.Column('width_mm', sa.Double(), nullable=False),
    sa.Column('height_mm', sa.Double(), nullable=False),
    sa.Column('page_width_mm', sa.Double(), nullable=False),
    sa.Column('page_height_mm', sa.Double(), nullable=False),
    sa.Column('columns', sa.Integer(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('left_mm', sa.Double(), nullable=False),
    sa.Column('top_mm', sa.Double(), nullable=False),
    sa.Column('gap_x_mm', sa.Double(), nullable=False),
    sa.Column('gap_y_mm', sa.Double(), nullable=False),
    sa.Column('dpi', sa.Integer(), nullable=False),
    sa.Column('symbology', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_label_stock'))
    )
    op.create_table('print_setting',
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('stock', sa.String(), nullable=False),
    sa.Column('symbology', sa.String(), nullable=False),
    sa.Column('output', sa.String(), nullable=False),
    sa.Column('changed_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('changed_by', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_print_setting_site_code_site')),
    sa.PrimaryKeyConstraint('site_code', 'kind', name=op.f('pk_print_setting'))
    )
    op.create_table('label_batch',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('first_number', sa.String(), nullable=False),
    sa.Column('last_number', sa.String(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('stock', sa.String(), nullable=False),
    sa.Column('symbology', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=False),
    sa.Column('made_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('made_by', sa.String(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_label_batch_site_code_site')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_label_batch'))
    )
    op.create_index('ix_label_batch_site_made', 'label_batch', ['site_code', 'made_at'])
    op.create_table('label_number',
    sa.Column('number', sa.String(), nullable=False),
    sa.Column('batch_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('state_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('state_by', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('copies', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['label_batch.id'], name=op.f('fk_label_number_batch_id_label_batch')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_label_number')),
    sa.UniqueConstraint('batch_id', 'position', name=op.f('uq_label_number_batch_id_position'))
    )
    op.create_index('ix_label_number_batch_state', 'label_number', ['batch_id', 'state'])
    with op.batch_alter_table('print_entry', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reason', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('output', sa.String(), nullable=False, server_default='pdf'))
        batch_op.add_column(sa.Column('site_code', sa.String(), nullable=True))
        batch_op.create_index('ix_print_entry_subject_at', ['subject', 'at'], unique=False)

    # Loads on the way back, and what goes to external laboratories under a contract.
    op.create_table('load_item',
        sa.Column('number', sa.String(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('description', sa.String(), nullable=False),
        sa.Column('quantity', sa.Integer(), nullable=False),
        sa.Column('temp_class', sa.String(), nullable=True),
        sa.Column('origin_code', sa.String(), nullable=False),
        sa.Column('destination_code', sa.String(), nullable=False),
        sa.Column('lot', sa.String(), nullable=False),
        sa.Column('expires_on', sa.String(), nullable=True),
        sa.Column('registered_by', sa.String(), nullable=False),
        sa.Column('labels_printed', sa.Integer(), nullable=False),
        sa.Column('state', sa.String(), nullable=False),
        sa.Column('state_since', logistics.db.UTCDateTime(), nullable=False),
        sa.Column('box_code', sa.String(), nullable=True),
        sa.Column('consignment_number', sa.String(), nullable=True),
        sa.Column('holder', sa.String(), nullable=True),
        sa.Column('location_code', sa.String(), nullable=True),
        sa.Column('condition', sa.String(), nullable=True),
        sa.Column('received_at', logistics.db.UTCDateTime(), nullable=True),
        sa.Column('received_by', sa.String(), nullable=True),
        sa.Column('received_how', sa.String(), nullable=True),
        sa.Column('on_hold', sa.Boolean(), nullable=False),
        sa.Column('stream_seq', sa.Integer(), nullable=False),
        sa.Column('stream_head', sa.String(), nullable=False),
        sa.Column('lines_sum', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['box_code'], ['box.code'], name=op.f('fk_load_item_box_code')),
        sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_load_item_consignment_number')),
        sa.ForeignKeyConstraint(['destination_code'], ['site.code'], name=op.f('fk_load_item_destination_code')),
        sa.ForeignKeyConstraint(['location_code'], ['site.code'], name=op.f('fk_load_item_location_code')),
        sa.ForeignKeyConstraint(['origin_code'], ['site.code'], name=op.f('fk_load_item_origin_code')),
        sa.PrimaryKeyConstraint('number', name=op.f('pk_load_item')),
    )
    op.create_index('ix_load_item_box_code', 'load_item', ['box_code'])
    op.create_index('ix_load_item_consignment_number', 'load_item', ['consignment_number'])
    op.create_index('ix_load_item_destination_state', 'load_item', ['destination_code', 'state'])
    op.create_index('ix_load_item_origin_state', 'load_item', ['origin_code', 'state'])
    op.create_table('load_item_line',
        sa.Column('consignment_number', sa.String(), nullable=False),
        sa.Column('item_number', sa.String(), nullable=False),
        sa.Column('outcome', sa.String(), nullable=False),
        sa.Column('condition', sa.String(), nullable=True),
        sa.Column('checked_by', sa.String(), nullable=True),
        sa.Column('checked_at', logistics.db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_load_item_line_consignment_number')),
        sa.ForeignKeyConstraint(['item_number'], ['load_item.number'], name=op.f('fk_load_item_line_item_number')),
        sa.PrimaryKeyConstraint('consignment_number', 'item_number', name=op.f('pk_load_item_line')),
    )
    op.create_index('ix_load_item_line_item_number', 'load_item_line', ['item_number'])
    op.create_table('blind_key',
        sa.Column('id', sa.String(), nullable=False),
        sa.Column('item_number', sa.String(), nullable=False),
        sa.Column('tube_number', sa.String(), nullable=False),
        sa.Column('site_code', sa.String(), nullable=False),
        sa.Column('reference', sa.String(), nullable=False),
        sa.Column('expected', sa.String(), nullable=False),
        sa.Column('tests', sa.String(), nullable=False),
        sa.Column('label_ref', sa.String(), nullable=False),
        sa.Column('labels_printed', sa.Integer(), nullable=False),
        sa.Column('made_by', sa.String(), nullable=False),
        sa.Column('made_at', logistics.db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(['item_number'], ['load_item.number'], name=op.f('fk_blind_key_item_number')),
        sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_blind_key_site_code')),
        sa.ForeignKeyConstraint(['tube_number'], ['label_number.number'], name=op.f('fk_blind_key_tube_number')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_blind_key')),
        sa.UniqueConstraint('item_number', name=op.f('uq_blind_key_item_number')),
        sa.UniqueConstraint('tube_number', name=op.f('uq_blind_key_tube_number')),
    )
    op.create_index('ix_blind_key_site_code', 'blind_key', ['site_code'])
    op.create_table('contract',
        sa.Column('reference', sa.String(), nullable=False),
        sa.Column('site_code', sa.String(), nullable=False),
        sa.Column('external_code', sa.String(), nullable=False),
        sa.Column('valid_from', sa.String(), nullable=False),
        sa.Column('valid_to', sa.String(), nullable=False),
        sa.Column('turnaround_h', sa.Double(), nullable=True),
        sa.Column('contact', sa.String(), nullable=False),
        sa.Column('active', sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(['external_code'], ['site.code'], name=op.f('fk_contract_external_code')),
        sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_contract_site_code')),
        sa.PrimaryKeyConstraint('reference', name=op.f('pk_contract')),
    )
    op.create_index('ix_contract_external_code', 'contract', ['external_code'])
    op.create_index('ix_contract_site_code', 'contract', ['site_code'])
    op.create_table('contract_test',
        sa.Column('contract_reference', sa.String(), nullable=False),
        sa.Column('test_code', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['contract_reference'], ['contract.reference'], name=op.f('fk_contract_test_contract_reference')),
        sa.ForeignKeyConstraint(['test_code'], ['test.code'], name=op.f('fk_contract_test_test_code')),
        sa.PrimaryKeyConstraint('contract_reference', 'test_code', name=op.f('pk_contract_test')),
    )
    op.add_column('box', sa.Column('kind', sa.String(), nullable=False, server_default='box'))
    op.add_column('consignment', sa.Column('kind', sa.String(), nullable=False, server_default='specimens'))
    op.add_column('consignment', sa.Column('contract_reference', sa.String(), nullable=True))
    op.add_column('consignment', sa.Column('item_count', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('handover', sa.Column('organisation', sa.String(), nullable=False, server_default=''))
    op.add_column('handover', sa.Column('witness', sa.String(), nullable=False, server_default=''))
    op.add_column('handover', sa.Column('witness_name', sa.String(), nullable=False, server_default=''))

    # late acts that wait for the act before them
    op.create_table('waiting_act',
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('act_id', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['act_id'], ['act.id'], name=op.f('fk_waiting_act_act_id_act')),
    sa.PrimaryKeyConstraint('key', 'act_id', name=op.f('pk_waiting_act'))
    )
    op.create_index('ix_waiting_act_act_id', 'waiting_act', ['act_id'])

    # what proves that the log is unedited: public keys, daily signed digests, their leaves
    op.create_table('signing_key',
        sa.Column('fingerprint', sa.String(), nullable=False),
        sa.Column('public_key', sa.String(), nullable=False),
        sa.Column('since', logistics.db.UTCDateTime(), nullable=False),
        sa.Column('previous', sa.String(), nullable=True),
        sa.Column('endorsement', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['previous'], ['signing_key.fingerprint'], name=op.f('fk_signing_key_previous')),
        sa.PrimaryKeyConstraint('fingerprint', name=op.f('pk_signing_key')),
    )
    op.create_table('custody_digest',
        sa.Column('day', sa.String(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('hash', sa.String(), nullable=False),
        sa.Column('signature', sa.String(), nullable=False),
        sa.Column('key_fingerprint', sa.String(), nullable=False),
        sa.Column('made_at', logistics.db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(['key_fingerprint'], ['signing_key.fingerprint'], name=op.f('fk_custody_digest_key_fingerprint')),
        sa.PrimaryKeyConstraint('day', name=op.f('pk_custody_digest')),
        sa.UniqueConstraint('number', name=op.f('uq_custody_digest_number')),
    )
    op.create_table('custody_digest_leaf',
        sa.Column('day', sa.String(), nullable=False),
        sa.Column('stream', sa.String(), nullable=False),
        sa.Column('seq', sa.Integer(), nullable=False),
        sa.Column('hash', sa.String(), nullable=False),
        sa.PrimaryKeyConstraint('day', 'stream', name=op.f('pk_custody_digest_leaf')),
    )
    op.create_index('ix_custody_digest_leaf_stream', 'custody_digest_leaf', ['stream'])
    op.create_index('ix_act_recorded', 'act', ['recorded_at'], postgresql_using='brin')

    # receipt: pictures, tests that are rejected alone, tubes that turn up late, findings as a projection of the log
    op.create_table('attachment',
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('media_type', sa.String(), nullable=False),
    sa.Column('width_px', sa.Integer(), nullable=False),
    sa.Column('height_px', sa.Integer(), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('uploaded_at', logistics.db.UTCDateTime(), nullable=False),
    sa.Column('uploaded_by', sa.String(), nullable=False),
    sa.Column('site_code', sa.String(), nullable=True),
    sa.Column('used_at', logistics.db.UTCDateTime(), nullable=True),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_attachment_site_code')),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_attachment'))
    )
    op.create_index('ix_attachment_used_uploaded', 'attachment', ['used_at', 'uploaded_at'])
    op.add_column('specimen', sa.Column('missing_from', sa.String(), nullable=True))
    op.add_column('specimen_test', sa.Column('rejected_reason', sa.String(), nullable=True))
    op.add_column('specimen_test', sa.Column('rejected_by', sa.String(), nullable=True))
    op.add_column('specimen_test', sa.Column('rejected_at', logistics.db.UTCDateTime(), nullable=True))
    op.add_column('consignment_line', sa.Column('found_site', sa.String(), nullable=True))
    op.add_column('consignment_line', sa.Column('found_in', sa.String(), nullable=True))
    with op.batch_alter_table('nonconformity', schema=None) as batch_op:
        batch_op.add_column(sa.Column('disposed_site', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('tests', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('origin_code', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('stream', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('seq', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_nonconformity_origin_code'), 'site', ['origin_code'], ['code'])
        batch_op.create_unique_constraint(batch_op.f('uq_nonconformity_stream_seq'), ['stream', 'seq'])
        batch_op.create_index('ix_nonconformity_found', ['found_at'], unique=False)
        batch_op.create_index('ix_nonconformity_origin_found', ['origin_code', 'found_at'], unique=False)

    # handovers signed on two devices: ids drawn for a giver's screen, the giver's half, and what both say together
    op.create_table('handover_offer',
        sa.Column('id', sa.String(), nullable=False),
        sa.Column('username', sa.String(), nullable=False),
        sa.Column('issued_at', logistics.db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_handover_offer')),
    )
    op.create_index('ix_handover_offer_username', 'handover_offer', ['username'])
    op.create_table('handover_half',
        sa.Column('act_id', sa.String(), nullable=False),
        sa.Column('consignment_number', sa.String(), nullable=False),
        sa.Column('handover_id', sa.String(), nullable=False),
        sa.Column('username', sa.String(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('other', sa.String(), nullable=False),
        sa.Column('meaning', sa.String(), nullable=False),
        sa.Column('site_code', sa.String(), nullable=True),
        sa.Column('tube_count', sa.Integer(), nullable=False),
        sa.Column('signed_at', logistics.db.UTCDateTime(), nullable=False),
        sa.Column('recorded_at', logistics.db.UTCDateTime(), nullable=False),
        sa.Column('state', sa.String(), nullable=False),
        sa.Column('differs', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_handover_half_consignment_number_consignment')),
        sa.PrimaryKeyConstraint('act_id', 'consignment_number', name=op.f('pk_handover_half')),
    )
    op.create_index('ix_handover_half_handover_id', 'handover_half', ['handover_id'])
    op.create_index('ix_handover_half_state', 'handover_half', ['state', 'signed_at'])
    op.add_column('handover', sa.Column('giver_signed_at', logistics.db.UTCDateTime(), nullable=True))
    op.add_column('handover', sa.Column('taker_signed_at', logistics.db.UTCDateTime(), nullable=True))
    op.add_column('handover', sa.Column('state', sa.String(), nullable=False, server_default='signed'))
    op.add_column('handover', sa.Column('differs', sa.String(), nullable=False, server_default=''))
    op.create_index('ix_handover_state', 'handover', ['state', 'occurred_at'])
    op.execute("UPDATE handover SET taker_signed_at = occurred_at,"
               " giver_signed_at = CASE WHEN method = 'pin' THEN occurred_at END")

    # every seal number that was ever put on a box; `labrelay rebuild` fills it for boxes sealed before
    op.create_table('seal_use',
        sa.Column('number', sa.String(), nullable=False),
        sa.Column('consignment_number', sa.String(), nullable=False),
        sa.Column('used_at', logistics.db.UTCDateTime(), nullable=False),
        sa.Column('used_by', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['consignment_number'], ['consignment.number'], name=op.f('fk_seal_use_consignment_number_consignment')),
        sa.PrimaryKeyConstraint('number', name=op.f('pk_seal_use')),
    )
    op.create_index('ix_seal_use_consignment_number', 'seal_use', ['consignment_number'])

    _search_indexes()
    op.create_table('saved_filter',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('page', sa.String(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('query', logistics.db.JSONType, nullable=False),
        sa.Column('username', sa.String(), nullable=False),
        sa.Column('site_code', sa.String(), nullable=True),
        sa.Column('shared', sa.Boolean(), nullable=False),
        sa.Column('created_at', logistics.db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(['site_code'], ['site.code'], name=op.f('fk_saved_filter_site_code')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_filter')),
        sa.UniqueConstraint('username', 'page', 'name', name=op.f('uq_saved_filter_username_page_name')),
    )
    op.create_index('ix_saved_filter_site', 'saved_filter', ['site_code', 'page'])
    op.create_table('default_filter',
        sa.Column('username', sa.String(), nullable=False),
        sa.Column('page', sa.String(), nullable=False),
        sa.Column('filter_id', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['filter_id'], ['saved_filter.id'], name=op.f('fk_default_filter_filter_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('username', 'page', name=op.f('pk_default_filter')),
    )

    # Keep this last: on SQLite a table that is altered above loses its triggers.
    _make_append_only()


def _make_append_only():
    dialect = op.get_bind().dialect.name
    for statement in append_only.all_statements(dialect):
        op.execute(statement)


def _search_indexes():
    """Search and worklists by indexes, newest first; the accession number forwards and backwards, byte by byte."""
    postgresql = op.get_bind().dialect.name == 'postgresql'
    key = sa.String(collation='C') if postgresql else sa.String()
    op.add_column('specimen', sa.Column('accession_tail', key, nullable=False, server_default=''))
    if postgresql:
        op.execute('ALTER TABLE specimen ALTER COLUMN accession_key TYPE VARCHAR COLLATE "C"')
        op.execute('UPDATE specimen SET accession_tail = reverse(accession_key)')
    else:
        op.get_bind().connection.create_function('labrelay_reverse', 1, lambda text: text[::-1])
        op.execute('UPDATE specimen SET accession_tail = labrelay_reverse(accession_key)')
    op.drop_index('ix_specimen_collecting_state', 'specimen')
    op.drop_index('ix_specimen_destination_state', 'specimen')
    for name, table, *columns in (
        ('ix_specimen_accession_tail', 'specimen', 'accession_tail'),
        ('ix_specimen_collecting_state', 'specimen', 'collecting_site_code', 'state', 'registered_at'),
        ('ix_specimen_destination_state', 'specimen', 'destination_code', 'state', 'registered_at'),
        ('ix_specimen_registered', 'specimen', 'registered_at', 'id'),
        ('ix_specimen_collecting_registered', 'specimen', 'collecting_site_code', 'registered_at', 'id'),
        ('ix_specimen_collecting_since', 'specimen', 'collecting_site_code', 'state_since'),
        ('ix_specimen_destination_registered', 'specimen', 'destination_code', 'registered_at', 'id'),
        ('ix_specimen_state_registered', 'specimen', 'state', 'registered_at', 'id'),
        ('ix_specimen_test_code', 'specimen_test', 'test_code', 'specimen_id'),
        ('ix_consignment_opened', 'consignment', 'opened_at', 'number'),
        ('ix_consignment_state_opened', 'consignment', 'state', 'opened_at', 'number'),
        ('ix_consignment_origin_opened', 'consignment', 'origin_code', 'opened_at', 'number'),
        ('ix_consignment_destination_opened', 'consignment', 'destination_code', 'opened_at', 'number'),
        ('ix_consignment_destination_closed', 'consignment', 'destination_code', 'closed_at'),
        ('ix_consignment_box_opened', 'consignment', 'box_code', 'opened_at', 'number'),
        ('ix_consignment_seal', 'consignment', 'seal_number'),
        ('ix_handover_taker', 'handover', 'taker', 'occurred_at', 'consignment_number'),
        ('ix_handover_consignment', 'handover', 'consignment_number', 'occurred_at'),
        ('ix_courier_position_at', 'courier_position', 'at'),
        ('ix_alert_site_updated', 'alert', 'site_code', 'updated_at', 'id'),
        ('ix_audit_entry_user_at', 'audit_entry', 'username', 'at'),
        ('ix_audit_entry_action_at', 'audit_entry', 'action', 'at'),
        ('ix_audit_entry_subject_at', 'audit_entry', 'subject', 'at'),
    ):
        op.create_index(name, table, columns)
    for name, table, where, *columns in (
        ('ix_specimen_elsewhere', 'specimen',
         'location_code <> collecting_site_code AND location_code <> destination_code',
         'location_code', 'registered_at', 'id'),
        ('ix_specimen_recollects', 'specimen', 'recollects_id IS NOT NULL', 'recollects_id'),
        ('ix_specimen_on_hold', 'specimen', 'on_hold', 'registered_at', 'id'),
        ('ix_specimen_holder', 'specimen', 'holder IS NOT NULL', 'holder', 'registered_at'),
        ('ix_specimen_pressing', 'specimen', "priority <> 'routine'", 'priority', 'registered_at'),
        ('ix_alert_unanswered', 'alert', "acknowledged_at IS NULL AND state <> 'closed'", 'site_code', 'occurred_at'),
    ):
        op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))

    # recalls: why, and where the tube must be brought
    op.add_column('specimen', sa.Column('recall_reason', sa.String(), nullable=True))
    op.add_column('specimen', sa.Column('recall_to', sa.String(), nullable=True))


def downgrade():
    # There is no way back: the custody log is never cut.
    raise NotImplementedError
