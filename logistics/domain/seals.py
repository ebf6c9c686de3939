"""A hint about a seal that gives the seal away to nobody.

The phone must tell a slip of the finger at once, also without a signal, but must not know the four characters
that prove that somebody looked at the seal. It gets twelve bits of a hash of them: one slip in 4 096 passes
(the server finds that one), and some four hundred tails share each value.
"""

from __future__ import annotations

TAIL = 4
_OFFSET, _PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


def tail_check(seal: str) -> int:
    """0 … 4095 from the last four characters of ``seal`` (FNV-1a, folded; the same is in the phone's script)."""
    value = _OFFSET
    for character in seal[-TAIL:].upper():
        value = ((value ^ ord(character)) * _PRIME) & _MASK
    return (value ^ (value >> 12) ^ (value >> 24)) & 0xFFF
