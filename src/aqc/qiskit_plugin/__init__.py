"""Entry points of Qiskit's transpiler, which loads them all at every transpile.

So a module named in pyproject.toml imports nothing but Qiskit's base classes; what it needs, it
imports when it is called.
"""
