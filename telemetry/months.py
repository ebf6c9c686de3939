"""What PostgreSQL needs beside the table of readings to divide it by the month (telemetry.storage)."""

from __future__ import annotations

import re

from sqlalchemy import DDL, Table, event

FUNCTIONS = (
    "CREATE TABLE IF NOT EXISTS reading_default PARTITION OF reading DEFAULT",
    """
    CREATE OR REPLACE FUNCTION reading_make_month(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
    DECLARE
        first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
        after timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
        name text := 'reading_' || to_char(month, 'YYYY_MM');
    BEGIN
        PERFORM pg_advisory_xact_lock(8732, 1);
        IF to_regclass(name) IS NOT NULL THEN RETURN false; END IF;
        EXECUTE format('CREATE TABLE %I (LIKE reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        LOCK TABLE reading_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('WITH moved AS (DELETE FROM reading_default WHERE at >= %L AND at < %L RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', first, after, name);
        EXECUTE format('ALTER TABLE reading ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, after);
        RETURN true;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION reading_stray_months() RETURNS SETOF date
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        SELECT DISTINCT date_trunc('month', at AT TIME ZONE 'UTC')::date FROM reading_default
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION reading_drop_month(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
    DECLARE
        name text := 'reading_' || to_char(month, 'YYYY_MM');
    BEGIN
        IF to_regclass(name) IS NULL OR month > current_date - interval '60 days' THEN RETURN false; END IF;
        EXECUTE format('DROP TABLE %I', name);
        RETURN true;
    END $$
    """,
)
"""What PostgreSQL needs beside the table itself. No month of the last sixty days can be dropped, whoever asks."""


def attach(reading: Table) -> None:
    """Whoever makes the table of readings makes these with it."""
    for statement in FUNCTIONS:
        made = DDL(statement.replace("%", "%%")).execute_if(dialect="postgresql")  # type: ignore[no-untyped-call]
        event.listen(reading, "after_create", made)


def is_month(table: str) -> bool:
    """Whether a table of this name is a partition of the readings."""
    return re.fullmatch(r"reading_(default|\d{4}_\d\d)", table) is not None
