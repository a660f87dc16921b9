"""Plans in files, in pictures and on the command line."""

import json
import sys
from fractions import Fraction

import pytest
from matplotlib.figure import Figure

from symscore.cli import main
from symscore.errors import BadData, BadOption, FileProblem
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import read_mixture
from symscore.exact.claims import certify
from symscore.exact.planning.plan_files import mixture_in, mixture_of, save_plan
from symscore.exact.planning.planner import plan
from symscore.exact.planning.separation import separation_plan

RECORD = {"weights": ["1/2", "1/2"], "means": ["-1", "1"], "covariances": ["1", "1"]}
TWO = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])


@pytest.fixture(scope="module")
def found():
    return plan(TWO, "0.03", alphas=[1, "3/5"])


def test_table_is_what_was_found(found):
    assert found.table().splitlines() == [
        "alpha  sigma  information  degree      rms  cells  degree there  rms there",
        "    1  0.000     0.550400       9  0.02354      2             3    0.01102",
        "  3/5  0.800     0.738486       3  0.01770      1             3    0.01770",
    ]


def test_json_says_everything_in_short_rationals(found):
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert read_mixture(record["mixture"]) == RationalMixture.of(TWO)
    assert Fraction(record["rms"]) == Fraction(3, 100)
    first, second = record["levels"]
    assert (first["alpha"], second["alpha"]) == ("1", "3/5")
    assert first["cells"] == {"normal": ["1"], "offsets": ["0"]}
    assert second["cells"] is None
    assert first["one_cell"]["degree"] == 9
    assert first["with_cells"]["degree"] == 3
    for need in (first["one_cell"], second["with_cells"]):
        above = Fraction(need["squared_error"][1])
        below = Fraction(need["squared_error_below"][0])
        assert above <= Fraction(9, 10**4) < below
        assert all(len(end) < 40 for end in need["squared_error"])


def test_json_of_separations():
    record = json.loads(json.dumps(separation_plan([4], "0.03").to_json(), allow_nan=False))
    (row,) = record["separations"]
    assert (row["mu"], row["one_cell"]["degree"], row["with_cells"]["degree"]) == ("4", 39, 1)


def test_a_specification_serves_plan_and_certify(tmp_path):
    spec = {"claim": "projection-error", "mixture": RECORD, "degree": 3, "digits": 6}
    expected = RationalMixture.of(TWO)
    assert mixture_of(spec) == mixture_of(RECORD) == mixture_of({"mixture": RECORD}) == expected
    assert certify(spec).claim == "projection-error"
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    assert mixture_in(path) == expected


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "'mixture'; it is missing"),
        ({"mixture": RECORD, "rms": "0.1"}, "got 'rms'"),
        ({"claim": "fisher-information"}, "'mixture'; it is missing"),
        ({"weights": [1]}, "'means'; it is missing"),
        ({**RECORD, "rms": 1}, "got 'rms'"),
        ({"mixture": [1]}, "spec.mixture: expected an object"),
        ({"mixture": {**RECORD, "weights": ["1/2", 0.5]}}, "spec.mixture.weights"),
        ({"mixture": {**RECORD, "weights": ["1/2", "1/3"]}}, "sum to one"),
    ],
)
def test_other_specifications_are_refused(record, message):
    with pytest.raises(BadData, match=message):
        mixture_of(record)


def test_pictures_show_what_was_found(found, tmp_path):
    ax = Figure().subplots()
    assert found.plot(ax) is ax
    one, pieces = ax.lines
    assert list(one.get_ydata()) == [9, 3]
    assert list(pieces.get_ydata()) == [3, 3]
    assert list(one.get_xdata()) == [0, 0.8]
    for name in ("plan.png", "plan.PDF", "plan.svg"):
        found.plot(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_mark_degrees_that_are_not_enough():
    ax = Figure().subplots()
    separation_plan([1, 4], "0.03", most_degree=20).plot(ax)
    (beyond,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert (list(beyond.get_xdata()), list(beyond.get_ydata())) == ([4], [20])


def test_plans_are_saved_by_the_ending_of_the_name(found, tmp_path):
    save_plan(found, tmp_path / "plan.json")
    record = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert record == found.to_json()
    with pytest.raises(BadOption, match=r"\.json"):
        save_plan(found, tmp_path / "plan.txt")
    with pytest.raises(BadOption, match=r"\.png"):
        found.plot(tmp_path / "plan.json")
    with pytest.raises(FileProblem):
        found.plot(tmp_path / "absent" / "plan.png")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run ``symscore plan`` on a file with RECORD; returns status, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.json").write_text(json.dumps({"mixture": RECORD}), encoding="utf-8")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["symscore", "plan", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


def test_command_prints_the_table(command, found):
    assert command("spec.json", "--rms", "0.03", "--alphas", "1,3/5") == (
        0,
        found.table() + "\n",
        "",
    )


def test_command_writes_json_and_pictures(command, found, tmp_path):
    words = ("spec.json", "--rms", "0.03", "--alphas", "1,3/5", "--cells", "2", "--quiet")
    status, shown, errors = command(*words, "--json", "-o", "plan.png")
    assert (status, json.loads(shown), errors) == (0, found.to_json(), "")
    assert (tmp_path / "plan.png").exists()
    assert command(*words, "--output", "plan.json")[0] == 0
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8")) == found.to_json()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("absent.json", "--rms", "1"), "absent.json"),
        (("spec.json", "--rms", "zero"), "Expected rms"),
        (("spec.json", "--rms", "0"), "Expected rms"),
        (("spec.json", "--rms", "1", "--alphas", "1,2"), "alpha in (0, 1]"),
        (("spec.json", "--rms", "1", "--alphas", "1,,"), "Expected alpha"),
        (("spec.json", "--rms", "1", "--cells", "0"), "Expected cells"),
        (("spec.json", "--rms", "1", "-o", "plan.txt"), ".png, .pdf, .svg or .json"),
        (("spec.json", "--rms", "1", "-o", "absent/plan.png"), "in a folder that exists"),
    ],
)
def test_misuse_is_one_line_and_status_2(command, words, message):
    status, shown, errors = command(*words)
    assert (status, shown) == (2, "")
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_what_cannot_be_certified_has_status_1(command, tmp_path):
    eye, double = ([[a if i == j else 0 for j in range(4)] for i in range(4)] for a in (1, 2))
    record = {"weights": ["1/2", "1/2"], "means": [[0] * 4] * 2, "covariances": [eye, double]}
    (tmp_path / "wide.json").write_text(json.dumps(record), encoding="utf-8")
    status, shown, errors = command("wide.json", "--rms", "0.1")
    assert (status, shown) == (1, "")
    assert "method" in errors
