/* SPDX-License-Identifier: ISC */
/* The tables of the outbox. */
#include "state_db.h"

/*
 * rcpt_to holds one address a line.  next_attempt is NULL when there will be
 * none; changed is the time of the last step.
 */
const char outbox_schema_1[] =
    "CREATE TABLE outbox ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " message_id TEXT NOT NULL UNIQUE,"
    " date INTEGER NOT NULL,"
    " mail_from TEXT NOT NULL,"
    " rcpt_to TEXT NOT NULL,"
    " bytes BLOB NOT NULL,"
    " state TEXT NOT NULL,"
    " doubtful INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL,"
    " changed INTEGER NOT NULL,"
    " next_attempt INTEGER,"
    " reply TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX outbox_open ON outbox (next_attempt)"
    " WHERE next_attempt IS NOT NULL;";

/*
 * The bytes have a table of their own: a step writes its whole row again, and
 * a message may be of 35 MB.  What an older version has left belongs to no
 * account until outbox_adopt.
 */
const char outbox_schema_2[] =
    "ALTER TABLE outbox RENAME TO outbox_1;"
    "CREATE TABLE outbox ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account TEXT NOT NULL,"
    " request_id TEXT,"
    " digest BLOB,"
    " message_id TEXT NOT NULL UNIQUE,"
    " date INTEGER NOT NULL,"
    " mail_from TEXT NOT NULL,"
    " rcpt_to TEXT NOT NULL,"
    " subject TEXT NOT NULL DEFAULT '',"
    " smtputf8 INTEGER NOT NULL DEFAULT 0,"
    " dsn TEXT NOT NULL DEFAULT '',"
    " size INTEGER NOT NULL,"
    " state TEXT NOT NULL,"
    " doubtful INTEGER NOT NULL DEFAULT 0,"
    " claimed INTEGER NOT NULL DEFAULT 0,"
    " ordered INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL,"
    " changed INTEGER NOT NULL,"
    " attempted INTEGER,"
    " tried_since INTEGER NOT NULL,"
    " next_attempt INTEGER,"
    " next_look INTEGER,"
    " looks INTEGER NOT NULL DEFAULT 0,"
    " copy TEXT NOT NULL DEFAULT 'none',"
    " copy_attempts INTEGER NOT NULL DEFAULT 0,"
    " copy_since INTEGER,"
    " next_copy INTEGER,"
    " server_id TEXT NOT NULL DEFAULT '',"
    " reply TEXT NOT NULL DEFAULT '',"
    " copy_reply TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE outbox_bytes ("
    " id INTEGER PRIMARY KEY REFERENCES outbox (id) ON DELETE CASCADE,"
    " bytes BLOB NOT NULL);"
    "INSERT INTO outbox (id, account, message_id, date, mail_from, rcpt_to,"
    " size, state, doubtful, attempts, created, changed, tried_since,"
    " next_attempt, next_look, reply)"
    " SELECT id, '', message_id, date, mail_from, rcpt_to, length(bytes),"
    " state, doubtful, attempts, created, changed, created, next_attempt,"
    " iif(state = 'uncertain' AND next_attempt IS NOT NULL, changed, NULL),"
    " reply FROM outbox_1;"
    "INSERT INTO outbox_bytes SELECT id, bytes FROM outbox_1;"
    "DROP TABLE outbox_1;"
    "CREATE UNIQUE INDEX outbox_request ON outbox (account, request_id)"
    " WHERE request_id IS NOT NULL;"
    "CREATE INDEX outbox_attempt ON outbox (account, next_attempt)"
    " WHERE next_attempt IS NOT NULL;"
    "CREATE INDEX outbox_look ON outbox (account, next_look)"
    " WHERE next_look IS NOT NULL;"
    "CREATE INDEX outbox_copy ON outbox (account, next_copy)"
    " WHERE next_copy IS NOT NULL;"
    "CREATE INDEX outbox_claimed ON outbox (account) WHERE claimed;"
    "CREATE INDEX outbox_rate ON outbox (account, attempted)"
    " WHERE attempted IS NOT NULL;";
