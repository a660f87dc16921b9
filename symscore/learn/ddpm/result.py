"""What a descent hands back: a ladder whose fields are a mixture's own, and the report."""

import warnings
from collections.abc import Sequence

import numpy as np

from symscore.errors import TooFewRows, caller_level
from symscore.learn.ddpm.choosing import Chosen
from symscore.learn.ddpm.descent import Descended
from symscore.learn.ddpm.starts import to_data
from symscore.learn.field import PiecewiseScore
from symscore.learn.ladder import ScoreLadder
from symscore.learn.partition import GivenCells
from symscore.learn.prepared import Prepared
from symscore.learn.report import Finding, LadderReport, LevelChoice
from symscore.learn.select import Candidate
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel


def mixture_ladder(
    ready: Prepared,
    mixture: GaussianMixture,
    names: Sequence[str],
    *,
    n_rows: int,
    n_folds: int,
    findings: Sequence[Finding],
    sharpness: float,
    max_ratio: float,
) -> tuple[ScoreLadder, LadderReport]:
    """Return a mixture's scores at every level of a flow, and the report on it.

    Parameters
    ----------
    ready : Prepared
        The rows, of which `n_rows` were given.
    mixture : GaussianMixture
        In the frame of `ready`.
    names : sequence of str
        Of the d columns.
    n_rows, n_folds : int
    findings : sequence of Finding
    sharpness, max_ratio : float
        Of the schedule.
    """
    schedule, smoothing = ready.schedule([mixture], sharpness=sharpness, max_ratio=max_ratio)
    kappas, k = schedule.field_kappas.tolist(), mixture.n_components
    none = np.zeros((k, 0, mixture.dim))
    fields = tuple(PiecewiseScore(mixture, NoiseLevel.from_kappa(own), none) for own in kappas)
    cells = GivenCells(mixture, f"{k} components by gradient descent")
    candidate = Candidate(cells, 0, np.inf)
    report = ready.report(
        n_rows=n_rows,
        smoothing=smoothing,
        levels=[LevelChoice.unjudged(own, candidate, k) for own in kappas],
        tried=[candidate],
        n_folds=n_folds,
        findings=findings,
        parameters=to_data(mixture, ready.frame),
    )
    return ScoreLadder(ready.frame, schedule, fields, tuple(names)), report


def findings_of(how: Descended, chosen: Chosen | None) -> tuple[Finding, ...]:
    """Return the lines on a descent: how K was chosen, its stages, and what EM would do next."""
    found = [] if chosen is None else [Finding("held-out loss", str(chosen))]
    found += [Finding("descent", str(stage)) for stage in how.stages]
    gap = f"its next step of the means would be {how.em_gap:.1e} sd long"
    return (*found, Finding("against EM", gap))


def one_gaussian(n: int, dim: int) -> GaussianMixture:
    """Warn, and return N(0, I) in the frame, whose covariance was shrunk: all few rows allow."""
    warnings.warn(
        f"Expected at least {dim + 2} distinct rows for {dim} columns to learn a shape; got "
        f"{n}: the density is one Gaussian with shrunk covariance.",
        TooFewRows,
        stacklevel=caller_level(),
    )
    return GaussianMixture(np.ones(1), np.zeros((1, dim)), np.eye(dim)[None])
