"""The `iterorder` command."""

from iterorder.cli.command import main
from iterorder.cli.output import FAILED, INTERRUPTED, OK, USAGE

__all__ = ["FAILED", "INTERRUPTED", "OK", "USAGE", "main"]
