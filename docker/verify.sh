#!/usr/bin/env bash
# Builds the Dockerfile without Docker and runs the service in it: buildah with chroot isolation,
# on a base that mmdebstrap makes of this machine's Debian release. All of it lies in build/.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ] || ! command -v buildah >/dev/null || ! command -v mmdebstrap >/dev/null; then
    echo "This needs root and two Debian packages:  apt-get install -y buildah mmdebstrap" >&2
    exit 1
fi

store=$PWD/build/containers
base=localhost/aqc-base image=localhost/aqc-verify
export BUILDAH_ISOLATION=chroot TMPDIR=$store/tmp
mkdir -p "$TMPDIR"

buildah() {
    command buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"
}

make_base() {
    local release container
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv \
        "$release" "$store/base.tar"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$store/base.tar" / >/dev/null
    buildah commit --quiet --rm "$container" "$base" >/dev/null
    rm "$store/base.tar"
}

# A machine behind a proxy of its own has certificates and a pip configuration to match.
mounts=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
[ ! -f /etc/pip.conf ] || mounts+=(--volume /etc/pip.conf:/etc/pip.conf:ro)

buildah inspect --type image "$base" >/dev/null 2>&1 || { echo "Making a base ..."; make_base; }
echo "Building the image ..."
# HEALTHCHECK is part of Docker's format only.
buildah build --quiet --format docker --build-arg "BASE=$base" "${mounts[@]}" --tag "$image" .
buildah inspect --type image --format 'User {{.Docker.Config.User}}, stops by {{.Docker.Config.StopSignal}}, health: {{.Docker.Config.Healthcheck.Test}}' "$image"

echo "Running it ..."
container=$(buildah from "$image")
trap 'buildah rm "$container" >/dev/null' EXIT
buildah run "$container" -- python3 - < docker/smoke.py
