# Every target sets up .venv by itself and needs only Python 3.11 or newer with venv and pip.
# Once set up, no target needs the network until pyproject.toml changes.
#
#   PYTHON     the interpreter to build .venv with (python3)
#   PIP_FLAGS  more flags for pip, for instance an index with the smaller CPU build of torch
#   ARGS       more arguments for the command or for pytest

PYTHON ?= python3
PIP_FLAGS ?=
ARGS ?=

VENV := .venv
STAMP := $(VENV)/installed-pyproject
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check

.PHONY: start daemon test check setup clean

start: setup
	$(VENV)/bin/tidings start $(ARGS)

daemon: setup
	$(VENV)/bin/tidings run $(ARGS)

test: setup
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

check: setup
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" scripts/check

setup: $(STAMP)

# The stamp is a copy of the pyproject.toml that was installed.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Tidings needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@cmp -s pyproject.toml $@ && touch $@ || { \
	  echo "Installing into $(VENV) (once, a few minutes) ..."; \
	  $(PIP) install --quiet $(PIP_FLAGS) --editable '.[test]' && cp pyproject.toml $@; }

clean:
	rm -rf $(VENV) build *.egg-info
