/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine, this container and this user let a profiler do: readings, no judgement.
 *
 * The two calls that everything rests on, process_vm_readv and ptrace, are tried on a child of our own, so
 * that what a filter or a module forbids shows whatever its name is.  Everything else explains a no.
 * What cannot be read is said to be unknown.  For doctor; takes some milliseconds, and forks once.
 */
#ifndef PROC_SURROUNDINGS_H
#define PROC_SURROUNDINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SURROUNDINGS_UNKNOWN (-1)
#define SURROUNDINGS_KERNEL_MAX 96

struct surroundings {
	char kernel[SURROUNDINGS_KERNEL_MAX]; /* "Linux 6.1.0 x86_64" */
	uid_t uid;			      /* effective */
	uint64_t caps, bounding;	      /* CapEff, CapBnd */
	bool has_new_privs_forbidden;	      /* no_new_privs: sudo will not help */
	int seccomp;			      /* 0 none, 1 strict, 2 a filter */
	int yama;			      /* ptrace_scope; SURROUNDINGS_UNKNOWN: no Yama */
	int hidepid;			      /* of /proc: 0, 1 or 2 */
	int perf_paranoid;		      /* perf_event_paranoid, or unknown */
	int bpf_forbidden;		      /* unprivileged_bpf_disabled, or unknown */
	bool has_btf;			      /* the kernel describes its types to BPF */
	bool is_first_user_ns, is_first_pid_ns;
	const char *container; /* "docker", "podman", "kubernetes", "lxc"; NULL: none seen */
	int read_code;	       /* of process_vm_readv on our own child: 0 or -errno */
	int trace_code;	       /* of ptrace on it: 0 or -errno */
};

void surroundings_read(struct surroundings *ret_surroundings);

/* The kind of container that a process runs in, by its control groups; NULL: none seen. */
const char *surroundings_container(pid_t pid);

#endif
