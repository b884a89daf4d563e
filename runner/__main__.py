"""``python -m runner`` is the ``maxwell-db`` command."""

import sys

from runner.cli import main

if __name__ == "__main__":
    sys.exit(main())
