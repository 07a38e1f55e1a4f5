/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

/* Bytes of DIR/lock behind the text that it holds. */
enum { BYTE_GATE = 1024, BYTE_TURN };

#define LOOK_AGAIN_US 500

static int lock_byte(int fd, int how, short type, int byte)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, how, &range) < 0 ? -errno : 0;
}

static void take_byte(int fd, int byte, int64_t until_ns)
{
	int r;

	while ((r = lock_byte(fd, F_OFD_SETLK, F_WRLCK, byte)) == -EAGAIN || r == -EACCES) {
		if (clock_monotonic_ns() >= until_ns)
			return;
		usleep(LOOK_AGAIN_US);
	}
}

void turn_take(int fd)
{
	int64_t until_ns = clock_monotonic_ns() + TURN_PATIENCE_NS;

	take_byte(fd, BYTE_GATE, until_ns);
	take_byte(fd, BYTE_TURN, until_ns);
	lock_byte(fd, F_OFD_SETLK, F_UNLCK, BYTE_GATE);
}

void turn_end(int fd)
{
	lock_byte(fd, F_OFD_SETLK, F_UNLCK, BYTE_TURN);
	lock_byte(fd, F_OFD_SETLK, F_UNLCK, BYTE_GATE);
}

int turn_freeze(int fd, struct err *err)
{
	int r = lock_byte(fd, F_OFD_SETLKW, F_WRLCK, BYTE_GATE);

	if (r == 0)
		r = lock_byte(fd, F_OFD_SETLKW, F_WRLCK, BYTE_TURN);
	if (r < 0) {
		turn_end(fd);
		return err_sys(err, r, "cannot wait for the store's writer");
	}
	return 0;
}
