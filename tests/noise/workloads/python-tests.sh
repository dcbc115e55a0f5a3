# SPDX-License-Identifier: Apache-2.0
# needs: python3
# policy: batch
# profile: python
# prepare: mkdir -p srv/app && cp "$here/workloads/files/test_app.py" srv/app/
say "$(python3 --version)"
cd /srv/app
python3 -m unittest -v test_app
python3 -m venv --without-pip /opt/venv && /opt/venv/bin/python -m compileall -q /srv/app && /opt/venv/bin/python -m unittest test_app
