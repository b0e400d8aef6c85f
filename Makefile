# The things one can do. `make demo` and `make test` need nothing but Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
# Two for each processor: much of a test is waiting for another process.
TESTERS = $$((2 * $$(getconf _NPROCESSORS_ONLN)))

.PHONY: demo test pythons check picture slow torture fuzz browser screenshots bench bench-quick emulator-coverage emulator-node audit lock clean

demo: .venv/runs  ## play a conversation offline, then stay up (ONCE=1: end after the story; PORT=8100 EMULATOR_PORT=4100)
	$(BIN)/flask dev --story $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) $(if $(EMULATOR_PORT),--emulator-port $(EMULATOR_PORT))

test: .venv/ready  ## all that is quick, on SQLite and a real PostgreSQL, in about 6 minutes on 2 cores; then there is `make slow`
	$(BIN)/python -m pytest -q -n $(TESTERS) --dist loadfile

pythons: .venv/ready  ## the same on SQLite with Python 3.11, 3.12 and 3.13, those that are here; at most 2 minutes each (HAS_RUN=3.11: not that one)
	HAS_RUN=$(HAS_RUN) $(BIN)/python .ci/pythons.py

check: .venv/ready  ## lint, format, types, who imports whom, dead code, long files, a stale picture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python .ci/check_files.py
	$(BIN)/python .ci/picture.py --check

picture: .venv/ready  ## draw docs/images/packages.svg anew: the packages in their layers, and who imports whom
	$(BIN)/python .ci/picture.py

torture: .venv/ready  ## 1,000 schedules in which processes end or freeze anywhere, and clocks are set (COUNT=50; SEED=17 ONLY=412 repeats one)
	$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(if $(ONLY),--only $(ONLY))

fuzz: .venv/ready  ## requests nobody would send, for 60 s (SECONDS=300 or INPUTS=1000000; SEED=17 for the same again)
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

slow: .venv/ready  ## the tests that wait for real leases and time-outs, kill processes, or do very much
	$(BIN)/python -m pytest -q -m slow -n $(TESTERS) --dist loadfile

browser: .venv/ready  ## the page in a real browser; needs Debian's chromium, skipped where there is none
	$(BIN)/python -m pytest -q -m browser -n auto --dist loadfile tests/browser

screenshots: .venv/ready  ## draw docs/images anew with a made-up story; needs chromium
	$(BIN)/python -m tests.browser.screenshots

bench: .venv/ready  ## measure the budgets against the yardsticks, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.run all --write

bench-quick: .venv/ready  ## a short form of the same, nothing written (CASES="ack hot": only these)
	$(BIN)/python -m benchmarks.run $(or $(CASES),all) --quick

emulator-coverage: .venv/ready  ## count the operations of Twilio's API that the emulator answers, into docs/emulator.md
	$(BIN)/python -m tests.emulator.coverage --write

emulator-node: .venv/ready  ## the same through twilio-node (npm package twilio, into an ignored folder); needs node and npm
	$(BIN)/python -m tests.emulator.coverage --node

audit: .venv/audit/ready  ## are locked dependencies withdrawn, or known to be faulty? (UNREACHABLE=ok: where nobody can be asked, go on)
	.venv/audit/bin/python .ci/audit.py $(if $(UNREACHABLE),--unreachable-ok)

lock: .venv/ready  ## write down the versions that are installed and were tested
	$(BIN)/pip freeze | grep -viE '^(pip|setuptools|wheel)==' > requirements.lock

clean:
	rm -rf .venv instance .pytest_cache .mypy_cache .ruff_cache .hypothesis

# What runs Parley; what tests it comes with .venv/ready, which takes three times as long.
.venv/runs: requirements.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
	  || { echo "python -m venv does not work here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt -c requirements.lock
	@touch $@

.venv/ready: .venv/runs requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c requirements.lock
	@touch $@

.venv/audit/ready: .venv/ready
	$(BIN)/python -m venv .venv/audit
	.venv/audit/bin/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25' 'pip-audit>=2.10,<3'
	@touch $@
