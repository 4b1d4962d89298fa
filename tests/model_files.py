"""Model files with damages of all kinds, their checksum right."""

import hashlib
import io
import json
import struct
import zipfile

from edgelstm.runtime.inference.flatbuffer.reader import read_model
from edgelstm.runtime.inference.flatbuffer.table import Table
from edgelstm.runtime.model_file.bundle import DIGEST, ENTRY, parse_bundle
from edgelstm.runtime.model_file.metadata import to_record


def repack(content, *, body=None, metadata=None, compression=zipfile.ZIP_DEFLATED):
    """A model file with another flatbuffer, or other metadata (bytes, or changes to the record), with the checksum of schema 1."""
    bundle = parse_bundle(content)
    body = bundle.flatbuffer if body is None else body
    if isinstance(metadata, bytes):
        text = metadata
    else:
        text = json.dumps({**to_record(bundle.metadata), **(metadata or {})}).encode()
    return zipped(body, {ENTRY: text, DIGEST: hashlib.sha256(body).hexdigest().encode()}, compression)


def zipped(body, members, compression=zipfile.ZIP_DEFLATED):
    """A flatbuffer with members behind it."""
    buffer = io.BytesIO()
    buffer.write(body)
    with zipfile.ZipFile(buffer, "a", compression) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def with_size(content, name, size):
    """A zip file whose directory says another size of a member."""
    lying = bytearray(content)
    entry = lying.rindex(b"PK\1\2", 0, lying.rindex(name.encode()))
    struct.pack_into("<I", lying, entry + 24, size)
    return bytes(lying)


def channels(record, **changes):
    """The channels of a metadata record, the first one changed."""
    first, *rest = record["channels"]
    return {"channels": [{**first, **changes}, *rest]}


def aborting(models):
    """A file that keeps every rule of the verifier, and ends LiteRT by SIGSEGV: an LSTM's weights are its state."""
    content = (models / "auto.int8.tflite").read_bytes()
    body = bytearray(parse_bundle(content).flatbuffer)
    lstm = read_model(bytes(body)).subgraphs[0].operators[0]
    inputs = Table(bytes(body), lstm.at).vector(1, 4)[0]
    struct.pack_into("<i", body, inputs + 4 * 7, lstm.inputs[18])
    return repack(content, body=bytes(body))
