# SPDX-License-Identifier: Apache-2.0
# needs: nginx ab php-fpm8.2
# policy: web
# profile: php-fpm
# prepare: mkdir -p var/www/html etc/nginx/conf.d && echo '<?php session_start(); $_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1; file_put_contents("/tmp/log", "x", FILE_APPEND); echo phpversion();' >var/www/html/index.php && printf 'server {\n listen 8080;\n root /var/www/html;\n location ~ \\.php$ { include fastcgi.conf; fastcgi_pass unix:/run/php/php8.2-fpm.sock; }\n}\n' >etc/nginx/conf.d/php.conf
say "$(php-fpm8.2 -v | head -n 1)"
mkdir -p /run/php
php-fpm8.2
nginx
sleep 0.5
ab -q -n 1000 -c 10 http://127.0.0.1:8080/index.php | grep -E 'Complete|Failed|Non-2xx'
nginx -s quit
kill -QUIT "$(cat /run/php/php8.2-fpm.pid)"
sleep 0.3
