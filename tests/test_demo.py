"""The demo, as a newcomer runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "symscore", "demo", "--json", "--output", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["comparison"]) == {"symscore", "em", "kde", "mcmc"}
    assert found["masses_agree"] is True
    assert 0.3 < found["short_mode"]["reference"]["value"] < 0.6
    assert len(found["pictures"]) == 4
    assert all(Path(path).stat().st_size > 10_000 for path in found["pictures"])
