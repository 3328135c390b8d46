#!/bin/sh
# Compiles c-scale.c to the committed core module, or elsewhere: build.sh [OUTPUT].
# Debian 12: apt-get install clang lld. Made with clang 14.0.6; other versions may give other bytes.
set -eu
cd "$(dirname "$0")"
exec "${CLANG:-clang}" --target=wasm32-unknown-unknown -std=c11 -Wall -Wextra -Werror -O2 -ffreestanding -nostdlib \
    -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384 \
    -o "${1:-c-scale.wasm}" c-scale.c
