"""Examples in docstrings run, for every module that can be imported in this environment."""

import doctest
import importlib
import pkgutil

import edgelstm.runtime
import pytest

import edgelstm

# What an extra or the trainer needs, and is missing in the slim environment.
OPTIONAL = {"paho", "serial", "tensorflow", "keras", "pandas", "sklearn", "matplotlib", "rich", "jinja2", "scipy"}
OPTIONAL |= {
    "markupsafe",
    "flatbuffers",
    "tflite_micro",
    "tuf",
    "securesystemslib",
    "urllib3",
    "cryptography",
    "mlflow",
}
NAMES = sorted(
    {
        module.name
        for package in (edgelstm, edgelstm.runtime)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda name: None)
    }
    - {"edgelstm.__main__"}
)


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_run(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").split(".")[0] in OPTIONAL:
            pytest.skip(f"{error.name} is not installed")
        raise

    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)

    assert result.failed == 0
