/* SPDX-License-Identifier: Apache-2.0 */
/* GnuTLS, loaded when the first server with a certificate is made; see late_private.h. */
#ifndef HTTP_LATE_TLS_PRIVATE_H
#define HTTP_LATE_TLS_PRIVATE_H

#include <gnutls/gnutls.h>

#include "base/err.h"

struct late_tls {
	__typeof__(gnutls_certificate_allocate_credentials) *certificate_allocate_credentials;
	__typeof__(gnutls_certificate_free_credentials) *certificate_free_credentials;
	__typeof__(gnutls_certificate_set_x509_key_file) *certificate_set_x509_key_file;
	__typeof__(gnutls_init) *init;
	__typeof__(gnutls_deinit) *deinit;
	__typeof__(gnutls_priority_set_direct) *priority_set_direct;
	__typeof__(gnutls_credentials_set) *credentials_set;
	__typeof__(gnutls_transport_set_int2) *transport_set_int2;
	__typeof__(gnutls_alpn_set_protocols) *alpn_set_protocols;
	__typeof__(gnutls_handshake) *handshake;
	__typeof__(gnutls_record_get_direction) *record_get_direction;
	__typeof__(gnutls_record_recv) *record_recv;
	__typeof__(gnutls_record_send) *record_send;
	__typeof__(gnutls_bye) *bye;
	__typeof__(gnutls_strerror) *strerror;
};

int late_tls_load(struct late_tls *ret_tls, struct err *err) nodiscard;

#endif
