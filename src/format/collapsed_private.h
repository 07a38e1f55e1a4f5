/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings that writer and reader of collapsed stacks share. */
#ifndef FORMAT_COLLAPSED_PRIVATE_H
#define FORMAT_COLLAPSED_PRIVATE_H

#define COLLAPSED_KERNEL_SUFFIX "_[k]"	/* as flamegraph.pl annotates kernel functions */
#define COLLAPSED_NO_STACK "[no stack]" /* a value that no frame has */

#endif
