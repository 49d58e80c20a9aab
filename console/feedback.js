// What people say of an answer: good or bad, why, and how it should have been.

import { post } from './api.js';
import { h } from './dom.js';
import { t } from './words.js';

/** Two buttons for the answer whose receipt is at `index`, and a form for a bad one. */
export function feedback(index) {
  const note = h('span.fine', { role: 'status' });
  const [up, down] = ['Helpful', 'Not helpful'].map((name, at) => h('button.quiet', {
    type: 'button', 'aria-pressed': 'false', onclick: () => choose(at === 0),
  }, t(name)));
  const form = h('form.decision', { hidden: true, onsubmit: send },
    field('reason', 'What is wrong?', 2), field('correction', 'How should it have been?', 4),
    h('button.primary', { type: 'submit' }, t('Send')));
  return h('div.feedback', null, h('div.actions', null, up, down, note), form);

  function choose(good) {
    up.setAttribute('aria-pressed', String(good));
    down.setAttribute('aria-pressed', String(!good));
    form.hidden = good;
    if (good) say({ verdict: 'up' });
    else form.elements.reason.focus();
  }
  function send(event) {
    event.preventDefault();
    const { reason, correction } = form.elements;
    say({ verdict: 'down', reason: reason.value, correction: correction.value });
  }
  async function say(body) {
    try {
      const { receipt } = await post(`/api/receipts/${index}/feedback`, body);
      note.textContent = `${t('Thank you.')} ${t('Receipt')} ${receipt.index}`;
      form.hidden = true;
    } catch (error) {
      note.textContent = error.message;
    }
  }
}

const field = (name, label, rows) => h('label', null, t(label), h('textarea', { name, rows }));
