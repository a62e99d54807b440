/* SPDX-License-Identifier: ISC */
#include "mail/mailbox_role.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "mail/mailbox_name.h"

/* What programs and servers call them, the most usual first. */
static const char *const sent_names[] = {
    "Sent",
    "Sent Items",
    "Sent Messages",
    "Sent Mail",
    "sent-mail",
    "Sent Objects",
    "Gesendet",
    "Gesendete Elemente",
    "Gesendete Objekte",
    "Gesendete Nachrichten",
    "Gesendete Mails",
    "Envoyés",
    "Éléments envoyés",
    "Messages envoyés",
    "Objets envoyés",
    "Courrier envoyé",
    "Enviados",
    "Elementos enviados",
    "Mensajes enviados",
    "Correo enviado",
    "Enviadas",
    "Itens enviados",
    "Mensagens enviadas",
    "Enviats",
    "Elements enviats",
    "Inviati",
    "Inviata",
    "Posta inviata",
    "Elementi inviati",
    "Messaggi inviati",
    "Verzonden",
    "Verzonden items",
    "Verzonden berichten",
    "Skickat",
    "Skickade",
    "Skickade objekt",
    "Skickade meddelanden",
    "Sendt",
    "Sendt post",
    "Sendte elementer",
    "Sendte",
    "Lähetetyt",
    "Lähetetyt kohteet",
    "Lähetetyt viestit",
    "Wysłane",
    "Elementy wysłane",
    "Odeslané",
    "Odeslaná pošta",
    "Odoslané",
    "Odoslaná pošta",
    "Elküldött",
    "Elküldött elemek",
    "Elküldött levelek",
    "Trimise",
    "Elemente trimise",
    "Poslano",
    "Gönderilenler",
    "Gönderilmiş Öğeler",
    "Απεσταλμένα",
    "Отправленные",
    "Надіслані",
    "送信済み",
    "送信済みメール",
    "送信済みアイテム",
    "已发送",
    "已发送邮件",
    "已发邮件",
    "寄件備份",
    "寄件备份",
    "보낸편지함",
    "보낸 편지함",
    NULL,
};

static const char *const drafts_names[] = {
    "Drafts",
    "Draft",
    "Entwürfe",
    "Brouillons",
    "Borradores",
    "Rascunhos",
    "Esborranys",
    "Bozze",
    "Concepten",
    "Utkast",
    "Kladder",
    "Luonnokset",
    "Kopie robocze",
    "Wersje robocze",
    "Koncepty",
    "Rozepsané",
    "Piszkozatok",
    "Ciorne",
    "Skice",
    "Taslaklar",
    "Πρόχειρα",
    "Черновики",
    "Чернетки",
    "下書き",
    "草稿",
    "草稿箱",
    "임시보관함",
    "임시 보관함",
    NULL,
};

static const char *const no_names[] = {NULL};

static const struct {
	const char *attribute;
	const char *const *names;
	const char *to_create;
} roles[] = {
    [IMAP_ROLE_SENT] = {"\\Sent", sent_names, "Sent"},
    [IMAP_ROLE_DRAFTS] = {"\\Drafts", drafts_names, "Drafts"},
    [IMAP_ROLE_ALL] = {"\\All", no_names, ""},
};

const char *
mailbox_role_name(enum imap_role role)
{
	return roles[role].to_create;
}

/* As UTF-8; false: it is no name, or does not fit. */
static bool
decode(const char *wire, char *ret_name, size_t size)
{
	struct buf name = BUF_INIT(size - 1);
	bool good = mailbox_name_decode(&name, wire) && buf_ok(&name);

	if (good)
		memcpy(ret_name, buf_text(&name), name.len + 1);
	buf_done(&name);
	return good;
}

void
mailbox_spaces_take(
    void *spaces, enum imap_owner owner, const char *prefix, char delimiter)
{
	struct mailbox_spaces *s = spaces;

	if (owner == IMAP_OWN && !s->has_own) {
		s->has_own =
		    decode(prefix, s->own.prefix, sizeof(s->own.prefix));
		s->own.delimiter = delimiter;
	} else if (owner != IMAP_OWN && *prefix &&
		   s->foreign_count < MAILBOX_FOREIGN_MAX) {
		if (decode(prefix, s->foreign[s->foreign_count],
			sizeof(s->foreign[0])))
			s->foreign_count++;
	}
}

bool
mailbox_is_real(const struct imap_list_line *line)
{
	return !imap_list_line_has(line, "\\NoSelect") &&
	       !imap_list_line_has(line, "\\NonExistent");
}

static bool
begins_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool
is_foreign(const struct mailbox_spaces *spaces, const char *name)
{
	for (size_t i = 0; i < spaces->foreign_count; i++)
		if (begins_with(name, spaces->foreign[i]))
			return true;
	return false;
}

/* The name behind the prefix of one's own mailboxes, or behind INBOX. */
static const char *
bare_name(const struct mailbox_spaces *spaces, const char *name, char delimiter)
{
	const char *prefix = spaces->own.prefix;

	if (*prefix && begins_with(name, prefix))
		return name + strlen(prefix);
	if (strncasecmp(name, "INBOX", 5) == 0 && delimiter &&
	    name[5] == delimiter)
		return name + 6;
	return name;
}

/* The place of the name in the list, beginning with 1; 0: it is not there. */
static unsigned
find_name(const char *const *names, const char *name)
{
	for (unsigned i = 0; names[i]; i++)
		if (strcasecmp(names[i], name) == 0)
			return i + 1;
	return 0;
}

void
mailbox_choice_take(
    struct mailbox_choice *choice, const struct imap_list_line *line)
{
	char name[IMAP_MAILBOX_NAME_MAX];
	unsigned rank = 0;

	if (!line->name[0] || !mailbox_is_real(line) ||
	    !decode(line->name, name, sizeof(name)) ||
	    is_foreign(choice->spaces, name))
		return;
	if (!imap_list_line_has(line, roles[choice->role].attribute)) {
		rank = find_name(roles[choice->role].names,
		    bare_name(choice->spaces, name, line->delimiter));
		if (!rank)
			return;
	}
	if (choice->name[0] && choice->rank <= rank)
		return;
	choice->rank = rank;
	memcpy(choice->name, name, strlen(name) + 1);
}
