"""The theorem ledger: every numbered statement of the three papers, checked by machine."""

from symscore.ledger.entry import Effort, Entry, Finding, Kind, Label, Outcome, Paper
from symscore.ledger.registry import entries, statement_ids
from symscore.ledger.verification import Row, verify

__all__ = [
    "Effort",
    "Entry",
    "Finding",
    "Kind",
    "Label",
    "Outcome",
    "Paper",
    "Row",
    "entries",
    "statement_ids",
    "verify",
]
