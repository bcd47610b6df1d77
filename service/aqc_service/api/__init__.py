"""The HTTP interface: thin routes around the store; it computes nothing and imports no JAX."""
