/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/kernel_stack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "proc/procfs_private.h"

#define TEXT_BYTES 8192 /* 64 lines with long names */

static void copy_printable(char dst[KERNEL_NAME_MAX], const char *text, size_t len)
{
	utf8_printable(dst, KERNEL_NAME_MAX, text, len);
}

static void take_line(const char *line, size_t len, struct kernel_place *place)
{
	const char *name = memchr(line, ' ', len), *end = line + len, *plus, *bracket;

	*place = (struct kernel_place){0};
	if (!name)
		return;
	name++;
	plus = memchr(name, '+', (size_t)(end - name));
	copy_printable(place->name, name, (size_t)((plus ? plus : end) - name));
	bracket = plus ? memchr(plus, '[', (size_t)(end - plus)) : NULL;
	if (bracket && end[-1] == ']')
		copy_printable(place->module, bracket + 1, (size_t)(end - bracket) - 2);
}

void kernel_stack_parse(const char *text, struct kernel_stack *ret_stack)
{
	ret_stack->n = 0;
	while (*text && ret_stack->n < KERNEL_STACK_FRAMES) {
		size_t len = strcspn(text, "\n");

		take_line(text, len, &ret_stack->frames[ret_stack->n]);
		ret_stack->n += ret_stack->frames[ret_stack->n].name[0] != '\0';
		text += len + (text[len] == '\n');
	}
}

int kernel_stack_read(pid_t pid, pid_t tid, struct kernel_stack *ret_stack)
{
	char text[TEXT_BYTES];
	ssize_t n = procfs_read(pid, tid, "stack", text, sizeof(text));

	if (n < 0)
		return (int)n;
	kernel_stack_parse(text, ret_stack);
	return 0;
}

int kernel_stack_check(struct err *err)
{
	char text[TEXT_BYTES];
	ssize_t n = procfs_read(getpid(), getpid(), "stack", text, sizeof(text));

	if (n == -EPERM || n == -EACCES)
		return err_set(err, -EPERM,
			       "kernel stacks of waiting threads are not allowed here: that takes "
			       "CAP_SYS_ADMIN");
	return n < 0 ? err_sys(err, (int)n, "kernel stacks of waiting threads cannot be had here")
		     : 0;
}
