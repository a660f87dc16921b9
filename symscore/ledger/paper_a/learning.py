"""Section 6.3 of paper A: the score as a polynomial with cells, learned from samples."""

from fractions import Fraction

import sympy
from flint import acb, arb, fmpq
from sympy import symbols

from symscore.exact import (
    ExactMixture,
    Slabs,
    best_piecewise_error,
    project_score,
    projection_error,
)
from symscore.exact.arithmetic.balls import as_fraction, ball_of, precision
from symscore.exact.arithmetic.moments import Exponent, exponents, gaussian_moments
from symscore.exact.arithmetic.polynomial import Polynomial, as_field, expectation, product
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.exact.arithmetic.quadrature import integral
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.distances.polynomial_error import population_risk
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# From half the distance of the means to the degree that two cells need for an error of 0.03.
DEGREES = {1: 3, 2: 6, 3: 7, 4: 1, 5: 1, 6: 1}
SIGNAL, NOISE = fmpq(3, 5), fmpq(4, 5)


def unit_pair(mu: int | str) -> ExactMixture:
    """Return two equal unit components at -mu and mu."""
    return ExactMixture(("1/2", "1/2"), ((f"-{mu}",), (mu,)), (((1,),), ((1,),)))


@entry(
    "A.Prop48",
    title="The score as a polynomial on every cell",
    page="58",
    statement=r"A well-conditioned M has cells and gated polynomials with linear fallbacks within "
    r"$\varepsilon$ of the score in the mean square, of degree poly$(\beta k \log R / (\alpha "
    r"\lambda_{min} \varepsilon))$, with $\Delta^\mu_{out} = c_1 \beta \sqrt k / \lambda_{min} "
    r"\cdot \log(\cdot)$ and $\Delta^Q_{out} = c_2 \beta^4 k^2 \log R / (\alpha^3 \lambda_{min}) "
    r"\cdot \log(\cdot)$.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Prop25", "A.Prop32", "A.Prop40", "A.Lem47"),
    reason="the polynomial in the degree is not stated",
    weaker=r"the degrees that two cells need for a root mean square error of 0.03 on pairs of unit "
    r"components, and that $\Delta^\mu_{in} = k \Delta^\mu_{out} \le c \Delta^Q_{out} \sqrt\alpha "
    r"/ \beta$ for $c_2 \ge c_1 / c$ and $R \ge e$",
    finding=Finding(
        Label.TYPO,
        r"$\beta^3 / \alpha^5$, quoted from proposition 32",
        r"$\beta^5 / \alpha^6$",
        "As proposition 32 has it.",
    ),
)
def degrees(effort: Effort) -> str:
    """Certify for every pair that the degree is enough, one less is not, nor one cell alone."""
    b, q, r, a = symbols("b q r a")  # beta, k^(1/2), log R, alpha^(-1/2)
    inside, outside = q**2 * (b * q), b**4 * q**4 * r * a**6 / (a * b)
    room = sympy.cancel(outside - inside)
    require(is_nonnegative(room, dict.fromkeys((b, q, r, a), 1)), "room for the means", room)
    halves, most = Slabs((1,), (0,)), Fraction(9, 10_000)
    chosen = effort.pick((1, 4), tuple(DEGREES))
    for mu in chosen:
        pair, degree = unit_pair(mu), DEGREES[mu]
        enough = best_piecewise_error(pair, halves, degree, digits=8)
        require(enough.upper < most, "an error below 0.03", (mu, degree))
        less = best_piecewise_error(pair, halves, degree - 1, digits=8)
        require(less.lower > most, "a lower degree not to be enough", (mu, degree))
        alone = projection_error(pair, degree, digits=8)
        require(alone.lower > most, "one cell not to be enough", (mu, degree))
    return ", ".join(f"mu = {mu}: degree {DEGREES[mu]}" for mu in chosen)


@entry(
    "A.Eq64",
    title="The clipped denoising loss",
    page="59",
    statement=r"$\frac1n \sum \Vert \hat s(x_t) + z / b \Vert^2 \, "
    r"1\{\Vert x_t \Vert \le R_x, \Vert z \Vert \le R_z\}$ with $b^2 = 1 - e^{-2 t}$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.CERTIFIED,
    depends_on=("A.Eq7",),
    uses=("Cauchy's and Schwarz's inequalities",),
)
def clipped_loss(effort: Effort) -> str:
    """Enclose its mean for a linear field on the line, against the exact one without clipping."""
    means, variances, weights = (0, Fraction(3, 2)), (1, Fraction(1, 2)), ("4/7", "3/7")
    law = RationalMixture.of(
        ExactMixture(weights, tuple((m,) for m in means), tuple(((v,),) for v in variances))
    )
    second, fourth = (_loss_moment(law, power) for power in (2, 4))
    noised = law.at(as_fraction(SIGNAL))
    square = sum((w * (m * m + v) for w, m, v in _components(noised)), fmpq(0))
    require(second == square - 2 + 1 / NOISE**2, "E x^2 - 2 + 1 / b^2", second)
    shown = []
    with precision(40):
        for reach in effort.pick((3, 5), (2, 3, 4, 5, 6)):
            found = ball_of(second) - _clipped(law, fmpq(reach))
            outside = 2 * normal_tail(arb(reach))
            for w, m, v in _components(noised):
                spread = ball_of(v).sqrt()
                for sign in (1, -1):
                    outside += ball_of(w) * normal_tail((reach + sign * ball_of(m)) / spread)
            bound = (ball_of(fourth) * outside).sqrt()
            require(found <= bound and found > 0, "a loss between 0 and the bound", (found, bound))
            shown.append(f"{float(found):.2e} <= {float(bound):.2e} at R = {reach}")
    return f"loss {float(second):.4f}; clipped off: {', '.join(shown)}"


def _components(law: RationalMixture) -> list[tuple[fmpq, fmpq, fmpq]]:
    """Return weight, mean and variance of every component on the line."""
    rows = zip(law.weights, law.means, law.covariances, strict=True)
    return [(w, m, v) for w, (m,), ((v,),) in rows]


def _loss_moment(law: RationalMixture, power: int) -> fmpq:
    r"""Return :math:`E |-x_t + z / b|^n`, the loss of the field -x, exactly."""
    total, slope = fmpq(0), 1 / NOISE - NOISE
    for w, m, v in _components(law):
        table = gaussian_moments((-SIGNAL * m,), ((SIGNAL**2 * v + slope**2,),), power)
        total += w * table[(power,)]
    return total


def _clipped(law: RationalMixture, reach: fmpq) -> arb:
    """Return the mean of the clipped loss: an integral over z of truncated moments of x_t."""
    a, b, end, root = ball_of(SIGNAL), ball_of(NOISE), ball_of(reach), arb(2).sqrt()

    def bell(u: acb) -> acb:
        return (-u * u / 2).exp() / (2 * arb.pi()).sqrt()

    def integrand(z: acb) -> acb:
        total = acb(0)
        for w, m, v in _components(law):
            centre, spread = a * ball_of(m) + b * z, a * ball_of(v).sqrt()
            high, low = (end - centre) / spread, (-end - centre) / spread
            mass = ((high / root).erf() - (low / root).erf()) / 2
            first = centre * mass - spread * (bell(high) - bell(low))
            rest = (end + centre) * bell(high) - (centre - end) * bell(low)
            square = (centre * centre + spread * spread) * mass - spread * rest
            total += ball_of(w) * (square - 2 * z / b * first + z * z / (b * b) * mass)
        return total * bell(z)

    return integral(integrand, [-reach, fmpq(0), reach])


@entry(
    "A.Prop49",
    title="Learning the score at one level",
    page="60",
    statement=r"For $t \ge \varepsilon$ an algorithm that tries all parameters on a list, all "
    r"partitions and thresholds, and takes the candidate of least validation loss, has "
    r"$E \Vert \hat s_t - \nabla \log q_t \Vert^2 \le \varepsilon$ with probability $1 - \delta$, "
    r"in time $d^{poly(\beta k \log R / (\alpha \varepsilon \lambda_{min}))} polylog(1 / \delta)$.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Lem13", "A.Prop48", "A.Lem50"),
    reason="the polynomial in the exponent is not stated",
    weaker="that the denoising loss ranks candidates as their distances from the score do: exactly "
    "the same differences, so that the least loss is that of the nearest candidate",
)
def validation(effort: Effort) -> str:
    """Rank fields made for right and wrong parameters by exact losses."""
    truth = unit_pair(2)
    level = as_fraction(SIGNAL)
    noised = RationalMixture.of(truth).at(level)
    joint = joint_moments(RationalMixture.of(truth), 2 * effort.pick(3, 5))
    found = []
    for mu in ("1/2", "1", "3/2", "2", "5/2", "3"):
        candidate = project_score(unit_pair(mu).at(level), effort.pick(3, 5))
        field = as_field(candidate.field, 1)
        loss = _denoising_loss(field[0], joint)
        found.append((loss, population_risk(noised, field), mu))
    constants = {loss - risk for loss, risk, _ in found}
    require(len(constants) == 1, "losses and risks with one difference", constants)
    require(constants == {1 / NOISE**2}, "the difference 1 / b^2", constants)
    require(min(found)[2] == "2", "the right parameters to be chosen", min(found))
    ranked = sorted(found)
    gap = float(ranked[1][0] - ranked[0][0])
    return f"{len(found)} candidates; mu = {ranked[0][2]} chosen, the next loss is {gap:.3g} above"


def joint_moments(law: RationalMixture, degree: int) -> dict[Exponent, fmpq]:
    """Return the moments of x_t and z together."""
    total = dict.fromkeys(exponents(2, degree), fmpq(0))
    for w, m, v in _components(law):
        spread = ((SIGNAL**2 * v + NOISE**2, NOISE), (NOISE, fmpq(1)))
        for a, value in gaussian_moments((SIGNAL * m, fmpq(0)), spread, degree).items():
            total[a] += w * value
    return total


def _denoising_loss(field: Polynomial, joint: dict[Exponent, fmpq]) -> fmpq:
    """Return the mean of (q(x_t) + z / b)^2."""
    residual: Polynomial = {(k, 0): c for (k,), c in field.items()} | {(0, 1): 1 / NOISE}
    return expectation(product(residual, residual), joint)
