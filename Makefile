# make train: set up and run the quickstart.  make test: set up and run what a change usually breaks.
# make test-all: every test.  make check: lint and types.  make docs: the documentation site.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
OUT ?= outputs
WORKERS ?= 2 # processes that run the tests side by side

.PHONY: setup train test test-rest test-all test-faults test-faults-nightly test-faults-mutations test-fuzz \
	test-fuzz-nightly check docs wheel gpu-wheels clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.trains

# What training needs and no more: no tests' tools, no extras.
$(VENV)/.trains: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

train: $(VENV)/.trains
	$(BIN)/ganvas train experiment=quickstart_gan paths.output_dir=$(OUT)
	$(BIN)/ganvas train experiment=quickstart_vqvae paths.output_dir=$(OUT)
	@echo
	@echo "samples and reconstructions: $(OUT)/quickstart/*/samples/    metrics: $(OUT)/quickstart/*/metrics.jsonl"
	@echo "watch:  $(BIN)/tensorboard --logdir $(OUT)/quickstart"
	@echo "next:   source $(BIN)/activate    then: ganvas runs ls    ganvas train --help"

PYTEST := $(BIN)/python -m pytest -n $(strip $(WORKERS)) --dist worksteal
REST := slow or slurm or ray # marks of the tests that take long and that few changes break

test: setup
	$(PYTEST) -m "not ($(strip $(REST)))"

test-rest: setup
	$(PYTEST) -m "$(strip $(REST))"

test-all: test test-rest test-faults-mutations

# Runs broken on purpose: killed, stopped, on full disks, with NaNs; see docs/faults.md.
test-faults: setup
	$(BIN)/python tests/faults/run.py --markdown docs/faults.md

test-faults-nightly: setup
	$(BIN)/python tests/faults/run.py --nightly --seed $$(date +%s)

test-faults-mutations: setup
	$(BIN)/python tests/faults/mutation.py

# Damaged files of every kind, read by commands; 60 s of a fixed seed, and hours of another one each night.
FUZZ_HOURS ?= 4
test-fuzz: setup
	$(BIN)/python tests/fuzz/run.py --seconds 60 --seed 1

test-fuzz-nightly: setup
	$(BIN)/python tests/fuzz/run.py --seconds $$(($(FUZZ_HOURS) * 3600)) --seed $$(date +%s)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation site; open $(SITE)/index.html, no server is needed. A broken link or a missing page fails.
SITE ?= site
docs: setup
	$(BIN)/python docs/site/build.py --out $(SITE)

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .

# What a GPU machine with torch, pytorch-lightning, torchmetrics and scikit-learn, and no network, lacks for
# benchmarks/gpu/check.py; for any Python 3. There:
#   python3 -m pip install --no-index --no-deps --target DIR .whl/*.whl
#   PYTHONPATH=DIR:src python3 benchmarks/gpu/check.py --out gpu.json
gpu-wheels: setup
	rm -rf .whl
	$(BIN)/python -m pip wheel --quiet --no-deps -c constraints.txt -w .whl hydra-core omegaconf antlr4-python3-runtime

clean:
	rm -rf dist build $(SITE) .pytest_cache .ruff_cache .mypy_cache
