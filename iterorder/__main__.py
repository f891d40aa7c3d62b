"""`python -m iterorder` is the command `iterorder`."""

import sys

from iterorder.cli import main

if __name__ == "__main__":
    sys.exit(main())
