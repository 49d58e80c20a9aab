// The source panel: a document's text with the cited passage marked, and where it stands.

import { get } from './api.js';
import { Bytes, announce, byId, fill, h } from './dom.js';
import { shortDigest, validity } from './parts.js';
import { t } from './words.js';

const kept = new Map();
let opener = null;

async function load(digest) {
  if (!kept.has(digest)) kept.set(digest, await get(`/api/documents/${digest}`));
  return kept.get(digest);
}

/** Forgets what was read, as when another key is given. */
export const forget = () => kept.clear();

export const isOpen = () => !byId('source').hidden;

/** Opens the panel at a citation. */
export async function openSource(citation, number) {
  if (!isOpen()) opener = document.activeElement;
  const panel = byId('source');
  panel.hidden = false;
  byId('frame').classList.add('with-source');
  markActive(number);
  fill(panel, h('p.wait', null, t('Looking …')));
  try {
    const document = await load(citation.digest);
    fill(panel, head(document, citation, number), body(document, citation));
    panel.focus({ preventScroll: true });
    toMark('auto');
    announce(`${t('Source')} ${number}: ${document.title} ${citation.place}`);
  } catch (error) {
    fill(panel, closeButton(), h('p.problem', null, error.message));
  }
}

export function closeSource() {
  if (!isOpen()) return;
  byId('source').hidden = true;
  byId('frame').classList.remove('with-source');
  markActive(null);
  opener?.focus?.();
}

/** Brings the cited words into the middle of the panel; the page itself stays where it is. */
function toMark(behavior) {
  const text = byId('source').querySelector('.text');
  const mark = text.querySelector('mark');
  if (!mark) return;
  const offset = mark.getBoundingClientRect().top - text.getBoundingClientRect().top;
  text.scrollBy({ top: offset - text.clientHeight / 3, behavior });
}

function markActive(number) {
  for (const element of document.querySelectorAll('[data-number]')) {
    element.toggleAttribute('data-active', element.dataset.number === String(number));
  }
}

const closeButton = () => h('button.close', {
  type: 'button', 'aria-label': t('Close'), title: `${t('Close')} (Esc)`, onclick: closeSource,
}, '×');

function head(document, citation, number) {
  return h('header.source-head', null, closeButton(),
    h('p.eyebrow', null, number ? `${t('Source')} ${number}` : t('Source'),
      document.label && h('span.label', null, document.label),
      !document.is_current && h('span.label', null, t('not the current version')),
      document.attempts?.length > 0 && h('span.label', { title: t('It has no effect.') },
        t('holds text for an AI'))),
    h('h2', null, document.title),
    citation.place && h('p.article', null, citation.place),
    h('p.fine', null, [pageWords(pageAt(document, citation.start)), validity(document), document.language, document.path].filter(Boolean).join(' · ')),
    h('p.fine', null, 'sha256 ', h('code', null, shortDigest(document.digest)), ` · bytes ${citation.start}–${citation.end}`));
}

function body(document, citation) {
  const bytes = new Bytes(document.text);
  const text = h('article.text', { lang: document.language });
  fill(text, blocks(document, bytes, citation));
  return h('div.source-body', null, text, map(document, bytes, citation));
}

/** The document as elements, the cited words marked, their passage tinted. */
export function blocks(document, bytes, { start = 0, end = 0, passage = [start, end] }) {
  let before = null;
  return document.blocks.map((block) => {
    const [from, to] = [block.range.start, block.range.end];
    const element = blockElement(block);
    const page = pageAt(document, from);
    if (page && page !== before) element.dataset.page = pageWords(page);
    before = page;
    if (from < passage[1] && passage[0] < to) element.classList.add('passage');
    if (document.attempts?.some(({ range }) => from < range.end && range.start < to)) {
      element.classList.add('attempt');
      element.title = `${t('holds text for an AI')}. ${t('It has no effect.')}`;
    }
    const [first, last] = [Math.max(from, start), Math.min(to, end)];
    if (first < last) {
      fill(element, bytes.text(from, first), h('mark', null, bytes.text(first, last)),
        bytes.text(last, to));
    } else {
      element.textContent = bytes.text(from, to);
    }
    return element;
  });
}

/** The page on which a byte of the text stands; `null` where the file has no pages. */
function pageAt(document, byte) {
  const marks = document.pages?.marks ?? [];
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle].end <= byte) low = middle + 1; else high = middle;
  }
  return marks[low]?.page ?? null;
}

const pageWords = (page) => page && `${t('Page')} ${page}`;

function blockElement({ kind, level }) {
  switch (kind) {
    case 'title': return h('h3.title');
    case 'heading': return h(level <= 2 ? 'h3' : level === 3 ? 'h4' : 'h5');
    case 'article': return h('h4.article');
    case 'list_item': return h('p.item');
    case 'table_row': return h('p.row');
    case 'quote': return h('blockquote');
    case 'code': return h('pre');
    default: return h('p');
  }
}

/** Where the cited words stand in the document, and where its headings are. */
function map(document, bytes, { start, end }) {
  const length = Math.max(bytes.length, 1);
  const at = (element, from, to) => {
    element.style.top = `${(from / length) * 100}%`;
    if (to) element.style.height = `${Math.max(((to - from) / length) * 100, 0.8)}%`;
    return element;
  };
  const ticks = document.blocks
    .filter(({ kind }) => kind === 'heading' || kind === 'article' || kind === 'title')
    .map(({ range }) => at(h('i'), range.start));
  const percent = Math.round((start / length) * 100);
  const label = `${percent} %`;
  return h('button.map', {
    type: 'button', title: label, 'aria-label': `${t('Source')}: ${label}`,
    onclick: () => toMark('smooth'),
  }, ticks, at(h('b'), start, end));
}
