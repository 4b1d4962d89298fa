#!/bin/bash
# Run a command inside an Arm userland as if it were the machine's own: inside.sh ROOT COMMAND...
#
# qemu-user is registered with the kernel for this command alone, in a user namespace (Linux 6.7 or later), so programs start
# each other, as dpkg and its scripts do. `inside.sh` alone tells whether this machine can do that.
set -euo pipefail
if [ $# = 0 ]; then exec unshare --map-root-user --mount mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; fi
exec unshare --map-root-user --mount bash -s -- "$@" <<'SCRIPT'
set -euo pipefail
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
# an ELF file for Arm: 64 bits and machine 183, 32 bits and machine 40; F opens qemu now, before the root changes
elf() { printf ':qemu-%s:M::\\x7fELF\\x0%d\\x01\\x01%s\\x02\\x00\\x%s\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00%s\\xfe\\xff\\xff\\xff:/usr/bin/qemu-%s-static:OCF' \
  "$1" "$2" "$(printf '\\x00%.0s' {1..9})" "$3" "$(printf '\\xff%.0s' {1..8})" "$1" > /proc/sys/fs/binfmt_misc/register; }
elf aarch64 2 b7
elf arm 1 28
root=$1; shift
for device in null zero urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
case $(basename "$root") in *armhf*) export QEMU_CPU=cortex-a7 ;; *) export QEMU_CPU=cortex-a72 ;; esac
exec chroot "$root" "$@" </dev/null
SCRIPT
