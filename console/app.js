// The console's frame: address, keys of the keyboard, theme, language, the caller's key.

import { NeedsKey, dropKey, get, hasKey, load, setKey } from './api.js';
import { historyView, policyView } from './audit.js';
import { askView, forgetReplies, openCitation } from './ask.js';
import { byId, fill, h } from './dom.js';
import { documentView, documentsView } from './documents.js';
import { receiptView, receiptsView } from './receipts.js';
import { reviewView, reviewsView } from './reviews.js';
import { closeSource, forget, isOpen } from './source.js';
import { LANGUAGES, currentLanguage, setLanguage, t } from './words.js';

const VIEWS = {
  ask: [askView, askView],
  documents: [documentsView, documentView],
  receipts: [receiptsView, receiptView],
  reviews: [reviewsView, reviewView],
  history: [historyView, policyView],
};
/** What each view needs of `status.caller.may`. */
const NEEDS = { ask: 'ask', documents: 'documents', receipts: 'records', reviews: 'reviews', history: 'audit' };
const NAMES = { ask: 'Ask', documents: 'Documents', receipts: 'Receipts', reviews: 'Reviews', history: 'History' };

let status = null;
let turn = 0;

/** Shows what the address names. */
async function route() {
  if (location.hash === '#main') return byId('main').focus();
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  const thing = rest.map(decodeURIComponent).join('/');
  const own = ++turn;
  closeSource();
  try {
    status ??= await get('/api/status');
    const view = VIEWS[name] ? name : views()[0] ?? 'ask';
    showNavigation(view);
    const [list, one] = VIEWS[view];
    const parameters = new URLSearchParams(query);
    const shown = thing ? await one(thing, status, parameters) : await list(parameters, status);
    if (own !== turn) return;
    fill(byId('main'), shown);
    showFoot();
    document.title = `${t(NAMES[view])} · Allod`;
    scrollTo(0, 0);
  } catch (error) {
    if (own === turn) showProblem(error);
  }
}

function showProblem(error) {
  if (error instanceof NeedsKey) return showSignedOut(error.message);
  fill(byId('main'), h('p.problem', { role: 'alert' }, error.message));
}

/** Nothing of who was here stays: neither on the page nor kept for a way back. */
function showSignedOut(message) {
  status = null;
  forget();
  forgetReplies();
  fill(byId('nav'));
  fill(byId('foot'));
  document.title = 'Allod';
  fill(byId('main'), keyForm(message));
}

function showNavigation(current) {
  fill(byId('nav'), views().map((view) => h('a', {
    href: `#/${view}`, 'aria-current': view === current ? 'page' : null,
  }, t(NAMES[view]))));
}

/** The views that the caller may see. */
const views = () => Object.keys(VIEWS).filter((view) => status.caller.may.includes(NEEDS[view]));

function showFoot() {
  const { model, policy, documents, address, caller } = status;
  fill(byId('foot'),
    h('span', null, `${documents} ${t('Documents')}`),
    h('span', null, model ?? t('quoted word for word')),
    h('span', { title: policy.digest }, `Policy ${policy.name}`),
    h('span', null, `${address} · ${caller.tenant} · ${caller.role}`,
      caller.labels.length > 0 && ` · ${caller.labels.join(', ')}`),
    (hasKey() || caller.signed_in) && h('button.plain', { type: 'button', onclick: () => useKey(null) }, t('Sign out')));
}

function keyForm(message) {
  const field = h('input', {
    type: 'password', autocomplete: 'off', required: true, placeholder: 'allod_…', 'aria-label': t('API key'),
  });
  const submit = (event) => { event.preventDefault(); useKey(field.value.trim()); };
  const elsewhere = h('p', null);
  get('/sign-in/offer').then(({ offered }) => offered && fill(elsewhere,
    h('a.primary', { href: '/sign-in' }, t('Sign in at your organisation'))), () => null);
  queueMicrotask(() => field.focus());
  return h('form.key', { onsubmit: submit },
    elsewhere,
    h('h1', null, t('API key')),
    h('p', null, t('This server wants an API key.'), ' ', t('It is kept in this tab only.')),
    h('div.box', null, field, h('button.primary', { type: 'submit' }, t('Sign in'))),
    hasKey() && h('p.problem', { role: 'alert' }, message));
}

async function useKey(key) {
  if (!key && !hasKey()) {
    const ended = await load('/sign-out', { method: 'POST' });
    // Signed out here; the issuer wants to see the browser itself.
    if (ended.status === 200) return location.assign((await ended.json()).end_session_url);
  }
  if (key) setKey(key); else dropKey();
  status = null;
  forget();
  forgetReplies();
  route();
}

function onKey(event) {
  const typing = event.target.closest?.('input, textarea, select');
  if (event.key === 'Escape' && isOpen()) return closeSource();
  if (event.key === 'Escape' && typing) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '/') {
    event.preventDefault();
    if (byId('question')) byId('question').select(); else location.hash = '#/ask';
  } else if (/^[1-9]$/.test(event.key) && openCitation(Number(event.key))) {
    event.preventDefault();
  }
}

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

function theme() {
  return localStorage.getItem('allod.theme') ?? (systemIsDark.matches ? 'dark' : 'light');
}

function showTheme() {
  document.documentElement.dataset.theme = theme();
  const other = theme() === 'dark' ? 'Light' : 'Dark';
  const button = byId('theme');
  button.textContent = theme() === 'dark' ? '☀' : '☾';
  button.title = t(other);
  button.setAttribute('aria-label', t(other));
}

function switchTheme() {
  localStorage.setItem('allod.theme', theme() === 'dark' ? 'light' : 'dark');
  showTheme();
}

function showLanguage() {
  document.documentElement.lang = currentLanguage();
  document.querySelector('.skip').textContent = t('Skip to content');
  fill(byId('language'), LANGUAGES.map((code) =>
    h('option', { value: code, selected: code === currentLanguage() }, code)));
  showTheme();
}

byId('theme').addEventListener('click', switchTheme);
systemIsDark.addEventListener('change', showTheme);
byId('language').addEventListener('change', (event) => {
  setLanguage(event.target.value);
  showLanguage();
  route();
});
addEventListener('hashchange', route);
addEventListener('keydown', onKey);
addEventListener('unhandledrejection', (event) => showProblem(event.reason));
showLanguage();
route();
