#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A package installation, from the packages in apt's cache.
set -u
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get install -y --no-install-recommends --no-download $MIX_PACKAGES
