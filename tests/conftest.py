"""What holds for every test: few threads per worker, the CPU, and the same examples each run."""

import os

from hypothesis import HealthCheck, settings

# Set before NumPy and JAX load: each of the parallel workers would start a thread per core.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

# No clocks: a busy machine is no failure. Derandomized: a change breaks a test, not a draw.
settings.register_profile(
    "aqc", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("aqc")
