# Everything runs in virtual environments of its own; uv makes them faster where it is present.
#   make demo   make test   make lint   make test-slim   make test-pi   make clean

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
SOURCES := $(shell git ls-files '*.py' '*.html' '*.j2' '*.csv' '*.txt' pyproject.toml 2>/dev/null)
export PYTHONDONTWRITEBYTECODE := 1
export TF_CPP_MIN_LOG_LEVEL := 3

# $(call environment,FOLDER,PYTHON): an empty virtual environment
environment = $(if $(UV),$(UV) venv -q --seed --allow-existing --python $(2) $(1),$(2) -m venv $(1) && $(1)/bin/python -m pip install -q --upgrade pip)
# $(call install,FOLDER,WHAT): compiled, as pip does it, or every start of TensorFlow would compile it anew (13 s instead of 5)
install = $(if $(UV),$(UV) pip install -q --compile-bytecode --python $(1)/bin/python $(2),$(1)/bin/python -m pip install -q $(2))

# run from inside an environment: here `python -m edgelstm` would find the sources instead of the installed package
PYTEST := -c ../pyproject.toml --rootdir .. -q

.PHONY: demo test test-full test-slim test-slim-313 test-soak test-zoo test-compat test-resolve test-pi lint clean

demo: .venv/.installed
	.venv/bin/edgelstm demo

test: test-slim test-full

# two files at a time: each on one core, with fixtures of its own
test-full: .venv/.installed .venv-tflite/.installed
	cd .venv && $(old_runtime) bin/pytest $(PYTEST) -n 2 --dist loadfile ../tests/full ../tests/data
	# what the base install skips: it has neither paho-mqtt nor pyserial
	cd .venv && bin/pytest $(PYTEST) ../tests/slim/test_mqtt.py ../tests/slim/test_sources.py

# every architecture of the converter's zoo, trained: about ten minutes
test-zoo: .venv/.installed .venv-tflite/.installed
	cd .venv && $(old_runtime) bin/pytest $(PYTEST) -m "zoo or not zoo" -s ../tests/full/converters/test_trained_zoo.py

# the oldest TensorFlow and Keras that pyproject admits; .venv has the newest
test-compat: .venv-oldest/.installed
	cd .venv-oldest && bin/pytest $(PYTEST) ../tests/full/converters/test_compat.py

# the product: the base wheel alone, on every Python that is here
test-slim: .venv-slim/.installed
	.venv-slim/bin/python tests/slim_environment.py
	cd .venv-slim && bin/pytest $(PYTEST) ../tests/slim

test-slim-313: .venv-slim-313/.installed
	.venv-slim-313/bin/python tests/slim_environment.py
	cd .venv-slim-313 && bin/pytest $(PYTEST) ../tests/slim

# what is not tested on every Python and platform is at least installable there
test-resolve:
ifdef UV
	@set -e; for version in 3.10 3.11 3.12 3.13; do \
	  for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin x86_64-pc-windows-msvc; do \
	    $(UV) pip compile -q --python-version $$version --python-platform $$platform pyproject.toml >/dev/null; \
	  done; \
	  $(UV) pip compile -q --python-version $$version --python-platform x86_64-manylinux_2_28 --extra train pyproject.toml >/dev/null; \
	  echo "Python $$version: base install resolves on Linux (x86-64, arm64), macOS and Windows, [train] on Linux x86-64"; \
	done
else
	@echo "test-resolve asks uv for the dependencies of every Python; there is none here: pip install uv"; exit 1
endif

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

.venv-oldest/.installed: $(SOURCES)
	$(call environment,.venv-oldest,$(PYTHON))
	rm -rf build
	$(call install,.venv-oldest,".[train$(comma)test]" "tensorflow==2.18.*" "keras==3.12.*")
	touch $@

# tflite-runtime 2.14, the interpreter of 32-bit Arm, is there for Python 3.8 to 3.11
.venv-tflite/.installed:
	$(call environment,.venv-tflite,$(PYTHON))
	$(call install,.venv-tflite,"tflite-runtime==2.14.0" "numpy<2") || \
	  { echo "no tflite-runtime for $(PYTHON): its tests are skipped"; rm -rf .venv-tflite/bin; }
	touch $@

old_runtime = EDGELSTM_TFLITE_RUNTIME_PYTHON="$$(ls $(CURDIR)/.venv-tflite/bin/python 2>/dev/null)"

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
	rm -rf .venv .venv-slim .venv-slim-313 .venv-oldest .venv-tflite .pi build *.egg-info edgelstm-demo
