# Two commands do all: `make serve` runs the server on the embedded database, `make test` runs every check.
PYTHON ?= python3
PORT ?= 8080
DATA ?= data
VENV := .venv
BIN := $(VENV)/bin
export VENV
T ?= tests

.PHONY: serve test lint types contracts unit bench screenshots docs clean

serve: $(VENV)/.serve ## Run the server with demo data on http://127.0.0.1:$(PORT)
	@exec $(BIN)/fhirserver serve --host 127.0.0.1 --port $(PORT) --embedded $(DATA) --demo

test: lint types contracts unit ## Every check: lint, types, contracts, tests with coverage

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

unit: $(VENV)/.test ## The tests; T=tests/rest for a part
	bin/browser
	bin/tests $(T)

screenshots: $(VENV)/.test ## Pictures of the pages, in docs/images/
	bin/browser
	$(BIN)/python -m tests.browser.screenshots docs/images

bench: $(VENV)/.test ## Requests a second, latency and CPU, beside a bare loop
	$(BIN)/python -m bench.main

$(VENV)/.serve: pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded]'
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]'
	@touch $@

docs: $(VENV)/.test ## The documentation as a site, in site/, every link checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache site
