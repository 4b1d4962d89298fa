"""Debian package of one architecture and release: its names, and the platform that its wheels are for."""

from dataclasses import dataclass

from release import CONTACT, debian_version
from wheels import Target

HOME = "usr/lib/edgelstm"
MAINTAINER = f"edgelstm maintainers <{CONTACT}>"
ARM64, AMD64 = (
    (*(f"manylinux_2_{minor}_{machine}" for minor in (34, 31, 28, 27)), f"manylinux2014_{machine}")
    for machine in ("aarch64", "x86_64")
)
SUITES = {"bookworm": (12, "3.11"), "trixie": (13, "3.13")}
"""Number and Python of Debian's releases, which Raspberry Pi OS shares."""


@dataclass(frozen=True)
class Package:
    """A package to build."""

    arch: str
    """Debian's name of the architecture."""
    suite: str
    """Debian's release."""

    @property
    def target(self) -> Target:
        """Platform that its wheels are for.

        Raises:
            ValueError: If no interpreter has a wheel for it.
        """
        python = SUITES[self.suite][1]
        if self.arch == "armhf" and self.suite != "bookworm":
            raise ValueError("32-bit Arm: tflite-runtime has wheels for bookworm's Python alone.")
        if self.arch == "armhf":
            return Target("armv7l", python, ("manylinux_2_34_armv7l",), provided={"numpy"})
        return {"arm64": Target("aarch64", python, ARM64), "amd64": Target("x86_64", python, AMD64)}[self.arch]

    @property
    def version(self) -> str:
        """Debian's version."""
        return debian_version(SUITES[self.suite][0])

    @property
    def file_name(self) -> str:
        """Name of the package's file."""
        return f"edgelstm_{self.version}_{self.arch}.deb"
