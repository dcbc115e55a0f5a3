# SPDX-License-Identifier: Apache-2.0
# needs: nginx ab
# policy: web
# profile: nginx
# prepare: mkdir -p var/www/html && head -c 10000 /dev/urandom | base64 >var/www/html/index.html
say "$(nginx -v 2>&1)"
nginx -t
nginx
sleep 0.3
ab -q -n 5000 -c 20 http://127.0.0.1/index.html | grep -E 'Complete|Failed'
nginx -s reload
sleep 0.5
ab -q -k -n 5000 -c 20 http://127.0.0.1/ | grep -E 'Complete|Failed'
nginx -s reopen
nginx -s quit
sleep 0.5
