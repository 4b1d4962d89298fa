#!/bin/bash
# A Raspberry Pi OS-like Python userland in a folder, run through qemu-user: no image, no second stage, no binfmt.
#
#   apt-get install -y --no-install-recommends qemu-user-static      (once)
#   emulate.sh arm64|armhf bookworm|trixie ROOT
#
# Afterwards ROOT/usr/bin/python3 is an Arm Python (bookworm 3.11, trixie 3.13), and so are the Pythons it starts.
# armhf also gets Debian's NumPy, as PyPI has no wheel for it. Times and memory are not a Pi's.
set -euo pipefail
arch=$1 suite=$2 root=$(realpath -m "$3") work=$(realpath -m "$3").apt
case $suite in
  bookworm) python=3.11 ;;
  trixie) python=3.13 ;;
  *) echo "unknown suite $suite" >&2; exit 2 ;;
esac
case $arch in
  arm64) qemu=qemu-aarch64-static cpu=cortex-a72 part=0xd08 generation=8
         features='fp asimd evtstrm crc32 cpuid' ;;
  armhf) qemu=qemu-arm-static cpu=cortex-a7 part=0xc07 generation=7
         features='half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32' ;;
  *) echo "unknown architecture $arch" >&2; exit 2 ;;
esac
if [ -e "$root/.complete" ]; then exit 0; fi
command -v "$qemu" >/dev/null || { echo "$qemu is missing: apt-get install -y qemu-user-static" >&2; exit 1; }

# apt, told to work for another architecture in a folder of its own
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
rm -rf "$root"
mkdir -p "$root/proc" "$work"/{lists/partial,cache/archives/partial,etc}
: > "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$work/sources.list"
apt=(apt-get -q -oAPT::Architecture="$arch" -oAPT::Architectures="$arch" -oDir::Etc::sourcelist="$work/sources.list"
     -oDir::Etc::sourceparts="$work/etc" -oDir::State::lists="$work/lists" -oDir::State::status="$work/status"
     -oDir::Cache="$work/cache" -oAcquire::Languages=none -oAPT::Sandbox::User="$(id -un)" -oDebug::NoLocking=1)
packages=("python$python" libstdc++6 libgcc-s1)
if [ "$arch" = armhf ]; then packages+=(python3-numpy); fi
"${apt[@]}" update >/dev/null
"${apt[@]}" -y --no-install-recommends --download-only install "${packages[@]}" >/dev/null
if [ "$suite" = trixie ]; then  # its packages put everything under /usr
  mkdir -p "$root"/usr/{bin,sbin,lib}
  for folder in bin sbin lib; do ln -sfn "usr/$folder" "$root/$folder"; done
fi
for deb in "$work"/cache/archives/*.deb; do dpkg -x "$deb" "$root"; done

# LiteRT reads the processor's topology at start-up, and crashes on the host's answer
for core in 0 1 2 3; do
  printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: %s\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 3\n\n' \
    "$core" "$features" "$generation" "$part"
done > "$root/proc/cpuinfo"

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
rm -rf "$work"
touch "$root/.complete"
