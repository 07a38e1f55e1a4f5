/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_token(const char *token, const char *from, struct err *err)
{
	if (!*token)
		return err_set(err, ERR_USAGE, "%s is empty: it should hold a token", from);
	for (const char *c = token; *c; c++)
		if (*c <= ' ' || *c > '~')
			return err_set(err, ERR_USAGE, "%s holds more than a token", from);
	return 0;
}

static int read_file(const char *path, char token[CREDENTIALS_TOKEN_MAX_BYTES + 1], struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;
	ssize_t n = -1;

	if (fd < 0)
		return err_sys(err, -errno, "cannot read the token in %s", path);
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		close(fd);
		return err_set(err, ERR_USAGE, "%s is not a plain file", path);
	}
	n = read(fd, token, CREDENTIALS_TOKEN_MAX_BYTES);
	close(fd);
	if (n < 0)
		return err_sys(err, -errno, "cannot read the token in %s", path);
	token[n] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	if (info.st_mode & 077)
		return err_set(err, -EPERM, "%s can be read by others: chmod 600 it", path);
	return 0;
}

int agent_token(const struct agent_credentials *credentials,
		char ret_token[CREDENTIALS_TOKEN_MAX_BYTES + 1], struct err *err)
{
	char token[CREDENTIALS_TOKEN_MAX_BYTES + 1] = "";
	int r = 0;

	if (credentials->token_file) {
		r = read_file(credentials->token_file, token, err);
		if (r == 0)
			r = check_token(token, credentials->token_file, err);
	} else if (credentials->token) {
		if (strlen(credentials->token) > CREDENTIALS_TOKEN_MAX_BYTES)
			return err_set(err, ERR_USAGE, "PYROMETER_TOKEN is too long for a token");
		snprintf(token, sizeof(token), "%s", credentials->token);
		r = check_token(token, "PYROMETER_TOKEN", err);
	}
	if (r == 0)
		memcpy(ret_token, token, sizeof(token));
	return r;
}
