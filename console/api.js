// The server's interface. A key is kept for this tab only, until it is closed.

const KEY = 'allod.key';

/** The server wants a key, or another one. */
export class NeedsKey extends Error {}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const setKey = (key) => sessionStorage.setItem(KEY, key);
export const dropKey = () => sessionStorage.removeItem(KEY);

export const get = (path) => request(path, {});

export const post = (path, body) => request(path, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function request(path, options) {
  const headers = { ...options.headers };
  if (hasKey()) headers.authorization = `Bearer ${sessionStorage.getItem(KEY)}`;
  const response = await fetch(path, { ...options, headers, cache: 'no-store' });
  const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
  const body = isJson ? await response.json() : await response.text();
  if (response.ok) return body;
  const message = body.error?.message ?? `HTTP ${response.status}`;
  if (response.status === 401) throw new NeedsKey(message);
  throw new Error(message);
}
