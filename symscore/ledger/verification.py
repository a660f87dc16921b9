"""Running the checks: one row a statement."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, final

from symscore.errors import BadOption
from symscore.ledger.entry import Effort, Entry, Outcome, Paper
from symscore.ledger.registry import entries

Progress = Callable[[str, int, int], None]
POOLED = 8  # entries below which starting processes costs more than it saves


@final
@dataclass(frozen=True, slots=True)
class Row:
    """What one check came to.

    Attributes
    ----------
    id : str
    paper : str
    outcome : Outcome
    figure : str
        What the check computed; what was violated, where it failed.
    seconds : float
    """

    id: str
    paper: str
    outcome: Outcome
    figure: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "id": self.id,
            "paper": self.paper,
            "outcome": str(self.outcome),
            "figure": self.figure,
            "seconds": round(self.seconds, 3),
        }


def verify(
    *,
    papers: Iterable[str] = (),
    ids: Iterable[str] = (),
    quick: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = lambda *_: None,
) -> tuple[Row, ...]:
    """Run the checks of the ledger and return one row for each, in the order of the ledger.

    Parameters
    ----------
    papers : iterable of str
        Of ``"A"``, ``"B"``, ``"C"``, ``"own"``; all by default.
    ids : iterable of str
        Ids of entries; all by default.
    quick : bool
        Smaller instances: under a minute in all.
    seed : int
        Of the measured checks.
    jobs : int
        Processes to use.
    progress : callable
        Called with (stage, done, total).

    Raises
    ------
    BadOption
        On a paper or an id that is not there.

    Examples
    --------
    >>> verify(ids=["A.Fact37"])[0].outcome
    <Outcome.REFUTED: 'REFUTED AS PRINTED'>
    """
    chosen = _chosen(tuple(papers), tuple(ids))
    effort = Effort(quick, seed)
    rows: dict[str, Row] = {}
    for row in _run([found.id for found in chosen], effort, jobs):
        rows[row.id] = row
        progress("checking statements", len(rows), len(chosen))
    return tuple(rows[found.id] for found in chosen)


def row_of(found: Entry, effort: Effort) -> Row:
    """Run one check; whatever it raises makes the row FAILED, with what was raised."""
    began = time.perf_counter()
    outcome, figure = found.outcome, ""
    try:
        if found.check is not None:
            figure = found.check(effort)
    except Exception as error:  # a check that cannot be run has not passed
        outcome, figure = Outcome.FAILED, f"{type(error).__name__}: {error}"
    return Row(found.id, str(found.paper), outcome, figure, time.perf_counter() - began)


def _chosen(papers: tuple[str, ...], ids: tuple[str, ...]) -> Sequence[Entry]:
    known = {found.id: found for found in entries()}
    for paper in papers:
        if paper not in [str(known) for known in Paper]:
            raise BadOption(f"Expected a paper A, B, C or own; got {paper!r}.")
    for name in ids:
        if name not in known:
            near = [other for other in known if name.lower() in other.lower()]
            hint = f" Did you mean {', '.join(near[:5])}?" if near else ""
            raise BadOption(f"Expected the id of an entry; got {name!r}.{hint}")
    return [
        found
        for found in known.values()
        if (not papers or str(found.paper) in papers) and (not ids or found.id in ids)
    ]


def _run(ids: Sequence[str], effort: Effort, jobs: int) -> Iterable[Row]:
    if jobs < 2 or len(ids) < POOLED:
        yield from (_named(name, effort) for name in ids)
        return
    # A forked child would inherit the threads of the numerical libraries half-way through.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_named, name, effort) for name in ids]
        for done in as_completed(waiting):
            yield done.result()


def _named(name: str, effort: Effort) -> Row:
    return row_of(next(found for found in entries() if found.id == name), effort)
