"""Learned float models over the rationals: what they become, and how near the kernels are."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from mpmath import mp, mpf

from symscore.bridge import certify_learned, to_exact_field, to_exact_mixture
from symscore.bridge.learned_error import soft_score
from symscore.errors import BadOption, UnsupportedInstance
from symscore.exact import ExactMixture, check
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.bijections.field_values import denoised
from symscore.learn.field import PiecewiseScore
from symscore.learn.frame import Whitening
from symscore.learn.hermite import multi_indices
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_blend, random_field, random_mixture

EPS = float(np.finfo(np.float64).eps)
CASES = [
    random_field(random_mixture(1, 4, 1), 3.0, 3, 0.1, 2),
    random_field(random_mixture(1, 3, 2), 0.05, -1, 0.0, 2),
    random_field(random_mixture(2, 3, 3), 1.5, 2, 0.1, 2),
    random_field(random_mixture(3, 2, 4), 20.0, 2, 0.01, 2),
    random_blend(2.0, 1, [(3, 3, 3.0), (4, 1, 2.0)], amplitude=0.1),
    random_blend(0.3, 2, [(3, 2, 3.0), (2, 1, 4.0)], amplitude=0.1),
]


# ---- mixtures


def test_every_number_of_a_mixture_is_the_rational_it_stands_for():
    mixture = GaussianMixture(
        [0.25, 0.75], [[0.1, -3.0], [1e-9, 7.0]], [np.eye(2), 0.3 * np.eye(2)]
    )
    exact = to_exact_mixture(mixture)
    assert exact.rounding == 0
    for name in ("weights", "means", "covariances"):
        floats = getattr(mixture, name).ravel().tolist()
        numbers = np.array(getattr(exact.mixture, name), dtype=object).ravel()
        assert [Fraction(int(v.p), int(v.q)) for v in numbers] == [Fraction(v) for v in floats]


def test_weights_that_miss_one_are_divided_by_their_sum():
    weights = np.full(3, 1 / 3)
    assert sum(map(Fraction, weights.tolist())) != 1
    exact = to_exact_mixture(GaussianMixture(weights, np.zeros((3, 1)), np.ones((3, 1, 1))))
    assert [str(w) for w in exact.mixture.weights] == ["1/3"] * 3
    assert exact.rounding == Fraction(1, 3) - Fraction(1 / 3)


def test_covariances_that_are_not_quite_symmetric_are_averaged():
    nudged = np.nextafter(0.5, 1)
    mixture = GaussianMixture([1.0], np.zeros((1, 2)), [[[1.0, 0.5], [nudged, 1.0]]])
    exact = to_exact_mixture(mixture)
    ((_, b), (c, _)) = exact.mixture.covariances[0]
    assert b == c
    assert exact.rounding == (Fraction(nudged) - Fraction(1, 2)) / 2


# ---- fields


def oracle(score, y):
    """The learned denoiser as its class documents it, in 50 digits: true roots throughout."""
    d, kappa = score.dim, mpf(score.level.kappa)
    total = mp.zeros(d, 1)
    for member, share in zip(score.members, score.shares.tolist(), strict=True):
        crude, heights, heads = member.crude, [], []
        for weight, mean, covariance, coef in zip(
            crude.weights, crude.means, crude.covariances, member.coef, strict=True
        ):
            clean = mp.matrix(covariance.tolist())
            carried = kappa**2 * clean + mp.eye(d)
            lower = mp.cholesky(carried)
            off = mp.matrix([mpf(v) for v in y]) - kappa * mp.matrix(mean.tolist())
            u = mp.lu_solve(lower, off)
            squares = sum(value**2 for value in u)
            heights.append(mpf(float(weight)) / mp.det(lower) * mp.exp(-squares / 2))
            head = mp.matrix(mean.tolist()) + kappa * clean * mp.lu_solve(carried, off)
            damping = mp.exp(-squares / (2 * mpf(member.rho) ** 2))
            for powers, row in zip(multi_indices(d, max(member.degree, 0)), coef, strict=False):
                value = mp.fprod(
                    mp.hermite(n, u[k] / mp.sqrt(2)) / mp.sqrt(mpf(2) ** n * mp.factorial(n))
                    for k, n in enumerate(powers)
                )
                head += damping * value * mp.matrix(row.tolist())
            heads.append(head)
        for height, head in zip(heights, heads, strict=True):
            total += mpf(share) * height / sum(heights) * head
    return [total[i] for i in range(d)]


@pytest.mark.parametrize("score", CASES)
def test_exact_fields_are_the_documented_denoiser_up_to_rounding(score):
    exact = to_exact_field(score)
    rng = np.random.default_rng(1)
    kappa = score.level.kappa
    means = np.concatenate([member.crude.means for member in score.members])
    points = kappa * means[rng.integers(len(means), size=5)] + rng.normal(size=(5, score.dim))
    rational = [[fmpq(*Fraction(v).as_integer_ratio()) for v in row] for row in points.tolist()]
    with precision(160), mp.workdps(50):
        for y, value in zip(points, denoised(exact.field, rational), strict=True):
            truth = oracle(score, y.tolist())
            # Roots and inverses are right to a few ulps; exponents, of size |u|^2 / 2 and at most
            # (8 kappa)^2 here, carry that to the gates.
            bound = 100 * EPS * (1 + (8 * kappa) ** 2)
            assert all(abs(float(a) - float(b)) < bound for a, b in zip(value, truth, strict=True))
    assert 0 < exact.rounding < 100 * EPS * (1 + (8 * kappa) ** 2)
    assert exact.n_points == sum(5 if score.dim == 1 else 1 + 4 * score.dim for _ in means)


def test_the_crude_part_is_a_mixtures_denoiser_to_the_last_bit():
    field = to_exact_field(CASES[2]).field
    for cell in field.cells:
        variance = (cell.precision.inv() - field.gain(cell) * 0).tolist()
        gain = field.gain(cell).tolist()
        # kappa S V^-1 with S = (V - I) / kappa^2.
        clean = [
            [(v - (i == j)) / field.kappa**2 for j, v in enumerate(row)]
            for i, row in enumerate(variance)
        ]
        product = (type(cell.precision)(clean) * cell.precision * field.kappa).tolist()
        assert gain == product


def test_what_is_no_score_is_refused():
    with pytest.raises(BadOption, match="PiecewiseScore"):
        to_exact_field(GaussianMixture([1.0], [[0.0]], [[[1.0]]]))


# ---- errors on the line

TRUTH = ExactMixture(["1/3", "2/3"], ["-1", "2"], ["1/2", "1"])
FLOAT_TRUTH = GaussianMixture([1 / 3, 2 / 3], [[-1.0], [2.0]], [[[0.5]], [[1.0]]])
FRAME = Whitening(np.array([0.7]), np.array([[1.6]]))


def by_trapezoids(score, frame):
    """The mean square of the difference in float64; all tails are beyond 12 sd."""
    loc, scale = float(frame.loc[0]), float(frame.scale_tril[0, 0])
    white = GaussianMixture(
        FLOAT_TRUTH.weights, (FLOAT_TRUTH.means - loc) / scale, FLOAT_TRUTH.covariances / scale**2
    ).at(score.level)
    x = np.linspace(-14, 14, 20001)[:, None]
    gap = (white.score(x) - score.score(x))[:, 0]
    return float((np.exp(white.log_density(x)) * gap**2).sum() * (x[1, 0] - x[0, 0]))


@pytest.mark.parametrize("kappa", [0.1, 1.3, 6.0])
@pytest.mark.parametrize("degree", [-1, 2, 3])
def test_errors_of_learned_scores_are_those_of_float_quadrature(kappa, degree):
    score = random_field(random_mixture(1, 3, 5), kappa, degree, 0.1, 6)
    certificate = certify_learned(score, TRUTH, frame=FRAME)
    assert certificate.width <= Fraction(1, 10**8)
    assert float(certificate) == pytest.approx(by_trapezoids(score, FRAME), rel=1e-8, abs=2e-8)


def test_blends_are_certified_and_confirmed_by_another_method():
    score = random_blend(1.1, 1, [(2, 2, 3.0), (3, 1, 2.0)], amplitude=0.1)
    certificate = certify_learned(score, TRUTH, frame=FRAME, digits=6)
    assert float(certificate) == pytest.approx(by_trapezoids(score, FRAME), abs=1e-6)
    assert check(certificate).method != certificate.method


def test_a_gaussians_error_in_closed_form():
    """Slopes 1/V and 1/V' differ, squared and times the variance V."""
    level = NoiseLevel(0.6, 0.8)
    score = PiecewiseScore(GaussianMixture([1.0], [[0.0]], [[[2.0]]]), level, np.zeros((1, 0, 1)))
    expected = (1 - 1 / (0.36 * 2 + 0.64)) ** 2
    assert float(certify_learned(score, ExactMixture([1], [0], [1]))) == pytest.approx(
        expected, abs=1e-8
    )


def test_soft_scores_are_the_kernels():
    score = CASES[4]
    exact = soft_score(to_exact_field(score).field, score.level).in_balls()
    for x in np.linspace(-3, 3, 7).tolist():
        with precision(128):
            value = float(exact.value(ball_of(Fraction(x))))
        assert value == pytest.approx(float(score.score([[x]])[0, 0]), rel=1e-11, abs=1e-11)


def test_scores_in_the_plane_are_refused():
    with pytest.raises(UnsupportedInstance, match="on the line; got one in 2 dimensions"):
        certify_learned(CASES[2], TRUTH)


def test_frames_and_mixtures_of_other_dimensions_are_refused():
    plane = ExactMixture([1], [[0, 0]], [[[1, 0], [0, 1]]])
    with pytest.raises(BadOption, match="one dimension"):
        certify_learned(CASES[0], plane)
    with pytest.raises(BadOption, match="one dimension"):
        certify_learned(CASES[0], TRUTH, frame=Whitening(np.zeros(2), np.eye(2)))
