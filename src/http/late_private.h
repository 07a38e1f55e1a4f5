/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl and libmicrohttpd, loaded when the first client or server is made.
 *
 * They bring thirty libraries along (TLS, Kerberos, LDAP), which cost each start of the program 5 ms of CPU when they
 * are linked, and neither recording nor converting needs one of them.  Once loaded they stay: libraries of theirs keep
 * state for each thread.  Functions have their names in the library, without its prefix; any thread may load.
 */
#ifndef HTTP_LATE_PRIVATE_H
#define HTTP_LATE_PRIVATE_H

#include <curl/curl.h>
#include <microhttpd.h>

#include "base/err.h"

struct late_curl {
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_reset) *easy_reset;
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_perform) *multi_perform;
	__typeof__(curl_multi_poll) *multi_poll;
	__typeof__(curl_multi_wakeup) *multi_wakeup;
	__typeof__(curl_multi_info_read) *multi_info_read;
};

struct late_mhd {
	__typeof__(MHD_start_daemon) *start_daemon;
	__typeof__(MHD_stop_daemon) *stop_daemon;
	__typeof__(MHD_add_connection) *add_connection;
	__typeof__(MHD_suspend_connection) *suspend_connection;
	__typeof__(MHD_resume_connection) *resume_connection;
	__typeof__(MHD_get_connection_info) *get_connection_info;
	__typeof__(MHD_get_connection_values_n) *get_connection_values_n;
	__typeof__(MHD_create_response_from_buffer) *create_response_from_buffer;
	__typeof__(MHD_create_response_from_callback) *create_response_from_callback;
	__typeof__(MHD_add_response_header) *add_response_header;
	__typeof__(MHD_add_response_footer) *add_response_footer;
	__typeof__(MHD_queue_response) *queue_response;
	__typeof__(MHD_destroy_response) *destroy_response;
};

/* -ENOENT, and what to install, when the library is not there or lacks a function. */
int late_curl_load(struct late_curl *ret_curl, struct err *err) nodiscard;
int late_mhd_load(struct late_mhd *ret_mhd, struct err *err) nodiscard;

#endif
