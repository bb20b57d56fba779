# The verbs of this project. `make demo` and `make test` need nothing but Python >= 3.11.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# How many tests run at once: most of their time is waiting for media, not work.
WORKERS ?= 2
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install web demo demo-check test check fmt soak simulate bench services clean

help:
	@echo "make demo        run everything on this machine, with a stand-in for WhatsApp"
	@echo "make demo-check  the same without a person: calls, WhatsApp's recordings and ours, exit 0 if all held"
	@echo "make test        install what the tests need and run all of them"
	@echo "make check       formatting, lint, types, layers (Python and TypeScript)"
	@echo "make fmt         format everything"
	@echo "make soak        crash, race and load tests with their full rounds; writes docs/measured.md"
	@echo "make simulate    trouble with recording minutes on a virtual clock; SEED=N plays one again"
	@echo "make bench       measure speed and memory (ARGS=--quick for a first look)"

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Callgate needs Python 3.11 or newer; point PYTHON= at one")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

install: $(STAMP)

web/node_modules/.package-lock.json: web/package-lock.json web/package.json $(STAMP)
	./tools/with-node $(VENV) npm --prefix web ci
	touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(shell find web/src web/public web/index.html web/vite.config.ts -type f 2>/dev/null)
	./tools/with-node $(VENV) npm --prefix web run build
	touch $@

web: web/dist/index.html

demo: install web
	$(BIN)/callgate demo $(ARGS)

demo-check: install web
	$(BIN)/callgate demo --check $(ARGS)

services:
	./tools/install-services

check: install web/node_modules/.package-lock.json
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	./tools/with-node $(VENV) npm --prefix web run check

fmt: install web/node_modules/.package-lock.json
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	./tools/with-node $(VENV) npm --prefix web run fmt

test: services install web check
	./tools/with-node $(VENV) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

soak: services install web
	./tools/with-node $(VENV) $(BIN)/python -m tests.soak $(ARGS)

simulate: install
	$(BIN)/python -m tests.simulator $(if $(SEED),--seed $(SEED)) --story $(ARGS)

bench: services install web
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) web/node_modules web/dist .toolchain .mypy_cache .ruff_cache .pytest_cache .hypothesis
