"""The steps of a flow in JAX, at n points (d, n): :mod:`symscore.flow.steps` again."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, final

from symscore.arrays import IntArray
from symscore.flow.steps import ACCEPTED_ULPS, HALVINGS, NEWTON_LIMIT, ROUNDING_ULPS
from symscore.pymc.jax_dense import eliminate, identity, norm, product, value_and_jacobian
from symscore.pymc.jax_field import denoise
from symscore.pymc.jax_layout import Fields

with suppress(ImportError):  # so that this module can be read where there is no JAX
    import jax
    import jax.numpy as jnp


class Step(NamedTuple):
    """Length h of a step and its two fields, or those of all steps along a first axis."""

    h: Any
    fields: Fields


class Slopes(NamedTuple):
    """J_0, J_1 and F' of a step, all (d, d, n)."""

    first: Any
    second: Any
    whole: Any


class Search(NamedTuple):
    """State of n damped Newton searches for F(y) = target.

    ``move`` is the Newton step from y and ``left`` its length, ``length`` the share of it that is
    tried next; ``running`` and ``found`` say whether a search goes on and how it ended.
    """

    y: Any
    slopes: Slopes
    size: Any
    move: Any
    left: Any
    length: Any
    halvings: Any
    moves: Any
    running: Any
    found: Any


@final
@dataclass(frozen=True, eq=False)
class Rule:
    """What all steps share: the coefficients a and w, and the multi-indices (F, d)."""

    a: Any
    w: Any
    powers: IntArray

    def apply(self, step: Step, y: Any) -> Any:
        """Return F(y)."""
        first = self._denoise(step, 0, y)
        second = self._denoise(step, 1, y + self.a * step.h * first)
        return y + step.h * ((1.0 - self.w) * first + self.w * second)

    def _denoise(self, step: Step, stage: int, y: Any) -> Any:
        return denoise(Fields(*(part[stage] for part in step.fields)), self.powers, y)

    def linearise(self, step: Step, y: Any) -> tuple[Any, Slopes]:
        """Return F(y) and its slopes."""
        a, w, h = self.a, self.w, step.h
        first, jac0 = value_and_jacobian(lambda v: self._denoise(step, 0, v), y)
        second, jac1 = value_and_jacobian(lambda v: self._denoise(step, 1, v), y + a * h * first)
        both = (1.0 - w) * jac0 + w * jac1 + w * a * h * product(jac1, jac0)
        slopes = Slopes(jac0, jac1, identity(y) + h * both)
        return y + h * ((1.0 - w) * first + w * second), slopes

    def log_det(self, step: Step, slopes: Slopes) -> Any:
        """Return log det F' as log det G' + log det K'; NaN unless both are positive."""
        a, w, h = self.a, self.w, step.h
        b, eye = (1.0 - w) / a, identity(slopes.whole[0])
        sign0, log0, inverse = eliminate(eye + a * h * slopes.first, eye)
        outer = (1.0 - b) * inverse + b * eye + w * h * slopes.second
        sign1, log1, _ = eliminate(outer, eye[:, :0])
        return jnp.where((sign0 > 0.0) & (sign1 > 0.0), log0 + log1, jnp.nan)

    def pull_score(self, step: Step, y: Any, score: Any) -> Any:
        """Return F'^-T (score - grad log det F'(y))."""
        whole, bends = value_and_jacobian(lambda v: self.linearise(step, v)[1].whole, y)
        inverse = eliminate(whole, identity(y))[2]
        bend = (inverse.swapaxes(0, 1)[:, :, None] * bends).sum(axis=(0, 1))
        return (inverse * (score - bend)[:, None]).sum(axis=0)

    def invert(self, step: Step, target: Any) -> tuple[Any, Slopes]:
        """Solve F(y) = target and return y, NaN where that fails, and the slopes there."""
        guess = self._denoise(step, 1, target)
        guess = self._denoise(step, 1, target - (1.0 - self.a) * step.h * guess)
        search = jax.lax.while_loop(
            lambda search: search.running.any(),
            lambda search: self._advance(step, target, search),
            _first_search(target - step.h * guess),
        )
        return jnp.where(search.found, search.y, jnp.nan), search.slopes

    def _advance(self, step: Step, target: Any, search: Search) -> Search:
        """Try a step; accept it where |r_new| <= (1 - s / 10) |r|, else halve its length s."""
        new = self._look(step, target, search.y + search.length * search.move)
        moves, halvings = search.moves + 1, search.halvings + 1
        accepted = new.size <= (1.0 - 0.1 * search.length) * search.size
        # Near the middle of far bridges the residual can go on falling by a little less than it
        # must, or not at all.
        close = search.left <= ACCEPTED_ULPS * _eps(search.y) * (1.0 + norm(search.y))
        last, stuck = moves == NEWTON_LIMIT, halvings == HALVINGS
        new = new._replace(
            moves=moves, running=new.running & ~last, found=jnp.where(last, close, new.found)
        )
        kept = search._replace(
            length=0.5 * search.length, halvings=halvings, running=~stuck, found=stuck & close
        )
        tried = _choose(accepted, new, kept)
        return _choose(search.running, tried, search)

    def _look(self, step: Step, target: Any, y: Any) -> Search:
        """Judge new points, and find the Newton step from each."""
        value, slopes = self.linearise(step, y)
        residual = target - value
        sign, _, move = eliminate(slopes.whole, residual[:, None])
        move, small = move[:, 0], ROUNDING_ULPS * _eps(y)
        size, left = norm(residual), norm(move)
        found = size <= small * (1.0 + norm(target) + norm(y))
        found |= (sign != 0.0) & (left <= small * (1.0 + norm(y)))
        sound = jnp.isfinite(size)
        return _first_search(y)._replace(
            slopes=slopes,
            size=size,
            move=move,
            left=left,
            running=sound & ~found & (sign != 0.0),
            found=sound & found,
        )


def _first_search(y: Any) -> Search:
    """Return a search whose first trial is y itself, which is better than nothing."""
    nothing, far = jnp.zeros_like(identity(y)), jnp.full_like(y[0], jnp.inf)
    count = jnp.zeros(far.shape, dtype=int)
    return Search(
        y=y,
        slopes=Slopes(nothing, nothing, nothing),
        size=far,
        move=jnp.zeros_like(y),
        left=far,
        length=jnp.ones_like(far),
        halvings=count,
        moves=count - 1,
        running=count == 0,
        found=count != 0,
    )


def _choose(condition: Any, one: Search, other: Search) -> Search:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


def _eps(y: Any) -> Any:
    return jnp.finfo(y.dtype).eps
