"""Exact expressions as functions of float arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from sympy import Symbol

from symscore.arrays import FloatArray, blocks
from symscore.bridge.programs import FUNCTIONS, Expressions, Program, to_program
from symscore.bridge.scaled import Value, run
from symscore.errors import BadData

# Every step keeps its result: blocks bound the memory, whatever the number of points.
POINTS_AT_ONCE = 4096


def _held(value: Value) -> Value:
    return value


_NUMPY = {
    **{name: getattr(np, name) for name in FUNCTIONS.values() if hasattr(np, name)},
    **{name: getattr(np, name) for name in ("sqrt", "maximum", "clip", "isinf", "where")},
    "erf": special.erf,
    "erfc": special.erfc,
    "constant": np.float64,
    "hold": _held,
}


@final
@dataclass(frozen=True, slots=True)
class NumpyFunction:
    """What :func:`to_numpy` returns: a function of points.

    Parameters
    ----------
    program : Program
    n_symbols : int or None
        Length of the points' last axis; None for bare scalars.
    """

    program: Program
    n_symbols: int | None

    def __call__(self, points: ArrayLike) -> FloatArray:
        """Return the values at points.

        Parameters
        ----------
        points : (..., p) array
            One coordinate for each symbol; (...) if one bare symbol was given.

        Returns
        -------
        (..., *shape) array
            Infinite or NaN where float64 has no value; never a warning.

        Raises
        ------
        BadData
            If the last axis has another length.
        """
        values = np.asarray(points, dtype=np.float64)
        if self.n_symbols is None:
            values = values[..., None]
        wanted = self.n_symbols or 1
        if values.ndim == 0 or values.shape[-1] != wanted:
            raise BadData(f"Expected points of shape (..., {wanted}); got {values.shape}.")
        rows = values.reshape(-1, wanted)
        results = np.empty((len(rows), len(self.program.outputs)))
        # A divergent value is an answer here, not an accident.
        with np.errstate(all="ignore"):
            for block in blocks(len(rows), POINTS_AT_ONCE):
                columns = list(rows[block].T)
                for j, result in enumerate(run(self.program, columns, _NUMPY)):
                    results[block, j] = result
        return results.reshape((*values.shape[:-1], *self.program.shape))


def to_numpy(expressions: Expressions, symbols: Symbol | Sequence[Symbol]) -> NumpyFunction:
    r"""Return a function that evaluates exact expressions at float64 points.

    Exponentials are carried with an exponent of their own (:mod:`symscore.bridge.scaled`), so that
    mixture densities, scores, denoisers and Jacobians are right far out in the tails, where every
    component underflows. Expressions are interpreted step by step: no code is generated, and
    symbols may have any name.

    Parameters
    ----------
    expressions : expression, (m,) sequence or (m, n) matrix of sympy.Expr
        Of sums, products, powers, exp, log, sqrt, trigonometric and hyperbolic functions and
        their inverses, erf, Abs and sign.
    symbols : sympy.Symbol or sequence of p symbols
        The coordinates of a point, in order.

    Returns
    -------
    callable
        From points (..., p) to values (...), (..., m) or (..., m, n); where `symbols` is a bare
        Symbol, from points (...).

    Raises
    ------
    BadData
        On a symbol that is not in `symbols`, or a function that is not listed above.

    Examples
    --------
    >>> from sympy import symbols
    >>> from symscore.exact import ExactMixture
    >>> x = symbols("x")
    >>> score = to_numpy(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]).score(x), [x])
    >>> score([[2.0], [-2000.0]]).round(6)
    array([[-1.035972e+00],
           [ 1.999000e+03]])
    """
    bare = isinstance(symbols, Symbol)
    coordinates = [symbols] if bare else list(symbols)
    if not all(isinstance(symbol, Symbol) for symbol in coordinates):
        raise BadData(f"Expected SymPy symbols; got {coordinates!a:.60}.")
    if len(set(coordinates)) < len(coordinates) or not coordinates:
        raise BadData("Expected different symbols, at least one.")
    return NumpyFunction(to_program(expressions, coordinates), None if bare else len(coordinates))
