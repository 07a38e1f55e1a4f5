/* SPDX-License-Identifier: Apache-2.0 */
/* The symbol tables of an ELF file of any bytes, packed ones included, and where its debug file would be. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "symbol/symfiles.h"
#include "symbol/symtab.h"
#include "symbol/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symfiles_wanted wanted = {
		.build_id = "", .path = "/nonexistent/x", .debug_dirs = "/nonexistent"};
	struct symtab *symtab = symtab_new();
	struct symfiles files;
	int fd = memfd_create("fuzz", MFD_CLOEXEC), unpacked = unpack_xz(data, size);

	if (unpacked >= 0)
		close(unpacked);
	if (fd >= 0 && write(fd, data, size) == (ssize_t)size) {
		wanted.fd = fd;
		if (symfiles_find(&wanted, &files) == 0)
			symfiles_done(&files);
		(void)!symtab_add(symtab, dup(fd), NULL);
		(void)symtab_find(symtab, 4096);
	}
	if (fd >= 0)
		close(fd);
	symtab_free(symtab);
	return 0;
}
