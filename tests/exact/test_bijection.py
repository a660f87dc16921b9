"""Proofs that steps are bijections: what they accept, what they must refuse, and their records."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import exp

import numpy as np
import pytest
from flint import arb, fmpq

from symscore.errors import BadData, NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact import check
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.bijections.bijection import BIJECTION, FORMS, bounds_of, certificate_of
from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell, LearnedField
from symscore.exact.bijections.slope_search import defect_of, search
from symscore.exact.bijections.step_bounds import FlowStep, step_bounds
from symscore.exact.certificate import Certificate
from tests.exact.learned_fields import bump, q, random_field, slope, smallest

METHOD, OTHER = FORMS
A, W = q(0.6), q(0.88)  # b = 1/5
HALF = q(0.5)
CRUDE = bump(q(1), HALF, [])  # slope 3/4


def step_of(first: LearnedField, second: LearnedField, h: float | Fraction = 1) -> FlowStep:
    return FlowStep(first, second, A, W, q(h))


def dip(depth: fmpq) -> LearnedField:
    """One cell with ``D' = 3/4 + (1/2) e^(-u^2/18) theta (1 - u^2/9)``, least -depth, at 0."""
    return bump(q(1), HALF, [q(0), -2 * (depth + fmpq(3, 4))])


@pytest.mark.parametrize("method", FORMS)
def test_exact_denoisers_need_no_condition(method):
    crude = random_field(2, 1, amplitude=0.0)
    (bounds,) = bounds_of((step_of(crude, crude, 50),), method)
    assert (bounds.c0, bounds.c1, bounds.first, bounds.helped) == (0, 0, 1, False)
    assert float(bounds.second) == pytest.approx(0.2, rel=1e-12)


@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize(("share", "sound"), [(0.90, True), (0.94, True), (1.0, False), (3, False)])
def test_the_first_stage_is_judged_by_its_deepest_slope(method, share, sound):
    """``a h c0`` is `share`, known in closed form; a bound of 0.95 is asked for."""
    step = step_of(dip(q(share) / A), CRUDE)
    if sound:
        (bounds,) = bounds_of((step,), method)
        assert share <= bounds.c0 * Fraction(6, 10) <= Fraction(95, 100) + Fraction(1, 10**9)
        assert bounds.first == 1 - Fraction(int(A.p), int(A.q)) * bounds.c0
    else:
        with pytest.raises(NotCertified, match=r"Step 0 of 1: .*first stage"):
            bounds_of((step,), method)


@pytest.mark.parametrize("method", FORMS)
def test_a_slope_that_rises_does_not_count_against_a_step(method):
    """The sign of c: a steep rise at 0, and falls of ``2 e^(-3/2)`` times that at the sides."""
    rise = fmpq(4)
    falls = float(rise) * 0.5 * 2 * exp(-1.5) - 0.75
    field = bump(q(1), HALF, [q(0), rise])
    (bounds,) = bounds_of((step_of(field, CRUDE, Fraction(1, 2)),), method)
    assert falls <= bounds.c0 <= 0.95 / (0.6 * 0.5) + 1e-9
    with pytest.raises(NotCertified, match="first stage"):
        bounds_of((step_of(field, CRUDE, 100),), method)


@pytest.mark.parametrize("method", FORMS)
def test_the_second_stage_may_be_helped_by_the_first(method):
    """``K' = 0.8 / (1 + 0.45) + 0.2 - w h c1`` at worst: positive up to ``w h c1 = 0.75``."""
    for load, outcome in ((0.15, False), (0.4, True), (0.6, True)):
        (bounds,) = bounds_of((step_of(CRUDE, dip(q(load) / W)),), method)
        assert bounds.helped is outcome
        assert bounds.second > 0
        assert load <= float(bounds.c1) * 0.88 + 1e-12
    with pytest.raises(NotCertified, match="second stage"):
        bounds_of((step_of(CRUDE, dip(q(0.8) / W)),), method)


@pytest.mark.parametrize("method", FORMS)
def test_help_is_sought_where_the_first_stage_leads(method):
    """A steep first stage does not help at the places that it sends to the dip."""
    steep = bump(q(1), HALF, [q(0), q(10)])  # slope 5.75 at 0: 0.8 / 4.45 + 0.2 < 0.4
    with pytest.raises(NotCertified, match="second stage"):
        bounds_of((step_of(steep, dip(q(0.4) / W)),), method)
    elsewhere = LearnedCell(q(1), (q(400),), ((HALF,),), dip(q(0.4) / W).cells[0].deviation)
    far = LearnedField(q(1), (LearnedBlock(q(1), q(Fraction(1, 9)), (elsewhere,)),))
    (bounds,) = bounds_of((step_of(steep, far),), method)
    assert bounds.helped


@pytest.mark.parametrize("method", FORMS)
def test_help_is_needed_all_over_the_dip(method):
    """A first stage that is gentle where it meets the middle of the dip, and steep at its side."""
    cell = LearnedCell(q(1), (q(1),), ((HALF,),), ({(1,): q(10)},))
    steep = LearnedField(q(1), (LearnedBlock(q(1), q(16), (cell,)),))
    with pytest.raises(NotCertified, match="second stage"):
        bounds_of((step_of(steep, dip(q(0.6) / W)),), method)


@pytest.mark.parametrize("method", FORMS)
def test_a_fold_between_two_cells_is_narrower_than_any_grid(method):
    """Two cells 40 apart in y whose deviations pull across: D falls within 0.1 of the middle."""
    cells = tuple(
        LearnedCell(q(1), (q(sign),), ((q(1),),), ({(0,): q(-3 * sign)},)) for sign in (-1, 1)
    )
    field = LearnedField(q(20), (LearnedBlock(q(1), q(Fraction(1, 10**4)), cells),))
    grid = np.arange(-60, 60) + 0.5
    assert min(smallest(slope(field, np.array([y]))) for y in grid) > -0.2
    assert smallest(slope(field, np.array([0.0]))) < -10
    with pytest.raises(NotCertified, match="first stage"):
        bounds_of((step_of(field, CRUDE),), method)


@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_at_every_point_tried(method, seed):
    dim = 1 + seed % 2
    fields = [
        random_field(
            dim,
            10 * seed + k,
            cells=2,
            kappa=2.0 + k,
            amplitude=0.05,
            rates=(1 / 8, 1 / 4)[: 1 + k],
        )
        for k in (0, 1)
    ]
    (bounds,) = bounds_of((step_of(*fields, 0.2),), method)
    rng = np.random.default_rng(seed)
    for y in rng.normal(scale=4.0, size=(40, dim)):
        for field, c in zip(fields, (bounds.c0, bounds.c1), strict=True):
            assert -smallest(slope(field, y)) <= float(c)


@pytest.mark.parametrize("method", FORMS)
def test_gates_narrower_than_noise_are_no_mixtures_denoiser(method):
    """``D' = 1 - W^2 = -3`` everywhere, without any deviation."""
    narrow = bump(q(1), q(2), [])
    for step in (step_of(narrow, CRUDE), step_of(CRUDE, narrow)):
        with pytest.raises(NotCertified, match="crude part"):
            bounds_of((step,), method)


def test_searches_end_above_or_below_the_target():
    field = dip(fmpq(1))
    area = ((fmpq(1, 3), fmpq(40)),)
    with precision(64):
        form = FORMS[METHOD](field)
        low = search(defect_of(form, arb(1.01)), area, arb(1.01), lambda boxes: None)
        high = search(defect_of(form, arb(0.99)), area, arb(0.99), lambda boxes: None)
    assert low.worst is None
    assert 1 <= float(low.upper) <= 1.01
    assert abs(float(ball_of(high.worst[0]))) < 1
    # The boxes of a search that ends below the target cover the whole rectangle.
    ends = sorted((mid - half, mid + half) for ((mid, half),), _ in low.boxes)
    assert ends[0][0] == fmpq(1, 3) - 40
    assert ends[-1][1] == fmpq(1, 3) + 40
    assert all(one[1] == two[0] for one, two in pairwise(ends))


def test_three_dimensions_are_refused():
    field = random_field(3, 1)
    with pytest.raises(UnsupportedInstance, match="one or two dimensions; got 3"):
        step_bounds(step_of(field, field), FORMS[METHOD])


@pytest.mark.parametrize(("a", "w", "h"), [(0, 1, 1), (1, -1, 1), (1, 2, 1), (1, 1, 0), (2, -3, 1)])
def test_coefficients_that_the_theorem_leaves_out_are_refused(a, w, h):
    with pytest.raises(UnsupportedInstance, match="Expected a, h > 0"):
        FlowStep(CRUDE, CRUDE, q(a), q(w), q(h))


# ---- records


def certificate(*steps: FlowStep) -> Certificate:
    bounds_of(steps, METHOD)
    return certificate_of(steps, METHOD)


def test_a_certificate_survives_json_and_another_method_confirms_it():
    fields = [random_field(2, k, amplitude=0.03) for k in (1, 2)]
    made = certificate(step_of(*fields, 0.3), step_of(CRUDE, dip(fmpq(1, 100))))
    assert (made.lower, made.upper) == (0, 0)
    read = Certificate.from_json(json.loads(json.dumps(made.to_json())))
    assert read == made
    assert check(read).method == OTHER


def changed(record: dict, path: list, value: object) -> dict:
    copy = json.loads(json.dumps(record))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


FIRST = ["inputs", "steps", 0, "first"]


def test_a_record_whose_numbers_were_changed_is_not_confirmed():
    record = certificate(step_of(dip(fmpq(1, 2)), CRUDE)).to_json()
    cell = [*FIRST, "blocks", 0, "cells", 0]
    damaged = [
        changed(record, ["inputs", "steps", 0, "h"], "100"),
        changed(record, [*cell, "deviation", 0, 1, "coefficient"], "-9"),
    ]
    for one in damaged:
        with pytest.raises(NotCertified):
            check(Certificate.from_json(one))


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ([*FIRST, "kappa"], "-1", BadData),
        ([*FIRST, "kappa"], 0.5, BadData),
        ([*FIRST, "dim"], 2, BadData),
        ([*FIRST, "blocks"], [], BadData),
        ([*FIRST, "blocks", 0, "rate"], "0", BadData),
        ([*FIRST, "blocks", 0, "share"], "-1", BadData),
        ([*FIRST, "blocks", 0, "cells", 0, "whiten"], [["0"]], BadData),
        ([*FIRST, "blocks", 0, "cells", 0, "whiten"], [["1", "0"]], BadData),
        ([*FIRST, "blocks", 0, "cells", 0, "weight"], "0", BadData),
        (["inputs", "steps", 0, "a"], "0", UnsupportedInstance),
        (["inputs", "steps"], {}, BadData),
    ],
)
def test_damaged_inputs_are_refused(path, value, error):
    record = certificate(step_of(CRUDE, CRUDE)).to_json()
    with pytest.raises(error):
        BIJECTION.read(changed(record, path, value)["inputs"])


def test_flows_with_too_many_coefficients_are_refused():
    field = random_field(1, 1, cells=100, degree=40)
    with pytest.raises(ResourceLimit, match="40000 coefficients"):
        BIJECTION.write((step_of(field, field),) * 6)
    with pytest.raises(ResourceLimit, match="200 steps"):
        BIJECTION.write((step_of(CRUDE, CRUDE),) * 201)


def test_steps_of_two_dimensions_are_refused():
    with pytest.raises(UnsupportedInstance, match="two fields of one dimension"):
        replace(step_of(CRUDE, CRUDE), second=random_field(2, 1))
