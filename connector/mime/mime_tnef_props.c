/* SPDX-License-Identifier: ISC */
#include "mime_tnef_props.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ytnef.h>

#include "mime_charset.h"
#include "mime_tnef_stream.h"

#define SUBJECT_ID 0x00018004
#define LEVEL_MESSAGE 1

/* Property types */
#define TYPE_OBJECT 0x000d
#define TYPE_STRING8 0x001e
#define TYPE_UNICODE 0x001f
#define TYPE_BINARY 0x0102

/* [MS-OXRTFCP] section 2.1.3.1 */
#define RTF_HEADER_LEN 16
#define RTF_COMPRESSED 0x75465a4c
#define RTF_STORED 0x414c454d
/* 8 references of 2 bytes and a byte of flags give at most 8 * 17 bytes. */
#define RTF_RATIO_MAX 8
/* The decoder reads up to 3 bytes behind the end of what it is given. */
#define RTF_PADDING 8

struct mime_tnef_props {
	TNEFStruct tnef;
};

static void
add_u32(GByteArray *out, uint32_t number)
{
	const uint8_t bytes[4] = {(uint8_t)number, (uint8_t)(number >> 8),
	    (uint8_t)(number >> 16), (uint8_t)(number >> 24)};

	g_byte_array_append(out, bytes, sizeof(bytes));
}

static void
add_attribute(GByteArray *out, uint32_t id, const uint8_t *data, size_t len)
{
	uint16_t sum = mime_tnef_checksum(data, len);
	const uint8_t level = LEVEL_MESSAGE;
	const uint8_t sum_bytes[2] = {(uint8_t)sum, (uint8_t)(sum >> 8)};

	g_byte_array_append(out, &level, 1);
	add_u32(out, id);
	add_u32(out, (uint32_t)len);
	g_byte_array_append(out, data, (guint)len);
	g_byte_array_append(out, sum_bytes, sizeof(sum_bytes));
}

/* A stream of nothing but these properties.  It has a subject already, so that
 * libytnef does not refuse a longer one. */
static GByteArray *
make_stream(const uint8_t *block, size_t len)
{
	static const uint8_t header[MIME_TNEF_HEADER_LEN] = {
	    0x78, 0x9f, 0x3e, 0x22, 1, 0};
	GByteArray *stream = g_byte_array_new();

	g_byte_array_append(stream, header, sizeof(header));
	add_attribute(stream, SUBJECT_ID, (const uint8_t *)"-", 1);
	add_attribute(stream, MIME_TNEF_MESSAGE_PROPS, block, len);
	return stream;
}

struct mime_tnef_props *
mime_tnef_props_new(const uint8_t *block, size_t len)
{
	struct mime_tnef_props *props = g_new0(struct mime_tnef_props, 1);
	GByteArray *stream = make_stream(block, len);
	int result;

	TNEFInitialize(&props->tnef);
	result = TNEFParseMemory(stream->data, (long)stream->len, &props->tnef);
	g_byte_array_unref(stream);
	if (result < 0)
		mime_tnef_props_free(&props);
	return props;
}

void
mime_tnef_props_free(struct mime_tnef_props **props)
{
	if (!*props)
		return;
	TNEFFree(&(*props)->tnef);
	g_free(*props);
	*props = NULL;
}

/* The first value of a property of one of these types. */
static const variableLength *
find(const struct mime_tnef_props *props, enum mime_tnef_prop id,
    const uint16_t *types, size_t count, uint16_t *ret_type)
{
	const MAPIProps *all = &props->tnef.MapiProperties;

	for (DWORD i = 0; i < all->count; i++) {
		const MAPIProperty *p = &all->properties[i];

		if (p->custom || p->id >> 16 != (DWORD)id || !p->count ||
		    !p->data || !p->data->data || p->data->size <= 0)
			continue;
		for (size_t j = 0; j < count; j++)
			if ((p->id & 0xffff) == types[j]) {
				*ret_type = types[j];
				return p->data;
			}
	}
	return NULL;
}

static bool
is_surrogate(const char *p, unsigned char first, unsigned char last)
{
	const unsigned char *c = (const unsigned char *)p;

	return c[0] == 0xed && c[1] >= first && c[1] <= last;
}

/* libytnef makes three bytes of each half of a pair (UTF-16); makes four bytes
 * of both. */
static void
join_surrogates(GString *text)
{
	for (size_t i = 0; i + 6 <= text->len; i++) {
		char *p = text->str + i;
		gunichar c;

		if (!is_surrogate(p, 0xa0, 0xaf) ||
		    !is_surrogate(p + 3, 0xb0, 0xbf))
			continue;
		c = 0x10000 + ((gunichar)(p[1] & 0x0f) << 16 |
				  (gunichar)(p[2] & 0x3f) << 10 |
				  (gunichar)(p[4] & 0x0f) << 6 |
				  (gunichar)(p[5] & 0x3f));
		g_unichar_to_utf8(c, p);
		g_string_erase(text, (gssize)i + 4, 2);
	}
}

char *
mime_tnef_props_text(const struct mime_tnef_props *props,
    enum mime_tnef_prop id, const char *charset)
{
	static const uint16_t types[] = {TYPE_UNICODE, TYPE_STRING8};
	uint16_t type;
	const variableLength *value =
	    find(props, id, types, G_N_ELEMENTS(types), &type);
	GString *text, *bytes;

	if (!value)
		return NULL;
	/* of Unicode the size is that before the conversion, which ends with
	 * a NUL */
	bytes = type == TYPE_UNICODE
		    ? g_string_new((const char *)value->data)
		    : g_string_new_len((const char *)value->data, value->size);
	bytes->len = strlen(bytes->str);
	if (type == TYPE_UNICODE)
		join_surrogates(bytes);
	text = g_string_new(NULL);
	mime_charset_decode(text, type == TYPE_UNICODE ? "utf-8" : charset,
	    bytes->str, bytes->len);
	g_string_free(bytes, TRUE);
	return g_string_free(text, FALSE);
}

const uint8_t *
mime_tnef_props_bytes(const struct mime_tnef_props *props,
    enum mime_tnef_prop id, size_t *ret_len, bool *ret_is_object)
{
	static const uint16_t types[] = {
	    TYPE_BINARY, TYPE_OBJECT, TYPE_STRING8};
	uint16_t type;
	const variableLength *value =
	    find(props, id, types, G_N_ELEMENTS(types), &type);

	if (!value)
		return NULL;
	*ret_len = (size_t)value->size;
	*ret_is_object = type == TYPE_OBJECT;
	return value->data;
}

/* Decompresses what has been judged. */
static GByteArray *
decompress(const uint8_t *bytes, size_t len)
{
	uint8_t *padded = g_malloc0(len + RTF_PADDING);
	variableLength value = {padded, (int)len};
	GByteArray *rtf = NULL;
	int rtf_len = 0;
	uint8_t *out;

	memcpy(padded, bytes, len);
	out = DecompressRTF(&value, &rtf_len);
	g_free(padded);
	/* a stream that ends early leaves zeros */
	while (out && rtf_len > 0 && !out[rtf_len - 1])
		rtf_len--;
	if (out && rtf_len > 0) {
		rtf = g_byte_array_new();
		g_byte_array_append(rtf, out, (guint)rtf_len);
	}
	free(out);
	return rtf;
}

GByteArray *
mime_tnef_rtf(const uint8_t *bytes, size_t len, size_t max)
{
	uint32_t raw_len, kind;

	if (len <= RTF_HEADER_LEN || mime_tnef_u32(bytes) != len - 4)
		return NULL;
	raw_len = mime_tnef_u32(bytes + 4);
	kind = mime_tnef_u32(bytes + 8);
	if (!raw_len || raw_len > max)
		return NULL;
	if (kind == RTF_STORED && raw_len <= len - RTF_HEADER_LEN) {
		GByteArray *rtf = g_byte_array_new();

		g_byte_array_append(rtf, bytes + RTF_HEADER_LEN, raw_len);
		return rtf;
	}
	if (kind != RTF_COMPRESSED ||
	    raw_len > RTF_RATIO_MAX * (len - RTF_HEADER_LEN))
		return NULL;
	return decompress(bytes, len);
}
