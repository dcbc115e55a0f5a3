# SPDX-License-Identifier: Apache-2.0
# needs: logrotate gzip
# policy: batch
# prepare: mkdir -p var/log etc/logrotate.d && for f in syslog auth.log wtmp btmp app.log; do head -c 5000 /dev/urandom >var/log/$f; done; printf '/var/log/syslog /var/log/auth.log /var/log/app.log {\n rotate 3\n missingok\n compress\n delaycompress\n sharedscripts\n postrotate\n  echo rotated >>/var/log/rotations\n endscript\n}\n/var/log/wtmp /var/log/btmp {\n rotate 1\n create 0664 root utmp\n}\n' >etc/logrotate.test; chmod 644 etc/logrotate.test
say "$(logrotate --version 2>&1 | head -n 1)"
chown root:adm /var/log && chmod 755 /var/log
for i in 1 2 3 4 5; do
	logrotate -f /etc/logrotate.test
	for f in syslog auth.log wtmp btmp app.log; do echo again >>/var/log/$f; done
done
ls /var/log
