// SPDX-License-Identifier: ISC
//
// The pages that a person sees: sign in, then allow or deny.

const escape = (text) => String(text).replace(/[&<>"']/g,
    (c) => `&#${c.charCodeAt(0)};`);

export const page = (title, body) => `<!doctype html><meta charset="utf-8">
<title>${escape(title)}</title><h1>${escape(title)}</h1>${body}`;

const button = (uid, action, label) =>
    `<form method="post" action="/interaction/${uid}/${action}">
<button name="press" value="${action}">${label}</button></form>`;

const loginPage = (uid, hint) => page('Sign in',
    `<form method="post" action="/interaction/${uid}/login">
<input name="login" value="${escape(hint ?? '')}">
<input name="password" type="password"><button>Sign in</button></form>`);

async function saveConsent(provider, details) {
    const { prompt, params, session, grantId } = details;
    const grant = grantId ? await provider.Grant.find(grantId)
        : new provider.Grant({ accountId: session.accountId,
            clientId: params.client_id });
    const missing = prompt.details;
    if (missing.missingOIDCScope)
        grant.addOIDCScope(missing.missingOIDCScope.join(' '));
    if (missing.missingOIDCClaims)
        grant.addOIDCClaims(missing.missingOIDCClaims);
    for (const [resource, scopes]
        of Object.entries(missing.missingResourceScopes ?? {}))
        grant.addResourceScope(resource, scopes.join(' '));
    return grant.save();
}

// Answer a request for /interaction/UID[/ACTION]; `form` is what it posted,
// `users` has the passwords.
export async function interact(provider, users, req, res, uid, action, form) {
    const html = (text, status = 200) => {
        res.writeHead(status, { 'content-type': 'text/html; charset=utf-8',
            'cache-control': 'no-store' });
        res.end(text);
    };
    const finish = (result, merge) => provider.interactionFinished(req, res,
        result, { mergeWithLastSubmission: merge });
    const details = await provider.interactionDetails(req, res);
    const { prompt, params } = details;

    if (req.method === 'GET' && prompt.name === 'login')
        return html(loginPage(uid, params.login_hint));
    if (req.method === 'GET') {
        return html(page('Consent', `<p>${escape(params.client_id)}: `
            + `${escape(params.scope ?? '')}</p>`
            + button(uid, 'allow', 'Allow') + button(uid, 'deny', 'Deny')));
    }
    switch (action) {
    case 'login': {
        const { login, password } = form;
        if ((users[login] ?? null) !== password)
            return html(page('Wrong user name or password', ''), 403);
        return finish({ login: { accountId: login } }, false);
    }
    case 'allow': {
        const grantId = await saveConsent(provider, details);
        return finish({ consent: details.grantId ? {} : { grantId } }, true);
    }
    case 'deny':
        return finish({ error: 'access_denied',
            error_description: 'End-User aborted interaction' }, false);
    default:
        return html(page('No such page', ''), 404);
    }
}
