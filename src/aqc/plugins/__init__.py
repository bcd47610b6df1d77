"""Plugins of Qiskit's transpiler. Qiskit loads all of a group, so their modules are light."""
