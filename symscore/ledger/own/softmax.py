"""Polynomials near the softmax: a degree that is logarithmic in the error."""

from fractions import Fraction
from math import comb

from flint import acb, arb, fmpq
from sympy import sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadrature import integral
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require


@entry(
    "own.SoftmaxDegree",
    title="Polynomials of logarithmic degree near the softmax",
    statement=r"On $[-L, L]^m$, $L \ge 1$, each weight $e^{y_i} / \sum_j e^{y_j}$ is within "
    r"$2^m \sec b \sum_{j > \ell} \binom{j + m - 1}{m - 1} \rho^{-j}$, $\rho = (b + (b^2 + "
    r"L^2)^{1/2}) / L$, $0 < b < \pi / 2$, of a polynomial of degree $\ell$; so of one of degree "
    r"at most $\frac{2 L}{\ln(1 + \sqrt2)} (\ln \frac{1.86}{\varepsilon} + m \ln(6 L)) + 1$ within "
    r"$\varepsilon$. (That paper A's exponent then depends on $\ln(1 / \varepsilon)$ only is a "
    "conjecture.)",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem41",),
    uses=(
        "Cauchy's formula for Chebyshev coefficients in several variables",
        r"$\operatorname{arsinh}$ is concave on $[0, \infty)$",
    ),
    proof="proof-softmax-degree",
)
def softmax_degree(effort: Effort) -> str:
    """Decide the ellipse and the sums; enclose Chebyshev coefficients on a diagonal."""
    _check_ellipse()
    _check_sums(effort.pick(4, 6))
    with precision(80):
        _check_constants()
        largest = _strip_ratio()
        length, most = Fraction(3), effort.pick(21, 41)
        share = max((_coefficient_share(length, k) for k in range(1, most, 2)), key=float)
        require(share <= 1, "Chebyshev coefficients below their bound", share)
        require(50 * share > 1, "a bound of the right size", share)
        degrees = [_degree(Fraction(10), 2, Fraction(1, 10**n)) for n in (2, 4, 6, 10)]
        stated = [_stated(Fraction(10), 2, Fraction(1, 10**n)) for n in (2, 4, 6, 10)]
        require(all(a <= b for a, b in zip(degrees, stated, strict=True)), "degrees", degrees)
        _check_stated(stated[1])
    shown = ", ".join(map(str, degrees))
    return (
        f"strip attained to {float(largest):.3f}, coefficients to {float(share):.2f}; L = 10, two "
        f"inputs: degree {shown} for 1e-2, 1e-4, 1e-6, 1e-10"
    )


def _check_ellipse() -> None:
    """Decide that the ellipse of parameter rho about [-L, L] reaches b into the complex plane."""
    length, b = symbols("L b", positive=True)
    rho = (b + sqrt(b**2 + length**2)) / length
    require(is_identity(length * (rho - 1 / rho) / 2, b), "the half-axis of the ellipse")
    require(is_identity(rho**2 - 2 * b / length * rho, 1), "rho = exp(arsinh(b / L))")


def _check_sums(most: int) -> None:
    """Decide the number of indices of a total, and the negative binomial series."""
    for m in range(1, most):
        counts = [1] + [0] * (2 * most)
        for _ in range(m):
            for j in range(1, len(counts)):
                counts[j] += counts[j - 1]
        want = [comb(j + m - 1, m - 1) for j in range(len(counts))]
        require(counts == want, "indices of a total", m)
        # (1 - x)^m times the series, up to a degree.
        signs = [(-1) ** i * comb(m, i) for i in range(m + 1)]
        for n in range(1, len(want)):
            rest = sum(signs[i] * want[n - i] for i in range(min(m, n) + 1))
            require(rest == 0, "the series of a negative power", (m, n))


def _check_constants() -> None:
    """Enclose the constants: sec 1 < 1.86, and 2 / (1 - rho^(-1/2)) <= 6 L by concavity."""
    slope = arb(1).asinh()
    require(1 / arb(1).cos() < ball_of(Fraction(93, 50)), "sec 1")
    # With t = slope / 2 L <= slope / 2: 1 - e^-t >= t (1 - t / 2) >= t (1 - slope / 4).
    require(2 / (slope / 2 * (1 - slope / 4)) < 6, "the factor of each input", slope)


def _check_stated(degree: int) -> None:
    """Enclose the steps from the sum to the stated degree, for L = 10 and m = 2, error 1e-4."""
    length, m, error = Fraction(10), 2, ball_of(Fraction(1, 10**4))
    rho, secant = _rho(length, Fraction(1)), 1 / arb(1).cos()
    require(rho.log() >= arb(1).asinh() / ball_of(length), "a concave arsinh", rho)
    half = secant * (2 / (1 - rho ** (arb(-1) / 2))) ** m * rho ** (-arb(degree) / 2)
    tail = _tail(length, m, Fraction(1), degree)
    require(tail <= half, "half of the factor for the sum", (tail, half))
    require(half <= error, "the error at the stated degree", (half, error))


def _strip_ratio() -> arb:
    """Return the largest |w_1| cos b at points with imaginary parts at most b, three inputs."""
    largest, b = arb(0), Fraction(3, 2)
    edge = ball_of(b)
    # The phases of the others turned away from the first one's by as much as they may.
    for reals in ((0, 0, -9), (-1, 0, -2), (2, 0, 1)):
        for signs in ((1, 1, -1), (1, -1, -1), (-1, 1, 0)):
            parts = [acb(arb(x), edge * s).exp() for x, s in zip(reals, signs, strict=True)]
            ratio = abs(parts[0] / sum(parts, acb(0))) * edge.cos()
            require(ratio <= 1, "a weight within sec b", (reals, signs, ratio))
            largest = max(largest, ratio, key=float)
    require(5 * largest > 2, "a bound that matters", largest)
    return largest


def _rho(length: Fraction, b: Fraction) -> arb:
    return (ball_of(b) + (ball_of(b * b) + ball_of(length * length)).sqrt()) / ball_of(length)


def _coefficient_share(length: Fraction, k: int) -> arb:
    """Return the k-th Chebyshev coefficient of w_1(y, -y) on [-L, L] over 2 sec b rho^-k."""
    scale, half_turn = ball_of(length), arb.pi()

    def integrand(turn: acb) -> acb:
        angle = half_turn * turn
        y = scale * angle.cos()
        return (1 + y.tanh()) / 2 * (k * angle).cos()

    found = 2 * integral(integrand, [fmpq(0), fmpq(1, 2), fmpq(1)])
    b = Fraction(3, 2)
    return abs(found) * _rho(length, b) ** k * ball_of(b).cos() / 2


def _tail(length: Fraction, m: int, b: Fraction, degree: int) -> arb:
    """Return the stated bound, the sum over all j less its beginning, in closed form."""
    x = 1 / _rho(length, b)
    whole = (1 - x) ** -m
    begin = sum((comb(j + m - 1, m - 1) * x**j for j in range(degree + 1)), arb(0))
    return 2**m / ball_of(b).cos() * (whole - begin)


def _degree(length: Fraction, m: int, error: Fraction) -> int:
    """Return the smallest degree for which the bound, over a few b, is at most an error."""
    low, high = 0, _stated(length, m, error)
    while low < high:
        middle = (low + high) // 2
        fits = any(
            _tail(length, m, Fraction(n, 10), middle) <= ball_of(error) for n in (10, 13, 15)
        )
        low, high = (low, middle) if fits else (middle + 1, high)
    return low


def _stated(length: Fraction, m: int, error: Fraction) -> int:
    """Return the degree of the statement's second half."""
    rest = ball_of(Fraction(93, 50) / error).log() + m * ball_of(6 * length).log()
    return int(float((2 * ball_of(length) / arb(1).asinh() * rest).upper())) + 1
