// SPDX-License-Identifier: ISC
//
// Logs in as KMail does: by KIMAP's LoginJob, with XOAUTH2 over TLS.
//
//     kimaplogin HOST PORT USER <password
//
// The server is verified with SSL_CERT_FILE.  Prints the job's error.
#include <kimap/loginjob.h>
#include <kimap/session.h>

#include <QCoreApplication>
#include <QSslCertificate>
#include <QSslConfiguration>
#include <QTextStream>

static void
trust(const QString &file)
{
	QSslConfiguration tls = QSslConfiguration::defaultConfiguration();
	tls.setCaCertificates(QSslCertificate::fromPath(file));
	QSslConfiguration::setDefaultConfiguration(tls);
}

int
main(int argc, char **argv)
{
	QCoreApplication application(argc, argv);
	const QStringList arguments = application.arguments();
	if (arguments.size() != 4)
		return 64;
	trust(qEnvironmentVariable("SSL_CERT_FILE"));

	KIMAP::Session session(arguments[1], arguments[2].toUShort());
	auto *job = new KIMAP::LoginJob(&session); // deletes itself
	job->setUserName(arguments[3]);
	job->setPassword(QTextStream(stdin).readLine());
	job->setEncryptionMode(KIMAP::LoginJob::SSLorTLS);
	job->setAuthenticationMode(KIMAP::LoginJob::XOAuth2);
	job->exec();
	QTextStream(stdout) << job->errorString() << "\n";
	return session.state() == KIMAP::Session::Authenticated ? 0 : 1;
}
