# The few commands of this project. Everything is installed into ./.venv and nowhere else.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# uv resolves the pins; it lives apart because nothing else needs it.
UV := build/uv/bin/uv
PIN := $(UV) pip compile --quiet --no-header --no-annotate --no-emit-index-url \
	--no-emit-find-links --python-version 3.11

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo serve docker-verify test test-slow test-min bench bench-blocks bench-deep bench-engine bench-gpu bench-lattices bench-noise bench-kernels bench-service bench-shelf bench-states bench-unitary catalogue \
	notebooks lint format pins clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Install everything into ./.venv (PYTHON=python3.12 chooses another Python)

demo: venv ## Start the service, compile a 50-qubit chain, show the result, stop (aqc-out/demo-service)
	$(BIN)/python -m aqc_service.demo examples/xxz_50.json

serve: venv ## Run the service with its page until Ctrl-C; its data lies in ./aqc-data
	$(BIN)/aqc serve

test: venv ## Run every test that is not slow, and the docstring examples
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-slow: venv ## Run the slow tests only
	$(BIN)/python -m pytest -n $(WORKERS) -m slow

bench: venv $(VENV)-bench/.installed ## Run aqc and qiskit-addon-aqc-tensor on the same problem in turn (bench.json)
	$(BIN)/python benchmarks/run.py --addon-python $(VENV)-bench/bin/python

bench-engine: venv ## Time the engine's parts against the machine's own rates (bench-engine.json)
	$(BIN)/python benchmarks/engine.py

bench-deep: venv ## Deep circuits, long chains, long times (bench-deep.json); an hour; ARGS="--cases B6" for some
	$(BIN)/python benchmarks/deep.py $(ARGS)

bench-gpu: venv ## The evaluations of bench-deep on an accelerator that JAX has (bench-gpu.json)
	JAX_PLATFORMS=$${JAX_PLATFORMS:-cuda} $(BIN)/python benchmarks/deep.py --cases batches evaluations --output bench-gpu.json

bench-blocks: venv ## Compare block types at equal CX depth, and preparation with staircases of gates
	$(BIN)/python benchmarks/blocks.py

bench-lattices: venv ## Rings, ladders, patches and farther couplings beside the best product formula
	$(BIN)/python benchmarks/lattices.py

bench-noise: venv ## The curve of fidelity against depth on noisy devices, 20 to 100 qubits
	$(BIN)/python benchmarks/noise.py

bench-service: venv ## Time what the service adds to a compile
	$(BIN)/python benchmarks/service.py

bench-kernels: venv ## Kernels through the service under load, with keys and quotas
	$(BIN)/python benchmarks/kernels.py

bench-shelf: venv ## Costs of the shelf's physics kernels as sizes grow, and general solvers beside them
	$(BIN)/python benchmarks/shelf.py

bench-states: venv $(VENV)-bench/.installed ## B11 beside published depths, staircases and qiskit-addon-aqc-tensor (bench-states.json)
	$(BIN)/python benchmarks/states.py --addon-python $(VENV)-bench/bin/python

bench-unitary: venv ## Unitary mode against published costs and Qiskit's own synthesis (bench-unitary.json)
	$(BIN)/python benchmarks/unitary.py

catalogue: venv ## Write what the shelf's kernels say of themselves: catalogue.json, docs/kernels.md
	$(BIN)/python -m aqc.kernels docs

notebooks: venv ## Run every notebook from top to bottom; nothing is written
	$(BIN)/jupyter-execute notebooks/*.ipynb

lint: venv ## Check format, style, types and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv ## Rewrite the code in the format that lint expects
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-min: $(VENV)-min/.installed ## Run the tests on the oldest supported libraries (needs Python 3.11)
	$(VENV)-min/bin/python -m pytest -n $(WORKERS) -m "not slow"

docker-verify: ## Build the image without Docker and run it (root; needs buildah and mmdebstrap)
	docker/verify.sh

pins: $(UV) ## Refresh the constraints files from pyproject.toml
	$(PIN) --upgrade --universal --fork-strategy fewest --generate-hashes \
		--extra dev --output-file constraints.txt pyproject.toml
	$(PIN) --upgrade --resolution lowest-direct --only-binary :all: \
		--extra dev --output-file constraints-min.txt pyproject.toml
	echo hatchling | $(PIN) --universal --fork-strategy fewest --generate-hashes \
		--extra service --constraint constraints.txt --output-file constraints-service.txt pyproject.toml -

clean: ## Remove caches, build products and the demo's output
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf aqc-out/demo-service
	find src service tests -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## The same, and the installed environments
	rm -rf $(VENV) $(VENV)-min $(VENV)-bench

# $(call install,VENV,PINS,PIP OPTIONS): make the environment unless a working one is there.
define install
	@command -v $(PYTHON) >/dev/null || { \
		echo "aqc needs Python 3.11 or newer, but there is no $(PYTHON). On Debian or Ubuntu:"; \
		echo "    sudo apt install -y python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "aqc needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one:  make venv PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu:"; \
		echo "    sudo apt install -y python3-venv"; exit 1; }
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
	@echo "Installing into ./$(1); the first time this downloads about 300 MB ..."
	@$(1)/bin/python -m pip install --quiet $(3) --requirement $(2)
	@$(1)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)-bench/.installed: benchmarks/requirements.txt
	@$(PYTHON) -m venv --clear $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --requirement $<
	@touch $@

$(STAMP): pyproject.toml constraints.txt
	$(call install,$(VENV),constraints.txt,--require-hashes)

$(VENV)-min/.installed: pyproject.toml constraints-min.txt
	$(call install,$(VENV)-min,constraints-min.txt,--only-binary :all:)

$(UV):
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet uv
