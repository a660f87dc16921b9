r"""Powers of a generator on a posterior mean, as averages over independent draws of the posterior.

Let :math:`\langle \cdot \rangle` be the mean over :math:`x_1, x_2, \dots`, independent draws of
:math:`\mu` given :math:`\mu + \sigma \xi = y`, in any dimension. They are called replicas, and
:math:`f(y) = \langle x_1 \rangle`. As the density of :math:`\mu` given y is proportional to
:math:`e^{\langle \mu, y \rangle / \sigma^2}` in y,

.. math:: \sigma^2 \nabla \langle g(x_1, \dots, x_r) \rangle
    = \langle g \, S_r \rangle, \qquad S_r = x_1 + \dots + x_r - r \, x_{r + 1} .

So :math:`\mathcal L = \Delta - \sigma^{-2} \langle y, \nabla \rangle` maps averages of

.. math:: x_1 \, \sigma^{-2 q} \prod_{(i, j)} \langle x_i, x_j \rangle
    \prod_j \langle x_j, y \rangle

to sums of such averages (2404.18869, equations 10 and 11), for any law of :math:`\mu` with the
moments that occur.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations, product
from typing import final

Pairs = tuple[tuple[int, int], ...]
Singles = tuple[int, ...]


@final
@dataclass(frozen=True, slots=True, order=True)
class ReplicaTerm:
    r"""A product of inner products of replicas, whose average multiplies :math:`x_1`.

    Parameters
    ----------
    pairs : tuple of (i, j)
        The factors :math:`\langle x_i, x_j \rangle`, i <= j.
    singles : tuple of int
        The factors :math:`\langle x_j, y \rangle`.
    power : int
        q: the term is divided by :math:`\sigma^{2 q}`.
    """

    pairs: Pairs = ()
    singles: Singles = ()
    power: int = 0

    @property
    def replicas(self) -> int:
        """The highest number of a replica; the first is always there."""
        return max((1, *self.singles, *(j for pair in self.pairs for j in pair)))

    def times(self, pairs: Pairs = (), singles: Singles = (), power: int = 0) -> "ReplicaTerm":
        """Return the product with further factors."""
        ordered = tuple((min(pair), max(pair)) for pair in pairs)
        return ReplicaTerm(self.pairs + ordered, self.singles + singles, self.power + power)

    def without(self, *places: int) -> "ReplicaTerm":
        """Return the term without the singles at these places."""
        kept = tuple(j for place, j in enumerate(self.singles) if place not in places)
        return ReplicaTerm(self.pairs, kept, self.power)


Parts = Iterable[tuple[ReplicaTerm, int]]


@final
@dataclass(frozen=True, slots=True)
class ReplicaSum:
    r"""A vector field that is an average over replicas, :math:`\langle x_1 \sum_i a_i P_i \rangle`.

    Terms that differ by the numbers of their replicas alone, the first excepted, have one average
    and are kept as one.

    Parameters
    ----------
    terms : mapping from ReplicaTerm to int
        The coefficients a_i.

    Examples
    --------
    >>> once = ReplicaSum.mean().generator()
    >>> len(once.terms), once.size
    (6, 8)
    """

    terms: Mapping[ReplicaTerm, int]

    @classmethod
    def mean(cls) -> "ReplicaSum":
        r"""Return the posterior mean :math:`\langle x_1 \rangle`."""
        return cls({ReplicaTerm(): 1})

    @property
    def size(self) -> int:
        r"""The sum of the absolute values, :math:`\sum_i |a_i|`."""
        return sum(map(abs, self.terms.values()))

    def euler(self) -> "ReplicaSum":
        r"""Apply :math:`\langle y, \nabla \rangle`.

        A term P with t singles and r replicas becomes
        :math:`t P + \sigma^{-2} P \langle S_r, y \rangle`.
        """
        return _collected(
            part for term, a in self.terms.items() for part in _scaled(_euler(term), a)
        )

    def laplacian(self) -> "ReplicaSum":
        r"""Apply :math:`\Delta`.

        .. math:: \Delta \langle P \rangle = \langle \Delta_y P \rangle
            + 2 \sigma^{-2} \langle S_r, \nabla_y P \rangle
            + \sigma^{-4} \langle P \, \langle S_r, S_{r + 1} \rangle \rangle

        with the derivatives on the right those of the singles.
        """
        return _collected(
            part for term, a in self.terms.items() for part in _scaled(_laplacian(term), a)
        )

    def generator(self) -> "ReplicaSum":
        r"""Apply :math:`\mathcal L = \Delta - \sigma^{-2} \langle y, \nabla \rangle`."""
        drift = ((term.times(power=1), -a) for term, a in self.euler().terms.items())
        return _collected([*self.laplacian().terms.items(), *drift])

    def by_moments(self, atoms: int, first: int) -> dict[tuple[tuple[int, ...], ...], int]:
        r"""Return what multiplies one atom where the law of :math:`\mu` is on finitely many.

        Atoms :math:`m_0, \dots, m_{k - 1}` have the posterior weights r_a, and the field is
        :math:`\sum_a c_a m_a`. This is c_first, a polynomial with integer coefficients.

        Parameters
        ----------
        atoms : int
            k.
        first : int
            From 0 to k - 1.

        Returns
        -------
        dict
            From exponents to coefficient: those of the k weights, of the k (k + 1) / 2 inner
            products :math:`\langle m_a, m_b \rangle` (a <= b, row by row), of the k inner products
            :math:`\langle m_a, y \rangle`, and q.
        """
        places = {
            (a, b): n
            for n, (a, b) in enumerate((a, b) for a in range(atoms) for b in range(a, atoms))
        }
        total: Counter[tuple[tuple[int, ...], ...]] = Counter()
        for term, value in self.terms.items():
            for others in product(range(atoms), repeat=term.replicas - 1):
                atom = (first, *others)
                weights = tuple(atom.count(a) for a in range(atoms))
                inner, outer = [0] * len(places), [0] * atoms
                for i, j in term.pairs:
                    one, two = atom[i - 1], atom[j - 1]
                    inner[places[min(one, two), max(one, two)]] += 1
                for j in term.singles:
                    outer[atom[j - 1]] += 1
                total[weights, tuple(inner), tuple(outer), (term.power,)] += value
        return {key: value for key, value in total.items() if value}


def growth(replicas: int, singles: int) -> int:
    r"""Return how much one application of the generator may multiply ``sum |a|`` by.

    .. math:: (t + 2 r) + \big( t (t - 1) + 4 r t + 4 r (r + 1) \big)

    counts, with absolute values, what :meth:`ReplicaSum.euler` and :meth:`ReplicaSum.laplacian`
    make of one term with r replicas and t singles.

    Examples
    --------
    >>> growth(1, 0)
    10
    """
    drift = singles + 2 * replicas
    return drift + singles * (singles - 1) + 4 * replicas * (singles + replicas + 1)


def _euler(term: ReplicaTerm) -> Parts:
    yield term, len(term.singles)
    for j, count in _sources(term.replicas):
        yield term.times(singles=(j,), power=1), count


def _laplacian(term: ReplicaTerm) -> Parts:
    places, r = range(len(term.singles)), term.replicas
    for one, two in combinations(places, 2):
        yield term.without(one, two).times(((term.singles[one], term.singles[two]),)), 2
    for place in places:
        for j, count in _sources(r):
            rest = term.without(place)
            yield rest.times(((term.singles[place], j),), power=1), 2 * count
    for i, first in _sources(r):
        for j, second in _sources(r + 1):
            yield term.times(((i, j),), power=2), first * second


def _sources(r: int) -> list[tuple[int, int]]:
    """Return the replicas in S_r with their coefficients."""
    return [*((i, 1) for i in range(1, r + 1)), (r + 1, -r)]


def _scaled(parts: Parts, factor: int) -> Parts:
    return ((term, factor * count) for term, count in parts)


def _collected(parts: Parts) -> ReplicaSum:
    total: Counter[ReplicaTerm] = Counter()
    for term, count in parts:
        total[_canonical(term)] += count
    return ReplicaSum({term: count for term, count in total.items() if count})


@cache
def _canonical(term: ReplicaTerm) -> ReplicaTerm:
    """Return the least of the terms that differ by the numbers of the replicas after the first."""
    used = sorted({*term.singles, *(j for pair in term.pairs for j in pair)} - {1})
    colours = _colours(term, used)
    classes = [[j for j in used if colours[j] == c] for c in sorted(set(colours.values()))]
    orders = product(*map(permutations, classes))
    return min(_renamed(term, [j for part in order for j in part]) for order in orders)


def _colours(term: ReplicaTerm, used: list[int]) -> dict[int, tuple]:
    """Tell replicas apart by what they are paired with, as far as three rounds go."""
    colours: dict[int, tuple] = {j: (j == 1, term.singles.count(j)) for j in (1, *used)}
    for _ in range(3):
        mates: dict[int, list[tuple]] = {j: [] for j in colours}
        for i, j in term.pairs:
            mates[i].append((i == j, colours[j]))
            mates[j].append((i == j, colours[i]))
        ranks = {j: (colours[j], tuple(sorted(mates[j]))) for j in colours}
        order = {rank: (n,) for n, rank in enumerate(sorted(set(ranks.values())))}
        colours = {j: order[ranks[j]] for j in colours}
    return {j: colours[j] for j in used}


def _renamed(term: ReplicaTerm, order: list[int]) -> ReplicaTerm:
    name = {1: 1} | {j: place for place, j in enumerate(order, start=2)}
    pairs = sorted((min(name[i], name[j]), max(name[i], name[j])) for i, j in term.pairs)
    return ReplicaTerm(tuple(pairs), tuple(sorted(name[j] for j in term.singles)), term.power)
