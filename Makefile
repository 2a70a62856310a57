# Two commands do all the set-up on a machine with Python 3.11+: `make run` and `make test`.
# They run no more than these lines:
#     python3 -m venv .venv
#     .venv/bin/pip install -r requirements-dev.txt
#     .venv/bin/seth-pusher                 (run)
#     .venv/bin/python -m pytest -n auto    (test)

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := sethpusher_core $(wildcard plugins/*/src) benchmarks

.PHONY: run test lint types docs bench bench-quick bench-micro clean

run: $(READY)
	@$(BIN)/seth-pusher $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy $(SOURCES)

docs: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r docs/requirements.txt
	@$(BIN)/python docs/generate.py --check
	@$(BIN)/mkdocs build --strict --site-dir=site

bench: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r benchmarks/requirements.txt
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick:
	@$(MAKE) --no-print-directory bench ARGS="--quick $(ARGS)"

bench-micro: $(READY)
	@$(BIN)/python -m pytest benchmarks/micro --dist=no --benchmark-enable --benchmark-columns=min,median,iqr,ops $(ARGS)

clean:
	rm -rf $(VENV) build dist

$(READY): pyproject.toml $(wildcard plugins/*/pyproject.toml) requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@echo "installing into $(VENV), which takes a minute ..." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
