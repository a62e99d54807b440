// SPDX-License-Identifier: ISC
//
// The OAuth2 server of the tests: the real oidc-provider, with a fault layer
// in front.  Listens on 127.0.0.1 alone.  tests/bed/oidc.py starts it:
//
//     node server.mjs '{"modules": DIR, "port": N, ...}'
//
// and talks to it in lines of JSON, a command on standard input, its answer
// on standard output:
//
//     {"op": "config", ...}   change settings (the table `conf`)
//     {"op": "fault", ...}    order a fault (see faults.mjs)
//     {"op": "release"}       forget all faults, let waiting requests go on
//     {"op": "log"}           the requests so far; {"clear": true} forgets
//     {"op": "mint", ...}     tokens without a login
//     {"op": "revoke", ...}   end all grants of a user
//     {"op": "expire", ...}   end the user's access tokens alone
//     {"op": "close"}, {"op": "listen"}   server down, server up; keeps state
//
// It ends when standard input does.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { disturb, disturbAnswer, orderFault, releaseFaults, takeFault }
    from './faults.mjs';
import { interact } from './pages.mjs';

// Standard output belongs to the answers.
console.log = console.info = console.error;

const options = JSON.parse(process.argv[2]);
const { default: Provider } = await import(
    pathToFileURL(`${options.modules}/oidc-provider/lib/index.js`));

const MS = options.flavor === 'ms';
const RESOURCE = 'urn:test:mail';
const ISSUER = `${options.cert ? 'https' : 'http'}://localhost:${options.port}`;

// What can be changed while the server runs.
const conf = {
    at_ttl: 3600,           // seconds an access token lives
    rt_ttl: 86400,          // seconds a refresh token lives
    code_ttl: 60,           // seconds an authorization code lives
    rotate: '1',            // '1' a new refresh token each time, reuse kills
                            // the family; 'keep' a new one, the old stays
                            // valid (Microsoft); '0' the same for ever
    at_format: 'opaque',    // or 'jwt'
    at_size: 0,             // access tokens of about this many bytes
    rt_size: 0,             // refresh tokens likewise, and codes
    code_size: 0,
    username: null,         // claim for the mail server, if not the login
    expires_in: 'number',   // or 'string', 'omit', 'negative'
    iss: MS ? 'omit' : null, // in the redirect: as it is, 'omit', or a value
    ...options.conf,
};

const SCOPES = ['mail', 'imap', 'smtp', 'https://mail.google.com/',
    ...['outlook.office.com', 'outlook.office365.com'].flatMap((host) =>
        ['IMAP.AccessAsUser.All', 'SMTP.Send', 'POP.AccessAsUser.All',
            '.default'].map((right) => `https://${host}/${right}`))];

// oidc-provider takes any port at a loopback address of a native client, but
// the path must be the registered one, and '' is not '/'.
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'].flatMap((host) =>
    ['', '/', '/callback'].map((path) => `http://${host}${path}`));
const DESKTOP = {
    application_type: 'native', redirect_uris: LOOPBACK,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
};
const CLIENTS = [
    { ...DESKTOP, client_id: 'native', token_endpoint_auth_method: 'none' },
    { ...DESKTOP, client_id: 'desktop-secret',
        client_secret: 'desktop-secret-value',
        token_endpoint_auth_method: 'client_secret_post' },
    // Characters that must be form-encoded first (RFC 6749 s2.3.1).
    { ...DESKTOP, client_id: 'desktop-basic', client_secret: 's:cr%t +/=',
        token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'mailserver', client_secret: 'introspect-secret',
        redirect_uris: [], response_types: [], grant_types: [],
        token_endpoint_auth_method: 'client_secret_basic' },
];

const MS_ROUTES = {
    authorization: '/common/oauth2/v2.0/authorize',
    token: '/common/oauth2/v2.0/token',
    jwks: '/common/discovery/v2.0/keys',
};
const ENDPOINTS = {
    authorization: '/auth', token: '/token', jwks: '/jwks',
    introspection: '/token/introspection', revocation: '/token/revocation',
    discovery: '/.well-known/openid-configuration',
    ...(MS ? MS_ROUTES : {}),
};

// ---- the provider ---------------------------------------------------------

const SIZES = {
    AccessToken: 'at_size', RefreshToken: 'rt_size',
    AuthorizationCode: 'code_size',
};
const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
const KID = 'test';

function userClaims(token) {
    const username = conf.username ?? token.accountId;
    const padding = conf.at_format === 'jwt' && conf.at_size
        ? { padding: 'x'.repeat(Math.floor(conf.at_size * 3 / 4)) } : {};
    return { username, email: username, preferred_username: username,
        ...padding };
}

const resourceServer = () => ({
    scope: [...SCOPES, 'openid', 'offline_access', 'email', 'profile']
        .join(' '),
    audience: RESOURCE,
    accessTokenFormat: conf.at_format,
    accessTokenTTL: conf.at_ttl,
    jwt: { sign: { alg: 'RS256' } },
});

const provider = new Provider(ISSUER, {
    clients: CLIENTS,
    routes: MS ? MS_ROUTES : {},
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }),
        use: 'sig', alg: 'RS256', kid: KID }] },
    cookies: { keys: ['not a secret'] },
    scopes: ['openid', 'offline_access', 'email', 'profile', ...SCOPES],
    claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
    clientBasedCORS: () => false,
    interactions: { url: (_ctx, it) => `/interaction/${it.uid}` },
    pkce: { required: (_ctx, client) =>
        client.tokenEndpointAuthMethod === 'none' },
    // Microsoft wants offline_access asked for; elsewhere it is implied.
    issueRefreshToken: async (_ctx, client, code) =>
        client.grantTypeAllowed('refresh_token')
        && (!MS || code.scopes.has('offline_access')),
    expiresWithSession: async () => false,
    rotateRefreshToken: () => conf.rotate !== '0',
    findAccount: async (_ctx, sub) => ({ accountId: sub,
        claims: async () => ({ sub, email: sub, name: sub }) }),
    extraTokenClaims: async (_ctx, token) => userClaims(token),
    formats: {
        bitsOfOpaqueRandomness: (_ctx, token) =>
            6 * conf[SIZES[token.kind]] || 256,
        // Dovecot 2.3 wants exactly this type, RFC 9068 says at+jwt.
        customizers: { jwt: (_ctx, _token, parts) => {
            parts.header = { ...parts.header, typ: 'JWT' };
        } },
    },
    ttl: {
        AccessToken: () => conf.at_ttl, RefreshToken: () => conf.rt_ttl,
        AuthorizationCode: () => conf.code_ttl, IdToken: 3600,
        Grant: 1209600, Interaction: 3600, Session: 1209600,
    },
    features: {
        devInteractions: { enabled: false },
        rpInitiatedLogout: { enabled: false },
        introspection: { enabled: true, allowedPolicy: async () => true },
        revocation: { enabled: true, allowedPolicy: async () => true },
        resourceIndicators: {
            enabled: true,
            defaultResource: async (_ctx, _client, one) =>
                [one].flat()[0] ?? RESOURCE,
            useGrantedResource: async () => true,
            getResourceServerInfo: async () => resourceServer(),
        },
    },
});
provider.on('server_error', (_ctx, error) => console.error(error));

// rotate=keep: a used refresh token does not become an offence.
const { consume } = provider.RefreshToken.prototype;
provider.RefreshToken.prototype.consume = async function consumeUnlessKept() {
    return conf.rotate === 'keep' ? undefined : consume.call(this);
};

// What each user has, for `revoke` and `expire`.
const grants = new Map();
const accessTokens = new Map();

function remember(map, user, value) {
    if (!map.has(user)) map.set(user, new Set());
    map.get(user).add(value);
}
for (const kind of ['access_token', 'refresh_token', 'authorization_code']) {
    provider.on(`${kind}.saved`, (token) => {
        remember(grants, token.accountId, token.grantId);
        if (kind === 'access_token')
            remember(accessTokens, token.accountId, token.jti);
    });
}

// ---- replies that differ from the library's -------------------------------

const MS_CODES = { invalid_grant: 70000, invalid_client: 7000215,
    unauthorized_client: 700016, invalid_scope: 70011,
    unsupported_grant_type: 70003 };

function msError(body) {
    const code = MS_CODES[body.error] ?? 900144;
    const id = '00000000-0000-0000-0000-000000000000';
    const timestamp = new Date().toISOString().replace(/T(.*)\..*/, ' $1Z');
    return { error: body.error,
        error_description: `AADSTS${code}: ${body.error_description} `
            + `Trace ID: ${id} Correlation ID: ${id} Timestamp: ${timestamp}`,
        error_codes: [code], timestamp, trace_id: id, correlation_id: id,
        error_uri: `${ISSUER}/error?code=${code}` };
}

function changeTokenReply(body) {
    if (conf.expires_in === 'string')
        body.expires_in = String(body.expires_in);
    if (conf.expires_in === 'omit') delete body.expires_in;
    if (conf.expires_in === 'negative') body.expires_in = -1;
    if (MS) body.ext_expires_in = body.expires_in;
}

function changeRedirect(ctx) {
    const to = new URL(ctx.response.get('location'), ISSUER);
    if (conf.iss === null || !to.searchParams.has('iss')) return;
    if (conf.iss === 'omit') to.searchParams.delete('iss');
    else to.searchParams.set('iss', conf.iss);
    ctx.set('location', to.href);
}

provider.use(async (ctx, next) => {
    await next();
    const route = ctx.oidc?.route;
    if (route === 'token') {
        if (ctx.body?.access_token) changeTokenReply(ctx.body);
        if (MS && ctx.body?.error) ctx.body = msError(ctx.body);
    }
    if (ctx.response.get('location')) changeRedirect(ctx);
    if (MS && route === 'discovery') {
        ctx.body = JSON.parse(JSON.stringify(ctx.body)
            .replaceAll('/common/', `/${ctx.req.tenant}/`));
        delete ctx.body.authorization_response_iss_parameter_supported;
    }
    Object.assign(ctx.req.entry, { status: ctx.status,
        error: ctx.body?.error, description: ctx.body?.error_description });
});

// ---- requests -------------------------------------------------------------

let log = [];

async function readBody(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
}

// Microsoft serves every tenant alike: /TENANT/oauth2/v2.0/token and so on.
function foldTenant(req) {
    const match = /^\/([^/]+)(\/(?:oauth2\/v2\.0|discovery|v2\.0)\/.*)$/
        .exec(req.url);
    if (!match) return;
    req.tenant = match[1];
    req.url = match[2].startsWith('/v2.0/.well-known/')
        ? ENDPOINTS.discovery : `/common${match[2]}`;
    // Microsoft gives refresh tokens without a forced consent page,
    // oidc-provider does not.
    if (req.url.startsWith(`${ENDPOINTS.authorization}?`)
        && /[?&+ ]scope=[^&]*offline_access/.test(req.url)
        && !/[?&]prompt=/.test(req.url))
        req.url += '&prompt=consent';
}

async function handle(req, res) {
    const entry = { time: Date.now() / 1000, method: req.method,
        path: req.url.split('?')[0] };
    req.entry = entry;
    if (MS) foldTenant(req);
    const path = req.url.split('?')[0];
    entry.endpoint = Object.keys(ENDPOINTS)
        .find((name) => ENDPOINTS[name] === path) ?? 'other';
    if (entry.endpoint === 'authorization')
        entry.form = parseForm(req.url.split('?')[1] ?? '');
    log.push(entry);

    if (req.method === 'POST') {
        req.body = await readBody(req);
        entry.form = parseForm(req.body);
        entry.authorization = req.headers.authorization;
    }
    const interaction = /^\/interaction\/([^/]+)(?:\/(\w+))?$/.exec(path);
    if (interaction) {
        await interact(provider, options.users, req, res, interaction[1],
            interaction[2], entry.form);
        return;
    }
    const fault = takeFault(entry);
    if (fault) {
        entry.fault = true;
        if (fault.after) disturbAnswer(fault, res);
        else if (!await disturb(fault, res, { end: res.end.bind(res) }))
            return;
    }
    await callback(req, res);
}

const parseForm = (text) => Object.fromEntries(new URLSearchParams(text));

const callback = provider.callback();
const listener = (req, res) => handle(req, res).catch((error) => {
    console.error(error);
    if (!res.headersSent) res.statusCode = 500;
    res.end(error.message);
});
const server = options.cert
    ? createHttps({ cert: readFileSync(options.cert),
        key: readFileSync(options.key) }, listener)
    : createHttp(listener);

// ---- commands -------------------------------------------------------------

async function mint({ sub, client_id, scope, ttl }) {
    const client = await provider.Client.find(client_id);
    const grant = new provider.Grant({ accountId: sub, clientId: client_id });
    grant.addResourceScope(RESOURCE, scope);
    grant.addOIDCScope(scope);
    const grantId = await grant.save();
    const common = { accountId: sub, client, grantId, scope, claims: {},
        gty: 'authorization_code', expiresWithSession: false };
    const access = new provider.AccessToken({ ...common,
        expiresIn: ttl ?? conf.at_ttl });
    access.resourceServer = new provider.ResourceServer(RESOURCE,
        resourceServer());
    const refresh = new provider.RefreshToken({ ...common,
        resource: RESOURCE, rotations: 0 });
    return { access_token: await access.save(),
        refresh_token: await refresh.save(),
        expires_in: ttl ?? conf.at_ttl, scope };
}

async function revoke(sub) {
    for (const grantId of grants.get(sub) ?? []) {
        for (const kind of ['AccessToken', 'RefreshToken',
            'AuthorizationCode'])
            await provider[kind].revokeByGrantId(grantId);
        await (await provider.Grant.find(grantId))?.destroy();
    }
    grants.delete(sub);
}

async function expire(sub) {
    for (const id of accessTokens.get(sub) ?? [])
        await (await provider.AccessToken.find(id))?.destroy();
    accessTokens.delete(sub);
}

const listen = () => new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
    });
});

const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
});

const commands = {
    config: async (change) => Object.assign(conf, change),
    fault: async (fault) => orderFault(fault),
    release: async () => releaseFaults(),
    log: async ({ clear }) => (clear ? log.splice(0) : log),
    mint,
    revoke: async ({ sub }) => revoke(sub),
    expire: async ({ sub }) => expire(sub),
    listen,
    close,
};

async function obey(line) {
    try {
        const { op, ...args } = JSON.parse(line);
        return { result: await commands[op](args) ?? null };
    } catch (error) {
        return { error: error.stack };
    }
}

if (options.keys) {
    // As Dovecot's local_validation_key_dict reads it: AZP/ALG/KID.
    mkdirSync(`${options.keys}/default/RS256`, { recursive: true });
    writeFileSync(`${options.keys}/default/RS256/${KID}`,
        key.publicKey.export({ type: 'spki', format: 'pem' }));
}
for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(`${JSON.stringify(await obey(line))}\n`);
process.exit(0);
