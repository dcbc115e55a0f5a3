#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# new-field.sh CLASS.NAME TYPE "DOC" [VALUE]: adds a field to the rule language: its row, the function that gets it,
# a test of a value and of a missing one.
#
# VALUE is a C expression for the value, over what its class looks up:
#	evt.*			ev, the event			ev->num
#	proc.*, thread.*	p, the process			shk_proc_pid(p)
#	fd.*			v, the descriptor		v->num
#	container.*, k8s.*	c, the container's record	c->name
# Without one the field is another name for something its class has; change the expression then, and what the test
# expects. Run in the source tree, or with its path in $SHK_SRCDIR.
set -eu

fail() {
	echo "new-field.sh: $*" >&2
	exit 1
}

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
	sed -n '4,15s/^# \{0,1\}//p' "$0"
	exit 2
fi
name=$1 type=$2 doc=$3 value=${4-}
cd "${SHK_SRCDIR:-.}"
[ -f src/fields/table.h ] || fail "this is not the source tree; set SHK_SRCDIR"
echo "$name" | grep -Eq '^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+$' ||
	fail "'$name' is no name of a field: words of lower case with dots between them"
# shellcheck disable=SC1003
case $doc in *'"'* | *'\'*) fail "the description is put between quotes as it is: no quotes, no backslashes" ;; esac
! grep -rqF "\"$name\"" src/fields || fail "$name exists: $(grep -rlF "\"$name\"" src/fields)"

case $type in
BOOL) enum=SHK_T_BOOL set=shk_set_bool ;;
INT64) enum=SHK_T_INT64 set=shk_set_i ;;
UINT32 | UINT64) enum=SHK_T_UINT64 set=shk_set_u ;;
CHARBUF) enum=SHK_T_STRING set=shk_set_opt ;;
*) fail "type '$type' is none of BOOL, INT64, UINT32, UINT64, CHARBUF" ;;
esac

# What the class looks up, when there is nothing to look at, an event that has a value, and one that has none.
gone='	ev.tid = ev.pid = -1;
	ask_again();'
case $name in
evt.*)
	file=evt test=evt class=evt flags=SHK_F_STABLE
	lookup='const struct shk_event *ev = ctx->ev;' none='!ev->call'
	have='event("getpid", 0, 0, 0, 0, 0);' lack='	ev.call = NULL;'
	defaults='ev->attempt|true ev->tid|@pid ev->num|7 shk_str(ev->call->name)|getpid'
	;;
proc.* | thread.*)
	file=proc test=proc class=process flags=SHK_F_COSTLY
	[ "${name%%.*}" = proc ] || file=thread
	lookup='struct shk_proc *p = shk_proc_of(ctx);' none='!p'
	have='event("getpid", 0, 0, 0, 0, 0);' lack=$gone
	defaults='shk_proc_is_exec_session(p)|false shk_proc_pid(p)|@pid shk_proc_nthreads(p)|1 shk_proc_cwd(p)|@any'
	;;
fd.*)
	file=fd test=fd class=fd flags=SHK_F_COSTLY
	lookup='const struct shk_fd_view *v = shk_fd_view(ctx);' none='!v->present'
	have='event("creat", put_str("/tmp/x"), 0600, 0, 0, 0);' lack='	event("getpid", 0, 0, 0, 0, 0);'
	defaults='v->entry|true v->num|0 v->rport|0 v->name|/tmp/x'
	;;
container.* | k8s.*)
	file=container test=container class=container flags=SHK_F_STABLE
	lookup='const struct shk_container *c = ctx->ctr;' none='!c'
	have='event("getpid", 0, 0, 0, 0, 0);' lack='	ctx.ctr = NULL;'
	defaults='c->privileged|false c->init_pid|@pid c->n_mounts|0 c->name|web'
	;;
*) fail "there is no class for $name: evt, proc, thread, fd, container or k8s" ;;
esac

expect=@any
if [ -z "$value" ]; then
	# shellcheck disable=SC2086
	set -- $defaults
	case $type in BOOL) one=$1 ;; INT64) one=$2 ;; CHARBUF) one=$4 ;; *) one=$3 ;; esac
	value=${one%|*} expect=${one#*|}
fi
case $expect in
@any) assert="assert_string_not_equal(text_of(\"$name\"), \"<NA>\");" ;;
@pid) assert="IS(\"$name\", number(getpid()));" ;;
*) assert="IS(\"$name\", \"$expect\");" ;;
esac

word=$(echo "$name" | tr . _)
src=src/fields/$file.c
tests=tests/unit/test_fields_$test.c
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/getter" <<END
static bool ${word}_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	$lookup

	(void)ref;
	if ($none)
		return false;
	return $set(out, $value);
}

END
cat >"$tmp/row" <<END
	{ .name = "$name", .class_name = "$class", .type = $enum,
	  .falco_type = "$type", .flags = $flags, .get = ${word}_get,
	  .doc = "$doc" },
END
cat >"$tmp/test" <<END
static void test_$word(void **state)
{
	(void)state;
	$have
	$assert
$lack
	IS("$name", "<NA>");
}

END
echo "		EVENT_TEST(test_$word)," >"$tmp/entry"

# FILE LINE-BEFORE-WHICH-A-GOES A B: b goes to the end of the array that follows.
insert() {
	awk -v at="$2" -v a="$3" -v b="$4" '
	function put(file,	line) {
		while ((getline line < file) > 0)
			print line
		close(file)
	}
	!seen && $0 ~ at { seen = 1; put(a) }
	seen == 1 && /^\t?};$/ { seen = 2; put(b) }
	{ print }
	END { exit seen != 2 }' "$1" >"$tmp/out" || fail "$1 has not the shape this script knows"
	cat "$tmp/out" >"$tmp/$(basename "$1")"
}

insert "$src" '^static const struct shk_field table[[]' "$tmp/getter" "$tmp/row"
insert "$tests" '^int main[(]' "$tmp/test" "$tmp/entry"
cat "$tmp/$file.c" >"$src"
cat "$tmp/test_fields_$test.c" >"$tests"
echo "$src: ${word}_get and its row"
echo "$tests: test_$word"
echo "now: make check TESTS=tests/unit/test_fields_$test, make update-docs, docs/HOWTO_ADD_FIELD.md"
