# SPDX-License-Identifier: Apache-2.0
# needs: psql pgbench su
# policy: database
# profile: postgres
# prepare: mkdir -p var/lib/postgresql && chown postgres:postgres var/lib/postgresql
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
say "$("$bin/postgres" --version)"
mkdir -p /run/postgresql && chown postgres:postgres /run/postgresql
as() { su postgres -s /bin/sh -c "PATH=$bin:\$PATH $*"; }
as initdb -D /var/lib/postgresql/data
as pg_ctl -D /var/lib/postgresql/data -l /var/lib/postgresql/log -w start
as createdb bench
as pgbench -q -i -s 2 bench
as pgbench -c 4 -T 5 bench
as pg_dump -Fc -f /var/lib/postgresql/bench.dump bench
as psql -c checkpoint bench
as psql -c vacuum bench
as pg_ctl -D /var/lib/postgresql/data -m fast -w stop
