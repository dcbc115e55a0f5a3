# SPDX-License-Identifier: Apache-2.0
# needs: node
# policy: batch
# profile: node
# prepare: mkdir -p srv/app && cp "$here/workloads/files/app.test.mjs" srv/app/ && echo '{"name":"app","version":"1.0.0","type":"module","scripts":{"test":"node --test"}}' >srv/app/package.json
say "node $(node --version)"
cd /srv/app
node --test
! command -v npm >/dev/null || npm test --silent
