"""Proofs about fitted flows: bounds hold wherever the kernels are asked, and folds are refused."""

import time
from dataclasses import replace

import numpy as np
import pytest

from symscore import ScoreDensity
from symscore.bridge import certify_bijection
from symscore.data import old_faithful
from symscore.errors import BadOption, NotCertified, UnsupportedInstance
from symscore.exact import check
from symscore.flow.check import Step
from symscore.flow.flow import ScoreFlow
from symscore.learn.batch import jacobian_batch
from symscore.recipes import Auto
from tests.flows import make_blended_ladder, make_flow, random_frame, random_mixture, two_modes

# The kernels' eigenvalues are rounded, of matrices of size up to kappa |modes|^2 / 4.
SLACK = 1e-9


def assert_bounds_hold(flow, report, rng):
    """At data, far out and between cells: the kernels' slopes and both stages' eigenvalues."""
    ladder = flow.ladder
    for i, (h, bounds) in enumerate(
        zip(np.diff(ladder.schedule.kappas).tolist(), report.steps, strict=True)
    ):
        step = Step(ladder.fields[2 * i], ladder.fields[2 * i + 1], h, ladder.schedule.rule)
        for field, c in ((step.first, bounds.c0), (step.second, bounds.c1)):
            y = points_of(field, rng)
            slope = jacobian_batch(field.packed, y)[1]
            lowest = np.linalg.eigvalsh((slope + slope.swapaxes(1, 2)) / 2)[:, 0]
            assert lowest.min() >= -float(c) - SLACK
        lowest = step.lowest(points_of(step.first, rng))
        assert lowest[:, 0].min() >= float(bounds.first) - SLACK
        assert lowest[:, 1].min() >= float(bounds.second) - SLACK
        assert min(bounds.first, bounds.second) > 0


def points_of(field, rng):
    """Points about every cell, up to 12 standard deviations out, and on segments between cells."""
    kappa = field.level.kappa
    means = np.concatenate([member.crude.means for member in field.members])
    spread = np.sqrt(
        1 + kappa**2 * max(float(member.crude.covariances.max()) for member in field.members)
    )
    centres = kappa * means[rng.integers(len(means), size=(400, 2))]
    share = rng.uniform(size=(400, 1))
    between = share * centres[:, 0] + (1 - share) * centres[:, 1]
    scales = rng.choice([0.3, 1.0, 4.0, 12.0], size=(400, 1))
    return between + scales * spread * rng.normal(size=between.shape)


@pytest.mark.parametrize(
    "flow",
    [
        make_flow(random_mixture(1, 3, 3), degree=3, amplitude=0.01),
        make_flow(random_mixture(1, 4, 5), degree=2, amplitude=0.01, frame=random_frame(1, 2)),
        make_flow(two_modes(30.0, 1), degree=1, amplitude=0.01),
        ScoreFlow(make_blended_ladder(1, [(3, 2, 3.0), (4, 1, 2.0)], amplitude=0.005)),
        make_flow(random_mixture(2, 2, 3), degree=1, amplitude=0.003, max_ratio=2.0),
    ],
    ids=["cubic", "framed", "far modes", "blend", "plane"],
)
def test_hand_made_flows_are_certified_and_the_bounds_hold(flow):
    report = certify_bijection(flow)
    assert len(report.steps) == flow.ladder.schedule.n_steps
    assert_bounds_hold(flow, report, np.random.default_rng(1))
    assert report.rounding < 1e-9
    assert report.stretch > 0
    assert report.certificate.upper == 0
    assert check(report.certificate).method != report.certificate.method
    assert str(report).startswith(f"All {len(report.steps)} steps are bijections")


def test_a_mixtures_own_flow_is_certified_whatever_its_size():
    """Twenty cells and no deviations: nothing has to be searched."""
    report = certify_bijection(make_flow(random_mixture(2, 20, 1)))
    assert all(bounds.first == 1 for bounds in report.steps)


@pytest.mark.parametrize("place", [0, 1, 17, 34])
def test_a_planted_fold_is_refused(place):
    flow = make_flow(random_mixture(1, 3, 3), degree=3, amplitude=0.01)
    fields = list(flow.ladder.fields)
    # Until the kernels themselves show a fold.
    factor = 2.0
    while True:
        worse = fields[place].scaled(factor)
        pair = [worse, fields[place + 1]] if place % 2 == 0 else [fields[place - 1], worse]
        h = float(np.diff(flow.ladder.schedule.kappas)[place // 2])
        y = np.linspace(-60, 60, 40001)[:, None] * max(1.0, worse.level.kappa / 8)
        if Step(*pair, h, flow.ladder.schedule.rule).lowest(y).min() < -0.05:
            break
        factor *= 2
    fields[place] = worse
    folded = ScoreFlow(replace(flow.ladder, fields=tuple(fields)))
    with pytest.raises(NotCertified, match=f"Step {place // 2} of 18"):
        certify_bijection(folded)


def test_progress_is_shown():
    seen = []
    flow = make_flow(two_modes(4.0, 1))
    certify_bijection(flow, lambda stage, done, total: seen.append((stage, done, total)))
    n = flow.ladder.schedule.n_steps
    assert seen == [("steps", i, n) for i in range(n + 1)]


def test_three_dimensions_are_refused():
    with pytest.raises(UnsupportedInstance, match="one or two dimensions; got 3"):
        certify_bijection(make_flow(random_mixture(3, 2, 1), degree=1))


def test_what_is_no_flow_is_refused():
    with pytest.raises(BadOption, match="`flow_`"):
        certify_bijection(ScoreDensity())


@pytest.mark.slow
@pytest.mark.parametrize("column", [0, 1])
def test_fits_of_old_faithful_are_certified_in_seconds(column):
    values = old_faithful().values[:, [column]]
    density = ScoreDensity(random_state=0).fit(values)
    began = time.process_time()
    report = certify_bijection(density.flow_)
    # Seen: 0.5 s; of processor time, which other work on the machine does not add to.
    assert time.process_time() - began < 20
    assert_bounds_hold(density.flow_, report, np.random.default_rng(2))
    assert check(report.certificate).method != report.certificate.method


@pytest.mark.slow
def test_a_fit_with_cubic_cells_is_certified():
    rng = np.random.default_rng(1)
    draws = rng.gamma(2.0, 1.0, (5000, 1))
    density = ScoreDensity(Auto(plain=False), random_state=0).fit(draws)
    report = certify_bijection(density.flow_)
    assert_bounds_hold(density.flow_, report, rng)


@pytest.mark.slow
def test_four_cells_in_the_plane_are_certified_within_a_minute():
    flow = make_flow(random_mixture(2, 4, 3), degree=2, amplitude=0.005)
    began = time.process_time()
    report = certify_bijection(flow)
    assert time.process_time() - began < 60
    assert_bounds_hold(flow, report, np.random.default_rng(3))
