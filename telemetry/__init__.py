"""Readings from transport boxes: decoding, storing, excursions, silence."""
