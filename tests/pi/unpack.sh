#!/bin/bash
# Unpack Debian packages of another architecture, and what they depend on, into a folder: unpack.sh ARCH SUITE ROOT PACKAGE...
# No maintainer script runs. Package by package dpkg's own records there say that it is installed.
set -euo pipefail
arch=$1 suite=$2 root=$(realpath -m "$3") work=$(realpath -m "$3").apt
shift 3

# apt, told to work for another architecture in a folder of its own
mirror=$(bash "$(dirname "$0")/mirror.sh")
rm -rf "$root"
mkdir -p "$root"/{proc,dev,tmp} "$root"/usr/{bin,sbin,lib} "$root"/var/lib/dpkg/info "$work"/{lists/partial,cache/archives/partial,etc}
: > "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$work/sources.list"
apt=(apt-get -q -oAPT::Architecture="$arch" -oAPT::Architectures="$arch" -oDir::Etc::sourcelist="$work/sources.list"
     -oDir::Etc::sourceparts="$work/etc" -oDir::State::lists="$work/lists" -oDir::State::status="$work/status"
     -oDir::Cache="$work/cache" -oAcquire::Languages=none -oAPT::Sandbox::User="$(id -un)" -oDebug::NoLocking=1)
"${apt[@]}" update >/dev/null
"${apt[@]}" -y --no-install-recommends --download-only install "$@" >/dev/null
for folder in bin sbin lib; do ln -sfn "usr/$folder" "$root/$folder"; done  # everything is under /usr
for deb in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
  dpkg-deb -f "$deb" | sed '1a Status: install ok installed'
  echo
  name=$(dpkg-deb -f "$deb" Package)
  if [ "$(dpkg-deb -f "$deb" Multi-Arch)" = same ]; then name=$name:$arch; fi
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's|^\.||; s|/$||; s|^$|/.|' > "$root/var/lib/dpkg/info/$name.list"
done > "$root/var/lib/dpkg/status"

# LiteRT reads the processor's topology at start-up, and crashes on the host's answer
case $arch in
  arm64) part=0xd08 generation=8 features='fp asimd evtstrm crc32 cpuid' ;;
  armhf) part=0xc07 generation=7
         features='half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32' ;;
esac
for core in 0 1 2 3; do
  printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: %s\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 3\n\n' \
    "$core" "$features" "$generation" "$part"
done > "$root/proc/cpuinfo"
rm -rf "$work"
