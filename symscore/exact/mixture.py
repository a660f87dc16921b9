"""Gaussian mixtures over exact numbers and symbols, with their scores in closed form."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, final

import sympy
from sympy import Expr, Matrix

from symscore.errors import BadData, BadOption
from symscore.exact.matrices import adjugate_and_determinant, leading_minors
from symscore.exact.numbers import ExactLike, as_exact, as_exact_vector

Vector: TypeAlias = tuple[Expr, ...]


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
    means: tuple[Vector, ...]
    covariances: tuple[tuple[Vector, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_exact_vector(self.weights, "weights"))
        object.__setattr__(self, "means", _vectors(self.means, "means"))
        covariances = enumerate(_items(self.covariances))
        rows = tuple(_vectors(entry, f"covariances[{i}]") for i, entry in covariances)
        object.__setattr__(self, "covariances", rows)
        _check_sizes(self)
        _check_weights(self.weights)
        for i, covariance in enumerate(self.covariances):
            _check_covariance(f"covariances[{i}]", Matrix(covariance))

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
        factor = _as_alpha(alpha)
        means = tuple(tuple(factor * entry for entry in mean) for mean in self.means)
        eye = sympy.eye(self.dim)
        covariances = tuple(factor**2 * (Matrix(c) - eye) + eye for c in self.covariances)
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
        total = sympy.Add(*(term for term, _ in self._components(x)))
        return (2 * sympy.pi) ** sympy.Rational(-self.dim, 2) * total

    def log_density(self, x: ExactLike | Vector) -> Expr:
        """Return the logarithm of :meth:`density` at x."""
        return sympy.log(self.density(x))

    def responsibilities(self, x: ExactLike | Vector) -> Vector:
        r"""Return the k posterior probabilities of the components at x.

        .. math:: r_i(x) = w_i N(x; m_i, C_i) / p(x)

        The factor (2 pi)^(-d/2), which all components share, is left out on both sides.
        """
        return _shares(term for term, _ in self._components(x))

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
        terms, scores = zip(*self._components(x), strict=True)
        gates = _shares(terms)
        return tuple(
            sympy.Add(*(gate * score[j] for gate, score in zip(gates, scores, strict=True)))
            for j in range(self.dim)
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
        factor = _as_alpha(alpha)
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

    def _components(self, x: ExactLike | Vector) -> list[tuple[Expr, Matrix]]:
        """Return w_i |C_i|^(-1/2) exp(-q_i / 2) and the component's score -C_i^-1 (x - m_i)."""
        point = self._point(x)
        components = []
        for weight, mean, covariance in zip(
            self.weights, self.means, self.covariances, strict=True
        ):
            centred = point - Matrix(mean)
            adjugate, determinant = adjugate_and_determinant(Matrix(covariance))
            pull = adjugate * centred
            exponential = sympy.exp(-centred.dot(pull) / (2 * determinant))
            components.append((weight * exponential / sympy.sqrt(determinant), -pull / determinant))
        return components


def _shares(terms: Iterable[Expr]) -> Vector:
    parts = tuple(terms)
    total = sympy.Add(*parts)
    return tuple(part / total for part in parts)


def _vectors(rows: object, name: str) -> tuple[Vector, ...]:
    return tuple(as_exact_vector(row, f"{name}[{i}]") for i, row in enumerate(_items(rows)))


def _items(values: object) -> Iterable:
    if isinstance(values, sympy.MatrixBase):
        return values.tolist()  # a SymPy matrix iterates over its entries, not over its rows
    return values if isinstance(values, Iterable) and not isinstance(values, str) else (values,)


def _as_alpha(alpha: ExactLike) -> Expr:
    value = as_exact(alpha, "alpha")
    if _is_surely_not_positive(value) or (value.is_Rational and value > 1):
        raise BadOption(f"Expected alpha in (0, 1]; got {value}.")
    return value


def _is_surely_not_positive(value: Expr) -> bool:
    # Only what is decided without rounding: SymPy settles the sign of other numbers by evalf.
    return bool((value.is_Rational or value.is_Symbol) and value.is_positive is False)


def _check_sizes(mixture: ExactMixture) -> None:
    counts = [len(part) for part in (mixture.weights, mixture.means, mixture.covariances)]
    if len(set(counts)) > 1 or 0 in counts:
        raise BadData(
            "Expected as many weights as means and covariances, at least one; "
            f"got {counts[0]}, {counts[1]} and {counts[2]}."
        )
    dim = mixture.dim
    for i, (mean, covariance) in enumerate(zip(mixture.means, mixture.covariances, strict=True)):
        if len(mean) != dim or dim == 0:
            raise BadData(f"Expected means[{i}] of length {max(dim, 1)}; got {len(mean)}.")
        lengths = [len(row) for row in covariance]
        if lengths != [dim] * dim:
            raise BadData(
                f"Expected covariances[{i}] of shape ({dim}, {dim}); got rows of length {lengths}."
            )


def _check_weights(weights: Vector) -> None:
    for i, weight in enumerate(weights):
        if _is_surely_not_positive(weight):
            raise BadData(f"Expected positive weights; got weights[{i}] = {weight}.")
    total = sympy.expand(sympy.Add(*weights))
    if total.is_Rational and total != 1:
        raise BadData(f"Expected weights that sum to one; got {total}: divide them by it.")


def _check_covariance(name: str, covariance: Matrix) -> None:
    if any(entry != 0 for entry in (covariance - covariance.T).expand()):
        raise BadData(
            f"Expected {name} symmetric, the same expression on both sides of the diagonal; "
            f"got {covariance.tolist()}."
        )
    for variance in covariance.diagonal():
        if _is_surely_not_positive(variance):
            raise BadData(f"Expected {name} positive definite; got {variance} on its diagonal.")
    for order, minor in enumerate(leading_minors(_leading_rational_block(covariance)), start=1):
        if minor <= 0:
            raise BadData(
                f"Expected {name} positive definite; got {minor} for its leading minor of "
                f"order {order}."
            )


def _leading_rational_block(matrix: Matrix) -> Matrix:
    size = 0
    while size < matrix.rows and all(e.is_Rational for e in matrix[: size + 1, : size + 1]):
        size += 1
    return matrix[:size, :size]
