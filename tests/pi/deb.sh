#!/bin/bash
# Prove the Debian package on an emulated Raspberry Pi, without a network: deb.sh PYTHON WHEEL ARCH (arm64 or armhf, bookworm)
#
# dpkg installs it, its command scores a file to the host's bits, systemd accepts its unit; configuration and state live
# through an upgrade (armhf) and a removal (arm64), and are gone after a purge. It is built twice on the way: same bytes.
set -euo pipefail
python=$1 wheel=$2 arch=$3
cd "$(dirname "$0")/../.."
pi=$PWD/.pi here=$PWD/tests/pi models=$PWD/tests/slim/models
root=$pi/deb-$arch built=$pi/deb-built-$arch
build() { "$python" .github/packaging/build_deb.py --arch "$arch" --suite bookworm --quick --wheel "$wheel" -o "$1"; }
inside() { bash "$here/inside.sh" "$root" "$@"; }
host() { (cd "$pi" && "$python" "$@"); }  # from another folder: here the sources would shadow the installed package
fail() { echo "deb $arch: $*" >&2; exit 1; }

rm -rf "$built"
build "$built"
deb=$(echo "$built"/*.deb)
if [ "$arch" = armhf ]; then  # the quicker one
  build "$built/again"
  cmp "$deb" "$built"/again/*.deb || fail "a second build differs"
fi
if command -v lintian >/dev/null; then lintian --allow-root --fail-on error,warning "$deb"; else echo "no lintian here: apt-get install lintian"; fi

if [ ! -e "$root/.complete" ]; then
  packages=(python3 libstdc++6 dpkg dash coreutils sed grep findutils perl-base tar base-files diffutils libc-bin systemd procps)
  if [ "$arch" = armhf ]; then packages+=(python3-numpy); fi
  bash "$here/unpack.sh" "$arch" bookworm "$root" "${packages[@]}"
  if [ "$arch" = armhf ]; then  # as the scripts of libblas3 and liblapack3 do, which did not run
    ln -s blas/libblas.so.3 lapack/liblapack.so.3 "$root/usr/lib/arm-linux-gnueabihf"
  fi
  touch "$root/.complete"
fi
mkdir -p "$root/opt/models"
cp "$models/auto.int8.tflite" "$models/stream.csv" "$root/opt/models"
cp "$deb" "$root/tmp/edgelstm.deb"

inside dpkg --purge edgelstm >/dev/null 2>&1 || true  # what an interrupted test left
rm -rf "$root/etc/edgelstm"
inside dpkg -i /tmp/edgelstm.deb
version=$(inside edgelstm --version)
[ "$version" = "edgelstm $(host -c 'import edgelstm; print(edgelstm.__version__)')" ] || fail "$version"

inside sh -ec 'edgelstm score /opt/models/auto.int8.tflite /opt/models/stream.csv -o /tmp/scores.csv'
host -m edgelstm score "$models/auto.int8.tflite" "$models/stream.csv" -o "$built/scores.csv"
cmp "$root/tmp/scores.csv" "$built/scores.csv" || fail "scores differ from the host's"

inside systemd-analyze verify edgelstm@main.service 2> "$built/verify" || fail "$(cat "$built/verify")"
if grep edgelstm "$built/verify"; then fail "systemd finds fault with the unit"; fi
host -m edgelstm service --template --program /usr/bin/edgelstm | cmp - "$root/usr/lib/systemd/system/edgelstm@.service" || fail "the unit is not the product's"
[ "$(stat -c %a "$root/etc/edgelstm/secrets")" = 700 ] || fail "others can list the secrets"

# a configuration of the user's own, and the state of a service
printf 'model = "/opt/models/auto.int8.tflite"\nsource = "mqtt://localhost/pump"\n' >> "$root/etc/edgelstm/main.toml"
cp "$root/etc/edgelstm/main.toml" "$built/main.toml"
mkdir -p "$root/var/lib/private/edgelstm-main"
inside edgelstm run --config /etc/edgelstm/main.toml --dry-run

if [ "$arch" = armhf ]; then
  dpkg-deb -R "$deb" "$built/newer"
  sed -i 's/^Version: .*/&.1/' "$built/newer/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$built/newer" "$root/tmp/edgelstm.deb" >/dev/null
  inside dpkg -i /tmp/edgelstm.deb
  inside dpkg-query -W -f '${Version}\n' edgelstm | grep -F deb12.1 || fail "not upgraded"
else
  inside dpkg -r edgelstm
  [ ! -e "$root/usr/lib/edgelstm" ] || fail "removed, but $(find "$root/usr/lib/edgelstm" -type f | head -n 1) is left"
fi
cmp "$root/etc/edgelstm/main.toml" "$built/main.toml" || fail "the configuration was lost"
[ -d "$root/var/lib/private/edgelstm-main" ] || fail "the state was lost"
inside dpkg --purge edgelstm
for path in etc/edgelstm var/lib/private/edgelstm-main usr/lib/edgelstm usr/bin/edgelstm; do
  [ ! -e "$root/$path" ] || fail "purged, but /$path is left"
done
echo "deb $arch: installs, scores as the host does, keeps its configuration until it is purged"
