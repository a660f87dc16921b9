"""Sums of streams: exact over chunks and threads, an algebra up to rounding, and refusals."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from symscore import arrays
from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, ResourceLimit, SymscoreError
from symscore.learn import statistics
from symscore.learn.blend import BlendedScore, SoftScore
from symscore.learn.frame import Whitening
from symscore.learn.ladder import ScoreLadder
from symscore.learn.ladder_design import LadderDesign, LevelDesign
from symscore.learn.score_statistics import ScoreStatistics
from symscore.learn.statistics import LevelStatistics, accumulate
from symscore.learn.stream import BLOCK, Stream, Tail, stream_noise
from symscore.schedule import Schedule
from tests.flows import make_ladder, random_field, random_frame, random_mixture
from tests.tolerances import roundoff

SEED = 2**63 + 5  # a key of 64 bits


PILOT = 32.0  # a power of two, so that ratios of weights are exact
SHARES = np.array([0.7, 0.3])


@cache
def design(pairs: int = 1) -> LadderDesign:
    """A skew frame; odd levels of two cells, even ones blends of two and of three cells.

    Degrees 0 to 2 and ridges, one infinite, take turns.
    """
    crude, finer = random_mixture(2, 2, 0), random_mixture(2, 3, 5)
    ladder = make_ladder(crude, degree=1, frame=random_frame(2, 1), max_ratio=2.4)
    fields: list[SoftScore] = list(ladder.fields)
    kappas = ladder.schedule.field_kappas.tolist()
    for i in range(0, len(fields), 2):
        other = replace(random_field(finer, kappas[i], 1, 0.02, i), rho=2.0)
        fields[i] = BlendedScore((*fields[i].members, other), SHARES)
    degrees = [[(i + m) % 3 for m in range(len(f.members))] for i, f in enumerate(fields)]
    turns = [1e-3, 1e-1, np.inf, 1e-2, 1.0]
    ridges = [[turns[(i + m) % 5] for m in range(len(f.members))] for i, f in enumerate(fields)]
    blends = replace(ladder, fields=tuple(fields))
    return LadderDesign.of(blends, degrees, ridges, pilot_weight=PILOT, pairs=pairs)


def same_coefs(a: ScoreLadder, b: ScoreLadder) -> bool:
    fields = zip(a.fields, b.fields, strict=True)
    return all(
        np.array_equal(p.coef, q.coef)
        for f, g in fields
        for p, q in zip(f.members, g.members, strict=True)
    )


def rows_of(n: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    x = design().frame.unwhiten(random_mixture(2, 3, 7).draw(n, rng=rng))
    return x, rng.gamma(2.0, size=n)


def stream(number: int, n: int = 60, pairs: int = 1) -> ScoreStatistics:
    empty = ScoreStatistics.empty(design(pairs), seed=SEED, stream=number)
    return empty.added(*rows_of(n, seed=number))


def same_bits(a: ScoreStatistics, b: ScoreStatistics) -> bool:
    a, b = a.closed(), b.closed()
    return a.streams == b.streams and all(
        np.array_equal(s.gram, t.gram)
        and np.array_equal(s.cross, t.cross)
        and (s.energy, s.weight) == (t.energy, t.weight)
        for s, t in zip(a.sums, b.sums, strict=True)
    )


def assert_close(got: ScoreStatistics, want: ScoreStatistics, whole: ScoreStatistics) -> None:
    """Equal up to the rounding of sums as large as those of `whole`."""
    assert got.closed().streams == want.closed().streams
    # Every row adds two noised rows a pair; a term is rounded once, and added once.
    terms = 4 * whole.n_rows * whole.design.pairs + 8
    sums = zip(got.closed().sums, want.closed().sums, whole.closed().sums, strict=True)
    for a, b, total in sums:
        scale = np.sqrt(np.diagonal(total.gram))
        assert np.all(np.abs(a.gram - b.gram) <= roundoff(terms, np.outer(scale, scale)))
        of_cross = roundoff(terms, scale[:, None] * total.energy**0.5)
        assert np.all(np.abs(a.cross - b.cross) <= of_cross)
        assert abs(a.energy - b.energy) <= roundoff(terms, total.energy)
        assert abs(a.weight - b.weight) <= roundoff(terms, total.weight)


# ---- chunks and threads


@pytest.fixture(scope="module")
def long() -> tuple[FloatArray, FloatArray, ScoreStatistics]:
    x, weights = rows_of(BLOCK + 2100)
    return x, weights, ScoreStatistics.empty(design(), seed=SEED).added(x, weights)


@pytest.mark.parametrize("size", [1, 7, 2048, BLOCK - 1, BLOCK])
def test_chunks_leave_no_trace(long, size):
    x, weights, whole = long
    pieces = ScoreStatistics.empty(design(), seed=SEED)
    for start in range(0, len(x), size):
        pieces = pieces.added(x[start : start + size], weights[start : start + size])
    assert same_bits(pieces, whole)
    assert (pieces.n_rows, pieces.weight) == (len(x), whole.weight)
    assert same_coefs(pieces.ladder(), whole.ladder())


def test_reading_on_the_way_changes_nothing():
    x, weights = rows_of(90)
    pieces = ScoreStatistics.empty(design(), seed=SEED)
    for part in (slice(40), slice(40, 40), slice(40, None)):
        pieces = pieces.added(x[part], weights[part])
        pieces.ladder(), pieces.closed(), pieces.fingerprint
    assert same_bits(pieces, ScoreStatistics.empty(design(), seed=SEED).added(x, weights))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_leave_no_trace(long, threads, monkeypatch):
    x, weights, whole = long
    monkeypatch.setattr(arrays, "cpu_count", lambda: threads)
    with threadpool_limits(threads):
        again = ScoreStatistics.empty(design(), seed=SEED).added(x, weights)
        assert same_bits(again, whole)
        assert same_coefs(again.ladder(), whole.ladder())


# ---- what the sums are


@pytest.mark.parametrize("pairs", [1, 2])
def test_sums_are_those_of_all_rows_with_the_noise_of_their_positions(pairs):
    n = BLOCK + 50 if pairs == 1 else 70
    value, (x, weights) = stream(3, n, pairs), rows_of(n, seed=3)
    white = design().frame.whiten(x)
    expected = []
    for i, level in enumerate(design().levels):
        noises = []
        for pair in range(pairs):
            generators = [
                np.random.Generator(
                    np.random.Philox(
                        key=np.array([SEED, i], np.uint64),
                        counter=np.array([0, block, 3, pair], np.uint64),
                    )
                )
                for block in (0, 1)
            ]
            blocks = [generator.standard_normal((BLOCK, 2)) for generator in generators]
            noises.append(np.concatenate(blocks)[:n])
        kappa = float(design().schedule.field_kappas[i])
        for member in level.members:
            rows = member.crude, kappa, white, weights, noises
            expected.append(accumulate(*rows, degree=member.degree, rho=member.rho))
    want = ScoreStatistics(value.design, SEED, tuple(expected), value.closed().streams)
    assert_close(value, want, value)
    assert value.n_rows == n
    assert abs(value.weight - weights.sum()) <= roundoff(n, weights.sum())


def test_noise_is_keyed_by_everything_and_a_prefix_of_itself():
    base = {"seed": 1, "level": 2, "stream": 3, "block": 4, "pair": 5}
    noise = stream_noise(**base, shape=(50, 2))
    assert np.array_equal(stream_noise(**base, shape=(20, 2)), noise[:20])
    for name, value in base.items():
        assert np.all(stream_noise(**(base | {name: value + 1}), shape=(50, 2)) != noise)


def test_the_ladder_solves_every_member_with_its_degree_and_ridge():
    value, chosen = stream(0), stream(0).design
    ladder, sums = value.ladder(), iter(value.closed().sums)
    assert (ladder.frame, ladder.schedule) == (chosen.frame, chosen.schedule)
    assert ladder.names == chosen.names
    for field, level in zip(ladder.fields, chosen.levels, strict=True):
        assert np.array_equal(field.shares, level.shares)
        for solved, member in zip(field.members, level.members, strict=True):
            ridge = PILOT / value.weight * member.ridge
            assert np.array_equal(solved.coef, next(sums).solve(member.degree, ridge))
            assert (solved.crude, solved.rho) == (member.crude, member.rho)
            assert solved.degree == (-1 if np.isinf(member.ridge) else member.degree)
    assert next(sums, None) is None


def test_a_blend_averages_what_its_members_learn_alone():
    """Members share the noise of their level: alone they would have the same sums."""
    levels = [(i, level) for i, level in enumerate(design().levels) if len(level.members) == 2]
    whole, (x, weights) = stream(0).ladder(), rows_of(60)
    alone = []
    for m in (0, 1):
        single = [LevelDesign(level.members[:1], [1.0]) for level in design().levels]
        for i, level in levels:
            single[i] = LevelDesign(level.members[m : m + 1], [1.0])
        chosen = replace(design(), levels=tuple(single))
        alone.append(ScoreStatistics.empty(chosen, seed=SEED).added(x, weights).ladder())
    for i, _ in levels:
        parts = [ladder.at(i).denoise(x) for ladder in alone]
        want = SHARES[0] * parts[0] + SHARES[1] * parts[1]
        size = np.abs(parts[0]).max() + np.abs(parts[1]).max()
        # The kernels add cells times features, at most three of six, and then two members.
        assert np.all(np.abs(whole.at(i).denoise(x) - want) <= roundoff(256, size))


def test_more_rows_lower_the_risk_of_other_rows():
    fresh = stream(9, 4000).closed().sums
    few, many = (
        [member.coef for field in stream(0, n).ladder().fields for member in field.members]
        for n in (30, 3000)
    )
    finite = [i for i, member in enumerate(design().members) if np.isfinite(member.ridge)]
    risks = [[fresh[i].risk(coefs[i]) for coefs in (few, many)] for i in finite]
    assert all(of_many < of_few for of_few, of_many in risks)


def test_only_ratios_of_weights_matter():
    x, weights = rows_of(80)
    empty = ScoreStatistics.empty(design(), seed=SEED)
    heavy = ScoreStatistics.empty(replace(design(), pilot_weight=4 * PILOT), seed=SEED)
    assert same_coefs(empty.added(x, weights).ladder(), heavy.added(x, 4 * weights).ladder())
    counted = empty.added(x), empty.added(x, np.ones(80))
    assert same_bits(*counted)


def test_a_ridge_fades_as_rows_come_in():
    """Four times the weight acts as a quarter of every ridge."""
    x, weights = rows_of(80)
    levels = tuple(
        replace(level, members=[replace(m, ridge=m.ridge / 4) for m in level.members])
        for level in design().levels
    )
    weak = ScoreStatistics.empty(replace(design(), levels=levels), seed=SEED)
    more = ScoreStatistics.empty(design(), seed=SEED).added(x, 4 * weights)
    assert same_coefs(more.ladder(), weak.added(x, weights).ladder())


def test_a_value_keeps_its_rows_to_itself():
    x, weights = rows_of(30)
    value = ScoreStatistics.empty(design(), seed=SEED).added(x, weights)
    before = value.ladder()
    x[:], weights[:] = 0.0, 1.0
    assert same_coefs(value.ladder(), before)


# ---- the algebra


def test_merging_is_commutative_to_the_last_bit():
    a, b = stream(0), stream(1, 75)
    assert same_bits(a + b, b + a)
    assert (a + b).n_rows == 135
    assert (a + b).weight == (b + a).weight


def test_merging_is_associative_up_to_rounding():
    a, b, c = (stream(k, 50 + 10 * k) for k in range(3))
    assert_close((a + b) + c, a + (b + c), a + b + c)


def test_no_rows_are_neutral():
    a, nothing = stream(0), ScoreStatistics.empty(design(), seed=SEED)
    assert same_bits(a + nothing, a)
    assert same_bits(nothing + a, a)
    assert same_bits(a - nothing, a)


def test_taking_away_what_was_added_leaves_the_rest():
    a, b, c = (stream(k, 50 + 10 * k) for k in range(3))
    whole = a + b + c
    assert_close(whole - b, a + c, whole)
    assert_close(whole - (a + c), b, whole)
    assert_close((whole - b) + b, whole, whole)
    assert (whole - b).n_rows == 120
    assert [s.number for s in (whole - b).streams] == [0, 2]


def test_taking_away_all_leaves_exactly_nothing():
    whole = stream(0) + stream(1)
    none = whole - whole
    assert (none.n_rows, none.weight) == (0, 0.0)
    assert all(not member.gram.any() for member in none.sums)
    with pytest.raises(BadData, match="Expected rows of positive weight"):
        none.ladder()


def test_a_window_slides():
    days = [stream(k, 40) for k in range(5)]
    window = days[0] + days[1] + days[2]
    window = window - days[0] + days[3]
    window = window - days[1] + days[4]
    assert_close(window, days[2] + days[3] + days[4], days[0] + days[1] + window)


# ---- fingerprints


def test_the_fingerprint_is_of_the_design_and_seed_alone():
    afresh = replace(design(), frame=Whitening(design().frame.loc, design().frame.scale_tril))
    mark = ScoreStatistics.empty(afresh, seed=SEED, stream=4).fingerprint
    assert stream(0).fingerprint == (stream(1) + stream(2)).fingerprint == mark
    assert len(mark) == 64
    assert same_bits(stream(0) + ScoreStatistics.empty(afresh, seed=SEED), stream(0))


def level_with(**changes) -> Callable[[LadderDesign], LadderDesign]:
    def changed(old: LadderDesign) -> LadderDesign:
        levels = list(old.levels)
        levels[2] = replace(levels[2], **changes)
        return replace(old, levels=tuple(levels))

    return changed


def member_with(**changes) -> Callable[[LadderDesign], LadderDesign]:
    def changed(old: LadderDesign) -> LadderDesign:
        first, second = old.levels[2].members
        return level_with(members=(first, replace(second, **changes)))(old)

    return changed


UNLIKE = {
    "column names": lambda old: replace(old, names=("a", "b")),
    "frame": lambda old: replace(old, frame=Whitening(old.frame.loc + 1e-12, old.frame.scale_tril)),
    "schedule": lambda old: replace(
        old, schedule=Schedule(old.schedule.kappas * 1.01, old.schedule.rule)
    ),
    "number of noise pairs": lambda old: replace(old, pairs=3),
    "weight of the pilot's rows": lambda old: replace(old, pilot_weight=2 * PILOT),
    "shares of level 2": level_with(shares=SHARES[::-1]),
    "cells of member 1 of level 2": member_with(crude=random_mixture(2, 3, 1)),
    "degree of member 1 of level 2": member_with(degree=4),
    "ridge of member 1 of level 2": member_with(ridge=0.5),
    "damping radius of member 1 of level 2": member_with(rho=4.0),
}


@pytest.mark.parametrize("part", UNLIKE)
def test_unlike_designs_are_refused_by_name(part):
    x, weights = rows_of(20)
    other = ScoreStatistics.empty(UNLIKE[part](design()), seed=SEED, stream=1).added(x, weights)
    assert other.fingerprint != stream(0).fingerprint
    for combine in (ScoreStatistics.__add__, ScoreStatistics.__sub__):
        with pytest.raises(BadData, match=f"one design; the two differ in the {part}:"):
            combine(stream(0), other)


def test_a_blend_is_unlike_its_first_member():
    alone = level_with(members=design().levels[2].members[:1], shares=[1.0])(design())
    other = ScoreStatistics.empty(alone, seed=SEED, stream=1)
    for left, right in [(stream(0), other), (other, stream(0))]:
        with pytest.raises(BadData, match="the two differ in the shares of level 2"):
            _ = left + right


def test_unlike_seeds_are_refused():
    other = ScoreStatistics.empty(design(), seed=1, stream=1)
    with pytest.raises(BadData, match="the two differ in the seed"):
        _ = stream(0) + other


# ---- other refusals


def test_streams_must_not_meet():
    with pytest.raises(BadData, match="stream 1 is in both"):
        _ = (stream(0) + stream(1)) + (stream(1) + stream(2))


def test_only_what_was_merged_can_be_taken_away():
    x, weights = rows_of(60, seed=1)
    whole, start = stream(0) + stream(1), ScoreStatistics.empty(design(), seed=SEED, stream=1)
    never_merged = [
        stream(2),
        start.added(x[:59], weights[:59]),
        start.added(x + 1e-9, weights),  # as many rows of the same weight
        stream(1).added(x[:1]),
    ]
    for part in never_merged:
        with pytest.raises(BadData, match="Expected to take away what was merged; stream"):
            _ = whole - part


def test_merged_values_have_no_next_row():
    with pytest.raises(BadData, match="Expected sums of one stream"):
        (stream(0) + stream(1)).added(*rows_of(3))


@pytest.mark.parametrize(
    ("x", "weights", "message"),
    [
        (np.ones((3, 1)), None, r"Expected x of shape \(any, 2\)"),
        ([[1.0, np.nan]], None, "Expected finite x; got nan at row 0, column 1"),
        (np.ones((3, 2)), np.ones(2), r"Expected weights of shape \(3\)"),
        (np.ones((2, 2)), [1.0, -1.0], "finite and not negative"),
        (np.ones((2, 2)), [1.0, np.inf], "finite and not negative"),
    ],
)
def test_unusable_rows(x, weights, message):
    with pytest.raises(BadData, match=message):
        stream(0).added(x, weights)


def test_rows_of_no_weight_solve_nothing():
    x, _ = rows_of(5)
    with pytest.raises(BadData, match="Expected rows of positive weight"):
        ScoreStatistics.empty(design(), seed=SEED).added(x, np.zeros(5)).ladder()


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 2**64}, {"seed": 0, "stream": -1}])
def test_keys_out_of_range(options):
    with pytest.raises(BadOption, match=r"Expected a (seed|stream number) from 0 to"):
        ScoreStatistics.empty(design(), **options)


def test_too_large_sums_are_refused_before_any_row(monkeypatch):
    monkeypatch.setattr(statistics, "GRAM_LIMIT", 8 * 11**2)
    with pytest.raises(ResourceLimit, match="2 cells of degree 2"):
        ScoreStatistics.empty(design(), seed=0)


def test_values_that_do_not_belong_together():
    value = stream(0)
    with pytest.raises(BadData, match="sums; got 1"):
        ScoreStatistics(design(), SEED, value.sums[:1], ())
    with pytest.raises(BadData, match="summed in whole blocks"):
        ScoreStatistics(design(), SEED, value.sums, (Stream(0, 5),), Tail(np.ones((1, 2)), [1.0]))
    with pytest.raises(BadData, match="levels, two a step"):
        replace(design(), levels=design().levels[:-1])
    with pytest.raises(BadData, match="cells and names of dimension 2"):
        replace(design(), names=("a",))
    with pytest.raises(BadOption, match="Expected pairs >= 1"):
        replace(design(), pairs=0)
    for weight in (0.0, np.inf, np.nan):
        with pytest.raises(BadOption, match="Expected a finite pilot_weight > 0"):
            replace(design(), pilot_weight=weight)
    for change in ({"degree": -1}, {"ridge": -1.0}, {"ridge": np.nan}, {"rho": 0.0}):
        with pytest.raises(BadOption, match="Expected degree >= 0, ridge >= 0"):
            replace(design().members[0], **change)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": ()}, "Expected at least one member"),
        ({"shares": [1.0]}, r"Expected shares of shape \(2\)"),
        ({"shares": [0.7, 0.4]}, "Expected positive shares with sum one"),
        ({"shares": [1.0, 0.0]}, "Expected positive shares with sum one"),
        ({"shares": [np.nan, 0.5]}, "Expected positive shares with sum one"),
    ],
)
def test_shares_that_are_none(changes, message):
    with pytest.raises(SymscoreError, match=message):
        replace(design().levels[0], **changes)


def test_level_sums_subtract():
    crude, (x, weights) = random_mixture(2, 2, 0), rows_of(40)

    def of(part: slice) -> LevelStatistics:
        return accumulate(crude, 1.0, x[part], weights[part], [x[part]], degree=1, rho=3.0)

    whole, first, last = of(slice(None)), of(slice(25)), of(slice(25, None))
    scale = np.sqrt(np.diagonal(whole.gram))
    left = whole - first
    assert np.all(np.abs(left.gram - last.gram) <= roundoff(160, np.outer(scale, scale)))
    assert abs(left.weight - last.weight) <= roundoff(160, whole.weight)
    with pytest.raises(BadData, match="one partition and level"):
        _ = whole - replace(first, degree=2)
