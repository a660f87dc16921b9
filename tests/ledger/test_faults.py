"""Every check fails when its mathematics is broken."""

from importlib import import_module
from pathlib import Path

import pytest

from symscore.ledger import Outcome
from tests.ledger.faults import Fault

FAULTS: tuple[Fault, ...] = tuple(
    fault
    for path in sorted(Path(__file__).parent.glob("faults_*.py"))
    for fault in import_module(f"tests.ledger.{path.stem}").FAULTS
)


def test_there_are_enough():
    assert len(FAULTS) >= 30
    assert len({fault.entry_id.split(".")[0] for fault in FAULTS}) == 4


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{f.entry_id}:{f.new[:40]}" for f in FAULTS])
def test_a_broken_check_fails(fault: Fault):
    row = fault.row()
    assert row.outcome is Outcome.FAILED
    # A mistake in the mathematics, not one that keeps the check from running.
    assert not row.figure.startswith(("NameError", "TypeError", "AttributeError", "SyntaxError"))
