# Sluice: `make` lists what can be done.
# PYTHON picks the interpreter (3.11 or newer); PORT, HOST and SLUICE_HOME are obeyed by `run`.

.DEFAULT_GOAL := help
# Everything here starts three times as fast from compiled modules.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help run test chaos uploads check fmt lock clean env env-dev

# An environment that is fresh answers for itself; looking for a Python costs more.
ifeq ($(origin PYTHON),undefined)
set-up = .venv/bin/python deploy/environment.py is-fresh-$(1) 2>/dev/null || $(find-python) deploy/environment.py $(1)
else
set-up = $(PYTHON) deploy/environment.py $(1)
endif
find-python = $$(for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; done; echo $$name)
BIN := .venv/bin
# What a production environment sets, for Django's own deployment check.
PRODUCTION := SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
	HTTPS=true ALLOWED_HOSTS=sluice.example SLUICE_HOME=$${TMPDIR:-/tmp} \
	DATABASE_URL=postgresql://sluice@localhost/sluice REDIS_URL=redis://localhost/0
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --annotation-style line --excludes excludes.txt

help:  ## List what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: env  ## Start everything at http://127.0.0.1:8000 (PORT, SLUICE_HOME); Ctrl-C stops it
	@exec $(BIN)/python manage.py run --stop-with-parent

test: env-dev  ## Run every test, two at a time; ARGS goes to pytest instead: make test ARGS="tests/config -x"
	@$(BIN)/python -m pytest $(or $(ARGS),-n 2)

chaos: env-dev  ## Try every promise of docs/reliability.md many times, about an hour; ARGS goes to pytest
	@$(BIN)/python -m pytest tests/chaos --chaos=full --chaos-report=docs/reliability.md $(ARGS)

uploads: env-dev  ## Put thousands of documents through a real browser, on bad days too; ARGS goes to pytest
	@$(BIN)/python -m pytest tests/browser/test_thousands.py --chaos=full --chaos-report=docs/uploads.md $(ARGS)

check: env-dev  ## Lint, types, import rules, migrations, deployment check
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted; run make fmt."; exit 1; }
	@$(BIN)/mypy --no-error-summary .
	@report=$$($(BIN)/lint-imports) || { echo "$$report"; exit 1; }
	@# Whether the history in a database agrees is not asked here; none may be running.
	@$(BIN)/python -W "ignore:Got an error checking:RuntimeWarning" manage.py makemigrations --check --dry-run >/dev/null \
		|| { echo "A model has changed without a migration: manage.py makemigrations"; exit 1; }
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@echo "All checks passed."

fmt: env-dev  ## Format the code and apply safe fixes
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

lock: env-dev  ## Resolve requirements*.in into requirements*.txt, with hashes
	@$(LOCK) requirements-dev.in -o requirements-dev.txt
	@$(LOCK) requirements.in -c requirements-dev.txt -o requirements.txt
	@$(LOCK) requirements-installer.in -o requirements-installer.txt

clean:  ## Remove the environment and caches; data under var/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +

env:
	@$(call set-up,run)

env-dev:
	@$(call set-up,dev)
