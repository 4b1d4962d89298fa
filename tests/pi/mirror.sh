#!/bin/bash
# Print the address of a Debian mirror: $DEBIAN_MIRROR, or this machine's own where it runs Debian.
set -euo pipefail
. /etc/os-release
if [ -n "${DEBIAN_MIRROR:-}" ]; then
  echo "$DEBIAN_MIRROR"
elif [ "$ID" = debian ]; then
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep debian | grep -v security | head -n 1
else
  echo "this machine does not run Debian: name a mirror in DEBIAN_MIRROR" >&2
  exit 1
fi
