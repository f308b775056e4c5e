# Everything there is to run, by hand and in CI.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test check bench soak trino clean

install: $(STAMP)

# Exact versions come from the constraints file; it names no addresses.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

## The whole of it on this machine, without an AWS account: release, trouble, reconcile.
demo: install
	$(BIN)/python docs/demo.py

.PHONY: browser
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

## A Chromium for the tests that use the HTML report; where there is none they are skipped.
browser:
	@for name in $(BROWSERS); do command -v $$name && exit 0; done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends chromium; \
	else \
		echo "no Chromium: install your system's package chromium, or put one of these on PATH: $(BROWSERS)" >&2; \
	fi

## The suite, with a seeded sample of the long matrices.
test: install
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m 'not soak and not trino'

## The wheel, and the suite's fast part, on every later Python that this machine has.
OTHER_PYTHONS ?= 3.12 3.13
FAST := model plan config execute observe aws build
.PHONY: pythons
pythons:
	@for version in $(OTHER_PYTHONS); do \
		python=; \
		for found in $$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python 2>/dev/null) python$$version; do \
			"$$found" -c 'import ensurepip, venv' 2>/dev/null && python=$$found && break; \
		done; \
		if [ -z "$$python" ]; then echo "no Python $$version here: not tested"; continue; fi; \
		echo "Python $$version:"; \
		venv=$(VENV)-$$version; pip="$$venv/bin/python -m pip install --quiet --disable-pip-version-check"; \
		{ test $$venv/.installed -nt constraints.txt || \
			{ "$$python" -m venv $$venv && $$pip --constraint constraints.txt '.[dev]' && touch $$venv/.installed; }; } && \
		$$pip --no-deps --force-reinstall . && \
		(cd tests && ../$$venv/bin/deployctl --version) && \
		$$venv/bin/python -m pytest -q -n 4 -p no:cacheprovider $(addprefix tests/unit/,$(FAST)) || exit 1; \
	done

## Style, types, layers.
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## Speed, memory and calls, side by side with peers.
bench: install
	$(BIN)/python -m tests.bench

## The queries on a real Trino, beside DuckDB. Needs Java 11 or 17, and Maven, which downloads 260 MB once.
trino: install
	$(BIN)/python -m pytest -m trino tests/trino

## The long matrices, whole, and the property tests with many more examples.
soak: install
	DEPLOYCTL_TEST_PROFILE=soak $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not trino' --timeout 1800 tests/soak tests/unit tests/contract tests/shipped

clean:
	rm -rf $(VENV) $(addprefix $(VENV)-,$(OTHER_PYTHONS)) dist
