/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "http/tls_conn_private.h"

/* The key is its owner's alone; others may read it only by a group, as Debian's ssl-cert has it. */
static int check_key(const char *path, struct err *err)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return err_sys(err, -errno, "cannot read the key %s", path);
	if (info.st_mode & 07)
		return err_set(err, -EPERM, "the key %s can be read by everyone: chmod 600 it",
			       path);
	return 0;
}

int tls_certificate_load(struct tls_relay *relay, struct tls_certificate **ret_certificate,
			 struct err *err)
{
	struct tls_certificate *certificate;
	int r = check_key(relay->key_path, err);

	if (r < 0)
		return r;
	certificate = calloc(1, sizeof(*certificate));
	if (!certificate || relay->lib.certificate_allocate_credentials(&certificate->creds) < 0)
		abort();
	certificate->refs = 1;
	r = relay->lib.certificate_set_x509_key_file(certificate->creds, relay->cert_path,
						     relay->key_path, GNUTLS_X509_FMT_PEM);
	if (r < 0) {
		relay->lib.certificate_free_credentials(certificate->creds);
		free(certificate);
		return err_set(err, ERR_USAGE, "the certificate %s with the key %s: %s",
			       relay->cert_path, relay->key_path, relay->lib.strerror(r));
	}
	*ret_certificate = certificate;
	return 0;
}

void tls_certificate_unref(struct tls_relay *relay, struct tls_certificate *certificate)
{
	if (!certificate || --certificate->refs)
		return;
	relay->lib.certificate_free_credentials(certificate->creds);
	free(certificate);
}
