"""One file that tells what a folder holds: figures, tables, parameters, versions, and the command to repeat it."""

from iterorder.report.written import write_report

__all__ = ["write_report"]
