// SPDX-License-Identifier: Apache-2.0
/*
 * availability.c - what `shrike list fields` and docs/FIELDS.md say of a row beside its name.
 */
#include <string.h>

#include "fields/table.h"

enum shk_availability shk_field_availability(const struct shk_field *f)
{
	return f->flags & SHK_F_NEVER ? SHK_UNAVAILABLE : SHK_AVAILABLE;
}

const char *shk_availability_name(enum shk_availability a)
{
	static const char *const names[] = {
		[SHK_AVAILABLE] = "yes",
		[SHK_UNAVAILABLE] = "no",
	};

	return (unsigned)a < SHK_ARRAY_SIZE(names) ? names[a] : "?";
}

/* A row that says nothing has what its cost tells: /proc is what makes a field costly. */
const char *shk_field_origin(const struct shk_field *f)
{
	if (f->origin)
		return f->origin;
	if (!strcmp(f->class_name, "container"))
		return "record of the container";
	if (f->flags & SHK_F_STABLE)
		return "the call: registers, number, time";
	if (!(f->flags & SHK_F_COSTLY))
		return "memory of the task";
	if (!strcmp(f->class_name, "fd"))
		return "arguments of the call, descriptors of the task";
	if (!strcmp(f->class_name, "user") || !strcmp(f->class_name, "group"))
		return "/proc, passwd and group of the container";
	return !strcmp(f->class_name, "process") ? "/proc; of an execve its arguments" :
						   "arguments of the call, /proc";
}

const char *shk_field_argument(const struct shk_field *f)
{
	bool index = f->flags & SHK_F_ARG_INDEX, key = f->flags & SHK_F_ARG_KEY;
	bool need = f->flags & SHK_F_ARG_REQUIRED;

	if (key && f->flags & SHK_F_ARG_DOTTED) {
		if (!need)
			return "(.name)";
		return index ? ".name or [index]" : ".name";
	}
	if (index && key)
		return need ? "[index] or [key]" : "([index] or [key])";
	if (index)
		return need ? "[index]" : "([index])";
	if (key)
		return need ? "[key]" : "([key])";
	return "";
}

bool shk_field_missing(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	(void)ctx;
	(void)ref;
	(void)out;
	return false;
}

/* The bits of IEEE 754 numbers of one sign are in order; negative ones are turned around and put below. */
uint64_t shk_double_order(double d)
{
	uint64_t bits;

	d += 0.0; /* there are two zeroes */
	memcpy(&bits, &d, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

double shk_double_of(uint64_t order)
{
	uint64_t bits = order >> 63 ? order & ~(UINT64_C(1) << 63) : ~order;
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}
