#!/usr/bin/env bash
# Makes Monado, a free OpenXR runtime, available to the tests of VR: prints the folder of its environment file, `env`.
# Takes the distribution's package where it is installed or can be; else builds the service once from Debian's source
# (checked hash; about a minute of processor time) into a cache outside this repository. Nothing is installed on the
# system but a missing compiler: libraries and headers are unpacked into the cache. `--check` builds nothing.
set -euo pipefail

VERSION=25.0.0
SOURCE=pool/main/m/monado/monado_$VERSION+dfsg.orig.tar.xz
SHA256=ddfa1899078173bea3db98034dc8b990df727a169f490896570ff6e3bda72113
RECIPE=1  # raise it when the build below changes: older caches are then left alone
CACHE=${REFINE_DP_MONADO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/refine-dp/monado}
DISTRIBUTION=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown}-${VERSION_ID:-0}" || echo unknown)
HOME_DIR=$CACHE/$VERSION-$RECIPE-$DISTRIBUTION-$(uname -m)
# What is compiled against, and what the null compositor loads at run time (a Vulkan driver on the processor).
BUILD_PACKAGES=(glslang-tools libeigen3-dev libvulkan-dev libudev-dev libglvnd-dev libx11-dev)
RUN_PACKAGES=(libvulkan1 mesa-vulkan-drivers)
TOOLS=(g++ cmake ninja pkg-config python3 xz)
TOOL_PACKAGES=(build-essential cmake ninja-build pkg-config python3 xz-utils)

say() { printf '%s\n' "[monado] $*" >&2; }
give_up() { say "$*"; exit 1; }

write_env() {  # folder, service, runtime json, library path, Vulkan driver file
  mkdir -p "$1"
  {
    echo "MONADO_SERVICE=$2"
    echo "XR_RUNTIME_JSON=$3"
    echo "MONADO_LIBRARY_PATH=$4"
    echo "MONADO_VULKAN_DRIVER=$5"
  } > "$1/env.part"
  mv "$1/env.part" "$1/env"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo "$@"
  else return 1; fi
}

have_root() { as_root true 2>/dev/null; }

apt_install() {
  as_root apt-get update -qq >&2 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

from_distribution() {
  local json=/usr/share/openxr/1/openxr_monado.json
  if ! command -v monado-service >/dev/null 2>&1 || [ ! -e "$json" ]; then
    command -v apt-cache >/dev/null 2>&1 || return 1
    apt-cache policy monado-service 2>/dev/null | grep -q 'Candidate: [0-9]' || return 1
    have_root || { say "the package monado-service exists but installing it needs root; building instead"; return 1; }
    say "installing the distribution's monado-service"
    apt_install monado-service libopenxr1-monado mesa-vulkan-drivers || return 1
  fi
  write_env "$CACHE/system" "$(command -v monado-service)" "$json" "" ""
  echo "$CACHE/system"
}

need_tools() {
  local tool missing=()
  for tool in "${TOOLS[@]}"; do command -v "$tool" >/dev/null 2>&1 || missing+=("$tool"); done
  [ "${#missing[@]}" -eq 0 ] && return
  say "installing what compiles: ${TOOL_PACKAGES[*]}"
  apt_install "${TOOL_PACKAGES[@]}" ||
    give_up "needs ${missing[*]} to build Monado. Run once: sudo apt-get install -y ${TOOL_PACKAGES[*]}"
}

fetch() {  # file: from the mirrors that apt uses, else from REFINE_DP_DEBIAN_MIRROR
  local site
  for site in ${REFINE_DP_DEBIAN_MIRROR:-} $(apt-get indextargets --format '$(SITE)' 2>/dev/null | sort -u); do
    python3 - "${site%/}/$SOURCE" "$1" <<'PYTHON' || continue
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer, open(sys.argv[2], "wb") as file:
    shutil.copyfileobj(answer, file)
PYTHON
    if echo "$SHA256  $1" | sha256sum --check --status; then return; fi
    say "what $site sent as $SOURCE has another sha256 than $SHA256: not used"
  done 2>/dev/null
  give_up "no mirror has $SOURCE; set REFINE_DP_DEBIAN_MIRROR to a Debian mirror that does"
}

unpack_packages() {  # folder packages...: as they would be installed, without touching the system
  local root=$1 package; shift
  apt-cache show "$1" >/dev/null 2>&1 || as_root apt-get update -qq >&2 || true
  local wanted=("$@")
  while read -r package; do wanted+=("$package"); done < <(
    apt-get -s install --no-install-recommends "$@" 2>/dev/null | awk '/^Inst/ && $3 !~ /^\[/ {print $2}')
  (
    mkdir -p "$root/debs" && cd "$root/debs"
    apt-get download -qq $(printf '%s\n' "${wanted[@]}" | sort -u) >&2 2>/dev/null
    for package in *.deb; do dpkg-deb -x "$package" "$root"; done
    rm -rf "$root/debs"
  ) || give_up "could not fetch ${wanted[*]} with apt-get download: is the package index there (apt-get update)?"
}


# A library's development link in the unpacked folder leads to nothing where the library itself is installed.
mend_links() {  # folder
  local link name found
  for link in "$1"/*.so; do
    { [ -L "$link" ] && [ ! -e "$link" ]; } || continue
    name=$(basename "$(readlink "$link")")
    found=$(ldconfig -p | awk -v name="$name" '$1 == name {print $NF; exit}')
    found=${found:-$(ldconfig -p | awk -v name="${name%%.so*}.so" 'index($1, name) == 1 {print $NF; exit}')}
    if [ -n "$found" ]; then ln -sf "$found" "$link"; fi
  done
}

OFF=(
  BUILD_TESTING BUILD_DOC XRT_FEATURE_SLAM XRT_FEATURE_STEAMVR_PLUGIN XRT_FEATURE_TRACING XRT_FEATURE_WINDOW_PEEK
  XRT_FEATURE_DEBUG_GUI XRT_MODULE_COMPOSITOR_MAIN XRT_MODULE_MONADO_GUI XRT_MODULE_MONADO_CLI
  XRT_MODULE_MERCURY_HANDTRACKING XRT_BUILD_SAMPLES XRT_HAVE_DBUS XRT_HAVE_GST XRT_HAVE_LIBUSB XRT_HAVE_LIBUVC
  XRT_HAVE_JPEG XRT_HAVE_SDL2 XRT_HAVE_OPENCV XRT_HAVE_SYSTEMD XRT_HAVE_WAYLAND XRT_HAVE_XCB XRT_HAVE_XRANDR
  XRT_HAVE_LIBBSD XRT_HAVE_BLUETOOTH XRT_HAVE_HIDAPI XRT_HAVE_OPENGLES XRT_HAVE_ONNXRUNTIME
  XRT_BUILD_DRIVER_HDK XRT_BUILD_DRIVER_HYDRA XRT_BUILD_DRIVER_NS XRT_BUILD_DRIVER_PSMV XRT_BUILD_DRIVER_PSSENSE
  XRT_BUILD_DRIVER_RIFT_S XRT_BUILD_DRIVER_STEAMVR_LIGHTHOUSE XRT_BUILD_DRIVER_VIVE XRT_BUILD_DRIVER_WMR
  XRT_BUILD_DRIVER_TWRAP
)

build() {
  local work=$HOME_DIR.work root=$HOME_DIR/root libraries
  rm -rf "$work" "$HOME_DIR"; mkdir -p "$work/source" "$root"
  say "building Monado $VERSION once in $HOME_DIR (about a minute of processor time)"
  fetch "$work/source.tar.xz"
  tar -xJf "$work/source.tar.xz" -C "$work/source" --strip-components=1
  unpack_packages "$root" "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
  libraries=$root/usr/lib/$(g++ -print-multiarch)
  mend_links "$libraries"
  export PATH=$root/usr/bin:$PATH LD_LIBRARY_PATH=$libraries
  local off=("${OFF[@]/#/-D}")
  nice -n 10 cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_SKIP_RPATH=ON -DXRT_BUILD_DRIVER_REMOTE=ON \
    -DXRT_BUILD_DRIVER_SIMULATED=ON "${off[@]/%/=OFF}" > "$work/configure.log" 2>&1 ||
    give_up "configuring failed; the log is $work/configure.log"
  nice -n 10 cmake --build "$work/build" --target monado-service openxr_monado monado-ctl > "$work/build.log" 2>&1 ||
    give_up "the build failed; the log is $work/build.log"
  keep "$work/build" "$root" "$libraries"
  rm -rf "$work"
}

keep() {  # build folder, unpacked packages, their libraries: what is needed at run time
  local bin=$HOME_DIR/bin driver
  mkdir -p "$bin"
  find "$1" -type f \( -name monado-service -o -name monado-ctl -o -name libopenxr_monado.so \) -exec cp {} "$bin/" \;
  strip "$bin"/*
  printf '{"file_format_version": "1.0.0", "runtime": {"name": "Monado", "library_path": "%s"}}\n' \
    "$bin/libopenxr_monado.so" > "$bin/openxr_monado.json"
  driver=$(find "$2/usr/share/vulkan/icd.d" -name 'lvp_icd*.json' 2>/dev/null | head -1)
  driver=${driver:-$(find /usr/share/vulkan/icd.d -name 'lvp_icd*.json' 2>/dev/null | head -1)}
  [ -n "$driver" ] || give_up "the Vulkan driver for the processor (lavapipe) is missing from mesa-vulkan-drivers"
  if [ "${driver#"$2"}" != "$driver" ]; then  # an unpacked driver's file names a library that is not installed
    sed "s#\"library_path\": *\"[^\"]*/#\"library_path\": \"$3/#" "$driver" > "$bin/lavapipe.json"
    driver=$bin/lavapipe.json
  fi
  mkdir -p "$HOME_DIR/lib"
  cp -P "$3"/libvulkan.so.1* "$3"/libvulkan_lvp.so "$HOME_DIR/lib/" 2>/dev/null || true
  if [ -e "$bin/lavapipe.json" ]; then sed -i "s#$3/#$HOME_DIR/lib/#" "$bin/lavapipe.json"; fi
  unpacked_libraries "$2" "$3"
  rm -rf "$2"
  write_env "$HOME_DIR" "$bin/monado-service" "$bin/openxr_monado.json" "$HOME_DIR/lib" "$driver"
}

unpacked_libraries() {  # unpacked packages, their libraries: copy those that the programs find nowhere else
  local name
  while read -r name; do
    if [ -e "$2/$name" ]; then cp -L "$2/$name" "$HOME_DIR/lib/"; fi
  done < <(LD_LIBRARY_PATH=$HOME_DIR/lib ldd "$HOME_DIR"/bin/monado-service "$HOME_DIR"/bin/*.so "$HOME_DIR"/lib/*.so* \
    2>/dev/null | awk '/not found/ {print $1}' | sort -u)
  if LD_LIBRARY_PATH=$HOME_DIR/lib ldd "$HOME_DIR"/bin/monado-service "$HOME_DIR"/bin/*.so "$HOME_DIR"/lib/*.so* \
    2>/dev/null | grep 'not found' >&2; then
    give_up "the built Monado lacks the libraries above; install the packages that hold them"
  fi
}

for ready in "$HOME_DIR" "$CACHE/system"; do
  if [ -e "$ready/env" ]; then echo "$ready"; exit 0; fi
done
[ "${1:-}" != --check ] || exit 1
mkdir -p "$CACHE"
exec 9> "$CACHE/lock"
flock 9  # two test runs at once: the second takes what the first built
if [ -e "$HOME_DIR/env" ]; then echo "$HOME_DIR"; exit 0; fi
from_distribution && exit 0
[ "$(uname -s)" = Linux ] || give_up "Monado is built on Linux only"
command -v apt-get >/dev/null 2>&1 || give_up "not a Debian system: install Monado yourself (monado-service on PATH)"
need_tools
build
echo "$HOME_DIR"
