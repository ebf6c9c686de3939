"""``python -m web.cli``: the same as the console script ``labrelay``."""

from web.cli import main

main()
