# make app          install what is missing, then open Spoor on http://localhost:8501
# make app DEMO=1   the same, with the demonstration loaded
# make test         everything that must hold: style, types, layers, tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?=

.PHONY: app test check browser

app: $(VENV)/app.installed
ifneq ($(DEMO),)
	$(BIN)/python -m core demo
endif
	$(BIN)/streamlit run app.py

test: check browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/test.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The journey drives a real browser: an installed Chromium or Chrome, else the system's package.
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
		$(if $(filter 0,$(shell id -u)),,sudo) sh -c 'apt-get update && apt-get install -y chromium'

$(VENV)/app.installed: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/test.installed: $(VENV)/app.installed requirements-cluster.txt tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@
