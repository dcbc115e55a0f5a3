// SPDX-License-Identifier: Apache-2.0
/* The words of the language that stand for enum values. */
#include "rules/ast.h"

#include <strings.h>

static const char *const op_names[SHK_OP_N] = {
	[SHK_OP_EXISTS] = "exists",
	[SHK_OP_EQ] = "=",
	[SHK_OP_NE] = "!=",
	[SHK_OP_LT] = "<",
	[SHK_OP_LE] = "<=",
	[SHK_OP_GT] = ">",
	[SHK_OP_GE] = ">=",
	[SHK_OP_CONTAINS] = "contains",
	[SHK_OP_ICONTAINS] = "icontains",
	[SHK_OP_BCONTAINS] = "bcontains",
	[SHK_OP_STARTSWITH] = "startswith",
	[SHK_OP_BSTARTSWITH] = "bstartswith",
	[SHK_OP_ENDSWITH] = "endswith",
	[SHK_OP_GLOB] = "glob",
	[SHK_OP_IGLOB] = "iglob",
	[SHK_OP_REGEX] = "regex",
	[SHK_OP_IN] = "in",
	[SHK_OP_INTERSECTS] = "intersects",
	[SHK_OP_PMATCH] = "pmatch",
	[SHK_OP_TOP] = "is right below",
};

static const char *const transform_names[SHK_TR_N] = {
	[SHK_TR_VAL] = "val",
	[SHK_TR_TOLOWER] = "tolower",
	[SHK_TR_TOUPPER] = "toupper",
	[SHK_TR_B64] = "b64",
	[SHK_TR_BASENAME] = "basename",
	[SHK_TR_LEN] = "len",
	[SHK_TR_JOIN] = "join",
	[SHK_TR_CONCAT] = "concat",
	[SHK_TR_GETOPT] = "getopt",
};

static const char *const priority_names[] = {
	[SHK_PRIO_EMERGENCY] = "Emergency", [SHK_PRIO_ALERT] = "Alert",
	[SHK_PRIO_CRITICAL] = "Critical",   [SHK_PRIO_ERROR] = "Error",
	[SHK_PRIO_WARNING] = "Warning",	    [SHK_PRIO_NOTICE] = "Notice",
	[SHK_PRIO_INFORMATIONAL] = "Informational", [SHK_PRIO_DEBUG] = "Debug",
};

const char *shk_op_name(enum shk_op op)
{
	return (unsigned)op < SHK_OP_N ? op_names[op] : "?";
}

const char *shk_transform_name(enum shk_transform t)
{
	return (unsigned)t < SHK_TR_N ? transform_names[t] : "?";
}

const char *shk_priority_name(enum shk_priority p)
{
	return (unsigned)p < SHK_ARRAY_SIZE(priority_names) ? priority_names[p] : "?";
}

bool shk_priority_parse(struct shk_str s, enum shk_priority *ret)
{
	if (s.n == 4 && strncasecmp(s.p, "info", 4) == 0) {
		*ret = SHK_PRIO_INFORMATIONAL;
		return true;
	}
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(priority_names); i++) {
		if (s.n != strlen(priority_names[i]) ||
		    strncasecmp(s.p, priority_names[i], s.n) != 0)
			continue;
		*ret = (enum shk_priority)i;
		return true;
	}
	return false;
}
