# make run: set up and build the default recipe.  make test: set up, lint, test.  Both are quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(shell find csrc tpuc/kernels -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name 'CMakeLists.txt' -o -name '*.cmake')

.PHONY: run test lint bench clean FORCE

run: $(VENV)/.built
	$(BIN)/tpuc

test: lint
	$(BIN)/python -m pytest -n auto tests

lint: $(VENV)/.built
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.built
	$(BIN)/python -m tests.benchmarks

$(VENV)/.deps: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check scikit-build-core==1.1.2 cython==3.3.1 cython-cmake==0.3.0 cmake ninja
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[zoo,sweep,ray,dev]'
	touch $@

# The installed package finds modules by a list of paths, made anew when a module comes or goes.
$(VENV)/.modules: FORCE
	@mkdir -p $(VENV)
	@find tpuc -name '*.py' | sort | cmp -s - $@ || find tpuc -name '*.py' | sort > $@

$(VENV)/.built: $(VENV)/.deps $(VENV)/.modules $(NATIVE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

clean:
	rm -rf build outputs

FORCE:
