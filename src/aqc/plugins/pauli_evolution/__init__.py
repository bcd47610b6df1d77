"""The method `PauliEvolution.aqctensor` of Qiskit's high-level synthesis, by unitary mode."""
