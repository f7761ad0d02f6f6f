# make app    sets everything up, builds the demo if there is none, and opens the app
# make test   sets everything up and runs the tests, but for the slow ones
# make test-all   the slow ones, too, as .ci/run does, and all of the fuzz test's thousand inputs (FUZZ_INPUTS)
# make lint   ruff and mypy
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet
WORKSPACES ?= workspaces
PORT ?= 8501

.PHONY: app test test-all lint screenshots

app: $(VENV)/installed
	@test -f $(WORKSPACES)/demo/workspace.json || echo "Building the demo: about five minutes, once."
	@test -f $(WORKSPACES)/demo/workspace.json || { $(RUN) -m influence demo --workspace $(WORKSPACES)/demo && \
	  $(RUN) -m pages.ui.proof.first $(WORKSPACES)/demo; }
	$(RUN) -m influence serve --workspace-root $(WORKSPACES) --port $(PORT) --open

test: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile $(OPTIONS)

test-all: OPTIONS = --slow
test-all: export FUZZ_INPUTS ?= 1000
test-all: export ARCHITECTURES ?= all
test-all: test

lint: $(VENV)/installed-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

screenshots: $(VENV)/installed-dev
	$(RUN) docs/pictures/screenshots.py
	$(RUN) docs/pictures/tour.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Wordtrace needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 2; }

# torch goes first and by itself: asked for by another package, pip might take another build of it.
$(VENV)/installed: $(VENV)/bin/python requirements.txt requirements-demo.txt
	@echo "Installing requirements: a few minutes, once."
	@$(PIP) install $$(grep '^torch==' requirements.txt)
	@$(PIP) install -r requirements.txt
	@$(PIP) install --no-deps -r requirements-demo.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt requirements-ray.txt
	@$(PIP) install -r requirements-dev.txt
	@touch $@
