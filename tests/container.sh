#!/bin/bash
# Build the container image of this machine's architecture without a registry or a daemon, and run it: container.sh PYTHON
#
# The base image is Debian's minimal system, made from packages. buildah builds the product's own Dockerfiles on it: the image, and
# the Home Assistant add-on on top. Each prints its version; the image watches a stream and its own health check passes.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath -s "$1") work=$PWD/.pi/container
version=$("$python" .github/packaging/release.py)
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
b() { buildah --root "$work/storage" --runroot "$work/run" "$@"; }
fail() { echo "container: $*" >&2; exit 1; }
mkdir -p "$work"

if [ ! -e "$work/base.tar" ]; then
  mmdebstrap --quiet --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr bookworm "$work/part.tar" "$(bash tests/pi/mirror.sh)"
  mv "$work/part.tar" "$work/base.tar"
fi
rm -rf "$work"/{storage,run,context}
base=$(b from scratch)
b add -q "$base" "$work/base.tar" / >/dev/null
b commit -q "$base" localhost/base >/dev/null
b rm "$base" >/dev/null

"$python" .github/packaging/build_deb.py --arch "$(dpkg --print-architecture)" --suite bookworm --quick -o "$work/context/dist"
b bud -q --format docker --build-arg BASE=localhost/base --build-arg "VERSION=$version" -t localhost/edgelstm \
  -f .github/packaging/container/Dockerfile "$work/context"
"$python" .github/packaging/build_addon.py --image localhost/edgelstm -o "$work/addon"
b bud -q --format docker --build-arg BASE=localhost/edgelstm --build-arg BUILD_ARCH=amd64 -t localhost/addon "$work/addon/edgelstm"

for image in edgelstm addon; do
  b inspect --type image --format '{{.Docker.Config.Labels}}' "localhost/$image" | grep -F "version:$version" || fail "$image: no label"
done
box=$(b from localhost/edgelstm)
b run "$box" -- edgelstm --version
[ "$(b run "$box" -- id -u)" = 8377 ] || fail "not its own user"
b copy -q "$box" tests/slim/models/auto.int8.tflite tests/slim/models/stream.csv /opt/models/ >/dev/null
# the image's own health check, beside the watch of a file that stays open
b inspect --type image localhost/edgelstm > "$work/image.json"
"$python" -c 'import json, shlex, sys; print(shlex.join(json.load(sys.stdin)["Docker"]["config"]["Healthcheck"]["Test"][1:]))' \
  < "$work/image.json" > "$work/check"
b copy -q "$box" "$work/check" /opt/check >/dev/null
b run "$box" -- sh -ec '
  edgelstm run /opt/models/auto.int8.tflite /opt/models/stream.csv --follow --listen 0.0.0.0:8377 >/dev/null & watch=$!
  for second in $(seq 60); do
    if sh /opt/check 2>/dev/null; then kill "$watch"; wait "$watch"; exit 0; fi
    sleep 1
  done
  exit 1' || fail "not healthy"

# the add-on, with a Supervisor that knows of no broker
box=$(b from localhost/addon)
b copy -q "$box" tests/slim/models/auto.int8.tflite tests/slim/models/stream.csv /config/ >/dev/null
echo '{"language": "de", "streams": [{"model": "auto.int8.tflite", "source": "/config/stream.csv", "name": "pump"}]}' > "$work/options.json"
b copy -q --chmod 600 "$box" "$work/options.json" /data/options.json >/dev/null
b run "$box" -- sh -ec '
  grep -q supervisor /etc/hosts || echo "127.0.0.1 supervisor" >> /etc/hosts
  cd /opt && python3 -m http.server --bind 127.0.0.1 80 2>/dev/null & server=$!
  sleep 2
  cd /var/lib/edgelstm && /usr/lib/edgelstm/bin/python -I -m edgelstm.runtime.service.home_assistant >/dev/null
  kill "$server"
  stat -c "%U %a %n" /data/options.json /data/edgelstm.toml /data/pump.events.jsonl
  test "$(stat -c %U /data/pump.events.jsonl)" = edgelstm
  grep -q "erwartet\|ohne Wert" /data/pump.events.jsonl' || fail "the add-on does not start"
echo "container: image and add-on build, run as their own user and are healthy"
