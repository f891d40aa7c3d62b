"""The `iterorder` command."""

from iterorder.cli.command import main
from iterorder.cli.exit_status import FAILED, GONE, INTERRUPTED, OK, USAGE

__all__ = ["FAILED", "GONE", "INTERRUPTED", "OK", "USAGE", "main"]
