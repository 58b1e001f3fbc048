"""`python -m taximeter`."""

import sys

from taximeter.cli import main

if __name__ == "__main__":
    sys.exit(main())
