"""What pyproject.toml cannot say: text files are gzipped on their way into the wheel, to a third of their size."""

import gzip
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PACKED = (
    "calibration_data/intents_grammar.txt",
    "calibration_data/intents_test.csv",
    "report/page.html.j2",
    "runtime/service/live.html",
)


class Pack(build_py):
    """Builds the package as ever, then packs its text data."""

    def run(self) -> None:
        """An editable install keeps them as they are: it links to them."""
        super().run()
        if self.editable_mode:
            return
        for path in [Path(self.build_lib, "edgelstm", name) for name in PACKED]:
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()


setup(cmdclass={"build_py": Pack})
