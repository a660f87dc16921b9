"""The whitened frame of a fit, with its chart: a change of variables at unit scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from symscore.arrays import FloatArray, IntArray
from symscore.flow.flow import ScoreFlow
from symscore.learn.packed import (
    DIM,
    EVENT,
    FEATURES,
    HERMITE,
    KAPPA,
    LEVELS,
    LOC,
    MEMBERS,
    MOST,
    RATE,
    SHARES,
    TRIL,
    WIDTH,
    Packed,
)
from symscore.pymc.affine import Affine
from symscore.pymc.ops import from_latent, latent_log_det, to_latent
from symscore.pymc.parameters import stacked

# The kernels multiply z by sqrt(1 + kappa^2) and divide by kappa: both exact, and equal, here.
EXACT_KAPPA = 2.0**30


@final
@dataclass(frozen=True)
class Charted:
    """x = chart(loc + scale_tril u) on points u (..., d), as the flow of no steps that it is."""

    numbers: FloatArray
    layout: IntArray

    def apply(self, u: TensorVariable) -> TensorVariable:
        """Return x (..., D)."""
        return from_latent(u, self.numbers, self.layout)

    def solve(self, x: TensorVariable) -> TensorVariable:
        """Return u; NaN outside the support."""
        return to_latent(x, self.numbers, self.layout)

    def log_det_at(self, u: TensorVariable) -> TensorVariable:
        """Return log |det dx/du|."""
        return latent_log_det(u, self.numbers, self.layout)


def frame_of(flows: Sequence[ScoreFlow], *, batched: bool) -> Affine | Charted:
    """Return the frame of one flow, or those of a batch."""
    if all(flow.chart.is_free for flow in flows):
        loc = np.stack([flow.ladder.frame.loc for flow in flows])
        tril = np.stack([flow.ladder.frame.scale_tril for flow in flows])
        first = slice(None) if batched else 0
        return Affine(pt.constant(loc[first]), pt.constant(tril[first]))
    packed = [pack_frame(flow) for flow in flows]
    numbers, layout = (stacked(rows) for rows in zip(*packed, strict=True))
    return Charted(numbers, layout) if batched else Charted(numbers[0], layout[0])


def pack_frame(flow: ScoreFlow) -> Packed:
    """Write frame and chart of a flow as the vectors of a flow of no steps."""
    frame = flow.ladder.frame
    numbers = np.concatenate([[0.0, 0.0, EXACT_KAPPA], frame.loc, frame.scale_tril.ravel()])
    layout = np.zeros(LEVELS, dtype=np.int64)
    layout[[DIM, EVENT, WIDTH, FEATURES, MOST]] = frame.dim, frame.dim, 1, 1, 1
    layout[[LOC, TRIL]] = KAPPA + 1, KAPPA + 1 + frame.dim
    layout[[RATE, SHARES]] = numbers.size
    layout[[HERMITE, MEMBERS]] = LEVELS
    return flow.chart.attached(Packed(numbers, layout))
