# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The kernel module for the kernel of a guest.

# build_module BUILDDIR HEADERS DIR [FLAGS]: kmod/ for these headers into DIR, DIR.log has what was said; false when it failed or a
# warning was said. Headers of a kernel whose compiler is not here take the one that is.
build_module() {
	local build=$1 headers=$2 out=$3 flags='W=1' cc
	case $headers in
	*-arm64) flags="$flags ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- CC=aarch64-linux-gnu-gcc" ;;
	*)
		cc=$(sed -n 's/^CC = .*\(gcc-[0-9]*\)$/\1/p' "$headers/.kernelvariables" 2>/dev/null)
		command -v "$cc" >/dev/null || flags="$flags CC=gcc"
		if [ -n "${VM_SPARSE:-}" ] && command -v sparse >/dev/null; then flags="$flags C=1"; fi
		;;
	esac
	flags="$flags ${4:-}"
	nice make -C "$build" --no-print-directory kmod KDIR="$headers" KOUT="$out" KMAKEFLAGS="$flags" >"$out.log" 2>&1 || {
		tail -n 20 "$out.log"
		return 1
	}
	# Said of every kernel that another compiler built, and of modules without the kernel's own image.
	if grep -E 'warning' "$out.log" | grep -vE 'the compiler differs|Skipping BTF'; then return 1; fi
}
