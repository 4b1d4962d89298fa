"""Uses of LiteRT beyond plain calls: an update that changes one of these says which."""

import inspect
import sys

import pytest
from edgelstm.runtime.inference.backend import Backend, backend, compiled_model

pytestmark = pytest.mark.skipif(backend().name != "ai-edge-litert", reason="tflite-runtime is no longer developed")


def test_the_interpreter_takes_bytes_threads_and_an_op_resolver():
    names = inspect.signature(backend().interpreter.__init__).parameters

    assert {"model_content", "num_threads", "experimental_op_resolver_type"} <= set(names)


def test_the_interpreter_has_the_methods_that_engines_call():
    methods = ("allocate_tensors", "get_input_details", "get_output_details", "set_tensor", "get_tensor", "invoke",
               "reset_all_variables")  # fmt: skip

    assert [name for name in methods if not callable(getattr(backend().interpreter, name, None))] == []


def test_both_sets_of_kernels_can_be_chosen():
    assert isinstance(backend(), Backend)
    assert backend().plain_kernels.name == "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
    assert backend().reference_kernels.name == "BUILTIN_REF"


@pytest.mark.skipif(sys.platform != "linux", reason="measured on Linux alone")
def test_the_compiled_runtime_takes_a_weight_cache_and_an_environment():
    compiled = pytest.importorskip("ai_edge_litert.compiled_model")
    options = pytest.importorskip("ai_edge_litert.options")
    environment = pytest.importorskip("ai_edge_litert.environment")

    assert {"environment", "options"} <= set(inspect.signature(compiled.CompiledModel.from_buffer).parameters)
    assert {"num_threads", "xnnpack_weight_cache_path"} <= set(inspect.signature(options.CpuOptions).parameters)
    assert {"compiler_plugin_path", "dispatch_library_path"} <= set(
        inspect.signature(environment.EnvironmentOptions).parameters
    )
    for name in ("create_input_buffers", "create_output_buffers", "run_by_index"):
        assert callable(getattr(compiled.CompiledModel, name))
    assert callable(compiled_model)


def test_ai_edge_litert_is_named_in_one_module_of_the_runtime():
    """The diagnostics name the distribution `ai-edge-litert`; the module is imported in `backend` alone."""
    from pathlib import Path

    import edgelstm.runtime

    root = Path(edgelstm.runtime.__file__).parent
    users = {
        path.relative_to(root).as_posix() for path in root.rglob("*.py") if "import ai_edge_litert" in path.read_text()
        or "from ai_edge_litert" in path.read_text()
    }  # fmt: skip

    assert users == {"inference/backend.py"}
