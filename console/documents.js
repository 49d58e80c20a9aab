// The documents: list and reading view.

import { get } from './api.js';
import { Bytes, h } from './dom.js';
import { shortDigest, table, validity } from './parts.js';
import { blocks } from './source.js';
import { t } from './words.js';

export async function documentsView(parameters) {
  const after = parameters.get('after');
  const { documents, next } = await get(`/api/documents${after ? `?after=${encodeURIComponent(after)}` : ''}`);
  if (documents.length === 0) return h('p.empty', null, t('There are no documents yet.'));
  const rows = documents.map((document) => [
    document.digest
      ? h('a', { href: `#/documents/${document.digest}` }, document.title)
      : h('span.problem', null, document.path),
    h('span.fine', null, document.digest ? document.path : document.reason),
    document.language ?? '',
    [span(document), document.label && h('span.label', null, document.label),
      document.state !== 'current' && h('span.label', null, document.state)],
  ]);
  return h('div', null, h('h1', null, t('Documents')),
    table([t('Title'), t('Source'), t('Language'), t('Valid')], rows),
    next && h('a.quiet', { href: `#/documents?after=${encodeURIComponent(next)}` }, t('More')));
}

const span = ({ valid_from: from, valid_until: until }) =>
  (from || until) && h('span.span', null, `${from ?? ''} – ${until ?? ''}`);

export async function documentView(digest) {
  const document = await get(`/api/documents/${digest}`);
  const bytes = new Bytes(document.text);
  return h('div.reading', null,
    h('p.eyebrow', null, h('a', { href: '#/documents' }, t('Documents')),
      document.label && h('span.label', null, document.label),
      !document.is_current && h('span.label', null, t('not the current version'))),
    h('h1', null, document.title),
    h('p.fine', null, [validity(document), document.language, document.path].filter(Boolean).join(' · '),
      ' · sha256 ', h('code', null, shortDigest(document.digest))),
    h('article.text', { lang: document.language }, blocks(document, bytes, {})));
}
