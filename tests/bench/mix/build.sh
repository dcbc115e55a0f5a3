#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A build: configure, make, and a partial build again.
set -u
mkdir -p /build/out
cd /build/out || exit 1
../source/configure --quiet
make -s -j2 shrike-hook shrike-runtime shriked
touch ../source/src/base/arena.c
make -s shrike-hook
./shrike-hook --help >/dev/null
