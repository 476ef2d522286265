"""`python -m aorm` is the command `aorm`."""

from __future__ import annotations

import sys

from aorm.cli import main

if __name__ == "__main__":
    sys.exit(main())
