/* SPDX-License-Identifier: ISC */
#include "attempt.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define GOODBYE_S 5

static void
take_tls(struct attempt_result *result, const char *text, size_t len)
{
	static const char begin[] = "SSL connection using ";
	size_t skip = sizeof(begin) - 1, n = 0;

	if (len <= skip || memcmp(text, begin, skip) != 0)
		return;
	while (skip + n < len && text[skip + n] > ' ')
		n++;
	snprintf(result->tls, sizeof(result->tls), "%.*s", (int)n, text + skip);
}

static int
listen_in(CURL *easy, curl_infotype type, char *data, size_t len, void *context)
{
	struct attempt_result *result = context;

	(void)easy;
	if (type == CURLINFO_TEXT)
		take_tls(result, data, len);
	else if (type == CURLINFO_HEADER_IN)
		transcript_server(&result->transcript, data, len);
	else if (type == CURLINFO_HEADER_OUT)
		transcript_client(&result->transcript, data, len);
	return 0;
}

static CURLcode
set_numbers(CURL *easy, long timeout_s)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
	    {CURLOPT_CONNECT_ONLY, 1}, /* up to the login */
	    {CURLOPT_NOSIGNAL, 1},
	    {CURLOPT_VERBOSE, 1},
	    {CURLOPT_USE_SSL, CURLUSESSL_ALL},
	    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
	    {CURLOPT_SSL_VERIFYPEER, 1},
	    {CURLOPT_SSL_VERIFYHOST, 2},
	    {CURLOPT_CONNECTTIMEOUT, timeout_s},
	    {CURLOPT_TIMEOUT, timeout_s},
	    {CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout_s},
	};
	CURLcode code = CURLE_OK;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (code == CURLE_OK)
			code = curl_easy_setopt(
			    easy, numbers[i].option, numbers[i].value);
	return code;
}

static CURLcode
set_texts(CURL *easy, const struct attempt *attempt, const char *url)
{
	const struct {
		CURLoption option;
		const char *value;
	} texts[] = {
	    {CURLOPT_URL, url},
	    {CURLOPT_PROTOCOLS_STR, "imap,imaps,smtp,smtps"},
	    {CURLOPT_PROXY, ""},
	    /* without a password, libcurl would try EXTERNAL first */
	    {CURLOPT_LOGIN_OPTIONS, "AUTH=OAUTHBEARER;AUTH=XOAUTH2"},
	    {CURLOPT_USERNAME, attempt->user},
	    {CURLOPT_XOAUTH2_BEARER, attempt->token},
	    {CURLOPT_CAINFO, attempt->ca_file},
	};
	CURLcode code = CURLE_OK;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (code == CURLE_OK && texts[i].value)
			code = curl_easy_setopt(
			    easy, texts[i].option, texts[i].value);
	return code;
}

static CURLcode
set_up(CURL *easy, const struct attempt *attempt, struct attempt_result *result,
    char *why)
{
	char url[512];
	CURLcode code;

	/* an IPv6 address needs brackets */
	snprintf(url, sizeof(url),
	    strchr(attempt->host, ':') ? "%s%s://[%s]:%ld/" : "%s%s://%s:%ld/",
	    attempt->service, attempt->starttls ? "" : "s", attempt->host,
	    attempt->port);
	code = set_numbers(easy, attempt->timeout_s);
	if (code == CURLE_OK)
		code = set_texts(easy, attempt, url);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, listen_in);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_DEBUGDATA, result);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
	return code;
}

static enum attempt_end
judge(CURLcode code, const struct transcript *transcript)
{
	switch ((int)code) {
	case CURLE_OK:
		return ATTEMPT_DONE;
	case CURLE_USE_SSL_FAILED:
		return ATTEMPT_NO_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return ATTEMPT_UNTRUSTED;
	default:
		break;
	}
	/* libcurl's code for a login differs with the protocol and the step */
	if (*transcript->used && *transcript->refusal)
		return ATTEMPT_REFUSED;
	return code == CURLE_LOGIN_DENIED ? ATTEMPT_NO_MECHANISM
					  : ATTEMPT_UNREACHABLE;
}

void
attempt_run(const struct attempt *attempt, struct attempt_result *ret)
{
	char why[CURL_ERROR_SIZE] = "";
	CURL *easy = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*ret = (struct attempt_result){
	    .transcript = {.smtp = strcmp(attempt->service, "smtp") == 0}};
	if (easy)
		code = set_up(easy, attempt, ret, why);
	if (code == CURLE_OK)
		code = curl_easy_perform(easy);
	ret->end = judge(code, &ret->transcript);
	snprintf(ret->why, sizeof(ret->why), "%s",
	    *why ? why : curl_easy_strerror(code));
	if (easy && code == CURLE_OK)
		curl_easy_setopt(
		    easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)GOODBYE_S);
	curl_easy_cleanup(easy);
}
