// Parts that several views show.

import { h } from './dom.js';
import { t } from './words.js';

const OUTCOMES = {
  answered: 'answered', refused: 'refused', escalated: 'escalated', human_review: 'human review',
};

const MODES = {
  quote: 'quoted word for word',
  generate: 'written from the sources',
  upstream: 'written by the upstream',
};

export const badge = (outcome) =>
  h(`span.badge.${outcome}`, null, t(OUTCOMES[outcome] ?? outcome));

export const modeWords = (mode) => (MODES[mode] ? t(MODES[mode]) : '');

/** A bar that is as long as the confidence. */
export function confidence(value) {
  const percent = Math.round(value * 100);
  const bar = h('i');
  bar.style.width = `${percent}%`;
  return h('span.confidence', { title: `${t('Confidence')}: ${percent} %` },
    h('span.bar', { 'aria-hidden': 'true' }, bar), `${t('Confidence')} ${percent} %`);
}

/** How a document's text marks the items of a list. */
const ITEM = /^\s*- /;

/** An answer's text; `[1]` becomes a button that opens the first citation. */
export function answerText(text, citations, open) {
  const lines = text.split(/\n+/).filter((line) => line.trim() !== '');
  // A word and the number after it stay on one line.
  const cited = (line) => line.split(/(\S*\s*\[\d+\])/).map((piece) => {
    const [, word, number] = /^(\S*\s*)\[(\d+)\]$/.exec(piece) ?? [];
    const citation = citations[number - 1];
    return citation ? h('span.hold', null, word, citationButton(number, citation, open)) : piece;
  });
  const blocks = [];
  for (const line of lines) {
    if (!ITEM.test(line)) {
      blocks.push(h('p', null, cited(line)));
    } else {
      if (blocks.at(-1)?.tagName !== 'UL') blocks.push(h('ul.items'));
      blocks.at(-1).append(h('li', null, cited(line.replace(ITEM, ''))));
    }
  }
  return blocks;
}

/** A quote without the marks of its list. */
const unmarked = (quote) => quote.split('\n').map((line) => line.replace(ITEM, '')).join(' ');

function citationButton(number, citation, open) {
  const label = `${t('Source')} ${number}: ${citation.title} ${citation.place}`;
  return h('button.cite', {
    type: 'button', 'aria-label': label, title: label, 'data-number': number,
    onclick: () => open(number),
  }, String(number));
}

/** The list of citations under an answer. */
export function citationList(citations, open) {
  return h('ol.citations', null, citations.map((citation, at) => h('li', null,
    h('button.citation', { type: 'button', 'data-number': at + 1, onclick: () => open(at + 1) },
      h('span.number', { 'aria-hidden': 'true' }, String(at + 1)),
      h('span.where', null, h('b', null, citation.title),
        citation.place && h('span.article', null, citation.place),
        citation.label && h('span.label', null, citation.label)),
      h('q', null, unmarked(citation.quote))))));
}

export const shortDigest = (digest) => (digest ?? '').replace('sha256:', '').slice(0, 12);

export function time(text) {
  const date = new Date(text);
  return h('time', { datetime: text }, date.toLocaleString(undefined, {
    dateStyle: 'medium', timeStyle: 'short',
  }));
}

/** When a document is in force, in words. */
export function validity({ valid_from: from, valid_until: until }) {
  return [from && `${t('in force since')} ${from}`, until && `${t('in force until')} ${until}`]
    .filter(Boolean).join(', ');
}

/** A table that becomes a list of cards on a narrow screen. */
export function table(headings, rows) {
  const cells = (row) => row.map((cell, at) => h('td', { 'data-heading': headings[at] }, cell));
  return h('div.table', null, h('table', null,
    h('thead', null, h('tr', null, headings.map((heading) => h('th', { scope: 'col' }, heading)))),
    h('tbody', null, rows.map((row) => h('tr', null, cells(row))))));
}

/** Names and values, a line each. */
export const facts = (pairs) => h('dl.facts', null, pairs
  .filter(([, value]) => value !== undefined && value !== null && value !== '')
  .map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
