# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both begin by making .venv, which takes a minute once and nothing afterwards.
IMAGES ?= 24
WORKERS ?= 2
SEED ?= 0
# Where demo-data, demo-shards and demo-sheets go; empty: here.
DEMO ?=
export VENV ?= .venv

python := $(VENV)/bin/python
data := $(if $(DEMO),$(DEMO)/)demo-data
shards := $(if $(DEMO),$(DEMO)/)demo-shards
sheets := $(if $(DEMO),$(DEMO)/)demo-sheets
# Its name holds what was drawn: other parameters are another drawing.
drawn := $(data)/.drawn-images-$(IMAGES)-seed-$(SEED)

help:
	@echo 'make demo    draw a miniature of every source, convert it, verify it, draw contact sheets, read it back'
	@echo '             (IMAGES=$(IMAGES) photos per source, WORKERS=$(WORKERS); into $(data), $(shards), $(sheets))'
	@echo 'make test    all tests, with Ray and the other libraries'
	@echo 'make fast    the tests that take seconds'
	@echo 'make check   ruff, mypy, import-linter'
	@echo 'make consumers  read the shards with every library of docs/consumers.md (installs 3 GB)'
	@echo 'make bench   run every benchmark and write docs/benchmarks.md from the results (an hour)'
	@echo '             (PHOTOS="folder ..." real photos, STOCK=python of an environment with stock Pillow)'
	@echo 'make setup   set up $(VENV) with everything in it, as the other targets do first'
	@echo 'make clean   remove $(VENV), the demo and the caches'

setup:
	@bash .ci/setup convert dev consumers remote

$(drawn): $(wildcard convert/demo/*.py) | setup
	@if [ -d $(data) ] && ! ls $(data)/.drawn* >/dev/null 2>&1; then \
		echo '$(data) is there and is not a drawing of this demo: remove it, or use DEMO=folder'; exit 1; fi
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

# In two processes or more: each draws its own miniature, which takes ten seconds, so not in many.
fast: setup
	$(python) -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not ray and not consumers and not chaos and not slow and not gpu"

check: setup
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# An environment of its own: what some of these libraries ask for, no training job has to install.
# Doctests of the rooms that need torch or webdataset are here, where none may be left out.
consumers: override export VENV := $(VENV)-consumers
consumers: export GLAMM_CONSUMERS := all
consumers:
	@bash .ci/setup convert dev every-consumer remote
	@$(VENV)/bin/python -c 'import nvidia.dali' 2>/dev/null || $(VENV)/bin/python -m pip install -q --no-deps \
		nvidia-dali-cuda120 nvidia-nvimgcodec-cu12 optree 'libcst~=1.8' nvtx makefun gast astunparse six packaging
	$(VENV)/bin/python -m pytest -m consumers tests/consumers
	$(VENV)/bin/python -m pytest -o addopts='-ra --doctest-modules --import-mode=importlib' shards/load shards/glamm

found := build/bench
stock := $(if $(STOCK),--stock $(STOCK))

# An environment of its own: one of these libraries holds numpy back.
bench-loader: export VENV := $(VENV)-loaders
bench-loader:
	@bash .ci/setup convert dev remote bench-loaders
	@$(VENV)/bin/python -c 'import nvidia.dali' 2>/dev/null || $(VENV)/bin/python -m pip install -q --no-deps \
		nvidia-dali-cuda120 nvidia-nvimgcodec-cu12 optree 'libcst~=1.8' nvtx makefun gast astunparse six packaging
	mkdir -p $(found)
	$(VENV)/bin/python -m bench.loader --json $(found)/loader.json

bench: setup bench-loader
	@bash .ci/setup convert dev consumers remote bench
	mkdir -p $(found)
	$(python) -m bench.image $(stock) $(PHOTOS) --json $(found)/image.json
	$(python) -m bench.label --json $(found)/label.json
	$(python) -m bench.mask --json $(found)/mask.json
	$(python) -m bench.grand $(stock) $(PHOTOS) --json $(found)/grand.json
	$(python) -m bench.tar --json $(found)/tar.json
	$(python) -m bench.index --json $(found)/index.json
	$(python) -m bench.workers --json $(found)/workers.json
	$(python) -m bench.convert --json $(found)/convert.json
	$(python) -m bench.glamm $(PHOTOS) --json $(found)/glamm.json
	$(python) -m bench.report $(found)

clean:
	rm -rf $(VENV) $(data) $(shards) $(sheets) build dist .coverage .hypothesis .*_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup demo test fast check consumers bench bench-loader clean
