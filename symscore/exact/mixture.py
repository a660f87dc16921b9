"""Gaussian mixtures over exact numbers and symbols, with their scores in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import sympy
from sympy import Expr, Matrix

from symscore.errors import BadData
from symscore.exact.components import Component, component, covariance_by_pairs, shares
from symscore.exact.mixture_checks import (
    Rows,
    Vector,
    as_alpha,
    as_indices,
    as_map,
    as_variance,
    check_covariance,
    check_sizes,
    check_weights,
    items,
    vectors,
)
from symscore.exact.numbers import ExactLike, as_exact_vector


@final
@dataclass(frozen=True, slots=True)
class ExactMixture:
    r"""A mixture of Gaussians whose parameters are rationals or symbols.

    .. math:: p(x) = \sum_i w_i \, N(x; m_i, C_i)

    Every entry is an int, a :class:`fractions.Fraction`, a SymPy expression, or a string that
    ``Fraction`` reads, such as ``"1/3"``; it is stored as a SymPy expression. A float is refused
    unless wrapped in :func:`exact_float`. Where d = 1, a mean, a variance and a point may be given
    as bare scalars; results are tuples of d expressions in every dimension.

    Whatever can be decided is checked: rational weights are positive and sum to one, covariances
    are symmetric, and rational ones are positive definite. What symbols have to satisfy (weights
    that sum to one, positive definite covariances) is left to the caller.

    Parameters
    ----------
    weights : (k,) sequence
        w_i > 0, summing to one.
    means : (k, d) sequence
    covariances : (k, d, d) sequence
        Symmetric positive definite; SymPy matrices are welcome.

    Raises
    ------
    BadData
        On a float, inconsistent shapes, or parameters that are provably none of a mixture.

    Examples
    --------
    >>> from sympy import Symbol
    >>> ExactMixture([1], [2], ["1/3"]).score(Symbol("x"))
    (6 - 3*x,)
    >>> mixture = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> mixture.score(1)
    (-exp(-2)/(exp(-2)/2 + 1/2),)
    """

    weights: Vector
    means: Rows
    covariances: tuple[Rows, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_exact_vector(self.weights, "weights"))
        object.__setattr__(self, "means", vectors(self.means, "means"))
        covariances = enumerate(items(self.covariances))
        rows = tuple(vectors(entry, f"covariances[{i}]") for i, entry in covariances)
        object.__setattr__(self, "covariances", rows)
        check_sizes(self.weights, self.means, self.covariances)
        check_weights(self.weights)
        for i, covariance in enumerate(self.covariances):
            check_covariance(f"covariances[{i}]", Matrix(covariance))

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.means[0])

    @property
    def n_components(self) -> int:
        """Number of components k."""
        return len(self.weights)

    def at(self, alpha: ExactLike) -> "ExactMixture":
        r"""Return the law of ``alpha * x + sigma * z``, z standard normal: the noised mixture.

        .. math:: m_i \to \alpha m_i, \qquad C_i \to \alpha^2 C_i + (1 - \alpha^2) I

        Parameters
        ----------
        alpha : exact scalar
            In (0, 1]; ``alpha = exp(-t)`` at time t of the Ornstein-Uhlenbeck process.

        Raises
        ------
        BadOption
            If alpha is provably outside (0, 1].

        Examples
        --------
        >>> ExactMixture([1], [2], [5]).at("1/2")
        ExactMixture(weights=(1,), means=((1,),), covariances=(((2,),),))
        """
        factor = as_alpha(alpha)
        means = tuple(tuple(factor * entry for entry in mean) for mean in self.means)
        eye = sympy.eye(self.dim)
        covariances = tuple(factor**2 * (Matrix(c) - eye) + eye for c in self.covariances)
        return ExactMixture(self.weights, means, covariances)

    def heat(self, t: ExactLike) -> "ExactMixture":
        r"""Return the law of ``x + sqrt(t) * z``, z standard normal: additive noise of variance t.

        .. math:: m_i \to m_i, \qquad C_i \to C_i + t I

        Raises
        ------
        BadOption
            If t is provably negative.

        Examples
        --------
        >>> ExactMixture([1], [2], [5]).heat("1/2")
        ExactMixture(weights=(1,), means=((2,),), covariances=(((11/2,),),))
        """
        noise = as_variance(t, "t") * sympy.eye(self.dim)
        covariances = tuple(Matrix(c) + noise for c in self.covariances)
        return ExactMixture(self.weights, self.means, covariances)

    def marginal(self, indices: int | Sequence[int]) -> "ExactMixture":
        """Return the law of some of the coordinates, in the order given.

        Raises
        ------
        BadOption
            If a coordinate does not exist or is named twice.

        Examples
        --------
        >>> ExactMixture([1], [[2, 3]], [[[4, 1], [1, 5]]]).marginal(1)
        ExactMixture(weights=(1,), means=((3,),), covariances=(((5,),),))
        """
        chosen = as_indices(indices, self.dim)
        means = tuple(tuple(mean[i] for i in chosen) for mean in self.means)
        covariances = tuple(
            tuple(tuple(c[i][j] for j in chosen) for i in chosen) for c in self.covariances
        )
        return ExactMixture(self.weights, means, covariances)

    def linear_image(
        self, matrix: Matrix | Sequence, shift: ExactLike | Vector = 0
    ) -> "ExactMixture":
        r"""Return the law of ``A x + b``.

        .. math:: m_i \to A m_i + b, \qquad C_i \to A C_i A^T

        Parameters
        ----------
        matrix : (p, d) sympy.Matrix or sequence
            A, rational or symbolic, with independent rows.
        shift : (p,) sequence
            b; zero unless given.

        Raises
        ------
        BadData
            If shapes do not fit, or the rows of A are provably dependent.

        Examples
        --------
        >>> ExactMixture([1], [[2, 3]], [[[4, 1], [1, 5]]]).linear_image([[1, -1]], 7)
        ExactMixture(weights=(1,), means=((6,),), covariances=(((7,),),))
        """
        image = as_map(matrix, self.dim)
        move = as_exact_vector(shift, "shift")
        if move == (0,):
            move *= image.rows
        if len(move) != image.rows:
            raise BadData(f"Expected shift with {image.rows} coordinates; got {len(move)}.")
        means = tuple((image * Matrix(mean) + Matrix(move)).expand() for mean in self.means)
        covariances = tuple((image * Matrix(c) * image.T).expand() for c in self.covariances)
        return ExactMixture(self.weights, means, covariances)

    def density(self, x: ExactLike | Vector) -> Expr:
        r"""Return the density at x.

        .. math:: p(x) = (2 \pi)^{-d/2} \sum_i w_i |C_i|^{-1/2}
            \exp(-\tfrac12 (x - m_i)^T C_i^{-1} (x - m_i))

        Parameters
        ----------
        x : (d,) sequence
            Symbols or exact numbers.
        """
        total = sympy.Add(*(part.term for part in self._components(x)))
        return (2 * sympy.pi) ** sympy.Rational(-self.dim, 2) * total

    def log_density(self, x: ExactLike | Vector) -> Expr:
        """Return the logarithm of :meth:`density` at x."""
        return sympy.log(self.density(x))

    def responsibilities(self, x: ExactLike | Vector) -> Vector:
        r"""Return the k posterior probabilities of the components at x.

        .. math:: r_i(x) = w_i N(x; m_i, C_i) / p(x)

        The factor (2 pi)^(-d/2), which all components share, is left out on both sides.
        """
        return shares(part.term for part in self._components(x))

    def score(self, x: ExactLike | Vector) -> Vector:
        r"""Return the gradient of the log density at x, d expressions.

        .. math:: \nabla \log p(x) = -\sum_i r_i(x) \, C_i^{-1} (x - m_i)

        with the :meth:`responsibilities` r_i.

        Parameters
        ----------
        x : (d,) sequence
            Symbols or exact numbers.

        Returns
        -------
        tuple of d sympy.Expr
        """
        parts = self._components(x)
        gates = shares(part.term for part in parts)
        return tuple(
            sympy.Add(*(gate * part.score[j] for gate, part in zip(gates, parts, strict=True)))
            for j in range(self.dim)
        )

    def score_jacobian(self, x: ExactLike | Vector) -> Rows:
        r"""Return the Hessian of the log density at x.

        .. math:: \nabla s = -\sum_i r_i C_i^{-1}
            + \sum_{i<j} r_i r_j (g_i - g_j)(g_i - g_j)^T, \qquad g_i = -C_i^{-1} (x - m_i)

        The second sum is :math:`\sum_i r_i (g_i - s)(g_i - s)^T`, the covariance of the scores g_i.

        Returns
        -------
        (d, d) tuple of tuples of sympy.Expr
            Symmetric.
        """
        parts = self._components(x)
        gates = shares(part.term for part in parts)
        sums = covariance_by_pairs(gates, (part.score for part in parts))
        sums += [-gate * part.precision for gate, part in zip(gates, parts, strict=True)]
        return tuple(
            tuple(sympy.Add(*(term[i, j] for term in sums)) for j in range(self.dim))
            for i in range(self.dim)
        )

    def denoiser(self, x: ExactLike | Vector, alpha: ExactLike) -> Vector:
        r"""Return the posterior mean of the clean point given the noisy one, d expressions.

        .. math:: E[x_0 \mid \alpha x_0 + \sigma z = x]
            = \frac{x + (1 - \alpha^2) \nabla \log p_\alpha(x)}{\alpha}

        (Tweedie), where p_alpha is the density of ``self.at(alpha)``.

        Parameters
        ----------
        x : (d,) sequence
            The noisy point.
        alpha : exact scalar
            In (0, 1].

        Examples
        --------
        >>> ExactMixture([1], [0], [4]).denoiser(1, "3/5")
        (15/13,)
        """
        factor = as_alpha(alpha)
        noised = self.at(factor)
        return tuple(
            (entry + (1 - factor**2) * score) / factor
            for entry, score in zip(noised._point(x), noised.score(x), strict=True)
        )

    def _point(self, x: ExactLike | Vector) -> Matrix:
        point = as_exact_vector(x, "x")
        if len(point) != self.dim:
            raise BadData(f"Expected x with {self.dim} coordinates; got {len(point)}.")
        return Matrix(point)

    def _components(self, x: ExactLike | Vector) -> list[Component]:
        point = self._point(x)
        rows = zip(self.weights, self.means, self.covariances, strict=True)
        return [component(*row, point) for row in rows]
