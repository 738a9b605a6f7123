"""`python -m runcancel` is `runcancel`."""

from runcancel.cli import main

main()
