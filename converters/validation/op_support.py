"""Operators of the oldest supported interpreter: tflite-runtime 2.14, the only one for 32-bit Arm."""

from ..flatbuffer import Graph

LAST_CODE = 161  # RIGHT_SHIFT; what came later has no kernel there
# Last version of the operators that have a later one in LiteRT 2.3; found by asking both interpreters for each version.
LAST_VERSIONS = {
    "ADD": 5, "BROADCAST_TO": 3, "CAST": 5, "CONCATENATION": 4, "CONV_2D": 7, "COS": 1, "DEQUANTIZE": 5,
    "DYNAMIC_UPDATE_SLICE": 1, "EMBEDDING_LOOKUP": 3, "EQUAL": 4, "FILL": 4, "FULLY_CONNECTED": 10, "GATHER": 6,
    "GATHER_ND": 4, "GELU": 2, "LOG": 1, "MUL": 7, "NOT_EQUAL": 3, "PACK": 4, "PAD": 4, "PADV2": 4, "QUANTIZE": 3,
    "REVERSE_V2": 3, "RSQRT": 2, "SIN": 1, "SLICE": 6, "SOFTMAX": 3, "SPLIT": 4, "SPLIT_V": 2, "SQRT": 1,
    "TRANSPOSE": 6, "TRANSPOSE_CONV": 4, "UNPACK": 4,
}  # fmt: skip


def missing(graph: Graph) -> tuple[str, ...]:
    """Operators of a model that the oldest interpreter does not have, with their versions, sorted.

    Args:
        graph: Any converted model.
    """
    codes = (graph.model.operatorCodes[operator.opcodeIndex] for operator in graph.operators)
    absent = {
        f"{name} version {code.version}"
        for name, code in zip(graph.op_names(), codes, strict=True)
        if max(code.builtinCode, code.deprecatedBuiltinCode) > LAST_CODE
        or code.version > LAST_VERSIONS.get(name, code.version)
    }
    return tuple(sorted(absent))
