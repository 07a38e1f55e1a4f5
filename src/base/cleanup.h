/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locals that release themselves when they go out of scope.
 *
 *	cleanup_fd int fd = open(...);
 *	cleanup_free char *text = NULL;
 *
 * take_ptr() and take_fd() hand the value over and disarm the release.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free_ptr(void *ptr)
{
	free(*(void **)ptr);
}

static inline void cleanup_close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define cleanup(fn) __attribute__((cleanup(fn)))
#define cleanup_fd cleanup(cleanup_close_fd)
#define cleanup_free cleanup(cleanup_free_ptr)
#define cleanup_file cleanup(cleanup_close_file)

static inline int take_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

static inline void *take_ptr_void(void *ptr)
{
	void *out = *(void **)ptr;

	*(void **)ptr = NULL;
	return out;
}

#define take_ptr(ptr) ((__typeof__(ptr))take_ptr_void(&(ptr)))

#endif
