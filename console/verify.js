// Checks a receipt's proof in the browser: the log need not be believed, only its key.
// RFC 6962 (Merkle tree), C2SP tlog-proof, signed-note.

import { get } from './api.js';
import { fill, h, announce } from './dom.js';
import { facts } from './parts.js';
import { t } from './words.js';

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const sha256 = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer()));
const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** The root that an inclusion path leads to (RFC 9162, section 2.1.3.2). */
async function rootOf(index, size, leaf, path) {
  let [node, last, root] = [index, size - 1, leaf];
  for (const hash of path) {
    if (last === 0) throw new Error('the path is too long');
    if (node % 2 === 1 || node === last) {
      root = await nodeHash(hash, root);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      root = await nodeHash(root, hash);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new Error('the path is too short');
  return root;
}

function readProof(text) {
  const cut = text.indexOf('\n\n');
  const [kind, ...lines] = text.slice(0, cut).split('\n');
  if (kind !== 'c2sp.org/tlog-proof@v1') throw new Error('not a proof of a known form');
  if (lines[0].startsWith('extra ')) lines.shift();
  const note = text.slice(cut + 2);
  const end = note.lastIndexOf('\n\n');
  const signed = note.slice(0, end + 1);
  const [origin, size, root] = signed.split('\n');
  return {
    index: Number(lines[0].replace('index ', '')),
    path: lines.slice(1).map(fromBase64),
    signed, origin, size: Number(size), root: fromBase64(root),
    signatures: note.slice(end + 2).split('\n').filter((line) => line.startsWith('— ')),
  };
}

/** Whether the key signed the checkpoint; null if this browser cannot tell. */
async function isSigned({ signed, signatures }, vkey) {
  const cut = vkey.lastIndexOf('+', vkey.indexOf('+', vkey.indexOf('+') + 1));
  const [name, id, base64] = [vkey.split('+')[0], vkey.split('+')[1], vkey.slice(cut + 1)];
  let key;
  try {
    const raw = fromBase64(base64).slice(1);
    key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
  } catch { return null; }
  for (const line of signatures) {
    const [, signer, base64] = line.split(' ');
    const bytes = fromBase64(base64);
    if (signer !== name || hex(bytes.subarray(0, 4)) !== id) continue;
    const text = new TextEncoder().encode(signed);
    return crypto.subtle.verify('Ed25519', key, bytes.subarray(4), text);
  }
  return false;
}

/** Checks entry, path and signature; says for each whether it holds. */
async function check(answer, index) {
  const proof = readProof(answer.proof);
  const leaf = await leafHash(new TextEncoder().encode(answer.entry));
  const root = await rootOf(proof.index, proof.size, leaf, proof.path);
  return {
    isThis: proof.index === index,
    leads: hex(root) === hex(proof.root),
    signed: await isSigned(proof, answer.vkey),
  };
}

/** A button that checks the receipt at `index` and shows what was found under it. */
export function verifyButton(index, expectedLeaf) {
  const result = h('div.proof', { hidden: true });
  const button = h('button.quiet', { type: 'button', onclick: run }, t('Verify'));
  async function run() {
    result.hidden = false;
    fill(result, t('Checking …'));
    try {
      fill(result, await report(index, expectedLeaf));
    } catch (error) {
      fill(result, h('p.verdict.bad', null, error.message));
    }
    announce(result.firstChild.textContent);
  }
  return { button, result };
}

async function report(index, expectedLeaf) {
  const answer = await get(`/api/receipts/${index}/verify`);
  if (!answer.proof) return h('p.verdict.bad', null, `${t('The proof does not hold')}: ${answer.fault}`);
  const own = globalThis.crypto?.subtle ? await check(answer, index) : null;
  const same = !expectedLeaf || expectedLeaf === answer.leaf;
  const holds = answer.verified && same && (!own || (own.isThis && own.leads && own.signed !== false));
  const step = (text, good) => good !== null &&
    h(good ? 'li.good' : 'li.bad', null, text);
  return [
    h(holds ? 'p.verdict.good' : 'p.verdict.bad', null,
      holds ? `✓ ${t('The log proves it')}` : `✗ ${t('The proof does not hold')}`),
    h('ul.steps', null,
      step('The server checked entry, path and signature.', answer.verified),
      expectedLeaf ? step('The entry is the one that came with the answer.', same) : null,
      own && step('This browser hashed the entry and followed the path to the root.',
        own.isThis && own.leads),
      own && step('This browser checked the signature of the checkpoint.', own.signed)),
    facts([
      ['Index', `${index} of ${answer.size}`],
      ['Leaf', h('code', null, answer.leaf)],
      ['Root', h('code', null, answer.root)],
      ['Checkpoint', h('code', null, answer.origin)],
      ['Key', h('code', null, answer.vkey)],
    ]),
    h('details', null, h('summary', null, 'C2SP tlog-proof'), h('pre', null, answer.proof)),
  ];
}
