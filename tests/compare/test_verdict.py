"""What may be said of hand-made figures."""

import numpy as np
import pytest

from symscore.compare import Comparison, Measured, MethodResult


def result(name, difference=0.0, error=0.0, **diagnostics):
    return MethodResult(
        name=name,
        log_density=Measured(-2.0 + difference, 0.1),
        difference=Measured(difference, error),
        energy_distance=Measured(0.0, 0.01),
        seconds=1.0,
        diagnostics=diagnostics,
        draws=np.array([[0.0], [1.0]]),
    )


def comparison(*others, reference="symscore"):
    return Comparison(
        results=(result(reference), *others),
        reference=reference,
        names=("x0",),
        n_training=300,
        n_holdout=100,
    )


def test_a_method_that_beats_symscore_is_named_with_its_margin():
    verdict = comparison(result("em", 0.1, 0.04), result("kde", -0.3, 0.05)).verdict
    assert verdict == (
        "EM (by 0.100 nats a row, standard error 0.040) predicts better than symscore on "
        "100 held-out rows."
    )


@pytest.mark.parametrize("difference", [0.08, -0.08, 0.0])
def test_two_standard_errors_exactly_are_not_told_apart(difference):
    verdict = comparison(result("em", difference, 0.04)).verdict
    assert verdict == (
        "No difference can be told at this sample size (100 held-out rows) between symscore and "
        "EM: EM is the simplest that does as well."
    )


def test_the_simplest_of_the_tied_is_named_and_the_beaten_told():
    verdict = comparison(
        result("mcmc", 0.01, 0.04), result("kde", 0.01, 0.04), result("em", -0.2, 0.04)
    ).verdict
    assert "between symscore and NUTS and KDE: KDE is the simplest that does as well" in verdict
    assert verdict.endswith(
        "symscore predicts better than EM (by 0.200 nats a row, standard error 0.040)."
    )


def test_symscore_is_the_simplest_where_only_a_more_elaborate_method_ties():
    assert "symscore is the simplest" in comparison(result("mcmc", 0.01, 0.04)).verdict


def test_symscore_wins_only_against_all():
    verdict = comparison(result("em", -0.2, 0.04), result("kde", -0.3, 0.04)).verdict
    assert verdict.startswith("symscore predicts better than EM (by 0.200")
    assert "and KDE (by 0.300" in verdict


def test_a_density_of_zero_loses_without_a_standard_error():
    verdict = comparison(result("kde", -np.inf, np.nan)).verdict
    assert verdict.startswith("symscore predicts better than KDE (by infinity")


def test_two_densities_of_zero_are_not_told_apart():
    assert comparison(result("kde", np.nan, np.nan)).verdict.startswith("No difference")


def test_the_reference_need_not_be_symscore():
    verdict = comparison(result("kde", 0.01, 0.04), reference="em").verdict
    assert "between EM and KDE: EM is the simplest" in verdict
    assert comparison(reference="em").verdict == "EM was compared with nothing."


@pytest.mark.parametrize(
    ("diagnostics", "words"),
    [
        ({"rhat": 1.2}, "not converged"),
        ({"divergences": 3.0}, "3 divergent"),
        ({"converged": 0.0}, "before it converged"),
        ({"at_edge": 1.0}, "end of its grid"),
    ],
)
def test_a_doubtful_figure_is_pointed_out(diagnostics, words):
    found = comparison(result("mcmc", **diagnostics))
    assert len(found.cautions) == 1
    assert words in found.cautions[0]
    assert found.cautions[0] in str(found)


def test_sound_diagnostics_need_no_caution():
    sound = result("mcmc", rhat=1.01, divergences=0.0, converged=1.0, at_edge=0.0)
    assert comparison(sound).cautions == ()


def test_the_table_leaves_blank_what_does_not_exist():
    found = comparison(result("mcmc", -0.1, 0.2, rhat=1.01, ess=400.0))
    table = found.table()
    assert table.loc["mcmc", "ess"] == 400.0
    assert np.isnan(table.loc["symscore", "rhat"])
    assert table.loc["mcmc", ["difference", "difference_se"]].tolist() == [-0.1, 0.2]
    assert str(found).splitlines()[2].split()[-3:-1] == ["-", "-"]


def test_results_are_immutable():
    with pytest.raises(TypeError, match="item assignment"):
        result("em").diagnostics["rhat"] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        result("em").draws[0, 0] = 1.0
