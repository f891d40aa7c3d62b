"""The claims of the theory as functions, each with its control, and the table that they fill."""

from iterorder.claims.check import CLAIMS, check_theory
from iterorder.claims.registry import Claim
from iterorder.claims.table import ClaimRow, ClaimTable

__all__ = ["CLAIMS", "Claim", "ClaimRow", "ClaimTable", "check_theory"]
