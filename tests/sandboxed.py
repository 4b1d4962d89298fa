"""A command under the restrictions of a systemd unit, without systemd: `unshare --mount python sandboxed.py UNIT STATE COMMAND…`.

What the unit asks for is done by the same calls of the kernel: a read-only view of all mounts but STATE and a private /tmp
(ProtectSystem, PrivateTmp), no other network than loopback (PrivateNetwork, by `unshare --net`), no capabilities, no new
privileges, the filter of system calls and of address families (seccomp), and no memory that is written and executed. Users,
devices and control groups stay as they are. x86-64 Linux as root; ends with exit code 77 where a part cannot be had.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
SKIPPED = 77
NO_NEW_PRIVILEGES, SECCOMP, BOUNDING_DROP, MDWE = 38, 22, 24, 65
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, DENY = 0x7FFF0000, 0x00050000
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


def settings(unit):
    """Lines of a unit as pairs."""
    return re.findall(r"^(\w+)=(.*)$", Path(unit).read_text(), re.MULTILINE)


@cache
def group(name):
    """System calls of a group, as systemd knows it."""
    lines = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout
    words = [line.strip() for line in lines.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return {call for word in words for call in (group(word) if word.startswith("@") else {word})}


def allowed_calls(unit):
    """System calls that a unit's filters leave."""
    allowed = set()
    for key, value in settings(unit):
        if key == "SystemCallFilter":
            words = value.lstrip("~").split()
            calls = {call for word in words for call in (group(word) if word.startswith("@") else {word})}
            allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def seccomp_filter(unit):
    """Program that lets a unit's system calls and address families pass, and answers EPERM and EAFNOSUPPORT to others."""
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", HEADER.read_text())}
    families = dict(settings(unit))["RestrictAddressFamilies"].split()
    socket = [(LOAD, 0, 0, 16)]
    for family in families:
        socket += [(EQUAL, 0, 1, FAMILIES[family]), (RETURN, 0, 0, ALLOW)]
    socket.append((RETURN, 0, 0, DENY | 97))
    program = [(LOAD, 0, 0, 0), (EQUAL, 0, len(socket), numbers["socket"]), *socket]
    for name in sorted(allowed_calls(unit) & numbers.keys()):
        program += [(EQUAL, 0, 1, numbers[name]), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, DENY | 1))
    return b"".join(struct.pack("HBBI", *step) for step in program), len(program)


def call(*arguments):
    """Call prctl; end where the kernel does not have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*arguments, *[ctypes.c_ulong(0)] * (5 - len(arguments))):
        print(f"prctl {arguments[0]}: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        sys.exit(SKIPPED)


def mount(*words):
    """Mount; end where it is not allowed."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        sys.exit(SKIPPED)


def restrict_files(state):
    """Make everything read-only but one folder and a /tmp of its own."""
    mount("--make-rprivate", "/")
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    mount("--bind", state, state)
    for place in places:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], capture_output=True)  # some are covered by others
    mount("-t", "tmpfs", "tmpfs", "/tmp")


def main():
    """Restrict this process, and become the command."""
    unit, state, *command = sys.argv[1:]
    has = dict(settings(unit))
    steps, count = seccomp_filter(unit)
    restrict_files(state)
    assert has["ProtectSystem"] == "strict"
    assert has["NoNewPrivileges"] == "yes"
    assert has["CapabilityBoundingSet"] == ""
    assert has["MemoryDenyWriteExecute"] == "yes"
    os.chdir(state)
    os.umask(int(has["UMask"], 8))
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        call(BOUNDING_DROP, capability)
    call(NO_NEW_PRIVILEGES, 1)
    call(MDWE, 1)
    buffer = ctypes.create_string_buffer(steps)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", count, ctypes.addressof(buffer)))
    call(SECCOMP, 2, program)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
