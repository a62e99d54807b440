# SPDX-License-Identifier: ISC
"""Perl's Authen::SASL with libsasl2 behind it, in Net::SMTP."""
from .base import Attempt, Client, render

SCRIPT = """\
use Authen::SASL qw(Cyrus);
use Net::SMTP;
my $smtp = Net::SMTP->new('@SMTPHOST@', Port => @SMTP@) or die $@;
$smtp->starttls(@TLS@) or die $@;
my $sasl = Authen::SASL->new(mechanism => '@MECHANISM@', callback => {
?   pass => '@SECRET@',
    user => '@USER@', authname => '@USER@' });
$smtp->auth($sasl) or die $smtp->message, $sasl->error;
"""


class AuthenSasl(Client):
    name, service = "Authen::SASL::Cyrus", "smtp"
    files = {"in Perl": SCRIPT}

    def login(self, mechanism):
        values = self.values(
            mechanism, TLS=f"SSL_ca_file => '{self.site.mail.ca}'")
        result = self.bed.run(["/usr/bin/perl", "-w", "-"],
                              env=self.site.env(),
                              input=render(SCRIPT, values))
        return Attempt(result.rc == 0, result.out + result.err)
