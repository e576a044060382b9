# `make run` and `make test` need Python 3.11 or newer with pip, and make; everything else they install into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
GEN := protos/gen
TESTS ?=

# A virtual environment made inside another one must not see that one's packages.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: install ## start the gateway in the foreground; set its options with the TRUNKLINE_ variables
	@exec $(BIN)/trunkline serve

.PHONY: install
install: $(VENV)/.installed ## make .venv with the `trunkline` command

.PHONY: install-dev
install-dev: $(VENV)/.installed-dev ## make .venv with what tests and checks need, too

.PHONY: test
test: install-dev ## run the tests, a process for each core; TESTS=path for some of them
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(TESTS)

.PHONY: check
check: lint test ## run everything that has to pass: form, types, layers, contract, tests

.PHONY: lint
lint: install-dev ## run the checks that are no tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint

.PHONY: format
format: install-dev ## put the Python in form
	$(BIN)/ruff check --fix --select I
	$(BIN)/ruff format

.PHONY: protos
protos: install-dev ## generate the Python of the contract again
	rm -rf $(GEN)/trunkline/v1/*_pb2*
	$(BIN)/python -m grpc_tools.protoc -Iprotos -Iprotos/third_party \
		--python_out=$(GEN) --pyi_out=$(GEN) protos/trunkline/v1/*.proto
	$(BIN)/python -m grpc_tools.protoc -Iprotos -Iprotos/third_party \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--grpc_python_out=$(GEN) --mypy_grpc_out=$(GEN) protos/trunkline/v1/*_service.proto

.PHONY: protos-release
protos-release: install-dev ## make the contract as it is the one that later ones must not break
	$(BIN)/buf build --exclude-source-info -o protos/released.binpb

.PHONY: bench
bench: install-dev ## measure; BENCH=--quick for a minute instead of five
	$(BIN)/python -m benchmarks.run $(BENCH)

# --build-deps-for: what builds the project is locked, too, since it is installed without build isolation.
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --build-deps-for editable \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-header --no-annotate

.PHONY: lock
lock: install-dev ## resolve the dependencies of pyproject.toml again; LOCK_OPTIONS=--upgrade for newer ones
	$(LOCK) $(LOCK_OPTIONS) --output-file requirements.lock pyproject.toml
	$(LOCK) $(LOCK_OPTIONS) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@if grep -nE '://|^-' requirements.lock requirements-dev.lock; then echo 'a lock names a place' >&2; exit 1; fi

.PHONY: clean
clean: ## remove .venv and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

# The development lock holds everything of the other one, in the same versions.
$(VENV)/.installed-dev: requirements-dev.lock requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes --requirement requirements-dev.lock
	$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $(VENV)/.installed $@
