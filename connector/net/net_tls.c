/* SPDX-License-Identifier: ISC */
#include "net/net_tls.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define NAMES_MAX 200 /* bytes of a certificate's names in an error text */

struct net_trust {
	gnutls_certificate_credentials_t credentials;
};

static enum mt_status
load(struct net_trust *trust, const char *ca_file, struct mt_error *err)
{
	int count;

	if (!ca_file) {
		count = gnutls_certificate_set_x509_system_trust(
		    trust->credentials);
		if (count <= 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    "this system trusts no certificate authority; "
			    "install ca-certificates");
		return MT_OK;
	}
	count = gnutls_certificate_set_x509_trust_file(
	    trust->credentials, ca_file, GNUTLS_X509_FMT_PEM);
	if (count < 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "cannot read certificates from %s: %s", ca_file,
		    gnutls_strerror(count));
	if (count == 0)
		return mt_fail(
		    err, MT_BAD_CONFIG, "no certificate in %s", ca_file);
	return MT_OK;
}

enum mt_status
net_trust_new(
    struct net_trust **ret_trust, const char *ca_file, struct mt_error *err)
{
	struct net_trust *trust = calloc(1, sizeof(*trust));
	enum mt_status status;

	if (!trust ||
	    gnutls_certificate_allocate_credentials(&trust->credentials) < 0) {
		free(trust);
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	}
	status = load(trust, ca_file, err);
	if (status != MT_OK)
		net_trust_free(&trust);
	else
		*ret_trust = trust;
	return status;
}

void
net_trust_free(struct net_trust **trust)
{
	if (!*trust)
		return;
	gnutls_certificate_free_credentials((*trust)->credentials);
	free(*trust);
	*trust = NULL;
}

static bool
is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 ||
	       inet_pton(AF_INET6, host, address) == 1;
}

static int
set_up(gnutls_session_t session, const struct net_trust *trust,
    const char *host, int fd)
{
	int code;

	/* The system's policy stands, but for old versions. */
	code = gnutls_set_default_priority_append(
	    session, "-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1", NULL, 0);
	if (code >= 0)
		code = gnutls_credentials_set(
		    session, GNUTLS_CRD_CERTIFICATE, trust->credentials);
	if (code >= 0 && !is_address(host)) /* RFC 6066 section 3 */
		code = gnutls_server_name_set(
		    session, GNUTLS_NAME_DNS, host, strlen(host));
	if (code < 0)
		return code;
	gnutls_session_set_verify_cert(session, host, 0);
	gnutls_handshake_set_timeout(session, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_int(session, fd);
	return 0;
}

enum mt_status
net_tls_new(gnutls_session_t *ret_session, const struct net_trust *trust,
    const char *host, int fd, struct mt_error *err)
{
	gnutls_session_t session;
	int code =
	    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK |
				      GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS);

	if (code < 0)
		return mt_fail(err, MT_NO_MEMORY, "cannot start TLS: %s",
		    gnutls_strerror(code));
	code = set_up(session, trust, host, fd);
	if (code < 0) {
		gnutls_deinit(session);
		return mt_fail(err, MT_BAD_CONFIG,
		    "cannot start TLS with %s: %s", host,
		    gnutls_strerror(code));
	}
	*ret_session = session;
	return MT_OK;
}

/* The server's own certificate, or NULL. */
static gnutls_x509_crt_t
peer_certificate(gnutls_session_t session)
{
	unsigned count = 0;
	const gnutls_datum_t *chain =
	    gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t certificate;

	if (!chain || !count || gnutls_x509_crt_init(&certificate) < 0)
		return NULL;
	if (gnutls_x509_crt_import(
		certificate, &chain[0], GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(certificate);
		return NULL;
	}
	return certificate;
}

static void
add_name(struct buf *names, const char *name, size_t len)
{
	if (names->len)
		buf_add_text(names, ", ");
	buf_add_printable(names, name, len, 80);
}

/* Adds the alternative name number `i`; false if there is no such one. */
static bool
add_alternative(struct buf *names, gnutls_x509_crt_t certificate, unsigned i)
{
	char name[256], address[INET6_ADDRSTRLEN];
	size_t len = sizeof(name) - 1;
	int type = gnutls_x509_crt_get_subject_alt_name(
	    certificate, i, name, &len, NULL);

	if (type == GNUTLS_SAN_DNSNAME)
		add_name(names, name, strnlen(name, len));
	else if (type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16) &&
		 inet_ntop(len == 4 ? AF_INET : AF_INET6, name, address,
		     sizeof(address)))
		add_name(names, address, strlen(address));
	return type >= 0 || type == GNUTLS_E_SHORT_MEMORY_BUFFER;
}

static void
collect_names(struct buf *names, gnutls_session_t session)
{
	gnutls_x509_crt_t certificate = peer_certificate(session);
	char common[128];
	size_t len = sizeof(common);

	if (!certificate)
		return;
	for (unsigned i = 0;
	     names->len < NAMES_MAX && add_alternative(names, certificate, i);
	     i++)
		continue;
	if (!names->len &&
	    gnutls_x509_crt_get_dn_by_oid(certificate,
		GNUTLS_OID_X520_COMMON_NAME, 0, 0, common, &len) >= 0)
		add_name(names, common, len);
	gnutls_x509_crt_deinit(certificate);
}

static enum mt_status
explain_name(gnutls_session_t session, const char *name, struct mt_error *err)
{
	struct buf names = BUF_INIT(1024);

	collect_names(&names, session);
	mt_fail(err, MT_BAD_CONFIG,
	    "the certificate of %s is for another name (it names: %s)", name,
	    names.len ? buf_text(&names) : "nothing");
	buf_done(&names);
	return MT_BAD_CONFIG;
}

static bool
is_self_signed(gnutls_session_t session)
{
	gnutls_x509_crt_t certificate = peer_certificate(session);
	bool result;

	if (!certificate)
		return false;
	result = gnutls_x509_crt_check_issuer(certificate, certificate) == 1;
	gnutls_x509_crt_deinit(certificate);
	return result;
}

static enum mt_status
explain_certificate(
    gnutls_session_t session, const char *name, struct mt_error *err)
{
	unsigned wrong = gnutls_session_get_verify_cert_status(session);
	gnutls_datum_t text = {NULL, 0};

	if (wrong & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the certificate of %s is %s", name,
		    is_self_signed(session)
			? "self-signed"
			: "issued by an authority that is not trusted here");
	if (wrong & GNUTLS_CERT_EXPIRED)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the certificate of %s has expired", name);
	if (wrong & GNUTLS_CERT_NOT_ACTIVATED)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the certificate of %s is not valid yet; is the clock of "
		    "this machine right?",
		    name);
	if (wrong & GNUTLS_CERT_UNEXPECTED_OWNER)
		return explain_name(session, name, err);
	gnutls_certificate_verification_status_print(
	    wrong, GNUTLS_CRT_X509, &text, 0);
	mt_fail(err, MT_BAD_CONFIG, "the certificate of %s is not valid: %s",
	    name, text.data ? (const char *)text.data : "unknown reason");
	gnutls_free(text.data);
	return MT_BAD_CONFIG;
}

enum mt_status
net_tls_explain(
    gnutls_session_t session, int code, const char *name, struct mt_error *err)
{
	switch (code) {
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		return explain_certificate(session, name, err);
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s does not speak TLS 1.2 or newer", name);
	case GNUTLS_E_UNEXPECTED_PACKET:
	case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
	case GNUTLS_E_RECORD_OVERFLOW:
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s does not speak TLS from the start; is this the port "
		    "for STARTTLS?",
		    name);
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		if (gnutls_alert_get(session) == GNUTLS_A_PROTOCOL_VERSION)
			return mt_fail(err, MT_BAD_CONFIG,
			    "%s does not speak TLS 1.2 or newer", name);
		return mt_fail(err, MT_RETRY_LATER,
		    "%s refused the TLS handshake: %s", name,
		    gnutls_alert_get_name(gnutls_alert_get(session)));
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return mt_fail(err, MT_RETRY_LATER,
		    "%s closed the connection in the TLS handshake", name);
	default:
		return mt_fail(err, MT_RETRY_LATER,
		    "the TLS handshake with %s failed: %s", name,
		    gnutls_strerror(code));
	}
}
