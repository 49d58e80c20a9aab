// The receipts: list and detail.

import { get } from './api.js';
import { exportButton, searchForm } from './audit.js';
import { h } from './dom.js';
import { answerText, badge, confidence, facts, shortDigest, table, time } from './parts.js';
import { feedback } from './feedback.js';
import { openSource } from './source.js';
import { verifyButton } from './verify.js';
import { t } from './words.js';

export async function receiptsView(parameters, status) {
  const { receipts, before: next } = await get(`/api/receipts?${parameters}`);
  const isAuditor = status.caller.may.includes('audit');
  const more = new URLSearchParams(parameters);
  more.set('before', next);
  const rows = receipts.map((receipt) => [
    h('a', { href: `#/receipts/${receipt.index}` }, `№ ${receipt.index}`),
    time(receipt.time),
    h('a.question', { href: `#/receipts/${receipt.index}` }, receipt.question ?? receipt.kind),
    badge(receipt.outcome),
  ]);
  return h('div', null, h('h1', null, t('Receipts')),
    isAuditor && wholeLog(parameters),
    h('details', { open: parameters.size > 0 }, h('summary', null, t('Search')), searchForm(parameters)),
    rows.length > 0 ? table([t('Receipt'), t('Time'), t('Question'), t('Outcome')], rows)
      : h('p.empty', null, t(parameters.size > 0 ? 'Nothing was found.' : 'There are no receipts yet.')),
    next !== null && h('a.quiet', { href: `#/receipts?${more}` }, t('More')));
}

/** Lets an auditor or operator check every byte of the log. */
function wholeLog(parameters) {
  const result = h('span.fine', { role: 'status' });
  const button = h('button.quiet', { type: 'button', onclick: run }, t('Verify the whole log'));
  async function run() {
    result.textContent = t('Checking …');
    const log = await get('/api/ledger/verify').catch((error) => ({ fault: error.message }));
    result.textContent = log.verified
      ? `✓ ${t('The log proves it')}: ${log.size}, ${log.root.slice(0, 16)}`
      : `✗ ${log.fault}`;
  }
  return h('p.whole-log', null, button, ' ', exportButton(parameters), result);
}

export async function receiptView(index, status, parameters) {
  const { receipt, entry, question, answer } = await get(`/api/receipts/${index}`);
  const { button, result } = verifyButton(Number(index));
  const cited = receipt.citations.map((place) => ({ ...place, title: place.path, place: '' }));
  const open = (number) => openSource(cited[number - 1], number);
  if (parameters.has('verify')) button.click();
  return h('div.detail', null,
    h('p.eyebrow', null, h('a', { href: '#/receipts' }, t('Receipts'))),
    h('h1', null, `${t('Receipt')} ${index}`),
    h('div.state', null, badge(receipt.outcome),
      receipt.request.kind === 'ask' && confidence(receipt.confidence), time(receipt.time)),
    question && h('blockquote.question', null, question),
    answer && h('div.answer', null, answerText(answer, cited, open)),
    h('section.receipt', null,
      h('div.receipt-line', null, h('b', null, t('Verify')), h('div.actions', null, button)), result,
      answer && status.caller.may.includes('ask') && feedback(index)),
    facts([
      ['Request', `${receipt.request.kind} · ${receipt.request.tenant} · ${receipt.request.subject}`],
      ['Mode', receipt.mode],
      ['Model', receipt.model && `${receipt.model.name} ${shortDigest(receipt.model.digest)}`],
      ['Policy', `${receipt.policy.name} ${shortDigest(receipt.policy.digest)}`],
      ['Numerics', receipt.numerics],
      ['Tokens', `${receipt.tokens.prompt} + ${receipt.tokens.completion}`],
      ['Milliseconds', `${receipt.timings_ms.total}`],
      [t('Reasons'), receipt.rules.map((rule) => h('div', null, h('code', null, rule.id), ' ', rule.because))],
      ['Evidence', receipt.evidence.map((place) => h('div', null,
        h('a', { href: `#/documents/${place.digest}` }, place.path), ` ${place.start}–${place.end}`))],
    ]),
    h('details', null, h('summary', null, 'JSON (RFC 8785)'), h('pre', null, entry)));
}
