"""``python -m verify --database URL``."""

import signal
import sys

from verify.cli import main
from verify.sqlite_library import count_no_memory

if __name__ == "__main__":
    count_no_memory()
    # Only reading happens here, so Ctrl-C may end the process at once, in the middle of a long statement too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
