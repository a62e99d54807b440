/* SPDX-License-Identifier: ISC */
#include "attachment.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "draft_json.h"

#define PATH_BYTES_MAX 4095
#define DRAFT_BASE64_MAX (1024 * 1024) /* no draft is longer */
#define TYPE_BYTES_MAX 127             /* of a name of RFC 6838 4.2 */
#define ANY_TYPE "application/octet-stream"

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";

void
attachment_list_done(struct attachment_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].path);
		free(list->items[i].filename);
		free(list->items[i].content_type);
		free(list->items[i].sha256);
		free(list->items[i].bytes);
	}
	free(list->items);
	*list = (struct attachment_list){0};
}

static void
to_lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* The length of a name of RFC 6838 4.2 at the start of the text. */
static size_t
type_name_len(const char *text)
{
	size_t len = strspn(text, lower);

	return len ? len + strspn(text + len, "abcdefghijklmnopqrstuvwxyz"
					      "0123456789!#$&-^_.+")
		   : 0;
}

/*
 * Whether it is type/subtype, with a charset behind it or not.  A multipart is
 * more than its bytes, and so is a message, which must not be encoded either
 * (RFC 2046 5.2); compose takes care of message/rfc822.
 */
static bool
is_usable_type(const char *type)
{
	size_t main = type_name_len(type), sub, rest;

	if (!main || type[main] != '/')
		return false;
	sub = type_name_len(type + main + 1);
	rest = main + 1 + sub;
	if (!sub || main > TYPE_BYTES_MAX || sub > TYPE_BYTES_MAX)
		return false;
	if (!strncmp(type, "multipart/", 10) ||
	    (!strncmp(type, "message/", 8) && strcmp(type, "message/rfc822")))
		return false;
	if (!type[rest])
		return true;
	if (strncmp(type + rest, "; charset=", 10) != 0)
		return false;
	rest += 10;
	return type_name_len(type + rest) &&
	       !type[rest + type_name_len(type + rest)];
}

/* Brings the ways to write it to the one that is_usable_type knows. */
static enum mt_status
normalise_type(char **type, struct mt_error *err)
{
	struct buf b = BUF_INIT(4 * TYPE_BYTES_MAX);
	const char *parameter;

	to_lower(*type);
	parameter = strchr(*type, ';');
	if (parameter) {
		buf_add(&b, *type, (size_t)(parameter - *type));
		parameter += 1 + strspn(parameter + 1, " ");
		buf_add_text(&b, "; ");
		for (; *parameter; parameter++)
			if (*parameter != '"')
				buf_add_char(&b, *parameter);
	} else {
		buf_add_text(&b, *type);
	}
	if (!is_usable_type(buf_text(&b))) {
		buf_reset(&b);
		buf_add_text(&b, ANY_TYPE);
	}
	free(*type);
	*type = buf_take(&b);
	buf_done(&b);
	return *type ? MT_OK
		     : mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
}

static enum mt_status
read_type(struct attachment *a, struct json_object *json, const char *what,
    struct mt_error *err)
{
	char name[64];
	enum mt_status status;

	snprintf(name, sizeof(name), "%s: content_type", what);
	status = draft_json_line(&a->content_type,
	    draft_json_field(json, "content_type"), name, 1000, err);
	return status == MT_OK ? normalise_type(&a->content_type, err) : status;
}

static enum mt_status
read_filename(struct attachment *a, struct json_object *json, const char *what,
    struct mt_error *err)
{
	struct json_object *value = draft_json_field(json, "filename");
	const char *slash = a->path ? strrchr(a->path, '/') : NULL;
	char name[64];
	enum mt_status status;

	snprintf(name, sizeof(name), "%s: filename", what);
	status = draft_json_line(
	    &a->filename, value, name, ATTACHMENT_NAME_MAX, err);
	if (status != MT_OK)
		return status;
	if (!*a->filename && a->path) {
		free(a->filename);
		a->filename = strdup(slash ? slash + 1 : a->path);
		if (!a->filename)
			return mt_fail(
			    err, MT_NO_MEMORY, "no memory for a draft");
	}
	if (!*a->filename)
		return mt_fail(err, MT_BAD_INPUT, "%s has no filename", what);
	if (strchr(a->filename, '/'))
		return mt_fail(err, MT_BAD_INPUT,
		    "%s must be a name, without \"/\"", name);
	return MT_OK;
}

/* Leaves it NULL where none is given. */
static enum mt_status
read_sha256(struct attachment *a, struct json_object *json, const char *what,
    struct mt_error *err)
{
	struct json_object *value = draft_json_field(json, "sha256");
	char name[64];
	enum mt_status status;

	if (!value || draft_json_is_empty(value))
		return MT_OK;
	snprintf(name, sizeof(name), "%s: sha256", what);
	status = draft_json_line(&a->sha256, value, name, 64, err);
	if (status != MT_OK)
		return status;
	to_lower(a->sha256);
	if (strspn(a->sha256, "0123456789abcdef") != 64)
		return mt_fail(err, MT_BAD_INPUT,
		    "%s must be 64 hexadecimal digits", name);
	return MT_OK;
}

static enum mt_status
read_path(struct attachment *a, struct json_object *value, const char *what,
    struct mt_error *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%s: path", what);
	return draft_json_line(&a->path, value, name, PATH_BYTES_MAX, err);
}

/* RFC 4648 4; white space in it does not count. */
static enum mt_status
decode(struct json_object *value, const char *what, void **ret_bytes,
    size_t *ret_len, struct mt_error *err)
{
	char name[64], *text = NULL;
	gnutls_datum_t coded, bytes = {0};
	enum mt_status status;
	int rc;

	snprintf(name, sizeof(name), "%s: content_base64", what);
	status = draft_json_text(&text, value, name, DRAFT_BASE64_MAX, err);
	if (status == MT_OK) {
		coded.data = (unsigned char *)text;
		coded.size = (unsigned)strlen(text);
		rc = gnutls_base64_decode2(&coded, &bytes);
		if (rc < 0)
			status = mt_fail(
			    err, MT_BAD_INPUT, "%s is not valid base64", name);
	}
	free(text);
	if (status != MT_OK)
		return status;
	*ret_bytes = malloc(bytes.size + !bytes.size);
	if (*ret_bytes && bytes.size)
		memcpy(*ret_bytes, bytes.data, bytes.size);
	*ret_len = bytes.size;
	gnutls_free(bytes.data);
	return *ret_bytes ? MT_OK
			  : mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
}

/* Where the content is, and the content itself if it is here. */
static enum mt_status
read_content(struct attachment_list *list, size_t index,
    struct json_object *json, const char *what, struct mt_error *err)
{
	struct json_object *path = draft_json_field(json, "path");
	struct json_object *content = draft_json_field(json, "content_base64");
	enum mt_status status;
	void *bytes;
	size_t len;

	if (path && draft_json_is_empty(path))
		path = NULL;
	if (content && draft_json_is_empty(content))
		content = NULL;
	if (!path == !content)
		return mt_fail(err, MT_BAD_INPUT,
		    "%s must have one of path and content_base64", what);
	if (path)
		return read_path(&list->items[index], path, what, err);
	status = decode(content, what, &bytes, &len, err);
	if (status == MT_OK)
		status = attachment_set_content(list, index, bytes, len, err);
	return status;
}

static enum mt_status
read_attachment(struct attachment_list *list, size_t index,
    struct json_object *json, struct mt_error *err)
{
	static const char *const known[] = {"path", "content_base64",
	    "filename", "content_type", "sha256", NULL};
	struct attachment *a = &list->items[index];
	enum mt_status status;
	char what[32];

	snprintf(what, sizeof(what), "attachment %zu", index + 1);
	if (!json_object_is_type(json, json_type_object))
		return mt_fail(
		    err, MT_BAD_INPUT, "%s must be a JSON object", what);
	status = draft_json_refuse_unknown(json, known, what, err);
	if (status == MT_OK)
		status = read_sha256(a, json, what, err);
	if (status == MT_OK)
		status = read_content(list, index, json, what, err);
	if (status == MT_OK)
		status = read_filename(a, json, what, err);
	if (status == MT_OK)
		status = read_type(a, json, what, err);
	return status;
}

enum mt_status
attachment_list_parse(struct attachment_list *ret_list,
    struct json_object *value, struct mt_error *err)
{
	struct attachment_list list = {0};
	enum mt_status status = MT_OK;
	size_t count;

	if (!value || draft_json_is_empty(value)) {
		*ret_list = list;
		return MT_OK;
	}
	if (!json_object_is_type(value, json_type_array))
		return mt_fail(
		    err, MT_BAD_INPUT, "attachments must be an array");
	count = json_object_array_length(value);
	if (count > ATTACHMENTS_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "attachments has more than %d members", ATTACHMENTS_MAX);
	list.items = calloc(count, sizeof(*list.items));
	if (!list.items)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
	list.count = count;
	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = read_attachment(
		    &list, i, json_object_array_get_idx(value, i), err);
	if (status == MT_OK)
		*ret_list = list;
	else
		attachment_list_done(&list);
	return status;
}

static enum mt_status
check_sha256(const struct attachment *a, size_t index, struct mt_error *err)
{
	unsigned char digest[32];
	char hex[2 * sizeof(digest) + 1];

	if (!a->sha256)
		return MT_OK;
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, a->bytes, a->len, digest) < 0)
		return mt_fail(err, MT_BUG, "SHA-256 does not work");
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (strcmp(hex, a->sha256) != 0)
		return mt_fail(err, MT_BAD_INPUT,
		    "attachment %zu is not what its sha256 says", index + 1);
	return MT_OK;
}

size_t
attachment_list_room(const struct attachment_list *list)
{
	size_t room = ATTACHMENTS_BYTES_MAX;

	for (size_t i = 0; i < list->count; i++)
		room -= list->items[i].len;
	return room;
}

enum mt_status
attachment_set_content(struct attachment_list *list, size_t index, void *bytes,
    size_t len, struct mt_error *err)
{
	struct attachment *a = &list->items[index];

	if (len > attachment_list_room(list)) {
		free(bytes);
		return mt_fail(err, MT_BAD_INPUT,
		    "the attachments are longer than %d bytes together",
		    ATTACHMENTS_BYTES_MAX);
	}
	a->bytes = bytes;
	a->len = len;
	return check_sha256(a, index, err);
}
