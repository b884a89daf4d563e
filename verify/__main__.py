"""``python -m verify --database URL``."""

import signal
import sys

from verify.cli import main

if __name__ == "__main__":
    # Only reading happens here, so Ctrl-C may end the process at once, in the middle of a long statement too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
