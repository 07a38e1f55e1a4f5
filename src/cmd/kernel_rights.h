/* SPDX-License-Identifier: Apache-2.0 */
/* What of --kernel is not allowed here, said before anything is read: nothing is left out in silence. */
#ifndef CMD_KERNEL_RIGHTS_H
#define CMD_KERNEL_RIGHTS_H

/* One warning for each right that is missing; system calls are shown by their names then. */
void kernel_rights_warn(void);

#endif
