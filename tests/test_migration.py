"""The page for users of the addon: our side of it runs, one block after the other."""

import importlib.util
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "migration.md"
BLOCKS = re.findall(r"```python\n# (\w+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def run(side: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for number, (kind, block) in enumerate(BLOCKS):
        if kind in ("both", side):
            exec(compile(block, f"migration.md block {number}", "exec"), names)
    return names


def test_every_block_has_a_side() -> None:
    assert len(BLOCKS) == PAGE.read_text().count("```python")
    assert {kind for kind, _ in BLOCKS} == {"both", "addon", "aqc"}


def test_our_side_runs_and_reaches_its_goal(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("aqc")
    result = names["result"]
    assert result.status == "goal_reached"  # type: ignore[attr-defined]
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("qiskit_addon_aqc_tensor") is None, reason="the addon is not installed"
)
def test_the_addons_side_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run("addon")
    assert "infidelity" in capsys.readouterr().out
