# SPDX-License-Identifier: Apache-2.0
# needs: gcc make ar
# policy: batch
# prepare: mkdir -p srv/src && cp -r "$SHK_SRCDIR"/src "$SHK_SRCDIR"/configure "$SHK_SRCDIR"/Makefile.in "$SHK_SRCDIR"/config.h.in "$SHK_SRCDIR"/build-aux srv/src/ && cp "$here/workloads/files/Makefile" srv/src/small.mk
say "$(gcc --version | head -n 1)" "$(make --version | head -n 1)"
cd /srv/src && mkdir build && cd build
../configure --prefix=/usr/local >/dev/null || echo "configure needs more than this image has"
make -f ../small.mk -j2
make -f ../small.mk test install DESTDIR=/tmp/root
strip /tmp/root/usr/local/bin/app
/tmp/root/usr/local/bin/app
