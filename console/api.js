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
  const response = await load(path, options);
  const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
  return isJson ? response.json() : response.text();
}

/** The whole response of a request that went well. */
export async function load(path, options = {}) {
  const headers = { ...options.headers };
  if (hasKey()) headers.authorization = `Bearer ${sessionStorage.getItem(KEY)}`;
  const response = await fetch(path, { ...options, headers, cache: 'no-store' });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const message = body.error?.message ?? `HTTP ${response.status}`;
  if (response.status === 401) throw new NeedsKey(message);
  throw new Error(message);
}
