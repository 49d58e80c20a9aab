// The review queue: list, detail, decision.

import { get, post } from './api.js';
import { fill, h } from './dom.js';
import { answerText, badge, citationList, facts, table, time } from './parts.js';
import { openSource } from './source.js';
import { t } from './words.js';

const STATES = [['open', 'Open'], ['resolved', 'Resolved'], ['', 'All']];

export async function reviewsView(parameters) {
  const state = parameters.get('state') ?? 'open';
  const { reviews } = await get(`/api/reviews${state ? `?state=${state}` : ''}`);
  const tabs = h('p.tabs', null, STATES.map(([value, name]) => h('a', {
    href: `#/reviews?state=${value}`, 'aria-current': value === state ? 'page' : null,
  }, t(name))));
  const rows = reviews.map((review) => [
    time(review.created_at),
    h('a.question', { href: `#/reviews/${review.id}` }, review.question ?? review.id),
    badge(review.kind),
    review.state === 'open' ? t('Open') : t('Resolved'),
  ]);
  return h('div', null, h('h1', null, t('Reviews')), tabs, reviews.length === 0
    ? h('p.empty', null, t('Nothing waits here.'))
    : table([t('Time'), t('Question'), t('Reasons'), t('Outcome')], rows));
}

export async function reviewView(id, status) {
  const review = await get(`/api/reviews/${id}`);
  const view = h('div.detail');
  show(view, review, status);
  return view;
}

function show(view, review, status) {
  const draft = review.draft;
  const citations = draft?.citations ?? [];
  const open = (number) => openSource(citations[number - 1], number);
  const mayDecide = status.caller.role !== 'user' && review.state === 'open';
  fill(view,
    h('p.eyebrow', null, h('a', { href: '#/reviews' }, t('Reviews'))),
    h('h1', null, review.question ?? review.id),
    h('div.state', null, badge(review.kind), time(review.created_at),
      review.receipt_index !== null && h('a', { href: `#/receipts/${review.receipt_index}` },
        `${t('Receipt')} ${review.receipt_index}`)),
    h('h2', null, t('Reasons')), h('ul', null, review.reasons.map((reason) => h('li', null, reason))),
    draft?.answer && [h('h2', null, t('Draft')),
      h('div.answer.draft', { lang: review.language }, answerText(draft.answer, citations, open)),
      citationList(citations, open)],
    review.resolution && outcome(review),
    mayDecide && decision(review, (resolved) => show(view, resolved, status)));
}

const outcome = ({ resolution, state, answer }) => [
  h('h2', null, t(state === 'open' ? 'Waits for a second person' : 'Resolved')),
  (answer ?? resolution.answer) && h('div.answer', null, answerText(answer ?? resolution.answer, [], () => {})),
  facts([['Verdict', resolution.verdict],
    ['By', [resolution.by, resolution.seconded_by].filter(Boolean).join(', ')],
    [t('Time'), time(resolution.at)], [t('Note'), resolution.note],
    [t('Receipt'), resolution.receipt_index
      && h('a', { href: `#/receipts/${resolution.receipt_index}` }, `№ ${resolution.receipt_index}`)]]),
];

function decision(review, done) {
  const problem = h('p.problem', { role: 'alert' });
  const answer = h('textarea', { name: 'answer', rows: 5 });
  answer.value = review.draft?.answer ?? '';
  const answerField = h('label', { hidden: true }, t('Answer'), answer);
  const choices = [['approve', 'Approve'], ['amend', 'Amend'], ['reject', 'Reject']]
    .filter(([verdict]) => verdict !== 'approve' || review.draft?.answer);
  const form = h('form.decision', { onsubmit: send, onchange: toggle },
    h('h2', null, t('Your decision')),
    h('div.choices', { role: 'radiogroup', 'aria-label': t('Your decision') },
      choices.map(([verdict, name]) => h('label.choice', null,
        h('input', { type: 'radio', name: 'verdict', value: verdict, required: true }), t(name)))),
    answerField,
    h('label', null, t('Note'), h('textarea', { name: 'note', rows: 2 })),
    problem, h('button.primary', { type: 'submit' }, t('Decide')));
  return form;

  function toggle() {
    answerField.hidden = form.elements.verdict.value !== 'amend';
    form.elements.note.required = form.elements.verdict.value === 'reject';
  }
  async function send(event) {
    event.preventDefault();
    const verdict = form.elements.verdict.value;
    const body = { verdict, note: form.elements.note.value };
    if (verdict === 'amend') body.answer = answer.value;
    try {
      done(await post(`/api/reviews/${review.id}/resolve`, body));
    } catch (error) {
      problem.textContent = error.message;
    }
  }
}
