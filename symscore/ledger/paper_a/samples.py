"""Section 6.3 of paper A: how many samples the learned score takes."""

from fractions import Fraction
from itertools import product as tuples

import sympy
from flint import arb, fmpq
from sympy import sqrt, symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import as_fmpq, precision
from symscore.exact.arithmetic.moments import exponents
from symscore.exact.arithmetic.polynomial import Polynomial, expectation, product
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_a.learning import NOISE, SIGNAL, joint_moments, unit_pair


@entry(
    "A.Lem50",
    title="From the empirical to the population loss",
    page="61",
    statement=r"For polynomials of degree $\ell$ with coefficients of absolute sum at most M and "
    r"the loss clipped at $R_x$ and $R_z$: if $n \ge poly \cdot poly^\ell$, from the proof "
    r"$(d M R_z)^4 (d R_x)^{4 \ell} t_{min}^{-2} \varepsilon^{-2} \log(1 / \delta)$, population "
    r"and empirical loss differ by at most $\varepsilon$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    uses=(
        "Hoeffding's inequality",
        r"$1 - e^{-2 t}$ is concave",
    ),
    finding=Finding(
        Label.REMARK,
        "unspecified constants, by Rademacher complexity",
        r"$n \ge 2 B^2 \varepsilon^{-2} \log(2 K / \delta)$ with $B = (M R_x^\ell + R_z / b)^2$, "
        r"$K = T (T + 1) / 2 + d T + 1$, $T = \binom{d + \ell}{\ell}$, $R_x \ge 1$, for all such "
        r"polynomials at once",
        r"The loss is $\sum_k c_k^T G c_k + 2 c_k^T h_k + m$ with the means G, h, m of $\varphi "
        r"\varphi^T$, $\varphi z_k / b$, $|z|^2 / b^2$ over the box. By Hoeffding's inequality all "
        r"K entries differ by at most $\sqrt{2 \log(2 K / \delta) / n}$ times their bounds "
        r"$R_x^{2 \ell}$, $R_x^\ell R_z / b$, $R_z^2 / b^2$. For $t \le \frac34$ this is "
        r"$32 (M R_z)^4 R_x^{4 \ell} t^{-2} \varepsilon^{-2} \log(2 K / \delta)$ at most.",
    ),
)
def sample_size(effort: Effort) -> str:
    """Decide the expansion, the monomials' bound and the count; compare on exact samples."""
    m, r, s, n, g, e = symbols("m r s n g e", positive=True)
    parts = m**2 * r**2 + 2 * m * r * s + s**2
    require(is_identity(parts, (m * r + s) ** 2), "the loss's bound", parts)
    needed = 2 * parts**2 * g / e**2
    require(is_identity(parts * sqrt(2 * g / n).subs(n, needed), e), "the sample size", needed)
    # With r >= 1, z >= 1 and b^2 >= t: B^2 is at most 16 (m r z)^4 / t^2.
    z, i = symbols("z i")  # R_z and 1 / b
    room = 4 * (m * r * z * i) ** 2 - (m * r + z * i) ** 2
    require(is_nonnegative(room, {m: 1, r: 1, z: 1, i: 1}), "B at most 4 (m r z / b)^2", room)
    with precision(64):
        end = arb(3) / 4
        require(1 - (-2 * end).exp() >= end, "1 - exp(-2 t) >= t up to 3/4")
    for dim, degree in ((2, 3), (3, effort.pick(2, 4))):
        squares = symbols(f"q1:{dim + 1}")
        whole = sympy.Add(*(sympy.Add(*squares) ** j for j in range(degree + 1)))
        own = sympy.Add(
            *(
                sympy.Mul(*(q**k for q, k in zip(squares, a, strict=True)))
                for a in exponents(dim, degree)
            )
        )
        zero = dict.fromkeys(squares, 0)
        require(is_nonnegative(whole - own, zero), "the squared monomials", (dim, degree))
    shares = [_deviation_share(salt) for salt in range(effort.pick(6, 40))]
    return (
        f"all polynomials at once; {len(shares)} exact samples, deviations up to "
        f"{max(shares):.3f} of the bound"
    )


def _deviation_share(salt: int) -> float:
    """Compare two losses on the line, over two samples, with the entries' deviations."""
    draw = [fmpq((salt * 31 + 17 * k * k + 5 * k * salt) % 41 - 20, 10) for k in range(16)]
    coefs = [fmpq((salt + 3 * k * k) % 7 - 3, 2) for k in range(3)]
    if salt % 3 == 0:
        coefs = [fmpq(0), fmpq(0), fmpq(-3)]
    most, samples = sum((abs(c) for c in coefs), fmpq(0)), (draw[:8], draw[8:])
    losses, entries = [], []
    for sample in samples:
        pairs = list(zip(sample[::2], sample[1::2], strict=True))
        powers = [([x**k for k in range(3)], z / NOISE) for x, z in pairs]
        values = [sum((c * p for c, p in zip(coefs, f, strict=True)), w) ** 2 for f, w in powers]
        losses.append(sum(values, fmpq(0)) / len(pairs))
        squares = [f[i] * f[j] for i, j in tuples(range(3), repeat=2) for f, _ in powers]
        entries.append(
            [
                [sum(squares[4 * k : 4 * k + 4], fmpq(0)) / 4 for k in range(9)],
                [sum((f[k] * w for f, w in powers), fmpq(0)) / 4 for k in range(3)],
                [sum((w * w for _, w in powers), fmpq(0)) / 4],
            ]
        )
    gaps = [
        max(abs(one - two) for one, two in zip(first, second, strict=True))
        for first, second in zip(*entries, strict=True)
    ]
    bound = most**2 * gaps[0] + 2 * most * gaps[1] + gaps[2]
    found = abs(losses[0] - losses[1])
    require(found <= bound, "a deviation below the entries' ones", (found, bound))
    return float(found / bound)


@entry(
    "A.Prop51",
    title="The number of samples for the score",
    page="61",
    statement=r"For $t \ge t_{min} \ge \alpha \varepsilon / R$, $n \ge \log(1 / \delta) \, "
    r"d^{poly(\beta k \log R / (\alpha \varepsilon \lambda_{min}))}$ samples are enough for "
    r"$E \Vert s_t - \hat s_t \Vert^2 \le \varepsilon$.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Prop49", "A.Lem50", "A.Fact39"),
    reason="the polynomial in the exponent is not stated",
    weaker="that the mean excess of least squares with one polynomial is "
    r"$\operatorname{tr}(G^{-1} \Sigma) / n$, with exact moments G and $\Sigma$",
)
def excess_risk(effort: Effort) -> str:
    """Simulate the regression on the line, eight standard errors around the exact trace."""
    import numpy as np

    degree, size, runs = 2, 1000, effort.pick(100, 400)
    law = RationalMixture.of(unit_pair(1))
    joint = joint_moments(law, 4 * degree + 2)
    basis = range(degree + 1)
    gram = np.array([[float(joint[(i + j, 0)]) for j in basis] for i in basis])
    cross = np.array([float(-joint[(i, 1)] / NOISE) for i in basis])
    best = np.linalg.solve(gram, cross)
    residual: Polynomial = {(k, 0): _rational(best[k]) for k in basis} | {(0, 1): 1 / NOISE}
    square = product(residual, residual)
    spread = np.array(
        [
            [float(expectation(product(square, {(i + j, 0): fmpq(1)}), joint)) for j in basis]
            for i in basis
        ]
    )
    trace = float(np.trace(np.linalg.solve(gram, spread)))
    rng = np.random.default_rng(effort.seed)
    clean = rng.choice([-1.0, 1.0], (runs, size)) + rng.normal(size=(runs, size))
    z = rng.normal(size=(runs, size))
    x = float(SIGNAL) * clean + float(NOISE) * z
    features = x[..., None] ** np.arange(degree + 1)
    inner = np.einsum("rni,rnj->rij", features, features)
    right = np.einsum("rni,rn->ri", features, -z / float(NOISE))
    errors = np.linalg.solve(inner, right[..., None])[..., 0] - best
    excess = size * np.einsum("ri,ij,rj->r", errors, gram, errors)
    ratio, error = float(excess.mean()) / trace, float(excess.std()) / trace / runs**0.5
    require(abs(ratio - 1) <= 8 * error + 10 / size, "a ratio of 1", (ratio, error))
    return (
        f"n times the excess over the trace {trace:.3f}: {ratio:.3f} +- {error:.3f}, {runs} runs; "
        "false alarms below 1e-6"
    )


def _rational(value: float) -> fmpq:
    """Return the rational that a float is."""
    return as_fmpq(Fraction(float(value)))
