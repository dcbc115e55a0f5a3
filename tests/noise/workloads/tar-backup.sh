# SPDX-License-Identifier: Apache-2.0
# needs: tar gzip find
# policy: batch
# prepare: mkdir -p srv/data home/web/.ssh && for i in 1 2 3 4 5 6 7 8 9; do head -c 20000 /dev/urandom >srv/data/$i; done; echo k >home/web/.ssh/id_rsa
say "$(tar --version | head -n 1)"
mkdir -p /backup
tar -czf /backup/full.tgz --listed-incremental=/backup/snap /srv /home /etc 2>/dev/null || [ $? = 1 ]
echo more >/srv/data/10
tar -czf /backup/incr.tgz --listed-incremental=/backup/snap /srv /home /etc 2>/dev/null || [ $? = 1 ]
tar -tzf /backup/full.tgz | wc -l
mkdir /tmp/restore && tar -xzf /backup/full.tgz -C /tmp/restore && tar -xzf /backup/incr.tgz -C /tmp/restore --listed-incremental=/dev/null
diff -r /srv /tmp/restore/srv
sha256sum /backup/*.tgz >/backup/SUMS && find /backup -name '*.tgz' -mtime +30 -delete
