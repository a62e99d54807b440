/* SPDX-License-Identifier: ISC */
#include "report.h"

#include <stdbool.h>
#include <string.h>

/* The helper's texts often name the command to run already. */
static bool
names_a_command(const char *text)
{
	return strstr(text, "run 'mailtoken ") != NULL;
}

static void
add_advice(struct buf *out, enum mt_status status, const char *account)
{
	if (status == MT_NEEDS_LOGIN && account)
		buf_add_format(out, "; run 'mailtoken login %s'", account);
	else if (status == MT_NO_ACCOUNT)
		buf_add_text(
		    out, "; 'mailtoken status' shows those that there are");
}

void
report_write(struct buf *out, const struct mt_error *err, const char *account)
{
	size_t len = strlen(err->text);

	if (account && !strstr(err->text, account))
		buf_add_format(out, "%s: ", account);
	if (len && err->text[len - 1] == '.')
		len--;
	buf_add(out, err->text, len);
	if (!names_a_command(err->text))
		add_advice(out, err->status, account);
}
