"""What pyproject.toml cannot say: the phrase files are gzipped on their way into the wheel, to a third of their size."""

import gzip
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class Pack(build_py):
    """Builds the package as ever, then packs its text data."""

    def run(self) -> None:
        """An editable install keeps them as they are: it links to them."""
        super().run()
        if self.editable_mode:
            return
        for path in Path(self.build_lib, "edgelstm", "calibration_data").glob("intents_*[vt]"):
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()


setup(cmdclass={"build_py": Pack})
