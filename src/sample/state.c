/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/state.h"

enum thread_state state_of(enum thread_doing doing, bool holds_gil, bool waits_for_gil)
{
	switch (doing) {
	case THREAD_RUNNING:
		return holds_gil ? STATE_RUNNING_GIL : STATE_RUNNING;
	case THREAD_FUTEX:
		return waits_for_gil ? STATE_WAITING_GIL : STATE_WAITING_LOCK;
	case THREAD_IO:
	case THREAD_POLL:
	case THREAD_BLOCKED: /* a page that is being read, as far as a profile can tell */
		return STATE_WAITING_IO;
	case THREAD_NAP:
	case THREAD_CHILD:
	case THREAD_UNKNOWN:
		return STATE_SLEEPING;
	}
	return STATE_UNKNOWN;
}
