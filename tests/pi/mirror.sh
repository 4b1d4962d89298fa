#!/bin/bash
# Print the address of a Debian mirror: this machine's own where it runs Debian.
set -euo pipefail
. /etc/os-release
if [ "$ID" = debian ]; then
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep debian | grep -v security | head -n 1
else
  echo http://deb.debian.org/debian
fi
