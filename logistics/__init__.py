"""Specimens, consignments, custody, sites, alerts and planning."""
