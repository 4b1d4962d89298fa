# Everything runs in virtual environments of its own; uv makes them faster where it is present.
#   make demo   make test   make lint   make test-slim   make test-pi   make clean

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
SOURCES := $(shell git ls-files '*.py' '*.html' '*.j2' '*.csv' '*.txt' pyproject.toml 2>/dev/null)
export PYTHONDONTWRITEBYTECODE := 1
export TF_CPP_MIN_LOG_LEVEL := 3

# $(call environment,FOLDER,PYTHON): an empty virtual environment
environment = $(if $(UV),$(UV) venv -q --allow-existing --python $(2) $(1),$(2) -m venv $(1) && $(1)/bin/python -m pip install -q --upgrade pip)
# $(call install,FOLDER,WHAT)
install = $(if $(UV),$(UV) pip install -q --python $(1)/bin/python $(2),$(1)/bin/python -m pip install -q $(2))

# run from inside an environment: here `python -m edgelstm` would find the sources instead of the installed package
PYTEST := -c ../pyproject.toml --rootdir .. -q -m "not soak"

.PHONY: demo test test-full test-slim test-soak test-pi lint clean

demo: .venv/.installed
	.venv/bin/edgelstm demo

test: test-slim test-full

test-full: .venv/.installed
	cd .venv && bin/pytest $(PYTEST) ../tests/full ../tests/data

# the product: the base wheel alone, on every Python that is here
test-slim: .venv-slim/.installed
	.venv-slim/bin/python tests/slim_environment.py
	cd .venv-slim && bin/pytest $(PYTEST) ../tests/slim

test-slim-313: .venv-slim-313/.installed
	.venv-slim-313/bin/python tests/slim_environment.py
	cd .venv-slim-313 && bin/pytest $(PYTEST) ../tests/slim

test-soak: .venv/.installed
	cd .venv && bin/pytest -c ../pyproject.toml --rootdir .. -m soak ../tests

test-pi: .venv/.installed
	bash tests/pi/run.sh .venv/bin/python

lint: .venv/.installed
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	# from another folder: here the sources would shadow the installed package
	cd .venv && bin/mypy --config-file ../pyproject.toml -p edgelstm

.venv/.installed: $(SOURCES)
	@echo "making .venv (TensorFlow, about 2 GB: a few minutes the first time)"
	$(call environment,.venv,$(PYTHON))
	rm -rf build
	$(call install,.venv,".[train$(comma)test]")
	touch $@

.venv-slim/.installed: $(SOURCES)
	$(call environment,.venv-slim,$(PYTHON))
	rm -rf build
	$(call install,.venv-slim,. pytest hypothesis)
	touch $@

.venv-slim-313/.installed: $(SOURCES)
	$(call environment,.venv-slim-313,$(PYTHON313))
	rm -rf build
	$(call install,.venv-slim-313,. pytest hypothesis)
	touch $@

comma := ,

clean:
	rm -rf .venv .venv-slim .venv-slim-313 .pi build *.egg-info edgelstm-demo
