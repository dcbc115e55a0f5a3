/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - what this machine offers (private to `shrike doctor`).
 *
 * Every finding comes from trying, in a child that leaves nothing behind, or from what the kernel
 * says of itself; never from a version number alone. The report owns its findings.
 */
#ifndef SHK_SHRIKE_DOCTOR_H
#define SHK_SHRIKE_DOCTOR_H

#include "shrike/cli.h"

#define SHK_FINDINGS_MAX 64
#define SHK_RUNTIMES_MAX 4

enum shk_answer { SHK_NO, SHK_YES, SHK_FACT /* neither good nor bad */ };

struct shk_finding {
	const char *group, *name; /* constant texts */
	enum shk_answer answer;
	char text[256];
};

struct shk_runtime_facts {
	const char *name;	/* "runc" */
	char path[256], version[64];
	bool present, engine;	/* engine: podman, docker */
	bool notify;		/* takes SCMP_ACT_NOTIFY and listenerPath */
	bool flags;		/* passes filter flags (WAIT_KILLABLE_RECV) on */
	char text[256];
};

struct shk_report {
	struct shk_finding f[SHK_FINDINGS_MAX];
	size_t n;
	struct shk_runtime_facts runtime[SHK_RUNTIMES_MAX];
	size_t n_runtimes;
	/* What the ways in depend on. */
	bool notify;		/* a listener was made and answered */
	bool addfd_send, wait_killable, ptrace, getfd, caps;
	char why_no_notify[160];
};

void shk_doctor_add(struct shk_report *r, const char *group, const char *name,
		    enum shk_answer answer, const char *fmt, ...) SHK_PRINTF(5, 6);

void shk_doctor_module(struct shk_report *r);	/* doctor_module.c */
void shk_doctor_seccomp(struct shk_report *r);	/* doctor_seccomp.c */
void shk_doctor_system(struct shk_report *r);	/* doctor_system.c */
void shk_doctor_gate(struct shk_report *r);	/* doctor_gate.c */
void shk_doctor_bar(struct shk_report *r);	/* likewise */
void shk_doctor_runtimes(struct shk_report *r); /* doctor_runtimes.c */

#endif
