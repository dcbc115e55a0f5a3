# SPDX-License-Identifier: Apache-2.0
# needs: sshd ssh scp sftp ssh-keygen
# profile: ssh
# prepare: mkdir -p root/.ssh etc/ssh && chmod 700 root/.ssh && ssh-keygen -q -t ed25519 -N '' -f root/.ssh/id_ed25519 && cp root/.ssh/id_ed25519.pub root/.ssh/authorized_keys && ssh-keygen -q -t ed25519 -N '' -f etc/ssh/ssh_host_ed25519_key && chmod 600 root/.ssh/* && printf 'StrictHostKeyChecking no\n' >root/.ssh/config
say "$(ssh -V 2>&1)"
mkdir -p /run/sshd
/usr/sbin/sshd
sleep 0.3
for i in 1 2 3; do ssh root@127.0.0.1 'id; ls /; echo $SSH_CONNECTION'; done
ssh -tt root@127.0.0.1 'tty; stty size; exit' </dev/null
scp -q /etc/hostname root@127.0.0.1:/tmp/copied
echo 'ls /tmp' | sftp -q -b - root@127.0.0.1
kill "$(cat /run/sshd.pid)"
