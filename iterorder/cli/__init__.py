"""The `iterorder` command."""

from iterorder.cli.command import main
from iterorder.cli.output import FAILED, GONE, INTERRUPTED, OK, USAGE

__all__ = ["FAILED", "GONE", "INTERRUPTED", "OK", "USAGE", "main"]
