"""The maps of a flow in JAX, at n points: :mod:`symscore.flow.kernels` again.

Points are columns, (d, n) or (D, n). Steps are one `scan` over arrays of one shape, so that what is
compiled does not grow with their number.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from symscore.mixture import LOG_2PI
from symscore.pymc import jax_chart as chart
from symscore.pymc.jax_dense import eliminate, identity, product, times, value_and_jacobian
from symscore.pymc.jax_layout import Numbers, Structure
from symscore.pymc.jax_steps import Rule, Step

with suppress(ImportError):  # so that this module can be read where there is no JAX
    import jax
    import jax.numpy as jnp


def sweep(advance: Callable, state: Any, items: Any, *, reverse: bool = False) -> tuple[Any, Any]:
    """Scan over the steps; without any, only find what it would return: compiling takes minutes."""
    if jax.tree.leaves(items)[0].shape[0]:
        return jax.lax.scan(advance, state, items, reverse=reverse)
    item = jax.tree.map(lambda part: jax.ShapeDtypeStruct(part.shape[1:], part.dtype), items)
    _, found = jax.eval_shape(advance, state, item)
    return state, jax.tree.map(lambda part: jnp.zeros((0, *part.shape), part.dtype), found)


@final
@dataclass(frozen=True, eq=False)
class JaxFlow:
    """A flow of points z (d, n) to x (D, n), and what follows from it.

    Parameters
    ----------
    structure : Structure
    numbers : Numbers
        As ``structure.read`` gives them.
    """

    structure: Structure
    numbers: Numbers

    @property
    def _rule(self) -> Rule:
        # As JAX's own numbers: without steps a is 0, and NumPy warns of dividing by it.
        a, w = jnp.asarray(self.numbers.a), jnp.asarray(self.numbers.w)
        return Rule(a, w, self.structure.powers)

    @property
    def _steps(self) -> Step:
        return Step(self.numbers.kappas[1:] - self.numbers.kappas[:-1], self.numbers.fields)

    @property
    def _start(self) -> Any:
        return jnp.sqrt(1.0 + self.numbers.kappas[0] ** 2)

    def push(self, z: Any) -> Any:
        """Return x (D, n), the image of z."""
        rule = self._rule

        def advance(y: Any, step: Step) -> tuple[Any, None]:
            return rule.apply(step, y), None

        y, _ = sweep(advance, self._start * z, self._steps)
        return self._chart(self._frame(y))

    def push_linearised(self, z: Any) -> tuple[Any, Any]:
        """Return x and dx/dz (D, d, n)."""
        v, slope = self._linearise(z)
        x, chart_slope = value_and_jacobian(self._chart, v)
        return x, product(chart_slope, slope)

    def pull(self, z: Any, cotangent: Any) -> Any:
        """Return (dx/dz)^T cotangent (D, n)."""
        return times(self.push_linearised(z)[1].swapaxes(0, 1), cotangent)

    def log_det(self, z: Any) -> Any:
        """Return log |det dx/dz| (n,) at z; NaN where a step is not monotone."""
        rule = self._rule

        def advance(y: Any, step: Step) -> tuple[Any, Any]:
            y, slopes = rule.linearise(step, y)
            return y, rule.log_det(step, slopes)

        y, parts = sweep(advance, self._start * z, self._steps)
        return self._base_log_det + parts.sum(axis=0) + self._chart_log_det(self._frame(y))

    def invert(self, x: Any) -> Any:
        """Return z; NaN where inverting fails or x is outside the support."""
        v, inside = self._invert_chart(x)
        z, _, log_det = self._invert(v)
        return jnp.where(inside & ~jnp.isnan(log_det), z, jnp.nan)

    def pull_inverse(self, x: Any, z: Any, cotangent: Any) -> Any:
        """Return (dz/dx)^T cotangent (d, n) at x and its z; 0 where z is NaN."""
        found = jnp.isfinite(z).all(axis=0)
        _, slope = self._linearise(jnp.where(found, z, 0.0))
        of_v = eliminate(slope.swapaxes(0, 1), cotangent[:, None])[2][:, 0]
        _, pull, _ = jax.vjp(self._invert_chart, x, has_aux=True)
        return jnp.where(found, pull(of_v)[0], 0.0)

    def density(self, x: Any) -> tuple[Any, Any]:
        """Return log q(x) (n,) and its gradient; -inf and 0 where no finite density is found."""
        v, pull, inside = jax.vjp(self._invert_chart, x, has_aux=True)
        bend, slope = value_and_jacobian(self._chart_log_det, v)
        z, path, log_det = self._invert(v)
        value = -0.5 * ((z * z).sum(axis=0) + len(z) * LOG_2PI) - log_det - bend
        finite = inside & jnp.isfinite(value)
        score = pull(self._gradient(z, path) - slope)[0]
        return jnp.where(finite, value, -jnp.inf), jnp.where(finite, score, 0.0)

    def _linearise(self, z: Any) -> tuple[Any, Any]:
        """Return the coordinates v of the image of z, and dv/dz (d, d, n)."""
        rule, y = self._rule, self._start * z

        def advance(state: tuple[Any, Any], step: Step) -> tuple[tuple[Any, Any], None]:
            y, slope = state
            y, slopes = rule.linearise(step, y)
            return (y, product(slopes.whole, slope)), None

        (y, slope), _ = sweep(advance, (y, self._start * identity(y)), self._steps)
        return self._frame(y), product(self.numbers.tril[..., None], slope) / self.numbers.kappas[
            -1
        ]

    def _frame(self, y: Any) -> Any:
        moved = times(self.numbers.tril[..., None], y) / self.numbers.kappas[-1]
        return self.numbers.loc[:, None] + moved

    @property
    def _base_log_det(self) -> Any:
        kappas, tril = self.numbers.kappas, self.numbers.tril
        scale = 0.5 * jnp.log1p(kappas[0] ** 2) - jnp.log(kappas[-1])
        return self.structure.dim * scale + jnp.log(jnp.diagonal(tril)).sum()

    def _invert(self, v: Any) -> tuple[Any, Any, Any]:
        """Return z, the states y_0 ... y_{N-1} and log |det dv/dz|, NaN where that fails."""
        rule, (loc, tril) = self._rule, (self.numbers.loc, self.numbers.tril)
        end = jax.scipy.linalg.solve_triangular(tril, v - loc[:, None], lower=True)

        def retreat(y: Any, step: Step) -> tuple[Any, tuple[Any, Any]]:
            y, slopes = rule.invert(step, y)
            return y, (y, rule.log_det(step, slopes))

        end = end * self.numbers.kappas[-1]
        y, (path, parts) = sweep(retreat, end, self._steps, reverse=True)
        return y / self._start, path, self._base_log_det + parts.sum(axis=0)

    def _gradient(self, z: Any, path: Any) -> Any:
        """Return the exact gradient in v of the discretised log density, along a path.

        With L_i the part of log q that the states up to y_i determine,
        grad L_{i+1} = F'^-T (grad L_i - grad log det F'(y_i)).
        """
        rule = self._rule

        def advance(score: Any, item: tuple[Any, Step]) -> tuple[Any, None]:
            y, step = item
            return rule.pull_score(step, y, score), None

        score, _ = sweep(advance, -z / self._start, (path, self._steps))
        return jax.scipy.linalg.solve_triangular(
            self.numbers.tril.T, score * self.numbers.kappas[-1], lower=False
        )

    def _chart(self, v: Any) -> Any:
        return self._by_column(chart.push, v)

    def _chart_log_det(self, v: Any) -> Any:
        return self._by_column(chart.log_det, v)

    def _invert_chart(self, x: Any) -> tuple[Any, Any]:
        return self._by_column(chart.invert, x)

    def _by_column(self, function: Any, points: Any) -> Any:
        return jax.vmap(partial(function, self.numbers.blocks), in_axes=-1, out_axes=-1)(points)
