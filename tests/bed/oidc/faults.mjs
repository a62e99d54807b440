// SPDX-License-Identifier: ISC
//
// Faults to order: what can go wrong between a client and the real server.
//
// A fault: {endpoint, grant_type, times, after,      which requests, how often
//           delay_ms, hang, reset, status, headers, body, truncate, drip_ms}
// With `after` the real request is carried out first and only the answer is
// disturbed: what the server committed, the client does not learn.

let faults = [];
let waiting = [];

// The fault ordered for this request of the log, or null.
export function takeFault(entry) {
    const index = faults.findIndex((fault) => fault.endpoint === entry.endpoint
        && (!fault.grant_type || fault.grant_type === entry.form?.grant_type));
    if (index < 0) return null;
    const fault = faults[index];
    fault.times -= 1;
    if (fault.times <= 0) faults.splice(index, 1);
    return fault;
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function replaceHead(fault, res) {
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    res.statusCode = fault.status;
    res.setHeader('content-type', 'application/json');
    for (const [name, value] of Object.entries(fault.headers))
        res.setHeader(name, value);
}

async function sendBody(fault, res, end, body) {
    res.setHeader('content-length', body.length);
    if (fault.truncate !== null) {
        res.write(body.subarray(0, fault.truncate),
            () => res.socket.destroySoon());
        return;
    }
    if (!fault.drip_ms) {
        end(body);
        return;
    }
    for (const byte of body) {
        if (!res.writable) return;
        res.write(Buffer.of(byte));
        await sleep(fault.drip_ms);
    }
    end();
}

// Disturb the answer; `send` has `end`, and `body` if there is one already.
// Returns true when the request goes on as if nothing had been.
export async function disturb(fault, res, send) {
    if (fault.delay_ms) await sleep(fault.delay_ms);
    if (fault.hang) await new Promise((resolve) => { waiting.push(resolve); });
    if (fault.reset) {
        res.socket.resetAndDestroy();
        return false;
    }
    if (fault.status) replaceHead(fault, res);
    const body = fault.status ? fault.body : send.body;
    if (body === undefined) return true;
    await sendBody(fault, res, send.end, Buffer.from(body));
    return false;
}

// Let the real handler write its answer, and disturb that.
export function disturbAnswer(fault, res) {
    const end = res.end.bind(res);
    res.end = (body = '') => {
        res.end = end;
        disturb(fault, res, { body, end }).catch(console.error);
        return res;
    };
}

export function orderFault(fault) {
    faults.push(fault);
}

export function releaseFaults() {
    faults = [];
    for (const go of waiting.splice(0)) go();
}
