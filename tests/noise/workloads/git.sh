# SPDX-License-Identifier: Apache-2.0
# needs: git
# policy: batch
# prepare: mkdir -p root && printf '[user]\n\tname = N\n\temail = n@example.org\n[init]\n\tdefaultBranch = main\n' >root/.gitconfig
say "$(git --version)"
git init -q --bare /srv/repo.git
git clone -q /srv/repo.git /tmp/w && cd /tmp/w
for i in $(seq 30); do
	echo "$i" >"f$i"
	git add "f$i" && git commit -qm "commit $i"
done
git push -q origin main
git checkout -qb side HEAD~10 && echo side >side && git add side && git commit -qm side
git rebase -q main && git checkout -q main && git merge -q side
git stash list && git tag v1 && git push -q --tags origin main
git clone -q --depth 3 "file:///srv/repo.git" /tmp/shallow
git -C /srv/repo.git gc -q && git fsck && git log --oneline | wc -l
git archive --format=tar.gz -o /tmp/a.tar.gz v1 && git worktree add -q /tmp/wt v1
git bisect start HEAD HEAD~8 && git bisect run true && git bisect reset
