# SPDX-License-Identifier: Apache-2.0
# needs: cron
# profile: cron
# prepare: mkdir -p etc/cron.d && printf 'PATH=/usr/bin:/bin\n* * * * * root date >>/var/log/job.log; cd / && run-parts --test /etc/cron.daily >>/var/log/job.log\n* * * * * nobody id >>/tmp/nobody.log\n' >etc/cron.d/job && chmod 644 etc/cron.d/job
say "cron $(dpkg-query -W -f '${Version}' cron)"
cron
for i in $(seq 70); do
	[ ! -s /var/log/job.log ] || [ ! -s /tmp/nobody.log ] || break
	sleep 1
done
cat /var/log/job.log /tmp/nobody.log
echo '0 5 * * * true' | crontab -
crontab -l
crontab -r
kill "$(cat /run/crond.pid)"
