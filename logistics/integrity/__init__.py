"""Proof that the custody log is unedited: keys, daily signed digests, verification, bundles that prove it elsewhere.

Rules without a database are in ``logistics.domain`` (``merkle``, ``digests``, ``diagnosis``).
"""
