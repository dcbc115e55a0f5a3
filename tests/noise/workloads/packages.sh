# SPDX-License-Identifier: Apache-2.0
# needs: apt-get dpkg
# policy: batch
# fetch: hello tree rsync uuid-runtime
# prepare: mkdir -p etc/apt/sources.list.d && for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do [ ! -e "$f" ] || : >".$f"; done
say "$(apt-get --version | head -n 1)" "dpkg $(dpkg-query -W -f '${Version}' dpkg)"
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y /debs/hello*.deb /debs/tree*.deb
apt-get install -y /debs/rsync*.deb /debs/uuid-runtime*.deb
hello && tree -L 1 / >/dev/null && uuidgen
dpkg -V hello tree || true
apt-get install -y --reinstall /debs/hello*.deb
apt-get purge -y hello tree uuid-runtime
apt-get autoremove -y
apt-get clean
