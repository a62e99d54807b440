// SPDX-License-Identifier: ISC
//
// oidc-provider as the tests want it: its clients and scopes, tokens of any
// size, and replies as other servers word them.
import { generateKeyPairSync } from 'node:crypto';

import { page } from './pages.mjs';

export const RESOURCE = 'urn:test:mail';
export const KID = 'test';

// What can be changed while the server runs.
export const defaults = (ms) => ({
    at_ttl: 3600,           // seconds an access token lives
    rt_ttl: 86400,          // seconds a refresh token lives
    code_ttl: 60,           // seconds an authorization code lives
    device_ttl: 600,        // seconds a device code lives
    interval: null,         // that a device is told, in seconds
    identity: null,         // who logged in, in the ID token: null the login
                            // as both claims, or {claim: value}
    rotate: '1',            // '1' a new refresh token each time, reuse kills
                            // the family; 'keep' a new one, the old stays
                            // valid (Microsoft); '0' the same for ever
    at_format: 'opaque',    // or 'jwt'
    at_size: 0,             // bytes of an access token; a JWT gets larger
    rt_size: 0,             // bytes of a refresh token
    code_size: 0,           // bytes of an authorization code
    username: null,         // claim for the mail server, if not the login
    expires_in: 'number',   // or 'string', 'omit', 'negative'
    iss: ms ? 'omit' : null, // in the redirect: 'omit', or a false value
});

// Where a flavor has other routes than the library.
const ROUTES = {
    generic: {},
    ms: {
        authorization: '/common/oauth2/v2.0/authorize',
        token: '/common/oauth2/v2.0/token',
        jwks: '/common/discovery/v2.0/keys',
        device_authorization: '/common/oauth2/v2.0/devicecode',
        code_verification: '/common/oauth2/deviceauth',
    },
    google: {
        authorization: '/o/oauth2/v2/auth', revocation: '/revoke',
        device_authorization: '/device/code',
    },
};

export const endpoints = (flavor) => ({
    authorization: '/auth', token: '/token', jwks: '/jwks',
    introspection: '/token/introspection', revocation: '/token/revocation',
    device_authorization: '/device/auth', code_verification: '/device',
    discovery: '/.well-known/openid-configuration',
    ...ROUTES[flavor],
});

const OIDC_SCOPES = ['openid', 'offline_access', 'email', 'profile'];
const SCOPES = [...OIDC_SCOPES, 'mail', 'imap', 'smtp',
    'https://mail.google.com/',
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
    grant_types: ['authorization_code', 'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code'],
};
const CLIENTS = [
    { ...DESKTOP, client_id: 'native', token_endpoint_auth_method: 'none' },
    { ...DESKTOP, client_id: 'desktop-secret',
        client_secret: 'desktop-secret-value',
        token_endpoint_auth_method: 'client_secret_post' },
    // Characters that must be form-encoded first (RFC 6749 s2.3.1).
    { ...DESKTOP, client_id: 'desktop-basic', client_secret: 's:cr%t +/=',
        token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'service', client_secret: 'service-secret',
        redirect_uris: [], response_types: [],
        grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'client_secret_post' },
    { client_id: 'mailserver', client_secret: 'introspect-secret',
        redirect_uris: [], response_types: [], grant_types: [],
        token_endpoint_auth_method: 'client_secret_basic' },
];

export const resourceServer = (conf) => ({
    scope: SCOPES.join(' '), audience: RESOURCE,
    accessTokenFormat: conf.at_format, accessTokenTTL: conf.at_ttl,
    jwt: { sign: { alg: 'RS256' } },
});

function userClaims(conf, token) {
    const username = conf.username ?? token.accountId;
    const claims = { username, email: username, preferred_username: username };
    // Base64 makes four bytes of three.
    if (conf.at_format === 'jwt' && conf.at_size)
        claims.padding = 'x'.repeat(Math.floor(conf.at_size * 3 / 4));
    return claims;
}

const SIZES = {
    AccessToken: 'at_size', RefreshToken: 'rt_size',
    AuthorizationCode: 'code_size',
};

// The claims of an ID token beside `sub`.
const identity = (conf, sub) =>
    conf.identity ?? { email: sub, preferred_username: sub };

const deviceFlow = {
    enabled: true, mask: '****-****',
    userCodeInputSource: (ctx, form, _out, error) => {
        ctx.body = error ? page(error.name, '') : page('Enter code', form);
    },
    userCodeConfirmSource: (ctx, form, client, _info, code) => {
        ctx.body = page('Confirm', `<p>${client.clientId} ${code}</p>${form}`);
    },
    successSource: (ctx) => { ctx.body = page('Device authorized', ''); },
};

// Clients of a test's own: programs of people, and, with a secret, services.
const furtherClients = (clients) => Object.entries(clients).map(
    ([id, secret]) => ({ ...DESKTOP, client_id: id,
        ...(secret === null ? { token_endpoint_auth_method: 'none' } : {
            client_secret: secret,
            token_endpoint_auth_method: 'client_secret_post',
            grant_types: [...DESKTOP.grant_types, 'client_credentials'] }) }));

function configuration({ flavor, clients }, conf, privateKey) {
    const ms = flavor === 'ms';
    return {
        clients: [...CLIENTS, ...furtherClients(clients)],
        routes: ROUTES[flavor],
        jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }),
            use: 'sig', alg: 'RS256', kid: KID }] },
        cookies: { keys: ['not a secret'] },
        scopes: SCOPES,
        claims: { openid: ['sub'], email: ['email'],
            profile: ['name', 'preferred_username', 'upn'] },
        conformIdTokenClaims: false,
        clientBasedCORS: () => false,
        interactions: { url: (_ctx, it) => `/interaction/${it.uid}` },
        pkce: { required: (_ctx, client) =>
            client.tokenEndpointAuthMethod === 'none' },
        // Microsoft wants offline_access asked for; elsewhere it is implied.
        issueRefreshToken: async (_ctx, client, code) =>
            client.grantTypeAllowed('refresh_token')
            && (!ms || code.scopes.has('offline_access')),
        expiresWithSession: async () => false,
        rotateRefreshToken: () => conf.rotate !== '0',
        findAccount: async (_ctx, sub) => ({ accountId: sub,
            claims: async () => ({ sub, name: sub, ...identity(conf, sub) }) }),
        extraTokenClaims: async (_ctx, token) => userClaims(conf, token),
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
            DeviceCode: () => conf.device_ttl,
            ClientCredentials: () => conf.at_ttl, Grant: 1209600, Interaction: 3600, Session: 1209600,
        },
        features: {
            devInteractions: { enabled: false },
            rpInitiatedLogout: { enabled: false },
            introspection: { enabled: true, allowedPolicy: async () => true },
            deviceFlow,
            clientCredentials: { enabled: true },
            revocation: { enabled: true, allowedPolicy: async () => true },
            resourceIndicators: {
                enabled: true,
                defaultResource: async (_ctx, _client, one) =>
                    [one].flat()[0] ?? RESOURCE,
                useGrantedResource: async () => true,
                getResourceServerInfo: async () => resourceServer(conf),
            },
        },
    };
}

const MS_CODES = { authorization_pending: 70016, expired_token: 70020,
    invalid_grant: 70000, invalid_client: 7000215,
    unauthorized_client: 700016, invalid_scope: 70011,
    unsupported_grant_type: 70003 };

// Microsoft has words of its own for a person who says no.
const MS_WORDS = { access_denied: 'authorization_declined' };

function msError(body) {
    const code = MS_CODES[body.error] ?? 900144;
    const id = '00000000-0000-0000-0000-000000000000';
    const timestamp = new Date().toISOString().replace(/T(.*)\..*/, ' $1Z');
    return { error: MS_WORDS[body.error] ?? body.error,
        error_description: `AADSTS${code}: ${body.error_description} `
            + `Trace ID: ${id} Correlation ID: ${id} Timestamp: ${timestamp}`,
        error_codes: [code], timestamp, trace_id: id, correlation_id: id,
        error_uri: `https://login.example.test/error?code=${code}` };
}

function changeTokens(ms, conf, body) {
    if (conf.expires_in === 'string')
        body.expires_in = String(body.expires_in);
    if (conf.expires_in === 'omit') delete body.expires_in;
    if (conf.expires_in === 'negative') body.expires_in = -1;
    if (ms) body.ext_expires_in = body.expires_in;
}

function changeRedirect(conf, issuer, ctx) {
    const to = new URL(ctx.response.get('location'), issuer);
    if (conf.iss === null || !to.searchParams.has('iss')) return;
    if (conf.iss === 'omit') to.searchParams.delete('iss');
    else to.searchParams.set('iss', conf.iss);
    ctx.set('location', to.href);
}

// What Microsoft and Google answer a device otherwise.
function changeDevice(flavor, conf, body) {
    if (conf.interval !== null) body.interval = conf.interval;
    if (flavor === 'ms') {
        delete body.verification_uri_complete;
        body.message = `Open ${body.verification_uri}`;
    }
    if (flavor === 'google') {
        body.verification_url = body.verification_uri;
        delete body.verification_uri;
        delete body.verification_uri_complete;
    }
}

function msDiscovery(body, tenant) {
    const { authorization_response_iss_parameter_supported: _, ...rest }
        = body;
    const told = JSON.parse(JSON.stringify(rest)
        .replaceAll('/common/', `/${tenant ?? 'common'}/`));
    return { ...told, issuer: `${body.issuer}/{tenantid}/v2.0` };
}

// Change what the library answers, and note its answer in the log's entry.
const afterwards = (flavor, conf, issuer) => async (ctx, next) => {
    await next();
    const ms = flavor === 'ms';
    const route = ctx.oidc?.route;
    if (route === 'device_authorization' && ctx.body?.user_code)
        changeDevice(flavor, conf, ctx.body);
    if (flavor === 'google' && ctx.body?.error === 'authorization_pending')
        ctx.status = 428;
    if (route === 'token' && ctx.body?.access_token)
        changeTokens(ms, conf, ctx.body);
    if (ms && route === 'token' && ctx.body?.error)
        ctx.body = msError(ctx.body);
    if (ms && route === 'discovery')
        ctx.body = msDiscovery(ctx.body, ctx.req.tenant);
    if (ctx.response.get('location')) changeRedirect(conf, issuer, ctx);
    Object.assign(ctx.req.entry, { status: ctx.status,
        error: ctx.body?.error });
};

// rotate=keep: a used refresh token does not become an offence.
function keepUsedTokens(conf, RefreshToken) {
    const { consume } = RefreshToken.prototype;
    RefreshToken.prototype.consume = async function consumeUnlessKept() {
        return conf.rotate === 'keep' ? undefined : consume.call(this);
    };
}

// A provider that obeys `conf` from then on, and its public key in PEM; the
// options are those of server.mjs.
export function makeProvider(Provider, options, conf) {
    const { issuer, flavor } = options;
    const { privateKey, publicKey }
        = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const provider = new Provider(issuer, configuration(options, conf,
        privateKey));
    provider.on('server_error', (_ctx, error) => console.error(error));
    provider.use(afterwards(flavor, conf, issuer));
    keepUsedTokens(conf, provider.RefreshToken);
    return { provider,
        publicKey: publicKey.export({ type: 'spki', format: 'pem' }) };
}
