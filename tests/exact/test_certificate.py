"""Certificates as records: written, read, checked by a second method, refused when touched."""

import dataclasses
import json
from fractions import Fraction

import pytest

from symscore.errors import BadData, FileProblem, NotCertified
from symscore.exact import Certificate, ExactMixture, certify, check, fisher_information
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.certificate import raised, widened
from symscore.exact.claims import CLAIMS

MIXTURE = {"weights": ["1/3", "2/3"], "means": ["-7/5", "4/3"], "covariances": ["1/4", "9/4"]}
SHARED = {"weights": ["1/2", "1/2"], "means": [-1, 1], "covariances": [1, 1]}


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return certify({"claim": "fisher-information", "digits": 15, "mixture": MIXTURE})


def test_a_file_holds_the_whole_certificate(certificate, tmp_path):
    path = tmp_path / "j.json"
    certificate.save(path)
    assert Certificate.load(path) == certificate
    assert list(tmp_path.iterdir()) == [path]


def test_the_width_is_what_was_asked_for(certificate):
    assert certificate.width <= Fraction(1, 10**15)


@pytest.mark.parametrize("mixture", [MIXTURE, SHARED], ids=["unequal", "shared"])
def test_a_check_uses_another_method_and_encloses_more_narrowly(mixture):
    made = certify({"claim": "fisher-information", "digits": 15, "mixture": mixture})
    found = check(made)
    assert found.method != made.method
    assert made.enclosure.contains(found.enclosure)
    assert found.enclosure.width < made.width


def moved(certificate: Certificate, by: Fraction) -> Certificate:
    return dataclasses.replace(
        certificate, lower=certificate.lower + by, upper=certificate.upper + by
    )


@pytest.mark.parametrize("widths", [Fraction(3, 2), -Fraction(3, 2), Fraction(10**6)])
def test_a_moved_enclosure_is_refused(certificate, widths):
    with pytest.raises(NotCertified, match="finds it between"):
        check(moved(certificate, widths * certificate.width))


def test_an_enclosure_whose_end_is_the_number_is_undecided():
    two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    nearly = fisher_information(two, digits=60).midpoint
    touching = dataclasses.replace(fisher_information(two, digits=12), lower=nearly)
    with pytest.raises(NotCertified, match="too near"):
        check(touching)


def test_an_enclosure_without_width_is_refused(certificate):
    with pytest.raises(NotCertified, match="some width"):
        check(dataclasses.replace(certificate, upper=certificate.lower))


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "J is large"},
        {"excludes": ()},
        {"method": "by inspection"},
    ],
)
def test_a_record_that_says_something_else_is_refused(certificate, change):
    with pytest.raises(NotCertified, match=r"word for word|one of the methods"):
        check(dataclasses.replace(certificate, **change))


def test_a_mixture_changed_by_one_digit_is_refused(certificate):
    inputs = json.loads(json.dumps(certificate.inputs))
    inputs["mixture"]["means"][0][0] = "-8/5"
    with pytest.raises(NotCertified):
        check(dataclasses.replace(certificate, inputs=inputs))


def touched(record: dict, key: str, value: object) -> dict:
    changed = json.loads(json.dumps(record))
    if value is None:
        del changed[key]
    else:
        changed[key] = value
    return changed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "symscore certificate 2"),
        ("claim", None),
        ("claim", 3),
        ("lower", 0.5),
        ("lower", "1/0"),
        ("lower", "2"),
        ("upper", "nan"),
        ("upper", "1e999999999"),
        ("inputs", []),
        ("excludes", "nothing"),
        ("comment", "no such key"),
    ],
)
def test_a_record_of_another_shape_is_refused(certificate, key, value):
    with pytest.raises(BadData):
        Certificate.from_json(touched(certificate.to_json(), key, value))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff\xfe", b"[" * 10**5, b"1" * 5000],
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path, content):
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(BadData):
        Certificate.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileProblem, match="absent"):
        Certificate.load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"claim": "beauty", "mixture": SHARED},
        {"claim": ["fisher-information"], "mixture": SHARED},
        {"claim": "fisher-information"},
        {"claim": "fisher-information", "mixture": SHARED, "degree": 3},
        {"claim": "fisher-information", "mixture": SHARED, "digits": "12"},
        {"claim": "fisher-information", "mixture": SHARED, "digits": 10**9},
        {"claim": "fisher-information", "mixture": SHARED, "digits": 10**5000},
        {"claim": "fisher-information", "mixture": {1: 2}},
        {"claim": "fisher-information", "mixture": SHARED | {"weights": [0.5, 0.5]}},
        {"claim": "fisher-information", "mixture": SHARED | {"weights": ["1/2", "1/3"]}},
        {"claim": "fisher-information", "mixture": SHARED | {"weights": "1/2"}},
        {"claim": "fisher-information", "mixture": SHARED | {"covariances": [-1, 1]}},
        {"claim": "fisher-information", "mixture": SHARED | {"means": ["__import__('os')", 1]}},
        {"claim": "fisher-information", "mixture": SHARED | {"means": [[-1, 0], [1]]}},
        {"claim": "projection-error", "mixture": SHARED, "degree": -1},
        {"claim": "projection-error", "mixture": SHARED, "degree": True},
    ],
)
def test_a_specification_that_is_none_is_refused(spec):
    with pytest.raises(BadData):
        certify(spec)


def test_every_claim_has_two_methods_and_says_what_it_excludes():
    for claim in CLAIMS.values():
        assert len(claim.routes) >= 2
        assert claim.excludes
        assert claim.statement


@pytest.mark.parametrize("value", ["1/3", "1/2", "0", "-7/3", "123456789/1000"])
def test_widening_goes_strictly_outside_by_at_most_two_units(value):
    ends = Enclosure(Fraction(value), Fraction(value) + Fraction(1, 7**9))
    unit = Fraction(1, 1000)
    wide = widened(ends, unit)
    assert wide.lower < ends.lower
    assert ends.upper < wide.upper
    assert wide.width <= ends.width + 2 * unit


@pytest.mark.parametrize(
    "value", ["1/3", "1", "10", "99999999/7", "1/123456789", "9999999/10000000"]
)
def test_a_raised_bound_is_above_by_two_millionths_at_most(value):
    bound = Fraction(value)
    assert bound < raised(bound) <= bound * (1 + Fraction(2, 10**6))
