# SPDX-License-Identifier: Apache-2.0
# needs: haproxy ab python3
# policy: web
# profile: haproxy
# prepare: mkdir -p srv/www etc/haproxy && echo hello >srv/www/index.html && printf 'global\n\tuser haproxy\n\tgroup haproxy\n\tchroot /var/lib/haproxy\n\tdaemon\n\tpidfile /run/haproxy.pid\ndefaults\n\tmode http\n\ttimeout connect 1s\n\ttimeout client 9s\n\ttimeout server 9s\nfrontend f\n\tbind *:80\n\tdefault_backend b\nbackend b\n\tserver s1 127.0.0.1:8000 check\n' >etc/haproxy/test.cfg
say "$(haproxy -v | head -n 1)"
haproxy -c -f /etc/haproxy/test.cfg
python3 -m http.server -d /srv/www 8000 >/dev/null 2>&1 &
server=$!
haproxy -f /etc/haproxy/test.cfg
sleep 0.5
ab -q -n 2000 -c 10 http://127.0.0.1/ | grep -E 'Complete|Failed'
kill -USR1 "$(cat /run/haproxy.pid)"
kill $server
