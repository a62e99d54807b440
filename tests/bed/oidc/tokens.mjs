// SPDX-License-Identifier: ISC
//
// Tokens without a login, and their end without a request.
import { RESOURCE, resourceServer } from './provider.mjs';

const KINDS = ['AccessToken', 'RefreshToken', 'AuthorizationCode',
    'DeviceCode'];

export class Tokens {
    constructor(provider, conf) {
        Object.assign(this, { provider, conf });
        this.grants = new Map();    // user -> what was issued
        this.access = new Map();
        for (const event of ['access_token', 'refresh_token',
            'authorization_code'])
            provider.on(`${event}.saved`, (token) => {
                remember(this.grants, token.accountId, token.grantId);
                if (event === 'access_token')
                    remember(this.access, token.accountId, token.jti);
            });
    }

    async mint({ sub, client_id, scope, ttl }) {
        const { provider, conf } = this;
        const client = await provider.Client.find(client_id);
        const grant = new provider.Grant({ accountId: sub,
            clientId: client_id });
        grant.addResourceScope(RESOURCE, scope);
        grant.addOIDCScope(scope);
        const grantId = await grant.save();
        const common = { accountId: sub, client, grantId, scope, claims: {},
            gty: 'authorization_code', expiresWithSession: false };
        const expiresIn = ttl ?? conf.at_ttl;
        const access = new provider.AccessToken({ ...common, expiresIn });
        access.resourceServer = new provider.ResourceServer(RESOURCE,
            resourceServer(conf));
        const refresh = new provider.RefreshToken({ ...common,
            resource: RESOURCE, rotations: 0 });
        return { access_token: await access.save(),
            refresh_token: await refresh.save(),
            expires_in: expiresIn, scope };
    }

    // End all grants of a user.
    async revoke({ sub }) {
        const { provider, grants } = this;
        for (const grantId of grants.get(sub) ?? []) {
            for (const kind of KINDS)
                await provider[kind].revokeByGrantId(grantId);
            await (await provider.Grant.find(grantId))?.destroy();
        }
        grants.delete(sub);
    }

    // End a user's access tokens alone.
    async expire({ sub }) {
        const { provider, access } = this;
        for (const id of access.get(sub) ?? [])
            await (await provider.AccessToken.find(id))?.destroy();
        access.delete(sub);
    }
}

function remember(map, user, value) {
    if (!map.has(user)) map.set(user, new Set());
    map.get(user).add(value);
}
