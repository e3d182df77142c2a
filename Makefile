# Two commands do everything: `make run` opens the application, `make test` runs the tests.
# Both install what is missing (see scripts/bootstrap.sh).
PYTHON := .venv/bin/python
ARGS ?=

.PHONY: help run test test-slow lint bench install monado clean

help:
	@echo "make run        install what is needed, open the application (headless without a display)"
	@echo "make test       install what is needed, run the tests"
	@echo "make test-slow  the long tests"
	@echo "make lint       ruff, pyright, import contracts"
	@echo "make bench      speed and memory measurements"
	@echo "make monado     build the OpenXR runtime that the tests of VR need (once, into the cache)"
	@echo "make install    only install"

install:
	@bash scripts/bootstrap.sh

run: install
	@$(PYTHON) -m trainer.cli $(ARGS)

# a real OpenXR runtime for the tests of VR; where it cannot be had they are skipped and say so
monado:
	@bash scripts/monado.sh > /dev/null || echo "[monado] not available: the tests of VR will be skipped" >&2

test: install monado
	$(PYTHON) -m pytest $(ARGS)

test-slow: install
	$(PYTHON) -m pytest -m slow --timeout 1800 $(ARGS)

lint: install
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@.venv/bin/lint-imports
	@.venv/bin/pyright --pythonpath $(PYTHON)

bench: install
	@$(PYTHON) -m tests.benchmarks.run $(ARGS)

clean:
	rm -rf .venv .pytest_cache .ruff_cache
