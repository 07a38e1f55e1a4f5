/* SPDX-License-Identifier: Apache-2.0 */
/* For builds without libdw's headers: names come from symbol tables alone. */
#include <errno.h>
#include <unistd.h>

#include "symbol/dwarf.h"

int dwarf_load(struct dwarf_library **ret_library, struct err *err)
{
	(void)ret_library;
	return err_set(err, -ENOENT, "this build reads symbol tables only, no debug information");
}

void dwarf_unload(struct dwarf_library *library)
{
	(void)library;
}

int dwarf_open(const struct dwarf_library *library, int fd, int alt_fd, struct dwarf **ret_dwarf,
	       struct err *err)
{
	(void)library;
	(void)ret_dwarf;
	close(fd);
	if (alt_fd >= 0)
		close(alt_fd);
	return err_set(err, -ENODATA, "no debug information is read");
}

void dwarf_close(struct dwarf *dwarf)
{
	(void)dwarf;
}

int dwarf_find(struct dwarf *dwarf, uint64_t vaddr, struct dwarf_frame *frames, int max)
{
	(void)dwarf;
	(void)vaddr;
	(void)frames;
	(void)max;
	return 0;
}
