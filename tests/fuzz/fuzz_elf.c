/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF file of any bytes: all that can be asked of it. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "elf/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_symbol symbols[] = {{.name = "_PyRuntime"}, {.name = "Py_Version"}};
	struct elf_range range;
	uint8_t id[ELF_BUILD_ID_MAX];
	uint64_t vaddr;
	struct elf *elf;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	if (elf_open(fd, &elf, NULL) < 0)
		return 0;
	(void)!elf_section(elf, ".PyRuntime", &range);
	(void)!elf_symbols(elf, symbols, 2);
	(void)!elf_build_id(elf, id);
	(void)!elf_vaddr(elf, 0, &vaddr);
	elf_close(elf);
	return 0;
}
