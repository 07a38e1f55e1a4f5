/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says whether the rest is a trie or a tree. */
#include "fuzz.h"

#include "format_oracle.h"

#include "format/preorder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		check_reader(data[0] & 1 ? preorder_read_tree : preorder_read_trie, data + 1,
			     size - 1);
	return 0;
}
