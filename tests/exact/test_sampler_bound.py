import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import arb
from scipy import stats

from symscore.errors import BadData, NotCertified
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import precision
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.bounds.reverse_chain import (
    distance_above,
    initial_divergence,
    stopping_distance,
)
from symscore.exact.bounds.sampler_bound import TOTAL_VARIATION, total_variation_bound
from symscore.exact.certificate import Certificate
from symscore.exact.claims import check
from symscore.exact.expansions.projection import projected_field

# A certificate's end has seven digits, rounded up.
ROUNDING = 2e-6
TWO = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-2, 2], [1, 1]))


def levels(count: int, end: float = 0.01, horizon: float = 4.0) -> list[Fraction]:
    """Return alphas, half of them uniform in time down to 1, then geometric down to `end`."""
    half = count // 2
    times = [
        *np.linspace(horizon, 1, half, endpoint=False),
        *np.geomspace(1, end, count - half + 1),
    ]
    return [Fraction(float(np.exp(-t))).limit_denominator(10**4) for t in times]


def distance(divergence: float) -> float:
    return min(np.sqrt(divergence / 2), np.sqrt(-np.expm1(-divergence)))


def gaussian_divergence(mean, covariance, other_mean, other):
    shift = other_mean - mean
    ratio = np.linalg.solve(other, covariance)
    quadratic = shift @ np.linalg.solve(other, shift)
    return (np.trace(ratio) - len(mean) + quadratic - np.linalg.slogdet(ratio)[1]) / 2


def gaussian_chains(mean, covariance, alphas, matrices, offsets):
    """Return the joint normal laws of all levels, of the forward process and of the sampler."""
    dim, count = len(mean), len(alphas)
    forward_mean = np.concatenate([a * mean for a in alphas])
    forward = np.zeros((count * dim, count * dim))
    for i, a in enumerate(alphas):
        for j, b in enumerate(alphas):
            # The noisier of two levels is the other one, shrunk, plus fresh noise.
            share = min(a, b) / max(a, b)
            block = a * b * covariance + share * (1 - max(a, b) ** 2) * np.eye(dim)
            forward[i * dim : (i + 1) * dim, j * dim : (j + 1) * dim] = block
    # y = L noise + constant, level by level.
    step_mean = np.zeros(dim)
    rows = np.eye(dim, count * dim)
    means, blocks = [step_mean], [rows]
    for i, (a, b) in enumerate(pairwise(alphas)):
        rho = b / a
        linear = rho * np.eye(dim) + 2 * (rho - 1) * matrices[i]
        step_mean = linear @ step_mean + 2 * (rho - 1) * offsets[i]
        rows = linear @ rows
        rows = rows + np.sqrt(rho**2 - 1) * np.eye(count * dim)[(i + 1) * dim : (i + 2) * dim]
        means.append(step_mean)
        blocks.append(rows)
    factor = np.vstack(blocks)
    return forward_mean, forward, np.concatenate(means), factor @ factor.T


@pytest.mark.parametrize("seed", range(12))
def test_gaussian_targets_have_the_divergence_of_joint_normal_laws(seed):
    rng = np.random.default_rng(seed)
    dim = 1 + seed % 2

    def rational(shape, scale=8):
        return np.vectorize(lambda value: Fraction(int(value), scale), otypes=[object])(
            rng.integers(-scale, scale + 1, shape)
        )

    root = rational((dim, dim)) + np.eye(dim, dtype=int) * 2
    covariance, mean = root @ root.T, rational(dim)
    alphas = sorted({Fraction(int(n), 40) for n in rng.integers(2, 41, 5)})
    matrices = [rational((dim, dim)) - np.eye(dim, dtype=int) for _ in alphas[1:]]
    offsets = [rational(dim) for _ in alphas[1:]]
    unit = np.eye(dim, dtype=int).tolist()
    fields = [
        [
            {(0,) * dim: offset[i]} | {tuple(unit[j]): matrix[i, j] for j in range(dim)}
            for i in range(dim)
        ]
        for matrix, offset in zip(matrices, offsets, strict=True)
    ]
    target = ExactMixture([1], [mean.tolist()], [covariance.tolist()])
    bound = float(total_variation_bound(target, alphas, fields).upper)

    floats = [np.array(x, dtype=float) for x in (mean, covariance)]
    forward_mean, forward, sampler_mean, sampler = gaussian_chains(
        *floats,
        [float(a) for a in alphas],
        [m.astype(float) for m in matrices],
        [o.astype(float) for o in offsets],
    )
    divergence = gaussian_divergence(forward_mean, forward, sampler_mean, sampler)
    last = float(alphas[-1])
    stopped = floats[1] + (last**-2 - 1) * np.eye(dim)
    stop = gaussian_divergence(floats[0], floats[1], floats[0], stopped)
    expected = distance(max(stop, 0)) + distance(divergence)
    # The normal laws are inverted in floats, of condition up to 1e5.
    assert bound == pytest.approx(min(expected, 1), rel=1e-8 + ROUNDING)
    # And the last level alone is nearer than all levels together.
    tail = slice(-dim, None)
    apart = gaussian_divergence(
        forward_mean[tail], forward[tail, tail], sampler_mean[tail], sampler[tail, tail]
    )
    assert apart <= divergence * (1 + 1e-9)


def mixture_density(x, alpha, mu=2.0):
    return (stats.norm.pdf(x, alpha * mu) + stats.norm.pdf(x, -alpha * mu)) / 2


def test_a_mixture_has_the_divergence_of_two_dimensional_quadrature():
    alphas = [Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]
    fields = [projected_field(TWO.at(alpha), 3) for alpha in alphas[:-1]]
    grid = np.linspace(-10, 10, 601)
    step = grid[1] - grid[0]
    start = mixture_density(grid, 0.25)
    total = (start * np.log(start / stats.norm.pdf(grid))).sum() * step
    for (low, high), (field,) in zip(pairwise(alphas), fields, strict=True):
        noisy, clean, rho = grid[:, None], grid[None, :], float(high / low)
        shrunk = stats.norm.pdf(noisy, clean / rho, np.sqrt(1 - rho**-2))
        joint = mixture_density(clean, float(high)) * shrunk
        forward = joint / mixture_density(noisy, float(low))
        score = sum(float(Fraction(str(c))) * noisy ** a[0] for a, c in field.items())
        kernel = stats.norm.logpdf(clean, rho * noisy + 2 * (rho - 1) * score, np.sqrt(rho**2 - 1))
        # Where the joint density is below 1e-60 its logarithm does not matter.
        held = joint > 1e-60
        total += (joint[held] * (np.log(forward[held]) - kernel[held])).sum() * step**2
    variance = 1 / 0.81
    # KL(N(m, 1) || N(m, 1 / alpha^2)), as rescaling gives back the means.
    stopping = distance((1 / variance - 1 + np.log(variance)) / 2)
    bound = total_variation_bound(TWO, alphas, fields)
    assert float(bound.upper) == pytest.approx(stopping + distance(total), rel=1e-8 + ROUNDING)
    assert bound.method == "entropy by ball quadrature"


def sampled_distance(alphas, fields, mu=2.0):
    """Return TV(target, draws) by carrying the sampler's density along a grid."""
    grid = np.linspace(-10, 10, 401)
    step = grid[1] - grid[0]
    density = stats.norm.pdf(grid)
    for (low, high), (field,) in zip(pairwise(alphas), fields, strict=True):
        rho = float(high / low)
        score = sum(float(Fraction(str(c))) * grid ** a[0] for a, c in field.items())
        centre = rho * grid + 2 * (rho - 1) * score
        kernel = stats.norm.pdf(grid[:, None], centre, np.sqrt(rho**2 - 1))
        density = kernel @ density * step
    alpha = float(alphas[-1])
    return np.abs(density * alpha - mixture_density(grid / alpha, 1, mu)).sum() * step / alpha / 2


@pytest.mark.parametrize("degree", [1, 3, 5])
def test_the_bound_is_above_the_distance_and_says_something(degree):
    alphas = levels(40)
    fields = [projected_field(TWO.at(alpha), degree) for alpha in alphas[:-1]]
    true = sampled_distance(alphas, fields)
    bound = float(total_variation_bound(TWO, alphas, fields).upper)
    # The figure of 40 exact steps is .027, that of 80 steps of degree 1, 3, 5 .25, .14, .086.
    assert true > 0.05
    assert true < bound < 0.55


def test_a_finer_grid_and_a_higher_degree_lower_the_bound():
    def bound(count, degree):
        alphas = levels(count)
        fields = [projected_field(TWO.at(alpha), degree) for alpha in alphas[:-1]]
        return total_variation_bound(TWO, alphas, fields).upper

    assert bound(80, 3) < bound(40, 3)
    assert bound(40, 5) < bound(40, 3)


@pytest.mark.parametrize("rescaled", [True, False])
def test_what_stopping_costs(rescaled):
    one = RationalMixture.of(ExactMixture(["1/4", "3/4"], [-2, 1], [1, "1/2"]))
    alpha = Fraction(9, 10)
    x = np.linspace(-12, 12, 4001)

    def density(mixture, scale):
        return sum(
            float(Fraction(str(w)))
            * stats.norm.pdf(
                x, float(Fraction(str(m))) * scale, np.sqrt(float(Fraction(str(v)))) * scale
            )
            for w, (m,), ((v,),) in zip(
                mixture.weights, mixture.means, mixture.covariances, strict=True
            )
        )

    scale = 1 / 0.9 if rescaled else 1.0
    true = np.abs(density(one, 1.0) - density(one.at(alpha), scale)).sum() * (x[1] - x[0]) / 2
    with precision(96):
        found = float(stopping_distance(one, alpha, rescaled).mid())
        assert stopping_distance(one, Fraction(1), rescaled) == 0
    assert true < found < 6 * true


def test_the_distance_of_a_divergence():
    with precision(96):
        for divergence in (0.01, 1.0, 5.0):
            found = float(distance_above(arb(divergence)).mid())
            assert found == pytest.approx(distance(divergence), rel=1e-12)


@pytest.mark.parametrize("alpha", [Fraction(1, 50), Fraction(1, 3), Fraction(3, 4)])
def test_the_initial_divergence_is_above_the_true_one(alpha):
    x = np.linspace(-12, 12, 4001)
    q = mixture_density(x, float(alpha))
    true = (q * np.log(q / stats.norm.pdf(x))).sum() * (x[1] - x[0])
    with precision(96):
        found = float(initial_divergence(TWO.at(alpha)).mid())
    # Mean zero, so the divergence is of fourth order in alpha; the components' is of second.
    assert true < found <= 2 * float(alpha) ** 2
    if alpha < Fraction(1, 10):
        assert found < 10 * true


def test_where_no_line_tells_components_apart_inequalities_do():
    identity = [[1, 0], [0, 1]]
    three = ExactMixture(["1/3"] * 3, [[-1, 0], [1, 0], [0, "3/2"]], [identity] * 3)
    mixture = RationalMixture.of(three)
    alphas = levels(16)
    fields = [projected_field(mixture.at(alpha), 1) for alpha in alphas[:-1]]
    bound = total_variation_bound(three, alphas, fields)
    assert bound.method == "entropy by inequalities"
    assert bound.upper < 1


def test_unequal_covariances_in_the_plane_have_overlaps():
    covariances = [[[1, 0], [0, 1]], [["3/2", "1/2"], ["1/2", 1]]]
    unequal = ExactMixture(["1/2", "1/2"], [[1, 0], [-1, 1]], covariances)
    mixture = RationalMixture.of(unequal)
    alphas = levels(40)
    fields = [projected_field(mixture.at(alpha), 2) for alpha in alphas[:-1]]
    bound = total_variation_bound(unequal, alphas, fields)
    assert bound.upper < Fraction(4, 5)
    assert check(bound).method == "entropy by inequalities again"


def test_inequalities_are_above_the_entropy_on_a_line():
    alphas = levels(16)
    fields = [projected_field(TWO.at(alpha), 3) for alpha in alphas[:-1]]
    sharp = total_variation_bound(TWO, alphas, fields)
    inputs = TOTAL_VARIATION.read(sharp.inputs)
    loose = TOTAL_VARIATION.routes["entropy by inequalities"](inputs, Fraction(1))
    assert sharp.upper < loose.upper < sharp.upper + Fraction(1, 50)


def test_taylor_polynomials_confirm_and_a_smaller_bound_is_not():
    alphas = levels(10)
    fields = [projected_field(TWO.at(alpha), 3) for alpha in alphas[:-1]]
    bound = total_variation_bound(TWO, alphas, fields, rescaled=False)
    record = json.loads(json.dumps(bound.to_json()))
    assert Certificate.from_json(record) == bound
    confirmed = check(bound)
    assert confirmed.method == "entropy by Taylor polynomials"
    assert bound.upper * (1 - Fraction(1, 10**6)) < confirmed.enclosure.upper <= bound.upper
    with pytest.raises(NotCertified):
        check(replace(bound, upper=bound.upper * (1 - Fraction(1, 10**6))))


@pytest.mark.parametrize(
    ("alphas", "count"),
    [
        ([Fraction(1, 2)], 0),
        ([Fraction(1, 2), Fraction(1, 3)], 1),
        ([Fraction(1, 2), Fraction(3, 2)], 1),
        ([Fraction(0), Fraction(1, 2)], 1),
        ([Fraction(1, 3), Fraction(1, 2)], 2),
    ],
)
def test_levels_and_fields_that_do_not_fit_are_refused(alphas, count):
    with pytest.raises(BadData):
        total_variation_bound(TWO, alphas, [[{(1,): -1}]] * count)


def test_fields_of_another_dimension_are_refused():
    with pytest.raises(BadData, match="1 polynomials"):
        total_variation_bound(TWO, [Fraction(1, 3), Fraction(1)], [[{(1,): -1}] * 2])


def test_exponents_of_another_dimension_are_refused():
    with pytest.raises(BadData, match="tuples of 1 powers"):
        total_variation_bound(TWO, [Fraction(1, 3), Fraction(1)], [[{(1, 0): -1}]])


def test_a_spoilt_record_is_refused():
    bound = total_variation_bound(TWO, [Fraction(1, 3), Fraction(1)], [[{(1,): -1}]])
    for name, value in (("rescaled", "yes"), ("alphas", ["1"]), ("fields", [])):
        with pytest.raises(BadData):
            TOTAL_VARIATION.read({**bound.inputs, name: value})
