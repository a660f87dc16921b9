"""One step of the flow against its formula, with denoisers from the readable twin."""

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.flow.steps import (
    invert_step,
    linearised_step,
    step,
    step_log_det,
    step_positions,
    step_scratch,
)
from symscore.learn import reference
from symscore.mixture import GaussianMixture
from symscore.schedule import balanced_step
from tests.flows import make_flow, random_mixture
from tests.tolerances import derivative, roundoff

FLOWS = {
    "exact d=2": make_flow(random_mixture(2, 3, 0)),
    "d=1 degree 3": make_flow(random_mixture(1, 3, 1), degree=3),
    "d=2 degree 2": make_flow(random_mixture(2, 4, 2), degree=2),
    "d=5 degree 1": make_flow(random_mixture(5, 3, 3), degree=1),
}
each_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)


class Step:
    """Step i of a flow: the kernels on vectors of their own, and the formula."""

    def __init__(self, flow: ScoreFlow, i: int) -> None:
        self.numbers, self.layout = flow.packed
        self.i, self.d = i, flow.dim
        self.at = 2 * self.d
        self.fields = flow.ladder.fields[2 * i : 2 * i + 2]
        schedule = flow.ladder.schedule
        self.rule, self.kappas = schedule.rule, schedule.kappas[i : i + 2]
        self.h = float(self.kappas[1] - self.kappas[0])

    def work(self, y: FloatArray) -> FloatArray:
        """y, room for a result, and scratch that must not matter."""
        return np.concatenate([y, np.full(self.d + step_scratch(self.layout), np.nan)])

    def run(self, kernel, y: FloatArray) -> FloatArray:
        work = self.work(y)
        kernel(self.numbers, self.layout, self.i, work, 0, self.d, self.at)
        return work

    def result(self, work: FloatArray) -> FloatArray:
        return work[self.d : self.at]

    def matrix(self, work: FloatArray, which: int) -> FloatArray:
        start = step_positions(self.layout, self.at)[which]
        return work[start : start + self.d**2].reshape(self.d, self.d)

    def formula(self, y: FloatArray) -> FloatArray:
        """F at rows y (n, d)."""
        a, w, h = self.rule.a, self.rule.w, self.h
        first = reference.denoise(self.fields[0], y)
        second = reference.denoise(self.fields[1], y + a * h * first)
        return y + h * ((1 - w) * first + w * second)

    def points(self, n: int = 6) -> FloatArray:
        rng = np.random.default_rng(self.i)
        crude = self.fields[0].crude
        return self.kappas[0] * crude.draw(n, rng=rng) + rng.normal(size=(n, self.d))

    def size(self, y: FloatArray) -> float:
        """Terms of a step: y and h times denoisers, magnified by what gates lose (|log gate|)."""
        crude = self.fields[0].crude
        carried = self.kappas[1] ** 2 * crude.covariances + np.eye(self.d)
        spread = np.abs(y[:, None] - self.kappas[1] * crude.means).max() ** 2
        data = np.abs(crude.means).max() + np.abs(y).max() / self.kappas[0]
        return float(
            (np.abs(y).max() + self.h * data) * (1 + spread) * np.linalg.cond(carried).max()
        )


def steps_of(flow: ScoreFlow) -> list[Step]:
    n = flow.ladder.schedule.n_steps
    return [Step(flow, i) for i in (0, n // 2, n - 1)]


@each_flow
def test_step_is_its_formula(flow):
    for one in steps_of(flow):
        y = one.points()
        got = np.stack([one.result(one.run(step, row)) for row in y])
        assert np.abs(got - one.formula(y)).max() <= roundoff(64 * one.d, one.size(y))


@each_flow
def test_linearised_step_has_the_value_and_the_derivative(flow):
    for one in steps_of(flow):
        y = one.points()
        works = [one.run(linearised_step, row) for row in y]
        values = np.stack([one.result(work) for work in works])
        plain = np.stack([one.result(one.run(step, row)) for row in y])
        noise = roundoff(64 * one.d, one.size(y))
        assert np.abs(values - plain).max() <= noise
        want, error = derivative(one.formula, y, noise=noise)
        got = np.stack([one.matrix(work, 6) for work in works])
        assert np.all(np.abs(got - want) <= error)


@each_flow
def test_log_det_is_that_of_the_derivative(flow):
    for one in steps_of(flow):
        for row in one.points():
            work = one.run(linearised_step, row)
            sign, want = np.linalg.slogdet(one.matrix(work, 6))
            got = step_log_det(one.numbers, one.layout, one.i, work, one.at)
            # Forming F' cancels between terms as large as its condition says.
            limit = roundoff(64 * one.d**3, np.linalg.cond(one.matrix(work, 6)) + abs(want))
            assert sign > 0
            assert abs(got - want) <= limit


@each_flow
def test_inverting_undoes_the_step(flow):
    for one in steps_of(flow):
        for row in one.points():
            target = one.result(one.run(step, row))
            work = one.work(target)
            done = invert_step(one.numbers, one.layout, one.i, work, 0, one.d, one.at)
            found = one.result(work)
            # |y - y*| <= |r| / (m_G m_K), and both m are above .1 b for such small deviations.
            residual = np.abs(one.result(one.run(step, found)) - target).max()
            assert done
            assert residual <= roundoff(64 * one.d, one.size(row[None]))
            assert np.abs(found - row).max() <= roundoff(64 * one.d, one.size(row[None])) / 0.02


@each_flow
def test_inverting_leaves_the_linearisation_at_the_solution(flow):
    for one in steps_of(flow):
        for row in one.points(3):
            work = one.work(one.result(one.run(step, row)))
            invert_step(one.numbers, one.layout, one.i, work, 0, one.d, one.at)
            fresh = one.run(linearised_step, one.result(work).copy())
            for which in (4, 5, 6):  # J_0, J_1, F'
                assert (one.matrix(work, which) == one.matrix(fresh, which)).all()


@pytest.mark.parametrize("target", [np.nan, np.inf, 1e300])
def test_what_cannot_be_inverted_is_said(target):
    one = Step(FLOWS["exact d=2"], 3)
    work = one.work(np.array([target, 0.0]))
    assert not invert_step(one.numbers, one.layout, one.i, work, 0, one.d, one.at)


def test_a_point_mass_is_moved_exactly():
    # D = m at every level: y = kappa m + c goes to (kappa + h) m + c. A variance of 1e-40 is none.
    mean = np.array([3.0, -7.0])
    flow = make_flow(GaussianMixture([1.0], [mean], [1e-40 * np.eye(2)]), max_ratio=2.4)
    for one in steps_of(flow)[:1]:
        offset = np.array([0.3, 0.7])
        got = one.result(one.run(step, one.kappas[0] * mean + offset))
        assert np.abs(got - (one.kappas[1] * mean + offset)).max() <= roundoff(16, 8.0)


def test_a_step_multiplies_a_gaussian_as_the_rule_says():
    # Per eigendirection, s = kappa^2 S: R(s) of docs/method.md, section 4.
    variances = np.array([0.04, 1.0, 9.0])
    flow = make_flow(GaussianMixture([1.0], np.zeros((1, 3)), [np.diag(variances)]))
    for one in steps_of(flow):
        ratio = float(one.kappas[1] / one.kappas[0])
        rule, s = balanced_step(ratio), one.kappas[0] ** 2 * variances
        r = 1 + rule.a * (ratio - 1)
        first, second = s / (s + 1), r * s / (r**2 * s + 1)
        factor = 1 + (ratio - 1) * (
            (1 - rule.w) * first + rule.w * second * (1 + rule.a * (ratio - 1) * first)
        )
        y = np.array([1.0, -2.0, 3.0])
        got = one.result(one.run(step, y))
        # The rule of the rounded ratio differs by its own conditioning, of order one.
        assert np.abs(got - factor * y).max() <= roundoff(512, 9.0)
