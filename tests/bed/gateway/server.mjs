// SPDX-License-Identifier: ISC
// The gateway's end of the connector WebSocket, and nothing behind it: agents
// answer at once, when told to, or never.  What happens is written to a file,
// line by line, so that it is known after a kill; orders come on standard
// input, each answered by a line.
//
// usage: node server.mjs '{"modules", "port", "token", "log", "cert", "key"}'
import {appendFileSync, readFileSync} from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import {createRequire} from 'node:module'
import readline from 'node:readline'

const options = JSON.parse(process.argv[2])
const require = createRequire(options.modules + '/')
const {WebSocketServer} = require('ws')

const faults = []           // kinds, each for one message
const held = []             // answers of agents that work for as long as told
let hold = false
let server = null

function record(event, more = {}) {
	appendFileSync(options.log, JSON.stringify({event, ...more}) + '\n')
}

function send(socket, frame) {
	socket.send(JSON.stringify(frame))
}

function work(socket, frame) {
	const about = {agent_name: frame.agent_name, session_id: 's1',
		channel: frame.channel}
	const fault = faults.shift()

	record('message', {frame, fault})
	if (fault === 'drop')
		return socket.terminate()
	if (fault === 'close')
		return socket.close(1011)
	if (fault === 'error')
		return send(socket, {type: 'error',
			message: 'dispatch failed: :no_such_agent'})
	if (fault === 'silent')
		return
	// what else a connector hears, and must not take for an answer
	send(socket, {type: 'heartbeat_notification', agent_name: 'other'})
	send(socket, {type: 'agent_result', agent_name: frame.agent_name,
		session_id: 's0', channel: {platform: 'slack'}})
	send(socket, {type: 'agent_typing', ...about, is_typing: true})
	record('accepted', {frame})
	if (fault === 'drop_working')
		return setImmediate(() => socket.terminate())
	if (fault === 'never')
		return
	const answer = () => {
		send(socket, {type: 'agent_text', ...about,
			text: 'x'.repeat(fault === 'verbose' ? 20e6 : 9)})
		send(socket, fault === 'failing'
			? {type: 'agent_error', ...about, message: 'out of budget'}
			: {type: 'agent_result', ...about, result: 'done'})
		record('answered', {frame})
	}
	if (hold)
		held.push(answer)
	else
		answer()
}

function serve(socket, request) {
	let registered = false

	record('connected', {path: request.url})
	socket.on('error', () => {})
	socket.on('message', (data, binary) => {
		const frame = JSON.parse(data)
		if (binary)
			return socket.close(1003)
		if (frame.type === 'register') {
			registered = frame.token === options.token
			record('register', {registered, id: frame.connector_id,
				platform: frame.platform})
			send(socket, registered
				? {type: 'registered', connector_id: frame.connector_id}
				: {type: 'error', message: 'authentication failed'})
		} else if (!registered) {
			send(socket, {type: 'error', message: 'not registered'})
		} else if (frame.type === 'message') {
			work(socket, frame)
		} else {
			record(frame.type, {frame})
		}
	})
}

function listen(done) {
	const tls = options.cert && {cert: readFileSync(options.cert),
		key: readFileSync(options.key)}
	server = tls ? https.createServer(tls) : http.createServer()
	new WebSocketServer({server, path: '/connectors/ws',
		perMessageDeflate: false}).on('connection', serve)
	server.listen(options.port, '127.0.0.1', done)
}

const orders = {
	fault: ({kind, times}) => { faults.push(...Array(times).fill(kind)) },
	hold: ({on}) => { hold = on },
	release: () => { held.splice(0).forEach(answer => answer()) },
}

listen(() => console.log('{}'))
readline.createInterface({input: process.stdin}).on('line', line => {
	const order = JSON.parse(line)
	orders[order.op](order)
	console.log('{}')
}).on('close', () => process.exit())
