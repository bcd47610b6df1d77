"""The doors to other libraries: Qiskit and quimb. Import the module that you need."""
