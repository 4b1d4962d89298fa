#!/bin/bash
# Prove the device side on the Raspberry Pi's own userlands: tests/pi/run.sh [PYTHON]
#
# Builds the wheel, fills a wheelhouse a platform, installs from it offline with pip running on the emulated Pi (so that
# our environment markers are resolved there), and runs check.py, on the tiny models of the tests and on the demo's bundle
# and stream, then the slim tests that start no other program (under emulation a start takes half a minute). One userland of each
# architecture then updates its model over HTTP, from a repository on this host (update.py), and installs the Debian package (deb.sh).
# Userlands and wheelhouses are kept in .pi/. PYTHON is the host's with edgelstm[train] installed; its results are what
# the Pis must reproduce.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath -s "$(command -v "${1:-python3}")") here=$PWD/tests/pi pi=$PWD/.pi repo=$PWD
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
mkdir -p "$pi"
shopt -s nullglob
models=("$PWD"/tests/slim/models/{auto,cast,flow}.*.tflite "$pi/demo/pump.int8.tflite")
tests=("$PWD"/tests/slim/test_{scoring,detector,debounce,policies,snapshot,text}.py)

say() { printf '\n== %s\n' "$*"; }
fetch() { "$python" -m pip download -q --only-binary=:all: "$@" 2> >(grep -v '^WARNING: Location' >&2); }

say "wheel"
rm -rf "$pi/wheel" "$pi/source"
mkdir -p "$pi/source"
git ls-files -z -- ':!tests' ':!docs' | xargs -0 cp --parents -t "$pi/source"  # a build folder would leave stale modules in
"$python" -m pip wheel -q --no-deps -w "$pi/wheel" "$pi/source" 2> >(grep -v '^WARNING: Location' >&2)
compgen -G "$pi/tools/pip-*.whl" >/dev/null || fetch --no-deps -d "$pi/tools" pip==25.3

"$python" -m pip install -q --target "$pi/pytest" --upgrade pytest 2> >(grep -v '^WARNING: Location' >&2)

say "demo"
rm -rf "$pi/demo"
(cd "$pi" && "$python" -m edgelstm demo -o demo >/dev/null 2>&1)
cut -d, -f1-6 "$pi/demo/pump_faults.csv" | sed -n 1,2401p > "$pi/demo/stream.csv"

say "x86-64"
(cd "$pi" && "$python" "$here/check.py" "${models[@]}" --record "$pi/host.json")

# platform NAME ARCH SUITE PYTHON_VERSION PIP_PLATFORMS DOWNLOAD INSTALL (the last two: arguments of pip, split at blanks)
platform() {
  local name=$1 root=$pi/$2-$3 version=$4 tags=$5 download=$6 install=$7 house=$pi/wheels-$1 site=$pi/site-$1 packages
  local complete; complete=$house/.complete-$(printf %s "$download" | cksum | cut -d' ' -f1)
  say "$name: pip install $install"
  bash "$here/emulate.sh" "$2" "$3" "$root"
  if [ ! -e "$complete" ]; then
    rm -rf "$house"
    # shellcheck disable=SC2086
    fetch --implementation cp --python-version "$version" $(printf -- '--platform %s ' $tags) -d "$house" $download
    touch "$complete"
  fi
  rm -rf "$house"/edgelstm-*.whl "$site"
  cp "$pi"/wheel/edgelstm-*.whl "$house"
  local requirements
  read -ra requirements <<< "$install"  # not split by the shell, which would take the brackets of an extra for a pattern
  PYTHONPATH=$(echo "$pi"/tools/pip-*.whl) "$root/usr/bin/python3-elf" -m pip install -q --no-index --find-links "$house" \
    --no-compile --prefix "$site" "${requirements[@]}"
  packages=$(dirname "$(find "$site" -type d -name edgelstm -path '*-packages/*' | head -n 1)")
  (cd "$pi" && PYTHONPATH=$packages "$root/usr/bin/python3" "$here/check.py" "${models[@]}" \
    --record "$pi/$name.json" --against "$pi/host.json" "${@:8}")
  (cd "$pi" && PYTHONPATH=$packages:$pi/pytest "$root/usr/bin/python3" -m pytest -q -p no:cacheprovider -c "$repo/pyproject.toml" \
    --rootdir "$repo" "${tests[@]}")
  if [[ $install = *update* ]]; then
    say "$name: a signed update"
    (cd "$pi" && "$python" "$here/update.py" "$root/usr/bin/python3" "$packages")
  fi
}

arm64="manylinux_2_34_aarch64 manylinux_2_28_aarch64 manylinux_2_27_aarch64 manylinux2014_aarch64"
# two at a time: most of the time is qemu's, one core each
failed=0
pair() {
  local jobs=() names=("$@") job number
  for job in "$@"; do
    ( set -e; $job ) > "$pi/$job.log" 2>&1 &
    jobs+=($!)
  done
  for number in "${!jobs[@]}"; do
    wait "${jobs[$number]}" || failed=1
    cat "$pi/${names[$number]}.log"
  done
}
updates="tuf securesystemslib urllib3"
trixie() { platform arm64-trixie arm64 trixie 3.13 "$arm64" "click numpy ai-edge-litert $updates" "edgelstm[update]"; }
bookworm() { platform arm64-bookworm arm64 bookworm 3.11 "$arm64" "click numpy ai-edge-litert" "edgelstm"; }
older() {
  platform arm64-bookworm-tflite arm64 bookworm 3.11 "$arm64" "--no-deps click numpy==1.26.4 tflite-runtime==2.14.0" \
    "--no-deps edgelstm click numpy tflite-runtime"
}
armhf() { platform armhf-bookworm armhf bookworm 3.11 manylinux_2_34_armv7l "--no-deps click tflite-runtime==2.14.0 $updates" "edgelstm[update]" --float 2e-4; }
pair trixie armhf
bash "$here/emulate.sh" arm64 bookworm "$pi/arm64-bookworm"  # shared by the next two
pair bookworm older
[ "$failed" = 0 ] || { say "a platform differs"; exit 1; }
deb_arm64() { bash "$here/deb.sh" "$python" "$(echo "$pi"/wheel/edgelstm-*.whl)" arm64; }
deb_armhf() { bash "$here/deb.sh" "$python" "$(echo "$pi"/wheel/edgelstm-*.whl)" armhf; }
if bash "$here/inside.sh" 2>/dev/null; then
  say "Debian packages"
  pair deb_arm64 deb_armhf
  [ "$failed" = 0 ] || { say "a package fails"; exit 1; }
else
  say "Debian packages were not tried: this kernel has no binfmt_misc in user namespaces (Linux 6.7)"
fi
say "all platforms agree with x86-64"
