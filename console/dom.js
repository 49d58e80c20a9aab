// Elements from data. Text goes in as text, never as markup: documents may hold anything.

/** Makes an element: `h('a.wide', { href, onclick }, 'text', child, …)`. */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

export const byId = (id) => document.getElementById(id);

/** Says something to those who listen to the page instead of looking at it. */
export function announce(text) {
  byId('live').textContent = text;
}

/** The byte ranges of citations, as texts. */
export class Bytes {
  constructor(text) {
    this.bytes = new TextEncoder().encode(text);
    this.decoder = new TextDecoder();
  }
  get length() { return this.bytes.length; }
  text(start, end) { return this.decoder.decode(this.bytes.subarray(start, end)); }
}
