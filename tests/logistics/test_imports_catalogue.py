"""The starting catalogue agrees with itself."""

from __future__ import annotations

from logistics import catalogue
from logistics.catalogue import SEPARATED, UNSEPARATED

TEMP_CLASSES = {"cold_2_8": (2, 8), "ambient_15_25": (15, 25), "frozen": (-80, -20)}


def unique(codes: list[str]) -> bool:
    return len(codes) == len(set(codes))


def test_codes_are_unique_and_named_in_both_languages() -> None:
    """Every list has each code once, with a Chinese and an English name."""
    for rows in (
        catalogue.load_tests(), catalogue.load_reasons(), catalogue.load_containers(),
        catalogue.load_specimen_types(), catalogue.load_sites(),
    ):  # fmt: skip
        assert unique([row.code for row in rows])  # type: ignore[attr-defined]
        assert all(row.name_zh and row.name_en for row in rows)  # type: ignore[attr-defined]


def test_the_network_is_one_tree() -> None:
    """77 sites: a city centre, six county centres under it, seventy townships under those."""
    sites = {site.code: site for site in catalogue.load_sites()}
    assert len(sites) == 77
    roots = [site for site in sites.values() if site.parent_code is None]
    assert [site.tier for site in roots] == ["city_centre"]
    for site in sites.values():
        assert 29 < site.lat < 30.5
        assert 113 < site.lon < 115
        assert site.source
        if site.tier == "township":
            assert sites[str(site.parent_code)].tier == "county_centre"
            assert sites[str(site.parent_code)].county_zh == site.county_zh


def test_tests_refer_to_what_exists() -> None:
    """Specimen types, containers and temperature classes of tests are known; about forty tests."""
    types = {row.code for row in catalogue.load_specimen_types()}
    containers = {row.code for row in catalogue.load_containers()}
    assert 40 <= len(catalogue.load_tests()) <= 60
    for test in catalogue.load_tests():
        assert test.specimen_type in types
        assert test.container in containers
        assert test.temp_class in TEMP_CLASSES
        assert test.stage in (UNSEPARATED, SEPARATED)
        assert test.performing_tier in ("county", "city")
        assert test.turnaround_h > 0


def test_stability_rules_fit_the_tests() -> None:
    """A stability code names rows of the right stage and specimen; without one the note says so."""
    for test in catalogue.load_tests():
        rules = catalogue.stability_for(test)
        if not test.stability_code:
            assert not rules
            assert "enter your own" in test.note
            continue
        assert any(rule.stage == test.stage for rule in rules), test.code
        if test.unseparated_code:
            assert any(rule.stage == UNSEPARATED for rule in rules), test.code
        for rule in rules:
            assert rule.source
            assert rule.max_hours is not None
            assert rule.temp_min_c < rule.temp_max_c


def test_a_test_travels_in_a_box_that_keeps_it() -> None:
    """The temperature class of every test overlaps one of its own rules: no test is sent to be spoilt."""
    for test in catalogue.load_tests():
        own = [rule for rule in catalogue.stability_for(test) if rule.stage == test.stage]
        low, high = TEMP_CLASSES[test.temp_class]
        assert not own or any(rule.temp_min_c < high and rule.temp_max_c > low for rule in own), test.code


def test_tests_of_one_tube_share_a_temperature_class() -> None:
    """Tests that may be in one tube (same specimen and container) travel in the same box."""
    seen: dict[tuple[str, str], set[str]] = {}
    for test in catalogue.load_tests():
        seen.setdefault((test.specimen_type, test.container), set()).add(test.temp_class)
    assert all(len(classes) == 1 for classes in seen.values()), seen


def test_only_verified_rules_count() -> None:
    """No unverified, research or alternative row gets into a test's rules; of two in a band the strictest does."""
    every = catalogue.load_stability()
    assert len(every) == 78
    for row in every:
        if row.source.startswith("unverified"):
            assert row.use == "unverified"
    hba1c = next(test for test in catalogue.load_tests() if test.code == "HBA1C")
    assert {(rule.temp_min_c, rule.max_hours) for rule in catalogue.stability_for(hba1c)} == {(18.0, 8.0), (2.0, 168.0)}
    calcium = next(test for test in catalogue.load_tests() if test.code == "CA")
    liver = next(test for test in catalogue.load_tests() if test.code == "LFT")

    def ambient(test: catalogue.SeedTest) -> float | None:
        return next(r.max_hours for r in catalogue.stability_for(test) if (r.stage, r.temp_min_c) == (SEPARATED, 18.0))

    assert (ambient(calcium), ambient(liver)) == (4.0, 24.0)


def test_reasons_have_hl7_codes_of_the_right_table() -> None:
    """0490 for specimens, 0544 for boxes; kinds are those that the pages offer."""
    known = {"EX", "QS", "RB", "RC", "RH", "RM", "RN", "RR", ""}
    for reason in catalogue.load_reasons():
        assert reason.kind in ("reject", "deviation", "handover", "diversion", "collection", "recall")
        assert reason.hl7_0490 in known
        assert not (reason.hl7_0490 and reason.hl7_0544)
        assert reason.hl7_0544 in ("", "SB", "XREF", "XFRZ", "XAMB")
