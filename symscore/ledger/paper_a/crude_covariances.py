"""Section 4.2 of paper A, lemmas 17 and 18: crude covariances, and cells about crude means."""

from itertools import pairwise, product

import sympy
from flint import acb, arb, fmpq, fmpq_mat
from sympy import exp, log, sqrt, symbols

from symscore.exact import Slabs, is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import (
    flattened_moment,
    form_variance,
    is_semidefinite,
    normal_tail,
    projection_defect,
    scaled_identity,
)
from symscore.exact.arithmetic.quadrature import integral, weighted_densities
from symscore.exact.arithmetic.rational import RationalMixture, Row, column, entries
from symscore.exact.bounds.crude_covariances import signal_errors, squared_defect
from symscore.exact.bounds.nearest_centre import wrong_side, wrong_side_bound
from symscore.exact.distances.cell_moments import component_tables
from symscore.exact.distances.incomplete import by_recurrence
from symscore.exact.proofs.signs import is_nonnegative
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Across the crude means: offsets of two components, their covariances, beta and upsilon.
OFFSETS = ((fmpq(1, 2), fmpq(-1, 3)), (fmpq(-1, 4), fmpq(1, 2)))
SPREADS = (fmpq_mat([[2, 1], [1, fmpq(3, 2)]]), fmpq_mat([[1, fmpq(-2, 3)], [fmpq(-2, 3), 2]]))
BETA, UPSILON = fmpq(3), fmpq(13, 36)
CENTRES = ((fmpq(0), fmpq(0)), (fmpq(5, 2), fmpq(1, 3)), (fmpq(-1), fmpq(7, 3)))


@entry(
    "A.Lem17",
    title="A list that holds crude covariances",
    page="26",
    statement=r"If $\Vert \mu_i - \hat\mu_i \Vert^2 \le \upsilon$ for all i, then a list of at "
    r"most $d^{O(k)}$ matrices holds for every i a $\hat Q_i$ with $\Vert Q_i - \hat Q_i \Vert_F "
    r"\lesssim \beta^{1/2} \upsilon^{1/2} + k^{3/2} \upsilon + k^{5/2} \beta + "
    r"k^2 \alpha \log R$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("A.Lem15", "A.Cor23"),
    finding=Finding(
        Label.PROOF_GAP,
        r"an error without $\lambda_i$",
        r"$\Vert Q_i - \hat Q_i \Vert_F \le \upsilon + \sqrt{34 / \lambda_i} \, (k \beta + "
        r"\upsilon) + 2 \beta$ from exact moments, with nets that cover balls of radius "
        r"$\beta \sqrt d + \upsilon$ up to $\beta$",
        r"The matrix is $\sum_i \lambda_i v_i v_i^T + E$, so that lemma 15 gives "
        r"$\Vert v_i - \Pi v_i \Vert^2 \le 2 \Vert E \Vert / \lambda_i$; the printed step has no "
        r"$\lambda_i$. Our form needs no $\Delta$ and no $\log R$: see corollary 23.",
    ),
)
def crude_covariance_list(effort: Effort) -> str:
    """Decide how the blocks' errors add up, and enclose those of one block for two components."""
    k, beta, upsilon = symbols("k beta upsilon")
    spare = 34 * (k * beta + upsilon) ** 2 - squared_defect(k, beta, upsilon, sympy.Integer(1))
    enough = is_nonnegative(spare, {k: 1, beta: 0, upsilon: 0})
    require(enough, "34 (k beta + upsilon)^2 to be enough", spare)
    _check_blocks()
    shares = []
    weights = effort.pick((fmpq(1, 2), fmpq(1, 1000)), (fmpq(1, 2), fmpq(1, 50), fmpq(1, 1000)))
    with precision(128):
        for first in weights:
            defects, noise = _defects((first, 1 - first))
            for own, defect in zip((first, 1 - first), defects, strict=True):
                share = defect / (2 * ball_of(noise / own))
                require(share <= 1, "lemma 15 for the block across the crude means", share)
            shares.append(f"{float(defects[0]):.3f} for weight {first}")
    return (
        "errors add up to sqrt(34 / lambda) (k beta + upsilon) + upsilon + 2 beta; squared defects "
        f"of a block that the bound 2 eta / lambda covers: {', '.join(shares)}"
    )


def _check_blocks() -> None:
    """Check that four blocks make up a matrix, orthogonally, for a skew plane in space."""
    normal = column((fmpq(1), fmpq(2), fmpq(-2)))
    outer = normal * normal.transpose() / 9
    inner = fmpq_mat([[int(i == j) for j in range(3)] for i in range(3)]) - outer
    matrix = fmpq_mat([[3, 1, fmpq(1, 2)], [1, 2, -1], [fmpq(1, 2), -1, 5]])
    blocks = [p * matrix * q for p in (inner, outer) for q in (inner, outer)]
    require(sum(blocks[1:], blocks[0]) == matrix, "the sum of four blocks")
    squares = [sum(x * x for x in entries(block)) for block in blocks]
    require(sum(squares) == sum(x * x for x in entries(matrix)), "orthogonal blocks", squares)
    require(squares[1] == squares[2], "two blocks that are each other's transpose")


def _defects(weights: tuple[fmpq, fmpq]) -> tuple[list[arb], fmpq]:
    """Return the squared defects of both signals, and the bound of the noise."""
    bound = signal_errors(2, BETA, UPSILON)[2]
    whole, signals = fmpq_mat(4, 4), []
    for weight, offset, spread in zip(weights, OFFSETS, SPREADS, strict=True):
        require(sum(x * x for x in offset) <= UPSILON, "crude means within upsilon", offset)
        require(is_semidefinite(scaled_identity(2, BETA) - spread), "covariances below beta")
        signal = entries(spread + column(offset) * column(offset).transpose())
        noise = flattened_moment(offset, spread) - column(signal) * column(signal).transpose()
        test = column((fmpq(1), fmpq(2), fmpq(2), fmpq(-3)))
        variance = form_variance(fmpq_mat([[1, 2], [2, -3]]), offset, spread)
        require((test.transpose() * noise * test)[0, 0] == variance, "a form's variance", noise)
        require(is_semidefinite(noise), "moments above the signal", noise)
        require(is_semidefinite(scaled_identity(4, bound) - noise), "noise below eta", bound)
        whole += weight * flattened_moment(offset, spread)
        signals.append(signal)
    return [projection_defect(whole, signal, 2) for signal in signals], bound


@entry(
    "A.Eq8-11",
    title="Cells about crude means, and moments split over them",
    page="26-27",
    statement=r"With $\hat\mu(x)$ the crude mean nearest to $\Pi x$ and $K_j$ its cells: "
    r"$E_{N_i} \Psi_s(x - \hat\mu(x)) = \sum_j E_{N_i} \Psi_s(x - \hat\mu_j) 1_{K_j}(x)$; and "
    r"$\Delta = C (\sqrt\upsilon + \sqrt{k \beta} + k^{1/4} \sqrt{\alpha \log R})$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.CERTIFIED,
    finding=Finding(
        Label.REMARK,
        r"$\Delta = C (\sqrt\upsilon + \sqrt{k \beta} + k^{1/4} \sqrt{\alpha \log R})$",
        r"$\Delta = 4 \sqrt\upsilon + \sqrt{8 \beta (8 \log R + \log(k / 2))}$",
        r"For lemma 18 the scale of the tail is $\beta$, not $\alpha$; this one has no constant.",
    ),
)
def cells_of_moments(effort: Effort) -> str:
    """Decide the cells on a lattice, and enclose both sides of (11) on a line of centres."""
    root, k, beta, radius = symbols("root k beta R", positive=True)
    delta = 4 * root + sqrt(8 * beta * (8 * log(radius) + log(k / 2)))
    bound = k / 2 * exp(-((delta - 4 * root) ** 2) / (8 * beta))
    require(is_identity(bound, radius**-8), "R^-8 for the corrected distance")
    reach = effort.pick(3, 6)
    points = list(product(range(-reach, reach + 1), repeat=2))
    for point in points:
        inside = [j for j in range(3) if _is_in_cell(point, j)]
        squares = [_square(point, centre) for centre in CENTRES]
        nearest = squares.index(min(squares))
        require(inside == [nearest], "one cell, that of the nearest centre", (point, inside))
    with precision(96):
        shares = []
        for centres in ((fmpq(-1), fmpq(2)), (fmpq(-3), fmpq(0), fmpq(1)))[: effort.pick(1, 2)]:
            split, whole = _both_sides(centres)
            require(split.overlaps(whole), "both sides of (11)", (split, whole))
            require(split.rad() < 1e-12 and whole.rad() < 1e-12, "narrow balls", (split, whole))
            shares.append(f"{float(split):.6f}")
    return f"{len(points)} points, each in one cell; both sides of (11): {', '.join(shares)}"


def _square(point: tuple[int, ...], centre: Row) -> fmpq:
    return sum(((x - c) ** 2 for x, c in zip(point, centre, strict=True)), fmpq(0))


def _is_in_cell(point: tuple[int, ...], j: int) -> bool:
    """Return whether a point is on the right side of all bisectors, by their normals."""
    own, here = column(CENTRES[j]), column(tuple(map(fmpq, point)))
    others = [column(centre) for i, centre in enumerate(CENTRES) if i != j]
    sides = [(own - c).transpose() * (here - (own + c) / 2) for c in others]
    return all(side[0, 0] > 0 for side in sides)


def _both_sides(centres: Row) -> tuple[arb, arb]:
    """Return E (x_1 - c(x))^2 x_2^2 by moments on cells, and by quadrature of the least square."""
    mean, reach = (fmpq(1, 3), fmpq(1, 2)), fmpq(20)
    law = RationalMixture((fmpq(1),), (mean,), (((fmpq(2), fmpq(1, 2)), (fmpq(1, 2), fmpq(1))),))
    cuts = [(left + right) / 2 for left, right in pairwise(centres)]
    slabs = Slabs((1, 0), (-reach, *cuts, reach))
    tables = [table for (table,) in component_tables(law, slabs, 4, by_recurrence)][1:-1]
    split = sum(
        (
            t[(2, 2)] - 2 * c * t[(1, 2)] + c * c * t[(0, 2)]
            for t, c in zip(tables, centres, strict=True)
        ),
        arb(0),
    )
    slope, rest = fmpq(1, 4), fmpq(7, 8)
    along = weighted_densities(law.image(fmpq_mat([[1, 0]])))
    whole = arb(0)
    for left, right in pairwise((-reach, *cuts, reach)):
        middle = (left + right) / 2
        centre = min((abs(middle - c), c) for c in centres)[1]

        def integrand(t: acb, centre: fmpq = centre) -> acb:
            across = mean[1] + slope * (t - mean[0])
            return (t - centre) ** 2 * (across**2 + rest) * along(t)[0]

        whole += integral(integrand, [left, right])
    return split, whole


@entry(
    "A.Lem18",
    title="Few points fall into the cell of a far mean",
    page="27",
    statement=r"For $x \sim N_i$ the probability of a cell $K_j$ with "
    r"$\Vert \mu_i - \mu_j \Vert \ge \Delta$ is at most $R^{-8}$, with the $\Delta$ of (8) for a "
    "large constant C.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("A.Eq8-11",),
    uses=(
        r"$\frac{t}{1 + t^2} \varphi(t) \le P(Z > t) \le \frac12 e^{-t^2 / 2}$ for $t > 0$",
        r"$e^y \ge 1 + y$",
    ),
    finding=Finding(
        Label.REFUTED,
        r"at most $R^{-8}$ for $\Delta = C (\sqrt\upsilon + \sqrt{k \beta} + "
        r"k^{1/4} \sqrt{\alpha \log R})$",
        r"at most $\frac{k}{2} \exp(-(\Delta - 4 \sqrt\upsilon)^2 / (8 \beta))$ for "
        r"$\Delta \ge 4 \sqrt\upsilon$, hence at most $R^{-8}$ for "
        r"$\Delta = 4 \sqrt\upsilon + \sqrt{8 \beta (8 \log R + \log(k / 2))}$",
        r"The proof uses a lower bound, of the order $\alpha$, of a norm of which it needs an "
        r"upper one. For every $C \ge 1$: $k = 2$, $\upsilon = 0$, $\log R = \Delta^2 / 4$, "
        r"$\alpha = 1 / \log R$, $Q = \operatorname{diag}(1, 1, \alpha)$, means "
        r"$(\pm \Delta / 2, 1, 0)$. Corollary 23 can do without the lemma.",
    ),
)
def far_cells(effort: Effort) -> str:
    """Decide the family for every C and certify some, then the half-space bound on instances."""
    t = symbols("t")
    # P > t / (1 + t^2) e^(-t^2/2) / 3 >= e^(-8 t^2) if e^(15/2 t^2) >= 1 + 15/2 t^2 is enough.
    excess = t * (1 + sympy.Rational(15, 2) * t**2) - 3 * (1 + t**2)
    require(is_nonnegative(excess, {t: 1}), "P above R^-8 for all t >= 1", excess)
    room = (t**2 + t**4 / 2) ** 2 - (t**2 + 1)
    require(is_nonnegative(room, {t: 1}), "means and covariances within R", room)
    shown = []
    with precision(64):
        require(
            2 * arb.pi() < 9 and (arb(2).sqrt() + arb(2).root(4)) / 2 > 1, "t above 1 for C = 1"
        )
        for constant in (1, 2, 5, 20):
            delta = constant * (arb(2).sqrt() + arb(2).root(4))
            radius = (delta**2 / 4).exp()
            least = 1 / radius.log()
            printed = constant * (arb(2).sqrt() + arb(2).root(4) * (least * radius.log()).sqrt())
            require(printed.overlaps(delta), "the distance of (8)", printed)
            found, claimed = normal_tail(delta / 2), radius**-8
            require(found > claimed, "more than R^-8", (found, claimed))
            shown.append(f"{float(found.log()):.1f} > {float(claimed.log()):.1f}")
        shares = _half_space_shares(effort.pick(4, 12))
    return (
        f"log probability > -8 log R at C = 1, 2, 5, 20: {', '.join(shown)}; corrected: "
        f"{len(shares)} instances, at most {float(max(shares, key=float)):.3f} of the bound"
    )


def _half_space_shares(count: int) -> list[arb]:
    """Return what part of the bound the probability is, both centres erring one way."""
    shares = []
    for i, error in product(range(count), (fmpq(0), fmpq(1, 3))):
        distance, beta = fmpq(4 + i), fmpq(2)
        spread = fmpq_mat([[beta, 0, 0], [0, fmpq(1, 2), fmpq(1, 4)], [0, fmpq(1, 4), 1]])
        require(is_semidefinite(scaled_identity(3, beta) - spread), "covariances below beta")
        mean, own = (fmpq(0), fmpq(1), fmpq(0)), (-error, fmpq(1), fmpq(0))
        other = (distance - error, fmpq(1), fmpq(0))
        found = wrong_side(mean, spread, own, other)
        costs = error == 0 or found > wrong_side(mean, spread, mean, (distance, fmpq(1), fmpq(0)))
        require(costs, "errors to cost something", found)
        tail = normal_tail((ball_of(distance) / 2) / ball_of(beta).sqrt())
        require(error != 0 or found.overlaps(tail), "the tail of half the distance", found)
        bound = wrong_side_bound(ball_of(distance), ball_of(error), ball_of(beta))
        require(found <= bound, "at most the bound", (found, bound))
        shares.append(found / bound)
    return shares
