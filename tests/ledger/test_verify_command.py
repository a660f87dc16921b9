"""``symscore verify``, as a user types it."""

import json

import pytest

import symscore.ledger
from symscore.cli import main
from symscore.ledger import Outcome, Row


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Return the exit status of a command line."""
    monkeypatch.setattr("sys.argv", ["symscore", "verify", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_one_row_a_statement(monkeypatch, capsys):
    assert run(monkeypatch, "--id", "B.Herm,A.Eq3", "--quick") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["A.Eq3", "PROVED"], ["B.Herm", "PROVED"]]
    assert lines[-1] == "2 statements: 2 PROVED"


def test_machines_get_one_object(monkeypatch, capsys):
    assert run(monkeypatch, "--id", "A.Fact37", "--quick", "--json") == 0
    [row] = json.loads(capsys.readouterr().out)["entries"]
    assert set(row) == {"id", "paper", "outcome", "figure", "seconds"}
    assert (row["id"], row["paper"], row["outcome"]) == ("A.Fact37", "A", "REFUTED AS PRINTED")


def test_a_page_is_written_whole(monkeypatch, capsys, tmp_path):
    page = tmp_path / "page.html"
    assert run(monkeypatch, "--id", "A.Eq3", "--quick", "--html", str(page)) == 0
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert run(monkeypatch, "--id", "A.Eq3", "--html", str(tmp_path / "none" / "page.html")) == 2
    assert "--html in a folder that exists" in capsys.readouterr().err


def test_a_failed_check_is_exit_status_one(monkeypatch, capsys):
    failed = Row("A.Eq3", "A", Outcome.FAILED, "CheckFailed: Expected one.", 0.1)
    monkeypatch.setattr(symscore.ledger, "verify", lambda **_: (failed,))
    assert run(monkeypatch) == 1
    assert "1 statement: 1 FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--id", "nothing"), "Expected the id of an entry; got 'nothing'"),
        (("--paper", "D"), "Expected a paper A, B, C or own; got 'D'"),
        (("--paper", "B", "--id", "A.Eq3"), "Expected an id of paper B; got A.Eq3"),
    ],
)
def test_wrong_use_is_said_in_one_line(monkeypatch, capsys, words, said):
    assert run(monkeypatch, *words) == 2
    assert said in capsys.readouterr().err
