# What there is to do here. Each target sets up what it needs first: `make test` works in a
# fresh clone, on a fresh Debian 12, as root.
.DEFAULT_GOAL := help
.PHONY: help trace setup demo test compat faults long soak fuzz mesh golden cover interop beside systemd stack wheel floor lint format protos states lock clean

# Where it is set, each start of moored compiles all of itself again: half of what a start costs.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
TYPED := server client tests demo tools
ARGS ?=
# What `make compat` runs: all that depends on what containerd and its shims do.
COMPAT := tests/contract $(addprefix tests/e2e/test_,containerd_dies.py recovery.py quick_exits.py \
	container_service.py exec.py logs.py images.py bridge.py mounts.py terminal.py verbs.py \
	user_namespaces.py)
# Tests that run at the same time, each file of them in one place. 0: one after the other, in the
# open, as a debugger and -s want them.
WORKERS ?= 3
MINUTES ?= 30
SEED ?= 9
SECONDS ?= 60
# What `make faults` reports to; python -m tools.faults makes one page of several.
REPORT ?= .cache/faults.xml
FUZZED := reference archive image_documents spec cni_result cni_configuration ledger_record policy \
	fail_points passwd cgroup_numbers runtime_event task_status shim_exit runtime_complaint
# What the six languages need, as tools/setup.sh takes it. Newer ones that are on the PATH are used.
INTEROP := protoc=protobuf-compiler /usr/include/google/protobuf/any.proto=libprotobuf-dev \
	pkg-config=pkg-config g++=g++ grpc_cpp_plugin=protobuf-compiler-grpc \
	/usr/include/grpcpp/grpcpp.h=libgrpc++-dev \
	javac=openjdk-17-jdk-headless mvn=maven grpc_java_plugin=protobuf-compiler-grpc-java-plugin \
	node=nodejs npm=npm cargo=cargo-web rustc=rustc-web \
	ruby=ruby grpc_tools_ruby_protoc=ruby-grpc-tools \
	/usr/share/doc/ruby-googleapis-common-protos-types=ruby-googleapis-common-protos-types
LOCK := --quiet --upgrade --python-version 3.11 --universal --custom-compile-command "make lock"

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## Install what is missing on this machine, and make .venv
	@tools/setup.sh

demo: setup ## Run one container from beginning to end, and prove that nothing is left
	@$(BIN)/python -m demo.demo

test: setup ## Run all tests; ARGS="-k name" or ARGS='-m "not real"' for some
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

compat: ## Run what knows containerd on 1.7 and 2.1 with their runc, and upgrade to them
	@tools/setup.sh patchelf=patchelf
	@$(BIN)/python -m tools.containerds
	@for series in 1.7 2.1; do \
		PATH="$(CURDIR)/.compat/$$series/bin:$$PATH" $(BIN)/python -m pytest -m real \
			-n $(WORKERS) --dist loadfile $(COMPAT) $(ARGS) || exit 1; done
	@$(BIN)/python -m pytest -m soak tests/compat $(ARGS)

faults: setup ## Break every step, undo and release in every way, and write docs/faults.md
	@$(BIN)/python -m pytest -m "real or soak" -n $(WORKERS) --junitxml=$(REPORT) \
		tests/e2e/test_matrix.py tests/e2e/test_matrix_others.py $(ARGS); \
		status=$$?; $(BIN)/python -m tools.faults $(REPORT); exit $$status

soak: setup ## Do anything, and kill everything, for MINUTES=30 with SEED=9
	@$(BIN)/python -m pytest tests/soak/test_soak.py -s -o faulthandler_timeout=0 \
		--soak-minutes $(MINUTES) --soak-seed $(SEED) $(ARGS)

long: setup ## Run the long versions of the tests that have one
	@$(BIN)/python -m pytest -m soak --deselect tests/e2e/test_matrix.py --deselect tests/e2e/test_matrix_others.py \
		--deselect tests/e2e/test_beside_docker.py --deselect tests/systemd \
		--deselect tests/stack $(ARGS)

mesh: setup ## Run what has to do with Envoy, retries and restarts, the long tests too
	@$(BIN)/python -m pytest -m "real or soak" tests/envoy tests/e2e/test_shutdown.py \
		tests/e2e/test_client_retries.py $(ARGS)

fuzz: setup ## Look for bytes that break a parser, for SECONDS=60 each, where coverage leads
	@$(BIN)/uv pip install --quiet --group fuzz
	@for name in $(FUZZED); do echo "fuzz: $$name"; \
		$(BIN)/python -m tests.fuzz $$name $(SECONDS) || exit 1; done

golden: ## Compare what requests become with what dockerd makes of them
	@tools/setup.sh dockerd=docker.io
	@$(BIN)/python -m pytest -m soak tests/golden $(ARGS)

cover: setup ## Run all tests, and say which lines and branches none of them runs
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

interop: ## Build a program in each of six languages from the protos alone, and compare what they see
	@tools/setup.sh $(INTEROP)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target -C tests/interop GO="$$(tools/go.sh)"
	@$(BIN)/python -m pytest -m "real or interop" tests/interop $(ARGS)

beside: ## Run the tests beside a real dockerd, which they start and end
	@tools/setup.sh dockerd=docker.io
	@$(BIN)/python -m pytest -m soak tests/e2e/test_beside_docker.py $(ARGS)

systemd: ## Install in a Debian that a real systemd boots, and run there what docs/install.md says
	@tools/setup.sh debootstrap=debootstrap
	@$(BIN)/python -m pytest -m soak tests/systemd $(ARGS)

stack: ## Build and run the image that compose runs, and ask all that the dashboards ask
	@tools/setup.sh dockerd=docker.io docker=docker.io debootstrap=debootstrap prometheus=prometheus
	@tools/unpack.sh trixie docker-compose .cache/compose
	@go=$$(tools/go.sh) && cd tests/stack/collector && "$$go" build -o build/collector .
	@$(BIN)/python -m pytest -m soak tests/stack $(ARGS)

wheel: setup ## Build the distribution that users install, in dist/
	@$(BIN)/uv build --quiet --wheel --out-dir dist

floor: setup ## Run the tests that need no container on the oldest versions that users may have
	@$(BIN)/uv venv --quiet --clear .venv-floor
	@$(BIN)/uv pip compile --quiet --resolution lowest-direct --extra server pyproject.toml \
		--output-file .venv-floor/versions
	@$(BIN)/uv pip install --quiet --python .venv-floor/bin/python \
		--requirement .venv-floor/versions --group test
	@PYTHONPATH=server:client .venv-floor/bin/python -m pytest -m "not real" $(ARGS)

lint: setup ## Check format, style, types, layers, protos and generated code; change nothing
	@$(BIN)/ruff format --diff --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy $(TYPED)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/buf lint protos
	@tools/breaking.sh
	@$(BIN)/python -m tools.protos --check

format: setup ## Format, and mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

protos: setup ## Generate the code of protos/ again, and the pages of docs/ that are made of them
	@$(BIN)/python -m tools.protos
	@$(BIN)/python -m tools.api
	@$(BIN)/python -m tools.languages

states: setup ## Ask the service again what each verb answers in each state, for docs/states.md
	@$(BIN)/python -m tools.states

trace: setup ## Draw the traces of docs/traces.md anew, from a real moored
	@$(BIN)/python -m tools.traces

lock: setup ## Choose the newest versions of everything that development needs
	@$(BIN)/uv pip compile $(LOCK) --extra server --group dev pyproject.toml -o requirements-dev.lock
	@$(BIN)/uv pip compile $(LOCK) --group protos -o requirements-protos.lock

clean: ## Remove what these targets made, environments included
	rm -rf .venv .venv-floor .venv-protos .venv-go .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache .coverage .coverage.* .cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
