# SPDX-License-Identifier: Apache-2.0
# needs: apache2 apache2ctl ab
# policy: web
# profile: apache
# prepare: mkdir -p var/www/html && head -c 10000 /dev/urandom | base64 >var/www/html/index.html
mkdir -p /run/lock
say "$(apache2 -v | head -n 1)"
apache2ctl configtest
apache2ctl start
sleep 0.5
ab -q -n 5000 -c 20 http://127.0.0.1/index.html | grep -E 'Complete|Failed'
apache2ctl graceful
sleep 0.3
ab -q -k -n 5000 -c 20 http://127.0.0.1/ | grep -E 'Complete|Failed'
apache2ctl stop
sleep 0.5
