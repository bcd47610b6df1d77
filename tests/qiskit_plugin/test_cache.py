"""What was compiled once is found again by its content, and a damaged file does no harm."""

import logging

import numpy as np
import pytest
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

from aqc.qiskit_plugin import synthesis
from aqc.qiskit_plugin.chains import Declined
from aqc.qiskit_plugin.options import Options, default_cache
from aqc.qiskit_plugin.synthesis import synthesize

TERMS = [("XX", [0, 1], 0.5), ("ZZ", [1, 2], 0.4), ("Z", [0], 0.3)]


def gate(terms=TERMS, time=0.2) -> PauliEvolutionGate:
    return PauliEvolutionGate(SparsePauliOp.from_sparse_list(terms, 3), time)


def never(*arguments):
    raise AssertionError("nothing is left to compile")


def test_the_same_operator_is_compiled_once(tmp_path, monkeypatch):
    options = Options(cache_dir=tmp_path)
    first = synthesize(gate(), options)
    monkeypatch.setattr(synthesis, "_compile_chain", never)
    # In another order, in two parts, with another timeout.
    split = [("ZZ", [1, 2], 0.1), *reversed(TERMS[:1]), ("Z", [0], 0.3), ("ZZ", [2, 1], 0.3)]
    again = synthesize(gate(split), Options(cache_dir=tmp_path, timeout=1.0))
    assert again == first
    assert again.metadata == first.metadata
    assert again.global_phase == first.global_phase
    for other in (gate(time=0.21), gate([*TERMS, ("X", [2], 0.1)])):
        with pytest.raises(AssertionError, match="nothing is left to compile"):
            synthesize(other, options)
    with pytest.raises(AssertionError, match="nothing is left to compile"):
        synthesize(gate(), Options(cache_dir=tmp_path, seed=1))


def test_a_reason_is_remembered_but_not_a_timeout(tmp_path, monkeypatch):
    hard = {"layers": 1, "tolerance": 1e-9, "cache_dir": tmp_path}
    with pytest.raises(Declined, match="longer than `timeout`"):
        synthesize(gate(), Options(**hard, timeout=1e-9))
    with pytest.raises(Declined, match="out of reach") as first:
        synthesize(gate(), Options(**hard))
    monkeypatch.setattr(synthesis, "_compile_chain", never)
    with pytest.raises(Declined) as again:
        synthesize(gate(), Options(**hard))
    assert str(again.value) == str(first.value)


def test_a_damaged_file_is_compiled_again(tmp_path, caplog):
    first = synthesize(gate(), Options(cache_dir=tmp_path))
    (file,) = tmp_path.glob("*.qpy")
    file.write_bytes(file.read_bytes()[:50])
    with caplog.at_level(logging.WARNING, "aqc"):
        again = synthesize(gate(), Options(cache_dir=tmp_path))
    assert "compiled again" in caplog.text
    assert again == first
    assert len(file.read_bytes()) > 50


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "aqc"):
        made = synthesize(gate(), Options(cache_dir=tmp_path / "file" / "below"))
    assert made.count_ops()["cx"] > 0
    assert "nothing is kept" in caplog.text


def test_the_default_is_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "aqc" / "evolutions"
    assert Options.read({}).cache_dir == tmp_path / "aqc" / "evolutions"
    assert Options.read({"cache_dir": ""}).cache_dir is None
    assert np.isclose(Options.read({}).tolerance, 1e-4)
