// SPDX-License-Identifier: ISC
//
// The OAuth2 server of the tests: the real oidc-provider, with a fault layer
// in front.  Listens on 127.0.0.1 alone.  tests/bed/oidc.py starts it:
//
//     node server.mjs '{"modules": DIR, "port": N, "issuer": URL,
//                       "flavor": "generic"|"ms"|"google",
//                       "users": {NAME: PASSWORD}, "clients": {ID: SECRET},
//                       "keys": DIR, "cert": FILE, "key": FILE}'
//
// and talks to it in lines of JSON, a command on standard input, its answer
// on standard output:
//
//     {"op": "config", ...}   change settings (`defaults` in provider.mjs)
//     {"op": "fault", ...}    order a fault (see faults.mjs)
//     {"op": "release"}       forget all faults, let waiting requests go on
//     {"op": "log"}           the requests so far; {"clear": true} forgets
//     {"op": "mint", ...}     tokens without a login (see tokens.mjs)
//     {"op": "revoke", ...}   end all grants of a user
//     {"op": "expire", ...}   end a user's access tokens alone
//     {"op": "close"}, {"op": "listen"}   server down, server up; keeps state
//
// It ends when standard input does.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { disturb, disturbAnswer, orderFault, releaseFaults, takeFault }
    from './faults.mjs';
import { interact } from './pages.mjs';
import { KID, defaults, endpoints, makeProvider } from './provider.mjs';
import { Tokens } from './tokens.mjs';

// Standard output belongs to the answers.
console.log = console.info = console.error;

const options = JSON.parse(process.argv[2]);
const { default: Provider } = await import(
    pathToFileURL(`${options.modules}/oidc-provider/lib/index.js`));

const MS = options.flavor === 'ms';
const ENDPOINTS = endpoints(options.flavor);
const conf = defaults(MS);
const { provider, publicKey } = makeProvider(Provider, options, conf);
const callback = provider.callback();
const log = [];

// ---- requests -------------------------------------------------------------

// Microsoft serves every tenant alike: /TENANT/oauth2/v2.0/token and so on.
function foldTenant(req) {
    const match = /^\/([^/]+)(\/(?:oauth2|discovery|v2\.0)\/.*)$/
        .exec(req.url);
    if (!match) return;
    req.tenant = match[1];
    req.url = match[2].startsWith('/v2.0/.well-known/')
        ? ENDPOINTS.discovery : `/common${match[2]}`;
    // Microsoft gives refresh tokens without a forced consent page,
    // oidc-provider does not.
    if (req.url.startsWith(`${ENDPOINTS.authorization}?`)
        && /[?&]scope=[^&]*offline_access/.test(req.url)
        && !/[?&]prompt=/.test(req.url))
        req.url += '&prompt=consent';
}

const parseForm = (text) => Object.fromEntries(new URLSearchParams(text));

async function readForm(req, entry) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    // As text, so that parameters sent twice reach oidc-provider as such.
    req.body = Buffer.concat(chunks).toString();
    entry.form = parseForm(req.body);
    entry.authorization = req.headers.authorization;
}

// What the log says about a request; its answer is added later.
async function describe(req) {
    const entry = { time: Date.now() / 1000, method: req.method,
        path: req.url.split('?')[0] };
    if (MS) foldTenant(req);
    const [path, query] = req.url.split('?');
    entry.endpoint = Object.keys(ENDPOINTS)
        .find((name) => ENDPOINTS[name] === path) ?? 'other';
    entry.form = parseForm(query ?? '');
    if (req.method === 'POST') await readForm(req, entry);
    return entry;
}

async function handle(req, res) {
    const entry = await describe(req);
    req.entry = entry;
    log.push(entry);
    const page = /^\/interaction\/([^/?]+)(?:\/(\w+))?$/.exec(req.url);
    if (page) {
        await interact(provider, options.users, req, res, page[1], page[2],
            entry.form);
        return;
    }
    const fault = takeFault(entry);
    entry.fault = Boolean(fault);
    if (fault?.after) disturbAnswer(fault, res);
    else if (fault && !await disturb(fault, res, { end: res.end.bind(res) }))
        return;
    await callback(req, res);
}

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

async function configure(change) {
    for (const name of Object.keys(change))
        if (!(name in conf)) throw new Error(`no setting ${name}`);
    return Object.assign(conf, change);
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

const tokens = new Tokens(provider, conf);
const commands = {
    config: configure,
    fault: orderFault,
    release: releaseFaults,
    log: ({ clear }) => (clear ? log.splice(0) : log),
    mint: (args) => tokens.mint(args),
    revoke: (args) => tokens.revoke(args),
    expire: (args) => tokens.expire(args),
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

// As Dovecot's local_validation_key_dict reads it: AZP/ALG/KID.
mkdirSync(`${options.keys}/default/RS256`, { recursive: true });
writeFileSync(`${options.keys}/default/RS256/${KID}`, publicKey);

for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(`${JSON.stringify(await obey(line))}\n`);
process.exit(0);
