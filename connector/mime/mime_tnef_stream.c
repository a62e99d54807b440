/* SPDX-License-Identifier: ISC */
#include "mime_tnef_stream.h"

#define SIGNATURE 0x223e9f78
#define ATTRIBUTE_HEADER_LEN 9 /* level, id, length */
#define CHECKSUM_LEN 2

uint32_t
mime_tnef_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

uint16_t
mime_tnef_checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += data[i];
	return (uint16_t)sum;
}

bool
mime_tnef_stream_open(
    struct mime_tnef_stream *stream, const uint8_t *bytes, size_t len)
{
	if (len < MIME_TNEF_HEADER_LEN || mime_tnef_u32(bytes) != SIGNATURE)
		return false;
	*stream = (struct mime_tnef_stream){
	    .p = bytes + MIME_TNEF_HEADER_LEN, .end = bytes + len};
	return true;
}

bool
mime_tnef_stream_next(
    struct mime_tnef_stream *stream, struct mime_tnef_attribute *ret_attribute)
{
	size_t left = (size_t)(stream->end - stream->p);
	struct mime_tnef_attribute a;
	const uint8_t *sum;

	if (!left)
		return false;
	stream->is_cut = true;
	if (left < ATTRIBUTE_HEADER_LEN + CHECKSUM_LEN)
		return false;
	a.id = mime_tnef_u32(stream->p + 1);
	a.len = mime_tnef_u32(stream->p + 5);
	a.data = stream->p + ATTRIBUTE_HEADER_LEN;
	if (a.len > left - ATTRIBUTE_HEADER_LEN - CHECKSUM_LEN)
		return false;
	sum = a.data + a.len;
	a.is_intact = mime_tnef_checksum(a.data, a.len) ==
		      (uint16_t)(sum[0] | sum[1] << 8);
	stream->p = sum + CHECKSUM_LEN;
	stream->is_cut = false;
	*ret_attribute = a;
	return true;
}
