#!/usr/bin/env bash
# Installs what is missing on a fresh Debian or Ubuntu machine: system libraries, a virtual environment in .venv,
# pinned Python packages. Does nothing (in well under a second) when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

# What Qt (xcb platform) and MuJoCo (EGL, OSMesa) load at run time, and the virtual display of the tests.
SYSTEM_PACKAGES=(
  libegl1 libgl1 libgl1-mesa-dri libglx-mesa0 libosmesa6 libopengl0
  libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0
  libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 libxkbcommon0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1
  fonts-dejavu-core xvfb xauth
)
TORCH_VERSION=$(sed -n 's/^torch==//p' constraints.txt)

say() { printf '%s\n' "[install] $*" >&2; }

find_python() {
  local candidate
  for candidate in "${REFINE_DP_PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

missing_system_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

install_system_packages() {
  if ! command -v dpkg-query >/dev/null 2>&1; then
    say "not a Debian system: install the equivalents of these yourself: ${SYSTEM_PACKAGES[*]}"
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_system_packages "${SYSTEM_PACKAGES[@]}" "$@")
  if [ "${#missing[@]}" -eq 0 ]; then return; fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; then
      say "these system packages are missing and installing them needs root. Run this once, then try again:"
      say "  sudo apt-get update && sudo apt-get install -y ${missing[*]}"
      exit 1
    fi
    as_root=(sudo)
  fi
  say "installing system packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

pip_install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "$@"; }

has_nvidia_gpu() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; }

install_torch() {
  if has_nvidia_gpu; then
    say "NVIDIA GPU found: installing torch $TORCH_VERSION with CUDA (several gigabytes)"
    pip_install "torch==$TORCH_VERSION"
    return
  fi
  say "no NVIDIA GPU: installing the CPU build of torch $TORCH_VERSION"
  # uv knows where PyTorch publishes its CPU builds; they save gigabytes of CUDA packages.
  pip_install uv
  if UV_HTTP_TIMEOUT=20 .venv/bin/uv pip install --quiet --python .venv/bin/python --torch-backend=cpu \
    "torch==$TORCH_VERSION" 2>/dev/null; then return; fi
  say "PyTorch's own index is out of reach: taking torch from the configured package index"
  pip_install "torch==$TORCH_VERSION"
}

stamp=$(cat pyproject.toml constraints.txt scripts/bootstrap.sh | sha256sum | cut -d' ' -f1)
if [ -x .venv/bin/python ] && [ "$(cat .venv/.installed 2>/dev/null)" = "$stamp" ]; then exit 0; fi

python=$(find_python)
if [ -z "$python" ]; then
  say "Python 3.11, 3.12 or 3.13 was not found. On Debian 12 or Ubuntu 24.04: apt-get install python3 python3-venv;"
  say "or set REFINE_DP_PYTHON to an interpreter."
  exit 1
fi
venv_package=()
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  venv_package=("$("$python" -c 'import sys; print(f"python3.{sys.version_info.minor}-venv")')")
fi
install_system_packages "${venv_package[@]}"

if [ ! -x .venv/bin/python ]; then
  say "creating .venv with $("$python" --version)"
  "$python" -m venv .venv
fi
.venv/bin/python -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '$TORCH_VERSION')" 2>/dev/null ||
  install_torch
say "installing Python packages"
# both bring the module onnxruntime: only one of them may be installed
if has_nvidia_gpu; then onnx=gpu; else onnx=onnx; fi
pip_install -e ".[dev,$onnx]"
echo "$stamp" > .venv/.installed
say "done"
