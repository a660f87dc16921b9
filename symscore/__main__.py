"""``python -m symscore``."""

from symscore.cli import main

main()
