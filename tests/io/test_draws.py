"""Draws go to files and come from ArviZ without losing a digit, a name or a chain."""

import warnings

import numpy as np
import pytest
import xarray

from symscore.errors import BadData, FileProblem
from symscore.io.draws import Draws, from_arviz, posterior_group, write_table
from symscore.io.tables import read_table

VALUES = np.array([[0.1, -0.0], [5e-324, 1.7976931348623157e308], [1 / 3, -1e-17]])


@pytest.fixture(scope="module")
def arviz():
    # ArviZ 0.23 warns of its successor when imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz
    return arviz


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_come_back_bit_by_bit(tmp_path, suffix):
    path = tmp_path / f"draws{suffix}"
    write_table(path, VALUES, ["mu", "cov[0, 1]"])
    table = read_table(path)
    assert table.names == ("mu", "cov[0, 1]")
    assert table.values.tobytes() == VALUES.tobytes()


def test_text_is_plain(tmp_path):
    write_table(tmp_path / "d.csv", [[0.1, 2], [1e22, -3]], ["mu", "cov[0, 1]"])
    assert (tmp_path / "d.csv").read_bytes() == b'mu,"cov[0, 1]"\n0.1,2.0\n1e+22,-3.0\n'
    write_table(tmp_path / "d.tsv", [[0.1, 2]], ["mu", "cov[0, 1]"])
    assert (tmp_path / "d.tsv").read_bytes() == b"mu\tcov[0, 1]\n0.1\t2.0\n"


def test_arviz_loads_netcdf_as_a_posterior_of_one_chain(tmp_path, arviz):
    path = tmp_path / "draws.nc"
    write_table(path, VALUES, ["mu", "theta[0]"])
    write_table(path, VALUES, ["mu", "theta[0]"])
    posterior = arviz.from_netcdf(path).posterior
    assert dict(posterior.sizes) == {"chain": 1, "draw": 3}
    assert list(posterior.data_vars) == ["mu", "theta[0]"]
    for j, name in enumerate(posterior.data_vars):
        assert posterior[name].dims == ("chain", "draw")
        assert posterior[name].values.tobytes() == VALUES[:, j].tobytes()
    assert posterior["draw"].values.tolist() == [0, 1, 2]


def test_netcdf_comes_back_through_from_arviz(tmp_path, arviz):
    write_table(tmp_path / "draws.nc", VALUES, ["b", "a"])
    draws = from_arviz(arviz.from_netcdf(tmp_path / "draws.nc"))
    assert draws.names == ("b", "a")
    assert draws.values.tobytes() == VALUES.tobytes()
    assert draws.chains.tolist() == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".nc"])
@pytest.mark.parametrize(
    "name", ["=1+1", "+a", "-a", "@SUM(A1)", " =1", "\t=1", "\r@a", "a\nb", ""]
)
def test_names_that_a_spreadsheet_would_run_are_refused(tmp_path, suffix, name):
    with pytest.raises(BadData, match="Expected column names"):
        write_table(tmp_path / f"d{suffix}", [[1.0]], [name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["1", "nan", "NA", "a;b", " a"])
def test_names_that_a_reader_would_mistake_are_refused_in_text(tmp_path, name):
    with pytest.raises(BadData, match=r"Expected column names fit for \.csv; "):
        write_table(tmp_path / "d.csv", [[1.0]], [name])
    write_table(tmp_path / "d.parquet", [[1.0]], [name])
    assert read_table(tmp_path / "d.parquet").names == (name,)


@pytest.mark.parametrize("name", ["chain", "draw", "a/b", "a ", ".", "..", "_nc4_non_coord_a"])
def test_names_that_netcdf_cannot_hold_are_refused_there(tmp_path, name):
    with pytest.raises(BadData, match=r"Expected column names fit for \.nc; "):
        write_table(tmp_path / "d.nc", [[1.0]], [name])


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        ([[1.0, 2.0]], ["a"], r"Expected values of shape \(any, 1\); got \(1, 2\)"),
        ([1.0], ["a"], r"Expected values of shape \(any, 1\)"),
        ([[1.0, np.nan]], ["a", "b"], "got nan at row 0, column 1"),
        ([[1.0, 2.0]], ["a", "a"], "Expected distinct column names; repeated: a"),
        (np.empty((0, 1)), ["a"], "Expected values with rows and columns"),
    ],
)
def test_values_that_are_no_table_are_refused(tmp_path, values, names, message):
    with pytest.raises(BadData, match=message):
        write_table(tmp_path / "d.csv", values, names)


def test_unknown_suffixes_are_refused(tmp_path):
    with pytest.raises(FileProblem, match=r"\.csv, \.tsv, \.parquet, \.nc; got \.npz"):
        write_table(tmp_path / "d.npz", [[1.0]], ["a"])


def dataset() -> xarray.Dataset:
    """Two chains of three draws; every number says where it stands."""
    chain, draw, i, j = np.ogrid[:2, :3, :2, :2]
    theta = 1000.0 * chain + 100 * draw + 10 * i + j
    variables = {
        "mu": (("chain", "draw"), theta[:, :, 0, 0]),
        "theta": (("a", "chain", "b", "draw"), theta.transpose(2, 0, 3, 1)),
        "count": (("chain", "draw"), np.arange(6).reshape(2, 3)),
    }
    return xarray.Dataset(variables, {"chain": [7, 9], "a": ["x", "y"]})


def containers(arviz):
    posterior = dataset()
    yield posterior
    yield {"posterior": posterior}
    yield xarray.DataTree.from_dict({"posterior": posterior})
    yield xarray.DataTree.from_dict({"posterior": posterior})["posterior"]
    if "InferenceData" in vars(arviz):
        yield arviz.InferenceData(posterior=posterior)


def test_every_container_gives_the_same_draws(arviz):
    for idata in containers(arviz):
        draws = from_arviz(idata)
        assert draws.names == (
            "mu", "theta[0, 0]", "theta[0, 1]", "theta[1, 0]", "theta[1, 1]", "count",
        )  # fmt: skip
        base = np.array([0.0, 100, 200, 1000, 1100, 1200])
        np.testing.assert_array_equal(draws.values[:, 0], base)
        np.testing.assert_array_equal(draws.values[:, 1:5], base[:, None] + [0, 1, 10, 11])
        np.testing.assert_array_equal(draws.values[:, 5], np.arange(6))
        assert draws.chains.tolist() == [0, 0, 0, 1, 1, 1]
        assert draws.values.dtype == np.float64
        assert draws.chains.dtype == np.int64


def test_variables_are_chosen_in_order():
    assert from_arviz(dataset(), ["count", "mu"]).names == ("count", "mu")
    assert from_arviz(dataset(), "count").names == ("count",)
    for wanted in [["nu"], []]:
        with pytest.raises(BadData, match="Expected variables among mu, theta, count; got"):
            from_arviz(dataset(), wanted)


@pytest.mark.parametrize(
    "idata", [np.ones((2, 3)), {}, 3, xarray.Dataset({"a": ("x", [1.0])}), xarray.DataTree(), None]
)
def test_what_has_no_posterior_is_refused(idata):
    with pytest.raises(BadData, match="with a posterior group over the dimensions chain and draw"):
        from_arviz(idata)


@pytest.mark.parametrize(
    ("name", "variable", "message"),
    [
        ("v", (("chain", "draw"), [[True]]), "Expected numbers for variable 'v'; got bool"),
        ("v", ("chain", [1.0]), "Expected variable 'v' over chain and draw"),
        (
            "v",
            (("chain", "draw", "k"), [[[1.0, np.inf]]]),
            r"Expected finite draws of v\[1\]; got inf at chain 0, draw 0",
        ),
        ("v", (("chain", "draw", "k"), np.empty((1, 1, 0))), "Expected draws of variable 'v'"),
        ("mu[0]", (("chain", "draw"), [[1.0]]), r"repeated: mu\[0\]"),
    ],
)
def test_bad_variables_are_named(name, variable, message):
    posterior = xarray.Dataset({"mu": (("chain", "draw", "m"), [[[1.0]]]), name: variable})
    with pytest.raises(BadData, match=message):
        from_arviz(posterior)


def numbered(*lengths: int) -> Draws:
    """Chains of these lengths; every value says the chain and the place in it."""
    chains = np.repeat(np.arange(len(lengths)), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    return Draws((100.0 * chains + place)[:, None], ("x",), chains)


def test_thinning_goes_on_within_each_chain() -> None:
    draws = numbered(5, 3, 4)
    thinned = draws.thinned(2)
    assert thinned.values[:, 0].tolist() == [0, 2, 4, 100, 102, 200, 202]
    assert thinned.chains.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert thinned.names == ("x",)
    assert draws.thinned(9).values[:, 0].tolist() == [0, 100, 200]
    np.testing.assert_array_equal(draws.thinned(1).values, draws.values)


def test_a_chain_weighs_its_share_whatever_its_length() -> None:
    draws = numbered(5, 3, 4)
    assert draws.weights is None
    weighted = draws.weighted([2, 0, 6])
    assert set(weighted.chains.tolist()) == {0, 2}
    assert weighted.shares.tolist() == [0.25, 0.75]
    for found in (weighted, weighted.thinned(3)):
        first = found.chains == 0
        # Binary shares of small whole numbers: a rounding or two for each draw.
        np.testing.assert_allclose(found.weights.mean(), 1.0, rtol=1e-15 * len(first))
        np.testing.assert_allclose(found.weights[first].sum() / len(first), 0.25, rtol=1e-14)
        assert np.ptp(found.weights[first]) == np.ptp(found.weights[~first]) == 0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1], r"Expected chain_weights of shape \(3\); got \(2,\)"),
        ([1, 1, -1], "Expected chain weights from 0 on, some positive"),
        ([0, 0, 0], "some positive"),
        ([1, np.nan, 1], "some positive"),
        ([1, np.inf, 1], "some positive"),
    ],
)
def test_weights_that_share_nothing_out_are_refused(weights: list, message: str) -> None:
    with pytest.raises(BadData, match=message):
        numbered(5, 3, 4).weighted(weights)


def test_the_group_of_draws_is_found(arviz) -> None:
    for idata in containers(arviz):
        assert list(posterior_group(idata).data_vars) == ["mu", "theta", "count"]
