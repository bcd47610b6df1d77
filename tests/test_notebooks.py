"""Notebooks hold no outputs: `make notebooks` runs them, and what they print is true of today."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_it_was_written(path: Path) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        if cell["cell_type"] == "code":
            assert not "".join(cell["source"]).startswith(("!", "%"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs_from_top_to_bottom(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert all(cell.outputs for cell in notebook.cells if cell.cell_type == "code")


LONG = """
import aqc
model = {"model": "xxz_chain", "num_qubits": 20, "delta": 0.5}
settings = {"goal": {"infidelity": 1e-9}, "optimizer": {"max_steps": 10**6}}
settings |= {"initial_state": "neel", "ansatz": {"layers": 7}}
result = aqc.compile_evolution(model, 1.0, progress=aqc.live(), **settings)
print(result.status, result.certificate.infidelity < result.trotter.infidelity)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_interrupting_the_kernel_keeps_the_best_circuit() -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute(LONG)
        shown, interrupted, idle = "", False, False
        while not (interrupted and idle):
            content = client.get_iopub_msg(timeout=120)["content"]
            shown += content.get("text", "") + str(content.get("data", ""))
            idle = content.get("execution_state") == "idle"
            steps = re.findall(r"optimizing: (\d+) evaluations", shown)
            if not interrupted and steps and int(steps[-1]) > 20:
                manager.interrupt_kernel()
                interrupted = True
        assert "interrupted True" in shown
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
