// Asking, and the answer.

import { NeedsKey, post } from './api.js';
import { feedback } from './feedback.js';
import { announce, byId, fill, h } from './dom.js';
import { answerText, badge, citationList, confidence, modeWords } from './parts.js';
import { closeSource, openSource } from './source.js';
import { verifyButton } from './verify.js';
import { t } from './words.js';

/** Replies of this tab by question: going back shows an answer again without asking anew. */
const replies = new Map();
/** What was asked in this tab. An address holds only the place here: the browser keeps addresses. */
const asked = [];
let shown = null;
let turn = 0;

export function forgetReplies() {
  replies.clear();
  asked.length = 0;
  shown = null;
  turn += 1;
}

const addressOf = (question) => `#/ask?n=${asked.push(question) - 1}`;

export function askView(parameters, status) {
  const given = parameters.get('q');
  const question = given ?? asked[parameters.get('n')] ?? '';
  if (given) history.replaceState(null, '', addressOf(given));
  const box = h('textarea', {
    rows: 1, placeholder: t('Your question'), 'aria-label': t('Your question'),
    enterkeyhint: 'go', maxlength: 20000, oninput: grow, onkeydown: submitOnEnter,
  });
  box.id = 'question';
  box.value = question;
  const output = h('section.reply', { 'aria-busy': 'false' });
  const form = h('form.ask', { onsubmit: submit },
    h('div.box', null, box, h('button.primary', { type: 'submit' }, t('Ask'))));
  const opening = question === '' && h('div.opening', null,
    h('h1', null, t('Ask your documents')),
    h('p', null, t('Every sentence of an answer names the passage that supports it. If there is none, you are told so.')));
  const view = h('div.asking', null, opening, form, question === '' && examples(status.examples), output);
  shown = null;
  turn += 1;
  if (question !== '') show(question, Number(parameters.get('source')), output);
  requestAnimationFrame(() => { grow.call(box); if (question === '') box.focus(); });
  return view;

  function submit(event) {
    event.preventDefault();
    const question = box.value.trim();
    if (question === '') return;
    replies.delete(question);
    location.hash = addressOf(question);
  }
}

function grow() {
  this.style.height = 'auto';
  this.style.height = `${this.scrollHeight + 2}px`;
}

function submitOnEnter(event) {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
}

const examples = (questions) => questions.length > 0 && h('div.examples', null,
  h('h2', null, t('Try one of these')),
  h('ul', null, questions.map((question) => h('li', null,
    h('a', { href: `#/ask?q=${encodeURIComponent(question)}` }, question)))));

async function show(question, source, output) {
  const own = ++turn;
  closeSource();
  output.setAttribute('aria-busy', 'true');
  fill(output, h('p.wait', null, t('Looking …')));
  announce(t('Looking …'));
  try {
    const reply = replies.get(question) ?? await post('/api/ask', { question });
    replies.set(question, reply);
    if (own !== turn) return;
    shown = reply;
    fill(output, replyView(reply));
    announce(`${reply.outcome}: ${reply.answer}`);
    if (source > 0) openCitation(source);
  } catch (error) {
    if (error instanceof NeedsKey) throw error;
    if (own === turn) fill(output, h('p.problem', { role: 'alert' }, error.message));
  } finally {
    output.setAttribute('aria-busy', 'false');
  }
}

/** Opens a citation of the answer that is shown; for the number keys too. */
export function openCitation(number) {
  const citation = shown?.citations[number - 1];
  if (citation) openSource(citation, number);
  return Boolean(citation);
}

function replyView(reply) {
  const hasCitations = reply.citations.length > 0;
  return [
    h('div.state', null, badge(reply.outcome), hasCitations && h('span.mode', null, modeWords(reply.mode)),
      confidence(reply.confidence)),
    h('div.answer', { lang: reply.language }, answerText(reply.answer, reply.citations, openCitation)),
    hasCitations && h('h2', null, t('Sources')),
    hasCitations && citationList(reply.citations, openCitation),
    reply.beside?.length > 0 && beside(reply.beside),
    reply.rules.length > 0 && rules(reply.rules),
    receiptCard(reply),
  ];
}

const WHY = { referred: 'The source refers to it', defines: 'Defines a word of the source' };

/** What is needed to read the first source: what it refers to, and what its words mean. */
const beside = (passages) => h('details.beside', { open: true }, h('summary', null, t('See also')),
  h('ul.citations', null, passages.map((one) => h('li', null,
    h('button.citation', { type: 'button', onclick: () => openSource(one, '') },
      h('span.number', { 'aria-hidden': 'true' }, '→'),
      h('span.where', null, h('b', null, one.place || one.title),
        h('span.article', null, t(WHY[one.why] ?? one.why))),
      h('q', null, one.quote))))));

const rules = (fired) => h('details.rules', null, h('summary', null, t('Why')),
  h('ul', null, fired.map((rule) => h('li', null, h('code', null, rule.id), ' ', rule.because))));

function receiptCard(reply) {
  const { index, leaf } = reply.receipt;
  const { button, result } = verifyButton(index, leaf);
  return h('section.receipt', null,
    h('div.receipt-line', null,
      h('div', null, h('b', null, `${t('Receipt')} ${index}`), h('code', { title: leaf }, leaf.slice(0, 16))),
      h('div.actions', null,
        reply.review && h('a.quiet', { href: `#/reviews/${reply.review}` }, t('Reviews')),
        h('a.quiet', { href: `#/receipts/${index}` }, t('Details')), button)),
    result, feedback(index));
}
