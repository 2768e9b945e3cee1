# The two commands are `make run` and `make test`; both make .venv themselves.
.PHONY: run test quick browser bench check lock docs screenshots clean

BIN := .venv/bin
# Most of a test's time is waiting: twice as many workers as cores.
PYTEST := $(BIN)/python -m pytest -n $(shell expr 2 \* $$(nproc)) --dist worksteal

run: .venv/ready
	@$(BIN)/traindeck

# What fails beside many others is run once more, alone: it counts if it fails again. One that passes then is
# listed (PASSED, below "once more"): it leans on time, and wants mending.
test: .venv/ready
	@$(PYTEST) || { [ $$? -eq 1 ] && echo "== once more, alone" && $(BIN)/python -m pytest --last-failed -rp; }

quick: .venv/ready
	@$(PYTEST) -m "not (tmux or api or controllers or node or browser)"

# Playwright, for the tests, pictures and figures of the pages; the browser is the machine's own Chromium.
browser: .venv/browser

.venv/browser: .venv/ready tests/browser/requirements.lock .ci/browser
	@sh .ci/browser

# What is not a test: style, types, and which module may import which.
check: .venv/ready
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/ready
	@$(BIN)/python -m benchmarks

# The pages of docs/reference and the man page, from the tables in the code.
docs: .venv/ready
	@$(BIN)/python -m docs.generate

screenshots: .venv/browser
	@$(BIN)/python -m screenshots

.venv/ready: requirements.lock pyproject.toml .ci/venv
	@sh .ci/venv

# After a change of the dependencies in pyproject.toml.
lock:
	@sh .ci/lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
