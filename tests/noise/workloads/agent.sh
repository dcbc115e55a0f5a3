# SPDX-License-Identifier: Apache-2.0
# needs: git gcc make python3 node
# policy: agent
# profile: agent
# prepare: mkdir -p workspace && cp "$here/workloads/files/"* workspace/ && printf '[user]\n\tname = N\n\temail = n@example.org\n' >root/.gitconfig
say "$(git --version)" "$(gcc --version | head -n 1)" "$(python3 --version)" "node $(node --version)"
cat >/tmp/task <<'END'
cd /workspace && git init -q . && git add -A && git commit -qm begin
grep -rn part . | head -n 3; find . -name '*.py'; sed -i 's/4950/(4950)/; s/range(50)/range(40)/; s/, 50)/, 40)/' test_app.py; git diff --stat
make -j2 && make test && python3 -m unittest -q test_app
node --test && git checkout -qb change && git commit -qam change && git log --oneline
mkdir -p ~/.cache/tool && echo x >~/.cache/tool/state && python3 -m http.server 8000 >/dev/null 2>&1 &
sleep 1; kill $!; rm -rf app *.o; git status --short
END
bash -e /tmp/task
