"""Rights that a source or sink needs of a service manager."""

from __future__ import annotations

from enum import Enum


class Access(Enum):
    """Right beyond computing."""

    NONE = "none"
    """Nothing more."""
    NETWORK = "network"
    """Connections to the address's host."""
    FOLDER = "folder"
    """Files in the service's own folder."""
    PROGRAM = "program"
    """Other programs, which may do anything."""
    DEVICE = "device"
    """The device file that the address names."""
    FILE = "file"
    """Reading the file that the address names."""
