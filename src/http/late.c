/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "http/late_private.h"
#include "http/late_tls_private.h"

struct symbol {
	const char *name;
	void *into; /* a pointer to a function */
};

/* ISO C has no cast from void * to a function. */
static bool look_up(void *handle, const struct symbol *symbol)
{
	void *found = dlsym(handle, symbol->name);

	memcpy(symbol->into, &found, sizeof(found));
	return found;
}

static int load(const char *const *names, size_t n_names, const struct symbol *symbols,
		size_t n_symbols, struct err *err)
{
	void *handle = NULL;
	size_t found = 0;

	for (size_t i = 0; i < n_names && !handle; i++)
		handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		return err_set(err, -ENOENT, "cannot load %s: install its package (%s)", names[0],
			       dlerror());
	while (found < n_symbols && look_up(handle, &symbols[found]))
		found++;
	dlclose(handle); /* it stays: RTLD_NODELETE */
	if (found < n_symbols)
		return err_set(err, -ENOENT, "%s has no %s: install a newer one", names[0],
			       symbols[found].name);
	return 0;
}

int late_curl_load(struct late_curl *ret_curl, struct err *err)
{
	/* The same library, built with GnuTLS (Debian) and with OpenSSL. */
	static const char *const names[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};
	struct late_curl curl;
	const struct symbol symbols[] = {
		{"curl_easy_init", &curl.easy_init},
		{"curl_easy_cleanup", &curl.easy_cleanup},
		{"curl_easy_reset", &curl.easy_reset},
		{"curl_easy_setopt", &curl.easy_setopt},
		{"curl_easy_getinfo", &curl.easy_getinfo},
		{"curl_easy_perform", &curl.easy_perform},
		{"curl_easy_strerror", &curl.easy_strerror},
		{"curl_slist_append", &curl.slist_append},
		{"curl_slist_free_all", &curl.slist_free_all},
		{"curl_multi_init", &curl.multi_init},
		{"curl_multi_cleanup", &curl.multi_cleanup},
		{"curl_multi_add_handle", &curl.multi_add_handle},
		{"curl_multi_remove_handle", &curl.multi_remove_handle},
		{"curl_multi_perform", &curl.multi_perform},
		{"curl_multi_poll", &curl.multi_poll},
		{"curl_multi_wakeup", &curl.multi_wakeup},
		{"curl_multi_info_read", &curl.multi_info_read},
	};
	int r = load(names, array_len(names), symbols, array_len(symbols), err);

	if (r == 0)
		*ret_curl = curl;
	return r;
}

int late_mhd_load(struct late_mhd *ret_mhd, struct err *err)
{
	static const char *const names[] = {"libmicrohttpd.so.12"};
	struct late_mhd mhd;
	const struct symbol symbols[] = {
		{"MHD_start_daemon", &mhd.start_daemon},
		{"MHD_stop_daemon", &mhd.stop_daemon},
		{"MHD_add_connection", &mhd.add_connection},
		{"MHD_suspend_connection", &mhd.suspend_connection},
		{"MHD_resume_connection", &mhd.resume_connection},
		{"MHD_get_connection_info", &mhd.get_connection_info},
		{"MHD_get_connection_values_n", &mhd.get_connection_values_n},
		{"MHD_create_response_from_buffer", &mhd.create_response_from_buffer},
		{"MHD_create_response_from_callback", &mhd.create_response_from_callback},
		{"MHD_add_response_header", &mhd.add_response_header},
		{"MHD_add_response_footer", &mhd.add_response_footer},
		{"MHD_queue_response", &mhd.queue_response},
		{"MHD_destroy_response", &mhd.destroy_response},
	};
	int r = load(names, array_len(names), symbols, array_len(symbols), err);

	if (r == 0)
		*ret_mhd = mhd;
	return r;
}

int late_tls_load(struct late_tls *ret_tls, struct err *err)
{
	static const char *const names[] = {"libgnutls.so.30"};
	struct late_tls tls;
	const struct symbol symbols[] = {
		{"gnutls_certificate_allocate_credentials", &tls.certificate_allocate_credentials},
		{"gnutls_certificate_free_credentials", &tls.certificate_free_credentials},
		{"gnutls_certificate_set_x509_key_file", &tls.certificate_set_x509_key_file},
		{"gnutls_init", &tls.init},
		{"gnutls_deinit", &tls.deinit},
		{"gnutls_priority_set_direct", &tls.priority_set_direct},
		{"gnutls_credentials_set", &tls.credentials_set},
		{"gnutls_transport_set_int2", &tls.transport_set_int2},
		{"gnutls_alpn_set_protocols", &tls.alpn_set_protocols},
		{"gnutls_handshake", &tls.handshake},
		{"gnutls_record_get_direction", &tls.record_get_direction},
		{"gnutls_record_recv", &tls.record_recv},
		{"gnutls_record_send", &tls.record_send},
		{"gnutls_bye", &tls.bye},
		{"gnutls_strerror", &tls.strerror},
	};
	int r = load(names, array_len(names), symbols, array_len(symbols), err);

	if (r == 0)
		*ret_tls = tls;
	return r;
}
