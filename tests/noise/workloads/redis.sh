# SPDX-License-Identifier: Apache-2.0
# needs: redis-server redis-benchmark redis-cli
# policy: database
# profile: redis
say "$(redis-server --version)"
redis-server /etc/redis/redis.conf --daemonize yes --dir /var/lib/redis --appendonly yes --logfile /var/log/redis/redis-server.log
sleep 0.5
redis-benchmark -q -n 20000 -t set,get,lpush,zadd
redis-cli bgsave
redis-cli bgrewriteaof
sleep 1
redis-cli dbsize
redis-cli shutdown
