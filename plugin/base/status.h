/* SPDX-License-Identifier: ISC */
/*
 * What went wrong, in two parts: a status that tells a program what to do
 * next, and one sentence that tells a person.  Libraries return it, programs
 * log it once, where the decision is taken.
 */
#ifndef MT_BASE_STATUS_H
#define MT_BASE_STATUS_H

enum mt_status {
	MT_OK = 0,
	MT_REFUSED,     /* refused for good: the server or policy said no */
	MT_USAGE,       /* the caller of the program used it wrongly */
	MT_BAD_INPUT,   /* the input (draft, message, request) is unusable */
	MT_NO_ACCOUNT,  /* nobody knows an account for this */
	MT_UNREACHABLE, /* the token helper is not there */
	MT_RETRY_LATER, /* temporary: the same call may succeed later */
	MT_NEEDS_LOGIN, /* a person must log in again */
	MT_NEEDS_ADMIN, /* an administrator must act */
	MT_BAD_CONFIG,  /* settings are wrong; no retry until they change */
	MT_NO_MEMORY,
	MT_BUG, /* a promise inside the program was broken */
};

#define MT_ERROR_TEXT_MAX 512

/* One sentence without a final full stop and without any secret. */
struct mt_error {
	enum mt_status status;
	char text[MT_ERROR_TEXT_MAX];
};

#define MT_MUST_CHECK __attribute__((warn_unused_result))
#define MT_PRINTF(text, first) __attribute__((format(printf, text, first)))

/*
 * Fills `err` (may be NULL) and returns `status`, so that a failure is one
 * line: return mt_fail(err, MT_BAD_CONFIG, "%s: no such file", path).
 * Control characters and what is no UTF-8 become '?', a long text is cut.
 */
enum mt_status mt_fail(struct mt_error *err, enum mt_status status,
    const char *format, ...) MT_PRINTF(3, 4);

/* As mt_fail, with ": " and the text of `errnum` (an errno value) added. */
enum mt_status mt_fail_errno(struct mt_error *err, enum mt_status status,
    int errnum, const char *format, ...) MT_PRINTF(4, 5);

/* The exit code of every program for a status (sysexits.h where it fits). */
int mt_exit_code(enum mt_status status);

#endif
