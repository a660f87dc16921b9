"""The ledger: an entry for every statement, one row for every entry, and a row that can fail."""

import json
import re
from importlib import import_module

import pytest

from symscore.errors import BadOption, CheckFailed
from symscore.ledger import (
    Effort,
    Entry,
    Finding,
    Kind,
    Label,
    Outcome,
    Paper,
    entries,
    statement_ids,
    verify,
)
from symscore.ledger.entry import entry, require
from symscore.ledger.page import summary, to_html, to_markdown
from symscore.ledger.registry import MODULES
from symscore.ledger.verification import row_of

SOUND = {Outcome.PROVED, Outcome.CERTIFIED, Outcome.REFUTED}
PLAIN = {
    "id": "own.Toy",
    "title": "one is one",
    "statement": "$1 = 1$.",
    "kind": Kind.IDENTITY,
    "outcome": Outcome.PROVED,
    "check": lambda effort: "1",
}
FINDING = Finding(Label.TYPO, "$1 = 2$", "$1 = 1$")


@pytest.fixture(scope="module")
def rows():
    return verify(quick=True, jobs=2)


def test_every_statement_has_an_entry_and_the_other_way_round():
    assert [found.id for found in entries()] == list(statement_ids())
    modules = [import_module(f"symscore.ledger.{name}") for name in MODULES]
    written = {v.id for module in modules for v in vars(module).values() if isinstance(v, Entry)}
    assert written == set(statement_ids())


def test_every_paper_is_complete():
    counts = {paper: sum(i.startswith(f"{paper}.") for i in statement_ids()) for paper in Paper}
    assert counts == {Paper.A: 72, Paper.B: 54, Paper.C: 15, Paper.OWN: 9}


def test_nothing_failed(rows):
    failed = {row.id: row.figure for row in rows if row.outcome is Outcome.FAILED}
    assert not failed


def test_enough_is_proved_or_certified(rows):
    assert sum(row.outcome in SOUND for row in rows) >= 60


def test_rows_say_what_entries_promise(rows):
    for row, found in zip(rows, entries(), strict=True):
        assert (row.id, row.paper, row.outcome) == (found.id, str(found.paper), found.outcome)
        assert bool(row.figure) == (found.check is not None)
        json.dumps(row.to_dict(), allow_nan=False)


def test_a_quick_run_is_quick(rows):
    # A minute in all on two quiet cores; twice that bears a busy machine.
    assert sum(row.seconds for row in rows) < 240


@pytest.mark.slow
def test_nothing_fails_at_full_length():
    assert not [row for row in verify(jobs=2) if row.outcome is Outcome.FAILED]


def test_processes_change_nothing(rows):
    some = [row for row in rows if row.paper == "C"]
    alone = verify(papers=["C"], quick=True)
    assert [(r.id, r.outcome, r.figure) for r in alone] == [
        (r.id, r.outcome, r.figure) for r in some
    ]


def test_formulas_can_be_shown(rows):
    html = to_html(rows)
    assert all(f'id="{row.id}"' in html for row in rows)
    assert html.count("<math") > 200
    assert "$" not in re.sub(r"<pre>.*?</pre>", "", html, flags=re.S)
    assert summary(rows) in html


def test_markdown_holds_every_row(rows):
    text = to_markdown(rows)
    assert all(f"**{row.id}** (" in text for row in rows)
    assert all(
        f"| {found.id} | {found.finding.label} |" in text for found in entries() if found.finding
    )


def test_what_a_check_raises_is_its_figure():
    def broken(effort: Effort) -> str:
        require(1 > 2, "one above two", 1)
        return ""

    row = row_of(Entry(**PLAIN | {"check": broken}), Effort())
    assert row.outcome is Outcome.FAILED
    assert row.figure == "CheckFailed: Expected one above two; got 1."


def test_only_true_is_true():
    with pytest.raises(CheckFailed, match="got"):
        require(1, "a truth value", 1)  # type: ignore[arg-type]
    require(True, "a truth value")


def test_effort_picks():
    assert (Effort(quick=True).pick(1, 2), Effort().pick(1, 2)) == (1, 2)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"outcome": Outcome.FAILED}, "an outcome"),
        ({"check": None}, "a check"),
        ({"reason": "a constant"}, "a reason"),
        ({"outcome": Outcome.NOT_CHECKABLE, "reason": "a constant"}, "something weaker"),
        ({"finding": Finding(Label.REFUTED, "", "")}, "label REFUTED"),
        ({"outcome": Outcome.REFUTED, "finding": FINDING}, "label REFUTED"),
        ({"corrected": Outcome.PROVED}, "corrected form"),
        ({"title": "x" * 61}, "a title"),
    ],
)
def test_entries_that_make_no_sense_are_refused(change, problem):
    with pytest.raises(ValueError, match=problem):
        Entry(**PLAIN | change)


def test_a_milder_finding_keeps_the_outcome():
    assert Entry(**PLAIN | {"finding": FINDING}).outcome is Outcome.PROVED


def test_the_decorator_makes_the_same_entry():
    check = PLAIN["check"]
    fields = {name: value for name, value in PLAIN.items() if name not in {"id", "check"}}
    assert entry("own.Toy", **fields)(check) == Entry(**PLAIN)


def test_unknown_names_are_refused():
    with pytest.raises(BadOption, match="paper A, B, C or own"):
        verify(papers=["D"])
    with pytest.raises(BadOption, match=r"Did you mean A\.Lem15"):
        verify(ids=["lem15"])


def test_a_choice_is_run_alone_and_in_order():
    assert [row.id for row in verify(ids=["C.5", "A.Eq3"], quick=True)] == ["A.Eq3", "C.5"]


def test_progress_is_told():
    told = []
    verify(ids=["A.Eq3"], quick=True, progress=lambda *words: told.append(words))
    assert told == [("checking statements", 1, 1)]
