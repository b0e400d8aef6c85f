# The things one can do. `make demo` and `make test` need nothing but Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check slow bench bench-quick lock clean

demo: .venv/ready  ## play a conversation offline, then stay up (ONCE=1: end after the story)
	$(BIN)/flask dev --story $(if $(ONCE),--once)

test: .venv/ready  ## everything, on SQLite and a real PostgreSQL, in under 3 minutes
	$(BIN)/python -m pytest -q -n auto --dist loadfile

check: .venv/ready  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: .venv/ready  ## the tests that wait for real leases and time-outs
	$(BIN)/python -m pytest -q -m slow

bench: .venv/ready  ## measure the budgets against the yardsticks, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.run all --write

bench-quick: .venv/ready  ## a short form of the same, nothing written
	$(BIN)/python -m benchmarks.run all --quick

lock: .venv/ready  ## write down the versions that are installed and were tested
	$(BIN)/pip freeze | grep -viE '^(pip|setuptools|wheel)==' > requirements.lock

clean:
	rm -rf .venv instance .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/ready: requirements.txt requirements-dev.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
	  || { echo "python -m venv does not work here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c requirements.lock
	@touch $@
