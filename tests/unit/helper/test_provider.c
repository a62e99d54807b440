/* SPDX-License-Identifier: ISC */
#include "provider.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <string.h>

static struct provider
read_good(const struct provider_dirs *dirs, const char *name)
{
	struct provider provider = {0};

	OK(provider_read(dirs, name, &provider, &err));
	return provider;
}

static char *
names(const struct provider_dirs *dirs)
{
	struct buf names = BUF_INIT(4096);

	OK(provider_names(dirs, &names, &err));
	return buf_take(&names);
}

static void
shipped_files_are_good_and_complete(void **state)
{
	const struct provider_dirs dirs = {{MT_PROVIDERS, NULL}};
	char *all = names(&dirs), *rest = all, *name;
	int count = 0;

	(void)state;
	assert_string_equal(all,
	    "generic google microsoft microsoft-china microsoft-gov outlook");
	while ((name = strsep(&rest, " "))) {
		struct provider base = read_good(&dirs, name), mine = {0};

		if (strcmp(name, "generic") == 0)
			continue;
		OK(provider_complete(&mine, &base, &err));
		if (strncmp(mine.token_endpoint, "https://", 8) != 0 ||
		    strncmp(mine.authorization_endpoint, "https://", 8) != 0 ||
		    strchr(mine.token_endpoint, '{'))
			fail_msg("%s: endpoints", name);
		provider_done(&mine);
		provider_done(&base);
		count++;
	}
	assert_int_equal(count, 5);
	free(all);
}

static void
own_file_hides_the_shipped_one_and_odd_names_are_skipped(void **state)
{
	const struct provider_dirs dirs = {{*state, MT_PROVIDERS}};
	struct provider provider;
	char *all;

	scratch_write(*state, "google.conf", "scope = mine\n");
	scratch_write(*state, "a b.conf", "scope = mine\n");
	scratch_write(*state, "zeta.conf", "scope = mine\n");
	all = names(&dirs);
	assert_string_equal(all,
	    "generic google microsoft microsoft-china microsoft-gov outlook "
	    "zeta");
	free(all);
	provider = read_good(&dirs, "google");
	assert_string_equal(provider.scope, "mine");
	assert_null(provider.token_endpoint);
	provider_done(&provider);
}

static void
tenant_goes_into_every_address(void **state)
{
	const struct provider_dirs dirs = {{*state, NULL}};
	struct provider base, mine = {.tenant = strdup("t.test")};

	scratch_write(*state, "p.conf",
	    "tenant = common\nissuer = https://x.test/{tenant}/v2\n"
	    "token_endpoint = https://x.test/{tenant}/token\n"
	    "device_authorization_endpoint = https://x.test/{tenant}/d\n"
	    "revocation_endpoint = https://{tenant}.x.test/{tenant}\n");
	base = read_good(&dirs, "p");
	OK(provider_complete(&mine, &base, &err));
	assert_string_equal(mine.issuer, "https://x.test/t.test/v2");
	assert_string_equal(mine.token_endpoint, "https://x.test/t.test/token");
	assert_string_equal(
	    mine.device_authorization_endpoint, "https://x.test/t.test/d");
	assert_string_equal(
	    mine.revocation_endpoint, "https://t.test.x.test/t.test");
	provider_done(&base);
	provider_done(&mine);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(shipped_files_are_good_and_complete),
	    TEST(own_file_hides_the_shipped_one_and_odd_names_are_skipped),
	    TEST(tenant_goes_into_every_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
