"""The `iterorder` command."""

from iterorder.cli.command import main
from iterorder.cli.exit_status import CLOSED, FAILED, GONE, INTERRUPTED, OK, USAGE

__all__ = ["CLOSED", "FAILED", "GONE", "INTERRUPTED", "OK", "USAGE", "main"]
