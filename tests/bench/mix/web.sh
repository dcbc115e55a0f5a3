#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A web server under load: nginx with a few workers, ab from the same container.
set -u
html=/var/www/html
mkdir -p $html/css $html/js $html/img $html/docs
for f in css/site css/print js/app js/vendor img/logo img/photo docs/index docs/api; do
	seq 1 300 >"$html/$f"
done
echo hello >$html/index.html
nginx -t && nginx
n=0
while [ $n -lt "${1:-10}" ]; do
	n=$((n + 1))
	for f in index.html css/site css/print js/app js/vendor img/logo img/photo docs/index docs/api none; do
		ab -q -n 100 -c 4 "http://127.0.0.1/$f" >/dev/null
		ab -q -k -n 300 -c 4 "http://127.0.0.1/$f" >/dev/null
	done
	mv /var/log/nginx/access.log /var/log/nginx/access.log.1
	nginx -s reopen
done
nginx -s quit
