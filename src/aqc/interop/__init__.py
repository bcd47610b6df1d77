"""The doors to other libraries; only the modules in here import Qiskit or quimb."""
