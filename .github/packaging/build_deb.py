"""Build the Debian package of one architecture and release: `python build_deb.py --arch arm64 --suite bookworm -o dist`.

The package brings a virtual environment, /usr/lib/edgelstm, made of wheels as their projects publish them (LiteRT is not in Debian),
so that it installs without a network; Python is the system's, and 32-bit Arm takes Debian's NumPy, as nobody publishes a
wheel. The systemd unit, the manual page and the changelog are written by the product of the same wheel. Same wheels,
same bytes.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deb_files import configuration, control, documents, environment, service, unpack
from deb_package import SUITES, Package
from release import EXTRAS, ROOT, source_date
from wheels import collect


def build(package: Package, wheel: Path, cache: Path, output: Path, quick: bool = False) -> Path:
    """Build a package and return its path.

    Args:
        package: The package.
        wheel: Wheel of edgelstm.
        cache: Folder that keeps what is fetched.
        output: Folder for the package.
        quick: True for a larger file, compressed in a tenth of the time.
    """
    with TemporaryDirectory() as name:
        root, product = Path(name) / "root", Path(name) / "product"
        wheels = collect(wheel, EXTRAS, package.target, cache / f"{package.arch}-{package.suite}", tested(Path(name)))
        environment(root, package.target, wheels)
        for part in wheels:
            if part == wheel or part.name.startswith("click-"):
                unpack(part, product)
        service(root, product)
        documents(root, package, product, wheels)
        configuration(root)
        control(root, package, wheels)
        output.mkdir(parents=True, exist_ok=True)
        return pack(root, output / package.file_name, quick)


def tested(folder: Path) -> Path:
    """Write the versions that the tests ran with, as constraints of pip, and return the file's path."""
    lock = (ROOT / "requirements-dev.lock").read_text().splitlines()
    path = folder / "constraints.txt"
    path.write_text("".join(f"{line.split()[0]}\n" for line in lock if "==" in line and line[0] != " "))
    return path


def pack(root: Path, file: Path, quick: bool) -> Path:
    """Pack the package's root folder, with modes and times that do not depend on this machine.

    Args:
        root: The folder.
        file: The package.
        quick: True for a larger file, compressed in a tenth of the time.
    """
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink() and path.name != "secrets":
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (source_date(), source_date()), follow_symlinks=False)
    compression = ("-Zgzip", "-z1") if quick else ("-Zxz",)
    command = ["dpkg-deb", "--root-owner-group", *compression, "--build", str(root), str(file)]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(source_date())}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environ)
    return file


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=("arm64", "armhf", "amd64"), required=True)
    parser.add_argument("--suite", choices=SUITES, required=True)
    parser.add_argument("--wheel", type=Path, help="wheel of edgelstm; built from this tree if left out")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / ".pi" / "deb-wheels", help="folder that keeps what is fetched"
    )
    parser.add_argument("--quick", action="store_true", help="a larger file, compressed in a tenth of the time")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    package = Package(options.arch, options.suite)
    with TemporaryDirectory() as name:
        wheel = options.wheel or own_wheel(Path(name))
        print(build(package, wheel, options.cache, options.output, options.quick))


def own_wheel(folder: Path) -> Path:
    """Build the wheel from what git knows of this tree: a build folder would leave stale modules in.

    Args:
        folder: Folder for the sources and the wheel.
    """
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        target = folder / "source" / name
        if not name.startswith(("tests/", "docs/")) and (ROOT / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(folder / "source")]
    subprocess.run(command, check=True)
    return next(folder.glob("edgelstm-*.whl"))


if __name__ == "__main__":
    main()
