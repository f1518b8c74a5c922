# make bench: the four conditions, timed and drawn. make test: all tests but the longest. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# What tests, lint and types take besides, which is as much again, and which nothing else installs.
DEV := .venv/.ready-dev
C := $(wildcard harness/native/*.[ch] harness/kernel/*.[ch] harness/trial/*.c harness/variants/*.h \
	harness/variants/*/*.[ch] tests/*.[ch] workloads/capture/*.c workloads/record/*.c)
C_FLAGS := -std=gnu11 -Iharness/variants -Iharness/native -Iharness/kernel

.PHONY: bench capture record reference studies claims page quick gate test night lint format types package lock \
	clean

bench: $(READY)
	$(BIN)/dirtyscan bench --plots plots

# Captures the four conditions from real guests anew (needs QEMU and a kernel), and remakes plots.
capture: $(READY)
	for condition in cond1 cond2 cond3 cond4; do \
		$(BIN)/dirtyscan trace capture $$condition --output workloads/captured || exit; \
	done
	$(BIN)/dirtyscan bench --plots plots

# Records the four conditions from real guests anew (needs QEMU, a kernel, and Linux 6.7).
record: $(READY)
	for condition in cond1 cond2 cond3 cond4; do \
		$(BIN)/dirtyscan trace record $$condition --output workloads/recorded || exit; \
	done

# Makes the results that are committed as the reference of this machine's CPU (needs clang): with
# other work before each snapshot, as a tick has it, called again at once, and after an interpreter's.
# Where a neighbour slows many rounds, the others are too few in the seconds that are the default.
BUDGET ?= 150
reference: $(READY)
	$(BIN)/dirtyscan bench --budget $(BUDGET) --output "results/{cpu}" --plots "results/{cpu}/plots"
	$(BIN)/dirtyscan bench --budget $(BUDGET) --no-other-work --output "results/{cpu}-again" \
		--plots "results/{cpu}-again/plots"
	$(BIN)/dirtyscan bench --budget $(BUDGET) --between 10 --output "results/{cpu}-between" \
		--plots "results/{cpu}-between/plots"
	$(BIN)/dirtyscan bench --quick --budget 200 --variant all --toolchain cc-era \
		--toolchain clang-era --output "results/{cpu}-variants" --plots "results/{cpu}-variants/plots"

# The studies, each into a folder of this machine's CPU (instructions needs valgrind, operations
# rustc, sync KVM or Linux 6.7).
studies: $(READY)
	$(BIN)/dirtyscan study all --output "results/{cpu}-{study}" --plots "results/{cpu}-{study}/plots"

# Whether the published figures of today hold here (needs rustc).
claims: $(READY)
	$(BIN)/dirtyscan claims run --output "results/{cpu}-claims" --plots "results/{cpu}-claims/plots"

# Draws the page of all committed references anew, with the traces that make reference has left.
REFERENCES := amd-epyc-26-2 amd-epyc-26-2-again amd-epyc-25-17 amd-epyc-25-1 intel-xeon-processor
page: $(READY)
	$(BIN)/dirtyscan report $(addprefix results/, $(REFERENCES)) --html docs/report.html

quick: $(READY)
	$(BIN)/dirtyscan bench --quick --plots plots

# Did a variant get slower than where the work has left another revision? Also checks the project's
# requirements.
BASE ?= HEAD
OPTIONS ?=
gate: $(READY)
	$(BIN)/dirtyscan gate --against "$(BASE)" --merge-base --instructions --requirements $(OPTIONS)

test: $(DEV)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

# The tests that throw random input at dirtyscan, with 20,000 of each (make test tries 300), and those
# that take so long that make test leaves them out.
night: $(DEV)
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest --numprocesses auto --dist worksteal \
		-m "fuzz or night"

# Python, the order of the rooms, C, Rust, shell and workflows.
lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/clang-format --dry-run --Werror $(C)
	printf '%s\n' $(filter %.c, $(C)) | \
		xargs -P "$$(nproc)" -I FILE $(BIN)/clang-tidy --quiet FILE -- $(C_FLAGS)
	.ci/lint-rust
	$(BIN)/shellcheck .ci/*
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci docs/examples/gitlab-ci.yml
	$(BIN)/zizmor --offline --quiet .github action.yml

# Lays out Python, C and Rust as lint wants them.
format: $(DEV)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/clang-format -i $(C)
	.ci/lint-rust format

types: $(DEV)
	$(BIN)/mypy

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("dirtyscan needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(DEV): $(READY) requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	touch $@

# Makes the distributions in dist/, checks them, installs the wheel into an empty environment, and
# uses it in an empty folder.
package:
	rm -rf dist .venv-package
	$(PYTHON) -m venv .venv-package
	.venv-package/bin/pip install --quiet --disable-pip-version-check build twine
	.venv-package/bin/python -m build --outdir dist
	.venv-package/bin/twine check --strict dist/*
	$(PYTHON) -m venv --clear .venv-package
	.venv-package/bin/pip install --quiet --disable-pip-version-check dist/*.whl
	mkdir .venv-package/empty
	cd .venv-package/empty && ../bin/dirtyscan bench --quick --budget 10 --condition cond1
	cd .venv-package/empty && ../bin/dirtyscan report --html

# Renews the lock file from pyproject.toml, for every Python that is supported.
lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --extra clone \
		--no-header --no-annotate --quiet --upgrade pyproject.toml -o requirements.lock
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --extra clone \
		--extra dev --no-header --no-annotate --quiet --upgrade --constraints requirements.lock \
		pyproject.toml -o requirements-dev.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-lock .venv-package build dist *.egg-info results/latest
