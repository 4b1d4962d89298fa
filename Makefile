# Everything runs in virtual environments of its own; uv makes them faster where it is present.
#   make demo   make test   make test-slow   make lint   make docs   make test-slim   make test-pi   make lock   make clean

PYTHON ?= python3
LOCKED := $(shell $(PYTHON) -c "import platform, sys; print((*sys.version_info[:2], sys.platform, platform.machine()) == (3, 11, 'linux', 'x86_64'))")
UV := $(shell command -v uv 2>/dev/null)
SOURCES := $(shell git ls-files '*.py' '*.html' '*.css' '*.js' '*.j2' '*.csv' '*.txt' pyproject.toml requirements-dev.lock 2>/dev/null)
export PYTHONDONTWRITEBYTECODE := 1
export TF_CPP_MIN_LOG_LEVEL := 3
# two tests run at a time, each with small matrices: more threads would only wait for each other
export OPENBLAS_NUM_THREADS := 1

# $(call environment,FOLDER,PYTHON): an empty virtual environment
environment = $(if $(UV),$(UV) venv -q --seed --allow-existing --python $(2) $(1),$(2) -m venv $(1) && $(1)/bin/python -m pip install -q --upgrade pip)
# $(call install,FOLDER,WHAT): compiled, as pip does it, or every start of TensorFlow would compile it anew (13 s instead of 5)
install = $(if $(UV),$(UV) pip install -q --compile-bytecode --python $(1)/bin/python $(2),$(1)/bin/python -m pip install -q $(2))

# run from inside an environment: here `python -m edgelstm` would find the sources instead of the installed package;
# tests of more than 20 s are listed at the end
PYTEST := -c ../pyproject.toml --rootdir .. -q --durations=10 --durations-min=20
# two files at a time: each on one core, with fixtures of its own, the longest ones first (tests/conftest.py)
TWO := -n 2 --dist loadfile --no-loadscope-reorder
# the base install's tests wait for child processes and sockets: a third one uses the time
THREE := -n 3 --dist loadfile --no-loadscope-reorder
# two lanes: what is checked before each commit, and what is long by nature (the marker `slow`)
QUICK := -m "not slow and not soak and not zoo"
SLOW := -m "slow and not soak and not zoo"
# $(call measured,NAME): pytest, with MEASURED=yes with branch coverage, of child processes too, into a file of its own; coverage
# traces every line, so a lane alone goes without. Compiled tests are kept: that halves the time to collect them
measured = $(if $(MEASURED),COVERAGE_FILE=$(CURDIR)/.coverage.$(1)) env -u PYTHONDONTWRITEBYTECODE bin/pytest $(PYTEST) $(if $(MEASURED),--cov --cov-config=$(CURDIR)/pyproject.toml --cov-report=)

.PHONY: demo test test-slow test-all docs lock coverage clean-coverage test-full test-slim test-slim-313 test-soak test-zoo test-compat test-resolve test-pi test-container deb lint clean

demo: .venv/.installed
	.venv/bin/edgelstm demo

test: test-slim test-full

# both lanes with their coverage
test-all:
	$(MAKE) clean-coverage
	$(MAKE) test MEASURED=yes
	$(MAKE) test-slow MEASURED=yes
	$(MAKE) coverage

# branch coverage of the package over both lanes, of both environments and of the child processes: the floors are what was reached.
# No pipe behind a report: its exit code is the check.
coverage:
	cd .venv && bin/python -c 'import edgelstm, pathlib; print("[run]\nbranch = true\n[paths]\nedgelstm =\n   ", pathlib.Path(edgelstm.__file__).parent, "\n    */site-packages/edgelstm\n[report]\nexclude_also = if TYPE_CHECKING:")' > $(CURDIR)/.coverage-paths
	cd .venv && bin/coverage combine -q --rcfile $(CURDIR)/.coverage-paths --data-file $(CURDIR)/.coverage $(CURDIR)/.coverage.*
	cd .venv && bin/coverage report --rcfile $(CURDIR)/.coverage-paths --data-file $(CURDIR)/.coverage --include '*/runtime/*' --format total --fail-under 95
	cd .venv && bin/coverage report --rcfile $(CURDIR)/.coverage-paths --data-file $(CURDIR)/.coverage --omit '*/runtime/*' --format total --fail-under 93

clean-coverage:
	rm -f .coverage .coverage.* .coverage-paths

# the documentation site in site/; broken links, and a picture of the architecture that is out of date, are errors
docs: .venv/.installed
	.venv/bin/python docs/scripts/architecture.py --check
	.venv/bin/zensical build --strict

# slim files with tests that the base install skips: it has no extras
WITH_EXTRAS := accessibility arrow_files config doctests fleet grafana hostile_sources layering live_sources modbus modbus_map mqtt mqtt_* opcua otlp_sink packaging postgres signing_keys sparkplug sparkplug_* update_*

EXTRA_TESTS := $(addprefix ../tests/slim/test_,$(addsuffix .py,$(WITH_EXTRAS))) \
  ../tests/slim/test_house.py::test_every_public_name_can_be_imported

test-full: .venv/.installed .venv-tflite/.installed .venv-sparkplug/.installed
	cd .venv && $(old_runtime) $(call measured,full) $(TWO) $(QUICK) ../tests/full ../tests/data
	cd .venv && $(edge_node) $(call measured,extras) $(TWO) $(QUICK) $(EXTRA_TESTS)

# what `make test` leaves out: tests with the marker `slow`, in both environments
test-slow: .venv-slim/.installed .venv/.installed .venv-tflite/.installed
	cd .venv-slim && $(call measured,slow-slim) $(TWO) $(SLOW) ../tests/slim
	cd .venv && $(old_runtime) $(call measured,slow-full) $(TWO) $(SLOW) ../tests/full ../tests/data
	cd .venv && $(call measured,slow-extras) $(TWO) $(SLOW) $(EXTRA_TESTS)

# every architecture of the converter's zoo, trained: about ten minutes
test-zoo: .venv/.installed .venv-tflite/.installed
	cd .venv && $(old_runtime) bin/pytest $(PYTEST) -m "zoo or not zoo" -s ../tests/full/converters/test_trained_zoo.py

# the oldest TensorFlow and Keras that pyproject admits; .venv has the newest
test-compat: .venv-oldest/.installed
	cd .venv-oldest && bin/pytest $(PYTEST) ../tests/full/converters/test_compat.py

# the product: the base wheel alone, on every Python that is here
test-slim: .venv-slim/.installed
	.venv-slim/bin/python tests/slim_environment.py
	cd .venv-slim && $(call measured,slim) $(THREE) $(QUICK) ../tests/slim

test-slim-313: .venv-slim-313/.installed
	.venv-slim-313/bin/python tests/slim_environment.py
	cd .venv-slim-313 && bin/pytest $(PYTEST) $(THREE) ../tests/slim

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

# the Debian package in dist/: make deb ARCH=armhf, or arm64 and amd64, also with SUITE=trixie
ARCH ?= arm64
SUITE ?= bookworm
deb: .venv/.installed
	.venv/bin/python .github/packaging/build_deb.py --arch $(ARCH) --suite $(SUITE)

# the container image of this machine's architecture, run once; needs buildah, and mmdebstrap instead of a registry
test-container: .venv/.installed
	bash tests/container.sh .venv/bin/python

lint: .venv/.installed
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	# from another folder: here the sources would shadow the installed package
	cd .venv && bin/mypy --config-file ../pyproject.toml -p edgelstm

.venv/.installed: $(SOURCES)
	@echo "making .venv (TensorFlow, about 2 GB: a few minutes the first time)"
	$(call environment,.venv,$(PYTHON))
	rm -rf build
ifeq ($(LOCKED),True)
	$(call install,.venv,$(if $(UV),--no-config) --require-hashes -r requirements-dev.lock)
	$(call install,.venv,--no-deps .)
else
	$(call install,.venv,".[$(DEVELOPMENT)]")
endif
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

# an edge node of another implementation, which needs paho 1
.venv-sparkplug/.installed:
	$(call environment,.venv-sparkplug,$(PYTHON))
	$(call install,.venv-sparkplug,"pysparkplug==0.6.1") || \
	  { echo "no pysparkplug for $(PYTHON): its test is skipped"; rm -rf .venv-sparkplug/bin; }
	touch $@

edge_node = EDGELSTM_SPARKPLUG_PYTHON="$$(ls $(CURDIR)/.venv-sparkplug/bin/python 2>/dev/null)"

old_runtime = EDGELSTM_TFLITE_RUNTIME_PYTHON="$$(ls $(CURDIR)/.venv-tflite/bin/python 2>/dev/null)"

.venv-slim/.installed: $(SOURCES)
	$(call environment,.venv-slim,$(PYTHON))
	rm -rf build
	$(call install,.venv-slim,. pytest "pytest-xdist>=3.7" pytest-cov hypothesis)
	touch $@

.venv-slim-313/.installed: $(SOURCES)
	$(call environment,.venv-slim-313,$(PYTHON313))
	rm -rf build
	$(call install,.venv-slim-313,. pytest "pytest-xdist>=3.7" pytest-cov hypothesis)
	touch $@

comma := ,
DEVELOPMENT := train$(comma)test$(comma)docs$(comma)mqtt$(comma)serial

# the versions that .venv gets on Linux x86-64 with Python 3.11; elsewhere it gets the newest
lock:
	uv pip compile -q --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --upgrade $(foreach extra,$(subst $(comma), ,$(DEVELOPMENT)),--extra $(extra)) pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv .venv-slim .venv-slim-313 .venv-oldest .venv-tflite .venv-sparkplug .pi build site .coverage .coverage.* *.egg-info edgelstm-demo
