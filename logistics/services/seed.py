"""Filling an installation from the catalogue: reasons, tests with their stability rules, and the Xianning sites."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import catalogue
from logistics.models import Reason, Site, StabilityRuleRow, Test, TestSite
from logistics.models.network import CITY_CENTRE, COUNTY_CENTRE

# Judgement from the map and the sources of the travel figures: hills in the south, plain along the Yangtze.
TERRAIN = {"通山县": "hills", "崇阳县": "hills", "通城县": "hills", "嘉鱼县": "plain", "赤壁市": "plain"}
MONDAY = 1


def reasons(session: Session) -> None:
    """Add the coded reasons that are not there yet."""
    known = set(session.scalars(select(Reason.code)))
    for position, row in enumerate(catalogue.load_reasons()):
        if row.code not in known:
            session.add(
                Reason(
                    code=row.code,
                    zh=row.name_zh,
                    en=row.name_en,
                    hl7=row.hl7,
                    kind=row.kind,
                    concession=row.concession,
                    position=position,
                )
            )


def tests(session: Session) -> None:
    """Add the starting test catalogue and its sourced stability rules. Who performs a test is said elsewhere."""
    known = set(session.scalars(select(Test.code)))
    for row in catalogue.load_tests():
        if row.code in known:
            continue
        session.add(
            Test(
                code=row.code,
                name_zh=row.name_zh,
                name_en=row.name_en,
                short_zh=row.short_zh,
                specimen_type=row.specimen_type,
                container=row.container,
                temp_class=row.temp_class,
                stage=row.stage,
                turnaround_h=row.turnaround_h,
                stability_code=row.code,
            )
        )
        for rule in catalogue.stability_for(row):
            session.add(
                StabilityRuleRow(
                    test_code=row.code,
                    specimen_type=";".join(sorted({row.specimen_type, *rule.specimen_types})),
                    stage=rule.stage,
                    container=rule.container,
                    condition=rule.condition,
                    temp_min_c=rule.temp_min_c,
                    temp_max_c=rule.temp_max_c,
                    max_hours=rule.max_hours,
                    source=rule.source,
                )
            )
    session.flush()


def xianning_sites(session: Session) -> None:
    """Add the 77 sites with their tiers, parents and assumed hours."""
    hours = {row.tier: row for row in catalogue.load_site_hours() if MONDAY in row.weekdays}
    known = set(session.scalars(select(Site.code)))
    for row in sorted(catalogue.load_sites(), key=lambda one: (one.parent_code is not None, one.tier)):
        if row.code in known:
            continue
        opening = hours[row.tier]
        session.add(
            Site(
                code=row.code,
                name_zh=row.name_zh,
                name_en=row.name_en,
                tier=row.tier,
                parent_code=row.parent_code,
                county_zh=row.county_zh,
                county_en=row.county_en,
                lat=row.lat,
                lon=row.lon,
                terrain=TERRAIN.get(row.county_zh, "mixed"),
                opens_min=opening.opens_min,
                closes_min=opening.closes_min,
                pickup_from_min=opening.pickup_from_min,
                pickup_to_min=opening.pickup_to_min,
                cutoff_min=opening.cutoff_min,
                service_min=opening.service_min,
                source=row.source,
            )
        )
        session.flush()


def performing_sites(session: Session) -> None:
    """Routine tests at every county centre and the city, special ones at the city alone."""
    tier_of = {row.code: row.performing_tier for row in catalogue.load_tests()}
    centres = session.execute(select(Site.code, Site.tier).where(Site.tier.in_((COUNTY_CENTRE, CITY_CENTRE)))).all()
    known = set(session.execute(select(TestSite.test_code, TestSite.site_code)).all())
    for test in session.scalars(select(Test)):
        for code, tier in centres:
            performs = tier == CITY_CENTRE or tier_of.get(test.code) == "county"
            if performs and (test.code, code) not in known:
                session.add(TestSite(test_code=test.code, site_code=code))
