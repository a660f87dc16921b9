"""The door between exact and float: what it lets through, what it reports, and that both agree."""

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
import pytest
import sympy
from flint import arb, ctx, fmpq
from scipy.special import logsumexp
from sympy import Expr, Rational, Symbol, diag

from symscore.arrays import FloatArray
from symscore.bridge import to_float_mixture
from symscore.errors import BadData
from symscore.exact import ExactMixture
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

UNIT = float(np.finfo(np.float64).eps) / 2
BITS = 512


def enclosed(expression: Expr) -> arb:
    """Return a ball that provably contains the value of an expression without symbols."""
    parts = [enclosed(part) for part in expression.args]
    match expression:
        case Rational():
            return arb(fmpq(int(expression.p), int(expression.q)))
        case sympy.Add():
            return sum(parts, arb(0))
        case sympy.Mul():
            return prod(parts, start=arb(1))
        case sympy.exp():
            return parts[0].exp()
        case sympy.log():
            return parts[0].log()
        case sympy.pi:
            return arb.pi()
        case sympy.Pow(exp=Rational(q=2)):
            return parts[0].sqrt() ** int(2 * expression.exp)
        case sympy.Pow(exp=sympy.Integer()):
            return parts[0] ** int(expression.exp)
    raise AssertionError(f"Expected an algebraic expression in exponentials; got {expression!r}.")


@dataclass(frozen=True)
class Roundoff:
    """Forward errors of GaussianMixture at one point: u times the work times the condition.

    In whitened coordinates the Cholesky factor of component i, its inverse W_i and the rounding
    of its entries are off by eta_i = u * work * cond(C_i), hence its score g_i = W_i^T W_i
    (x - m_i) by |W_i| (eta_i |u_i| + |W_i| |dx_i|), and its log term by what `of_log_terms` says.
    Changes of at most e_i in the log terms move the score s = sum_i r_i g_i by at most
    sum_i r_i (exp(e_i) - 1) |g_i - s| exp(sum_j r_j e_j) (Jensen for the new denominator).
    """

    mixture: GaussianMixture
    x: FloatArray
    roundings: int = 1  # how many each parameter has already suffered

    @property
    def condition(self) -> FloatArray:
        spectrum = np.linalg.eigvalsh(self.mixture.covariances)
        return spectrum[:, -1] / spectrum[:, 0]

    @property
    def steepness(self) -> FloatArray:
        return np.linalg.eigvalsh(self.mixture.covariances)[:, 0] ** -0.5

    @property
    def eta(self) -> FloatArray:
        d = self.mixture.dim
        # Entries, then Cholesky, then inverse and product, each once for W and once for W^T.
        work = 2 * (self.roundings * d + d * (d + 1) + 2 * d**2.5)
        return work * UNIT * self.condition

    @property
    def moved(self) -> FloatArray:
        means = np.linalg.norm(self.mixture.means, axis=1)
        difference = np.linalg.norm(self.x - self.mixture.means, axis=1)
        return UNIT * (np.linalg.norm(self.x) + self.roundings * means + difference)

    @property
    def pulls(self) -> FloatArray:
        centred = self.x - self.mixture.means
        return np.linalg.solve(self.mixture.covariances, centred[:, :, None])[:, :, 0]

    @property
    def distances(self) -> FloatArray:
        return np.sqrt(((self.x - self.mixture.means) * self.pulls).sum(axis=1))

    @property
    def log_terms(self) -> FloatArray:
        log_det = np.linalg.slogdet(self.mixture.covariances)[1]
        return np.log(self.mixture.weights) - 0.5 * log_det - 0.5 * self.distances**2

    @property
    def log_gates(self) -> FloatArray:
        return self.log_terms - logsumexp(self.log_terms)

    @property
    def gates(self) -> FloatArray:
        return np.exp(self.log_gates)

    @property
    def of_log_terms(self) -> FloatArray:
        d, k = self.mixture.dim, self.mixture.n_components
        log_scales = np.abs(np.log(np.linalg.eigvalsh(self.mixture.covariances))).sum(axis=1)
        form = self.distances * (self.eta * self.distances + self.steepness * self.moved)
        determinant = d * self.eta + UNIT * (d + 3) * log_scales
        weight = UNIT * (k + 3) * (1 + np.abs(np.log(self.mixture.weights)))
        sums = UNIT * 4 * (d + np.abs(self.log_terms) + np.abs(self.log_terms).min())
        return form + determinant + weight + sums

    @property
    def of_log_density(self) -> float:
        return float(self.gates @ self.of_log_terms + UNIT * (self.mixture.n_components + 8))

    @property
    def of_score(self) -> float:
        d, k, error = self.mixture.dim, self.mixture.n_components, self.of_log_terms
        # r_i (exp(e_i) - 1), by logarithms: far out r_i underflows and exp(e_i) overflows.
        swing = np.exp(self.log_gates + error + np.log(-np.expm1(-error)))
        spread = np.linalg.norm(self.pulls - self.gates @ self.pulls, axis=1)
        of_gates = swing @ spread * np.exp(self.gates @ error)
        of_pulls = self.steepness * (self.eta * self.distances + self.steepness * self.moved)
        last_sums = UNIT * (k + 8 + 2 * d) * np.linalg.norm(self.pulls, axis=1)
        return float(of_gates + self.gates @ (of_pulls + last_sums))


ONE = ExactMixture([1], ["1/3"], ["2/7"])
FOUR_IN_1D = ExactMixture(
    ["1/10", "1/5", "3/10", "2/5"], [-4, "-1/3", "1/7", 3], ["1/9", 2, "5/3", "1/100"]
)
SHARP_AND_WIDE = ExactMixture(
    ["1/1000", "999/1000"],
    [[0, 0], ["1/3", -1]],
    [
        [[100, 30], [30, 10]],
        [["1/50", "1/700"], ["1/700", "1/90"]],
    ],
)
THREE_IN_2D = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[0, 0], [3, "-1/3"], ["-5/7", 4]],
    [[[2, 1], [1, 3]], diag("1/4", 5), [["7/10", "-1/2"], ["-1/2", "9/10"]]],
)
FOUR_IN_3D = ExactMixture(
    ["1/4", "1/6", "1/3", "1/4"],
    [[0, 0, 0], [1, "1/3", -2], ["-7/3", 1, 1], [2, 2, "2/9"]],
    [
        [[3, 1, 0], [1, 3, 1], [0, 1, 3]],
        diag(1, "1/9", 4),
        [["1/2", "1/5", "-1/7"], ["1/5", 1, 0], ["-1/7", 0, "3/2"]],
        [[1, "9/10", 0], ["9/10", 1, 0], [0, 0, "1/30"]],
    ],
)
MIXTURES = {
    "one Gaussian": ONE,
    "k=4, d=1": FOUR_IN_1D,
    "k=2, d=2, condition 1000": SHARP_AND_WIDE,
    "k=3, d=2": THREE_IN_2D,
    "k=4, d=3": FOUR_IN_3D,
}


def points_of(dim: int) -> list[list[Fraction]]:
    """Near the means, between them, and far in the tail, where every density underflows."""
    near = {
        1: [["0"], ["1/3"], ["-27/10"], ["31/10"]],
        2: [["0", "0"], ["1/3", "-2/7"], ["16/5", "1/9"]],
        3: [["0", "0", "0"], ["1/3", "-2", "5/7"], ["-2", "11/10", "4/3"]],
    }[dim]
    tail = [["1000/3", "-700", "500/7"][:dim], ["-1000000/3", "10000000/7", "1/3"][:dim]]
    return [[Fraction(entry) for entry in point] for point in near + tail]


CASES = [
    pytest.param(mixture, point, id=f"{name} at {', '.join(map(str, point))}")
    for name, mixture in MIXTURES.items()
    for point in points_of(mixture.dim)
]


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(BITS):
        yield


def agrees(got: float, want: Expr, tolerance: float) -> bool:
    # The comparison of balls is true only where it is certain.
    return bool(abs(arb(got) - enclosed(want)) <= arb(tolerance))


@pytest.mark.parametrize(("exact", "point"), CASES)
def test_float_mixture_is_the_exact_one_to_rounding(exact, point):
    mixture = to_float_mixture(exact).mixture
    x = np.array([float(entry) for entry in point])
    roundoff = Roundoff(mixture, x)
    for got, want in zip(mixture.score(x[None])[0].tolist(), exact.score(point), strict=True):
        assert agrees(got, want, roundoff.of_score)
    got = mixture.log_density(x[None]).item()
    assert agrees(got, exact.log_density(point), roundoff.of_log_density)


@pytest.mark.parametrize(("exact", "point"), CASES)
def test_float_denoiser_is_the_exact_one_to_rounding(exact, point):
    noised = to_float_mixture(exact).mixture.at(NoiseLevel(0.6, 0.8))
    x = np.array([float(entry) for entry in point])
    # Rounded: the parameter, alpha or alpha^2 (three times), their product, the sum.
    score = Roundoff(noised, x, roundings=6).of_score
    # x + sigma^2 s over alpha: seven roundings of the two summands.
    sizes = np.linalg.norm(x) + 0.64 * np.linalg.norm(noised.score(x[None]))
    tolerance = (0.64 * score + 7 * UNIT * sizes) / 0.6
    for got, want in zip(
        noised.denoise(x[None])[0].tolist(), exact.denoiser(point, "3/5"), strict=True
    ):
        assert agrees(got, want, tolerance)


def test_a_wrong_digit_is_seen():
    exact = FOUR_IN_1D
    point = [Fraction(1, 3)]
    means = list(exact.means)
    means[1] = (means[1][0] + Rational(1, 10**12),)
    wrong = ExactMixture(exact.weights, means, exact.covariances)
    mixture = to_float_mixture(exact).mixture
    x = np.array([1 / 3])
    tolerance = Roundoff(mixture, x).of_score
    assert not agrees(mixture.score(x[None]).item(), wrong.score(point)[0], tolerance)


def test_dyadic_parameters_lose_nothing():
    exact = ExactMixture(["1/4", "3/4"], [["1/8", -3], [0, 5]], [diag(1, 2), diag("1/2", 7)])
    rounded = to_float_mixture(exact)
    assert rounded.rounding == 0
    assert rounded.mixture.weights.tolist() == [0.25, 0.75]
    assert rounded.mixture.means.tolist() == [[0.125, -3.0], [0.0, 5.0]]
    assert rounded.mixture.covariances.tolist() == [[[1, 0], [0, 2]], [[0.5, 0], [0, 7]]]


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "want"),
    [
        # 1/3 = 0.010101..._2: 2^54 / 3 leaves the remainder one third.
        ([1], ["1/3"], [1], Fraction(1, 3 * 2**54)),
        ([1], [0], ["4/3"], Fraction(1, 3 * 2**52)),
        (["1/3", "2/3"], [0, 1], [1, 1], Fraction(1, 3 * 2**53)),
        # Halfway between two floats, ties to even.
        ([1], [2**53 + 1], [1], Fraction(1)),
    ],
)
def test_the_largest_rounding_error_is_exact(weights, means, covariances, want):
    assert to_float_mixture(ExactMixture(weights, means, covariances)).rounding == want


@pytest.mark.parametrize(
    ("exact", "name"),
    [
        (ExactMixture([1], [Symbol("m")], [1]), "means; got m"),
        (ExactMixture([1], [0], [sympy.sqrt(2)]), r"covariances; got sqrt\(2\)"),
        (ExactMixture([sympy.exp(-1), 1 - sympy.exp(-1)], [0, 1], [1, 1]), "weights; got exp"),
    ],
)
def test_what_is_not_rational_is_refused(exact, name):
    with pytest.raises(BadData, match=f"Expected rational {name}"):
        to_float_mixture(exact)


def test_what_float64_cannot_hold_is_refused():
    with pytest.raises(BadData, match="Expected means in the range of float64"):
        to_float_mixture(ExactMixture([1], [10**400], [1]))
