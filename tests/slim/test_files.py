"""Outputs, whole or not at all."""

import os
import resource
import signal
import stat
import subprocess
import sys
import threading

import pytest
from edgelstm.runtime.errors import OutputError
from edgelstm.runtime.io.atomic_files import check_writable, replacing, write_atomic


@pytest.fixture
def device(tmp_path):
    """A device of our own that is always full: a mistake must not cost the machine its /dev/full."""
    node = tmp_path / "full"
    try:
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        node.open("wb").close()
    except PermissionError:
        pytest.skip("only root makes devices, and not in every container")
    return node


def test_a_full_disk_is_an_error_and_the_device_stays_one(device):
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomic(device, b"x" * 100)

    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_pipe_is_written_into_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_atomic(tmp_path / "pipe", b"through")
    reader.join(5)

    assert read == [b"through"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_atomic(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_file_that_grows_too_large_leaves_the_old_one(tmp_path):
    """A limit of 1000 bytes a file stands for the full disk: root may write everywhere else."""
    (tmp_path / "kept").write_text("old")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = (
        "import sys; from edgelstm.runtime.errors import OutputError; from edgelstm.runtime.io.atomic_files import write_atomic\n"
        "try: write_atomic(sys.argv[1], bytes(5000))\nexcept OutputError as error: print(error)"
    )
    command = [sys.executable, "-B", "-c", code, str(tmp_path / "kept")]
    said = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited).stdout

    assert "Free some space" in said
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_text() == "old"


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def half():
        with replacing(tmp_path / "new") as beside:
            beside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()

    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_output(tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path)
