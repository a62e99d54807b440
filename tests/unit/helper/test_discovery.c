/* SPDX-License-Identifier: ISC */
#include "discovery.h"

#include "unit/cmocka_headers.h"

#include <string.h>

#define WANTED "https://x.test/common/v2.0"
#define TOKEN "\"token_endpoint\":\"https://t.test/t\""

static enum mt_status
read_document(long http_status, const char *body, struct provider *found,
    struct mt_error *err)
{
	struct http_reply reply = {
	    .http_status = http_status, .sent = true, .retry_after_s = -1};
	enum mt_status status;

	secret_init(&reply.body, NULL);
	secret_add(&reply.body, body, strlen(body));
	status = discovery_read(&reply, WANTED, found, err);
	secret_done(&reply.body);
	return status;
}

static const struct {
	long http_status;
	const char *body;
	enum mt_status status;
} documents[] = {
    {200, "{\"issuer\":\"" WANTED "\"," TOKEN "}", MT_OK},
    {200, "{\"issuer\":\"https://x.test/{tenantid}/v2.0\"," TOKEN "}", MT_OK},
    {200, "{\"issuer\":\"" WANTED "\",\"token_endpoint\":\"http://[::1]:1/t\"}",
	MT_OK},
    {200, "{\"issuer\":\"" WANTED "/\"," TOKEN "}", MT_BAD_CONFIG},
    {200, "{\"issuer\":\"https://x.test\"," TOKEN "}", MT_BAD_CONFIG},
    {200, "{\"issuer\":\"https://evil.test/{tenantid}/v2.0\"," TOKEN "}",
	MT_BAD_CONFIG},
    {200, "{\"issuer\":\"https://x.test/{tenantid}\"," TOKEN "}",
	MT_BAD_CONFIG},
    {200, "{\"issuer\":\"{tenantid}\"," TOKEN "}", MT_BAD_CONFIG},
    {200, "{\"issuer\":[\"" WANTED "\"]," TOKEN "}", MT_BAD_CONFIG},
    {200, "{" TOKEN "}", MT_BAD_CONFIG},
    {200, "{\"issuer\":\"" WANTED "\"}", MT_BAD_CONFIG},
    {200, "{\"issuer\":\"" WANTED "\",\"token_endpoint\":\"http://t.test/t\"}",
	MT_BAD_CONFIG},
    {200,
	"{\"issuer\":\"" WANTED "\"," TOKEN ",\"authorization_endpoint\":"
	"\"https://a@evil.test/\"}",
	MT_BAD_CONFIG},
    {200, "<html>log in to the hotel</html>", MT_RETRY_LATER},
    {200, "", MT_RETRY_LATER},
    {200, "[]", MT_RETRY_LATER},
    {302, "", MT_RETRY_LATER},
    {404, "{\"issuer\":\"" WANTED "\"," TOKEN "}", MT_RETRY_LATER},
    {503, "", MT_RETRY_LATER},
};

static void
only_a_document_of_the_issuer_is_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
		struct provider found = {0};
		struct mt_error err = {0};

		if (read_document(documents[i].http_status, documents[i].body,
			&found, &err) != documents[i].status)
			fail_msg("%s: %s", documents[i].body, err.text);
		if (!found.token_endpoint == (documents[i].status == MT_OK))
			fail_msg("%s: endpoint", documents[i].body);
		provider_done(&found);
	}
}

static void
issuer_must_be_said_only_where_the_server_says_it(void **state)
{
	static const struct {
		const char *more;
		const char *issuer;
	} cases[] = {
	    {"", NULL},
	    {",\"authorization_response_iss_parameter_supported\":false", NULL},
	    {",\"authorization_response_iss_parameter_supported\":true",
		WANTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct provider found = {0};
		struct mt_error err = {0};
		char body[512];

		snprintf(body, sizeof(body),
		    "{\"issuer\":\"" WANTED "\"," TOKEN "%s}", cases[i].more);
		assert_int_equal(read_document(200, body, &found, &err), MT_OK);
		if (cases[i].issuer)
			assert_string_equal(found.issuer, cases[i].issuer);
		else
			assert_null(found.issuer);
		provider_done(&found);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_document_of_the_issuer_is_used),
	    cmocka_unit_test(issuer_must_be_said_only_where_the_server_says_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
