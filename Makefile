# Two commands on a fresh machine: `make demo`, `make test`. Everything else helps those who work on mmplat.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tables and models are small here: more threads than cores only fight each other.
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test test-fast soak strength dashboard large contracts bench check format clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) scripts/check_python.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

demo: $(VENV)/ready  ## the main job on two tiny models, the leaderboard, and how to open the dashboard
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --profile profiles/default --config grid=config/grids/demo.yaml
	$(BIN)/mmplat leaderboard --campaign demo --top 12
	@echo "Next: source $(VENV)/bin/activate, then edit config/grid.yaml and ask what it costs: mmplat plan"

test: $(VENV)/ready  ## all tests
	scripts/test

test-fast: $(VENV)/ready  ## tests without the slow ones
	$(BIN)/python -m pytest -m "not slow and not browser"

strength: $(VENV)/ready  ## trains three models whose spurious cues are known to be weak or strong, and measures them: a quarter of an hour
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --profile profiles/default $(foreach turn,a b c,results/world/tiny-graded-$(turn)-seed1/card.json)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --profile profiles/default --config grid=config/grids/spurious-strength.yaml
	$(BIN)/mmplat diagnose strength spurious-strength

soak: $(VENV)/ready  ## 50 random faults on a real SLURM; takes some minutes
	PYTHONPATH=tests $(BIN)/python tests/slurm/soak.py --faults 50 --seed $$(date +%s)

dashboard: $(VENV)/ready  ## serve the results on this machine only
	$(BIN)/python dashboard/serve.py

large: $(VENV)/ready  ## every page of the dashboard in Chromium on 11 million predictions, and how fast it is; some minutes
	$(BIN)/python bench/dashboard.py --results results/large-store --only-write
	MMPLAT_LARGE=results/large-store $(BIN)/pytest tests/dashboard/test_large_store.py
	$(BIN)/python bench/dashboard.py --results results/large-store

contracts: $(VENV)/ready  ## families × contracts, on tiny checkpoints of every real architecture
	$(BIN)/python tests/contracts/table.py

bench: $(VENV)/ready  ## speed, as ratios of arms measured in one run
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/grid.py
	$(BIN)/python bench/asking.py
	$(BIN)/python bench/writing.py

check: $(VENV)/ready  ## what must be clean before a commit: format, lint, types, layers, workflow, tests
	scripts/check

format: $(VENV)/ready  ## put the source into its format
	$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/snakefmt Snakefile workflow

clean:           ## remove what the demo made; keeps the environment
	rm -rf results logs .snakemake
