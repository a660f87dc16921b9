"""The flow of a ladder with hard cells' soft twin."""

import numpy as np

from symscore.flow.charts import Chart
from symscore.flow.check import StepCheck, make_bijective
from symscore.flow.flow import ScoreFlow
from symscore.learn.hard_ladder import HardLadder

CHECKED = 400  # draws


def softened(
    ladder: HardLadder, chart: Chart, *, seed: int
) -> tuple[ScoreFlow, tuple[StepCheck, ...]]:
    """Return the flow of the soft twin, checked at draws of the ladder, and the check's figures."""
    rng = np.random.default_rng([seed, 4])
    rows = ladder.frame.whiten(ladder.draw(CHECKED, rng=rng))
    soft, steps = make_bijective(ladder.soften(), rows, rng=rng)
    return ScoreFlow(soft, chart), steps
