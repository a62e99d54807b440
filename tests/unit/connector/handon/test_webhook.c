/* SPDX-License-Identifier: ISC */
#include "handon/webhook.h"

#include "unit/cmocka_headers.h"

#include <string.h>

/* as Python's hmac has it */
#define SIGNED                                                                 \
	"faeead276827dfab12132a368a68420d333acf10147a1e468210217c0db1de29"

static void
signature_is_that_of_the_contract(void **state)
{
	struct secret secret = SECRET_INIT;
	char signature[WEBHOOK_SIGNATURE_SIZE];

	(void)state;
	/* the key is the text, not what its hex digits stand for */
	secret_add(&secret, "5a5a", 4);
	assert_true(
	    webhook_sign(&secret, 1700000000, "{\"a\":1}", 7, signature));
	assert_string_equal(signature, "sha256=" SIGNED);
	secret_done(&secret);
}

static void
answers_mean_what_the_contract_says(void **state)
{
	static const struct {
		long status;
		const char *body;
		int64_t header_ms, wait_ms;
		const char *wrong; /* NULL: delivered */
	} cases[] = {
	    {202, "{\"status\":\"accepted\"}", 0, 0, NULL},
	    {200, "", 0, 0, NULL},
	    {202, "{\"status\":\"partial\",\"failed\":[\"other\"]}", 0, 0,
		NULL},
	    {202, "{\"status\":\"partial\",\"failed\":[{\"agent\":\"x\"}]}", 0,
		0, NULL},
	    {202, "{\"status\":\"partial\",\"failed\":[\"x\",\"bot\"]}", 0, 0,
		"agent bot"},
	    {202, "{\"status\":\"partial\",\"failed\":[{\"agent\":\"bot\"}]}",
		0, 0, "agent bot"},
	    {202, "{\"status\":\"partial\"}", 0, 0, "agent bot"},
	    {429, "{\"error\":\"rate_limited\",\"retry_after\":7}", 0, 7000,
		"fewer requests (429 rate_limited)"},
	    {429, "", 5000, 5000, "fewer requests"},
	    {429, "{\"retry_after\":99999999999}", 0, 3600000, "fewer"},
	    {429, "{\"retry_after\":-1}", 0, 0, "fewer"},
	    {401, "{\"error\":\"unauthorized\",\"reason\":\"expired\"}", 0, 0,
		"clocks must agree (401 expired)"},
	    {404, "<html>", 0, 0, "TRI_ONYX_EMAIL_HOOK_URL"},
	    {413, "{\"max_bytes\":1}", 0, 0, "too large"},
	    {403, "[]", 0, 0, "refuses this address"},
	    {301, "", 0, 0, "not followed"},
	    {500, "{\"error\":\"dispatch_failed\"}", 0, 0, "dispatch_failed"},
	    {418, "null", 0, 0, "no sensible answer"},
	    {0, "", 0, 0, "no answer: broken pipe"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct http_answer answer = {
		    .status = cases[i].status,
		    .retry_after_ms = cases[i].header_ms,
		    .body = cases[i].body,
		    .why = "broken pipe",
		};
		struct mt_error err = {0};
		int64_t wait_ms = -1;
		enum mt_status status =
		    webhook_verdict(&answer, "bot", &wait_ms, &err);

		if (!cases[i].wrong)
			assert_int_equal(status, MT_OK);
		else if (status == MT_OK || !strstr(err.text, cases[i].wrong))
			fail_msg("%ld %s: %s", cases[i].status, cases[i].body,
			    err.text);
		assert_int_equal(wait_ms, cases[i].wait_ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signature_is_that_of_the_contract),
	    cmocka_unit_test(answers_mean_what_the_contract_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
