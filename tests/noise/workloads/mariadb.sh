# SPDX-License-Identifier: Apache-2.0
# needs: mariadbd mariadb mariadb-dump
# policy: database
# profile: mysql
say "$(mariadbd --version)"
mkdir -p /run/mysqld /var/lib/mysql2 && chown mysql:mysql /run/mysqld /var/lib/mysql2
mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null 2>&1 || true
mariadbd --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock &
for i in $(seq 100); do
	! mariadb-admin ping >/dev/null 2>&1 || break
	sleep 0.1
done
mariadb -e 'create database shop; create table shop.t (i int primary key, s varchar(100)) engine=innodb'
for i in $(seq 20); do
	mariadb shop -e "insert into t select $i*1000+seq, repeat('x', 50) from seq_1_to_1000"
done
mariadb shop -e 'select count(*) from t; alter table t add index (s); optimize table t'
mariadb-dump --all-databases >/var/backups/all.sql
mariadb-admin shutdown
wait
