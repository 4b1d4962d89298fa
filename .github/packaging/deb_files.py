"""Files of the Debian package: the virtual environment, the unit, what Debian wants to read, and the control files."""

import gzip
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path

from deb_package import HOME, MAINTAINER, Package
from release import HOMEPAGE, RELEASED, ROOT, SUMMARY, VERSION, source_date
from wheels import Target, least_glibc, metadata_of

DEBIAN = Path(__file__).parent / "debian"
NOT_AT_WORK = ("numpy/f2py/", "numpy/_core/include/", "numpy/_core/lib/", "numpy/random/lib/", "serial/tools/mini")
SOURCES = (".c", ".h", ".pxd", ".pyx", ".pyi", ".sh", ".gitignore")
"""Parts of wheels that compilers and tests need, and nobody at run time."""


def environment(root: Path, target: Target, wheels: Sequence[Path]) -> None:
    """Lay a virtual environment out, as `python -m venv` does on the target.

    Args:
        root: The package's root folder.
        target: The platform.
        wheels: What to install in it.
    """
    home = root / HOME
    site = home / "lib" / f"python{target.python}" / "site-packages"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(f"../../../bin/python{target.python}")
    system = "true" if target.provided else "false"
    lines = ("home = /usr/bin", f"include-system-site-packages = {system}", f"version = {target.python}")
    (home / "pyvenv.cfg").write_text("".join(f"{line}\n" for line in lines))
    for wheel in wheels:
        unpack(wheel, site)
    command = root / "usr/bin/edgelstm"
    command.parent.mkdir()
    command.write_text(f"#!/{HOME}/bin/python -I\nimport sys\n\nfrom edgelstm.cli import main\n\nsys.exit(main())\n")
    command.chmod(0o755)


def unpack(wheel: Path, site: Path) -> None:
    """Unpack what a wheel has for site-packages, without tests and what compilers need.

    Args:
        wheel: The wheel.
        site: The folder.
    """
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = Path(name).parts
            tested = "tests" in parts[:-1] or "_tests." in parts[-1]
            if (
                not tested
                and not name.startswith(NOT_AT_WORK)
                and not name.endswith(SOURCES)
                and ".data" not in parts[0]
            ):
                archive.extract(name, site)


def service(root: Path, product: Path) -> None:
    """Let the product write its systemd unit.

    Args:
        root: The package's root folder.
        product: Folder with the package `edgelstm`, to be imported.
    """
    unit = root / "usr/lib/systemd/system/edgelstm@.service"
    unit.parent.mkdir(parents=True)
    run_product(product, "service", "--template", "--program", "/usr/bin/edgelstm", "-o", str(unit))


def run_product(product: Path, *words: str) -> str:
    """Run the command line of the wheel that is packaged, on this machine, and return what it prints.

    Args:
        product: Folder with the package `edgelstm`.
        words: The command.
    """
    code = "from edgelstm.cli import main; main()"
    environ = {**os.environ, "PYTHONPATH": str(product), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words] if sys.version_info >= (3, 11) else [sys.executable, "-c", code, *words],
        env=environ, capture_output=True, text=True, cwd=product,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def documents(root: Path, package: Package, product: Path, wheels: Sequence[Path]) -> None:
    """Write what Debian wants to read of a package.

    Args:
        root: The package's root folder.
        package: The package.
        product: Folder with the package `edgelstm`.
        wheels: What it carries.
    """
    folder = root / "usr/share/doc/edgelstm"
    folder.mkdir(parents=True)
    (folder / "copyright").write_text(copyright_file(package, wheels))
    date = formatdate(source_date(), usegmt=False)
    news = f"edgelstm ({package.version}) {package.suite}; urgency=medium\n\n  * Release {VERSION}: see CHANGELOG.md.\n\n -- {MAINTAINER}  {date}\n"
    write_gz(folder / "changelog.gz", news)
    write_gz(folder / "CHANGELOG.md.gz", (ROOT / "CHANGELOG.md").read_text())
    page = root / "usr/share/man/man1/edgelstm.1.gz"
    page.parent.mkdir(parents=True)
    usage = run_product(product, "--help").replace("\\", "\\e").replace("-", "\\-").replace("\n.", "\n\\&.")
    write_gz(page, f".TH EDGELSTM 1\n.SH NAME\nedgelstm \\- {SUMMARY}\n.SH SYNOPSIS\n.nf\n{usage}.fi\n")
    overrides = root / "usr/share/lintian/overrides/edgelstm"
    overrides.parent.mkdir(parents=True)
    shutil.copyfile(DEBIAN / "lintian-overrides", overrides)


def copyright_file(package: Package, wheels: Sequence[Path]) -> str:
    """Return licences by distribution, as their metadata name them.

    Args:
        package: The package.
        wheels: What it carries.
    """
    site = f"{HOME}/lib/python{package.target.python}/site-packages"
    text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: edgelstm\n"
    texts = {}
    for wheel in wheels:
        facts = metadata_of(wheel)
        words = facts.get("License-Expression") or (facts.get("License") or "").split("\n")[0] or "see-its-folder"
        licence = "Apache-2.0" if facts["Name"] == "edgelstm" else f"{facts['Name']}-licence"
        files = "*" if facts["Name"] == "edgelstm" else f"{site}/{wheel.name.split('-')[0]}*"
        author = str(facts.get("Author") or facts.get("Author-email") or f"the authors of {facts['Name']}").split("\n")[
            0
        ]
        text += f"\nFiles: {files}\nCopyright: {author}\nLicense: {licence}\n"
        texts[licence] = f"{words}: its text is in /{site}/{wheel.name.split('-')[0]}-*.dist-info."
    text = text.replace("Copyright: the authors of edgelstm\n", f"Copyright: {RELEASED.year} the authors of edgelstm\n")
    texts["Apache-2.0"] = "On Debian systems its text is in /usr/share/common-licenses/Apache-2.0."
    return text + "".join(f"\nLicense: {name}\n {line}\n" for name, line in texts.items())


def write_gz(path: Path, text: str) -> None:
    """Write a compressed file without a time stamp.

    Args:
        path: The file.
        text: Its content.
    """
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def configuration(root: Path) -> None:
    """Put the example configuration and the folder of secrets into /etc.

    Args:
        root: The package's root folder.
    """
    folder = root / "etc/edgelstm"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets").chmod(0o700)
    shutil.copyfile(DEBIAN / "main.toml", folder / "main.toml")


def control(root: Path, package: Package, wheels: Sequence[Path]) -> None:
    """Write the package's control files.

    Args:
        root: The package's root folder.
        package: The package.
        wheels: What it carries.
    """
    folder = root / "DEBIAN"
    folder.mkdir()
    major, minor = package.target.python.split(".")
    depends = [
        f"python3 (>= {major}.{minor})",
        f"python3 (<< {major}.{int(minor) + 1})",
        f"libc6 (>= {least_glibc(wheels)})",
    ]
    depends += ["libstdc++6", "libgcc-s1", *(f"python3-{name}" for name in sorted(package.target.provided))]
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir()) // 1024
    fields = {
        "Package": "edgelstm",
        "Version": package.version,
        "Architecture": package.arch,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size),
        "Depends": ", ".join(depends),
        "Section": "science",
        "Priority": "optional",
        **({"Homepage": HOMEPAGE} if HOMEPAGE else {}),
        "Description": SUMMARY.partition(": ")[2]
        + "\n"
        + textwrap.indent(
            textwrap.fill(
                "Runs small LSTM models (TFLite) on sensor streams and reports anomalies, drift and sensor faults. This is the "
                "device's side: a command line, a systemd unit and a live page; models are trained elsewhere with TensorFlow.",
                76,
            ),
            " ",
        ),
    }
    (folder / "control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    (folder / "conffiles").write_text("/etc/edgelstm/main.toml\n")
    for script in ("postinst", "prerm", "postrm"):
        shutil.copyfile(DEBIAN / script, folder / script)
        (folder / script).chmod(0o755)
    sums = subprocess.run(
        "find . -path ./DEBIAN -prune -o -type f -printf '%P\\0' | sort -z | xargs -0 md5sum",
        shell=True, cwd=root, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    (folder / "md5sums").write_bytes(sums.stdout)
