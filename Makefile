# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both create .venv first, which takes a minute the first time.
IMAGES ?= 24
WORKERS ?= 2
SEED ?= 0
# Folder for demo-data, demo-shards and demo-sheets; empty: the current one.
DEMO ?=
export VENV ?= .venv

python := $(VENV)/bin/python
data := $(if $(DEMO),$(DEMO)/)demo-data
shards := $(if $(DEMO),$(DEMO)/)demo-shards
sheets := $(if $(DEMO),$(DEMO)/)demo-sheets
# The name holds the parameters, so that other parameters draw anew.
drawn := $(data)/.drawn-images-$(IMAGES)-seed-$(SEED)

help:
	@echo 'make demo    draw a miniature of every source, convert it, verify it, draw contact sheets, read it back'
	@echo '             (IMAGES=$(IMAGES) photos per source, WORKERS=$(WORKERS); into $(data), $(shards), $(sheets))'
	@echo 'make test    all tests, with Ray and the other libraries'
	@echo 'make fast    the tests that take seconds'
	@echo 'make check   ruff, mypy, import-linter, limits of the tree'
	@echo 'make consumers  read the shards with every library of docs/consumers.md (installs 3 GB)'
	@echo 'make bench   every benchmark, and docs/benchmarks.md from their results (an hour)'
	@echo '             (PHOTOS="folder ..." real photos, STOCK=python of an environment with stock Pillow)'
	@echo 'make setup   create $(VENV) with everything in it; the other targets do it first'
	@echo 'make clean   remove $(VENV), the demo and the caches'

setup:
	@bash .ci/setup convert dev consumers remote

$(drawn): $(shell find convert/demo -name '*.py') | setup
	@if [ -d $(data) ] && ! ls $(data)/.drawn* >/dev/null 2>&1; then \
		echo '$(data) exists and was not drawn by this demo: remove it, or set DEMO=folder'; exit 1; fi
	rm -rf $(data) $(shards) $(sheets)
	mkdir -p $(data)
	touch $(data)/.drawn-begun
	$(python) -m convert.demo --root $(data) --images $(IMAGES) --seed $(SEED)
	touch $@

demo: setup $(drawn)
	$(python) -m convert.run --all --root $(data) --out $(shards) --workers $(WORKERS)
	$(python) -m shards.verify $(shards) --deep
	@mkdir -p $(sheets)
	@set -e; for split in $(shards)/*/train; do \
		source=$$(basename $$(dirname $$split)); \
		$(python) -m shards.view $$split --n 12 --out $(sheets)/$$source.png; done
	@$(python) .ci/read_back.py $(shards)

test: setup
	$(python) -m pytest -m "not gpu"

# At most four processes: each draws its own miniature, which takes ten seconds.
fast: setup
	$(python) -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not ray and not consumers and not chaos and not slow and not gpu"

check: setup
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(python) -m pytest -q tests/unit/test_tree.py tests/unit/ci/test_compiled.py

# A separate environment: some of these libraries require packages that no training job needs.
# Doctests of modules that need torch or webdataset run here, where both are installed.
consumers: override export VENV := $(VENV)-consumers
consumers: export GLAMM_CONSUMERS := all
consumers:
	@bash .ci/setup convert dev every-consumer remote
	@$(VENV)/bin/python -c 'import nvidia.dali' 2>/dev/null || $(VENV)/bin/python -m pip install -q --no-deps \
		nvidia-dali-cuda120 nvidia-nvimgcodec-cu12 optree 'libcst~=1.8' nvtx makefun gast astunparse six packaging
	$(VENV)/bin/python -m pytest -m consumers tests/consumers
	$(VENV)/bin/python -m pytest -o addopts='-ra --doctest-modules --import-mode=importlib' shards/load shards/glamm

figures := build/bench
stock := $(if $(STOCK),--stock $(STOCK))

# A separate environment: one of these libraries requires an old numpy.
bench-loader: export VENV := $(VENV)-loaders
bench-loader:
	@bash .ci/setup convert dev remote bench-loaders
	@$(VENV)/bin/python -c 'import nvidia.dali' 2>/dev/null || $(VENV)/bin/python -m pip install -q --no-deps \
		nvidia-dali-cuda120 nvidia-nvimgcodec-cu12 optree 'libcst~=1.8' nvtx makefun gast astunparse six packaging
	mkdir -p $(figures)
	$(VENV)/bin/python -m bench.loader --json $(figures)/loader.json

bench: setup bench-loader
	@bash .ci/setup convert dev consumers remote bench
	mkdir -p $(figures)
	$(python) -m bench.image $(stock) $(PHOTOS) --json $(figures)/image.json
	$(python) -m bench.label --json $(figures)/label.json
	$(python) -m bench.mask --json $(figures)/mask.json
	$(python) -m bench.grand $(stock) $(PHOTOS) --json $(figures)/grand.json
	$(python) -m bench.tar --json $(figures)/tar.json
	$(python) -m bench.index --json $(figures)/index.json
	$(python) -m bench.checksum --json $(figures)/checksum.json
	$(python) -m bench.workers --json $(figures)/workers.json
	$(python) -m bench.convert --json $(figures)/convert.json
	$(python) -m bench.glamm $(PHOTOS) --json $(figures)/glamm.json
	$(python) -m bench.report $(figures)

clean:
	rm -rf $(VENV) $(data) $(shards) $(sheets) build dist .coverage .hypothesis .*_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup demo test fast check consumers bench bench-loader clean
