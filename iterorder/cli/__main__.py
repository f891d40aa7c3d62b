"""`python -m iterorder.cli`."""

import sys

from iterorder.cli.command import main

sys.exit(main())
