#!/bin/bash
# A Raspberry Pi OS-like Python userland in a folder, run through qemu-user: no image, no second stage, no binfmt.
#
#   apt-get install -y --no-install-recommends qemu-user-static      (once)
#   emulate.sh arm64|armhf bookworm|trixie ROOT
#
# Afterwards ROOT/usr/bin/python3 is an Arm Python (bookworm 3.11, trixie 3.13), and so are the Pythons it starts.
# armhf also gets Debian's NumPy, as PyPI has no wheel for it. Times and memory are not a Pi's.
set -euo pipefail
arch=$1 suite=$2 root=$(realpath -m "$3")
case $suite in
  bookworm) python=3.11 ;;
  trixie) python=3.13 ;;
  *) echo "unknown suite $suite" >&2; exit 2 ;;
esac
case $arch in
  arm64) qemu=qemu-aarch64-static cpu=cortex-a72 ;;
  armhf) qemu=qemu-arm-static cpu=cortex-a7 ;;
  *) echo "unknown architecture $arch" >&2; exit 2 ;;
esac
if [ -e "$root/.complete" ]; then exit 0; fi
command -v "$qemu" >/dev/null || { echo "$qemu is missing: apt-get install -y qemu-user-static" >&2; exit 1; }

packages=("python$python" libstdc++6 libgcc-s1)
if [ "$arch" = armhf ]; then packages+=(python3-numpy); fi
bash "$(dirname "$0")/unpack.sh" "$arch" "$suite" "$root" "${packages[@]}"

libraries=$root/usr/lib/arm-linux-gnueabihf
extra=
if [ "$arch" = armhf ]; then extra="-E LD_LIBRARY_PATH=$libraries/blas:$libraries/lapack"; fi
wrapper() {  # NAME PROGRAM: what sys.executable is (pip checks that it is an Arm program, child processes need the wrapper)
  rm -f "$root/usr/bin/$1"
  printf '#!/bin/sh\nexec %s -cpu %s %s -L %s -0 %s %s "$@"\n' \
    "$qemu" "$cpu" "$extra" "$root" "$root/usr/bin/$2" "$root/usr/bin/python$python" > "$root/usr/bin/$1"
  chmod +x "$root/usr/bin/$1"
}
wrapper python3 python3
wrapper python3-elf "python$python"
"$root/usr/bin/python3" -c 'import platform, sys; print(platform.machine(), sys.version.split()[0])'
touch "$root/.complete"
