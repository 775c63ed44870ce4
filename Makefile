# make run: set up and build the default recipe.  make test: set up, lint, test.  Both are quick the second time.
# make sanitize, campaign, fuzz: look for memory errors, for what faults destroy, for files that break a reader.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(shell find csrc tpuc/kernels -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name 'CMakeLists.txt' -o -name '*.cmake')

SANITIZED := build/sanitized
WATCHED := ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$(shell $(CC) -print-file-name=libasan.so) $(shell $(CC) -print-file-name=libubsan.so)"
READERS := onnx mlir npz cali_table qtable bmodel program
SECONDS ?= 60
TIMES ?= 100

.PHONY: run test lint bench sanitize campaign fuzz clean FORCE

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

sanitize: $(SANITIZED)/.built
	$(WATCHED) $(SANITIZED)/bin/python -m pytest tests/kernels tests/simulator tests/backends tests/test_strangers.py
	$(WATCHED) $(SANITIZED)/bin/python -m tests.campaigns $(READERS) --seconds $(SECONDS)

campaign: $(VENV)/.built
	$(BIN)/python -m tests.campaigns --seconds $(SECONDS) --times $(TIMES)

fuzz: $(VENV)/.built
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]' --no-build-isolation
	for reader in $(READERS); do $(BIN)/python -m tests.campaigns.fuzz $$reader build/findings/$$reader $(SECONDS) || exit 1; done

# The kernels with AddressSanitizer and UndefinedBehaviorSanitizer, in an environment of their own.
$(SANITIZED)/.built: $(VENV)/.deps $(VENV)/.modules $(NATIVE)
	test -x $(SANITIZED)/bin/python || $(PYTHON) -m venv --without-pip $(SANITIZED)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $(SANITIZED)/lib/$$(ls $(SANITIZED)/lib)/site-packages/shared.pth
	$(BIN)/python -m pip --python $(SANITIZED)/bin/python install --quiet --disable-pip-version-check --no-build-isolation --no-deps -C cmake.define.TPUC_SANITIZE=ON -C build-dir=build/sanitized-objects --editable .
	touch $@

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
