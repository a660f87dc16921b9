"""Rows made ready for learning: canonical, screened, and in a whitened frame."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import OutliersLeftOut, caller_level
from symscore.learn.frame import Whitening, fit_whitening, whitened_step
from symscore.learn.partition import smallest_cell
from symscore.learn.report import Finding, LadderReport, LevelChoice, MixtureGain, Spike
from symscore.learn.rows import canonical
from symscore.learn.screening import clipped_tails, find_spikes, isolated_rows
from symscore.learn.select import Candidate
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule

# Noise of half a rounding step leaves a ripple of 2 exp(-pi^2 / 2), 1.4 %, of the rounding grid.
BLUR = 0.5


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """Whitened distinct rows, and what was noticed on the way.

    Attributes
    ----------
    x : (n, d) array
        Distinct rows in whitened coordinates, in the order of the data's own.
    weights : (n,) array
        Their weights, which sum to one.
    groups : (n,) array or None
    frame : Whitening
    rounding : float
        Largest rounding step of a column, whitened.
    n_effective : float
        ``(sum w)^2 / sum w^2`` of the rows given.
    spikes : tuple of Spike
    left_out : tuple of int
        Positions, among the rows given, of isolated rows that were left out.
    """

    x: FloatArray
    weights: FloatArray
    groups: np.ndarray | None
    frame: Whitening
    rounding: float
    n_effective: float
    spikes: tuple[Spike, ...]
    left_out: tuple[int, ...]

    def schedule(
        self, crudes: Sequence[GaussianMixture], *, sharpness: float, max_ratio: float
    ) -> tuple[Schedule, float]:
        """Return the levels that components ask for, and the smoothing left at the last one.

        That is `sharpness` times the smallest component sd, and never far below the rounding.
        """
        smallest = min(np.linalg.eigvalsh(m.covariances).min() for m in crudes) ** 0.5
        smoothing = max(sharpness * smallest, BLUR * self.rounding)
        return Schedule.up_to(1 / smoothing, max_ratio=max_ratio), smoothing

    def in_frame(self, frame: Whitening) -> "Prepared":
        """Return the same rows in another frame, for recipes whose noise is not whitened."""
        rows = self.frame.unwhiten(self.x)
        return replace(self, x=frame.whiten(rows), frame=frame, rounding=whitened_step(frame, rows))

    def report(
        self,
        *,
        n_rows: int,
        smoothing: float,
        levels: Sequence[LevelChoice],
        tried: Sequence[Candidate],
        n_folds: int = 0,
        gain: MixtureGain | None = None,
        findings: Sequence[Finding] = (),
        parameters: GaussianMixture | None = None,
    ) -> LadderReport:
        """Return the report on a ladder learned from these rows, of `n_rows` that were given."""
        return LadderReport(
            n_rows=n_rows,
            n_distinct=len(self.x),
            n_effective=self.n_effective,
            n_folds=n_folds,
            smoothing=smoothing,
            rounding=self.rounding,
            levels=tuple(levels),
            tried=tuple(tried),
            gain=gain,
            spikes=self.spikes,
            left_out=self.left_out,
            findings=tuple(findings),
            parameters=parameters,
        )


def prepare(
    x: FloatArray, weights: FloatArray, groups: np.ndarray | None, names: Sequence[str]
) -> Prepared:
    """Make x (n, d) under `weights` (n,) ready.

    Raises
    ------
    BadData
        On columns that are constant or collinear.

    Warns
    -----
    OutliersLeftOut
        Naming isolated rows so far out, and so few, that no cell could describe them.
    """
    names = tuple(names)
    rows, share, rank_groups = canonical(x, weights, groups)
    isolated = isolated_rows(rows, share, smallest_cell(x.shape[1]))
    left_out: tuple[int, ...] = ()
    if isolated.any():
        left_out = tuple(np.flatnonzero((x[:, None] == rows[isolated]).all(2).any(1)).tolist())
        _warn_of(left_out, x)
        rows, share = rows[~isolated], share[~isolated] / share[~isolated].sum()
        rank_groups = None if rank_groups is None else rank_groups[~isolated]
    frame = fit_whitening(clipped_tails(rows, share), share, names)
    return Prepared(
        x=frame.whiten(rows),
        weights=share,
        groups=rank_groups,
        frame=frame,
        rounding=whitened_step(frame, rows),
        n_effective=float(weights.sum() ** 2 / np.sum(weights**2)),
        spikes=find_spikes(rows, share, names, len(x)),
        left_out=left_out,
    )


def _warn_of(left_out: tuple[int, ...], x: FloatArray) -> None:
    shown = ", ".join(str(row) for row in left_out[:5]) + (", ..." if len(left_out) > 5 else "")
    warnings.warn(
        f"Left out {len(left_out)} isolated row(s) far from all others: row {shown}, the first "
        f"being {x[left_out[0]]}. If they are real, more of them are needed to learn from; if not, "
        "drop them.",
        OutliersLeftOut,
        stacklevel=caller_level(),
    )
