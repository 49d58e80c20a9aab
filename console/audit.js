// For auditors: a search over receipts, their export, and what was in force when.

import { get, load } from './api.js';
import { h } from './dom.js';
import { shortDigest, table, time } from './parts.js';
import { t } from './words.js';

const OUTCOMES = [['', 'All'], ['answered', 'answered'], ['refused', 'refused'],
  ['escalated', 'escalated'], ['human_review', 'human review']];

/** The fields of a search; what is sent becomes the address. */
export function searchForm(parameters) {
  const input = (name, label, type) => h('label', null, t(label),
    h('input', { name, type, value: parameters.get(name) ?? '' }));
  const outcomes = OUTCOMES.map(([value, name]) =>
    h('option', { value, selected: value === (parameters.get('outcome') ?? '') }, t(name)));
  const form = h('form.search', { onsubmit: search },
    input('from', 'From', 'date'), input('until', 'Until', 'date'),
    h('label', null, t('Outcome'), h('select', { name: 'outcome' }, outcomes)),
    input('model', 'Model', 'text'), input('policy', 'Policy', 'text'), input('id', 'Id', 'text'),
    h('button.quiet', { type: 'submit' }, t('Search')));
  return form;

  function search(event) {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value.trim() !== '');
    location.hash = `#/receipts?${new URLSearchParams(given)}`;
  }
}

/** A button that saves what the search finds, with proofs. */
export function exportButton(parameters) {
  const note = h('span.fine', { role: 'status' });
  const button = h('button.quiet', { type: 'button', onclick: save }, t('Export with proofs'));
  return [button, ' ', note];

  async function save() {
    const terms = new URLSearchParams(parameters);
    const parts = [];
    try {
      for (let before = terms.get('before'); ;) {
        if (before) terms.set('before', before);
        const response = await load(`/api/receipts/export?${terms}`);
        parts.push(await response.text());
        before = response.headers.get('x-allod-before');
        if (!before) break;
        note.textContent = t('Looking …');
      }
      const link = h('a', { href: URL.createObjectURL(new Blob(parts)), download: 'receipts.jsonl' });
      link.click();
      URL.revokeObjectURL(link.href);
      note.textContent = `${parts.join('').split('\n').length - 1} ${t('Receipts')}`;
    } catch (error) {
      note.textContent = error.message;
    }
  }
}

export async function historyView(parameters) {
  const before = parameters.get('before');
  const { policies, models, before: next } = await get(`/api/history${before ? `?before=${before}` : ''}`);
  const row = (what, field, digest) => [
    h('span', null, h('b', null, what.name), ' ', digest),
    h('span', null, time(what.first.time), ' – ', time(what.last.time)),
    h('a', { href: `#/receipts?${new URLSearchParams({ [field]: what.digest ?? what.name })}` },
      `${what.receipts}`),
  ];
  const list = (heading, rows) => rows.length > 0 && [h('h2', null, t(heading)),
    table([t(heading), t('In use'), t('Receipts')], rows)];
  return h('div', null, h('h1', null, t('History')),
    list('Policy', policies.map((policy) => row(policy, 'policy',
      h('a', { href: `#/history/${policy.digest}` }, h('code', null, shortDigest(policy.digest)))))),
    list('Model', models.map((model) => row(model, 'model', h('code', null, shortDigest(model.digest))))),
    policies.length === 0 && h('p.empty', null, t('There are no receipts yet.')),
    next !== null && h('a.quiet', { href: `#/history?before=${next}` }, t('More')));
}

export async function policyView(digest) {
  const { text } = await get(`/api/policies/${digest}`);
  return h('div.detail', null,
    h('p.eyebrow', null, h('a', { href: '#/history' }, t('History'))),
    h('h1', null, `${t('Policy')} ${shortDigest(digest)}`),
    h('p', null, h('code', null, digest)), h('pre', null, text));
}
