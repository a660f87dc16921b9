"""Section 6.1 of paper A, two components and how much they overlap."""

from fractions import Fraction

import sympy
from flint import acb, arb, fmpq
from sympy import log, pi, sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadrature import integral, support, tail_mass, weighted_densities
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# On the line: the second mean and both variances; the first mean is the origin.
PAIRS = (
    (fmpq(2), fmpq(1), fmpq(1)),
    (fmpq(4), fmpq(1), fmpq(1)),
    (fmpq(0), fmpq(1), fmpq(2)),
    (fmpq(1), fmpq(1, 2), fmpq(2)),
    (fmpq(0), fmpq(1, 4), fmpq(4)),
)


@entry(
    "A.p46ratio",
    title="Posterior weights against equal weights",
    page="46",
    statement=r"$\frac{\lambda_j N_j}{\lambda_i N_i + \lambda_j N_j} \le \frac1{\lambda_i} "
    r"\frac{N_j}{N_i + N_j}$ for weights $\lambda_i + \lambda_j \le 1$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
)
def ratio_of_weights(effort: Effort) -> str:
    """Write the difference with a numerator whose coefficients are all positive."""
    p, q, rest, first, second = symbols("p q rest first second", positive=True)
    one, two = p / (p + q + rest), q / (p + q + rest)
    left = two * second / (one * first + two * second)
    right = second / (first + second) / one
    numerator = second * ((p + rest) * p * first + q * (q + rest) * second)
    denominator = p * (p * first + q * second) * (first + second)
    require(is_identity(right - left, numerator / denominator), "the difference", right - left)
    zero = dict.fromkeys((p, q, rest, first, second), 0)
    require(is_nonnegative(numerator, zero), "a numerator without negative terms", numerator)
    return f"the difference has {len(sympy.Poly(numerator, *zero).terms())} positive terms"


@entry(
    "A.Claim36",
    title="The overlap of two Gaussians",
    page="46",
    statement=r"As printed: $E_{N_1} \frac{N_2}{N_1 + N_2} \le \exp(-\Vert \Delta\mu \Vert^2 / "
    r"\beta - \Vert \Delta Q \Vert_F^2 / c)$ with $c = 16 (1 + \beta / \alpha)^2 \beta^2$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("A.Fact37",),
    uses=(
        r"$\int e^{-c y^2} dy = \sqrt{\pi / c}$",
        "two covariances are diagonal in common coordinates",
        r"$\Vert A B \Vert_F \le \Vert A \Vert_{op} \Vert B \Vert_F$",
    ),
    finding=Finding(
        Label.REFUTED,
        r"$\exp(-\Vert \Delta\mu \Vert^2 / \beta - \Vert \Delta Q \Vert_F^2 / "
        r"(16 (1 + \beta / \alpha)^2 \beta^2))$",
        r"$\frac12 \exp(-\Vert \Delta\mu \Vert^2 / (8 \beta) - \Vert \Delta Q \Vert_F^2 / "
        r"(4 (1 + \beta / \alpha)^2 \beta^2))$",
        r"The printed proof gives $8 \beta$; only constants change downstream. "
        r"$N_1 N_2 / (N_1 + N_2) \le \frac12 \sqrt{N_1 N_2}$; where $Q_1 = I$ and "
        r"$Q_2 = \operatorname{diag}(x_i)$ the integral of the root is a product, whose factors "
        r"fact 37 bounds by $e^{-u_i / 4}$; $1 + x_i \le 1 + \beta / \alpha$ and "
        r"$\sum_i (1 - x_i)^2 \ge \Vert \Delta Q \Vert_F^2 / \beta^2$.",
    ),
)
def overlap(effort: Effort) -> str:
    """Decide the steps of the corrected form, and enclose the overlap on instances."""
    first, second = symbols("first second", positive=True)
    halved = (first + second) ** 2 - 4 * first * second
    require(is_identity(halved, (first - second) ** 2), "an arithmetic and a geometric mean")
    x, y, m = symbols("x y m", positive=True)
    square = y**2 / 4 + (y - m) ** 2 / (4 * x)
    rate = (1 + x) / (4 * x)
    completed = rate * (y - m / (1 + x)) ** 2 + m**2 / (4 * (1 + x))
    require(is_identity(square, completed), "a completed square", square)
    factor = sqrt(pi / rate) / sqrt(2 * pi * sqrt(x))
    # Its logarithm is the left side of fact 37.
    require(is_identity(factor**4, 4 * x / (1 + x) ** 2), "the factor of one coordinate", factor)
    found, most = [], 0.0
    with precision(80):
        for mean, one, two in PAIRS[: effort.pick(3, len(PAIRS))]:
            value = _overlap(mean, one, two)
            alpha, beta = min(one, two, fmpq(1)), max(one, two, fmpq(1))
            square, moved = mean * mean, (one - two) ** 2
            spread = beta**2 * (1 + beta / alpha) ** 2
            bound = ball_of(-square / (8 * beta) - moved / (4 * spread)).exp() / 2
            printed = ball_of(-square / beta - moved / (16 * spread)).exp()
            require(value <= bound, "an overlap below the corrected bound", (value, bound))
            found.append((value, bound, printed))
            most = max(most, float(value / bound))
        value, bound, printed = found[0]
        require(value > printed, "an overlap above the printed bound", (value, printed))
    return (
        f"two means at distance 2: {float(value):.6f}, printed {float(printed):.4f}, corrected "
        f"{float(bound):.4f}; {len(found)} instances, shares up to {most:.3f}"
    )


def _overlap(mean: fmpq, one: fmpq, two: fmpq) -> arb:
    r"""Return :math:`\int N_1 N_2 / (N_1 + N_2)` for N(0, one) and N(mean, two)."""
    law = RationalMixture((fmpq(1),) * 2, ((fmpq(0),), (mean,)), (((one,),), ((two,),)))
    densities = weighted_densities(law)

    def integrand(t: acb) -> acb:
        first, second = densities(t)
        return first * second / (first + second)

    low, high = support(law, 60)
    inside = integral(integrand, [low + (high - low) * fmpq(n, 16) for n in range(17)])
    return inside + arb(0).union(tail_mass(one, min(-low, high)))


@entry(
    "A.Fact37",
    title="An inequality for the logarithm",
    page="47",
    statement=r"As printed: $\frac14 \log x - \log(\frac12 + \frac x2) \le "
    r"-\frac1{16} \left( \frac{1 - x}{1 + x} \right)^2$ for x > 0.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    uses=(r"$\log(1 - u) \le -u$",),
    finding=Finding(
        Label.REFUTED,
        r"$\frac14 \log x - \log(\frac12 + \frac x2) \le -\frac1{16} u$",
        r"$\frac14 \log x - \frac12 \log(\frac12 + \frac x2) = \frac14 \log(1 - u) \le -\frac14 u$ "
        r"with $u = ((1 - x) / (1 + x))^2$",
        r"A factor $\frac12$ is missing before the second logarithm; with it the bound is four "
        "times as strong.",
    ),
)
def logarithms(effort: Effort) -> str:
    """Decide the identity behind the corrected form, and refute the printed one at a point."""
    x = sympy.Symbol("x", positive=True)
    u = ((1 - x) / (1 + x)) ** 2
    require(is_identity(1 - u, 4 * x / (1 + x) ** 2), "1 - u as a product", u)
    left = log(x) / 4 - log((1 + x) / 2) / 2
    require(is_identity(left, log(4 * x / (1 + x) ** 2) / 4), "a quarter of log(1 - u)", left)
    with precision(64):
        point = Fraction(3, 10)
        share = ball_of(((1 - point) / (1 + point)) ** 2)
        low, high = ball_of(point).log() / 4, ball_of((1 + point) / 2).log()
        printed, corrected = low - high, low - high / 2
        require(printed > -share / 16, "a printed left side above the right", printed)
        require(corrected < -share / 4, "a corrected one below", corrected)
    return (
        f"x = 0.3: printed {float(printed):.4f} > {float(-share / 16):.4f}; corrected "
        f"{float(corrected):.4f} <= {float(-share / 4):.4f}, for all x"
    )
