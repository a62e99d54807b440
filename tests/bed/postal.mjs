// SPDX-License-Identifier: ISC
// What npm's postal-mime makes of messages: standard input is a JSON array of
// them in base64, standard output one of what it read.
import {readFileSync} from 'node:fs'
import {createRequire} from 'node:module'

const {default: PostalMime} =
  createRequire(process.argv[2] + '/')('postal-mime')

function read(base64) {
  return PostalMime.parse(Buffer.from(base64, 'base64'), {
    attachmentEncoding: 'base64', forceRfc822Attachments: true})
}

const messages = JSON.parse(readFileSync(0))
console.log(JSON.stringify(await Promise.all(messages.map(read))))
